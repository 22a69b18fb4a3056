"""The work of one endpoint while a dispatcher serves it: what may be sent next, and its health."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from webhooks.schedule import DISABLED_AFTER, breaker_delay

# Requests under way at one endpoint, over all dispatchers.
IN_FLIGHT = 4
# How many of these may be retries: a storm of them must not hold up what is new.
RETRIES_IN_FLIGHT = 2
# What a lane keeps in memory of each kind, and below which it asks for more.
STOCK = 100
LOW_STOCK = 50


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come."""

    id: int
    event_id: str
    conversation_id: int | None
    attempts: int
    body: bytes

    @property
    def is_first(self) -> bool:
        return self.attempts == 0


@dataclass(slots=True)
class Health:
    """How an endpoint does. Written back to its row when it has changed."""

    failures: int = 0
    failing_since: datetime | None = None
    breaker_delay: timedelta | None = None
    disabled_reason: str = ""
    has_changed: bool = False

    @property
    def is_parked(self) -> bool:
        return self.breaker_delay is not None or bool(self.disabled_reason)

    def succeed(self) -> None:
        if self.failures:
            self.failures = 0
            self.failing_since = self.breaker_delay = None
            self.has_changed = True

    def fail(self, at: datetime) -> None:
        """Count a failure; the first of a row opens the clock, the tenth the breaker."""
        self.failing_since = self.failing_since or at
        if (
            not self.is_parked
        ):  # what was under way when the breaker opened is no further sign
            self.failures += 1
            self.breaker_delay = breaker_delay(self.failures)
        self.has_changed = True

    def has_failed_for_too_long(self, at: datetime) -> bool:
        since = self.failing_since
        return since is not None and at - since >= DISABLED_AFTER

    def disable(self, reason: str) -> None:
        self.disabled_reason = reason
        self.has_changed = True


@dataclass(slots=True, eq=False)
class Lane:
    """First attempts in order, one per conversation at a time; retries beside them."""

    endpoint_id: int
    url: str
    keys: list[bytes]
    health: Health
    firsts: deque[Due] = field(default_factory=deque)
    retries: deque[Due] = field(default_factory=deque)
    # Everything in memory: queued, under way, or with a result that is not written yet.
    held: set[int] = field(default_factory=set)
    # The last look found all first attempts there were.
    is_dry: bool = False
    # No longer ours to serve: nothing new is begun.
    is_closed: bool = False
    _conversations: set[int] = field(default_factory=set)
    _firsts_under_way: int = 0
    _retries_under_way: int = 0

    def put(self, found: Sequence[Due], *, wanted_firsts: int) -> None:
        for due in found:
            self.held.add(due.id)
            (self.firsts if due.is_first else self.retries).append(due)
        if wanted_firsts:
            self.is_dry = sum(due.is_first for due in found) < wanted_firsts

    @property
    def is_stopped(self) -> bool:
        return self.is_closed or self.health.is_parked

    def wanted(self) -> tuple[int, int]:
        """How many first attempts and retries to fetch."""
        if self.is_stopped:
            return 0, 0
        firsts, retries = len(self.firsts), len(self.retries)
        return (
            STOCK - firsts if firsts < LOW_STOCK else 0,
            STOCK - retries if retries < LOW_STOCK else 0,
        )

    def take(self) -> Due | None:
        """What may be sent now, if anything. `free` it afterwards."""
        if self.is_stopped:
            return None
        room = self._room()
        has_retries = bool(self.retries or self._retries_under_way)
        due = None
        if self._firsts_under_way < room - (1 if has_retries and room > 1 else 0):
            due = self._take_first()
        if due is None and self.retries and self._may_retry(room):
            due = self.retries.popleft()
            self._retries_under_way += 1
        return due

    def _room(self) -> int:
        """An endpoint whose breaker was open proves itself with one request at a time."""
        limit = 1 if breaker_delay(self.health.failures) else IN_FLIGHT
        return limit if self.under_way < limit else 0

    def _may_retry(self, room: int) -> bool:
        return room > 0 and self._retries_under_way < RETRIES_IN_FLIGHT

    def _take_first(self) -> Due | None:
        for place, due in enumerate(self.firsts):
            if due.conversation_id not in self._conversations:
                del self.firsts[place]
                self._firsts_under_way += 1
                if due.conversation_id is not None:
                    self._conversations.add(due.conversation_id)
                return due
        return None

    def free(self, due: Due) -> None:
        """Its request is over."""
        if due.is_first:
            self._firsts_under_way -= 1
            if due.conversation_id is not None:
                self._conversations.discard(due.conversation_id)
        else:
            self._retries_under_way -= 1

    @property
    def under_way(self) -> int:
        return self._firsts_under_way + self._retries_under_way
