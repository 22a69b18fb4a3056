"""Queues: the views of the list at /inbox/<view>/, and how many conversations each holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db import connection
from django.db.models import Q
from django.http import Http404
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox.models import Agent, Channel, Conversation, Mention, SavedView
from inbox.pages.clock import CLOSING_SOON
from inbox.pages.filters import (
    COMMENTS,
    STORIES,
    Desk,
    Filters,
    holds_tag,
)
from inbox.pages.sorts import SORTS, Sort

# Counting stops here: nobody needs to know whether it is 240 or 260.
MOST_COUNTED = 99
COUNTS_KEPT_SECONDS = 2
# Views of tags and teams; the others are in the filter menu.
MAX_TAGS = 30
MAX_TEAMS = 30

# Queues that hold something else for each agent.
OWN = {"mine", "mentions"}

OPEN = Q(status=Conversation.Status.OPEN)
WAITING = OPEN & Q(waiting_since__isnull=False)
UNREAD = OPEN & Q(unread__gt=0)
DONE = Q(status=Conversation.Status.CLOSED)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a queue, chosen by `?show=`."""

    slug: str
    label: str | Promise
    holds: Q


# Whatever its state: what a search looks through, unless it is told otherwise.
ANY = Segment("any", _("All"), Q())
SEGMENTS = (
    Segment("open", _("Open"), OPEN),
    Segment("waiting", _("Waiting"), WAITING),
    Segment("done", _("Done"), DONE),
)


@dataclass(frozen=True, slots=True)
class Queue:
    """One view of the list.

    holds: what belongs to it. has_segments: whether it parts into open, waiting and done;
    the others say in `holds` which of these they mean. css: of a channel's badge. counts: what
    its number counts, where that is not all it holds. key: what goes there after G.
    """

    slug: str
    label: str | Promise
    holds: Q
    icon: str = ""
    css: str = ""
    dot: int = 0
    has_segments: bool = False
    sort: Sort = SORTS["newest"]
    counts: Q | None = None
    key: str = ""
    segment: Segment = SEGMENTS[0]

    @property
    def url(self) -> str:
        return reverse("inbox:list", args=[self.slug])

    @property
    def condition(self) -> Q:
        return self.holds & self.segment.holds if self.has_segments else self.holds

    @property
    def counted(self) -> Q:
        return self.counts if self.counts is not None else self.condition

    def segments(self, *, is_search: bool) -> tuple[Segment, ...]:
        """The first is the one that shows without being asked for."""
        return (ANY, *SEGMENTS) if is_search else SEGMENTS

    def showing(self, slug: str, *, is_search: bool = False) -> Queue:
        """The same queue in another segment. Raises Http404 for one it does not have."""
        segments = self.segments(is_search=is_search)
        if not slug and self.has_segments:
            return replace(self, segment=segments[0])
        if not slug or slug == self.segment.slug:
            return self
        for segment in segments:
            if self.has_segments and segment.slug == slug:
                return replace(self, segment=segment)
        raise Http404


@dataclass(frozen=True, slots=True)
class SavedQueue:
    """A view that somebody saved: another view, with all that its address says.

    counted: None while it holds a search, which is not counted.
    """

    pk: int
    slug: str
    label: str
    url: str
    counted: Q | None
    is_mine: bool
    is_shared: bool
    owner: str
    icon: str = "flag"


@dataclass(frozen=True)
class Queues:
    """All that one agent may choose from, each kind when it is asked for."""

    desk: Desk

    @cached_property
    def main(self) -> tuple[Queue, ...]:
        return _main_queues(self.desk)

    @cached_property
    def channels(self) -> tuple[Queue, ...]:
        if not self.desk.channels:
            return ()
        return (
            *(_channel_queue(channel) for channel in self.desk.channels),
            Queue("comments", _("Comments"), OPEN & COMMENTS, "comment", "comment"),
            Queue("stories", _("Stories"), OPEN & STORIES, "story", "story"),
        )

    @cached_property
    def teams(self) -> tuple[Queue, ...]:
        return tuple(
            Queue(
                f"team-{team.pk}", team.name, Q(team=team), "users", has_segments=True
            )
            for team in self.desk.teams[:MAX_TEAMS]
        )

    @cached_property
    def tags(self) -> tuple[Queue, ...]:
        return tuple(
            Queue(
                f"tag-{tag.pk}",
                tag.name,
                holds_tag(tag.pk),
                dot=tag.colour,
                has_segments=True,
            )
            for tag in self.desk.tags[:MAX_TAGS]
        )

    @cached_property
    def saved(self) -> tuple[SavedQueue, ...]:
        found = (_saved_queue(view, self) for view in self.desk.saved)
        return tuple(one for one in found if one is not None)

    def __iter__(self) -> Iterator[Queue]:
        yield from self.main
        yield from self.channels
        yield from self.teams
        yield from self.tags

    def find(self, slug: str) -> Queue:
        """Raises Http404 for a view that is not there."""
        for queue in self:
            if queue.slug == slug:
                return queue
        raise Http404


def _channel_queue(channel: Channel) -> Queue:
    return Queue(
        f"channel-{channel.pk}",
        channel.name,
        Q(channel=channel),
        channel.adapter.icon,
        channel.adapter.css,
        has_segments=True,
    )


