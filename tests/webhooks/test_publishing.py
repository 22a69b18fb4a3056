"""Event to deliveries, in the same transaction."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from inbox.events import Event as Happening
from inbox.events import EventName, emit, erase
from inbox.media import find_public
from inbox.models import (
    Attachment,
    Channel,
    Contact,
    Conversation,
    Direction,
    Message,
    Source,
    Status,
    Tag,
)
from tests.conftest import make_agent, make_conversation
from tests.webhooks.conftest import MOMENT, announce, happened, say, write
from webhooks.models import Delivery, DeliveryAttempt, EchoedRequest, Endpoint, Event

pytestmark = pytest.mark.django_db


def bodies() -> list[Any]:
    return [json.loads(bytes(event.body)) for event in Event.objects.order_by("id")]


@pytest.fixture
def somewhere() -> Endpoint:
    return Endpoint.objects.create(url="https://hooks.example/dexra")


@pytest.fixture
def salma(conversation: Conversation) -> Conversation:
    """Salma, with everything that is known of her."""
    identity = conversation.identity
    identity.external_id, identity.username = "998877", "salma.elid"
    identity.save()
    Contact.objects.filter(pk=identity.contact_id).update(
        email="salma@example.com", phone="+212600000001"
    )
    return conversation


def test_a_message_of_the_customer_becomes_an_event_with_everything_in_it(
    salma: Conversation,
) -> None:
    message = write(salma, "Is this product available? 🌿")

    announce(happened(message))

    event = Event.objects.get()
    assert event.id.startswith("evt_")
    assert bodies() == [
        {
            "id": event.id,
            "event": "message_in",
            "version": 1,
            "channel": "fake",
            "timestamp": "2026-10-25T14:22:10Z",
            "source": "customer",
            "account": {
                "id": salma.channel.public_id,
                "external_id": "acc-1",
                "name": "Maison Tilila",
            },
            "data": {
                "conversation_id": str(salma.pk),
                "sequence": 1,
                "user": {
                    "id": "FAKE_998877",
                    "username": "salma.elid",
                    "contact_id": f"USER_{salma.identity.contact_id}",
                    "email": "salma@example.com",
                    "phone": "+212600000001",
                    "name": "Salma El Idrissi",
                },
                "message": {
                    "id": f"MSG_{message.pk}",
                    "content": "Is this product available? 🌿",
                    "type": "text",
                    "sent_at": "2026-10-25T14:22:10Z",
                    "attachments": [],
                    "reply_to": None,
                    "author": None,
                },
            },
        }
    ]


def test_what_is_not_known_of_a_person_is_null(conversation: Conversation) -> None:
    conversation.identity.name = ""
    conversation.identity.save()
    Contact.objects.update(name="")

    say(conversation, "Hello")

    assert bodies()[0]["data"]["user"] == {
        "id": "FAKE_person-1",
        "username": None,
        "contact_id": f"USER_{conversation.identity.contact_id}",
        "email": None,
        "phone": None,
        "name": None,
    }


def test_an_outbound_message_tells_its_author_and_state(
    conversation: Conversation,
) -> None:
    question = write(conversation, "In size M?")
    message = write(
        conversation,
        "Yes, here it is.",
        direction=Direction.OUT,
        source=Source.AGENT,
        author=make_agent("karim"),
        author_name="Karim",
        status=Status.SENT,
        reply_to=question,
        type="image",
    )
    photo = Attachment.objects.create(
        message=message, kind="image", remote_url="https://cdn.example/m.jpg", size=12
    )

    announce(happened(message, EventName.MESSAGE_OUT))

    body = bodies()[0]
    assert (body["event"], body["source"]) == ("message_out", "agent")
    url = body["data"]["message"]["attachments"][0].pop("url")
    assert find_public(url.rpartition("/")[2]) == photo
    assert body["data"]["message"] == {
        "id": f"MSG_{message.pk}",
        "content": "Yes, here it is.",
        "type": "image",
        "sent_at": "2026-10-25T14:22:10Z",
        "attachments": [
            {
                "type": "image",
                "mime_type": None,
                "size": 12,
                "title": None,
            }
        ],
        "reply_to": f"MSG_{question.pk}",
        "author": "Karim",
        "status": "sent",
    }


def test_a_failed_message_tells_why(conversation: Conversation) -> None:
    message = write(
        conversation,
        "Too late",
        direction=Direction.OUT,
        source=Source.AUTOMATION,
        author_name="Out of hours",
        status=Status.FAILED,
        error_class="window_closed",
        error_code="10/2018278",
        error_detail="The reply window is closed.",
    )

    announce(happened(message, EventName.MESSAGE_STATUS))

    told = bodies()[0]["data"]["message"]
    assert told["status"] == "failed"
    assert told["error"] == {
        "class": "window_closed",
        "code": "10/2018278",
        "detail": "The reply window is closed.",
    }


@pytest.mark.parametrize(
    ("kind", "extra", "told"),
    [
        (
            "comment",
            {
                "comment": {
                    "post_id": "9",
                    "permalink": "https://insta.example/p/9",
                    "parent_id": None,
                    "media": {"id": "9"},
                }
            },
            {
                "comment": {
                    "post_id": "9",
                    "permalink": "https://insta.example/p/9",
                    "parent_id": None,
                }
            },
        ),
        (
            "story_reply",
            {"story": {"id": "5", "url": "https://cdn.example/5", "expires_at": "x"}},
            {"story": {"id": "5", "url": "https://cdn.example/5", "expires_at": "x"}},
        ),
        (
            "postback",
            {"postback": {"payload": "START"}, "referral": {"ref": "ad-7"}},
            {"postback": {"payload": "START"}, "referral": {"ref": "ad-7"}},
        ),
        ("text", {"quick_reply": {"payload": "M"}}, {"quick_reply": {"payload": "M"}}),
        ("unsupported", {"raw": {"secret": "shape"}, "app_id": "1"}, {}),
    ],
)
def test_what_a_kind_of_message_carries_is_told(
    conversation: Conversation, kind: str, extra: dict[str, Any], told: dict[str, Any]
) -> None:
    announce(happened(write(conversation, "x", type=kind, extra=extra)))

    message = bodies()[0]["data"]["message"]
    usual = {"id", "content", "type", "sent_at", "attachments", "reply_to", "author"}
    assert {key: message[key] for key in message.keys() - usual} == told


def test_a_location_tells_its_coordinates(conversation: Conversation) -> None:
    message = write(conversation, "", type="location")
    Attachment.objects.create(
        message=message,
        kind="location",
        extra={"coordinates": {"lat": 33.5, "long": -7.6}, "raw": {"a": 1}},
    )

    announce(happened(message))

    assert bodies()[0]["data"]["message"]["attachments"] == [
        {
            "type": "location",
            "url": None,
            "mime_type": None,
            "size": None,
            "title": None,
            "coordinates": {"lat": 33.5, "long": -7.6},
        }
    ]


def test_a_reaction_is_told_beside_its_message(conversation: Conversation) -> None:
    message = write(conversation, "Thanks")

    announce(happened(message, EventName.REACTION, emoji="❤", action="react"))

    data = bodies()[0]["data"]
    assert data["reaction"] == {"emoji": "❤", "action": "react"}
    assert data["message"]["id"] == f"MSG_{message.pk}"


def test_a_changed_conversation_is_told_as_it_is_now(
    conversation: Conversation,
) -> None:
    conversation.assignee = make_agent("karim", first_name="Karim", last_name="A")
    conversation.tags = [Tag.objects.create(name="vip").pk]
    conversation.save()

    announce(
        Happening(
            EventName.CONVERSATION_UPDATED,
            channel_id=conversation.channel_id,
            occurred_at=MOMENT,
            conversation_id=conversation.pk,
            source="agent",
            details={"change": "assigned", "to": "Karim A"},
        )
    )

    data = bodies()[0]["data"]
    assert data["changes"] == {"change": "assigned", "to": "Karim A"}
    assert data["conversation"] == {
        "id": str(conversation.pk),
        "status": "open",
        "subject": None,
        "assignee": "Karim A",
        "team": None,
        "tags": ["vip"],
        "created_at": f"{conversation.created_at:%Y-%m-%dT%H:%M:%SZ}",
    }


def test_events_without_a_conversation_are_told_too(
    conversation: Conversation,
) -> None:
    identity = conversation.identity
    announce(
        Happening(
            EventName.USER_CREATED,
            channel_id=conversation.channel_id,
            occurred_at=MOMENT,
            source="customer",
            details={"identity_id": identity.pk},
        ),
        Happening(
            EventName.CHANNEL_STATUS,
            channel_id=conversation.channel_id,
            occurred_at=MOMENT,
            details={"status": "needs_reauth", "reason": "190/460"},
        ),
    )

    created, status = bodies()
    assert created["data"] == {
        "user": {
            "id": "FAKE_person-1",
            "username": None,
            "contact_id": f"USER_{identity.contact_id}",
            "email": None,
            "phone": None,
            "name": "Salma El Idrissi",
        }
    }
    assert status["source"] == "system"
    assert status["data"] == {"status": "needs_reauth", "reason": "190/460"}


def test_events_of_a_conversation_are_numbered_in_order(channel: Channel) -> None:
    salma = make_conversation(channel, person_id="1")
    lina = make_conversation(channel, person_id="2", name="Lina")
    first, other = write(salma, "1"), write(lina, "1")
    second = write(salma, "2")
    announce(happened(first), happened(other), happened(second))
    say(salma, "3")

    told = [
        (body["data"]["conversation_id"], body["data"]["sequence"]) for body in bodies()
    ]
    s, n = str(salma.pk), str(lina.pk)
    assert told == [(s, 1), (n, 1), (s, 2), (s, 3)]
    salma.refresh_from_db()
    assert salma.sequence == 3


def test_events_are_kept_though_nobody_listens(conversation: Conversation) -> None:
    say(conversation, "Anybody there?")

    assert Event.objects.count() == 1
    assert not Delivery.objects.exists()


def test_what_is_rolled_back_has_never_happened(
    conversation: Conversation, somewhere: Endpoint
) -> None:
    def change_our_mind() -> None:
        with transaction.atomic():
            emit([happened(write(conversation, "Oops"))])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_our_mind()

    conversation.refresh_from_db()
    assert (Event.objects.count(), Delivery.objects.count()) == (0, 0)
    assert conversation.sequence == 0


def test_an_endpoint_gets_the_events_and_channels_it_chose(
    conversation: Conversation, somewhere: Endpoint
) -> None:
    elsewhere = Channel.objects.create(kind="fake", external_id="2", name="Other")
    outbound = Endpoint.objects.create(
        url="https://a.example/out", events=["message_out", "message_status"]
    )
    here = Endpoint.objects.create(url="https://a.example/here")
    here.channels.add(conversation.channel)
    there = Endpoint.objects.create(url="https://a.example/there")
    there.channels.add(elsewhere)
    reply = write(conversation, "Hi", direction="out", source="agent", status="sent")

    announce(
        happened(write(conversation, "Hello")), happened(reply, EventName.MESSAGE_OUT)
    )

    owed = Delivery.objects.order_by("id").values_list("endpoint", "event__name")
    assert sorted(owed) == sorted(
        [
            (somewhere.pk, "message_in"),
            (here.pk, "message_in"),
            (somewhere.pk, "message_out"),
            (outbound.pk, "message_out"),
            (here.pk, "message_out"),
        ]
    )


def test_ten_events_take_as_many_statements_as_five_hundred(
    channel: Channel, somewhere: Endpoint
) -> None:
    conversations = [
        make_conversation(channel, person_id=str(number)) for number in range(20)
    ]

    def statements(count: int) -> int:
        messages = Message.objects.bulk_create(
            Message(
                conversation=conversations[number % 20],
                channel=channel,
                direction="in",
                source="customer",
                status="received",
                content=f"Message {number}",
                sent_at=MOMENT + timedelta(seconds=number),
            )
            for number in range(count)
        )
        with CaptureQueriesContext(connection) as captured:
            emit([happened(message) for message in messages])
        return len(captured)

    assert statements(10) == statements(500) <= 5
    assert Delivery.objects.count() == 510


# --- erasure ---------------------------------------------------------------------------------------


def test_what_is_unsent_is_in_no_event_answer_or_echo(
    conversation: Conversation, somewhere: Endpoint
) -> None:
    message = write(conversation, "My card is 4242", type="image")
    Attachment.objects.create(
        message=message, kind="image", remote_url="https://cdn.example/4242.jpg"
    )
    message.extra = {"postback": {"payload": "4242"}}
    message.save()
    announce(
        happened(message),
        happened(message, EventName.REACTION, emoji="4242", action="react"),
    )
    (other,) = say(conversation, "Something else")
    delivery = Delivery.objects.order_by("id").first()
    assert delivery is not None
    attempt = DeliveryAttempt.objects.create(
        delivery=delivery,
        number=1,
        started_at=MOMENT,
        duration_ms=1,
        response="you sent 4242",
    )
    EchoedRequest.objects.create(
        event_id=delivery.event_id, is_verified=True, body="4242"
    )

    with transaction.atomic():
        erase([message.pk])

    told, reaction, kept = bodies()
    assert "4242" not in json.dumps([told, reaction])
    assert told["data"]["message"] == {
        "id": f"MSG_{message.pk}",
        "content": "",
        "type": "image",
        "sent_at": "2026-10-25T14:22:10Z",
        "attachments": [],
        "reply_to": None,
        "author": None,
        "deleted": True,
    }
    assert reaction["data"]["reaction"] == {"emoji": "", "action": "react"}
    assert kept["data"]["message"]["content"] == "Something else"
    attempt.refresh_from_db()
    assert attempt.response == ""
    assert not EchoedRequest.objects.exists()
    assert Event.objects.get(message=other).erased_at is None


def test_the_event_of_a_deletion_has_nothing_to_erase(
    conversation: Conversation,
) -> None:
    message = write(conversation, "", deleted_at=MOMENT)

    announce(happened(message, EventName.MESSAGE_DELETED))

    assert bodies()[0]["data"]["message"] == {
        "id": f"MSG_{message.pk}",
        "content": "",
        "type": "text",
        "sent_at": "2026-10-25T14:22:10Z",
        "attachments": [],
        "reply_to": None,
        "author": None,
        "deleted": True,
    }


def test_erasing_takes_the_same_statements_for_many(
    conversation: Conversation, somewhere: Endpoint
) -> None:
    def statements(count: int) -> int:
        messages = say(conversation, *(f"Secret {number}" for number in range(count)))
        with CaptureQueriesContext(connection) as captured:
            erase([message.pk for message in messages])
        return len(captured)

    # The journal listens too, and the answers that the API keeps for repeated requests.
    assert statements(1) == statements(30) <= 6
