"""What docs/webhooks.md says is so."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inbox.events import EventName
from inbox.models import MessageType
from webhooks.schedule import DELAYS
from webhooks.signing import generate_secret, headers, key_of

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def is_from_dexra() -> Callable[[str, dict[str, str], bytes], bool]:
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102 - our own page
    checker: Callable[[str, dict[str, str], bytes], bool] = names["is_from_dexra"]
    return checker


def test_the_snippet_accepts_what_we_sign_and_nothing_else(
    is_from_dexra: Callable[[str, dict[str, str], bytes], bool],
) -> None:
    before, secret, body = generate_secret(), generate_secret(), b'{"event":"ping"}'

    def signed(at: float) -> dict[str, str]:
        keys = [key_of(secret), key_of(before)]
        return headers(event_id="evt_1", timestamp=int(at), body=body, keys=keys)

    given = signed(time.time())
    assert is_from_dexra(secret, given, body)
    assert is_from_dexra(before, given, body)
    assert not is_from_dexra(generate_secret(), given, body)
    assert not is_from_dexra(secret, given, body + b" ")
    assert not is_from_dexra(secret, signed(time.time() - 400), body)
    assert not is_from_dexra(secret, {}, body)
    assert not is_from_dexra(secret, {**given, "webhook-signature": "v1"}, body)


def test_the_example_is_json_and_every_event_and_type_is_named() -> None:
    assert set(json.loads(block("json"))) == {
        "id",
        "event",
        "version",
        "channel",
        "timestamp",
        "source",
        "account",
        "data",
    }
    for name in EventName:
        assert f"`{name.value}`" in PAGE
    for kind in set(MessageType) - {MessageType.EVENT}:
        assert re.search(rf"\b{kind.value}\b", PAGE)


def test_the_schedule_is_the_one_that_is_kept() -> None:
    told = re.search(r"After a no: ([^±]*), each", PAGE)
    assert told
    units = {"s": 1, "min": 60, "h": 3600}
    seconds = [
        int(number) * units[unit]
        for number, unit in re.findall(r"(\d+) (s|min|h)\b", told[1])
    ]
    assert seconds == [delay.total_seconds() for delay in DELAYS]
