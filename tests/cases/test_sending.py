"""Complaints about other inboxes that lie in how messages are sent: none of them here."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.timezone import now

from channels_meta.processing import drain
from inbox.channels import OutgoingMedia
from inbox.comments import reply_privately
from inbox.content import read_file
from inbox.delivery import deliver_next, ring_due
from inbox.errors import ContentInvalid, NotPossible, ReplyWindowClosed
from inbox.models import (
    Agent,
    Attachment,
    Channel,
    ChannelIdentity,
    Conversation,
    Direction,
    Message,
    MessageType,
    Source,
    Status,
)
from inbox.outbound import Writer, queue_reply
from tests.conftest import (
    INSTAGRAM_ID,
    PAGE_ID,
    Meta,
    echoed,
    make_conversation,
    make_meta_channel,
)

FACEBOOK = "https://graph.facebook.com/v26.0"
PAGE_MESSAGES = f"{FACEBOOK}/{PAGE_ID}/messages"
INSTAGRAM_MESSAGES = f"https://graph.instagram.com/v26.0/{INSTAGRAM_ID}/messages"
ACCEPTED = {"recipient_id": "7701", "message_id": "m_C3"}
SOURCES = [Source.AGENT, Source.AUTOMATION, Source.AI, Source.API]


@pytest.fixture
def on_messenger(messenger: Channel) -> Conversation:
    return make_conversation(messenger, person_id="7701")


@pytest.fixture
def on_instagram(instagram: Channel) -> Conversation:
    return make_conversation(instagram, person_id="7701")


def queue(conversation: Conversation, content: str = "Hello", **more: Any) -> Message:
    more = {"source": Source.AGENT} | more
    return queue_reply(conversation=conversation, content=content, **more)[-1]


def deliver(message: Message) -> Message:
    deliver_next(message.conversation.pk)
    message.refresh_from_db()
    return message


def wrote(ago: timedelta) -> None:
    """The person's last act was so long ago."""
    at = now() - ago
    ChannelIdentity.objects.update(
        last_inbound_at=at, window_expires_at=at + timedelta(hours=24)
    )


def body_of(call: responses.BaseResponse, number: int = 0) -> Any:
    return json.loads(call.calls[number].request.body or "null")


# --- echoes of what we sent ----------------------------------------------------------------------


@responses.activate
def test_case_01_a_reply_and_its_echo_are_one_message(meta: Meta) -> None:
    responses.add_passthru("http://127.0.0.1")
    message = sent_on_messenger("m_C3")

    for _ in range(2):
        meta.messaging(echoed("Hello", "m_C3"))
        drain()

    assert Message.objects.get().pk == message.pk


@responses.activate
def test_case_02_the_echo_of_a_reply_leaves_a_closed_conversation_closed(
    meta: Meta,
) -> None:
    responses.add_passthru("http://127.0.0.1")
    sent_on_messenger("m_C3")
    Conversation.objects.update(status=Conversation.Status.CLOSED)

    meta.messaging(echoed("Hello", "m_C3"))
    drain()

    assert Conversation.objects.get().status == Conversation.Status.CLOSED


@responses.activate
def test_case_03_an_echo_before_the_answer_is_no_second_message(meta: Meta) -> None:
    """Meta reports the message while its answer to our call is still on the way."""
    responses.add_passthru("http://127.0.0.1")

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        metadata = json.loads(request.body)["message"]["metadata"]
        meta.messaging(echoed("Hello", "m_C3", metadata=metadata))
        drain()
        return 200, {}, json.dumps(ACCEPTED)

    responses.add_callback(responses.POST, PAGE_MESSAGES, callback=answer)
    message = deliver(queue(make_conversation(make_messenger(), person_id="7701")))

    assert (message.status, message.external_id) == (Status.SENT, "m_C3")
    assert Message.objects.count() == 1


