"""The conversation list: one queue, one segment, filters, an order, perhaps a search; page by page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.timezone import get_current_timezone_name, now
from django.utils.translation import get_language

from inbox.models import (
    Agent,
    Channel,
    Conversation,
    ConversationQuerySet,
    Message,
    Tag,
)
from inbox.pages import searching
from inbox.pages.clock import full_moment, row_time
from inbox.pages.cursors import Keyset
from inbox.pages.filters import NO_FILTERS, Desk, Field, Filters
from inbox.pages.marking import excerpt, matches
from inbox.pages.queues import (
    OWN,
    Queue,
    Queues,
    SavedQueue,
)
from inbox.pages.rows import (
    NO_MARKS,
    Marks,
    Row,
    Snippet,
    build_row,
    marked_row,
    marks_of,
    snippet_of_message,
)
from inbox.pages.sorts import SORTS, Sort
from inbox.presence import names_on_it

PAGE_SIZE = 30
MAX_REFRESHED = 60
# Messages that the first page of a search shows, however many people it has.
FEWEST_MESSAGES = 10
# Where an agent who is done goes on: the first of these that holds something.
NEXT_QUEUES = ("mine", "mentions", "closing", "unassigned", "waiting", "failed", "all")


@dataclass(frozen=True, slots=True)
class SegmentLink:
    label: str | Promise
    url: str
    count_name: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Chip:
    """Something that narrows the list. url: the same list without it."""

    words: str
    url: str


@dataclass(frozen=True)
class Listing:
    """What the list shows now, and how to ask for more of the same.

    rows: conversations. hits: messages that a search found, one row each.
    """

    desk: Desk
    queue: Queue
    queues: Queues
    sort: Sort
    filters: Filters = NO_FILTERS
    search: str = ""
    rows: list[Row] = field(default_factory=list)
    hits: list[Row] = field(default_factory=list)
    next_url: str = ""

    @property
    def slug(self) -> str:
        return self.queue.slug

    @property
    def channels(self) -> list[Channel]:
        return self.desk.channels

    @cached_property
    def tags(self) -> dict[int, Tag]:
        return {tag.pk: tag for tag in self.desk.tags}

    # --- its address ---

    @cached_property
    def chosen(self) -> dict[str, str]:
        """What the address says beyond the view: only what is not so by itself."""
        segments = self.queue.segments(is_search=bool(self.search))
        show = self.queue.segment.slug if self.queue.has_segments else ""
        values = {
            "show": "" if show == segments[0].slug else show,
            "q": self.search,
            "sort": "" if self.sort == self.queue.sort else self.sort.slug,
            **self.filters.parameters,
        }
        return {name: value for name, value in values.items() if value}

    @property
    def parameters(self) -> str:
        """`?show=done&q=...`, or nothing: what every link of the list carries along."""
        return _query(self.chosen)

    @property
    def action_parameters(self) -> str:
        """What forms and parts carry along: the list they stand beside."""
        return _query({**self.chosen, "view": self.slug})

    @cached_property
    def path(self) -> str:
        return reverse("inbox:list", args=[self.slug])

    @property
    def url(self) -> str:
        return self.path + self.parameters

    def url_of(self, pk: int, hit: int = 0) -> str:
        """A conversation beside this list; at the message that was found."""
        chosen = {**self.chosen, "message": str(hit)} if hit else self.chosen
        return f"{self.path}c/{pk}/{_query(chosen)}"

    def url_with(self, **changes: str) -> str:
        """The same list with something else about it; "" leaves it out."""
        values = {**self.chosen, **changes}
        return self.path + _query(
            {name: value for name, value in values.items() if value}
        )

    @property
    def is_personal(self) -> bool:
        """Whether its address means another list for somebody else."""
        return self.slug in OWN or self.filters.assignee == "me" or bool(self.search)

    # --- what stands around its rows ---

    @property
    def label(self) -> str:
        return self.saved.label if self.saved else str(self.queue.label)

    @cached_property
    def saved(self) -> SavedQueue | None:
        """The saved view that this is, if it is one: one's own before a colleague's."""
        found = [one for one in self.queues.saved if one.url == self.url]
        return next((one for one in found if one.is_mine), next(iter(found), None))

    @property
    def current(self) -> str:
        """Which of the views is the current one."""
        return self.saved.slug if self.saved else self.slug

    @property
    def segments(self) -> list[SegmentLink]:
        """Open, waiting and done of this view, under the names that count_queues counts by."""
        counted = {"open": self.slug, "waiting": f"{self.slug}:waiting"}
        is_plain = not self.search and not self.filters.parameters
        first, *others = self.queue.segments(is_search=bool(self.search))
        return [
            SegmentLink(
                segment.label,
                self.url_with(show="" if segment is first else segment.slug),
                counted.get(segment.slug, "") if is_plain else "",
                is_current=segment == self.queue.segment,
            )
            for segment in (first, *others)
        ]

    @property
    def everywhere_url(self) -> str:
        """The same search in all there is; "" where it is that already."""
        wide = {name: self.chosen[name] for name in ("q",) if name in self.chosen}
        url = reverse("inbox:list", args=["all"]) + _query(wide)
        return url if self.search and url != self.url else ""

    @property
    def sorts(self) -> list[tuple[Sort, str, bool]]:
        """The orders to choose from: each with the list's address in it."""
        offered = [one for one in SORTS.values() if self._offers(one)]
        return [
            (
                one,
                self.url_with(sort="" if one == self.queue.sort else one.slug),
                one == self.sort,
            )
            for one in offered
        ]

    def _offers(self, sort: Sort) -> bool:
        if self.search:
            return sort.slug in searching.SAID
        return sort.is_offered or sort == self.queue.sort

    @property
    def fields(self) -> list[Field]:
        return self.filters.fields(self.desk)

    @property
    def hidden(self) -> dict[str, str]:
        """What the filter form keeps although it does not ask for it."""
        return {
            name: value
            for name, value in self.chosen.items()
            if name not in self.filters.parameters
        }

    @property
    def chips(self) -> list[Chip]:
        chips = [
            Chip(words, self.url_with(**{name: ""}))
            for name, words in self.filters.chips(self.desk)
        ]
        if "sort" in self.chosen:
            chips.append(Chip(str(self.sort.label), self.url_with(sort="")))
        return chips

    @property
    def clear_url(self) -> str:
        """The view as it is by itself, in the same segment, with the same search."""
        kept = {
            name: value for name, value in self.chosen.items() if name in {"show", "q"}
        }
        return self.path + _query(kept)

    @property
    def can_be_saved(self) -> bool:
        return bool(self.chosen) and self.saved is None

    def next_queue(self, counts: Mapping[str, int]) -> Queue | None:
        """Where there is something to do, once there is nothing here."""
        slugs = [
            one for one in NEXT_QUEUES if counts.get(one) and one != self.queue.slug
        ]
        return self.queues.find(slugs[0]) if slugs else None


