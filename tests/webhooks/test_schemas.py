"""What events hold is published, and kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from inbox.events import Event as Happening
from inbox.events import EventName
from inbox.models import Attachment, Conversation
from tests.webhooks.conftest import MOMENT, announce, happened, write
from webhooks.endpoints import send_sample
from webhooks.fitting import MAX_BYTES
from webhooks.models import Delivery, Endpoint, Event
from webhooks.schemas import component_of, whole_schema_of

pytestmark = pytest.mark.django_db


def newest() -> Any:
    return json.loads(bytes(Event.objects.latest("id").body))


def check(body: Any) -> None:
    schema = whole_schema_of(EventName(body["event"]))
    Draft202012Validator(schema).validate(body)


@pytest.mark.parametrize("name", EventName)
def test_each_schema_is_one_and_stands_in_the_openapi_document(
    client: Client, name: EventName
) -> None:
    Draft202012Validator.check_schema(whole_schema_of(name))

    document = client.get("/v1/schema?format=json").json()

    operation = document["webhooks"][name.value]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": f"#/components/schemas/{component_of(name)}"}
    component = document["components"]["schemas"][component_of(name)]
    assert component["properties"]["event"] == {"const": name.value}
    assert component["properties"]["version"] == {"const": 1}


@pytest.mark.parametrize("name", EventName)
def test_a_sample_of_each_event_keeps_to_its_schema(name: EventName) -> None:
    endpoint = Endpoint.objects.create(url="https://a.example/", events=["reaction"])
    Endpoint.objects.create(url="https://b.example/")

    send_sample(endpoint, name)

    body = newest()
    check(body)
    assert body["event"] == name.value
    assert body["data"].get("sample") is (None if name is EventName.PING else True)
    assert [d.endpoint for d in Delivery.objects.all()] == [endpoint]


def test_a_long_text_is_cut_and_can_be_read_whole_at_a_signed_address(
    client: Client, conversation: Conversation
) -> None:
    text = "Bonjour \u0001🌿 " * 4000
    message = write(conversation, text)

    announce(happened(message))

    body = newest()
    check(body)
    told = body["data"]["message"]
    assert body["data"]["shortened"] == ["message.content"]
    assert len(bytes(Event.objects.get().body)) < MAX_BYTES
    assert text.startswith(told["content"])
    address = told["content_url"].partition("/texts/")[2]
    answer = client.get(f"/texts/{address}")
    assert answer.content.decode() == text
    assert answer["Content-Type"] == "text/plain; charset=utf-8"


def test_the_text_of_a_message_that_was_taken_back_is_gone(
    client: Client, conversation: Conversation
) -> None:
    message = write(conversation, "a" * 30_000)
    announce(happened(message))
    address = newest()["data"]["message"]["content_url"].partition("/texts/")[2]

    message.deleted_at = MOMENT
    message.save()

    assert client.get(f"/texts/{address}").status_code == 404
    assert client.get(f"/texts/{address}x").status_code == 404


@pytest.mark.parametrize(
    "extra",
    [
        {"referral": {"source_url": "https://x.example/" + "a" * 30_000, "ref": "b"}},
        {"referral": {f"key{n}": "é" * 300 for n in range(300)}},
        {"comment": {"post_id": "9", "permalink": "https://x.example/" + "p" * 30_000}},
        {"postback": {"payload": "\u0001" * 9_000}},
    ],
)
def test_whatever_a_channel_sends_the_body_stays_small(
    conversation: Conversation, extra: dict[str, Any]
) -> None:
    message = write(conversation, "é" * 9_000, extra=extra)
    for position in range(30):
        Attachment.objects.create(
            message=message, position=position, kind="image", title="t" * 300
        )

    announce(happened(message))

    body = newest()
    check(body)
    assert len(bytes(Event.objects.get().body)) <= MAX_BYTES
    assert "message.attachments" in body["data"]["shortened"]


def test_long_changes_are_cut_too(conversation: Conversation) -> None:
    announce(
        Happening(
            EventName.CONVERSATION_UPDATED,
            channel_id=conversation.channel_id,
            occurred_at=MOMENT,
            conversation_id=conversation.pk,
            details={"change": "tags", "to": [f"tag {n}" * 20 for n in range(300)]},
        )
    )

    body = newest()
    check(body)
    assert len(json.dumps(body)) <= MAX_BYTES


def test_a_file_that_is_still_coming_is_asked_for_again(
    client: Client, conversation: Conversation
) -> None:
    message = write(conversation, "", type="image")
    photo = Attachment.objects.create(
        message=message, kind="image", remote_url="https://cdn.example/m.jpg"
    )
    announce(happened(message))
    url = newest()["data"]["message"]["attachments"][0]["url"]
    path = "/files/" + url.rpartition("/files/")[2]

    answer = client.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")

    Attachment.objects.filter(pk=photo.pk).update(state="expired")
    assert client.get(path).status_code == 404
