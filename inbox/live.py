"""The event stream to open pages: ids after commit, fanned out from one Redis subscription.

Nothing but ids and revisions travels here; pages fetch what they show through the usual
doors. Entries carry channel, team and assignee so that each page is told only of what its
agent may see, and wants to be notified of: that is decided here, from what is known of the
reader since the stream was opened, without asking anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

import redis
import redis.asyncio
from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections, transaction
from django.http import HttpRequest

from inbox.redis import redis_client

logger = logging.getLogger(__name__)

STREAM = "dexra:live"
# Agents with an open page, by the moment (Unix seconds) until which that is believed.
ONLINE = "dexra:online"
ONLINE_SECONDS = 50
# Entries kept for pages that reconnect; older cursors get `reset`.
KEPT = 10_000
# Changes of one burst travel together: so many seconds for each page that listens, so that a
# hundred of them cost no more than ten; pages gather longer before they fetch.
GATHER = 0.001
LONGEST_GATHER = 0.25
# Frames a slow client may be behind before it is told to start over.
QUEUE_LIMIT = 500
PING_SECONDS = 20
# How often (seconds) an open stream asks again whether its agent may still read.
RECHECK_SECONDS = 30
# XREAD waits less than redis-py's default socket time-out of 5 s.
BLOCK_MS = 2000
_CURSOR = re.compile(r"\d{1,15}-\d{1,15}")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Change:
    """One conversation, or one channel, is not as a page last saw it.

    Beside "conversation" and "channel" there are three kinds: "presence" (what: viewing, writing,
    left, claimed, released), "notify" (what: message, assigned, mention), both of a conversation,
    and "agent": what this agent may do or wants has changed, 0 for everybody's.
    by: the agent whose doing it is. only: the agents who alone are told; empty: all who may see it.
    It travels as a row of its fields, in this order.
    """

    kind: str
    id: int
    revision: int = 0
    channel_id: int | None = None
    team_id: int | None = None
    assignee_id: int | None = None
    what: str = ""
    by: int | None = None
    only: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, int, int | None]:
        """Of two changes with the same key a page needs only the later."""
        return self.kind, self.id, self.by


def publish(changes: Iterable[Change]) -> None:
    """Tell every web process. A Redis that is away is logged: pages poll, the sweeper repeats."""
    rows = [
        (
            c.kind,
            c.id,
            c.revision,
            c.channel_id,
            c.team_id,
            c.assignee_id,
            c.what,
            c.by,
            c.only,
        )
        for c in changes
    ]
    if not rows:
        return
    entry = json.dumps(rows)
    try:
        redis_client().xadd(STREAM, {"changes": entry}, maxlen=KEPT, approximate=True)
    except redis.RedisError as error:
        logger.warning("live.unheard error=%s", type(error).__name__)


def publish_after_commit(changes: Iterable[Change]) -> None:
    kept = list(changes)

    def publish_now() -> None:
        publish(kept)

    if kept:
        transaction.on_commit(publish_now)


def position() -> str:
    """The id of the newest entry, for a page to start listening after what it renders."""
    try:
        newest: Any = redis_client().xrevrange(STREAM, count=1)
    except redis.RedisError:
        return ""
    return newest[0][0].decode() if newest else "0-0"


# --- the web process -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose page it is, and what they want to be notified of."""

    agent_id: int
    notifies_of: frozenset[str] = frozenset()
    muted_channels: frozenset[int] = frozenset()

    def wish(self, change: Change) -> str:
        """The kind of notification that a "notify" is for this agent; "" if they want none."""
        if change.channel_id in self.muted_channels:
            return ""
        kind = change.what
        if kind == "message":
            if change.assignee_id not in {None, self.agent_id}:
                return ""
            kind = "mine" if change.assignee_id else "unassigned"
        return kind if kind in self.notifies_of else ""


