"""Meta, as it posts events to us: again and again until it hears 200."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time

import requests

from tests.proof.stack import SECRET, Stack

ACCOUNT = "1055501"
PEOPLE = 500


def open_account(stack: Stack) -> None:
    """The account that the events are of. It has no token: nothing can be sent from it."""
    stack.count(
        "with c as (insert into inbox_channel (kind, external_id, name, username, status,"
        " status_reason, features, reopening, is_sandbox, created_at)"
        f" values ('messenger', '{ACCOUNT}', 'Proof', '', 'active', '', '{{}}', 'reopen', false,"
        " now()) returning 1) select count(*) from c"
    )


def make_body(number: int) -> bytes:
    item = {
        "sender": {"id": str(7000 + number % PEOPLE)},
        "recipient": {"id": ACCOUNT},
        "timestamp": int(time.time() * 1000),
        "message": {"mid": f"m_{number}", "text": f"line {number}"},
    }
    entry = {"id": ACCOUNT, "time": int(time.time() * 1000), "messaging": [item]}
    return json.dumps({"object": "page", "entry": [entry]}).encode()


class Meta:
    """Some threads that each post one event after the other."""

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
