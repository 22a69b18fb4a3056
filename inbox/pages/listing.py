"""The conversation list: one queue, one segment, perhaps a search, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.contrib.postgres.search import SearchQuery
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.timezone import now

from inbox.models import Agent, Channel, ChannelIdentity, Conversation, Message, Tag
from inbox.pages.cursors import (
    decode_cursor,
    encode_cursor,
    keyset_after,
    keyset_before,
)
from inbox.pages.queues import MAX_TAGS, SEGMENTS, Queue, Queues, queues_of
from inbox.pages.rows import Row, build_row
from inbox.search import prefix_query

PAGE_SIZE = 30
MAX_REFRESHED = 60
# A search looks at this many of the newest hits and no further: it answers at any size.
MAX_MESSAGES_SEARCHED = 500
MAX_PEOPLE_SEARCHED = 200
MAX_SEARCH_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class SegmentLink:
    label: str | Promise
    url: str
    count_name: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """What the list shows now, and how to ask for more of the same."""

    queue: Queue
    queues: Queues
    channels: list[Channel]
    tags: dict[int, Tag]
    search: str = ""
    rows: list[Row] = field(default_factory=list)
    next_url: str = ""

    @property
    def slug(self) -> str:
        return self.queue.slug

    @property
    def parameters(self) -> str:
        """`?show=done&q=...`, or nothing: what every link of the list carries along."""
        return self._query({})

    @property
    def action_parameters(self) -> str:
        """What forms and parts carry along: the list they stand beside."""
        return self._query({"view": self.slug})

    @property
    def url(self) -> str:
        return reverse("inbox:list", args=[self.slug]) + self.parameters

    @property
    def segments(self) -> list[SegmentLink]:
        """Open, waiting and done of this view, under the names that count_queues counts by."""
        path = reverse("inbox:list", args=[self.slug])
        counted = {"open": self.slug, "waiting": f"{self.slug}:waiting"}
        return [
            SegmentLink(
                segment.label,
                path if segment.slug == "open" else f"{path}?show={segment.slug}",
                counted.get(segment.slug, ""),
                is_current=segment == self.queue.segment,
            )
            for segment in SEGMENTS
        ]

    def url_of(self, pk: int) -> str:
        """A conversation beside this list."""
        return reverse("inbox:conversation", args=[self.slug, pk]) + self.parameters

    def url_after(self, cursor: str) -> str:
        return reverse("inbox:list", args=[self.slug]) + self._query({"cursor": cursor})

    def _query(self, more: dict[str, str]) -> str:
        segment = self.queue.segment.slug
        chosen = {
            "show": "" if segment == "open" else segment,
            "q": self.search,
            **more,
        }
        query = urlencode({name: value for name, value in chosen.items() if value})
        return f"?{query}" if query else ""


def read_listing(
    request: HttpRequest, slug: str, *, show: str | None = None
) -> Listing:
    """The list that a URL names, without rows. Raises Http404 for a view that is not there.

    show: its segment; what the URL says if None.
    """
    agent: Agent = request.user  # type: ignore[assignment]  # behind agent_page
    channels = list(Channel.objects.order_by("name", "pk"))
    tags = list(Tag.objects.order_by("name"))
    queues = queues_of(agent, channels=channels, tags=tags[:MAX_TAGS], at=now())
    queue = queues.find(slug).showing(
        request.GET.get("show", "") if show is None else show
    )
    search = (
        request.GET.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH_CHARACTERS]
    )
    return Listing(queue, queues, channels, {tag.pk: tag for tag in tags}, search)


def with_rows(listing: Listing, agent: Agent, *, cursor: str = "") -> Listing:
    """The listing with one page of rows, from the start or from a cursor."""
    conversations = listing.queue.order(
        Conversation.objects.visible_to(agent)
        .filter(_condition(listing))
        .with_parties()
    )
    if cursor:
        conversations = conversations.filter(_after(listing.queue, cursor))
    page = list(conversations[: PAGE_SIZE + 1])
    next_url = ""
    if len(page) > PAGE_SIZE:
        page.pop()
        next_url = listing.url_after(cursor_of(listing.queue, page[-1]))
    return replace(listing, rows=_build(listing, page), next_url=next_url)


def rows_by_ids(listing: Listing, agent: Agent, ids: Sequence[int]) -> list[Row]:
    """Those of these conversations that belong to the list, in its order."""
    conversations = listing.queue.order(
        Conversation.objects.visible_to(agent)
        .filter(_condition(listing), pk__in=ids[:MAX_REFRESHED])
        .with_parties()
    )
    return _build(listing, conversations)


def row_of(listing: Listing, conversation: Conversation, agent: Agent) -> Row | None:
    """This conversation's row as it is now; None if the list does not hold it (any more)."""
    rows = rows_by_ids(listing, agent, [conversation.pk])
    return rows[0] if rows else None


def _build(listing: Listing, conversations: Iterable[Conversation]) -> list[Row]:
    at = now()
    return [
        build_row(
            conversation,
            tags=listing.tags,
            at=at,
            is_by_deadline=listing.queue.is_by_deadline,
        )
        for conversation in conversations
    ]


def _condition(listing: Listing) -> Q:
    condition = listing.queue.condition
    return condition & _matches(listing.search) if listing.search else condition


def _matches(search: str) -> Q:
    """Names and handles that contain it, or a message with every word, each as a word's start."""
    people = ChannelIdentity.objects.filter(
        Q(name__icontains=search)
        | Q(username__icontains=search.removeprefix("@"))
        | Q(contact__name__icontains=search)
    ).order_by("-id")[:MAX_PEOPLE_SEARCHED]
    found = Q(identity__in=people.values("pk"))
    if words := prefix_query(search):
        said = (
            Message.objects.filter(
                search_vector=SearchQuery(words, config="simple", search_type="raw")
            )
            .order_by("-sent_at", "-id")
            .values("conversation_id")[:MAX_MESSAGES_SEARCHED]
        )
        found |= Q(pk__in=said)
    return found


def cursor_of(queue: Queue, conversation: Conversation) -> str:
    moment = (
        conversation.window_expires_at
        if queue.is_by_deadline
        else conversation.last_message_at
    )
    assert moment is not None  # noqa: S101 - a queue by deadline holds only those that have one
    return encode_cursor(moment, conversation.pk)


def _after(queue: Queue, cursor: str) -> Q:
    moment, pk = decode_cursor(cursor)
    if queue.is_by_deadline:
        return keyset_after("window_expires_at", moment, pk)
    return keyset_before("last_message_at", moment, pk)
