"""`manage.py up`: Dexra on one machine. `make run` is this, in an environment of its own."""

import contextlib
import errno
import fcntl
import http.client
import io
import json
import os
import signal
import socket
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection, connections

from dexra import embedded

ADDRESS = "127.0.0.1"


class Process(embedded.Program):
    """One of Dexra's own processes."""

    # What a killed one leaves is taken up again; a slow goodbye would hold the port.
    orphan_signal = signal.SIGKILL
    patience = 5.0

    def __init__(self, label: str, *arguments: str) -> None:
        super().__init__(label, settings.DATA_DIR / "logs" / f"{label}.log")
        self.arguments = arguments

    def command(self) -> list[str | Path]:
        return [sys.executable, "-m", *self.arguments]

    def setting(self) -> dict[str, Any]:
        return {"cwd": settings.BASE_DIR}

    def answers(self) -> bool:
        """Workers have no door to knock at: what cannot start is gone again within seconds."""
        return time.monotonic() - self.started_at > 10


class Web(Process):
    def answers(self) -> bool:
        public = urlsplit(settings.PUBLIC_URL).netloc
        page = http.client.HTTPConnection(ADDRESS, settings.PORT, timeout=2)
        try:
            page.request("GET", "/readyz", headers={"Host": public})
            return page.getresponse().status == 200
        except OSError:
            return False
        finally:
            page.close()


class Command(BaseCommand):
    help = "Run Dexra: PostgreSQL and Valkey (unless given), web, workers and beat. Ctrl-C stops it all."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--no-demo", action="store_true", help="leave an empty workspace empty"
        )

    def handle(self, *, no_demo: bool, **_options: object) -> None:
        play_by_default()
        if "MAKELEVEL" in os.environ:
            embedded.die_with_parent(signal.SIGTERM, parent=os.getppid())()
        folder = embedded.data_folder(settings.DATA_DIR)
        try:
            with only_one(folder):
                check_port()
                self.run(folder, demo=settings.SANDBOX and not no_demo)
        except KeyboardInterrupt:  # before there was anything to stop in order
            self.say("")
        self.say("Stopped.")

    def run(self, folder: Path, *, demo: bool) -> None:
        hold = embedded.Hold(folder)
        with self.step("Servers"):
            hold.take()
        try:
            self.prepare_database(folder, demo=demo)
            self.run_processes(hold, folder)
        finally:
            hold.release()

    def say(self, line: str, ending: str = "\n") -> None:
        self.stdout.write(line, ending=ending)
        self.stdout.flush()  # a log or pipe shows it at once too

    @contextlib.contextmanager
    def step(self, label: str) -> Iterator[None]:
        self.say(f"{label} ... ", ending="")
        started = time.perf_counter()
        try:
            yield
        except BaseException:
            self.say("failed")
            raise
        self.say(f"{time.perf_counter() - started:.1f} s")

    def prepare_database(self, folder: Path, *, demo: bool) -> None:
        try:
            empty = "django_migrations" not in connection.introspection.table_names()
        except OperationalError as error:
            raise CommandError(
                f"PostgreSQL does not answer: {error} Check DATABASE_URL."
            ) from error
        with self.step("Database"):
            call_command("migrate", interactive=False, verbosity=0)
        # Without a file of its login the demo is not there, or was never finished.
        if demo and (empty or not (folder / "demo.json").exists()):
            with self.step("Demo"):
                call_command("seed_demo", stdout=io.StringIO())  # `welcome` says it
        connections.close_all()

    def stop(self, _signum: int, _frame: FrameType | None) -> None:
        self.enough.set()

    def run_processes(self, hold: embedded.Hold, folder: Path) -> None:
        """Until a signal says that it is enough."""
        self.enough = threading.Event()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup
                signal.signal(signum, self.stop)
        web = Web("web", *web_arguments())
        others = [
            Process("send", *worker_arguments("send", "threads", 16, "send")),
            Process("fetch", *worker_arguments("fetch", "threads", 8, "fetch")),
            Process("work", *worker_arguments("work", "prefork", 2, "drain,default")),
            # Alone: a flood of customers must not hold up integrators, nor they the customers.
            Process(
                "dispatch", *worker_arguments("dispatch", "prefork", 1, "dispatch")
            ),
            Process("beat", *BEAT, f"--schedule={folder / 'beat-schedule'}"),
        ]
        try:
            with self.step("Web, workers, beat"):
                while not web.answered and not self.enough.is_set():
                    self.tend(hold, [web, *others], 0.05)
                    if web.trouble:
                        raise CommandError("Dexra gives up.")
            if web.answered:
                self.welcome(folder)
            while not self.enough.is_set():
                self.tend(hold, [web, *others], 0.5)
        finally:
            for group in ([web], others):
                for process in group:
                    process.ask_to_stop()
                for process in group:
                    process.wait_for_end()

    def tend(
        self, hold: embedded.Hold, processes: list[Process], seconds: float
    ) -> None:
        hold.tend()
        for process in processes:
            told = process.trouble
            process.tend()
            if process.trouble and process.trouble != told:
                self.stderr.write(process.trouble)
        self.enough.wait(seconds)

    def welcome(self, folder: Path) -> None:
        base = settings.PUBLIC_URL
        lines = [("Inbox", "/inbox/", "answer conversations")]
        if settings.SANDBOX:
            lines += [
                ("Sandbox", "/sandbox/", "play a customer; it arrives in the inbox"),
                ("Webhooks", "/sandbox/echo/", "what an integrator's endpoint gets"),
            ]
        lines += [
            ("Admin", "/admin/", "channels, people, automations, endpoints"),
            ("API", "/v1/schema", "for programs; a key: manage.py create_api_key NAME"),
        ]
        self.say(f"\nDexra runs at {self.style.SUCCESS(base)}")
        if not settings.PUBLIC_IS_LOCAL:
            self.say(f"  Your proxy reaches it at http://{ADDRESS}:{settings.PORT}")
        self.say("")
        for label, path, what in lines:
            self.say(f"  {label:<10}{base}{path:<16}  {what}")
        login = demo_login(folder)
        self.say(
            f"\n  Sign in as {login['username']} with {login['password']}"
            if login
            else "\n  Make yourself a login: .venv/bin/python manage.py createsuperuser"
        )
        self.say(f"  Logs are in {folder / 'logs'}. Ctrl-C stops everything.\n\n")


