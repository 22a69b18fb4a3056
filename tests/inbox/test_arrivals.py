"""What arrives by another way than an event, or must not arrive at all."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from channels_meta.models import RawEvent
from inbox.inbound import (
    Act,
    Arrival,
    Echo,
    InboundMessage,
    Part,
    ReactionChange,
    receive,
)
from inbox.models import Channel, ChannelIdentity, Conversation, Fetch, Message
from tests.channels_meta.test_events import arrive as journal
from tests.conftest import envelope, said
from webhooks.models import Event

pytestmark = pytest.mark.django_db


def wrote(
    mid: str, content: str = "Salam", *, ago: timedelta = timedelta(), **more: Any
) -> InboundMessage:
    return InboundMessage(
        person_id="person-1", external_id=mid, sent_at=now() - ago, type="text",
        content=content, opens_window="message", **more,
    )  # fmt: skip


def found(channel: Channel, *items: Any, recovered: str) -> Any:
    return receive(
        [Arrival(channel.pk, now(), item, recovered=recovered) for item in items]
    )


def test_history_wakes_nobody(channel: Channel) -> None:
    old = timedelta(days=3)

    found(channel, wrote("m_1", ago=old), recovered="history")

    conversation = Conversation.objects.get()
    assert (conversation.status, conversation.unread) == ("closed", 0)
    assert (conversation.waiting_since, conversation.last_message["text"]) == (
        None,
        "Salam",
    )
    assert Message.objects.get().extra == {"recovered": True}


def test_a_conversation_of_today_is_found_open(channel: Channel) -> None:
    found(
        channel,
        wrote("m_1", ago=timedelta(days=3)),
        wrote("m_2", ago=timedelta(hours=1)),
        recovered="history",
    )

    assert Conversation.objects.get().status == "open"
    assert Conversation.objects.get().window_expires_at is not None


def test_history_reopens_nothing(channel: Channel) -> None:
    receive([Arrival(channel.pk, now(), wrote("m_1"))])
    Conversation.objects.update(status="closed", unread=0)

    found(channel, wrote("m_0", ago=timedelta(minutes=5)), recovered="history")

    assert Conversation.objects.get().status == "closed"


def test_what_was_missed_is_news(channel: Channel) -> None:
    receive([Arrival(channel.pk, now(), wrote("m_1"))])
    Conversation.objects.update(status="closed", unread=0)

    told = found(channel, wrote("m_1"), wrote("m_2"), recovered="missed")

    conversation = Conversation.objects.get()
    assert (conversation.status, conversation.unread, told.stored) == ("open", 1, 1)
    events = Event.objects.filter(message_id=Message.objects.get(external_id="m_2").pk)
    assert json.loads(bytes(events.get().body))["data"]["recovered"] is True


def test_what_we_looked_for_ourselves_is_no_sign_of_life(channel: Channel) -> None:
    found(channel, wrote("m_1"), recovered="missed")
    channel.refresh_from_db()
    assert channel.last_event_at is None

    receive([Arrival(channel.pk, now(), wrote("m_2"))])

    channel.refresh_from_db()
    assert channel.last_event_at is not None


def test_history_asks_for_no_more_history(channel: Channel) -> None:
    found(channel, wrote("m_1"), recovered="history")

    kinds = Fetch.objects.values_list("kind", flat=True)
    assert list(kinds) == [Fetch.Kind.PROFILE]


def test_a_strangers_first_message_asks_for_what_came_before(channel: Channel) -> None:
    receive([Arrival(channel.pk, now(), wrote("m_1"))])

    kinds = Fetch.objects.order_by("kind").values_list("kind", flat=True)
    assert list(kinds) == [Fetch.Kind.HISTORY, Fetch.Kind.PROFILE]


@pytest.mark.parametrize("recovered", ["", "missed", "history"])
def test_what_a_forgotten_person_wrote_comes_back_by_no_way(
    channel: Channel, conversation: Conversation, recovered: str
) -> None:
    forgotten_at = now() - timedelta(hours=1)
    ChannelIdentity.objects.update(erased_at=forgotten_at)
    before: datetime = forgotten_at - timedelta(minutes=1)
    old = [
        wrote("m_1", "my secret", ago=timedelta(hours=2),
              parts=(Part("image", "https://scontent.xx.fbcdn.net/a.png"),)),
        Echo("person-1", "m_2", before, "text", "our secret"),
        Act("person-1", "a_1", before, "referral", {"ref": "secret"}),
        ReactionChange("person-1", "m_9", "person-1", "❤️", before),
    ]  # fmt: skip

    told = found(channel, *old, wrote("m_3", "new"), recovered=recovered)

    assert list(Message.objects.values_list("content", flat=True)) == ["new"]
    assert {mid for _, mid in told.erased} == {"m_1", "m_2", "a_1"}


def test_the_journal_keeps_nothing_of_a_forgotten_person_either(
    messenger: Channel,
) -> None:
    journal(envelope(said("Salam", "m_1", at=now() - timedelta(hours=3))))
    ChannelIdentity.objects.update(erased_at=now() - timedelta(hours=1))

    journal(envelope(said("my secret", "m_2", at=now() - timedelta(hours=2))))

    assert not Message.objects.filter(external_id="m_2").exists()
    assert not any(b"secret" in bytes(row.body) for row in RawEvent.objects.all())
