"""Complaints about threads: their order, what was sent in truth, and how long they may be."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from channels_meta.processing import drain
from inbox.channels import Accepted, OutgoingMessage
from inbox.delivery import deliver_next, settle_uncertain
from inbox.models import Agent, Channel, Conversation, Message
from tests.conftest import Meta, make_conversation, said
from tests.fakes import FakeAdapter
from tests.inbox.pages.test_messages import ids_of
from tests.inbox.pages.test_thread import fill

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_case_22_what_arrives_late_stands_where_it_was_said(
    meta: Meta, messenger: Channel, agent_client: Client
) -> None:
    at = now()
    meta.messaging(said("First", "m_1", at=at - timedelta(minutes=9)))
    drain()
    conversation = Conversation.objects.get()
    Message.objects.create(
        conversation=conversation,
        channel=messenger,
        direction="out",
        source="agent",
        status="sent",
        content="Our answer",
        sent_at=at - timedelta(minutes=5),
    )

    meta.messaging(said("Second", "m_2", at=at - timedelta(minutes=7)))
    drain()

    html = agent_client.get(f"/inbox/all/c/{conversation.pk}/").content.decode()
    shown = html[html.index('id="msgs"') : html.index('id="composer"')]
    places = [shown.index(text) for text in ("First", "Second", "Our answer")]
    assert places == sorted(places)


@pytest.mark.django_db(transaction=True)
def test_case_23_a_delayed_message_has_its_own_time_and_is_new_all_the_same(
    meta: Meta, messenger: Channel, agent_client: Client
) -> None:
    said_at = (now() - timedelta(hours=3)).replace(microsecond=0)
    meta.messaging(said("Late", "m_1", at=said_at))
    drain()

    conversation = Conversation.objects.get()
    message = conversation.messages.get()
    assert message.sent_at == said_at
    assert message.received_at is not None
    assert message.received_at > now() - timedelta(minutes=1)
    assert conversation.unread == 1
    listed = agent_client.get("/inbox/all/").content.decode()
    assert "dx-row-unread" in listed
    html = agent_client.get(f"/inbox/all/c/{conversation.pk}/").content.decode()
    assert f'datetime="{said_at.isoformat()}"' in html


def test_case_32_a_send_whose_worker_died_never_looks_sent(
    agent_client: Client, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    def dies(_message: OutgoingMessage) -> Accepted:
        raise MemoryError

    path = f"/inbox/c/{conversation.pk}/messages/?view=all"
    agent_client.post(path, {"content": "It left today", "key": "k-1"})
    fake_adapter.answer = dies
    with pytest.raises(MemoryError):
        deliver_next(conversation.pk)

    def shown() -> str:
        html = agent_client.get(f"/inbox/all/c/{conversation.pk}/").content.decode()
        return html[html.index('id="msgs"') : html.index('id="composer"')]

    assert "Sending…" in shown()
    for _turn in range(2):
        Message.objects.update(sending_since=now() - timedelta(minutes=10))
        settle_uncertain()

    assert conversation.messages.get().status == "failed"
    assert "may have been sent" in shown()
    assert ">Sent<" not in shown()
    assert "It left today" in shown()


def test_case_50_a_thread_of_ten_thousand_messages_is_no_heavier_than_one_of_fifty(
    agent_client: Client, agent: Agent, channel: Channel
) -> None:
    short = make_conversation(channel, name="Salma")
    long = make_conversation(channel, name="Salma", person_id="person-2")
    fill(short, 50)
    messages = fill(long, 10_000)

    def weigh(conversation: Conversation) -> tuple[int, int, int]:
        """Statements, messages shown, and the weight of the thread's part in bytes."""
        path = f"/inbox/all/c/{conversation.pk}/"
        agent_client.get(path)
        with CaptureQueriesContext(connection) as queries:
            html = agent_client.get(path).content
        part = re.search(rb'id="msgs".*?id="composer"', html, re.DOTALL)
        assert part
        return len(queries), len(ids_of(html)), len(part[0])

    statements, count, weight = weigh(short)
    many_statements, many_count, many_weight = weigh(long)

    assert (many_statements, many_count) == (statements, count)
    assert many_weight < weight * 1.1
    refreshed = agent_client.get(
        f"/inbox/c/{long.pk}/messages/?from={messages[0].pk}",
        headers={"HX-Request": "true"},
    ).content
    assert len(ids_of(refreshed)) == 200