def _query(parameters: Mapping[str, str]) -> str:
    return f"?{urlencode(parameters)}" if parameters else ""


# --- reading it --------------------------------------------------------------------------------------


def read_listing(
    request: HttpRequest, slug: str, *, show: str | None = None
) -> Listing:
    """The list that a URL names, without rows. Raises Http404 for a view that is not there.

    show: its segment; what the URL says if None.
    """
    agent: Agent = request.user  # type: ignore[assignment]  # behind agent_page
    desk = Desk(agent, now())
    queues = Queues(desk)
    search = searching.read_search(request.GET.get("q", ""))
    queue = queues.find(slug).showing(
        request.GET.get("show", "") if show is None else show, is_search=bool(search)
    )
    listing = Listing(
        desk, queue, queues, queue.sort, Filters.read(request.GET.dict()), search
    )
    sort = SORTS.get(request.GET.get("sort", ""), queue.sort)
    return replace(listing, sort=sort) if listing._offers(sort) else listing


def with_rows(
    listing: Listing, agent: Agent, *, cursor: str = "", said: str = ""
) -> Listing:
    """The listing with one page of rows, from the start or from a cursor.

    said: a cursor among the messages that a search found; they follow the people.
    """
    if said:
        return _with_hits(listing, agent, said, PAGE_SIZE)
    keyset = _keyset(listing)
    conversations = _within(listing, agent, is_found=True).order_by(*keyset.ordering)
    if cursor:
        conversations = conversations.filter(keyset.after(cursor))
    page = list(conversations.with_parties()[: PAGE_SIZE + 1])
    if len(page) > PAGE_SIZE:
        page.pop()
        after = _query({**listing.chosen, "cursor": keyset.cursor_of(page[-1])})
        listing = replace(listing, next_url=listing.path + after)
    listing = replace(listing, rows=_build(listing, agent, page))
    if not listing.search or listing.next_url:
        return listing
    return _with_hits(listing, agent, "", max(FEWEST_MESSAGES, PAGE_SIZE - len(page)))


