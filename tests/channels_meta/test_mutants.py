"""Recorded events, mutilated at random: nothing raises, nothing is lost, neighbours are unharmed."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from typing import Any

import pytest
from django.db import connection
from django.utils.timezone import now

from channels_meta.models import RawEvent
from channels_meta.processing import drain_once
from inbox.models import Channel, Message
from tests.channels_meta.test_samples import EXPECTED, read_sample
from tests.conftest import said

JUNK: list[Any] = [
    None, True, False, 0, -1, 7, 10**18, 10**400, 1e308, "", "x", "0", "\x00", "\ud83d", "ا" * 40,
    "9" * 5000, [], {}, [[]], [None], {"id": {}}, {"mid": []}, [{"id": 1}], "2026-13-45T99:99:99",
    "<script>", {"a": {"b": {"c": {}}}},
]  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    found = []
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def mutate(data: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A copy with one to four things wrong."""
    mutant = copy.deepcopy(data)
    for _ in range(rng.randint(1, 4)):
        candidates = places(mutant)
        if not candidates:
            break
        container, key = rng.choice(candidates)
        match rng.randrange(4):
            case 0:
                del container[key]
            case 1:
                container[key] = copy.deepcopy(rng.choice(JUNK))
            case 2:
                container[key] = [copy.deepcopy(container[key])]
            case _ if isinstance(container, dict):
                container[rng.choice(["mid", "id", "text", "sender", "zzz"])] = (
                    container.pop(key)
                )
            case _:
                container.append(copy.deepcopy(container[key]))
    return mutant


def attack(rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    beside: list[str] = []
    neighbour_account = "424242"
    Channel.objects.create(
        kind="messenger", external_id=neighbour_account, name="Neighbour"
    )
    samples = [read_sample(name) for name in sorted(EXPECTED)]
    for kind in ("messenger", "instagram"):
        for account in {str(e["id"]) for data in samples for e in data["entry"]}:
            Channel.objects.create(kind=kind, external_id=account, name="Maison Tilila")
    for number in range(rounds):
        mutant = mutate(rng.choice(samples), rng)
        neighbour = said(
            "unharmed", f"m_{number}", person=str(number), account=neighbour_account
        )
        entry = {"id": neighbour_account, "messaging": [neighbour]}
        is_whole = (
            isinstance(mutant.get("entry"), list) and mutant.get("object") == "page"
        )
        if is_whole:
            mutant["entry"].append(entry)
            beside.append(f"m_{number}")
        body = json.dumps(mutant).encode()
        digest = hashlib.sha256(body + str(number).encode()).digest()
        RawEvent.objects.create(body=body, sha256=digest, day=now().date())
        if number % 20 == 0:
            _drain_all()
    _drain_all()
    unharmed = Message.objects.filter(external_id__in=beside, content="unharmed")
    assert unharmed.count() == len(beside) > rounds / 4


def _drain_all() -> None:
    while drain_once():
        pass
    assert not RawEvent.objects.filter(state=RawEvent.State.PENDING).exists()
    with (
        connection.cursor() as cursor
    ):  # no conversation lies with a person of another account
        cursor.execute(
            "select count(*) from inbox_message m join inbox_conversation c on c.id ="
            " m.conversation_id join inbox_channelidentity i on i.id = c.identity_id"
            " where m.channel_id <> c.channel_id or i.channel_id <> c.channel_id"
        )
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
def test_a_few_hundred_mutants_harm_nobody(seed: int) -> None:
    attack(300, seed)


@pytest.mark.proof
@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(10, 14))
def test_thousands_of_mutants_harm_nobody(seed: int) -> None:
    attack(2500, seed)
