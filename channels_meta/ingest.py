"""The URL Meta calls: check the signature, store the bytes, answer 200 after the commit.

Plain ASGI in front of Django. Nothing is parsed here and nothing but PostgreSQL is needed.
Writes are grouped without a timer: idle, a body is written at once; what arrives during a
write is the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import psycopg
import redis
import redis.asyncio
from django.conf import settings
from django.db import connections

from channels_meta.processing import drain
from inbox.bell import KICK_MS, kick_key, ring

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 10 * 1024 * 1024
WRITERS = 2
BATCH_ROWS = 500
BATCH_BYTES = 8 * 1024 * 1024
# What may wait for a write before we answer 503 and Meta comes again.
QUEUE_ROWS = 5000
QUEUE_BYTES = 64 * 1024 * 1024
WRITE_TIMEOUT_MS = 4000  # Meta waits 5 s
# Under load the bell rings this often (seconds), not after every write.
RING_SECONDS = 0.002

INSERT = """
insert into channels_meta_rawevent (body, sha256, day)
select body, sha256, (now() at time zone 'utc')::date
  from unnest(%b::bytea[], %b::bytea[]) k(body, sha256)
    on conflict (sha256, day) do nothing
"""

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# What came to the door, for /metrics and the tests: accepted, bad_signature, too_large, failed.
counts: Counter[str] = Counter()


class Full(Exception):
    """Too much is waiting for PostgreSQL."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    body: bytes
    sha256: bytes
    written: asyncio.Future[None]


class Batcher:
    """Group commit: a few writers per event loop, each with a connection of its own.

    While one waits for its commit, the next fills: one connection would leave PostgreSQL idle
    between a commit and the following statement.
    """

    def __init__(self) -> None:
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._bell = _Bell()
        self._idle = [_Writer() for _ in range(WRITERS)]
        self._busy: set[asyncio.Task[None]] = set()

    async def put(self, body: bytes) -> None:
        """Return once the body is committed. Raises Full, or psycopg.Error if it cannot be."""
        if (
            len(self._queue) >= QUEUE_ROWS
            or self._queued_bytes + len(body) > QUEUE_BYTES
        ):
            raise Full
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(body, hashlib.sha256(body).digest(), written))
        self._queued_bytes += len(body)
        if self._idle:
            task = asyncio.create_task(self._write_all(self._idle.pop()))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        await written

    async def _write_all(self, writer: _Writer) -> None:
        try:
            await asyncio.sleep(0)  # let what is already on the wire join
            while self._queue:
                await writer.write(self._take())
                self._bell.ring()
        finally:
            self._idle.append(writer)

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < BATCH_ROWS:
            size += len(self._queue[0].body)
            if batch and size > BATCH_BYTES:
                break
            batch.append(self._queue.popleft())
            self._queued_bytes -= len(batch[-1].body)
        return batch


class _Writer:
    """One connection, which is replaced when it dies."""

    def __init__(self) -> None:
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def write(self, batch: list[_Waiting]) -> None:
        """Commit a batch and resolve what waits for it. Never raises for a bad row or connection."""
        try:
            await self._insert(batch)
        except psycopg.OperationalError:
            # It may have died of old age: one fresh connection, then Meta has to come again.
            await self._drop_connection()
            await self._write_singly([batch])
        except psycopg.Error:
            await self._write_singly([[waiting] for waiting in batch])
        else:
            _resolve(batch)

    async def _write_singly(self, batches: list[list[_Waiting]]) -> None:
        """What a failed statement held, each part on its own: one bad row fails alone."""
        for batch in batches:
            try:
                await self._insert(batch)
            except (psycopg.Error, OSError) as error:
                logger.error(
                    "ingest.not_written rows=%s error=%s",
                    len(batch),
                    type(error).__name__,
                )
                await self._drop_connection()
                _resolve(batch, error)
            else:
                _resolve(batch)

    async def _insert(self, batch: list[_Waiting]) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                **_connection_parameters(), autocommit=True, prepare_threshold=0
            )
        columns = ([w.body for w in batch], [w.sha256 for w in batch])
        await self._connection.execute(INSERT, columns)

    async def _drop_connection(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._connection.close()
        self._connection = None


def _resolve(batch: list[_Waiting], error: Exception | None = None) -> None:
    for waiting in batch:
        if waiting.written.done():
            continue  # the client hung up
        if error is None:
            waiting.written.set_result(None)
        else:
            waiting.written.set_exception(error)


def _connection_parameters() -> dict[str, Any]:
    """Django's own connection settings, so that tests never write past the test database."""
    wanted = {"dbname", "user", "password", "host", "port", "sslmode", "sslrootcert"}
    given = connections["default"].get_connection_params()
    parameters = {key: value for key, value in given.items() if key in wanted}
    options = f"-c statement_timeout={WRITE_TIMEOUT_MS}"
    return parameters | {"connect_timeout": 3, "options": options}


class _Bell:
    """Rings the drain off the commit path, at most one ring under way and one waiting."""

    def __init__(self) -> None:
        self._ringing: asyncio.Task[None] | None = None
        self._again = False
        self._redis: redis.asyncio.Redis | None = None

    def ring(self) -> None:
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._ring())
        else:
            self._again = True

    async def _ring(self) -> None:
        while True:
            self._again = False
            await self._ring_once()
            await asyncio.sleep(RING_SECONDS)
            if not self._again:
                return

    async def _ring_once(self) -> None:
        """Only the winner of the key enqueues; beat sweeps whatever the key says."""
        if self._redis is None:
            self._redis = redis.asyncio.Redis.from_url(
                settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1
            )
        try:
            if await self._redis.set(kick_key(drain), 1, nx=True, px=KICK_MS):
                await asyncio.to_thread(ring, drain)
        except (redis.RedisError, OSError) as error:
            logger.warning("ingest.bell_unheard error=%s", type(error).__name__)
            await asyncio.sleep(0.5)


def is_signed(body: bytes, header: bytes) -> bool:
    """Whether one of our app secrets signed these bytes. Every secret is tried, in constant time.

    header: X-Hub-Signature-256, `sha256=` and 64 hex digits (Meta, webhooks).
    """
    given = header.removeprefix(b"sha256=")
    matches = False
    for secret in (*settings.META_APP_SECRET, *settings.META_INSTAGRAM_APP_SECRET):
        expected = hmac.digest(secret.encode(), body, "sha256").hex().encode()
        matches |= hmac.compare_digest(expected, given)
    return matches and header != given


_batchers: dict[int, Batcher] = {}


def batcher() -> Batcher:
    """The batcher of the running loop (a process has one; tests run several)."""
    loop = id(asyncio.get_running_loop())
    if loop not in _batchers:
        _batchers[loop] = Batcher()
    return _batchers[loop]


async def ingest(scope: Scope, body: bytes, send: Send) -> None:
    """POST /meta/webhook. The dispatcher has read the body, within MAX_BODY_BYTES."""
    signature = next(
        (v for k, v in scope["headers"] if k == b"x-hub-signature-256"), b""
    )
    if not is_signed(body, signature):
        counts["bad_signature"] += 1
        logger.warning("ingest.bad_signature count=%s", counts["bad_signature"])
        await answer(send, 403, b"bad signature")
        return
    try:
        await batcher().put(body)
    except (Full, psycopg.Error, OSError) as error:
        counts["failed"] += 1
        logger.error("ingest.not_stored error=%s", type(error).__name__)
        await answer(send, 503, b"try again")
        return
    counts["accepted"] += 1
    await answer(send, 200, b"EVENT_RECEIVED")


async def answer(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
