"""The dispatcher: ingest and the live stream as plain ASGI, Django for everything else.

Django runs as WSGI in a fixed thread pool: its own ASGI handler costs a thread hop per
request and leaks a database connection per request thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi import WSGIResponder

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexra.settings")

from dexra.wsgi import application as django_application

# isort: split
from channels_meta.ingest import MAX_BODY_BYTES, answer, ingest
from inbox.live import stream

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
        self.file = file
        self.block_size = block_size


class _Responder(WSGIResponder):
    """Lets go of its thread when what is left to do is to send a file: a slow reader, or a film
    that somebody has paused, would keep it from everybody's pages."""

    file: _File | None = None

    def wsgi(self, environ: Any, start_response: Any) -> None:
        body = self.app(environ | {"wsgi.file_wrapper": _File}, start_response)
        if isinstance(body, _File):
            self.file = body
            return
        try:
            for chunk in body:
                self.send(_part(chunk, more=True))
            self.send(_part(b"", more=False))
        finally:
            getattr(body, "close", lambda: None)()


class _Django(WSGIMiddleware):
    """Django in a fixed thread pool, but for the sending of files."""

    def __init__(self) -> None:
        super().__init__(django_application, workers=THREADS)  # type: ignore[arg-type]  # a2wsgi has types of its own
        self.readers = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="file")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        responder = _Responder(self.app, self.executor, self.send_queue_size)
        try:
            await responder(scope, receive, send)
            if responder.file:
                await self._send_file(responder.file, receive, send)
        finally:
            if responder.file:
                await self._in_thread(responder.file.file.close)

    async def _send_file(self, body: _File, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_disconnected(receive))
        try:
            while chunk := await self._in_thread(body.file.read, body.block_size):
                # Waits until the reader has taken most of what was sent before.
                await send(_part(chunk, more=True))
                if gone.done():
                    return
            await send(_part(b"", more=False))
        finally:
            gone.cancel()

    async def _in_thread(self, call: Callable[..., Any], *args: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.readers, call, *args)


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
        await stream(scope, receive, send)
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
    await _django(_without_underscored_headers(scope), _replay(body, receive), send)


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


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [
        {"type": "http.request", "body": body, "more_body": False}
    ]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message


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
