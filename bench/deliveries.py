"""Outgoing deliveries a second: over 20 endpoints, beside bad ones, and by django-webhook.

Alone: `python -m bench.deliveries`.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.stage import free_port, process, scratch_database, wait_for

EVENTS = 1500
ENDPOINTS = 20
HEALTHY = 12
# Every fifth endpoint is bad, each in its own way.
BAD = ("slow", "drip", "fail")
CONVERSATIONS = 300
PEER_EVENTS = 1200
ROUNDS = 3

TEXT = "Hello, do you have this in size M? " * 8


def run() -> dict[str, Any]:
    """Measured on the database in DATABASE_URL, which must be a scratch one (`..._bench`).

    healthy_beside_bad: what twelve endpoints get while three are bad, to what they get alone.
    """
    with _receiver() as url:
        many = max(_measured(url, ENDPOINTS, 0) for _ in range(ROUNDS))
        alone = max(_measured(url, HEALTHY, 0) for _ in range(ROUNDS))
        beside = max(_measured(url, HEALTHY, len(BAD)) for _ in range(ROUNDS))
        peer = _measure_peer(url)
    return {
        "deliveries_per_s": many,
        "healthy_beside_bad": beside / alone,
        "django_webhook_per_s": peer,
    }


@contextmanager
def _receiver() -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process(sys.executable, "-m", "bench.receiver", str(port)):
        wait_for(lambda: _count(url) is not None)
        yield url


def _count(url: str) -> int | None:
    peer = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        peer.request("GET", "/")
        return int(peer.getresponse().read())
    except OSError:
        return None
    finally:
        peer.close()


def _measured(url: str, healthy: int, bad: int) -> float:
    """Deliveries a second to the healthy endpoints, by one dispatcher in a fresh process."""
    command = [sys.executable, "-m", "bench.deliveries", url, str(healthy), str(bad)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(done.stdout))


def _measure_here(url: str, healthy: int, bad: int) -> float:
    """In the fresh process: rows, then the dispatcher, until the healthy endpoints have all."""
    import django

    django.setup()
    from webhooks.sending import dispatch

    _fill(url, healthy, bad)
    count = EVENTS * healthy
    dispatcher = threading.Thread(target=dispatch, daemon=True)
    began = time.perf_counter()
    dispatcher.start()
    wait_for(lambda: _left() == 0, seconds=120)
    return count / (time.perf_counter() - began)


def _fill(url: str, healthy: int, bad: int) -> None:
    from django.db import connection

    from webhooks.models import Endpoint

    name = connection.settings_dict["NAME"]
    if not name.endswith("_bench"):
        raise SystemExit(
            f"{name} is not a scratch database: its name must end in _bench."
        )
    body = json.dumps({"event": "message_in", "data": {"message": {"content": TEXT}}})
    with connection.cursor() as cursor:
        cursor.execute(
            "truncate webhooks_event, webhooks_endpoint, webhooks_delivery,"
            " webhooks_deliveryattempt cascade"
        )
        Endpoint.objects.bulk_create(
            [
                *(Endpoint(url=f"{url}/ok/{number}") for number in range(healthy)),
                *(Endpoint(url=f"{url}/{kind}/") for kind in BAD[:bad]),
            ]
        )
        cursor.execute(
            "insert into webhooks_event (id, name, conversation_id, occurred_at, body)"
            " select 'evt_' || lpad(n::text, 26, '0'), 'message_in', n %% %s, now(), %s"
            " from generate_series(1, %s) n",
            [CONVERSATIONS, body.encode(), EVENTS],
        )
        cursor.execute(
            "insert into webhooks_delivery"
            " (event_id, endpoint_id, conversation_id, state, attempts, last_error)"
            " select v.id, e.id, v.conversation_id, 'pending', 0, ''"
            " from webhooks_event v, webhooks_endpoint e order by v.id, e.id"
        )
        cursor.execute("vacuum analyze")


def _left() -> int:
    from webhooks.models import Delivery

    pending = Delivery.objects.filter(state="pending", endpoint__url__contains="/ok/")
    return 1 if pending.exists() else 0


def _measure_peer(url: str) -> float:
    """django-webhook on a Celery prefork pool of two, from the first twentieth to the end."""
    before = _count(url) or 0
    command = [sys.executable, "-m", "bench.peer", f"{url}/peer", str(PEER_EVENTS)]
    subprocess.run(command, check=True)
    arguments = [
        "--pool=prefork",
        "--concurrency=2",
        "--queues=peer",
        "--loglevel=ERROR",
    ]

    def arrived() -> int:
        return (_count(url) or 0) - before

    with process(
        sys.executable, "-m", "celery", "-A", "bench.peer", "worker", *arguments
    ):
        wait_for(lambda: arrived() > PEER_EVENTS / 20, seconds=60)
        first, began = arrived(), time.perf_counter()
        wait_for(lambda: arrived() >= PEER_EVENTS, seconds=120)
        return (PEER_EVENTS - first) / (time.perf_counter() - began)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexra.settings")
    if len(sys.argv) == 4:
        sys.stdout.write(
            json.dumps(_measure_here(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
        )
        sys.stdout.flush()
        os._exit(0)  # what is still owed to the bad ones is not waited for
    with scratch_database():
        sys.stdout.write(json.dumps(run(), indent=2) + "\n")
