"""The event stream to open pages: what was published (`inbox.live`), to each what concerns it.

A page says which list it shows, and is sent the rows of it that changed: drawn once for all the
pages that show the same list, so that two hundred of them cost little more than one. Everything
else is ids, and the page fetches what it shows through the usual doors. What each agent may see
and wants to be notified of is decided here, from what is known of the reader since the stream was
opened, without asking anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings

from inbox.stream.boards import GATHER, LONGEST_GATHER, Painter, Shown
from inbox.stream.hub import CURSOR, Hub, order_of
from inbox.stream.listeners import Listener, frame_of
from inbox.stream.readers import reader_of

PING_SECONDS = 20
# How often (seconds) an open stream asks again whether its agent may still read.
RECHECK_SECONDS = 30
LONGEST_ADDRESS = 2000

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# By event loop: a process has one, tests run several.
hubs: dict[int, Hub] = {}


def _hub(painter: Painter) -> Hub:
    """The hub of the running loop."""
    loop = id(asyncio.get_running_loop())
    if loop not in hubs:
        hubs[loop] = Hub(painter)
    return hubs[loop]


async def stream(scope: Scope, receive: Receive, send: Send, painter: Painter) -> None:
    """GET /live/stream: server-sent events for one signed-in page.

    since: the last entry that the page has seen. list, language, zone: the address of the list that
    it shows, and how it is written: rows of it come as they change. ear: 1 for notifications alone.
    """
    session_key = _cookie(scope, settings.SESSION_COOKIE_NAME)
    reader = await asyncio.to_thread(reader_of, session_key)
    if reader is None:
        await _refuse(send)
        return
    # A page sees what its agent sees; today every agent who may read sees every conversation.
    query = _Query(scope)
    listener = Listener(reader, is_ear=query["ear"] == "1")
    hub = _hub(painter)
    try:
        await _start(send)
        await hub.add(listener, _shown(query))
        if cursor := _cursor(scope, query["since"]):
            hub.catch_up(listener, await hub.since(cursor))
        await _pump(hub, listener, session_key, receive, send)
    finally:
        hub.remove(listener)


async def _pump(
    hub: Hub, listener: Listener, session_key: str, receive: Receive, send: Send
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
                    await _send_part(send, frame_of("closed", {}))
                    return
                listener.reader = reader
            if chunk := listener.take():
                await _send_part(send, chunk)
                await asyncio.sleep(min(LONGEST_GATHER, GATHER * len(hub.listeners)))
            if time.monotonic() - pinged >= PING_SECONDS:
                # An event, not a comment: the page itself notices a line that has gone dead.
                pinged = time.monotonic()
                await _send_part(send, frame_of("ping", {}))
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


class _Query(dict[str, str]):
    """What stands behind the address; "" for what does not."""

    def __init__(self, scope: Scope) -> None:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        super().__init__({name: values[0] for name, values in query.items()})

    def __missing__(self, _name: str) -> str:
        return ""


def _shown(query: _Query) -> Shown | None:
    address = query["list"]
    if not address or len(address) > LONGEST_ADDRESS or query["ear"] == "1":
        return None
    return Shown(address, query["language"], query["zone"])


def _cursor(scope: Scope, named: str) -> str:
    """The later of `?since=` and Last-Event-ID; "" for a page that has seen nothing."""
    header = next(
        (v.decode("latin-1") for k, v in scope["headers"] if k == b"last-event-id"), ""
    )
    valid = [cursor for cursor in (named, header) if CURSOR.fullmatch(cursor)]
    return max(valid, key=order_of, default=named or header)
