"""Ten minutes of everything going wrong: nothing is lost, nothing doubled, every failure has its reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dexra import embedded
from tests.proof.stack import ROOT, SECRET, Stack, running

PROGRAM = """
import django, sys
django.setup()
from tests.proof.chaos import main
main(sys.argv[1])
"""


def cause_chaos(stack: Stack, **run: float) -> dict[str, Any]:
    """Run the chaos as a program of its own, in the product's environment; its tally."""
    drop = {"DATABASE_URL", "REDIS_URL"}
    env = {k: v for k, v in os.environ.items() if k not in drop}
    env |= {
        "DATA_DIR": str(stack.folder),
        "DATABASE_URL": embedded.database_url(stack.folder),
        "REDIS_URL": embedded.redis_url(stack.folder),
        "MAKE_UP_SECRETS": "1",
        "PORT": str(stack.port),
        "PUBLIC_URL": stack.url,
        "META_APP_SECRET": SECRET,
        "DJANGO_SETTINGS_MODULE": "dexra.settings",
        "SANDBOX": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(run)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    sys.stderr.write(f"\nchaos: {done.stdout}\n")
    tally: dict[str, Any] = json.loads(done.stdout)
    return tally


def check(tally: dict[str, Any]) -> None:
    assert tally["unfinished"] == {
        "untold": 0,
        "journal": 0,
        "replies": 0,
        "imports": 0,
    }
    assert tally["written"] == tally["received"]
    assert tally["on_the_phone"] >= tally["sent"]
    nothing = (
        "lost",
        "invented",
        "doubled_here",
        "doubled_there",
        "sent_but_not_there",
        "unexplained",
        "refused_but_there",
        "out_of_order_there",
        "out_of_order_here",
        "unsent_but_shown",
    )
    assert {name: tally[name] for name in nothing} == dict.fromkeys(nothing, 0)


@pytest.mark.proof
def test_ten_minutes_of_everything_at_once(tmp_path: Path) -> None:
    with running(tmp_path / "data") as stack:
        check(cause_chaos(stack, seconds=600, events=50, replies=20, seed=1))
