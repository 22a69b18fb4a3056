"""Traps of Meta's contract that lie in wait for whoever sends."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import responses
from django.core.files.base import ContentFile
from django.utils.timezone import now

from channels_meta.processing import drain
from inbox.channels import ActionKind, OutgoingMedia, SendError
from inbox.comments import reply_publicly
from inbox.delivery import deliver_next, settle_uncertain
from inbox.errors import ContentInvalid
from inbox.models import (
    Agent,
    Attachment,
    Channel,
    ChannelIdentity,
    Conversation,
    Message,
    Source,
    Status,
)
from inbox.outbound import Writer, queue_reply
from tests.conftest import INSTAGRAM_ID, PAGE_ID, Meta, make_conversation

ROOT = Path(__file__).resolve().parents[2]
FACEBOOK = "https://graph.facebook.com/v26.0"
INSTAGRAM = "https://graph.instagram.com/v26.0"
PAGE_MESSAGES = f"{FACEBOOK}/{PAGE_ID}/messages"
INSTAGRAM_MESSAGES = f"{INSTAGRAM}/{INSTAGRAM_ID}/messages"
ACCEPTED = {"recipient_id": "7701", "message_id": "m_C3"}


@pytest.fixture
def on_messenger(messenger: Channel) -> Conversation:
    return make_conversation(messenger, person_id="7701")


@pytest.fixture
def on_instagram(instagram: Channel) -> Conversation:
    return make_conversation(instagram, person_id="7701")


def refusal(code: int, subcode: int | None = None, **more: Any) -> dict[str, Any]:
    error: dict[str, Any] = {"message": "…", "type": "OAuthException", "code": code}
    if subcode:
        error["error_subcode"] = subcode
    return {"error": error | more}


def answer(conversation: Conversation, content: str = "Hello", **more: Any) -> Message:
    """A reply is written, and its turn comes."""
    more = {"source": Source.AGENT} | more
    message = queue_reply(conversation=conversation, content=content, **more)[-1]
    deliver_next(conversation.pk)
    message.refresh_from_db()
    return message


@pytest.mark.django_db
@responses.activate
def test_trap_06_a_closed_window_in_another_language_is_known_by_its_codes(
    on_instagram: Conversation,
) -> None:
    """graph.instagram.com says it with 403, a type of its own and the account's language."""
    Channel.objects.update(features=[])
    closed = refusal(
        10,
        2534022,
        type="IGApiException",
        message="Essa mensagem foi enviada fora do período permitido.",
    )
    responses.post(INSTAGRAM_MESSAGES, json=closed, status=403)

    message = answer(on_instagram)

    assert (message.status, message.error_class) == (Status.FAILED, "window_closed")
    assert message.error_code == "10/2534022"
    assert "período" not in message.error_detail


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "subcode", "meaning"),
    [
        (200, 1545041, "unavailable"),
        (551, 1545041, "unavailable"),
        (10, 2018108, "unavailable"),
        (10, 1893063, "policy"),
        (10, 2018278, "window_closed"),
        (10, None, "permission"),
    ],
)
@responses.activate
def test_trap_07_a_code_alone_decides_nothing(
    on_messenger: Conversation, code: int, subcode: int | None, meaning: str
) -> None:
    Channel.objects.update(features=[])
    responses.post(PAGE_MESSAGES, json=refusal(code, subcode), status=400)

    message = answer(on_messenger)

    assert message.error_class == meaning


