"""One Redis subscription per process and loop, fanned out to the open pages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import redis
import redis.asyncio
from django.conf import settings
from django.db import close_old_connections

from inbox.live import KEPT, ONLINE, STREAM, Change
from inbox.stream.boards import Board, Counter, Painter, Shown
from inbox.stream.listeners import COUNTED, QUEUE_LIMIT, Listener
from inbox.stream.readers import Reader

logger = logging.getLogger(__name__)

ONLINE_SECONDS = 50
# XREAD waits less than redis-py's default socket time-out of 5 s.
BLOCK_MS = 2000
# Who draws and counts: apart from the requests, so that neither waits for the other.
PAINTERS = 2
# Presence that rows show: somebody began to answer what nobody was given, or left it.
CLAIMS = frozenset({"claimed", "released"})
CURSOR = re.compile(r"\d{1,15}-\d{1,15}")


class Hub:
    def __init__(self, painter: Painter) -> None:
        self.painter = painter
        self.listeners: set[Listener] = set()
        self.boards: dict[Shown, Board] = {}
        self.threads = ThreadPoolExecutor(PAINTERS, thread_name_prefix="live")
        self.counter = Counter(painter, self._run, self.listeners)
        # Calls of the painter that are under way.
        self.running = 0
        # The newest entry that was heard of; "" before there was one.
        self.place = ""
        # The newest revision told of each conversation: the sweeper repeats itself.
        self.told: dict[int, int] = {}
        self.redis = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2
        )
        self._reader: asyncio.Task[None] | None = None
        self._follows = asyncio.Event()

    async def add(self, listener: Listener, shown: Shown | None) -> None:
        """Returns once the stream is followed: what is published later is not missed."""
        if shown is not None:
            listener.board = self.boards.setdefault(
                shown, Board(shown, self.painter, self._run, lambda: self.place)
            )
            listener.board.listeners.add(listener)
        self.listeners.add(listener)
        if self._reader is None or self._reader.done():
            self._follows.clear()
            self._reader = asyncio.create_task(self._read())
        await self._follows.wait()

    def remove(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        board = listener.board
        if board is not None:
            board.listeners.discard(listener)
            if not board.listeners:
                self.boards.pop(board.shown, None)

    def catch_up(
        self, listener: Listener, missed: list[tuple[str, Change]] | None
    ) -> None:
        """missed: what `since` found for this page."""
        if missed is None:
            listener.reset()
            return
        for entry_id, change in missed:
            listener.tell(entry_id, change)
        if any(change.kind in COUNTED for _, change in missed):
            self.counter.note()
        if listener.board is not None:
            listener.board.note(
                change.id for _, change in missed if _concerns_row(change)
            )

    async def note_online(self, reader: Reader) -> None:
        """Believed for a while: a page that goes, or dies, is forgotten by itself."""
        moment = time.time()
        with contextlib.suppress(redis.RedisError, OSError):
            await self.redis.zadd(
                ONLINE, {str(reader.agent_id): moment + ONLINE_SECONDS}
            )
            await self.redis.zremrangebyscore(ONLINE, "-inf", moment)

    async def since(self, cursor: str) -> list[tuple[str, Change]] | None:
        """What came after `cursor`; None if the stream no longer reaches back to it."""
        if not CURSOR.fullmatch(cursor):
            return None
        try:
            oldest: Any = await self.redis.xrange(STREAM, count=1)
            entries: Any = await self.redis.xrange(
                STREAM, min=f"({cursor}", count=QUEUE_LIMIT + 1
            )
        except redis.RedisError:
            return None
        # "0-0" was given while the stream was empty; an empty stream after any other cursor is
        # one that was lost.
        reaches_back = cursor == "0-0" or (
            oldest and order_of(oldest[0][0].decode()) <= order_of(cursor)
        )
        if not reaches_back or len(entries) > QUEUE_LIMIT:
            return None
        return [change for entry in entries for change in _parse(entry)]

    async def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        loop = asyncio.get_running_loop()
        self.running += 1
        try:
            return await loop.run_in_executor(
                self.threads, _with_database, function, args
            )
        finally:
            self.running -= 1

    async def _read(self) -> None:
        """Follow the stream for as long as somebody listens; after a break everybody resets."""
        self.place = ""
        while self.listeners:
            try:
                if not self.place:
                    self.place = await self._newest()
                    self._follows.set()
                batches: Any = await self.redis.xread(
                    {STREAM: self.place}, block=BLOCK_MS, count=1000
                )
            except (redis.RedisError, OSError) as error:
                logger.warning("live.lost error=%s", type(error).__name__)
                self.place = ""
                self._follows.set()  # nobody waits for Redis: all reset when it is back
                await asyncio.sleep(1)
                for listener in self.listeners:
                    listener.reset()
                continue
            for _, entries in batches or ():
                for entry in entries:
                    for entry_id, change in _parse(entry):
                        self.place = entry_id
                        self._tell(entry_id, change)

    def _tell(self, entry_id: str, change: Change) -> None:
        if not self._is_news(change):
            return
        # Before the pages: they go on from here only when their rows are drawn.
        if _concerns_row(change):
            for board in self.boards.values():
                board.note([change.id])
        for listener in self.listeners:
            listener.tell(entry_id, change)
        if change.kind in COUNTED:
            self.counter.note()

    def _is_news(self, change: Change) -> bool:
        if change.kind != "conversation":
            return True
        if self.told.get(change.id, -1) >= change.revision:
            return False
        if len(self.told) >= KEPT:
            self.told.clear()
        self.told[change.id] = change.revision
        return True

    async def _newest(self) -> str:
        newest: Any = await self.redis.xrevrange(STREAM, count=1)
        return newest[0][0].decode() if newest else "0-0"


def order_of(entry_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split("-"))


def _concerns_row(change: Change) -> bool:
    return change.kind == "conversation" or change.what in CLAIMS


def _with_database(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    close_old_connections()
    try:
        return function(*args)
    finally:
        close_old_connections()


def _parse(entry: Any) -> list[tuple[str, Change]]:
    entry_id, fields = entry
    return [(entry_id.decode(), _change(row)) for row in json.loads(fields[b"changes"])]


def _change(row: list[Any]) -> Change:
    """Entries of an earlier version, which a page may still ask for, have fewer fields."""
    change = Change(*row[:8])
    return replace(change, only=tuple(row[8])) if len(row) > 8 else change