@dataclass(eq=False)
class _Listener:
    """One open page. Frames wait in `pending` until the gathering time is over.

    is_ear: a page that nobody looks at, and that only wants to notify.
    """

    reader: Reader
    is_ear: bool = False
    pending: dict[tuple[str, int, int | None], tuple[str, Change]] = field(
        default_factory=dict
    )
    must_reset: bool = False
    # What the agent may do or wants has changed: the session is to be looked at again.
    is_in_doubt: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, entry_id: str, change: Change) -> None:
        if change.kind == "agent":
            if change.id in {0, self.reader.agent_id}:
                self.is_in_doubt = True
                self.woken.set()
            return
        if change.only and self.reader.agent_id not in change.only:
            return
        if change.kind == "notify":
            wish = self.reader.wish(change)
            if not wish:
                return
            change = replace(change, what=wish)
        elif self.is_ear:
            return
        # In the order of their entries: the last frame's id is where the page goes on.
        self.pending.pop(change.key, None)
        self.pending[change.key] = (entry_id, change)
        if len(self.pending) > QUEUE_LIMIT:
            self.reset()
        self.woken.set()

    def reset(self) -> None:
        self.pending.clear()
        self.must_reset = True
        self.woken.set()

    def take(self) -> bytes:
        """All that is waiting, as server-sent events."""
        self.woken.clear()
        if self.must_reset:
            self.must_reset = False
            self.pending.clear()
            return b"event: reset\ndata: {}\n\n"
        waiting = list(self.pending.values())
        self.pending.clear()
        frames = b"".join(_frames(entry_id, change) for entry_id, change in waiting)
        if any(change.kind in _COUNTED for _id, change in waiting):
            frames += b"event: counts\ndata: {}\n\n"
        return frames


# Kinds after which the views may hold other numbers.
_COUNTED = {"conversation", "channel"}


def _order(entry_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split("-"))


# Drawn once for all the pages that hear of it.
@lru_cache(maxsize=KEPT)
def _frames(entry_id: str, change: Change) -> bytes:
    data: dict[str, Any] = {"id": change.id}
    names = [change.kind]
    if change.kind == "conversation":
        data["rev"] = change.revision
        names.append("thread")
    elif change.kind == "notify":
        data["kind"] = change.what
    elif change.kind == "presence":
        data |= {"who": change.by, "what": change.what}
    written = json.dumps(data)
    frames = "".join(f"event: {name}\ndata: {written}\n\n" for name in names)
    return f"id: {entry_id}\n{frames}".encode()


class _Hub:
    """One Redis subscription per process and loop, fanned out to the open pages."""

    def __init__(self) -> None:
        self.listeners: set[_Listener] = set()
        # The newest revision told of each conversation: the sweeper repeats itself.
        self.told: dict[int, int] = {}
        self.redis = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2
        )
        self._reader: asyncio.Task[None] | None = None
        self._follows = asyncio.Event()

    async def add(self, listener: _Listener) -> None:
        """Returns once the stream is followed: what is published later is not missed."""
        self.listeners.add(listener)
        if self._reader is None or self._reader.done():
            self._follows.clear()
            self._reader = asyncio.create_task(self._read())
        await self._follows.wait()

    def remove(self, listener: _Listener) -> None:
        self.listeners.discard(listener)

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
        if not _CURSOR.fullmatch(cursor):
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
            oldest and _order(oldest[0][0].decode()) <= _order(cursor)
        )
        if not reaches_back or len(entries) > QUEUE_LIMIT:
            return None
        return [change for entry in entries for change in _parse(entry)]

    async def _read(self) -> None:
        """Follow the stream for as long as somebody listens; after a break everybody resets."""
        position = "$"
        while self.listeners:
            try:
                if position == "$":
                    position = await self._newest()
                    self._follows.set()
                batches: Any = await self.redis.xread(
                    {STREAM: position}, block=BLOCK_MS, count=1000
                )
            except (redis.RedisError, OSError) as error:
                logger.warning("live.lost error=%s", type(error).__name__)
                position = "$"
                self._follows.set()  # nobody waits for Redis: all reset when it is back
                await asyncio.sleep(1)
                for listener in self.listeners:
                    listener.reset()
                continue
            for _, entries in batches or ():
                for entry_id, change in (
                    pair for entry in entries for pair in _parse(entry)
                ):
                    position = entry_id
                    if self._is_news(change):
                        for listener in self.listeners:
                            listener.tell(entry_id, change)

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


def _parse(entry: Any) -> list[tuple[str, Change]]:
    entry_id, fields = entry
    return [(entry_id.decode(), _change(row)) for row in json.loads(fields[b"changes"])]