def _with_hits(listing: Listing, agent: Agent, cursor: str, size: int) -> Listing:
    keyset = searching.SAID[_found_order(listing)]
    found = searching.find_messages(
        _within(listing, agent), listing.search, keyset, cursor, size + 1
    )
    next_url = ""
    if len(found) > size:
        found = found[:size]
        after = _query({**listing.chosen, "said": keyset.cursor_of(found[-1])})
        next_url = listing.path + after
    return replace(listing, hits=_hits(listing, found), next_url=next_url)


def rows_by_ids(listing: Listing, agent: Agent, ids: Sequence[int]) -> list[Row]:
    """Those of these conversations that belong to the list, in its order."""
    return _build(listing, agent, _by_ids(listing, agent, ids))


def _by_ids(listing: Listing, agent: Agent, ids: Sequence[int]) -> list[Conversation]:
    if not ids:
        return []
    return list(
        _within(listing, agent, is_found=True)
        .filter(pk__in=ids[:MAX_REFRESHED])
        .order_by(*_keyset(listing).ordering)
        .with_parties()
    )


def rows_heard_of(
    listing: Listing, agent: Agent, heard: Mapping[int, int]
) -> list[Row]:
    """Those of these conversations that belong to the list, each at least as new as its revision.

    Two hundred pages hear of the same message at once, and most show the same list: a row is
    looked up once for all of them, and each page's own marks are put on it.
    """
    known = {pk: _known_row(listing, agent, pk, rev) for pk, rev in heard.items()}
    asked = [pk for pk, one in known.items() if one is None]
    if asked:
        known |= _look_up(listing, agent, asked)
    rows = [one.row for one in known.values() if one is not None and one.row]
    marks = marks_of(agent, [row.pk for row in rows])
    rows = [marked_row(row, marks.get(row.pk, NO_MARKS)) for row in rows]
    rows.sort(key=lambda row: row.sort, reverse=True)
    return _with_claims(rows, agent)


@dataclass(frozen=True, slots=True)
class _Known:
    """A row without anybody's marks, as it was at a revision; None where the list has it not."""

    row: Row | None
    revision: int
    until: float


# What a row says beside its revision (spans, names of tags) may be this old (seconds).
KNOWN_FOR = 5.0
MOST_KNOWN = 4000
known_rows: dict[tuple[object, ...], _Known] = {}


def _known_row(listing: Listing, agent: Agent, pk: int, revision: int) -> _Known | None:
    found = known_rows.get((pk, *_sight(listing, agent)))
    if found is None or found.revision < revision or found.until < time.monotonic():
        return None
    return found


def _sight(listing: Listing, agent: Agent) -> tuple[object, ...]:
    """What two pages must have in common to be shown the same row."""
    whose = agent.pk if listing.is_personal else None
    words = get_language(), get_current_timezone_name()
    return (whose, listing.slug, listing.parameters, *words)


def _look_up(
    listing: Listing, agent: Agent, ids: Sequence[int]
) -> dict[int, _Known | None]:
    if len(known_rows) > MOST_KNOWN:
        known_rows.clear()
    until = time.monotonic() + KNOWN_FOR
    found = {one.pk: one for one in _by_ids(listing, agent, ids)}
    looked: dict[int, _Known | None] = {}
    for pk in ids:
        conversation = found.get(pk)
        row = _row(listing, conversation, NO_MARKS) if conversation else None
        # What the list does not hold has no revision: it is looked up again each time.
        revision = conversation.revision if conversation else -1
        looked[pk] = known_rows[pk, *_sight(listing, agent)] = _Known(
            row, revision, until
        )
    return looked