@responses.activate
def test_case_04_every_part_keeps_the_id_that_meta_gave_it(meta: Meta) -> None:
    responses.add_passthru("http://127.0.0.1")
    for number in (1, 2, 3):
        responses.post(PAGE_MESSAGES, json=ACCEPTED | {"message_id": f"m_{number}"})
    conversation = make_conversation(make_messenger(), person_id="7701")
    picture = OutgoingMedia("image", "https://shop.example.com/1.png")

    deliver(queue(conversation, "Look", media=[picture, picture]))

    ids = Message.objects.order_by("pk").values_list("external_id", flat=True)
    assert list(ids) == ["m_1", "m_2", "m_3"]


def make_messenger() -> Channel:
    return make_meta_channel("messenger", PAGE_ID)


def sent_on_messenger(mid: str) -> Message:
    """A reply that Meta has taken under this id."""
    responses.post(PAGE_MESSAGES, json=ACCEPTED | {"message_id": mid})
    return deliver(queue(make_conversation(make_messenger(), person_id="7701")))


# --- windows and tags ----------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("source", SOURCES)
@responses.activate
def test_case_24_nobody_uses_a_tag_within_a_day(
    on_messenger: Conversation, source: str
) -> None:
    sent = responses.post(PAGE_MESSAGES, json=ACCEPTED)
    wrote(timedelta(hours=23))

    deliver(queue(on_messenger, source=source))

    body = body_of(sent)
    assert body["messaging_type"] == "RESPONSE"
    assert "tag" not in body


@pytest.mark.django_db
@pytest.mark.parametrize("source", SOURCES)
@responses.activate
def test_case_24_after_a_day_a_person_uses_the_tag_and_nobody_else_sends(
    on_messenger: Conversation, source: str
) -> None:
    sent = responses.post(PAGE_MESSAGES, json=ACCEPTED)
    wrote(timedelta(hours=25))

    try:
        deliver(queue(on_messenger, source=source))
    except ReplyWindowClosed:
        assert source != Source.AGENT

    assert [body_of(sent, n).get("tag") for n in range(sent.call_count)] == (
        ["HUMAN_AGENT"] if source == Source.AGENT else []
    )


@pytest.mark.django_db
@pytest.mark.parametrize("source", SOURCES)
@responses.activate
def test_case_24_what_waited_beyond_its_window_sends_nothing(
    on_messenger: Conversation, source: str
) -> None:
    message = queue(on_messenger, source=source)
    wrote(timedelta(days=7, minutes=1))

    deliver(message)

    assert (message.status, message.error_class) == (Status.FAILED, "window_closed")
    assert not responses.calls


@pytest.mark.django_db
@responses.activate
def test_case_25_the_only_tag_that_ever_leaves_is_human_agent(
    on_messenger: Conversation, on_instagram: Conversation
) -> None:
    calls = [
        responses.post(PAGE_MESSAGES, json=ACCEPTED),
        responses.post(INSTAGRAM_MESSAGES, json=ACCEPTED | {"message_id": "m_I1"}),
    ]
    wrote(timedelta(days=6))

    for conversation in (on_messenger, on_instagram):
        deliver(queue(conversation))

    assert {body_of(call)["tag"] for call in calls} == {"HUMAN_AGENT"}


@pytest.mark.django_db
@responses.activate
def test_case_26_the_label_and_the_send_ask_the_same_rule(
    on_messenger: Conversation,
) -> None:
    """Whatever the composer shows at a moment is what the send of that moment does."""
    ages = [timedelta(hours=1), timedelta(hours=25), timedelta(days=6)]
    shown, sent = [], []
    for number, age in enumerate(ages):
        wrote(age)
        on_messenger.identity.refresh_from_db()
        state = on_messenger.reply_window_at(now(), source=Source.AGENT)
        shown.append(state.kind)
        call = responses.post(
            PAGE_MESSAGES, json=ACCEPTED | {"message_id": f"{number}"}
        )
        deliver(queue(on_messenger, f"Number {number}"))
        sent.append(body_of(call).get("tag", "open").lower())
        responses.remove(call)

    assert shown == sent == ["open", "human_agent", "human_agent"]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["messenger", "instagram"])
