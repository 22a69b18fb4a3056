"""A conversation's messages, ready to be drawn: grouped, dated, each with its own fragment."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.timezone import localtime, now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from inbox.errors import retell
from inbox.mentions import called_in
from inbox.models import (
    Channel,
    Conversation,
    Direction,
    Message,
    MessageType,
    Source,
    Status,
)
from inbox.notes import can_rewrite
from inbox.outbound import can_take_back, is_undoable
from inbox.pages.acts import Acts, read_acts
from inbox.pages.clock import clock_time, day_label, full_moment
from inbox.pages.cursors import Place, encode_cursor, keyset_after, keyset_before
from inbox.pages.lines import Line, app_words, arrival_words, line_of
from inbox.pages.media import (
    Element,
    Part,
    Story,
    cards_of,
    choices_of,
    mapping,
    mappings,
    part_of,
    story_of,
)
from inbox.pages.posts import Post, post_of

PAGE_SIZE = 40
# On either side of a message that is opened by its address.
HALF_PAGE = PAGE_SIZE // 2
# Messages that one refresh draws again. A page keeps fewer (stretch.js): what it shows is always
# drawn again whole, and in one answer.
MAX_REFRESHED = 200
GROUP_SPAN = timedelta(minutes=5)

PLAIN = "inbox/messages/_text.html"
_FRAGMENTS = {
    MessageType.STORY_MENTION: "_story.html",
    MessageType.STORY_REPLY: "_story.html",
    MessageType.COMMENT: "_comment.html",
    MessageType.POSTBACK: "_postback.html",
    MessageType.UNSUPPORTED: "_unsupported.html",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of an outbound message: an icon and a word."""

    icon: str
    word: str | Promise
    css: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """Who spoke for us, where it was not an agent in Dexra."""

    icon: str
    label: str | Promise
    chip: str
    mark: str


@dataclass(frozen=True, slots=True)
class Bubble:
    """One entry of the thread.

    starts, ends: whether it is the first, the last of its group. day: a separator above it.
    version: changes whenever it would be drawn differently, so that pages replace only that.
    heading: what kind of message it is, where that is not plain. arrival: the ad or link that
    the person came by with it. earlier: what it said before it was edited, oldest first.
    cards, choices: what we composed beside words; the latter are answers for one tap.
    called: the agents that a note names, by username.
    """

    message: Message
    template: str
    starts: bool
    ends: bool
    day: str
    day_id: str
    time: str
    full_time: str
    version: str
    parts: tuple[Part, ...] = ()
    story: Story | None = None
    kind: Kind | None = None
    mark: Mark | None = None
    reactions: tuple[str, ...] = ()
    line: Line | None = None
    can_discard: bool = False
    can_edit: bool = False
    undo_until: str = ""
    acts: Acts | None = None
    post: Post | None = None
    heading: str = ""
    arrival: str = ""
    earlier: tuple[str, ...] = ()
    cards: tuple[Element, ...] = ()
    choices: tuple[str, ...] = ()
    called: tuple[str, ...] = ()

    @property
    def speaker(self) -> str:
        """Who wrote it for us, in words: what icons and sides say to those who see them."""
        return self.message.author_name or (
            str(self.kind.label) if self.kind else "Dexra"
        )

    @property
    def is_plain(self) -> bool:
        """Whether it says the same to everybody and offers nobody anything of their own: what was
        drawn of it for one reader may be shown to another (`bubble` in templatetags/dexra.py)."""
        return (
            self.template == PLAIN
            and self.message.status != Status.FAILED
            # What is quoted may be unsent without this message being touched.
            and self.message.reply_to_id is None
            and not self.undo_until
            and (self.acts is None or self.acts.card is None)
        )

    @property
    def shows_meta(self) -> bool:
        """Time and status stand under the last of a group, and under whatever is on its way
        or was changed."""
        is_on_its_way = self.mark is not None and self.mark.icon == "clock"
        was_changed = bool(self.message.edited_at) and not self.message.deleted_at
        return self.ends or is_on_its_way or was_changed


@dataclass(frozen=True)
class Thread:
    """A stretch of messages, oldest first, without gaps.

    older, newer: the cursor of what lies before and behind it, "" if nothing. target: the message
    that it was opened for. is_missing: that message is not in this conversation. first: the
    message from which it was to be drawn again; gone: the same, where it is not there any more.
    """

    conversation: Conversation
    bubbles: list[Bubble] = field(default_factory=list)
    older: str = ""
    newer: str = ""
    target: int | None = None
    is_missing: bool = False
    first: int | None = None
    gone: int | None = None

    @cached_property
    def address(self) -> str:
        """Of the conversation, for links to its messages: in a view where everybody finds it."""
        return reverse("inbox:conversation", args=["all", self.conversation.pk])

    @property
    def native_url(self) -> str:
        """Where the channel itself shows this conversation."""
        channel, identity = self.conversation.channel, self.conversation.identity
        return channel.adapter.native_url(channel, identity.external_id)


