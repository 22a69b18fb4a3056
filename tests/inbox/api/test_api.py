"""The REST API: who may call, what lists look like, how a backend writes."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils.timezone import now

from inbox.models import ApiKey, Channel, ChannelIdentity, Conversation, Message
from tests.conftest import make_conversation

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Client:
    out = StringIO()
    call_command("create_api_key", "Shop website", stdout=out)
    return Client(headers={"Authorization": f"Bearer {out.getvalue().strip()}"})


def post(api: Client, conversation: Conversation, body: Any, **headers: str) -> Any:
    url = f"/v1/conversations/{conversation.pk}/messages"
    return api.post(url, body, content_type="application/json", headers=headers)


def test_the_command_prints_the_key_alone() -> None:
    out = StringIO()

    call_command("create_api_key", "CRM", stdout=out)

    key = out.getvalue().strip()
    assert key.startswith(ApiKey.objects.get().prefix)
    assert key not in str(ApiKey.objects.values().get())


def test_no_key_is_a_401_that_says_what_to_send(client: Client) -> None:
    answer = client.get("/v1/conversations")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("key", ["wrong", "dxr_aaaaaaaa", "clé"])
def test_a_wrong_key_is_refused(client: Client, key: str) -> None:
    answer = client.get("/v1/conversations", headers={"Authorization": f"Bearer {key}"})

    assert answer.status_code == 401


def test_a_revoked_key_is_refused(api: Client) -> None:
    ApiKey.objects.update(revoked_at=now())

    assert api.get("/v1/conversations").status_code == 401


def test_conversations_are_listed(api: Client, conversation: Conversation) -> None:
    answer = api.get("/v1/conversations?include_total=true").json()

    assert answer["meta"] == {"next_cursor": None, "has_more": False, "total": 1}
    (row,) = answer["data"]
    identity = conversation.identity
    assert row["id"] == str(conversation.pk)
    assert row["channel"] == "fake"
    assert row["account"] == {
        "id": f"CH_{conversation.channel_id}",
        "external_id": "acc-1",
        "name": "Maison Tilila",
    }
    assert row["user"] == {
        "id": "FAKE_person-1",
        "username": None,
        "contact_id": f"USER_{identity.contact_id}",
        "name": "Salma El Idrissi",
        "email": None,
        "phone": None,
    }
    assert row["reply_window"]["state"] == "open"


def test_pages_neither_skip_nor_repeat(api: Client, channel: Channel) -> None:
    at = now()
    for number in range(7):
        one = make_conversation(channel, person_id=f"p{number}")
        Conversation.objects.filter(pk=one.pk).update(last_message_at=at)
    seen: list[str] = []
    url = "/v1/conversations?limit=3"

    while url:
        answer = api.get(url).json()
        seen += [row["id"] for row in answer["data"]]
        cursor = answer["meta"]["next_cursor"]
        url = f"/v1/conversations?limit=3&cursor={cursor}" if cursor else ""

    assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=zzz", "status=odd"]
)
def test_a_bad_parameter_is_named(api: Client, query: str) -> None:
    answer = api.get(f"/v1/conversations?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == query.split("=")[0]


def test_a_cursor_of_another_list_is_refused(api: Client, channel: Channel) -> None:
    for number in range(2):
        make_conversation(channel, person_id=f"p{number}")
    cursor = api.get("/v1/conversations?limit=1").json()["meta"]["next_cursor"]

    answer = api.get(f"/v1/conversations?limit=1&status=open&cursor={cursor}")

    assert answer.status_code == 422


def test_a_backend_writes(api: Client, conversation: Conversation) -> None:
    answer = post(api, conversation, {"content": "Order #1047 is confirmed."})

    assert answer.status_code == 201
    (message,) = answer.json()["data"]
    assert (message["status"], message["source"]) == ("queued", "api")
    assert message["author"] == "Shop website"
    listed = api.get(f"/v1/conversations/{conversation.pk}/messages").json()["data"]
    assert listed == [message]


def test_the_same_idempotency_key_writes_once(
    api: Client, conversation: Conversation
) -> None:
    body = {"content": "Once"}

    first = post(api, conversation, body, **{"Idempotency-Key": "k1"})
    second = post(api, conversation, body, **{"Idempotency-Key": "k1"})

    assert first.json() == second.json()
    assert Message.objects.count() == 1


def test_one_idempotency_key_for_two_texts_is_refused(
    api: Client, conversation: Conversation
) -> None:
    post(api, conversation, {"content": "One"}, **{"Idempotency-Key": "k1"})

    answer = post(api, conversation, {"content": "Two"}, **{"Idempotency-Key": "k1"})

    assert (answer.status_code, answer.json()["code"]) == (
        422,
        "idempotency_key_reused",
    )


def test_a_closed_window_is_a_409(api: Client, conversation: Conversation) -> None:
    at = now() - timedelta(hours=30)
    ChannelIdentity.objects.update(
        last_inbound_at=at, window_expires_at=at + timedelta(hours=24)
    )

    answer = post(api, conversation, {"content": "Too late"})

    assert (answer.status_code, answer.json()["code"]) == (409, "window_closed")
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "content"),
        ({"content": "  "}, "content"),
        ({"content": "x" * 1001}, "content"),
        ({"content": 5, "attachments": "no"}, "attachments.non_field_errors"),
        (
            {"attachments": [{"type": "image", "url": "javascript:alert(1)"}]},
            "attachments.0.url",
        ),
        (
            {"attachments": [{"type": "video", "url": "https://x.example/1.mp4"}]},
            "attachments",
        ),
        ({"content": "a", "reply_to": "MSG_999"}, "reply_to"),
    ],
)
def test_bad_input_is_named_and_stores_nothing(
    api: Client, conversation: Conversation, body: Any, param: str
) -> None:
    answer = post(api, conversation, body)

    assert answer.status_code == 422
    assert param in {error["param"] for error in answer.json()["errors"]}
    assert not Message.objects.exists()


def test_what_is_not_json_is_a_400(api: Client, conversation: Conversation) -> None:
    answer = post(api, conversation, "{nope")

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_conversation_that_is_not_there_is_a_404(api: Client) -> None:
    answer = api.get("/v1/conversations/99999/messages")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_an_unknown_address_is_a_problem_too(api: Client) -> None:
    answer = api.get("/v1/nothing")

    assert (answer.status_code, answer["Content-Type"]) == (
        404,
        "application/problem+json",
    )


def test_a_wrong_method_is_a_405(api: Client) -> None:
    answer = api.delete("/v1/conversations")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in answer["Allow"]