@responses.activate
def test_case_30_a_private_answer_goes_by_its_own_rule_once(
    kind: str, request: pytest.FixtureRequest, agent: Agent
) -> None:
    url = PAGE_MESSAGES if kind == "messenger" else INSTAGRAM_MESSAGES
    call = responses.post(url, json={"recipient_id": "9903", "message_id": "m_P1"})
    comment = commented(request.getfixturevalue(kind), ago=timedelta(days=6))
    by = Writer(Source.AGENT, agent)

    message = deliver(reply_privately(comment=comment, by=by, content="80 dirhams"))

    assert message.status == Status.SENT
    assert body_of(call) == {
        "recipient": {"comment_id": "90_91"},
        "message": {"text": "80 dirhams"} | ({"metadata": f"dx:{message.pk}"} if kind == "messenger" else {}),
    }  # fmt: skip
    with pytest.raises(NotPossible):
        reply_privately(comment=comment, by=by, content="Again")
    joined = ChannelIdentity.objects.get(external_id="9903")
    assert joined.contact_id == message.conversation.identity.contact_id


@pytest.mark.django_db
@responses.activate
def test_case_30_a_private_answer_that_waited_too_long_is_not_sent(
    messenger: Channel, agent: Agent
) -> None:
    comment = commented(messenger, ago=timedelta(days=6, hours=23))
    by = Writer(Source.AGENT, agent)
    message = reply_privately(comment=comment, by=by, content="80 dirhams")
    Message.objects.filter(pk=comment.pk).update(sent_at=now() - timedelta(days=7))

    deliver(message)

    assert message.status == Status.FAILED
    assert not responses.calls


@pytest.mark.django_db
@pytest.mark.parametrize(("code", "subcode"), [(10900, None), (100, 2534025)])
@responses.activate
def test_case_30_a_comment_that_meta_counts_as_answered_is_not_offered_again(
    messenger: Channel, agent: Agent, code: int, subcode: int | None
) -> None:
    error = {"message": "…", "code": code, "error_subcode": subcode}
    responses.post(PAGE_MESSAGES, json={"error": error}, status=400)
    comment = commented(messenger, ago=timedelta(days=1))
    by = Writer(Source.AGENT, agent)

    message = deliver(reply_privately(comment=comment, by=by, content="80 dirhams"))

    comment.refresh_from_db()
    assert message.status == Status.FAILED
    assert "already answered in private" in message.error_detail
    with pytest.raises(NotPossible):
        reply_privately(comment=comment, by=by, content="Again")


def commented(channel: Channel, *, ago: timedelta) -> Message:
    """Somebody commented and has never written."""
    conversation = make_conversation(channel, person_id="7701")
    ChannelIdentity.objects.update(last_inbound_at=None, window_expires_at=None)
    return Message.objects.create(
        conversation=conversation,
        channel=channel,
        direction=Direction.IN,
        source=Source.CUSTOMER,
        type=MessageType.COMMENT,
        content="Price?",
        external_id="90_91",
        status=Status.RECEIVED,
        sent_at=now() - ago,
        extra={"comment": {"post_id": "1_90"}},
    )


# --- limits --------------------------------------------------------------------------------------