@pytest.mark.django_db
@responses.activate
def test_trap_08_both_hosts_tell_usage_in_words_of_their_own(
    on_messenger: Conversation, on_instagram: Conversation
) -> None:
    by_host = {
        PAGE_MESSAGES: {"call_count": 97, "total_time": 1, "total_cputime": 1},
        INSTAGRAM_MESSAGES: {"call_volume": 97, "cpu_time": 1},
    }
    for url, usage in by_host.items():
        headers = {"X-App-Usage": json.dumps(usage)}
        responses.post(url, json=ACCEPTED, headers=headers)

    for conversation in (on_messenger, on_instagram):
        answer(conversation)
        held = answer(conversation, "And more")
        assert (held.status, held.error_class) == (Status.QUEUED, "throttled")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a" * 1000, True),
        ("a" * 1001, False),
        ("🔥" * 250, True),
        ("🔥" * 251, False),
        ("ก" * 333, True),
        ("ก" * 334, False),
    ],
)
@responses.activate
def test_trap_09_instagram_counts_bytes(
    on_instagram: Conversation, text: str, fits: bool
) -> None:
    sent = responses.post(INSTAGRAM_MESSAGES, json=ACCEPTED)

    try:
        answer(on_instagram, text)
    except ContentInvalid:
        assert not fits

    assert sent.call_count == int(fits)


@pytest.mark.django_db
@pytest.mark.parametrize("age", [timedelta(days=88), timedelta(days=90)])
@responses.activate
def test_trap_10_an_upload_is_used_for_ninety_days_and_no_longer(
    on_messenger: Conversation, age: timedelta
) -> None:
    uploaded = responses.post(
        f"{FACEBOOK}/{PAGE_ID}/message_attachments", json={"attachment_id": "new"}
    )
    sent = responses.post(PAGE_MESSAGES, json=ACCEPTED)
    message = queue_picture(on_messenger)
    made_at = now() - age
    remembered = {
        "id": "old",
        "expires_at": (made_at + timedelta(days=89)).isoformat(),
    }
    Attachment.objects.update(extra={"upload": remembered})

    deliver_next(on_messenger.pk)

    is_fresh = age < timedelta(days=89)
    attachment = json.loads(sent.calls[0].request.body or "")["message"]["attachment"]
    assert attachment["payload"] == {"attachment_id": "old" if is_fresh else "new"}
    assert uploaded.call_count == int(not is_fresh)
    message.refresh_from_db()
    assert message.status == Status.SENT


@pytest.mark.django_db
@responses.activate
def test_trap_10_an_upload_that_meta_forgot_early_is_made_once_more(
    on_messenger: Conversation,
) -> None:
    uploaded = responses.post(
        f"{FACEBOOK}/{PAGE_ID}/message_attachments", json={"attachment_id": "17"}
    )
    responses.post(PAGE_MESSAGES, json=refusal(100, 2018074), status=400)
    responses.post(PAGE_MESSAGES, json=ACCEPTED)
    message = queue_picture(on_messenger)

    deliver_next(on_messenger.pk)

    message.refresh_from_db()
    assert message.status == Status.SENT
    assert uploaded.call_count == 2


def queue_picture(conversation: Conversation) -> Message:
    """A picture out of our own storage."""
    (message,) = queue_reply(
        conversation=conversation,
        source=Source.AGENT,
        media=[OutgoingMedia("image", "https://shop.example.com/1.png")],
    )
    message.attachments.get().file.save("1.png", ContentFile(b"\x89PNG"))
    Attachment.objects.update(mime_type="image/png", size=4, title="1.png")
    return message


RETIRED = ("CONFIRMED_EVENT_UPDATE", "ACCOUNT_UPDATE", "POST_PURCHASE_UPDATE")


def test_trap_13_the_retired_tags_are_nowhere_in_what_we_run() -> None:
    sources = [
        path
        for folder in ("inbox", "channels_meta", "dexra", "webhooks", "static")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".js"} and "sandbox" not in path.parts
    ]

    found = [path for path in sources if any(t in path.read_text() for t in RETIRED)]

    assert sources
    assert found == []


