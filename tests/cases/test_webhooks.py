"""What users of other inboxes complain about in webhooks, and does not happen here."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now

from inbox.channels import Accepted
from inbox.delivery import claim_next, record_outcome
from inbox.models import Agent, ApiKey, Channel, Conversation, Source
from inbox.outbound import queue_reply
from tests.conftest import echoed, said
from tests.inbox.test_inbound import arrive, unsend
from tests.webhooks.conftest import (
    Answer,
    Receiver,
    deliver_all,
    endpoint,
    live_conversation,
    new_receiver,
    receiver,
    say,
    verify,
)
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Event
from webhooks.sending import dispatch

__all__ = ["endpoint", "live_conversation", "new_receiver", "receiver"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_case_57_a_receiver_that_says_no_is_asked_again_and_delays_nobody(
    live_conversation: Conversation, new_receiver: Callable[[], Receiver]
) -> None:
    bad, good = new_receiver(), new_receiver()
    bad.answer = lambda received: Answer(status=503)
    owed = [Endpoint.objects.create(url=one.url).pk for one in (bad, good)]
    say(live_conversation, "One", "Two")

    dispatch()

    said_no = Delivery.objects.filter(endpoint=owed[0])
    assert len(good.received) == 2
    assert {one.state for one in said_no} == {"pending"}
    assert all(one.next_attempt_at > now() for one in said_no)
    bad.answer = lambda received: Answer()
    deliver_all()
    assert {event["id"] for event in bad.events} == {
        event["id"] for event in good.events
    }
    assert not Delivery.objects.exclude(state="delivered").exists()


def test_case_57_what_was_given_up_stays_in_the_log_and_is_sent_again_on_demand(
    endpoint: Endpoint, receiver: Receiver, live_conversation: Conversation
) -> None:
    receiver.answer = lambda received: Answer(status=500, body=b"no room")
    say(live_conversation, "Is this available?")
    deliver_all()
    given_up = Delivery.objects.get()
    assert given_up.state == "failed"
    assert DeliveryAttempt.objects.filter(response="no room").count() == 10

    receiver.answer = lambda received: Answer()
    boss = Client()
    boss.force_login(Agent.objects.create_superuser("boss"))
    boss.post(f"/webhooks/log/{given_up.pk}/resend/")
    dispatch()

    given_up.refresh_from_db()
    assert given_up.state == "delivered"
    assert len({received.body for received in receiver.received}) == 1


def test_case_58_the_secret_that_is_shown_is_the_one_that_signs(
    receiver: Receiver, live_conversation: Conversation
) -> None:
    _row, key = ApiKey.issue("CRM")
    made = Client(headers={"Authorization": f"Bearer {key}"}).post(
        "/v1/endpoints", {"url": receiver.url}, content_type="application/json"
    )
    receiver.answer = lambda received: Answer(
        status=500 if len(receiver.received) == 1 else 200
    )
    say(live_conversation, "Is this available?")

    deliver_all()

    first, second = receiver.received
    for received in (first, second):
        verify(received, made.json()["data"]["secret"])
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    at = [int(received.headers["webhook-timestamp"]) for received in receiver.received]
    assert all(abs(moment - now().timestamp()) < 60 for moment in at)


def test_case_59_each_event_tells_what_was_when_it_happened(
    endpoint: Endpoint, receiver: Receiver, messenger: Channel
) -> None:
    at = now() - timedelta(minutes=9)
    arrive(said("Is it blue?", "m_1", at=at))
    arrive(said("Or red?", "m_2", at=at + timedelta(seconds=1)))

    deliver_all()

    told = [e["data"] for e in receiver.events if e["event"] == "message_in"]
    assert [data["message"]["content"] for data in told] == ["Is it blue?", "Or red?"]
    assert len({event["id"] for event in receiver.events}) == len(receiver.events)
    assert len({json.dumps(data["message"]) for data in told}) == 2


@pytest.mark.parametrize("source", ["agent", "automation", "ai", "api"])
def test_case_59_every_message_that_leaves_is_told_once_whoever_wrote_it(
    endpoint: Endpoint,
    receiver: Receiver,
    live_conversation: Conversation,
    agent: Agent,
    source: str,
) -> None:
    queue_reply(
        conversation=live_conversation,
        source=source,
        content="Yes",
        author=agent if source == Source.AGENT else None,
    )
    message = claim_next(live_conversation.pk, at=now())
    assert message
    record_outcome(message.pk, Accepted("m_9"))

    deliver_all()

    told = [e for e in receiver.events if e["event"] == "message_out"]
    assert [e["source"] for e in told] == [source]


def test_case_59_native_replies_and_deletions_are_told(
    endpoint: Endpoint, receiver: Receiver, messenger: Channel
) -> None:
    at = now() - timedelta(minutes=9)
    arrive(said("My number is 0600", "m_1", at=at))
    arrive(echoed("Thank you", "m_2", at=at + timedelta(seconds=5)))
    arrive(unsend("m_1"))

    deliver_all()

    names = [event["event"] for event in receiver.events]
    assert names.count("message_out") == names.count("message_deleted") == 1
    (deleted,) = [e for e in receiver.events if e["event"] == "message_deleted"]
    assert deleted["data"]["message"]["content"] == ""
    assert not any(
        "0600" in bytes(event.body).decode() for event in Event.objects.all()
    )
