"""The composer: whether a reply is possible, until when, and what is possible if it is not."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django import forms
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.text import get_text_list
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from inbox.actions import held_before
from inbox.canned import SNOOZES, Step, read_steps, steps_of
from inbox.channels import Ability, ReplyWindow, TextLimit, WindowKind, WindowState
from inbox.comment_rules import (
    CommentAct,
    is_offered,
    newest_answerable,
    private_replies,
    standing_of,
    why_not,
)
from inbox.content import split_text
from inbox.drafts import drafts_of
from inbox.errors import ContentInvalid
from inbox.models import (
    Agent,
    Channel,
    ChannelAction,
    Conversation,
    Draft,
    Message,
    Source,
    StagedFile,
)
from inbox.outbound import can_quote
from inbox.pages.clock import moment_label, span_words
from inbox.pages.file_rules import accepted_types, file_rules
from inbox.pages.rows import window_tone
from inbox.pages.templates import ChosenTemplate, approved_templates, choose
from inbox.preferences import preferences_of
from inbox.staging import waiting_files

REPLY, NOTE, PUBLIC, PRIVATE = "reply", "note", "public", "private"
MODES = frozenset({REPLY, NOTE, PUBLIC, PRIVATE})
_COMMENT_ACTS = {PUBLIC: CommentAct.REPLY, PRIVATE: CommentAct.REPLY_PRIVATELY}
MAX_KEY_CHARACTERS = 80
# States in which words are written to the person's inbox.
_WRITING = frozenset({"open", "probable", "human"})
# What asks for more than the page knows, or would be too much.
MAX_POSTED = 60


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
    draft = forms.CharField(required=False, max_length=MAX_KEY_CHARACTERS)
    seen = forms.IntegerField(required=False, min_value=0)
    # Given where the page has said that the text goes as several messages.
    parts = forms.IntegerField(required=False, min_value=2)
    reply_to = forms.IntegerField(required=False, min_value=1)
    template = forms.IntegerField(required=False, min_value=1)

    def clean_content(self) -> str:
        """Browsers send line ends as CRLF; people typed, and channels count, one character."""
        text: str = self.cleaned_data["content"]
        return text.replace("\r\n", "\n")

    def many(self, name: str) -> list[str]:
        """What was posted several times under one name, in order."""
        posted: list[str] = getattr(self.data, "getlist", lambda _name: [])(name)
        return [value for value in posted if value][:MAX_POSTED]

    @property
    def steps(self) -> list[str]:
        """What is to be done with the reply: the chips, and the button that was pressed."""
        then = [str(self.data.get("then", ""))]
        return [*self.many("act"), *(token for token in then if token)]

    @property
    def file_ids(self) -> list[int]:
        return [
            int(value)
            for value in self.many("upload")
            if value.isdecimal() and len(value) < 19
        ]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a page asks the composer for.

    about: the comment to answer. quote: the message to refer to. template: the one to fill.
    values: of its variables, by the names of their inputs.
    """

    mode: str = REPLY
    about: int | None = None
    quote: int | None = None
    template: int | None = None
    values: Mapping[str, str] | None = None