def play_by_default() -> None:
    """Turn the sandbox on where nobody said otherwise and only this machine sees it.

    The settings of this process are made up already, so it begins anew with SANDBOX in its environment.
    """
    if "SANDBOX" not in os.environ and settings.PUBLIC_IS_LOCAL:
        os.environ["SANDBOX"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Two would share one beat schedule, and probably the port."""
    with (folder / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"Dexra already runs on {folder}. Stop it there, or start another: "
                "DATA_DIR=.data2 PORT=8001 make run"
            ) from error
        yield


def check_port() -> None:
    problem = bind_problem(settings.PORT)
    if problem is None:
        return
    reason = (
        "is in use"
        if problem.errno == errno.EADDRINUSE
        else f"cannot be used ({problem.strerror})"
    )
    free = next((port for port in range(8000, 8100) if not bind_problem(port)), 9000)
    raise CommandError(
        f"Port {settings.PORT} {reason}. Take another: PORT={free} make run"
    )


def bind_problem(port: int) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            return error
    return None


def web_arguments() -> list[str]:
    proxies = settings.TRUSTED_PROXIES
    return [
        *(
            "uvicorn",
            "dexra.asgi:application",
            f"--host={ADDRESS}",
            f"--port={settings.PORT}",
        ),
        *(
            "--loop=uvloop",
            "--http=httptools",
            "--ws=none",
            "--no-access-log",
            "--no-server-header",
        ),
        "--timeout-graceful-shutdown=3",  # open streams would hold it
        *(
            ("--proxy-headers", f"--forwarded-allow-ips={','.join(proxies)}")
            if proxies
            else ("--no-proxy-headers",)
        ),
    ]


def worker_arguments(name: str, pool: str, concurrency: int, queues: str) -> list[str]:
    return [
        *(
            "celery",
            "-A",
            "dexra",
            "worker",
            f"--hostname={name}@%h",
            f"--queues={queues}",
        ),
        *(f"--pool={pool}", f"--concurrency={concurrency}", "--loglevel=WARNING"),
        *(
            "--without-gossip",
            "--without-mingle",
        ),  # a second each, for nothing that we use
    ]


BEAT = ("celery", "-A", "dexra", "beat", "--loglevel=WARNING")


def demo_login(folder: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / "demo.json").read_text())
        if {"username", "password"} <= found.keys():
            return dict(found)
    return {}
