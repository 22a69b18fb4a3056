"""Complaints about what stays behind: unsent, deleted, asked to be forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.test import Client

from channels_meta.processing import drain
from inbox.models import ApiKey, Channel, Conversation
from tests.conftest import Meta, envelope, said
from tests.webhooks.conftest import Receiver
from webhooks.models import Delivery, Endpoint
from webhooks.sending import dispatch

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "My card is 4242-4242"


@pytest.fixture
def integrator(transactional_db: None) -> Iterator[Receiver]:
    receiver = Receiver()
    Endpoint.objects.create(url=receiver.url)
    yield receiver
    receiver.close()


@pytest.fixture
def key_client(db: None) -> Client:
    _row, key = ApiKey.issue("Desk")
    return Client(headers={"Authorization": f"Bearer {key}"})


def unsent(mid: str) -> dict[str, object]:
    item = said("", mid)
    item["message"] = {"mid": mid, "is_deleted": True}
    return item


def test_case_42_what_is_unsent_is_in_no_list_search_api_or_export(
    meta: Meta, messenger: Channel, key_client: Client, agent_client: Client
) -> None:
    meta.post(envelope(said(SECRET, "m-1")))
    drain()
    conversation = Conversation.objects.get()

    meta.post(envelope(unsent("m-1")))
    drain()

    contact = conversation.identity.contact.public_id
    exported = key_client.get(f"/v1/contacts/{contact}/export")
    seen = [
        agent_client.get("/inbox/all/").content,
        agent_client.get("/inbox/all/?q=4242").content.replace(b"?q=4242", b""),
        agent_client.get(f"/inbox/all/c/{conversation.pk}/").content,
        key_client.get(f"/v1/conversations/{conversation.pk}/messages").content,
        b"".join(exported.streaming_content),  # type: ignore[attr-defined]
    ]
    assert not [page for page in seen if SECRET.encode() in page]


def test_case_42_an_event_that_still_waits_is_delivered_without_what_was_unsent(
    meta: Meta, messenger: Channel, integrator: Receiver
) -> None:
    meta.post(envelope(said(SECRET, "m-1")))
    drain()
    assert Delivery.objects.filter(state="pending").exists()

    meta.post(envelope(unsent("m-1")))
    drain()
    dispatch()

    names = [event["event"] for event in integrator.events]
    assert {"message_in", "message_deleted"} <= set(names)
    assert SECRET not in json.dumps(integrator.events)