def hits_by_ids(listing: Listing, agent: Agent, ids: Sequence[int]) -> list[Row]:
    """Those of these messages that the search still finds."""
    within = _within(listing, agent)
    found = searching.messages_by_ids(within, listing.search, [*ids[:MAX_REFRESHED]])
    return _hits(listing, found)


def row_of(listing: Listing, conversation: Conversation, agent: Agent) -> Row | None:
    """This conversation's row as it is now; None if the list does not hold it (any more)."""
    rows = rows_heard_of(listing, agent, {conversation.pk: conversation.revision})
    return rows[0] if rows else None


def _within(
    listing: Listing, agent: Agent, *, is_found: bool = False
) -> ConversationQuerySet:
    """Where the list looks. is_found: and whose people the search has found, if there is one."""
    condition: Q = listing.queue.condition & listing.filters.condition(listing.desk)
    if not listing.search:
        condition &= listing.sort.holds(listing.desk.at)
    within = Conversation.objects.visible_to(agent).filter(condition)
    if is_found and listing.search:
        return searching.with_people(within, listing.search, listing.desk)
    return within


def _found_order(listing: Listing) -> str:
    return listing.sort.slug if listing.sort.slug in searching.SAID else "newest"


def _keyset(listing: Listing) -> Keyset:
    sort = SORTS[_found_order(listing)] if listing.search else listing.sort
    return sort.keyset


def _build(
    listing: Listing, agent: Agent, conversations: Iterable[Conversation]
) -> list[Row]:
    conversations = list(conversations)
    marks = marks_of(agent, [one.pk for one in conversations])
    rows = [_row(listing, one, marks.get(one.pk, NO_MARKS)) for one in conversations]
    return _with_claims(rows, agent)


def _with_claims(rows: Sequence[Row], agent: Agent) -> list[Row]:
    """Rows of what nobody was given say which colleague is on it."""
    free = [row.pk for row in rows if row.assignee_id is None]
    on_it = names_on_it(free, agent)
    return [
        replace(row, on_it=on_it[row.pk]) if row.pk in on_it else row for row in rows
    ]


def _row(listing: Listing, conversation: Conversation, marks: Marks) -> Row:
    row = build_row(
        conversation,
        tags=listing.tags,
        at=listing.desk.at,
        rank=0.0 if listing.search else listing.sort.rank(conversation),
    )
    row = marked_row(row, marks)
    return _found(listing, row, conversation) if listing.search else row


def _found(listing: Listing, row: Row, conversation: Conversation) -> Row:
    """A person's row that shows by what they were found, if it was not by their name."""
    search, identity = listing.search, conversation.identity
    contact = identity.contact
    tags = [listing.tags[pk].name for pk in conversation.tags if pk in listing.tags]
    if matches(row.name, search):
        return replace(row, words=search)
    others = [
        (f"@{identity.username}", "at"),
        (contact.name, "user"),
        (contact.email, "mail"),
        *((name, "tag") for name in tags),
    ]
    if searching.is_phone(search) and contact.phone:
        return replace(row, snippet=Snippet(contact.phone, "phone"))
    for text, icon in others:
        if matches(text, search):
            return replace(row, words=search, snippet=Snippet(text, icon))
    return replace(row, words=search)


def _hits(listing: Listing, messages: Iterable[Message]) -> list[Row]:
    at = listing.desk.at
    rows = []
    for message in messages:
        row = build_row(message.conversation, tags=listing.tags, at=at)
        rows.append(
            replace(
                row,
                hit=message.pk,
                words=listing.search,
                unread=0,
                time=row_time(message.sent_at, at=at),
                full_time=full_moment(message.sent_at),
                snippet=snippet_of_message(
                    message, excerpt(message.content, listing.search)
                ),
            )
        )
    return rows
