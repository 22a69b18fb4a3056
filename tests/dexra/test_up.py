"""`manage.py up`, as `make run` starts it: real processes on a port and a folder of their own."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
import requests

from dexra import embedded

CHECKOUT = Path(embedded.__file__).parent.parent


@pytest.fixture(scope="module")
def folder():
    """A folder that the servers' user may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="dexra-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def launch():
    """Start Dexra on a folder and a port; at the end it is stopped if it still runs."""
    launched = []

    def start(data_dir, port, **more):
        kept = ("PATH", "HOME", "TMPDIR")  # nothing of the tests' own settings
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=CHECKOUT,
            env=environment | {"DATA_DIR": str(data_dir), "PORT": str(port), **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=as_from_a_shell(),
        )
        launched.append(process)
        return process

    yield start
    for process in launched:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def dexra(folder, launch):
    """Dexra, started from nothing: its folder, its port, and what it printed."""
    port = free_port()
    return folder / "data", port, read_welcome(launch(folder / "data", port))


def as_from_a_shell():
    """Returns what makes a child listen to Ctrl-C, whatever the tests ignore, and die with us."""
    die_with_us = embedded.die_with_parent(signal.SIGTERM)

    def prepare():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        die_with_us()

    return prepare


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_welcome(process):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C stops everything" in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def wait_until_servers_stopped(data_dir):
    with (data_dir / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def query(data_dir, statement):
    with pytest.MonkeyPatch.context() as environment:
        for name in embedded.NAMES:
            environment.delenv(name, raising=False)
        with (
            embedded.running(data_dir),
            psycopg.connect(embedded.database_url(data_dir)) as connection,
        ):
            return connection.execute(statement).fetchall()


def test_it_answers_and_says_where_and_how_to_sign_in(dexra):
    data_dir, port, welcome = dexra

    assert requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    login = json.loads((data_dir / "demo.json").read_text())
    assert f"Sign in as {login['username']} with {login['password']}" in welcome
    assert f"http://127.0.0.1:{port}/sandbox/" in welcome


def test_its_secrets_and_login_are_for_its_user_alone(dexra):
    data_dir, _port, _welcome = dexra

    for name in ("secrets", "demo.json"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600


def test_a_busy_port_is_refused_with_the_line_that_mends_it(dexra, folder, launch):
    _data_dir, port, _welcome = dexra

    second = launch(folder / "other", port)

    output, _ = second.communicate(timeout=60)
    assert re.search(rf"Port {port} is in use. Take another: PORT=\d+ make run", output)
    assert second.returncode == 1


def test_a_second_one_on_the_same_data_is_refused(dexra, launch):
    data_dir, _port, _welcome = dexra

    second = launch(data_dir, free_port())

    output, _ = second.communicate(timeout=60)
    assert f"Dexra already runs on {data_dir}." in output
    assert second.returncode == 1


def test_the_sandbox_never_meets_a_public_address(folder, launch):
    public = {"SANDBOX": "1", "PUBLIC_URL": "https://dexra.example"}

    refused = launch(folder / "other", free_port(), **public)

    output, _ = refused.communicate(timeout=60)
    assert "PUBLIC_URL (https://dexra.example) is public" in output
    assert refused.returncode == 1


def test_told_to_stop_it_takes_everything_with_it(folder, launch):
    port = free_port()
    process = launch(folder / "stopped", port)
    read_welcome(process)

    process.send_signal(signal.SIGINT)

    output, _ = process.communicate(timeout=60)
    assert output.endswith("Stopped.\n")
    assert process.returncode == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    wait_until_servers_stopped(folder / "stopped")


def test_killed_it_leaves_nothing_running_and_loses_no_row(folder, launch):
    port = free_port()
    process = launch(folder / "killed", port)
    read_welcome(process)
    with socket.create_connection(("127.0.0.1", port)) as page:
        process.kill()

        assert page.recv(1) == b""  # the web process went too
    wait_until_servers_stopped(folder / "killed")

    found = query(folder / "killed", "select count(*) > 0 from inbox_message")
    assert found == [(True,)]
