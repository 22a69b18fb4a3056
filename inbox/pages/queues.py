"""Queues: the views of the list at /inbox/<view>/, and how many conversations each holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Q
from django.http import Http404
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox.models import Agent, Channel, Conversation, ConversationQuerySet, Tag
from inbox.pages.clock import CLOSING_SOON

# Counting stops here: nobody needs to know whether it is 240 or 260.
MOST_COUNTED = 99
COUNTS_KEPT_SECONDS = 2
MAX_TAGS = 30

OPEN = Q(status=Conversation.Status.OPEN)
WAITING = OPEN & Q(waiting_since__isnull=False)
DONE = Q(status=Conversation.Status.CLOSED)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a queue, chosen by `?show=`."""

    slug: str
    label: str | Promise
    holds: Q


SEGMENTS = (
    Segment("open", _("Open"), OPEN),
    Segment("waiting", _("Waiting"), WAITING),
    Segment("done", _("Done"), DONE),
)


@dataclass(frozen=True, slots=True)
class Queue:
    """One view of the list.

    holds: what belongs to it. has_segments: whether it parts into open, waiting and done;
    the others say in `holds` which of these they mean. css: of a channel's badge.
    """

    slug: str
    label: str | Promise
    holds: Q
    icon: str = ""
    css: str = ""
    dot: int = 0
    has_segments: bool = False
    is_by_deadline: bool = False
    is_counted: bool = True
    segment: Segment = SEGMENTS[0]

    @property
    def condition(self) -> Q:
        return self.holds & self.segment.holds if self.has_segments else self.holds

    def showing(self, slug: str) -> Queue:
        """The same queue in another segment. Raises Http404 for one it does not have."""
        if not slug or slug == self.segment.slug:
            return self
        for segment in SEGMENTS:
            if self.has_segments and segment.slug == slug:
                return replace(self, segment=segment)
        raise Http404

    def order(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        if self.is_by_deadline:
            return conversations.order_by("window_expires_at", "id")
        return conversations.newest_first()


@dataclass(frozen=True, slots=True)
class Queues:
    """All that one agent may choose from."""

    main: tuple[Queue, ...]
    channels: tuple[Queue, ...]
    tags: tuple[Queue, ...]

    def __iter__(self) -> Iterator[Queue]:
        return iter((*self.main, *self.channels, *self.tags))

    def find(self, slug: str) -> Queue:
        """Raises Http404 for a view that is not there."""
        for queue in self:
            if queue.slug == slug:
                return queue
        raise Http404


def queues_of(
    agent: Agent, *, channels: Iterable[Channel], tags: Iterable[Tag], at: datetime
) -> Queues:
    closing = OPEN & Q(
        window_expires_at__gt=at, window_expires_at__lte=at + CLOSING_SOON
    )
    return Queues(
        main=(
            Queue("mine", _("Mine"), Q(assignee=agent), "user", has_segments=True),
            Queue(
                "unassigned",
                _("Unassigned"),
                Q(assignee__isnull=True),
                "user-off",
                has_segments=True,
            ),
            Queue("all", _("All open"), Q(), "layers", has_segments=True),
            Queue("waiting", _("Waiting"), WAITING, "reply"),
            Queue("closing", _("Closing soon"), closing, "clock", is_by_deadline=True),
            Queue(
                "snoozed", _("Snoozed"), Q(status=Conversation.Status.SNOOZED), "moon"
            ),
            Queue("done", _("Done"), DONE, "check", is_counted=False),
        ),
        channels=tuple(
            Queue(
                f"channel-{channel.pk}",
                channel.name,
                Q(channel=channel),
                channel.adapter.icon,
                channel.adapter.css,
                has_segments=True,
            )
            for channel in channels
        ),
        tags=tuple(
            Queue(
                f"tag-{tag.pk}",
                tag.name,
                Q(tags__contains=[tag.pk]),
                dot=tag.colour,
                has_segments=True,
            )
            for tag in tags
        ),
    )


def load_queues(agent: Agent) -> Queues:
    return queues_of(
        agent,
        channels=Channel.objects.order_by("name", "pk"),
        tags=Tag.objects.order_by("name")[:MAX_TAGS],
        at=now(),
    )


def count_queues(agent: Agent, queues: Queues | None = None) -> dict[str, int]:
    """How many each queue holds, at most MOST_COUNTED + 1; "unread" counts what waits to be read.

    One statement, kept for two seconds: a page that hears of a change asks after that time.
    """
    key = _cache_key(agent)
    counts: dict[str, int] | None = cache.get(key)
    if counts is None:
        counts = _count(agent, queues or load_queues(agent))
        cache.set(key, counts, COUNTS_KEPT_SECONDS)
    return counts


def forget_counts(agent: Agent) -> None:
    """After an agent's own act the next page must not show the numbers from before it."""
    cache.delete(_cache_key(agent))


def _cache_key(agent: Agent) -> str:
    return f"inbox-counts-{agent.pk}"


def _count(agent: Agent, queues: Queues) -> dict[str, int]:
    conditions = {queue.slug: queue.condition for queue in queues if queue.is_counted}
    conditions["mine:waiting"] = Q(assignee=agent) & WAITING
    conditions["unassigned:waiting"] = Q(assignee__isnull=True) & WAITING
    conditions["all:waiting"] = WAITING
    conditions["unread"] = (
        OPEN & Q(unread__gt=0) & (Q(assignee=agent) | Q(assignee__isnull=True))
    )
    visible = Conversation.objects.visible_to(agent)
    selects: list[str] = []
    params: list[Any] = []
    for condition in conditions.values():
        rows = visible.filter(condition).values("pk")[: MOST_COUNTED + 1]
        sql, values = rows.query.sql_with_params()
        selects.append(f"(select count(*) from ({sql}) q)")  # noqa: S608 - the ORM's own SQL
        params += values
    with connection.cursor() as cursor:
        cursor.execute(f"select {', '.join(selects)}", params)
        row: tuple[Any, ...] = cursor.fetchone()
    return dict(zip(conditions, row, strict=True))
