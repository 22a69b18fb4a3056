"""Recorded events, mutilated: nothing raises, nothing is lost, nobody sees another's messages."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
SAMPLES = {name: read_sample(name) for name in sorted(EXPECTED)}
# Mutants that are drained together: one example of Hypothesis.
FLOCK = 20
NEIGHBOUR = "424242"
KINDS = {"page": "messenger", "instagram": "instagram"}
NO_ORPHANS = """
select count(*) from inbox_message m
  join inbox_conversation c on c.id = m.conversation_id
  join inbox_channelidentity i on i.id = c.identity_id
 where m.channel_id <> c.channel_id or i.channel_id <> c.channel_id
"""


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


@st.composite
def flocks(draw: st.DrawFn) -> list[dict[str, Any]]:
    rng = draw(st.randoms(use_true_random=False))
    names = list(SAMPLES)
    return [mutate(SAMPLES[rng.choice(names)], rng) for _ in range(FLOCK)]


def owed(mutant: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(kind, account, message id) of every message in it that is still one: none may be lost."""
    kind = KINDS.get(str(mutant.get("object")), "")
    entries = mutant.get("entry")
    for entry in entries if kind and isinstance(entries, list) else []:
        items = entry.get("messaging") if isinstance(entry, dict) else None
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict) and (mid := _message_id(entry.get("id"), item)):
                yield kind, str(entry["id"]), mid


def _message_id(account: Any, item: dict[str, Any]) -> str:
    message, sender = item.get("message"), item.get("sender")
    if not (isinstance(message, dict) and isinstance(sender, dict)):
        return ""
    if "is_echo" in message or "is_deleted" in message or "is_self" in message:
        return ""
    names = (account, sender.get("id"), message.get("mid"))
    are_ids = all(isinstance(name, str | int) and not isinstance(name, bool) for name in names)  # fmt: skip
    texts = [str(name) for name in names] if are_ids else [""]
    are_whole = all(text and len(text) < 200 and text.isprintable() for text in texts)
    if not are_whole or texts[0] in {"0", texts[1]}:
        return ""
    return texts[2]


def attack(mutants: list[dict[str, Any]]) -> None:
    """Journal them, each beside a message of a neighbour where it can be, and drain them all."""
    beside, due = set(), set()
    for number, mutant in enumerate(mutants):
        neighbour = said("unharmed", f"n_{number}", person="9", account=NEIGHBOUR)
        if isinstance(mutant.get("entry"), list) and mutant.get("object") == "page":
            mutant["entry"].append({"id": NEIGHBOUR, "messaging": [neighbour]})
            beside.add(f"n_{number}")
        due |= set(owed(mutant))
        body = json.dumps(mutant).encode()
        digest = hashlib.sha256(body + str(number).encode()).digest()
        RawEvent.objects.create(body=body, sha256=digest, day=now().date())

    while drain_once():
        pass

    assert not RawEvent.objects.filter(state=RawEvent.State.PENDING).exists()
    unharmed = Message.objects.filter(channel__external_id=NEIGHBOUR, is_stub=False)
    assert set(unharmed.values_list("external_id", "content")) == {
        (mid, "unharmed") for mid in beside
    }
    known = {(c.kind, c.external_id) for c in Channel.objects.all()}
    stored = set(
        Message.objects.filter(is_stub=False).values_list(
            "channel__kind", "channel__external_id", "external_id"
        )
    )
    assert {one for one in due if one[:2] in known} <= stored
    with connection.cursor() as cursor:
        cursor.execute(NO_ORPHANS)
        assert cursor.fetchone() == (0,)


@pytest.fixture
def accounts(db: None) -> None:
    found = {str(e["id"]) for data in SAMPLES.values() for e in data["entry"]}
    wanted = [(kind, one) for kind in KINDS.values() for one in sorted(found - {"0"})]
    Channel.objects.bulk_create(
        Channel(kind=kind, external_id=one, name="Maison Tilila")
        for kind, one in [*wanted, ("messenger", NEIGHBOUR)]
    )


def undone(mutants: list[dict[str, Any]]) -> None:
    """Each flock finds the database as the first did."""
    with transaction.atomic():
        attack(mutants)
        transaction.set_rollback(True)


CALM = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large,
        HealthCheck.large_base_example]  # fmt: skip


@pytest.mark.usefixtures("accounts")
@settings(max_examples=30, deadline=None, derandomize=True, database=None,
          suppress_health_check=CALM)  # fmt: skip
@given(flocks())
def test_600_mutants_harm_nobody(mutants: list[dict[str, Any]]) -> None:
    undone(mutants)


@pytest.mark.proof
@pytest.mark.usefixtures("accounts")
@settings(max_examples=1000, deadline=None, database=None, print_blob=True,
          suppress_health_check=CALM)  # fmt: skip
@given(flocks())
def test_20_000_mutants_harm_nobody(mutants: list[dict[str, Any]]) -> None:
    undone(mutants)
