"""A wide claim of the journal is stored side by side: each person's updates in one lane, in order.

Python prepares one lane while PostgreSQL stores another. A lane is a transaction of its own; should
we die between them, the claim is read again and the inbox knows what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar
from zlib import crc32

from django.db import OperationalError, close_old_connections, connections
from psycopg.errors import DeadlockDetected

LANES = 3

T = TypeVar("T")
R = TypeVar("R")


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LANES, thread_name_prefix="lane")


def side_by_side(
    things: Sequence[T], *, person_of: Callable[[T], str], store: Callable[[list[T]], R]
) -> list[R]:
    """Store the things of each person in one lane; then, here, those that name no person.

    What two lanes wanted to lock crosswise is stored here too, when the others are done.
    """
    lanes: list[list[T]] = [[] for _ in range(LANES)]
    here: list[T] = []
    for thing in things:
        person = person_of(thing)
        (lanes[crc32(person.encode()) % LANES] if person else here).append(thing)
    started = [(lane, _threads().submit(_in_lane, store, lane)) for lane in lanes]
    # All of them, before anything is raised: the caller's turn ends with it.
    wait([future for _, future in started])
    stored = [_result_of(future, lane, store) for lane, future in started]
    return [*stored, store(here)]


def _in_lane(store: Callable[[list[T]], R], lane: list[T]) -> R:
    close_old_connections()
    return store(lane)


def _result_of(future: Future[R], lane: list[T], store: Callable[[list[T]], R]) -> R:
    try:
        return future.result()
    except OperationalError as error:
        if isinstance(error.__cause__, DeadlockDetected):
            return store(lane)
        raise


def close() -> None:
    """End the lanes and their connections."""
    threads = _threads()
    for done in [threads.submit(connections.close_all) for _ in range(LANES)]:
        done.result()
    threads.shutdown()
    _threads.cache_clear()