def newest(conversation: Conversation) -> Thread:
    """The end of the thread."""
    page, older = _cut(_messages(conversation), PAGE_SIZE)
    return _stretch(conversation, page[::-1], older=older)


def before(conversation: Conversation, place: Place) -> Thread:
    messages = _messages(conversation).filter(keyset_before("sent_at", *place))
    page, older = _cut(messages, PAGE_SIZE)
    newer = _cursor(page[0]) if page else encode_cursor(*place)
    return _stretch(conversation, page[::-1], older=older, newer=newer)


def after(conversation: Conversation, place: Place) -> Thread:
    messages = _messages(conversation).filter(keyset_after("sent_at", *place))
    page, newer = _cut(messages.reverse(), PAGE_SIZE)
    older = _cursor(page[0]) if page else encode_cursor(*place)
    return _stretch(conversation, page, older=older, newer=newer)


def around(conversation: Conversation, message_id: int) -> Thread | None:
    """A message with what was said before and after it; None if it is not of this conversation."""
    place = place_of(conversation, message_id)
    if place is None:
        return None
    moment, pk = place
    until = _messages(conversation).filter(keyset_before("sent_at", moment, pk + 1))
    behind = _messages(conversation).filter(keyset_after("sent_at", moment, pk))
    above, older = _cut(until, HALF_PAGE + 1)
    below, newer = _cut(behind.reverse(), HALF_PAGE)
    page = above[::-1] + below
    shown = _stretch(conversation, page, older=older, newer=newer)
    return replace(shown, target=pk)


def since(conversation: Conversation, first_shown: int) -> Thread:
    """From a message that a page still shows towards the end, to be drawn again: all of it, or
    as much as one answer holds. If that message is gone, the end of the thread."""
    place = place_of(conversation, first_shown)
    if place is None:
        return replace(newest(conversation), gone=first_shown)
    moment, pk = place
    messages = _messages(conversation).filter(keyset_after("sent_at", moment, pk - 1))
    page, newer = _cut(messages.reverse(), MAX_REFRESHED)
    return replace(_stretch(conversation, page, newer=newer), first=pk)


def place_of(conversation: Conversation, message_id: int) -> Place | None:
    """Where a message stands in its thread; None if it is in another one, or nowhere."""
    return (
        conversation.messages.filter(pk=message_id, is_stub=False)
        .values_list("sent_at", "pk")
        .first()
    )


def _messages(conversation: Conversation) -> QuerySet[Message]:
    return (
        conversation.messages.filter(is_stub=False)
        .with_parts()
        .order_by("-sent_at", "-id")
    )


def _cut(messages: QuerySet[Message], size: int) -> tuple[list[Message], str]:
    """The first so many, and the cursor of the last of them if there are more."""
    page = list(messages[: size + 1])
    if len(page) <= size:
        return page, ""
    return page[:size], _cursor(page[size - 1])


def _cursor(message: Message) -> str:
    return encode_cursor(message.sent_at, message.pk)


def _stretch(
    conversation: Conversation,
    page: Sequence[Message],
    *,
    older: str = "",
    newer: str = "",
) -> Thread:
    return Thread(conversation, build_bubbles(conversation, page), older, newer)


def build_bubbles(
    conversation: Conversation,
    messages: Sequence[Message],
) -> list[Bubble]:
    at = now()
    acts = read_acts(conversation, messages, at=at)
    called = called_in(messages)
    neighbours: list[Message | None] = [None, *messages, None]
    return [
        _bubble(
            conversation,
            previous,
            message,
            following,
            at,
            acts.get(message.pk),
            tuple(called.get(message.pk, ())),
        )
        for previous, message, following in _triples(neighbours)
    ]


def _triples(
    items: Sequence[Message | None],
) -> Iterator[tuple[Message | None, Message, Message | None]]:
    for (previous, message), (_same, following) in pairwise(pairwise(items)):
        if message is not None:
            yield previous, message, following


