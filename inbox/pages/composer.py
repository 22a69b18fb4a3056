"""The composer: whether a reply is possible, until when, and what is possible if it is not."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django import forms
from django.http import Http404
from django.utils.text import get_text_list
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from inbox.channels import ReplyWindow, WindowKind
from inbox.models import Agent, Channel, Conversation, Source
from inbox.pages.clock import moment_label, span_words
from inbox.pages.rows import window_tone

REPLY, NOTE = "reply", "note"
MAX_KEY_CHARACTERS = 80


class ReplyForm(forms.Form):
    """What every composer posts. Whether the content may be sent is not decided here."""

    content = forms.CharField(
        required=False,
        strip=False,
        error_messages={
            "null_characters_not_allowed": gettext_lazy(
                "This text has characters that nobody can read."
            )
        },
    )
    key = forms.CharField(required=False, max_length=MAX_KEY_CHARACTERS)

    def clean_content(self) -> str:
        """Browsers send line ends as CRLF; people typed, and channels count, one character."""
        text: str = self.cleaned_data["content"]
        return text.replace("\r\n", "\n")


@dataclass(frozen=True, slots=True)
class Window:
    """The reply window as the composer tells it. percent: what is left of it, for the ring."""

    kind: WindowKind
    tone: str
    left: str = ""
    ends: str = ""
    deadline: datetime | None = None
    percent: int = 0


@dataclass(frozen=True, slots=True)
class Composer:
    conversation: Conversation
    mode: str
    form: ReplyForm
    key: str
    window: Window
    template: str
    reason: str = ""
    email: str = ""
    native_url: str = ""

    @property
    def state(self) -> str:
        """Pages replace a composer whose state has changed, and leave the others' text alone."""
        return self.template.rpartition("/_")[2].removesuffix(".html")

    @property
    def is_note(self) -> bool:
        return self.mode == NOTE


def build_composer(
    conversation: Conversation,
    agent: Agent,
    *,
    mode: str = REPLY,
    form: ReplyForm | None = None,
) -> Composer:
    """mode: reply or note. form: what was refused, to keep its text. Raises Http404 for others."""
    if mode not in {REPLY, NOTE}:
        raise Http404
    at = now()
    window = read_window(conversation, at=at)
    blocked = _blocked(conversation, agent, mode)
    is_closed = mode == REPLY and not blocked and window.kind is WindowKind.CLOSED
    contact = conversation.identity.contact
    key = str(form.data.get("key", "")) if form is not None else ""
    return Composer(
        conversation=conversation,
        mode=mode,
        form=form or ReplyForm(),
        key=key[:MAX_KEY_CHARACTERS] or str(uuid.uuid4()),
        window=window,
        template=_template(mode, blocked, window),
        reason=blocked or (why_closed(conversation, at=at) if is_closed else ""),
        email=contact.email if contact.email_verified_at else "",
        native_url=conversation.channel.adapter.native_url(
            conversation.channel, conversation.identity.external_id
        ),
    )


def _template(mode: str, blocked: str, window: Window) -> str:
    if blocked:
        return "inbox/composer/_blocked.html"
    if mode == NOTE:
        return "inbox/composer/_note.html"
    templates = {
        WindowKind.OPEN: "inbox/composer/_open.html",
        WindowKind.HUMAN_AGENT: "inbox/composer/_human.html",
        WindowKind.CLOSED: "inbox/composer/_closed.html",
    }
    return templates[window.kind]


def _blocked(conversation: Conversation, agent: Agent, mode: str) -> str:
    """Why nothing can be written at all, whatever the window says; "" if it can."""
    if not agent.has_perm("inbox.add_message"):
        return _(
            "You may read this conversation, but not write in it. An admin can change that."
        )
    if mode == NOTE:
        return ""
    reasons = {
        Channel.Status.NEEDS_REAUTH: _(
            "%(account)s needs to be reconnected before anything can be sent. Notes stay possible."
        ),
        Channel.Status.DISCONNECTED: _(
            "%(account)s is disconnected: nothing can be sent from it. Notes stay possible."
        ),
        Channel.Status.PAUSED: _(
            "Sending from %(account)s is paused. Notes stay possible."
        ),
    }
    channel = conversation.channel
    reason = reasons.get(Channel.Status(channel.status), "")
    return reason % {"account": channel.name} if reason else ""


def read_window(conversation: Conversation, *, at: datetime) -> Window:
    state = conversation.reply_window_at(at, source=Source.AGENT)
    if state.expires_at is None:
        return Window(WindowKind.CLOSED, "closed")
    left = state.expires_at - at
    whole = _length(conversation, state.kind)
    return Window(
        kind=state.kind,
        tone=window_tone(state, at=at),
        left=span_words(left, is_short=False),
        ends=moment_label(state.expires_at, at=at),
        deadline=state.expires_at,
        percent=max(1, min(100, round(100 * left / whole))),
    )


def _length(conversation: Conversation, kind: WindowKind) -> timedelta:
    adapter = conversation.channel.adapter
    window = next((one for one in adapter.windows if one.kind is kind), None)
    return (window and window.lasts) or adapter.standard_window


def why_closed(conversation: Conversation, *, at: datetime) -> str:
    """Which rules have passed, told from the same windows that decide the send."""
    adapter = conversation.channel.adapter
    name = conversation.identity.display_name
    wrote_at = conversation.identity.last_inbound_at
    if wrote_at is None:
        return _(
            "%(name)s has not sent you a message yet, and %(channel)s lets nobody write first."
        ) % {"name": name, "channel": adapter.label}
    features = frozenset(conversation.channel.features)
    windows = [
        one for one in adapter.windows if not one.feature or one.feature in features
    ]
    rules = get_text_list(
        [_rule(one, adapter.standard_window) for one in windows], _("and")
    )
    return _(
        "%(name)s last wrote at %(moment)s. %(channel)s allows replies %(rules)s. "
        "That has passed: nothing can be sent until %(name)s writes again."
    ) % {
        "name": name,
        "moment": moment_label(wrote_at, at=at),
        "channel": adapter.label,
        "rules": rules,
    }


def _rule(window: ReplyWindow, standard: timedelta) -> str:
    if window.kind is WindowKind.HUMAN_AGENT and window.lasts:
        days = window.lasts.days
        return ngettext(
            "up to %(count)d day when a person of your team answers",
            "up to %(count)d days when a person of your team answers",
            days,
        ) % {"count": days}
    hours = int((window.lasts or standard).total_seconds()) // 3600
    return ngettext(
        "for %(count)d hour after a customer's message",
        "for %(count)d hours after a customer's message",
        hours,
    ) % {"count": hours}
