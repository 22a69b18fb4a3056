"""Who looks, who writes, who took it: kept in Redis for a moment, told to those who are there."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains

from inbox import live, presence
from inbox.models import Agent, Channel, Conversation
from inbox.presence import State, note, read
from tests.conftest import make_agent, make_conversation

pytestmark = pytest.mark.django_db


@pytest.fixture
def yassine(db: None) -> Agent:
    return make_agent("yassine", first_name="Yassine")


@pytest.fixture
def store() -> Any:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


def told(store: Any) -> list[tuple[str, list[int]]]:
    """What the stream says of presence, and to whom."""
    rows = [
        row
        for _, entry in store.xrange(live.STREAM)
        for row in json.loads(entry[b"changes"])
    ]
    return [(row[6], row[8]) for row in rows if row[0] == "presence"]


def test_whoever_looks_and_writes_is_seen(
    conversation: Conversation, agent: Agent, yassine: Agent
) -> None:
    note(conversation, agent, State.VIEWING)
    found = note(conversation, yassine, State.WRITING)

    assert set(found.viewers) == {agent.pk, yassine.pk}
    assert (found.writers, found.claim) == ((yassine.pk,), yassine.pk)
    assert read(conversation) == found


def test_the_first_to_write_takes_it_until_they_leave(
    conversation: Conversation, agent: Agent, yassine: Agent
) -> None:
    note(conversation, yassine, State.WRITING)
    assert note(conversation, agent, State.WRITING).claim == yassine.pk

    note(conversation, yassine, State.LEFT)

    assert note(conversation, agent, State.WRITING).claim == agent.pk


def test_what_somebody_was_given_is_taken_by_nobody(
    conversation: Conversation, agent: Agent, yassine: Agent
) -> None:
    Conversation.objects.update(assignee=agent)
    conversation.refresh_from_db()

    assert note(conversation, yassine, State.WRITING).claim is None


def test_those_who_are_there_are_told_and_nobody_else(
    conversation: Conversation, agent: Agent, yassine: Agent, store: Any
) -> None:
    Conversation.objects.update(assignee=agent)
    conversation.refresh_from_db()
    note(conversation, agent, State.VIEWING)
    assert told(store) == []

    note(conversation, yassine, State.VIEWING)
    note(conversation, yassine, State.VIEWING)
    note(conversation, yassine, State.WRITING)

    assert told(store) == [("viewing", [agent.pk]), ("writing", [agent.pk])]


def test_nothing_of_it_lasts(
    conversation: Conversation, agent: Agent, store: Any
) -> None:
    note(conversation, agent, State.WRITING)

    kept = list(store.scan_iter(f"dexra:*:{conversation.pk}"))
    assert len(kept) == 3
    assert all(0 < store.ttl(key) <= presence.CLAIM_SECONDS for key in kept)


def test_without_redis_nobody_is_seen_and_nothing_breaks(
    conversation: Conversation, agent_client: Client, settings: Any
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    answer = agent_client.post(
        f"/inbox/c/{conversation.pk}/presence/", {"state": "viewing"}
    )

    assert answer.status_code == 200


# --- over HTTP -----------------------------------------------------------------------------------


def test_a_page_is_told_of_the_others_and_not_of_itself(
    conversation: Conversation, agent_client: Client, yassine: Agent
) -> None:
    path = f"/inbox/c/{conversation.pk}/presence/"
    alone = agent_client.post(path, {"state": "viewing"})
    assertNotContains(alone, "Nadia")

    note(conversation, yassine, State.WRITING)

    assertContains(agent_client.get(path), "is writing a reply too")
    assertContains(agent_client.get(path), "Yassine")
    assert agent_client.post(path, {"state": "left"}).status_code == 204


@pytest.mark.parametrize(
    ("state", "status"), [("", 400), ("dancing", 400), ("viewing", 200)]
)
def test_a_state_that_nobody_knows_is_refused(
    conversation: Conversation, agent_client: Client, state: str, status: int
) -> None:
    answer = agent_client.post(
        f"/inbox/c/{conversation.pk}/presence/", {"state": state}
    )

    assert answer.status_code == status


def test_a_conversation_that_is_not_there_is_not_found(agent_client: Client) -> None:
    assert agent_client.get("/inbox/c/4711/presence/").status_code == 404


# --- on the rows ---------------------------------------------------------------------------------


def test_a_row_says_who_is_on_it_to_everybody_else(
    agent_client: Client, conversation: Conversation, yassine: Agent
) -> None:
    note(conversation, yassine, State.WRITING)
    his = Client()
    his.force_login(yassine)

    assertContains(agent_client.get("/inbox/all/"), "<bdi>Yassine</bdi> is on it")
    assertNotContains(his.get("/inbox/all/"), "is on it")


def test_a_row_that_was_given_to_somebody_shows_them(
    agent_client: Client, conversation: Conversation, agent: Agent, yassine: Agent
) -> None:
    note(conversation, yassine, State.WRITING)
    Conversation.objects.update(assignee=agent)

    assertNotContains(agent_client.get("/inbox/all/"), "is on it")


def test_who_is_on_them_costs_the_same_for_one_row_and_for_many(
    agent_client: Client,
    channel: Channel,
    yassine: Agent,
    django_assert_num_queries: Any,
) -> None:
    rows = []
    for number in range(8):
        rows.append(make_conversation(channel, person_id=f"person-{number}"))
    ids = ",".join(str(row.pk) for row in rows)
    note(rows[0], yassine, State.WRITING)
    with CaptureQueriesContext(connection) as one:
        agent_client.get(f"/inbox/all/rows/?ids={ids}")
    for row in rows[1:]:
        note(row, yassine, State.WRITING)

    with django_assert_num_queries(len(one)):
        answer = agent_client.get(f"/inbox/all/rows/?ids={ids}")

    assertContains(answer, "<bdi>Yassine</bdi> is on it", count=8)
