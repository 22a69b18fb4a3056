"""One line of the conversation list, ready to be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from inbox.channels import WindowKind, WindowState
from inbox.models import Conversation, MessageType, Source, Tag
from inbox.pages.clock import CLOSING_SOON, full_moment, row_time, span_words
from inbox.pages.downloads import avatar_url

MAX_ROW_TAGS = 2
ROWS_KEPT = 4000
URGENT_MINUTES = 60

_ICONS = {
    "image": "image",
    "video": "play",
    "audio": "mic",
    "file": "file",
    "sticker": "smile",
    "location": "pin",
    "share": "link",
    "template": "layers",
    "unsupported": "help",
}
_SOURCE_ICONS = {Source.AUTOMATION: "bolt", Source.API: "code", Source.AI: "spark"}


@dataclass(frozen=True, slots=True)
class Badge:
    """What a conversation came by: the channel, or a comment, or a story on it."""

    css: str
    icon: str
    label: str


@dataclass(frozen=True, slots=True)
class WindowChip:
    """How long a reply is possible. deadline: when the chip is to change, None if never."""

    tone: str
    icon: str
    words: str
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snippet:
    text: str
    icon: str = ""
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    pk: int
    name: str
    contact_id: int
    # The address of the person's picture, "" for none.
    avatar: str
    badge: Badge
    unread: int
    time: str
    full_time: str
    # Greater stands higher; static/js/inbox.js moves rows by it.
    sort: float
    snippet: Snippet
    window: WindowChip
    # Names and dots; plain values, so that equal rows are drawn once (`draw_row`).
    tags: tuple[tuple[str, int], ...]
    assignee_id: int | None
    assignee: str


def build_row(
    conversation: Conversation,
    *,
    tags: Mapping[int, Tag],
    at: datetime,
    is_by_deadline: bool = False,
) -> Row:
    moment = conversation.last_message_at
    shown = [tags[pk] for pk in conversation.tags if pk in tags]
    assignee = conversation.assignee
    return Row(
        pk=conversation.pk,
        name=conversation.identity.display_name,
        contact_id=conversation.identity.contact_id,
        avatar=avatar_url(conversation.identity),
        badge=badge_of(conversation),
        unread=conversation.unread,
        time=row_time(moment, at=at),
        full_time=full_moment(moment),
        sort=-_deadline(conversation) if is_by_deadline else moment.timestamp(),
        snippet=snippet_of(conversation),
        window=window_chip(_window_of(conversation, at), at=at),
        tags=_tags_of(conversation, shown),
        assignee_id=assignee.pk if assignee else None,
        assignee=assignee.name if assignee else "",
    )


def _window_of(conversation: Conversation, at: datetime) -> WindowState:
    """The reply window; where there is none, the private reply to the comment that is newest."""
    state = conversation.reply_window_at(at, source=Source.AGENT)
    last = conversation.last_message
    if state.is_open or last.get("type") != MessageType.COMMENT:
        return state
    adapter = conversation.channel.adapter
    until = conversation.last_message_at + adapter.private_reply_window
    may_answer = (
        last.get("direction") == "in" and not last.get("deleted") and at < until
    )
    return WindowState(WindowKind.PRIVATE_REPLY, until) if may_answer else state


# The dot of the tag that sandbox conversations carry.
SANDBOX_COLOUR = 6


def _tags_of(
    conversation: Conversation, shown: Sequence[Tag]
) -> tuple[tuple[str, int], ...]:
    tags = [(tag.name, tag.colour) for tag in shown[:MAX_ROW_TAGS]]
    if conversation.channel.is_sandbox:
        tags.append((_("Sandbox"), SANDBOX_COLOUR))
    return tuple(tags)


def draw_row(
    row: Row, *, url: str, is_current: bool = False, is_oob: bool = False
) -> str:
    """The row's markup. A row that says the same is drawn once, for all who look at it."""
    return _draw(row, url, is_current, is_oob, get_language() or "")


@lru_cache(maxsize=ROWS_KEPT)
def _draw(row: Row, url: str, is_current: bool, is_oob: bool, _language: str) -> str:
    context = {"row": row, "url": url, "is_current": is_current, "is_oob": is_oob}
    return render_to_string("inbox/_row.html", context)


def _deadline(conversation: Conversation) -> float:
    end = conversation.window_expires_at
    return end.timestamp() if end else 0.0


def badge_of(conversation: Conversation) -> Badge:
    kind = conversation.last_message.get("type", "")
    if kind == MessageType.COMMENT:
        return Badge("comment", "comment", _("Comment"))
    if kind in {MessageType.STORY_MENTION, MessageType.STORY_REPLY}:
        return Badge("story", "story", _("Story"))
    adapter = conversation.channel.adapter
    return Badge(adapter.css, adapter.icon, str(adapter.label))


def snippet_of(conversation: Conversation) -> Snippet:
    """The newest message in one line: who, and what."""
    last = conversation.last_message
    if not last:
        return Snippet("")
    text = " ".join(str(last.get("text", "")).split())
    if last.get("status") == "failed":
        return Snippet(
            _("Not sent: %(reason)s") % {"reason": text}, "warn", is_error=True
        )
    if last.get("deleted"):
        return Snippet(_("Message unsent"), "undo")
    words = _words_of(str(last.get("type", "")), text)
    icon = "" if text else _ICONS.get(str(last.get("type", "")), "")
    if last.get("direction") != "out":
        return Snippet(words, icon)
    source = str(last.get("source", ""))
    if source in _SOURCE_ICONS:
        return Snippet(words, _SOURCE_ICONS[Source(source)])
    return Snippet(_("You: %(text)s") % {"text": words}, "reply")


def _words_of(kind: str, text: str) -> str:
    if kind == MessageType.STORY_MENTION:
        return _("Mentioned you in a story")
    if kind == MessageType.STORY_REPLY:
        return _("Replied to your story: %(text)s") % {"text": text}
    if text:
        return text
    return str(MessageType(kind).label) if kind in MessageType.values else ""


def window_chip(state: WindowState, *, at: datetime) -> WindowChip:
    if state.expires_at is None:
        return WindowChip("line", "lock", _("Closed"))
    span = state.expires_at - at
    words = span_words(span, is_short=True)
    if state.kind is WindowKind.HUMAN_AGENT:
        human = _("Human agent · %(span)s") % {"span": words}
        return WindowChip("info", "user", human, state.expires_at)
    if state.kind is WindowKind.PRIVATE_REPLY:
        private = _("Private reply · %(span)s") % {"span": words}
        return WindowChip("info", "reply", private, state.expires_at)
    if state.kind is WindowKind.PROBABLE:
        maybe = _("Maybe open · %(span)s") % {"span": words}
        return WindowChip("line", "clock", maybe, state.expires_at)
    return WindowChip(window_tone(state, at=at), "clock", words, state.expires_at)


def window_tone(state: WindowState, *, at: datetime) -> str:
    """ok, warn under four hours, bad under one; info for the human agent's window."""
    if state.expires_at is None:
        return "line"
    if state.kind is WindowKind.HUMAN_AGENT:
        return "info"
    left = state.expires_at - at
    if left >= CLOSING_SOON:
        return "calm"
    return "warn" if left.total_seconds() >= URGENT_MINUTES * 60 else "bad"
