"""By API: answers to comments, acts on them, reactions, templates, and all that a reply may hold."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils.timezone import now

from inbox.actions import perform
from inbox.channels import Ability
from inbox.models import (
    Channel,
    ChannelAction,
    ChannelIdentity,
    Conversation,
    Message,
    MessageTemplate,
)
from tests.conftest import make_commenter
from tests.fakes import FakeAdapter
from tests.inbox.pages.conftest import Say, say

__all__ = ["say"]
pytestmark = pytest.mark.django_db

CARD = {
    "title": "Babouche",
    "subtitle": "640 MAD",
    "buttons": [{"type": "url", "title": "Buy", "value": "https://shop.example.com/1"}],
}


@pytest.fixture
def api() -> Client:
    out = StringIO()
    call_command("create_api_key", "Shop website", stdout=out)
    return Client(headers={"Authorization": f"Bearer {out.getvalue().strip()}"})


@pytest.fixture
def comment(channel: Channel) -> Message:
    return make_commenter(channel)


@pytest.fixture
def template(channel: Channel) -> MessageTemplate:
    return MessageTemplate.objects.create(
        channel=channel,
        external_id="t1",
        name="order_shipped",
        language="en_US",
        status="approved",
        body="Hello {{1}}, order {{2}} is on its way.",
        variables={"body": 2},
    )


def post(api: Client, path: str, body: Any = None, **headers: str) -> Any:
    return api.post(
        f"/v1/{path}", body or {}, content_type="application/json", headers=headers
    )


def messages_of(conversation: Conversation) -> str:
    return f"conversations/{conversation.pk}/messages"


# --- comments ------------------------------------------------------------------------------------


def test_a_comment_is_answered_in_public_and_in_private(
    api: Client, comment: Message
) -> None:
    path = f"messages/MSG_{comment.pk}/reply"

    public = post(api, path, {"visibility": "public", "content": "640 dirhams"})
    private = post(api, path, {"visibility": "private", "content": "Here you are"})

    assert (public.status_code, private.status_code) == (201, 201)
    (under,), (inside,) = public.json()["data"], private.json()["data"]
    assert (under["type"], under["private_reply"], under["reply_to"]) == (
        "comment",
        False,
        f"MSG_{comment.pk}",
    )
    assert (inside["type"], inside["private_reply"]) == ("text", True)
    assert inside["author"] == "Shop website"


def test_the_same_idempotency_key_answers_a_comment_once(
    api: Client, comment: Message
) -> None:
    path, key = f"messages/MSG_{comment.pk}/reply", {"Idempotency-Key": "k1"}
    body = {"visibility": "private", "content": "Here you are"}

    first, second = post(api, path, body, **key), post(api, path, body, **key)

    assert first.json() == second.json()
    assert Message.objects.filter(is_private_reply=True).count() == 1


def test_a_second_private_answer_is_a_409_with_the_reason(
    api: Client, comment: Message
) -> None:
    path = f"messages/MSG_{comment.pk}/reply"
    post(api, path, {"visibility": "private", "content": "One"})

    answer = post(api, path, {"visibility": "private", "content": "Two"})

    assert (answer.status_code, answer.json()["code"]) == (409, "not_possible")
    assert "Answered in private on" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"content": "To whom?"}, "visibility"),
        ({"visibility": "loud", "content": "x"}, "visibility"),
        ({"visibility": "public"}, "content"),
        ({"visibility": "private"}, "content"),
        ({"visibility": "public", "content": "x", "cards": [CARD]}, "cards"),
        ({"visibility": "private", "content": "x", "cards": [CARD]}, "content"),
    ],
)
def test_an_answer_that_is_none_is_named(
    api: Client, comment: Message, body: Any, param: str
) -> None:
    answer = post(api, f"messages/MSG_{comment.pk}/reply", body)

    assert answer.status_code == 422
    assert param in {error["param"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("act", ["hide", "like", "delete"])
def test_acts_are_accepted_and_done_a_moment_later(
    api: Client, comment: Message, fake_adapter: FakeAdapter, act: str
) -> None:
    answer = post(api, f"messages/MSG_{comment.pk}/{act}")

    action = ChannelAction.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {
        "data": {"id": f"ACT_{action.pk}", "type": act, "status": "queued"}
    }
    perform(action.pk)
    assert fake_adapter.performed == [(act, "comment-1", "")]


@pytest.mark.parametrize("act", ["unhide", "unlike"])
def test_what_does_not_fit_the_comment_is_a_409(
    api: Client, comment: Message, act: str
) -> None:
    answer = post(api, f"messages/MSG_{comment.pk}/{act}")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_possible")


@pytest.mark.parametrize("path", ["reply", "hide", "delete", "reactions"])
@pytest.mark.parametrize("message", ["MSG_999999", "999999", "MSG_x"])
def test_a_message_that_is_not_there_is_a_404(
    api: Client, comment: Message, path: str, message: str
) -> None:
    body = {"visibility": "public", "content": "x", "emoji": "👍"}

    assert post(api, f"messages/{message}/{path}", body).status_code == 404


def test_what_is_no_comment_is_a_404(
    api: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Salam", external_id="mid-1")

    assert post(api, f"messages/MSG_{message.pk}/hide").status_code == 404


def test_a_stranger_does_nothing(client: Client, comment: Message) -> None:
    assert post(client, f"messages/MSG_{comment.pk}/hide").status_code == 401
    assert client.get("/v1/channels/CH_1/templates").status_code == 401


# --- reactions -----------------------------------------------------------------------------------


def test_a_reaction_is_set_and_taken_back(
    api: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Thank you!", external_id="mid-1")
    path = f"messages/MSG_{message.pk}/reactions"

    assert post(api, path, {"emoji": "🎉"}).status_code == 202
    perform(ChannelAction.objects.get().pk)
    listed = api.get(f"/v1/{messages_of(conversation)}").json()["data"][0]
    assert listed["reactions"] == [{"actor": "acc-1", "emoji": "🎉"}]

    assert api.delete(f"/v1/{path}").status_code == 202
    perform(ChannelAction.objects.latest("pk").pk)
    assert not message.reactions.shown().exists()


def test_a_reaction_where_there_can_be_none_is_a_409(
    api: Client, comment: Message
) -> None:
    answer = post(api, f"messages/MSG_{comment.pk}/reactions", {"emoji": "👍"})

    assert (answer.status_code, answer.json()["code"]) == (409, "not_possible")


# --- all that a reply may hold -------------------------------------------------------------------


def test_files_words_cards_and_quick_replies_are_parts_of_one_reply(
    api: Client, conversation: Conversation
) -> None:
    body = {
        "content": "Which one?",
        "attachments": [{"type": "image", "url": "https://shop.example.com/1.png"}],
        "cards": [CARD],
        "quick_replies": [{"title": "Blue", "payload": "BLUE"}],
    }

    answer = post(api, messages_of(conversation), body)

    assert answer.status_code == 201
    image, text, cards = answer.json()["data"]
    assert [one["type"] for one in (image, text, cards)] == [
        "image",
        "text",
        "template",
    ]
    assert cards["cards"] == [
        {"text": "", "image_url": "", "url": "", **CARD},
    ]
    assert cards["quick_replies"] == [
        {"type": "text", "title": "Blue", "payload": "BLUE"}
    ]
    assert text["quick_replies"] == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"cards": [{"title": "alone"}]}, "cards.0"),
        ({"cards": [{**CARD, "title": "x" * 81}]}, "cards.0.title"),
        ({"cards": [{**CARD, "url": "javascript:alert(1)"}]}, "cards.0.url"),
        (
            {"content": "x", "quick_replies": [{"title": "x" * 21}]},
            "quick_replies.0.title",
        ),
        (
            {"content": "x", "quick_replies": [{"type": "phone"}]},
            "quick_replies.0.type",
        ),
        (
            {"content": "x", "quick_replies": [{"type": "fax"}]},
            "quick_replies.0.type",
        ),
        ({"template": {"name": "none", "language": "en"}}, "template.name"),
        ({"template": {"name": "none"}}, "template.language"),
    ],
)
def test_what_the_channel_does_not_take_is_named(
    api: Client, conversation: Conversation, body: Any, param: str
) -> None:
    answer = post(api, messages_of(conversation), body)

    assert answer.status_code == 422
    assert param in {error["param"] for error in answer.json()["errors"]}
    assert not Message.objects.exists()


def test_a_template_opens_a_closed_window(
    api: Client, conversation: Conversation, template: MessageTemplate
) -> None:
    past = now() - timedelta(days=14)
    ChannelIdentity.objects.update(last_inbound_at=past, window_expires_at=past)
    told = {
        "name": "order_shipped",
        "language": "en_US",
        "parameters": {"body": ["Salma", "#1047"]},
    }

    assert post(api, messages_of(conversation), {"content": "Hi"}).status_code == 409
    answer = post(api, messages_of(conversation), {"template": told})

    assert answer.status_code == 201
    (message,) = answer.json()["data"]
    assert message["content"] == "Hello Salma, order #1047 is on its way."
    assert message["template"] == told


def test_a_held_conversation_is_a_409(api: Client, conversation: Conversation) -> None:
    Conversation.objects.update(held_by="Business Suite")

    answer = post(api, messages_of(conversation), {"content": "Hello"})

    assert (answer.status_code, answer.json()["code"]) == (409, "thread_held")


def test_a_message_that_cannot_be_quoted_is_named(
    api: Client, conversation: Conversation, say: Say, fake_adapter: FakeAdapter
) -> None:
    message = say(conversation, "In blue?", external_id="mid-1")
    body = {"content": "Yes", "reply_to": f"MSG_{message.pk}"}
    assert post(api, messages_of(conversation), body).status_code == 201

    fake_adapter.abilities = lambda channel: frozenset(Ability) - {Ability.QUOTE}  # type: ignore[method-assign]
    answer = post(api, messages_of(conversation), body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == "reply_to"


# --- templates -----------------------------------------------------------------------------------


def test_templates_are_listed_with_their_state(
    api: Client, channel: Channel, template: MessageTemplate
) -> None:
    MessageTemplate.objects.create(
        channel=channel,
        external_id="t2",
        name="offer",
        language="fr",
        status="rejected",
        reason="PROMOTIONAL",
    )
    url = f"/v1/channels/CH_{channel.pk}/templates"

    both = api.get(url).json()
    (approved,) = api.get(f"{url}?status=approved").json()["data"]

    assert {one["name"] for one in both["data"]} == {"order_shipped", "offer"}
    assert both["meta"] == {"next_cursor": None, "has_more": False}
    assert approved.pop("synced_at")
    assert approved == {
        "id": "t1",
        "name": "order_shipped",
        "language": "en_US",
        "status": "approved",
        "reason": "",
        "body": "Hello {{1}}, order {{2}} is on its way.",
        "variables": {"body": 2},
    }


def test_templates_of_no_channel_and_of_no_status_are_refused(
    api: Client, channel: Channel
) -> None:
    assert api.get("/v1/channels/CH_999999/templates").status_code == 404
    assert api.get("/v1/channels/1/templates").status_code == 404
    url = f"/v1/channels/CH_{channel.pk}/templates?status=odd"
    assert api.get(url).status_code == 422


# --- the schema ----------------------------------------------------------------------------------


def test_the_schema_tells_every_operation_and_its_envelope(client: Client) -> None:
    answer = client.get("/v1/schema?format=json")

    schema = answer.json()
    for path in ("reply", "hide", "unhide", "like", "unlike", "delete", "reactions"):
        operation = schema["paths"][f"/v1/messages/{{message_id}}/{path}"]["post"]
        assert "application/problem+json" in operation["responses"]["404"]["content"]
    created = schema["paths"]["/v1/conversations/{conversation_id}/messages"]["post"]
    body = created["responses"]["201"]["content"]["application/json"]["schema"]
    items = schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert items["properties"]["data"]["items"]["$ref"].endswith("/Message")
    error = schema["components"]["schemas"]["Message"]["properties"]["error"]
    assert "class" in str(schema["components"]["schemas"]["Error"]), error
