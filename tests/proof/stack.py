"""The whole product as `make run` starts it, with processes that can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    environment: dict[str, str]

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

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """One of its processes takes connections and says nothing: worse than one that is away."""
        pids = self._find(name)
        assert pids, name
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def manage(self, *arguments: str) -> str:
        """What a command of manage.py prints, in the product's environment."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def _find(self, name: str) -> list[int]:
        """Children of `up`, and the servers that work in its folder, whose command has `name`."""
        ours = [pid for pid in _children(self.up.pid) if name in _command(pid)]
        servers = [
            pid
            for pid in (
                int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()
            )
            if name in _command(pid)
            and _works_in(pid, embedded.find_places(self.folder).state)
        ]
        return ours or sorted(servers)


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
    stack = Stack(up, port, folder, log, env)
    try:
        _wait_until_ready(stack)
        yield stack
    finally:
        up.send_signal(signal.SIGTERM)
        try:
            up.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(up.pid, signal.SIGKILL)
        state = embedded.find_places(folder).state
        if not state.is_relative_to(
            folder
        ):  # root's servers could not reach the folder
            shutil.rmtree(state, ignore_errors=True)


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
    with suppress(OSError):
        return [
            int(child)
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _works_in(pid: int, folder: Path) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
    return False


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