def _main_queues(desk: Desk) -> tuple[Queue, ...]:
    agent, at = desk.agent, desk.at
    closing = OPEN & Q(
        window_expires_at__gt=at, window_expires_at__lte=at + CLOSING_SOON
    )
    mentions = Mention.objects.filter(agent=agent).values("conversation")
    return (
        Queue("mine", _("Mine"), Q(assignee=agent), "user", has_segments=True, key="m"),
        Queue(
            "unassigned",
            _("Unassigned"),
            Q(assignee__isnull=True),
            "user-off",
            has_segments=True,
            key="u",
        ),
        Queue("all", _("All open"), Q(), "layers", has_segments=True, key="a"),
        Queue(
            "mentions",
            _("Mentions"),
            ~DONE & Q(pk__in=mentions),
            "at",
            counts=~DONE & Q(pk__in=mentions.filter(seen_at=None)),
        ),
        Queue(
            "snoozed",
            _("Snoozed"),
            Q(status=Conversation.Status.SNOOZED),
            "moon",
            sort=SORTS["snoozed"],
            key="s",
        ),
        Queue("closing", _("Closing soon"), closing, "clock", sort=SORTS["closing"]),
        Queue("failed", _("Failed"), Q(failed__gt=0), "warn"),
        Queue("waiting", _("Waiting longest"), WAITING, "reply", sort=SORTS["waiting"]),
        Queue(
            "priority",
            _("Priority"),
            OPEN & Q(priority__gt=0),
            "flag",
            sort=SORTS["priority"],
        ),
        Queue("done", _("Done"), DONE, "check"),
        Queue(
            "blocked",
            _("Blocked and spam"),
            Q(identity__blocked_at__isnull=False),
            "ban",
        ),
    )


def saved_url(parameters: Mapping[str, str]) -> str:
    """In the order in which a list writes its address: the database keeps none."""
    names = ("show", "q", "sort", *Filters.__slots__)
    rest = {name: parameters[name] for name in names if name in parameters}
    query = f"?{urlencode(rest)}" if rest else ""
    return reverse("inbox:list", args=[parameters["view"]]) + query


def _saved_queue(view: SavedView, queues: Queues) -> SavedQueue | None:
    """None where the view it was made from is gone: the channel, the tag, the team."""
    desk, search = queues.desk, view.parameters.get("q", "")
    try:
        queue = queues.find(view.parameters.get("view", "")).showing(
            view.parameters.get("show", ""), is_search=bool(search)
        )
    except Http404:
        return None
    sort = SORTS.get(view.parameters.get("sort", ""), queue.sort)
    counted = (
        queue.condition
        & Filters.read(view.parameters).condition(desk)
        & sort.holds(desk.at)
    )
    return SavedQueue(
        pk=view.pk,
        slug=f"saved-{view.pk}",
        label=view.name,
        url=saved_url(view.parameters),
        counted=None if search else counted,
        is_mine=view.owner_id == desk.agent.pk,
        is_shared=view.is_shared,
        owner=view.owner.name,
    )


def count_queues(agent: Agent, queues: Queues | None = None) -> dict[str, int]:
    """How many each queue holds, at most MOST_COUNTED + 1; "unread" counts what waits to be read.

    Two statements, each kept for two seconds: what all who may read see alike is counted once for
    all of them. A page that hears of a change is told after that time.
    """
    queues = queues or Queues(Desk(agent, now()))
    shared = cache.get(SHARED) or count_shared(queues)
    return join_counts(shared, cache.get(_own_key(agent)) or count_own(queues))


def count_shared(queues: Queues) -> dict[str, int]:
    """What everybody sees alike, as it is now."""
    return _count(SHARED, queues.desk.agent, _shared_conditions(queues))


def count_own(queues: Queues) -> dict[str, int]:
    """What is this agent's alone, as it is now."""
    agent = queues.desk.agent
    return _count(_own_key(agent), agent, _own_conditions(queues))


def join_counts(shared: Mapping[str, int], own: Mapping[str, int]) -> dict[str, int]:
    unread = own["mine:unread"] + shared["unassigned:unread"]
    return {**shared, **own, "unread": unread}


def capped(number: int | None) -> str:
    """A count as people read it: nothing for none, 99+ for many."""
    if not number:
        return ""
    return f"{MOST_COUNTED}+" if number > MOST_COUNTED else str(number)


def forget_counts(agent: Agent) -> None:
    """After an agent's own act the next page must not show the numbers from before it."""
    cache.delete_many([SHARED, _own_key(agent)])


SHARED = "inbox-counts"


def _own_key(agent: Agent) -> str:
    return f"{SHARED}-{agent.pk}"


def _shared_conditions(queues: Queues) -> dict[str, Q]:
    conditions = {
        queue.slug: queue.counted for queue in queues if queue.slug not in OWN
    }
    conditions["unassigned:waiting"] = Q(assignee__isnull=True) & WAITING
    conditions["unassigned:unread"] = UNREAD & Q(assignee__isnull=True)
    conditions["all:waiting"] = WAITING
    return conditions


def _own_conditions(queues: Queues) -> dict[str, Q]:
    agent = queues.desk.agent
    conditions = {
        queue.slug: queue.counted for queue in queues.main if queue.slug in OWN
    }
    conditions |= {one.slug: one.counted for one in queues.saved if one.counted}
    conditions["mine:waiting"] = Q(assignee=agent) & WAITING
    conditions["mine:unread"] = UNREAD & Q(assignee=agent)
    return conditions


def _count(key: str, agent: Agent, conditions: Mapping[str, Q]) -> dict[str, int]:
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
    counts = dict(zip(conditions, row, strict=True))
    cache.set(key, counts, COUNTS_KEPT_SECONDS)
    return counts
