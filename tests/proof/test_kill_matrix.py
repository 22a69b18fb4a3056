"""kill -9 of everything while customers write: what was answered 200 is in the inbox, once."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import wait_until
from tests.proof.stack import SECRET, Stack, running

ACCOUNT = "1055501"
# What `up` calls its children on their command lines.
VICTIMS = ("uvicorn", "--queues=drain", "--queues=send", "valkey-server", "postgres")


def make_body(number: int) -> bytes:
    item = {
        "sender": {"id": str(7000 + number % 500)},
        "recipient": {"id": ACCOUNT},
        "timestamp": int(time.time() * 1000),
        "message": {"mid": f"m_{number}", "text": f"line {number}"},
    }
    entry = {"id": ACCOUNT, "time": int(time.time() * 1000), "messaging": [item]}
    return json.dumps({"object": "page", "entry": [entry]}).encode()


class Meta:
    """Posts events as Meta does: again and again until it hears 200."""

    def __init__(
        self, stack: Stack, events: int, *, threads: int, pause: float
    ) -> None:
        self.stack = stack
        self._pause = pause
        self.answered: set[int] = set()
        self.refusals = 0
        self._numbers = iter(range(events))
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, daemon=True) for _ in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def is_busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        session = requests.Session()
        session.trust_env = False
        while True:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            self._deliver(session, number)
            time.sleep(self._pause)

    def _deliver(self, session: requests.Session, number: int) -> None:
        data = make_body(number)
        digest = hmac.new(SECRET.encode(), data, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={digest}"}
        while True:
            try:
                answer = session.post(
                    f"{self.stack.url}/meta/webhook",
                    data=data,
                    headers=headers,
                    timeout=10,
                )
                if answer.status_code == 200:
                    with self._lock:
                        self.answered.add(number)
                    return
            except requests.RequestException:
                pass
            self.refusals += 1
            time.sleep(0.2)


def prove(
    folder: Path, *, events: int, kills: int, seed: int, pause: float = 0
) -> dict[str, Any]:
    rng = random.Random(seed)
    with running(folder) as stack:
        stack.count(
            "with c as (insert into inbox_channel (kind, external_id, name, username, status,"
            " status_reason, features, reopening, is_sandbox, created_at)"
            f" values ('messenger', '{ACCOUNT}', 'Proof', '', 'active', '', '{{}}', 'reopen', false,"
            " now()) returning 1) select count(*) from c"
        )
        meta = Meta(stack, events, threads=8, pause=pause)
        meta.start()
        killed: list[str] = []
        rounds = [
            victim for _ in range(kills) for victim in rng.sample(VICTIMS, len(VICTIMS))
        ]
        for victim in rounds:
            if not meta.is_busy():
                break
            time.sleep(rng.uniform(0.2, 0.9))
            # One that is being started again just now is there in a moment.
            wait_until(lambda name=victim: stack.kill(name), seconds=30)  # type: ignore[misc]
            killed.append(victim)
        wait_until(lambda: not meta.is_busy(), seconds=240)
        wait_until(
            lambda: (
                not stack.count(
                    "select count(*) from channels_meta_rawevent where state = 'pending'"
                )
            ),
            seconds=240,
        )
        found = stack.count("select count(*) from inbox_message")
        distinct = stack.count("select count(distinct external_id) from inbox_message")
        conversations = stack.count("select count(*) from inbox_conversation")
        events_out = stack.count(
            "select count(*) from webhooks_event where name = 'message_in'"
        )
    return {
        "answered": len(meta.answered),
        "refusals": meta.refusals,
        "killed": killed,
        "found": found,
        "distinct": distinct,
        "conversations": conversations,
        "events": events_out,
    }


def check(tally: dict[str, Any], *, events: int) -> None:
    sys.stderr.write(f"\nkill matrix: {tally}\n")
    assert tally["answered"] == events
    assert tally["found"] == tally["distinct"] == events
    assert tally["events"] == events
    assert tally["conversations"] == min(500, events)
    assert set(tally["killed"]) == set(VICTIMS)


@pytest.mark.proof
def test_twenty_thousand_events_survive_kills_of_everything(tmp_path: Path) -> None:
    check(prove(tmp_path / "data", events=20_000, kills=3, seed=1), events=20_000)


def test_a_small_slice_of_the_kill_matrix(tmp_path: Path) -> None:
    check(
        prove(tmp_path / "data", events=1200, kills=1, seed=2, pause=0.03), events=1200
    )
