"""From the commit of an event until its receiver has it, at an everyday rate.

Alone: `python -m bench.promptness`.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg

from bench.filled import fill
from bench.stage import percentile, scratch_database, wait_for, worker

RATE = 50
SECONDS = 10
WARM_EVENTS = 50
CONVERSATIONS = 200


def run(url: str) -> dict[str, dict[str, float]]:
    """prompt: p50, p95 in milliseconds. url: of a scratch database."""
    import django

    django.setup()
    with psycopg.connect(url, autocommit=True) as connection:
        filled = fill(connection, conversations=CONVERSATIONS, long_thread=10)
    with _receiver() as (hook, arrived), worker("dispatch", "prefork", 1):
        from webhooks.models import Endpoint

        Endpoint.objects.create(url=hook)
        committed = _emit_steadily(itertools.cycle(filled.opened))
        wait_for(lambda: len(arrived) == len(committed))
    took = [1000 * (arrived[n] - at) for n, at in committed.items() if n >= WARM_EVENTS]
    return {"prompt": {"p50": percentile(took, 0.5), "p95": percentile(took, 0.95)}}


@contextmanager
def _receiver() -> Iterator[tuple[str, dict[int, float]]]:
    """Its address, and when each event came, by its number."""
    arrived: dict[int, float] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            at = time.monotonic()
            self.send_response(204)
            self.end_headers()
            arrived.setdefault(int(json.loads(body)["data"]["changes"]["to"]), at)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", arrived
    finally:
        server.shutdown()


def _emit_steadily(conversations: Iterator[int]) -> dict[int, float]:
    """When each event was committed, by its number."""
    from django.db import transaction
    from django.utils.timezone import now

    from inbox.events import Event, EventName, emit
    from inbox.models import Channel

    channel_id = Channel.objects.values_list("pk", flat=True).get()
    committed: dict[int, float] = {}
    began = time.monotonic()
    for number in range(RATE * SECONDS + WARM_EVENTS):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        event = Event(
            EventName.CONVERSATION_UPDATED,
            channel_id=channel_id,
            occurred_at=now(),
            conversation_id=next(conversations),
            source="agent",
            details={"change": "assigned", "to": str(number)},
        )
        with transaction.atomic():
            emit([event])
        committed[number] = time.monotonic()
    return committed


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexra.settings")
    with scratch_database() as scratch:
        sys.stdout.write(json.dumps(run(scratch), indent=2) + "\n")