@pytest.mark.django_db
@responses.activate
def test_trap_14_a_window_after_an_ad_is_tried_and_learned_from_the_answer(
    on_messenger: Conversation,
) -> None:
    clicked = now() - timedelta(days=2)
    ChannelIdentity.objects.update(
        last_inbound_at=clicked,
        window_expires_at=clicked + timedelta(hours=24),
        probable_until=clicked + timedelta(days=7),
    )
    responses.post(PAGE_MESSAGES, json=refusal(10, 2018278), status=400)
    responses.post(PAGE_MESSAGES, json=ACCEPTED)

    message = answer(on_messenger)

    types = [
        json.loads(call.request.body or "")["messaging_type"]
        for call in responses.calls
    ]
    assert types == ["RESPONSE", "MESSAGE_TAG"]
    assert message.status == Status.SENT
    assert ChannelIdentity.objects.get().probable_until is None


@pytest.mark.django_db
@responses.activate
def test_trap_14_a_window_after_an_ad_that_is_open_is_used_without_a_tag(
    on_messenger: Conversation,
) -> None:
    clicked = now() - timedelta(days=2)
    ChannelIdentity.objects.update(
        last_inbound_at=clicked,
        window_expires_at=clicked + timedelta(hours=24),
        probable_until=clicked + timedelta(days=7),
    )
    sent = responses.post(PAGE_MESSAGES, json=ACCEPTED)

    answer(on_messenger, source=Source.AUTOMATION)

    body = json.loads(sent.calls[0].request.body or "")
    assert body["messaging_type"] == "RESPONSE"
    assert "tag" not in body


def comment_on_page(meta: Meta, comment_id: str, **value: Any) -> None:
    base = {
        "item": "comment",
        "verb": "add",
        "post_id": f"{PAGE_ID}_90",
        "comment_id": comment_id,
        "parent_id": f"{PAGE_ID}_90",
        "created_time": int(now().timestamp()),
    }
    entry = {
        "id": PAGE_ID,
        "time": int(now().timestamp()),
        "changes": [{"field": "feed", "value": base | value}],
    }
    meta.post({"object": "page", "entry": [entry]})


@responses.activate
def test_trap_16_our_own_comment_comes_back_and_settles_what_we_posted(
    messenger: Channel, meta: Meta, agent: Agent
) -> None:
    """The answer to our post was lost: the comment's own notice tells, and nothing is posted
    again."""
    responses.add_passthru("http://127.0.0.1")
    posted = responses.post(f"{FACEBOOK}/90_91/comments", status=504)
    customer = {"id": "7701", "name": "Ana"}
    comment_on_page(meta, "90_91", message="still open?", **{"from": customer})
    drain()
    comment = Message.objects.get(external_id="90_91")

    reply = reply_publicly(
        comment=comment, by=Writer(Source.AGENT, agent), content="Until nine"
    )
    deliver_next(reply.conversation.pk)
    reply.refresh_from_db()
    assert reply.status == Status.UNCERTAIN
    ours = {"id": PAGE_ID, "name": "Maison Tilila"}
    comment_on_page(
        meta, "90_92", message="Until nine", parent_id="90_91", **{"from": ours}
    )
    drain()
    settle_uncertain()
    deliver_next(reply.conversation.pk)

    reply.refresh_from_db()
    assert (reply.status, reply.external_id) == (Status.SENT, "90_92")
    assert posted.call_count == 1
    assert Message.objects.filter(external_id="90_92").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("success", [True, "true"])
@responses.activate
def test_trap_27_success_is_a_boolean_or_a_word(
    messenger: Channel, success: bool | str
) -> None:
    responses.post(f"{FACEBOOK}/90_91", json={"success": success})

    messenger.adapter.perform(messenger, ActionKind.HIDE, target="90_91")


@pytest.mark.django_db
@pytest.mark.parametrize("success", [False, "false"])
@responses.activate
def test_trap_27_no_success_is_a_boolean_or_a_word_too(
    messenger: Channel, success: bool | str
) -> None:
    responses.post(f"{FACEBOOK}/90_91", json={"success": success})

    with pytest.raises(SendError):
        messenger.adapter.perform(messenger, ActionKind.HIDE, target="90_91")
