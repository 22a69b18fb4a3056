"""What Dexra saw: the events Meta posted and the calls it answered, in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from channels_meta.sandbox.models import SandboxCall, SandboxPerson
from inbox.models import ChannelIdentity, Message
from inbox.pages.clock import clock_time, moment_label, row_time

SHOWN = 20
MID_CHARACTERS = 16

Kind = SandboxCall.Kind
_ICONS = {
    Kind.MESSAGE: "chat",
    Kind.IMAGE: "image",
    Kind.VIDEO: "play",
    Kind.AUDIO: "mic",
    Kind.FILE: "file",
    Kind.STICKER: "smile",
    Kind.LOCATION: "pin",
    Kind.SHARE: "link",
    Kind.STORY_MENTION: "story",
    Kind.STORY_REPLY: "reply",
    Kind.COMMENT: "comment",
    Kind.POST: "note",
    Kind.MENTION: "at",
    Kind.REFERRAL: "spark",
    Kind.EDIT: "note",
    Kind.REACTION: "heart",
    Kind.UNREACTION: "heart",
    Kind.UNSEND: "undo",
    Kind.READ: "checks",
    Kind.DELIVERY: "check",
    Kind.ECHO: "retry",
    Kind.OWN_COMMENT: "retry",
    Kind.COMMENT_CHANGE: "comment",
    Kind.ROUTING: "users",
    Kind.NOTICE: "warn",
    Kind.ODD: "help",
    Kind.SEND: "send",
    Kind.PUBLIC_REPLY: "comment",
    Kind.COMMENT_ACT: "eye-off",
    Kind.SIGNAL: "eye",
    Kind.UPLOAD: "clip",
    Kind.PROFILE: "user",
    Kind.HISTORY: "clock",
    Kind.THREAD: "users",
    Kind.SUBSCRIPTION: "bell",
}
# Dexra calls these; everything else Meta posts.
CALLS = {
    Kind.SEND,
    Kind.PUBLIC_REPLY,
    Kind.COMMENT_ACT,
    Kind.SIGNAL,
    Kind.UPLOAD,
    Kind.PROFILE,
    Kind.HISTORY,
    Kind.THREAD,
    Kind.SUBSCRIPTION,
}
# What is a message of its own in the inbox.
MESSAGES = {
    Kind.MESSAGE,
    Kind.IMAGE,
    Kind.VIDEO,
    Kind.AUDIO,
    Kind.FILE,
    Kind.STICKER,
    Kind.LOCATION,
    Kind.SHARE,
    Kind.STORY_MENTION,
    Kind.STORY_REPLY,
    Kind.COMMENT,
    Kind.POST,
    Kind.MENTION,
}


_FIRST = ("request", "object", "id", "time", "field", "sender", "recipient", "timestamp", "mid", "type")  # fmt: skip
_ORDER = {name: place for place, name in enumerate(_FIRST)}

OPENING = MESSAGES - {Kind.COMMENT, Kind.POST, Kind.MENTION}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log. time: to the second today, with its day before.

    payload: indented JSON, "" where it was erased.
    """

    icon: str
    title: str | Promise
    at: datetime
    time: str
    text: str
    payload: str
    is_trouble: bool


def entries_of(person: SandboxPerson, identity: ChannelIdentity | None) -> list[Entry]:
    """The newest first, in a fixed number of statements."""
    calls = list(person.calls.order_by("-id")[:SHOWN])
    known = _known_messages(person, calls)
    newest = next((call for call in calls if call.kind in OPENING), None)
    window = _window_words(identity)
    return [_entry(call, known, window if call is newest else "") for call in calls]


def _known_messages(
    person: SandboxPerson, calls: Sequence[SandboxCall]
) -> dict[str | None, Message]:
    mids = {call.summary for call in calls if call.summary}
    account = person.account
    rows = Message.objects.filter(
        channel__kind=account.kind,
        channel__external_id=account.external_id,
        external_id__in=mids,
    )
    return {row.external_id: row for row in rows.filter(is_stub=False)}


def _entry(call: SandboxCall, known: dict[str | None, Message], window: str) -> Entry:
    kind = Kind(call.kind)
    message = known.get(call.summary)
    title: str | Promise = kind.label
    if kind is Kind.SEND:
        title, text = _words_of_send(call, message)
    elif kind in CALLS:
        text = _words_of_call(call)
    else:
        text = _words_of_event(call, message, window)
    return Entry(
        icon=_ICONS[kind],
        title=title,
        at=call.at,
        time=_time(call.at),
        text=text,
        payload=_readable(call.payload) if call.payload else "",
        is_trouble=call.status != 200,
    )


def _time(moment: datetime) -> str:
    local, today = localtime(moment), localtime().date()
    if local.date() == today:
        return date_format(local, "G:i:s")
    return f"{row_time(moment, at=now())} {clock_time(moment)}"


def _readable(payload: Any) -> str:
    return json.dumps(_in_order(payload), ensure_ascii=False, indent=2)


def _in_order(value: Any) -> Any:
    """Keys as Meta writes them: jsonb has forgotten their order."""
    if isinstance(value, list):
        return [_in_order(part) for part in value]
    if not isinstance(value, dict):
        return value
    names = sorted(value, key=lambda name: _ORDER.get(name, len(_ORDER)))
    return {name: _in_order(value[name]) for name in names}


def _words_of_send(call: SandboxCall, message: Message | None) -> tuple[str, str]:
    if call.status != 200:
        values = {"code": call.summary, "status": call.status}
        answer = _("Answered with error %(code)s, HTTP %(status)d.") % values
        return _("Reply not accepted"), answer
    accepted = _("Accepted at once, id %(id)s") % {"id": _short(call.summary)}
    author = message.author_name if message else ""
    if not author:
        return _("Reply sent"), accepted
    return _("Reply sent by %(name)s") % {"name": author}, accepted


def _words_of_call(call: SandboxCall) -> str:
    """What was done, in Meta's own word for it; or how it was refused."""
    if call.status != 200:
        error = call.payload.get("answer", {}).get("error", {})
        parts = [str(error.get(key)) for key in ("code", "error_subcode") if key in error]  # fmt: skip
        values = {"code": "/".join(parts), "status": call.status}
        return _("Answered with error %(code)s, HTTP %(status)d.") % values
    return call.summary if call.kind in {Kind.SIGNAL, Kind.THREAD} else ""


def _words_of_event(call: SandboxCall, message: Message | None, window: str) -> str:
    if call.status == 0:
        return _("Dexra did not answer. Meta would try again for an hour.")
    if call.status != 200:
        return _("Dexra answered %(status)d: it has not taken this.") % {
            "status": call.status
        }
    if call.kind not in MESSAGES:
        return ""
    if message is None:
        return _("Stored. It is in the inbox in a moment.")
    return window or _("In the inbox.")


def _window_words(identity: ChannelIdentity | None) -> str:
    if identity is None or identity.window_expires_at is None:
        return ""
    at = now()
    if identity.window_expires_at <= at:
        return ""
    end = moment_label(identity.window_expires_at, at=at)
    return _("The reply window is open until %(end)s.") % {"end": end}


def _short(mid: str) -> str:
    return f"{mid[:MID_CHARACTERS]}…" if len(mid) > MID_CHARACTERS else mid
