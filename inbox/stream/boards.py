"""Lists that pages show. What changes in one is drawn once for all the pages that show it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from inbox.stream.listeners import Listener, frame_of

logger = logging.getLogger(__name__)

# Changes of one burst travel together: so many seconds for each page that listens, so that a
# hundred of them cost no more than ten.
GATHER = 0.001
LONGEST_GATHER = 0.25
# Rows drawn in one go; and the most that wait for it before every page starts over.
MOST_DRAWN = 60
MOST_WAITING = 500
# Of the time that one list took to draw, how much is left to others before it is drawn again.
REST = 1.0
AGAIN_SECONDS = 1.0
# Numbers are counted so often (seconds); an agent's own after a change of what is theirs, and else
# now and then, so many agents at once.
COUNT_SECONDS = 2.0
MOST_COUNTING = 40


@dataclass(frozen=True, slots=True)
class Shown:
    """A list as a page shows it: its address, the language and the time zone of its words."""

    address: str
    language: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Markup of rows: what all agents see, and what some see instead."""

    html: str
    own: Mapping[int, str] = field(default_factory=dict)


# By view, how many conversations it holds.
Counts = Mapping[str, int]


class Painter(Protocol):
    """Who knows what pages look like (`inbox.pages.pushing`): it stands above this package."""

    def draw_rows(
        self, shown: Shown, agent_ids: Collection[int], ids: Sequence[int]
    ) -> Drawn:
        """Those of these conversations that the list holds."""

    def count(self, agent_ids: Collection[int]) -> tuple[Counts, Mapping[int, Counts]]:
        """What the views hold: for everybody, and by agent what is theirs alone."""

    def write_counts(self, shared: Counts, own: Counts) -> Mapping[str, str]:
        """As people read them."""


Run = Callable[..., Awaitable[Any]]


@dataclass(eq=False)
class Board:
    """One list, and the pages that show it.

    run: calls a function of the painter in a thread. place: the newest entry that was heard of.
    """

    shown: Shown
    painter: Painter
    run: Run
    place: Callable[[], str]
    listeners: set[Listener] = field(default_factory=set)
    changed: dict[int, None] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    @property
    def is_drawing(self) -> bool:
        return self._task is not None

    def note(self, ids: Iterable[int]) -> None:
        self.changed |= dict.fromkeys(ids)
        if len(self.changed) > MOST_WAITING:
            self.changed.clear()
            for listener in self.listeners:
                listener.reset()
        if self.changed and self._task is None:
            self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        try:
            while self.changed and self.listeners:
                await asyncio.sleep(min(LONGEST_GATHER, GATHER * len(self.listeners)))
                ids = [*self.changed][:MOST_DRAWN]
                for pk in ids:
                    del self.changed[pk]
                started = time.monotonic()
                await self._draw(ids, "" if self.changed else self.place())
                if self.changed:
                    await asyncio.sleep(REST * (time.monotonic() - started))
        finally:
            self._task = None

    async def _draw(self, ids: list[int], place: str) -> None:
        agents = {listener.reader.agent_id for listener in self.listeners}
        try:
            drawn: Drawn = await self.run(
                self.painter.draw_rows, self.shown, agents, ids
            )
        except Exception:
            # A database that is away comes back; until then the pages show what they showed.
            logger.exception("live.not_drawn")
            self.changed = dict.fromkeys(ids) | self.changed
            await asyncio.sleep(AGAIN_SECONDS)
            return
        frames = {
            html: frame_of("rows", {"ids": ids, "html": html}, place)
            for html in {drawn.html, *drawn.own.values()}
        }
        for listener in self.listeners:
            own = drawn.own.get(listener.reader.agent_id, drawn.html)
            listener.show(frames[own])


@dataclass(eq=False)
class Counter:
    """What the views hold, told to every page after a change."""

    painter: Painter
    run: Run
    listeners: set[Listener]
    own: dict[int, Counts] = field(default_factory=dict)
    # When each agent's own were counted: whoever waits longest is next.
    counted: dict[int, float] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    def note(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        try:
            await asyncio.sleep(COUNT_SECONDS)
        finally:
            self._task = None
        agents = self._due()
        if not agents:
            return
        try:
            shared, own = await self.run(self.painter.count, agents)
        except Exception:
            logger.exception("live.not_counted")
            self.note()
            return
        self.own |= own
        self.counted |= dict.fromkeys(own, time.monotonic())
        for listener in self.listeners:
            agent_id = listener.reader.agent_id
            listener.is_counting &= agent_id not in own
            if agent_id in self.own:
                own_counts = self.own[agent_id]
                listener.show_counts(self.painter.write_counts(shared, own_counts))
        self._forget()
        if any(listener.is_counting for listener in self.listeners):
            self.note()

    def _due(self) -> list[int]:
        """First those with a change of what is theirs, then whoever was counted longest ago."""
        here = {one.reader.agent_id for one in self.listeners}
        changed = {one.reader.agent_id for one in self.listeners if one.is_counting}
        order = sorted(
            here, key=lambda pk: (pk not in changed, self.counted.get(pk, 0))
        )
        return order[:MOST_COUNTING]

    def _forget(self) -> None:
        here = {listener.reader.agent_id for listener in self.listeners}
        for pk in self.own.keys() - here:
            del self.own[pk]
            self.counted.pop(pk, None)
