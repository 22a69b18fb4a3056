"""One line of the conversation list, ready to be drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from django.db import connection
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from inbox.channels import WindowKind, WindowState
from inbox.errors import retell
from inbox.models import (
    Conversation,
    Direction,
    Message,
    MessageType,
    Priority,
    Source,
    Tag,
)
from inbox.pages.clock import (
    CLOSING_SOON,
    full_moment,
    moment_label,
    row_time,
    span_words,
)
from inbox.pages.downloads import avatar_url
from inbox.presence import Claim

MAX_ROW_TAGS = 2
DRAFT_CHARACTERS = 160
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
    """The line below a name. lead: our own words before what somebody wrote; each of the two
    stands in its own direction."""

    text: str
    icon: str = ""
    lead: str = ""
    is_error: bool = False
    is_draft: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """What one agent alone has in a conversation. draft: how it begins, None for none."""

    draft: str | None = None
    is_mentioned: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """hit: the message that a search found, 0 where the row is of the whole conversation.
    words: those of the search, to be marked. returns: when a snoozed one comes back.
    priority: its word and tone. blocked: what a person we do not hear from is. on_it: the colleague
    who began to answer what nobody was given."""

    pk: int
    name: str
    contact_id: int
    # The address of the person's picture, "" for none.
    avatar: str
    badge: Badge
    unread: int
    time: str
    full_time: str
    # Greater stands higher; static/js/rows.js moves rows by it.
    sort: float
    snippet: Snippet
    window: WindowChip
    # Names and dots; plain values, so that equal rows are drawn once (`draw_row`).
    tags: tuple[tuple[str, int], ...]
    assignee_id: int | None
    assignee: str
    has_failed: bool = False
    is_mentioned: bool = False
    returns: str = ""
    returns_full: str = ""
    priority: str = ""
    priority_tone: str = ""
    blocked: str = ""
    on_it: str = ""
    words: str = ""
    hit: int = 0

    @property
    def element_id(self) -> str:
        return f"hit-{self.hit}" if self.hit else f"row-{self.pk}"


def build_row(
    conversation: Conversation,
    *,
    tags: Mapping[int, Tag],
    at: datetime,
    rank: float = 0,
) -> Row:
    moment = conversation.last_message_at
    shown = [tags[pk] for pk in conversation.tags if pk in tags]
    assignee = conversation.assignee
    snoozed_until = (
        conversation.snoozed_until
        if conversation.status == Conversation.Status.SNOOZED
        else None
    )
    snippet = snippet_of(conversation)
    return Row(
        pk=conversation.pk,
        name=conversation.identity.display_name,
        contact_id=conversation.identity.contact_id,
        avatar=avatar_url(conversation.identity),
        badge=badge_of(conversation),
        unread=conversation.unread,
        time=row_time(moment, at=at),
        full_time=full_moment(moment),
        sort=rank,
        snippet=snippet,
        window=window_chip(_window_of(conversation, at), at=at),
        tags=_tags_of(conversation, shown),
        assignee_id=assignee.pk if assignee else None,
        assignee=assignee.name if assignee else "",
        has_failed=bool(conversation.failed) and not snippet.is_error,
        returns=moment_label(snoozed_until, at=at) if snoozed_until else "",
        returns_full=full_moment(snoozed_until) if snoozed_until else "",
        priority=str(Priority(conversation.priority).label)
        if conversation.priority
        else "",
        priority_tone=_TONES.get(conversation.priority, ""),
        blocked=_blocked(conversation),
    )


def seen_row(
    row: Row, agent_id: int, marks: Mapping[int, Marks], claims: Mapping[int, Claim]
) -> Row:
    """The row as this agent sees it. marks: the agent's own. claims: everybody's."""
    claim = claims.get(row.pk)
    if claim and claim.agent_id != agent_id:
        row = replace(row, on_it=claim.name)
    own = marks.get(row.pk)
    return _marked(row, own) if own else row


def _marked(row: Row, marks: Marks) -> Row:
    row = replace(row, is_mentioned=marks.is_mentioned)
    if marks.draft is None or row.snippet.is_error:
        return row
    words = " ".join(marks.draft.split())
    return replace(row, snippet=Snippet(words, "note", _("Draft:"), is_draft=True))


_TONES: Mapping[int, str] = {
    Priority.LOW: "line",
    Priority.HIGH: "warn",
    Priority.URGENT: "bad",
}


def _blocked(conversation: Conversation) -> str:
    if conversation.identity.blocked_at is None:
        return ""
    return _("Spam") if conversation.identity.is_spam else _("Blocked")


# By hand: asked with every change, for all the pages that show it.
_MARKS = f"""
select agent_id, conversation_id, left(content, {DRAFT_CHARACTERS}), updated_at from inbox_draft
    where agent_id = any(%(agents)s) and conversation_id = any(%(ids)s)
union all select agent_id, conversation_id, null, created_at from inbox_mention
    where agent_id = any(%(agents)s) and conversation_id = any(%(ids)s) and seen_at is null
order by 4
"""  # noqa: S608 - a number of ours


def marks_by_agent(
    agent_ids: Iterable[int], conversation_ids: Sequence[int]
) -> dict[int, dict[int, Marks]]:
    """By agent and conversation, drafts and unseen mentions in these, in one statement."""
    if not conversation_ids:
        return {}
    asked = {"agents": list(agent_ids), "ids": list(conversation_ids)}
    with connection.cursor() as cursor:
        cursor.execute(_MARKS, asked)
        found = cursor.fetchall()
    marks: dict[int, dict[int, Marks]] = {}
    # The draft that was written last is the one that shows.
    for agent_id, pk, content, _at in found:
        own = marks.setdefault(agent_id, {})
        was = own.get(pk, Marks())
        if content is None:
            own[pk] = Marks(was.draft, is_mentioned=True)
        elif content.strip():
            own[pk] = Marks(content, was.is_mentioned)
    return marks


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
        return Snippet(retell(text), "warn", _("Not sent:"), is_error=True)
    if last.get("deleted"):
        return Snippet(_("Message unsent"), "undo")
    kind = str(last.get("type", ""))
    words = _words_of(kind, text)
    icon = "" if text else _ICONS.get(kind, "")
    if last.get("direction") != "out":
        lead = _("Replied to your story:") if kind == MessageType.STORY_REPLY else ""
        return Snippet(words, icon, lead)
    source = str(last.get("source", ""))
    if source in _SOURCE_ICONS:
        return Snippet(words, _SOURCE_ICONS[Source(source)])
    return Snippet(words, "reply", _("You:"))


def snippet_of_message(message: Message, text: str) -> Snippet:
    """What somebody said, as a search shows it: who, and the words around those it found."""
    if message.direction == Direction.IN:
        return Snippet(text)
    if message.direction == Direction.NOTE:
        note = _("Note by %(name)s:") % {"name": message.author_name}
        return Snippet(text, "lock", note)
    if message.source in _SOURCE_ICONS:
        return Snippet(text, _SOURCE_ICONS[Source(message.source)])
    return Snippet(text, "reply", _("You:"))


def _words_of(kind: str, text: str) -> str:
    if kind == MessageType.STORY_MENTION:
        return _("Mentioned you in a story")
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