def _change(row: list[Any]) -> Change:
    """Entries of an earlier version, which a page may still ask for, have fewer fields."""
    change = Change(*row[:8])
    return replace(change, only=tuple(row[8])) if len(row) > 8 else change


_hubs: dict[int, _Hub] = {}


def _hub() -> _Hub:
    """The hub of the running loop (a process has one; tests run several)."""
    loop = id(asyncio.get_running_loop())
    if loop not in _hubs:
        _hubs[loop] = _Hub()
    return _hubs[loop]


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """GET /live/stream: server-sent events for one signed-in page.

    since: the last entry that the page has seen. ear: 1 for notifications alone.
    """
    session_key = _cookie(scope, settings.SESSION_COOKIE_NAME)
    reader = await asyncio.to_thread(reader_of, session_key)
    if reader is None:
        await _refuse(send)
        return
    # A page sees what its agent sees; today every agent who may read sees every conversation.
    listener = _Listener(reader, is_ear=_query(scope, "ear") == "1")
    hub = _hub()
    try:
        await _start(send)
        await hub.add(listener)
        cursor = _cursor(scope)
        if cursor:
            missed = await hub.since(cursor)
            if missed is None:
                listener.reset()
            for entry_id, change in missed or ():
                listener.tell(entry_id, change)
        await _pump(hub, listener, session_key, receive, send)
    finally:
        hub.remove(listener)


def reader_of(session_key: str) -> Reader | None:
    """Whose session it is, and what they want to hear of; None if they may not read the inbox."""
    close_old_connections()
    request = HttpRequest()
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(session_key or None)
    agent = get_user(request)
    may_read = (
        agent.is_active and agent.is_staff and agent.has_perm("inbox.view_conversation")
    )
    # An agent who never chose has no preferences, and wants no notifications.
    wishes = getattr(agent, "preferences", None) if may_read else None
    close_old_connections()
    if agent.pk is None or not may_read:
        return None
    return Reader(
        agent.pk,
        frozenset(wishes.notifies_of if wishes else ()),
        frozenset(wishes.muted_channels if wishes else ()),
    )


async def _pump(
    hub: _Hub, listener: _Listener, session_key: str, receive: Receive, send: Send
) -> None:
    """Send what comes until the page goes, or its agent may not read any more."""
    gone = asyncio.create_task(_disconnected(receive))
    gone.add_done_callback(lambda _: listener.woken.set())
    checked = pinged = time.monotonic()
    await hub.note_online(listener.reader)
    try:
        while not gone.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_SECONDS):
                    await listener.woken.wait()
            if gone.done():
                return
            if listener.is_in_doubt or time.monotonic() - checked > RECHECK_SECONDS:
                checked = time.monotonic()
                listener.is_in_doubt = False
                reader = await asyncio.to_thread(reader_of, session_key)
                if reader is None:
                    await _send_part(send, b"event: closed\ndata: {}\n\n")
                    return
                listener.reader = reader
            if chunk := listener.take():
                await _send_part(send, chunk)
                await asyncio.sleep(min(LONGEST_GATHER, GATHER * len(hub.listeners)))
            if time.monotonic() - pinged >= PING_SECONDS:
                # An event, not a comment: the page itself notices a line that has gone dead.
                pinged = time.monotonic()
                await _send_part(send, b"event: ping\ndata: {}\n\n")
                await hub.note_online(listener.reader)
    finally:
        gone.cancel()
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Send) -> None:
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await _send_part(send, b"retry: 1000\n\n")


async def _refuse(send: Send) -> None:
    await send({"type": "http.response.start", "status": 403, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _cookie(scope: Scope, name: str) -> str:
    for header, value in scope["headers"]:
        if header == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, content = part.strip().partition("=")
                if key == name:
                    return str(content)
    return ""


def _query(scope: Scope, name: str) -> str:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return str(query.get(name, [""])[0])


def _cursor(scope: Scope) -> str:
    """The later of `?since=` and Last-Event-ID; "" for a page that has seen nothing."""
    named = _query(scope, "since")
    header = next(
        (v.decode("latin-1") for k, v in scope["headers"] if k == b"last-event-id"), ""
    )
    valid = [cursor for cursor in (named, header) if _CURSOR.fullmatch(cursor)]
    return max(valid, key=_order, default=named or header)