def _bubble(
    conversation: Conversation,
    previous: Message | None,
    message: Message,
    following: Message | None,
    at: datetime,
    acts: Acts | None,
    called: tuple[str, ...],
) -> Bubble:
    day = _new_day(previous, message)
    starts = previous is None or not _is_one_group(previous, message)
    ends = following is None or not _is_one_group(message, following)
    parts = tuple(part_of(attachment, at) for attachment in message.attachments.all())
    reactions = tuple(
        reaction.emoji for reaction in message.reactions.all() if reaction.emoji
    )
    mark = _mark(conversation, message)
    line = line_of(message) if message.direction == Direction.EVENT else None
    post = post_of(message)
    arrival = arrival_words(mapping(message.extra.get("referral")))
    earlier = tuple(
        str(edit.get("content") or "") for edit in mappings(message.extra.get("edits"))
    )
    return Bubble(
        message=message,
        template=f"inbox/messages/{_fragment(message)}",
        starts=starts,
        ends=ends,
        day=day_label(day, at=at) if day else "",
        day_id=day.isoformat() if day else "",
        time=clock_time(message.sent_at),
        full_time=full_moment(message.sent_at),
        version=_version(
            message,
            starts,
            ends,
            parts,
            reactions,
            mark,
            acts,
            post,
            arrival,
            earlier,
            conversation.identity.avatar.name,
        ),
        parts=parts,
        story=story_of(message, at),
        kind=_kind(conversation, message),
        mark=mark,
        reactions=reactions,
        line=line,
        can_discard=message.external_id is None and message.error_class != "uncertain",
        can_edit=(message.status == Status.FAILED and can_take_back(message))
        or can_rewrite(message, at),
        undo_until=_undo_until(message, at),
        acts=acts,
        post=post,
        heading=_heading(message, post),
        arrival=arrival if message.direction == Direction.IN else "",
        earlier=earlier,
        cards=cards_of(message) if message.is_outbound else (),
        choices=choices_of(message) if message.is_outbound else (),
        called=called,
    )


def _heading(message: Message, post: Post | None) -> str:
    """A word above what is no plain message."""
    if message.deleted_at or message.is_outbound:
        return ""
    if post:
        return post.heading
    if message.type == MessageType.STORY_MENTION:
        return gettext("Story mention")
    if message.type == MessageType.STORY_REPLY:
        return gettext("Story reply")
    return ""


def _new_day(previous: Message | None, message: Message) -> date | None:
    """The day to write above a message; None if it was written already."""
    day = localtime(message.sent_at).date()
    if previous is not None and localtime(previous.sent_at).date() == day:
        return None
    return day


def _is_one_group(one: Message, other: Message) -> bool:
    """Whether two neighbours are the same voice within five minutes of a day.

    A comment stands alone: what may be done with it hangs on its own time.
    """
    return (
        _voice(one) == _voice(other)
        and MessageType.COMMENT not in {one.type, other.type}
        and one.direction in {Direction.IN, Direction.OUT}
        and Status.FAILED not in {one.status, other.status}
        and other.sent_at - one.sent_at < GROUP_SPAN
        and localtime(one.sent_at).date() == localtime(other.sent_at).date()
    )


def _voice(message: Message) -> tuple[str, str, int | None, str]:
    return message.direction, message.source, message.author_id, message.author_name


def _fragment(message: Message) -> str:
    if message.direction == Direction.EVENT:
        return "_event.html"
    if message.direction == Direction.NOTE:
        return "_note.html"
    if message.deleted_at:
        return "_unsent.html"
    if message.type == MessageType.COMMENT and message.is_outbound:
        return "_text.html"  # our answer, below the comment that it quotes
    return _FRAGMENTS.get(MessageType(message.type), "_text.html")


def _version(message: Message, *drawn: object) -> str:
    facts = (
        message.content,
        message.status,
        message.edited_at,
        message.deleted_at,
        message.error_detail,
        message.author_name,
        message.type,
        message.reply_to_id,
        *drawn,
    )
    return f"{zlib.crc32(repr(facts).encode()):08x}"


_MARKS = {
    Status.QUEUED: Mark("clock", _("Sending…")),
    Status.SENDING: Mark("clock", _("Sending…")),
    Status.UNCERTAIN: Mark("clock", _("Waiting to hear whether it was sent")),
    Status.SENT: Mark("check", _("Sent")),
    Status.DELIVERED: Mark("checks", _("Delivered")),
    Status.READ: Mark("checks", _("Read"), "dx-read"),
}
_HELD_BACK = Mark("clock", _("Waits until the account is connected again"))
_KINDS = {
    Source.AUTOMATION: Kind("bolt", _("Automation"), "accent", "auto"),
    Source.API: Kind("code", _("API"), "info", "api"),
    Source.AI: Kind("spark", _("AI"), "ai", "ai"),
}


def _undo_until(message: Message, at: datetime) -> str:
    """Until when its author may take it back; "" if it does not wait for that."""
    until = parse_datetime(str(message.extra.get("undo_until", "")))
    return until.isoformat() if until and until > at and is_undoable(message) else ""


def _mark(conversation: Conversation, message: Message) -> Mark | None:
    if message.direction != Direction.OUT:
        return None
    if (
        message.status == Status.QUEUED
        and conversation.channel.status != Channel.Status.ACTIVE
    ):
        return _HELD_BACK
    if message.status == Status.QUEUED and message.error_detail:
        return Mark("clock", retell(message.error_detail))
    return _MARKS.get(Status(message.status))


def _kind(conversation: Conversation, message: Message) -> Kind | None:
    if message.direction != Direction.OUT:
        return None
    if message.source == Source.NATIVE_APP:
        app = message.extra.get("app")
        label = gettext("%(channel)s app") % {
            "channel": conversation.channel.adapter.label
        }
        if app:
            label = app_words(app)
        return Kind("phone", label, "line", "native")
    return _KINDS.get(Source(message.source))
