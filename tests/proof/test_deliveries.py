"""Events reach a receiver whatever dies between the commit and its yes: counted by the receiver."""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from dexra import embedded
from tests.conftest import wait_until
from tests.proof.meta import Meta, open_account
from tests.proof.stack import Stack, running
from webhooks.signing import is_signed, key_of

# A yes takes so long, in seconds: something is always on its way when a process dies.
TAKES = 0.02
EVENTS = 6000
DESKS = 3
REDIS_AWAY = 60


class Receiver:
    """An integrator who writes down all that comes, and says yes to what is signed."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.bodies: dict[str, set[bytes]] = defaultdict(set)
        self.times: Counter[str] = Counter()
        self.sequences: dict[str, list[int]] = defaultdict(list)
        self.unsigned = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver.take(headers, body)
                time.sleep(TAKES)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Whoever was killed leaves its connection in the middle: that is no news here.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        if not is_signed(body, headers, keys=self.keys, at=time.time()):
            self.unsigned += 1
            return 401
        event = json.loads(body)
        with self._lock:
            self.times[event["id"]] += 1
            self.bodies[event["id"]].add(body)
            data = event["data"]
            if self.times[event["id"]] == 1 and "conversation_id" in data:
                self.sequences[data["conversation_id"]].append(data["sequence"])
        return 204

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiving(stack: Stack, key: str) -> Iterator[Receiver]:
    """An endpoint of the API that leads to a receiver."""
    receiver = Receiver()
    answer = requests.post(
        f"{stack.url}/v1/endpoints",
        json={"url": receiver.url},
        headers={"Authorization": f"Bearer {key}"},
        timeout=10,
    )
    receiver.keys = [key_of(answer.json()["data"]["secret"])]
    try:
        yield receiver
    finally:
        receiver.close()


class Desk(threading.Thread):
    """A program that closes conversations and opens them again, until it is answered each time."""

    def __init__(self, stack: Stack, key: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._dice = random.Random(seed)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {key}"
        self.is_over = False
        self.acts = 0

    def run(self) -> None:
        while not self.is_over:
            number = self._dice.randrange(1, 400)
            status = self._dice.choice(["closed", "open"])
            self._change(number, {"status": status})
            time.sleep(0.1)

    def _change(self, number: int, change: dict[str, Any]) -> None:
        url = f"{self._stack.url}/v1/conversations/{number}"
        while not self.is_over:
            try:
                answer = self._session.patch(url, json=change, timeout=10)
                if answer.status_code < 500:
                    self.acts += answer.status_code == 200
                    return
            except requests.RequestException:
                pass
            time.sleep(0.2)


def strike(stack: Stack, rounds: int) -> list[str]:
    """What a bad night does, one after the other."""
    struck = []
    dice = random.Random(1)
    for _ in range(rounds):
        for victim in ("uvicorn", "--queues=dispatch", "--queues=drain", "postgres"):
            time.sleep(dice.uniform(0.5, 1.5))
            wait_until(lambda name=victim: stack.kill(name), seconds=30)  # type: ignore[misc]
            struck.append(victim)
        wait_until(lambda: _flush(stack), seconds=30)
        struck.append("FLUSHALL")
    return struck


def _flush(stack: Stack) -> bool:
    try:
        redis.Redis.from_url(embedded.redis_url(stack.folder)).flushall()
    except redis.RedisError:
        return False
    return True


def prove(
    folder: Path, *, events: int, rounds: int, redis_away: float
) -> dict[str, Any]:
    with running(folder) as stack:
        open_account(stack)
        key = stack.manage("create_api_key", "proof").strip()
        with receiving(stack, key) as receiver:
            meta = Meta(stack, events, threads=4, pause=0.02)
            desks = [Desk(stack, key, seed) for seed in range(DESKS)]
            meta.start()
            for desk in desks:
                desk.start()
            struck = strike(stack, rounds)
            with stack.frozen("valkey-server"):
                time.sleep(redis_away)
            wait_until(lambda: not meta.is_busy(), seconds=240)
            for desk in desks:
                desk.is_over = True
                desk.join(30)
            _wait_until_delivered(stack)
            return _compare(stack, receiver) | {
                "struck": struck,
                "acts": sum(desk.acts for desk in desks),
                "answered": len(meta.answered),
            }


def _wait_until_delivered(stack: Stack) -> None:
    unread = "select count(*) from channels_meta_rawevent where state = 'pending'"
    owed = "select count(*) from webhooks_delivery where state = 'pending'"
    wait_until(lambda: not stack.count(unread), seconds=240)
    wait_until(lambda: not stack.count(owed), seconds=240)


def _compare(stack: Stack, receiver: Receiver) -> dict[str, Any]:
    """What the database holds beside what the receiver has."""
    with stack.connect() as connection:
        rows = connection.execute("select id from webhooks_event").fetchall()
    told = {str(row[0]) for row in rows}
    came = set(receiver.times)
    return {
        "events": len(told),
        "lost": len(told - came),
        "invented": len(came - told),
        "twice": sum(count > 1 for count in receiver.times.values()),
        "changed": sum(len(bodies) > 1 for bodies in receiver.bodies.values()),
        "unsigned": receiver.unsigned,
        "out_of_order": sum(
            numbers != sorted(numbers) for numbers in receiver.sequences.values()
        ),
    }


def check(tally: dict[str, Any], *, events: int) -> None:
    sys.stderr.write(f"\ndeliveries: {tally}\n")
    assert tally["answered"] == events
    assert tally["acts"] > 0
    assert tally["events"] > events
    nothing = ("lost", "invented", "changed", "unsigned", "out_of_order")
    assert {name: tally[name] for name in nothing} == dict.fromkeys(nothing, 0)


@pytest.mark.proof
def test_every_event_reaches_the_receiver_whatever_dies(tmp_path: Path) -> None:
    tally = prove(tmp_path / "data", events=EVENTS, rounds=3, redis_away=REDIS_AWAY)
    check(tally, events=EVENTS)