MB = 1024 * 1024
MP3 = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90d" + b"\x00" * 500
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "name", "content", "taken"),
    [
        ("instagram", "voice.mp3", MP3, False),
        ("messenger", "voice.mp3", MP3, True),
        ("instagram", "price list.pdf", PDF, True),
        ("messenger", "price list.pdf", PDF, True),
        ("instagram", "notes.txt", b"Hello there, this is text.", False),
    ],
)
def test_case_36_one_table_says_which_files_a_channel_takes(
    kind: str, name: str, content: bytes, taken: bool, request: pytest.FixtureRequest
) -> None:
    channel = request.getfixturevalue(kind)
    file = read_file(SimpleUploadedFile(name, content), channel.adapter.limits)
    conversation = make_conversation(channel, person_id="7701")

    expected = nullcontext() if taken else pytest.raises(ContentInvalid, match=name)
    with expected:
        queue(conversation, "", media=[file])

    assert Attachment.objects.exists() is taken


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "limit"),
    [("instagram", "a" * 1000), ("messenger", "é" * 2000)],
)
@responses.activate
def test_case_36_the_sender_keeps_to_the_table_too(
    kind: str, limit: str, request: pytest.FixtureRequest
) -> None:
    url = PAGE_MESSAGES if kind == "messenger" else INSTAGRAM_MESSAGES
    sent = responses.post(url, json=ACCEPTED)
    conversation = make_conversation(request.getfixturevalue(kind), person_id="7701")
    message = queue(conversation, limit)
    Message.objects.update(content=limit + "x")

    deliver(message)

    assert (message.status, sent.call_count) == (Status.FAILED, 0)
    assert message.error_detail


# --- when Meta is down ---------------------------------------------------------------------------


@pytest.mark.django_db
@responses.activate
def test_case_39_an_outage_of_instagram_queues_and_recovers(
    on_instagram: Conversation, instagram: Channel
) -> None:
    """What it says then: "Unsupported request - method type: post"."""
    outage = {"message": "…", "type": "IGApiException", "code": 100}
    responses.post(INSTAGRAM_MESSAGES, json={"error": outage}, status=400)
    message = deliver(queue(on_instagram))
    instagram.refresh_from_db()
    assert (message.status, message.error_class) == (Status.QUEUED, "transient")
    assert instagram.last_error

    responses.replace(responses.POST, INSTAGRAM_MESSAGES, json=ACCEPTED)
    Message.objects.update(next_attempt_at=now())
    ring_due()
    deliver(message)

    instagram.refresh_from_db()
    assert message.status == Status.SENT
    assert instagram.last_error == ""


@pytest.mark.django_db
@responses.activate
def test_case_39_agents_are_told_why_replies_wait(
    on_messenger: Conversation, agent_client: Client
) -> None:
    slow = {"message": "…", "code": 80006}
    responses.post(PAGE_MESSAGES, json={"error": slow}, status=400)
    deliver(queue(on_messenger))

    page = agent_client.get(on_messenger.get_absolute_url()).content.decode()

    assert "Maison Tilila on Messenger needs attention." in page
    sentence = "Meta asked this account to slow down. Replies go out a little later."
    assert page.count(sentence) == 2  # in the banner, and below the reply


@pytest.mark.django_db
@responses.activate
def test_case_39_without_a_connection_replies_wait_for_an_hour(
    on_messenger: Conversation, messenger: Channel
) -> None:
    responses.post(PAGE_MESSAGES, body=requests.exceptions.ConnectTimeout())
    message = queue(on_messenger)
    waited = timedelta()

    for _ in range(10):
        Message.objects.update(next_attempt_at=now())
        began = now()
        deliver(message)
        if message.next_attempt_at:
            waited += message.next_attempt_at - began

    assert message.status == Status.FAILED
    assert waited > timedelta(minutes=50)
    messenger.refresh_from_db()
    assert messenger.last_error


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "subcode", "meaning", "waits"),
    [
        (100, 2534015, "bad_request", False),
        (190, 463, "reconnect", True),
        (200, None, "permission", False),
        (10, 2018278, "window_closed", False),
        (80006, None, "throttled", True),
        (2, None, "transient", True),
    ],
)
@responses.activate
def test_case_39_every_class_of_error_is_told_apart(
    on_messenger: Conversation,
    code: int,
    subcode: int | None,
    meaning: str,
    waits: bool,
) -> None:
    Channel.objects.update(features=[])
    error = {"message": "…", "code": code, "error_subcode": subcode}
    responses.post(PAGE_MESSAGES, json={"error": error}, status=400)

    message = deliver(queue(on_messenger))

    assert message.error_class == meaning
    assert (message.status == Status.QUEUED) is waits
    assert message.error_detail
