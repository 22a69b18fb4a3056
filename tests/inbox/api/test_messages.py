"""Messages one by one, notes, files, and the search."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from inbox.models import Agent, Attachment, Conversation, Message, StagedFile
from tests.conftest import make_comment
from tests.files import picture
from tests.inbox.api.conftest import client_of

pytestmark = pytest.mark.django_db


def test_one_message_is_read(api: Client, conversation: Conversation) -> None:
    comment = make_comment(conversation)

    answer = api.get(f"/v1/messages/MSG_{comment.pk}")

    assert answer.json()["data"]["content"] == "How much is it?"


@pytest.mark.parametrize("pk", ["MSG_99999", "odd", "MSG_", "USER_1"])
def test_a_message_that_is_none_is_a_404(api: Client, pk: str) -> None:
    assert api.get(f"/v1/messages/{pk}").status_code == 404


def test_a_line_of_the_thread_is_no_message(
    api: Client, conversation: Conversation
) -> None:
    url = f"/v1/conversations/{conversation.pk}"
    api.patch(url, {"status": "closed"}, content_type="application/json")

    line = Message.objects.get(direction="event")

    assert api.get(f"/v1/messages/MSG_{line.pk}").status_code == 404


def test_a_failed_message_is_sent_again(
    api: Client, conversation: Conversation
) -> None:
    url = f"/v1/conversations/{conversation.pk}/messages"
    (message,) = api.post(url, {"content": "Hi"}, "application/json").json()["data"]
    url = f"/v1/messages/{message['id']}/retry"
    waiting = api.generic("POST", url)
    Message.objects.update(status="failed", error_code="x")

    answer = api.generic("POST", url)

    assert (waiting.status_code, waiting.json()["code"]) == (409, "state_forbids")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "queued")
    assert Message.objects.get().extra["retries"][0]["by"] == "Shop website"


def test_a_note_calls_a_colleague(
    api: Client, conversation: Conversation, agent: Agent
) -> None:
    answer = api.post(
        f"/v1/conversations/{conversation.pk}/notes",
        {"content": "@nadia, she asks for a refund."},
        "application/json",
    )

    (note,) = answer.json()["data"]
    assert (note["direction"], note["source"], note["author"]) == (
        "note",
        "api",
        "Shop website",
    )
    assert agent.mentions.count() == 1


# --- files ---------------------------------------------------------------------------------------


def upload(api: Client, conversation: Conversation, data: bytes | None = None) -> str:
    file = SimpleUploadedFile("shoe.png", data or picture(), "image/png")
    answer = api.post(
        "/v1/uploads", {"conversation_id": str(conversation.pk), "file": file}
    )
    assert answer.status_code == 201, answer.json()
    told: str = answer.json()["data"]["id"]
    return told


def test_an_uploaded_file_is_sent(api: Client, conversation: Conversation) -> None:
    upload_id = upload(api, conversation)

    answer = api.post(
        f"/v1/conversations/{conversation.pk}/messages",
        {"content": "This one?", "attachments": [{"upload_id": upload_id}]},
        "application/json",
    )

    assert [one["type"] for one in answer.json()["data"]] == ["image", "text"]
    assert Attachment.objects.get().title == "shoe.png"


def test_a_file_of_another_key_is_not_there(
    api: Client, conversation: Conversation
) -> None:
    upload_id = upload(client_of("CRM", ["messages:write"]), conversation)

    answer = api.post(
        f"/v1/conversations/{conversation.pk}/messages",
        {"attachments": [{"upload_id": upload_id}]},
        "application/json",
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == "attachments"


def test_the_same_upload_twice_is_one_file(
    api: Client, conversation: Conversation
) -> None:
    answers = []
    for _twice in range(2):
        file = SimpleUploadedFile("shoe.png", picture(), "image/png")
        body = {"conversation_id": str(conversation.pk), "file": file}
        answers.append(api.post("/v1/uploads", body, headers={"Idempotency-Key": "k1"}))

    assert answers[0].json() == answers[1].json()
    assert answers[1]["Idempotent-Replayed"] == "true"
    assert StagedFile.objects.count() == 1


def test_an_upload_needs_a_file(api: Client, conversation: Conversation) -> None:
    answer = api.post("/v1/uploads", {"conversation_id": str(conversation.pk)})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == "file"


def test_json_is_no_upload(api: Client) -> None:
    answer = api.post("/v1/uploads", {}, "application/json")

    assert (answer.status_code, answer.json()["code"]) == (
        415,
        "unsupported_media_type",
    )


# --- search --------------------------------------------------------------------------------------


def test_messages_are_found_by_the_beginnings_of_their_words(
    api: Client, conversation: Conversation
) -> None:
    url = f"/v1/conversations/{conversation.pk}/messages"
    for text in ("Le café est prêt", "Your order", "Order CAFE au lait"):
        api.post(url, {"content": text}, "application/json")

    found = api.get("/v1/search?q=caf").json()["data"]

    assert [one["content"] for one in found] == [
        "Order CAFE au lait",
        "Le café est prêt",
    ]


def test_a_search_for_nothing_finds_nothing(api: Client) -> None:
    assert api.get("/v1/search?q=%21%21").json()["data"] == []
    assert api.get("/v1/search").status_code == 422