def read_choice(parameters: Mapping[str, str]) -> Choice:
    """From the address of a page or of the composer."""

    def number(name: str) -> int | None:
        text = parameters.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 19 else None

    return Choice(
        mode=parameters.get("mode", REPLY),
        about=number("about"),
        quote=number("quote"),
        template=number("template"),
    )


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
    """state: which of templates/inbox/composer/ is drawn.

    mode: what the page asked for. about: the comment that is answered. taken_from: who had the
    conversation before we took it over. is_taking_over: that has been asked for. is_awaited: the
    agent will be told when the person writes.
    """

    conversation: Conversation
    mode: str
    state: str
    form: ReplyForm
    key: str
    window: Window
    reason: str = ""
    email: str = ""
    native_url: str = ""
    about: Message | None = None
    quote: Message | None = None
    templates: tuple[ChosenTemplate, ...] = ()
    chosen: ChosenTemplate | None = None
    taken_from: str = ""
    can_take_over: bool = False
    is_taking_over: bool = False
    shows_typing: bool = False
    draft_key: str = ""
    files: Sequence[StagedFile] = ()
    steps: Sequence[Step] = ()
    seen: int = 0
    enter_sends: bool = False
    is_awaited: bool = False
    can_act: bool = False

    @property
    def template(self) -> str:
        return f"inbox/composer/_{self.state}.html"

    @property
    def is_note(self) -> bool:
        return self.mode == NOTE

    @property
    def limit(self) -> TextLimit | None:
        """What the counter counts by."""
        limits = self.conversation.channel.adapter.limits
        if self.is_note:
            return None
        return limits.comment_text if self.state == PUBLIC else limits.text

    @property
    def takes_files(self) -> bool:
        return self.state in _WRITING or self.state == PRIVATE

    @property
    def is_for_person(self) -> bool:
        """Whether it goes into the person's inbox, in as many messages as it needs."""
        return self.state in _WRITING

    @property
    def text(self) -> str:
        return str(self.form["content"].value() or "")

    @property
    def parts(self) -> list[str]:
        """As what messages the text would go; nothing while it is one."""
        limit = self.limit
        if (
            not self.is_for_person
            or not limit
            or limit.measure(self.text) <= limit.maximum
        ):
            return []
        return split_text(self.text, limit)

    @property
    def choices(self) -> list[str]:
        """Quick replies that were posted, to be shown again."""
        return self.form.many("choice") if self.form.is_bound else []

    @property
    def most_choices(self) -> int:
        return self.conversation.channel.adapter.limits.quick_replies

    @property
    def longest_choice(self) -> int:
        return self.conversation.channel.adapter.limits.quick_reply_title

    @property
    def presets(self) -> list[tuple[str, str]]:
        """When a conversation may come back, as (token, words)."""
        return [(f"snooze:{words}", str(label)) for words, label in SNOOZES.items()]

    @property
    def accepted_types(self) -> str:
        return accepted_types(self.conversation.channel.adapter)

    @property
    def file_rules(self) -> str:
        return file_rules(self.conversation.channel.adapter)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is possible now: the state, with what it needs."""

    state: str
    window: Window
    reason: str = ""
    about: Message | None = None
    templates: tuple[ChosenTemplate, ...] = ()


def build_composer(
    conversation: Conversation,
    agent: Agent,
    choice: Choice | None = None,
    *,
    form: ReplyForm | None = None,
) -> Composer:
    """form: what was refused, to keep its text. Raises Http404 for what cannot be chosen."""
    choice = choice or Choice()
    if choice.mode not in MODES:
        raise Http404
    at = now()
    draft = drafts_of(agent, conversation).filter(mode=choice.mode).first()
    choice = _with_draft(choice, draft)
    standing = _stand(conversation, agent, choice, at)
    if draft and form is None and _is_about(draft, choice):
        form = ReplyForm(initial={"content": draft.content})
    channel, contact = conversation.channel, conversation.identity.contact
    abilities = channel.adapter.abilities(channel)
    key = str(form.data.get("key", "")) if form is not None else ""
    preferences = preferences_of(agent)
    is_writing = standing.state in _WRITING
    is_held = standing.state == "held"
    return Composer(
        conversation=conversation,
        mode=choice.mode,
        state=standing.state,
        form=form or ReplyForm(),
        key=key[:MAX_KEY_CHARACTERS] or str(uuid.uuid4()),
        window=standing.window,
        reason=standing.reason,
        email=contact.email if contact.email_verified_at else "",
        native_url=channel.adapter.native_url(
            channel, conversation.identity.external_id
        ),
        about=standing.about,
        quote=_quoted(conversation, choice, abilities) if is_writing else None,
        templates=standing.templates,
        chosen=_chosen(standing.templates, choice),
        taken_from=held_before(conversation)
        if is_writing and Ability.TAKE_OVER in abilities
        else "",
        can_take_over=is_held and Ability.TAKE_OVER in abilities,
        is_taking_over=is_held and _is_taking_over(conversation),
        shows_typing=is_writing
        and channel.shows_typing
        and Ability.TYPING in abilities,
        draft_key=draft.key if draft else "",
        files=list(waiting_files(conversation, agent))
        if standing.state != NOTE
        else (),
        steps=_steps_posted(form),
        seen=newest_id(conversation),
        enter_sends=preferences.enter_sends,
        is_awaited=agent.pk in conversation.identity.awaited_by,
        can_act=agent.has_perm("inbox.change_conversation"),
    )


def newest_id(conversation: Conversation) -> int:
    """Of all that the page shows; 0 for an empty thread."""
    newest = conversation.messages.order_by("-pk").values_list("pk", flat=True).first()
    return newest or 0


def _with_draft(choice: Choice, draft: Draft | None) -> Choice:
    """A draft of a reply remembers what it quoted."""
    if draft is None or choice.mode != REPLY or choice.quote is not None:
        return choice
    return replace(choice, quote=draft.about_id)


def _is_about(draft: Draft, choice: Choice) -> bool:
    """What was begun about one comment is not put under another."""
    return choice.mode not in _COMMENT_ACTS or draft.about_id == choice.about


def _steps_posted(form: ReplyForm | None) -> list[Step]:
    if form is None or not form.is_bound:
        return []
    try:
        return steps_of(read_steps(form.many("act")))
    except ContentInvalid:
        return []


def _stand(
    conversation: Conversation, agent: Agent, choice: Choice, at: datetime
) -> _Standing:
    window = read_window(conversation, at=at)
    if blocked := _blocked(conversation, agent, choice.mode):
        return _Standing("blocked", window, blocked)
    if choice.mode == NOTE:
        return _Standing("note", window)
    if choice.mode in _COMMENT_ACTS:
        return _stand_on_comment(conversation, choice, window, at)
    if conversation.held_by:
        return _Standing("held", window, _held(conversation))
    states = {
        WindowKind.OPEN: "open",
        WindowKind.PROBABLE: "probable",
        WindowKind.HUMAN_AGENT: "human",
    }
    if window.kind in states:
        return _Standing(states[window.kind], window)
    return _stand_outside(conversation, choice, window, at)


def _stand_on_comment(
    conversation: Conversation, choice: Choice, window: Window, at: datetime
) -> _Standing:
    """An answer to a comment follows rules of its own, whatever the window says."""
    if choice.about is None:
        raise Http404
    comment = get_object_or_404(conversation.messages, pk=choice.about)
    comment.channel = conversation.channel
    act = _COMMENT_ACTS[choice.mode]
    answers = private_replies([comment.pk])
    standing = standing_of(comment, private_reply=answers.get(comment.pk))
    if not is_offered(standing, act):
        raise Http404
    if reason := why_not(standing, act, at=at):
        return _Standing("refused", window, reason, comment)
    if choice.mode == PRIVATE:
        window = private_window(conversation, standing.private_until, at=at)
    return _Standing(choice.mode, window, about=comment)


def _stand_outside(
    conversation: Conversation, choice: Choice, window: Window, at: datetime
) -> _Standing:
    """The window is closed: what is left is a comment to answer, a template, or nothing."""
    if comment := newest_answerable(conversation, at=at):
        until = comment.sent_at + conversation.channel.adapter.private_reply_window
        window = private_window(conversation, until, at=at)
        return _Standing(PRIVATE, window, about=comment)
    reason = why_closed(conversation, at=at)
    templates = tuple(
        choose(one, (choice.values or {}) if one.pk == choice.template else {})
        for one in approved_templates(conversation.channel)
    )
    state = "template" if templates else "closed"
    return _Standing(state, window, reason, templates=templates)


def _chosen(
    templates: tuple[ChosenTemplate, ...], choice: Choice
) -> ChosenTemplate | None:
    return next((one for one in templates if one.template.pk == choice.template), None)


def _quoted(
    conversation: Conversation, choice: Choice, abilities: frozenset[Ability]
) -> Message | None:
    """What cannot be quoted (any more) is left out without a word."""
    if choice.quote is None:
        return None
    message = conversation.messages.filter(pk=choice.quote).first()
    return message if message and can_quote(message, abilities) else None


def _is_taking_over(conversation: Conversation) -> bool:
    waiting = ChannelAction.Status.QUEUED
    return conversation.actions.filter(kind="take_over", status=waiting).exists()


def _held(conversation: Conversation) -> str:
    return _(
        "%(app)s is answering this conversation on %(channel)s. As long as it does, nothing can "
        "be sent from here."
    ) % {"app": conversation.held_by, "channel": conversation.channel.adapter.label}


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


# --- windows in words ----------------------------------------------------------------------------


def read_window(conversation: Conversation, *, at: datetime) -> Window:
    state = conversation.reply_window_at(at, source=Source.AGENT)
    return _as_window(state, _length(conversation, state.kind), at)


def private_window(
    conversation: Conversation, until: datetime, *, at: datetime
) -> Window:
    """How long a comment may still be answered in private."""
    state = WindowState(WindowKind.PRIVATE_REPLY, until)
    window = _as_window(state, conversation.channel.adapter.private_reply_window, at)
    return replace(window, tone="info")


def _as_window(state: WindowState, whole: timedelta, at: datetime) -> Window:
    if state.expires_at is None:
        return Window(WindowKind.CLOSED, "closed")
    left = state.expires_at - at
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
        one
        for one in adapter.windows
        if one.kind is not WindowKind.PROBABLE
        and (not one.feature or one.feature in features)
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
