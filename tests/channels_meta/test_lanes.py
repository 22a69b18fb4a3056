"""A wide claim is stored side by side, and nobody can tell."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

import pytest
from django.utils.timezone import now

from channels_meta import lanes
from channels_meta.models import RawEvent
from channels_meta.processing import WIDE, drain_once
from inbox.models import Channel, Conversation, Message
from tests.conftest import envelope, meta_json, said
from webhooks.models import Event

PEOPLE = 40
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_threads_left() -> Iterator[None]:
    yield
    lanes.close()


def journal(*bodies: bytes) -> None:
    RawEvent.objects.bulk_create(
        RawEvent(body=body, sha256=hashlib.sha256(body).digest(), day=now().date())
        for body in bodies
    )


def body_of(number: int) -> bytes:
    item = said(f"line {number}", f"m_{number}", person=str(7000 + number % PEOPLE))
    return meta_json(envelope(item))


def test_each_conversation_is_numbered_in_the_order_in_which_its_messages_came(
    messenger: Channel,
) -> None:
    total = WIDE * 2
    journal(*map(body_of, range(total)))

    drain_once()

    told = defaultdict(list)
    events = Event.objects.filter(name="message_in").order_by("sequence")
    for event in events:
        told[event.conversation_id].append(event.message_id)
    written = defaultdict(list)
    for message in Message.objects.order_by("external_id").iterator():
        written[message.conversation_id].append(message)
    assert Conversation.objects.count() == PEOPLE
    assert {
        pk: [m.pk for m in sorted(rows, key=lambda m: int(str(m.external_id)[2:]))]
        for pk, rows in written.items()
    } == told
    assert Message.objects.count() == total
    assert not RawEvent.objects.exclude(state="processed").exists()


def test_an_unsend_among_many_messages_finds_its_own(messenger: Channel) -> None:
    unsend = said("", "m_7", person="7007", is_deleted=True)
    journal(meta_json(envelope(unsend)), *map(body_of, range(WIDE)))

    drain_once()

    gone = Message.objects.get(external_id="m_7")
    assert (gone.content, gone.deleted_at is not None) == ("", True)


def test_one_that_cannot_be_stored_costs_nobody_else_anything(
    messenger: Channel,
) -> None:
    too_long = said("x", "m_" + "9" * 700, person="7007")
    journal(meta_json(envelope(too_long)), *map(body_of, range(WIDE)))

    drain_once()

    assert Message.objects.count() == WIDE
    assert RawEvent.objects.filter(state="failed").count() == 1


def test_a_claim_that_was_stored_but_not_marked_is_stored_once(
    messenger: Channel,
) -> None:
    journal(*map(body_of, range(WIDE)))
    drain_once()
    events = Event.objects.count()

    RawEvent.objects.update(state="pending")
    drain_once()

    assert (Message.objects.count(), Event.objects.count()) == (WIDE, events)
    assert all(c.unread == WIDE / PEOPLE for c in Conversation.objects.all())
