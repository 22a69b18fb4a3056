"""Cases of agents who were told of everything, or of nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from channels_meta.processing import drain
from inbox import live
from inbox.live import Change
from inbox.models import Agent, Channel, Conversation
from inbox.preferences import preferences_of
from inbox.stream.readers import Reader
from tests.conftest import Meta, make_meta_channel, said

pytestmark = pytest.mark.django_db(transaction=True)


def test_case_54_each_agent_chooses_of_what_and_from_where_they_are_notified(
    meta: Meta, messenger: Channel, agent: Agent, agent_client: Client
) -> None:
    loud = make_meta_channel("messenger", "1055502")
    chosen = {"first_name": "Nadia", "has_shortcuts": "on", "undo_seconds": "0"}
    agent_client.post(
        "/inbox/account/",
        {**chosen, "notifies_of": ["unassigned"], "muted_channels": [messenger.pk]},
    )

    meta.messaging(said("Salam", "m_1"))
    item = said("Bonjour", "m_2", person="7702", account="1055502")
    entry = {"id": "1055502", "time": 1, "messaging": [item]}
    meta.post({"object": "page", "entry": [entry]})
    drain()

    wishes = preferences_of(Agent.objects.get(pk=agent.pk))
    reader = Reader(
        agent.pk, frozenset(wishes.notifies_of), frozenset(wishes.muted_channels)
    )
    wanted = [one.channel_id for one in notified() if reader.wish(one)]
    assert Conversation.objects.count() == 2
    assert wanted == [loud.pk]


def notified() -> list[Change]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        rows: list[Any] = [
            row
            for _, entry in client.xrange(live.STREAM)
            for row in json.loads(entry[b"changes"])
        ]
    return [Change(*row) for row in rows if row[0] == "notify"]
