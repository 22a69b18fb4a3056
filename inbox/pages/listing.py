"""The conversation list: one queue, one segment, filters, an order, perhaps a search; page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.timezone import now

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
    Row,
    Snippet,
    build_row,
    draw_row,
    marks_by_agent,
    seen_row,
    snippet_of_message,
)
from inbox.pages.sorts import SORTS, Sort
from inbox.presence import Claim, names_on_it

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


def draw(listing: Listing, rows: Iterable[Row]) -> str:
    """The markup of rows alone."""
    return "\n".join(draw_row(row, url=listing.url_of(row.pk, row.hit)) for row in rows)


# --- reading it --------------------------------------------------------------------------------------


def read_listing(agent: Agent, slug: str, parameters: Mapping[str, str]) -> Listing:
    """The list that an address names, without rows. Raises Http404 for a view that is not there.

    parameters: what the address says beyond the view.
    """
    desk = Desk(agent, now())
    queues = Queues(desk)
    search = searching.read_search(parameters.get("q", ""))
    queue = queues.find(slug).showing(
        parameters.get("show", ""), is_search=bool(search)
    )
    listing = Listing(desk, queue, queues, queue.sort, Filters.read(parameters), search)
    sort = SORTS.get(parameters.get("sort", ""), queue.sort)
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
    rows = [_row(listing, conversation) for conversation in page]
    listing = replace(listing, rows=_seen_by(agent.pk, rows))
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
    return _seen_by(agent.pk, bare_rows(listing, agent, ids))


def bare_rows(listing: Listing, agent: Agent, ids: Sequence[int]) -> list[Row]:
    """The same, without what only one agent sees: all who see this list see these rows."""
    if not ids:
        return []
    found = (
        _within(listing, agent, is_found=True)
        .filter(pk__in=ids[:MAX_REFRESHED])
        .order_by(*_keyset(listing).ordering)
        .with_parties()
    )
    return [_row(listing, one) for one in found]


def hits_by_ids(listing: Listing, agent: Agent, ids: Sequence[int]) -> list[Row]:
    """Those of these messages that the search still finds."""
    within = _within(listing, agent)
    found = searching.messages_by_ids(within, listing.search, [*ids[:MAX_REFRESHED]])
    return _hits(listing, found)


def row_of(listing: Listing, conversation: Conversation, agent: Agent) -> Row | None:
    """This conversation's row as it is now; None if the list does not hold it (any more)."""
    rows = rows_by_ids(listing, agent, [conversation.pk])
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


def _seen_by(agent_id: int, rows: Sequence[Row]) -> list[Row]:
    marks = marks_by_agent([agent_id], [row.pk for row in rows]).get(agent_id, {})
    claims = claims_on(rows)
    return [seen_row(row, agent_id, marks, claims) for row in rows]


def claims_on(rows: Sequence[Row]) -> dict[int, Claim]:
    """Who began to answer which of these: of what nobody was given."""
    return names_on_it([row.pk for row in rows if row.assignee_id is None])


def _row(listing: Listing, conversation: Conversation) -> Row:
    row = build_row(
        conversation,
        tags=listing.tags,
        at=listing.desk.at,
        rank=0.0 if listing.search else listing.sort.rank(conversation),
    )
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
