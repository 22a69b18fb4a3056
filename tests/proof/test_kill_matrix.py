"""kill -9 of everything while customers write: what was answered 200 is in the inbox, once."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.proof.meta import PEOPLE, Meta, open_account
from tests.proof.stack import running

# What `up` calls its children on their command lines.
VICTIMS = ("uvicorn", "--queues=drain", "--queues=send", "valkey-server", "postgres")


def prove(
    folder: Path, *, events: int, kills: int, seed: int, pause: float = 0
) -> dict[str, Any]:
    rng = random.Random(seed)
    with running(folder) as stack:
        open_account(stack)
        meta = Meta(stack, events, threads=8, pause=pause)
        meta.start()
        killed: list[str] = []
        rounds = [
            victim for _ in range(kills) for victim in rng.sample(VICTIMS, len(VICTIMS))
        ]
        for victim in rounds:
            if not meta.is_busy():
                break
            time.sleep(rng.uniform(0.2, 0.9))
            # One that is being started again just now is there in a moment.
            wait_until(lambda name=victim: stack.kill(name), seconds=30)  # type: ignore[misc]
            killed.append(victim)
        wait_until(lambda: not meta.is_busy(), seconds=240)
        wait_until(
            lambda: (
                not stack.count(
                    "select count(*) from channels_meta_rawevent where state = 'pending'"
                )
            ),
            seconds=240,
        )
        found = stack.count("select count(*) from inbox_message")
        distinct = stack.count("select count(distinct external_id) from inbox_message")
        conversations = stack.count("select count(*) from inbox_conversation")
        events_out = stack.count(
            "select count(*) from webhooks_event where name = 'message_in'"
        )
    return {
        "answered": len(meta.answered),
        "refusals": meta.refusals,
        "killed": killed,
        "found": found,
        "distinct": distinct,
        "conversations": conversations,
        "events": events_out,
    }


def check(tally: dict[str, Any], *, events: int) -> None:
    sys.stderr.write(f"\nkill matrix: {tally}\n")
    assert tally["answered"] == events
    assert tally["found"] == tally["distinct"] == events
    assert tally["events"] == events
    assert tally["conversations"] == min(PEOPLE, events)
    assert set(tally["killed"]) == set(VICTIMS)


@pytest.mark.proof
def test_twenty_thousand_events_survive_kills_of_everything(tmp_path: Path) -> None:
    check(prove(tmp_path / "data", events=20_000, kills=3, seed=1), events=20_000)


def test_a_small_slice_of_the_kill_matrix(tmp_path: Path) -> None:
    check(
        prove(tmp_path / "data", events=1200, kills=1, seed=2, pause=0.03), events=1200
    )
