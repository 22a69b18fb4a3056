"""The dispatcher: ingest and the live stream as plain ASGI, Django for everything else.

Django runs as WSGI in a fixed thread pool: its own ASGI handler costs a thread hop per
request and leaks a database connection per request thread.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from a2wsgi.wsgi import build_environ

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexra.settings")

from dexra.wsgi import application as django_application

# isort: split
from channels_meta.ingest import MAX_BODY_BYTES, answer, ingest
from inbox.pages import pushing
from inbox.stream import stream

THREADS = 16
# A body that takes longer (seconds) to arrive holds nobody up: it is read before any thread is.
BODY_SECONDS = 30

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Files are read a block at a time, as fast as their reader takes them; a few blocks at once.
FILE_THREADS = 8


class _File:
    """`wsgi.file_wrapper` (PEP 3333): Django hands a file over to whoever serves it."""

    def __init__(self, file: Any, block_size: int) -> None:
        self.close = file.close
        self.blocks = iter(lambda: file.read(block_size), b"")


@dataclass(slots=True)
class _Answer:
    """What Django answers. rest: what is read while it is sent: a file, an export."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    rest: Iterator[bytes] | None = None
    close: Callable[[], None] = lambda: None

    def start(self, status: str, headers: list[tuple[str, str]], *_exc: Any) -> Any:
        self.status = int(status[:3])
        self.headers = [
            (name.lower().encode("latin1"), value.encode("latin1"))
            for name, value in headers
        ]


def _ask_django(environ: Any) -> _Answer:
    """In a thread of its own; an answer that is all there comes back in one piece."""
    answer = _Answer()
    made: Any = django_application(environ | {"wsgi.file_wrapper": _File}, answer.start)
    if isinstance(made, _File):
        answer.rest, answer.close = made.blocks, made.close
    elif made.streaming:
        answer.rest, answer.close = iter(made), made.close
    else:
        answer.body = b"".join(made)
        made.close()
    return answer


class _Django:
    """Django in a fixed thread pool. A thread is let go when what is left to do is to send a
    file: a slow reader, or a film that somebody has paused, would keep it from everybody's pages.
    """

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="django")
        self.readers = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="file")

    async def __call__(
        self, scope: Any, body: bytes, receive: Receive, send: Send
    ) -> None:
        environ = build_environ(scope, io.BytesIO(body))  # type: ignore[arg-type]  # a file, read whole
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self.threads, _ask_django, environ)
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": answer.status,
                    "headers": answer.headers,
                }
            )
            if answer.rest is not None:
                await self._send_rest(answer.rest, receive, send)
            else:
                await send(_part(answer.body, more=False))
        finally:
            if answer.rest is not None:
                await loop.run_in_executor(self.readers, answer.close)

    async def _send_rest(
        self, blocks: Iterator[bytes], receive: Receive, send: Send
    ) -> None:
        loop = asyncio.get_running_loop()
        gone = asyncio.create_task(_disconnected(receive))
        try:
            while chunk := await loop.run_in_executor(self.readers, next, blocks, b""):
                # Waits until the reader has taken most of what was sent before.
                await send(_part(chunk, more=True))
                if gone.done():
                    return
            await send(_part(b"", more=False))
        finally:
            gone.cancel()


def _part(body: bytes, *, more: bool) -> Any:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


_django = _Django()


class TooLarge(Exception):
    """The body is over the limit."""


async def application(
    scope: MutableMapping[str, Any], receive: Receive, send: Send
) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        return
    if scope["path"] == "/live/stream" and scope["method"] == "GET":
        await stream(scope, receive, send, pushing)
        return
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_body(scope, receive)
    except TooLarge:
        await answer(send, 413, b"larger than 10 MB")
        return
    except TimeoutError:
        await answer(send, 408, b"the body took too long")
        return
    except ConnectionError:
        return
    if scope["path"] == "/meta/webhook" and scope["method"] == "POST":
        await ingest(scope, body, send)
        return
    await _django(_without_underscored_headers(scope), body, receive, send)


async def _read_body(scope: MutableMapping[str, Any], receive: Receive) -> bytes:
    """The whole body. Raises TooLarge, or ConnectionError if the client went away."""
    declared = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise TooLarge
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY_BYTES:
            raise TooLarge
        if not message.get("more_body", False):
            return b"".join(chunks)


def _without_underscored_headers(
    scope: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """WSGI cannot tell X_Forwarded_Proto from X-Forwarded-Proto; only the latter is a header."""
    headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
    return {**scope, "headers": headers}


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
