"""The whole product as `make run` starts it, with processes that can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests

from dexra import embedded

ROOT = Path(__file__).parent.parent.parent
SECRET = "proof-app-secret"


@dataclass
class Stack:
    """port: where it answers. log: what it said."""

    up: subprocess.Popen[bytes]
    port: int
    folder: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection, as soon as PostgreSQL takes one."""
        end = time.monotonic() + 60
        while True:
            try:
                return psycopg.connect(
                    embedded.database_url(self.folder),
                    autocommit=True,
                    connect_timeout=5,
                )
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def count(self, sql: str) -> int:
        with self.connect() as connection:
            row = connection.execute(sql).fetchone()
        return int(str(row[0])) if row else 0

    def kill(self, name: str) -> bool:
        """SIGKILL one of the product's processes, and its children. False if it is not running."""
        for pid in self._find(name):
            for victim in (*_children(pid), pid):
                _kill(victim)
            return True
        return False

    def _find(self, name: str) -> list[int]:
        """Direct children of `up` whose command line has `name`."""
        return [pid for pid in _children(self.up.pid) if name in _command(pid)]


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Stack]:
    """`manage.py up` on a folder of its own, without the demo."""
    port = _free_port()
    env = {
        k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}
    }
    env |= {
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "META_APP_SECRET": SECRET,
        "DJANGO_SETTINGS_MODULE": "dexra.settings",
        "SANDBOX": "1",
        **environment,
    }
    log = folder.parent / "up.log"
    with log.open("wb") as out:
        up = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--no-demo"],
            cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    stack = Stack(up, port, folder, log)
    try:
        _wait_until_ready(stack)
        yield stack
    finally:
        up.send_signal(signal.SIGTERM)
        try:
            up.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(up.pid, signal.SIGKILL)


def _wait_until_ready(stack: Stack) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        assert stack.up.poll() is None, stack.log.read_text()[-3000:]
        try:
            if requests.get(f"{stack.url}/readyz", timeout=2).json()["status"] == "ok":
                return
        except (requests.RequestException, ValueError, KeyError):
            pass
        time.sleep(0.2)
    raise AssertionError(stack.log.read_text()[-3000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    out = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    )
    return [int(line) for line in out.stdout.split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
