"""What a channel takes: one table, and a sentence for whatever it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.base import ContentFile

from inbox.channels import (
    Ability,
    Button,
    Card,
    Limits,
    MediaLimit,
    OutgoingMedia,
    QuickReply,
    TextLimit,
)
from inbox.content import LocalFile, read_file, size_words
from inbox.errors import ContentInvalid, KeyReused, StateForbids
from inbox.models import Agent, Conversation, Source, Status
from inbox.outbound import queue_reply, read_content, retry_message
from tests.fakes import FakeAdapter
from tests.files import MP4, PDF, PROGRAM, picture, voice

pytestmark = pytest.mark.django_db

LIMITS = Limits(
    text=TextLimit(1000, "bytes"),
    comment_text=TextLimit(1000, "characters"),
    media={
        "image": MediaLimit(200_000, frozenset({"image/png", "image/jpeg"})),
        "video": MediaLimit(1024, frozenset({"video/mp4"})),
        "file": MediaLimit(200_000, frozenset({"application/pdf"})),
    },
)
CARD = Card(title="Babouche", subtitle="640 MAD")
BUTTON = Button("Buy", "url", "https://shop.example.com/1")

Send = Callable[..., Any]


@pytest.fixture
def send(conversation: Conversation, fake_adapter: FakeAdapter) -> Send:
    fake_adapter.limits = LIMITS

    def put(content: str = "", **more: Any) -> Any:
        return queue_reply(
            conversation=conversation, source=Source.AGENT, content=content, **more
        )

    return put


def given(data: bytes, name: str, limits: Limits = LIMITS) -> LocalFile:
    return read_file(ContentFile(data, name=name), limits)


# --- files ---------------------------------------------------------------------------------------


def test_files_and_words_are_parts_in_order(send: Send) -> None:
    messages = send(
        "Here they are",
        media=[given(picture(), "red.png"), given(PDF, "invoice.pdf")],
    )

    assert [message.type for message in messages] == ["image", "file", "text"]
    assert len({message.group for message in messages}) == 1
    stored = messages[0].attachments.get()
    assert (stored.mime_type, stored.title, stored.state) == (
        "image/png",
        "red.png",
        "stored",
    )
    assert stored.file.read() == picture()
    assert "red" not in stored.file.name


def test_a_files_kind_is_what_its_bytes_say(send: Send) -> None:
    (message,) = send(media=[given(picture("JPEG"), "movie.mp4")])

    assert message.type == "image"


def test_a_picture_that_is_taken_only_as_a_file_goes_as_one() -> None:
    anything = replace(
        LIMITS, media={**LIMITS.media, "file": MediaLimit(200_000, frozenset())}
    )

    assert given(picture("WEBP"), "red.webp", anything).kind == "file"
    assert given(picture("WEBP"), "red.webp").kind == "image"


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"", "empty.png", "empty.png is empty."),
        (
            picture("WEBP"),
            "red.webp",
            "red.webp cannot be sent: Fake takes pictures as JPEG or PNG.",
        ),
        (
            MP4,
            "unboxing.mp4",
            "unboxing.mp4 is too large: Fake takes videos up to 1 kB, this is 3 kB.",
        ),
        (voice(), "voice.wav", "Fake does not take this kind of file: sound."),
        (
            b"PK\x03\x04" + bytes(40),
            "all.zip",
            "all.zip cannot be sent: Fake takes files as PDF.",
        ),
    ],
)
def test_a_file_that_is_not_taken_is_refused_in_words(
    send: Send, conversation: Conversation, data: bytes, name: str, sentence: str
) -> None:
    with pytest.raises(ContentInvalid) as refusal:
        send("Look", media=[given(data, name)])

    assert str(refusal.value.detail) == sentence
    assert refusal.value.param == "attachments"
    assert not conversation.messages.exists()


def test_a_program_is_sent_to_nobody(
    send: Send, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.limits = replace(LIMITS, media={"file": MediaLimit(9999, frozenset())})

    with pytest.raises(ContentInvalid, match="program"):
        send(media=[given(PROGRAM, "photo.jpg", fake_adapter.limits)])

    assert not conversation.messages.exists()


def test_there_is_a_most_of_files(send: Send) -> None:
    with pytest.raises(ContentInvalid, match="At most 10 files"):
        send(media=[OutgoingMedia("image", "https://shop.example.com/1.png")] * 11)


@pytest.mark.parametrize("name", ["../../etc/passwd.png", "C:\\Photos\\passwd.png"])
def test_a_name_is_only_a_name(name: str) -> None:
    assert given(picture(), name).name == "passwd.png"


@pytest.mark.parametrize(
    ("size", "words"),
    [(1, "1 kB"), (2048, "2 kB"), (8 * 1024**2, "8 MB"), (8 * 1024**2 + 1, "8.1 MB")],
)
def test_sizes_are_told_as_people_tell_them(size: int, words: str) -> None:
    assert size_words(size) == words


def test_the_same_key_with_another_file_is_refused(send: Send) -> None:
    first = send(media=[given(picture(), "red.png")], client_key="k")

    assert send(media=[given(picture(), "red.png")], client_key="k") == first
    with pytest.raises(KeyReused):
        send(media=[given(picture(), "blue.png")], client_key="k")


def test_a_stored_part_can_be_read_and_sent_again(send: Send, agent: Agent) -> None:
    (message,) = send(media=[given(picture(), "red.png")])
    message.status = Status.FAILED
    message.save()
    (medium,) = read_content(message).media

    assert isinstance(medium, OutgoingMedia)
    assert (medium.path, medium.name) == (
        message.attachments.get().file.name,
        "red.png",
    )
    retry_message(message=message, by=agent)

    message.refresh_from_db()
    assert message.status == Status.QUEUED


def test_a_storage_that_is_away_is_said_and_stores_nothing(
    send: Send, conversation: Conversation, settings: Any
) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": "/proc/nowhere"},
        },
    }

    with pytest.raises(StateForbids):
        send(media=[given(picture(), "red.png")])

    assert not conversation.messages.exists()


# --- quick replies -------------------------------------------------------------------------------


def test_quick_replies_hang_on_the_last_part(send: Send) -> None:
    messages = send(
        "Which colour?",
        media=[OutgoingMedia("image", "https://shop.example.com/1.png")],
        quick_replies=[QuickReply("Blue", "BLUE"), QuickReply("Red", "RED")],
    )

    assert "quick_replies" not in messages[0].extra
    assert messages[1].extra["quick_replies"] == [
        {"title": "Blue", "payload": "BLUE", "kind": "text"},
        {"title": "Red", "payload": "RED", "kind": "text"},
    ]
    assert read_content(messages[1]).quick_replies[1] == QuickReply("Red", "RED")


@pytest.mark.parametrize(
    ("replies", "param"),
    [
        ([QuickReply("x", "y")] * 14, "quick_replies"),
        ([QuickReply("", "y")], "quick_replies.0.title"),
        ([QuickReply("x" * 21, "y")], "quick_replies.0.title"),
        ([QuickReply("x", "y" * 1001)], "quick_replies.0.payload"),
        ([QuickReply("x", "y"), QuickReply(kind="phone")], "quick_replies.1.type"),
    ],
)
def test_quick_replies_that_are_not_taken_are_named(
    send: Send, replies: list[QuickReply], param: str
) -> None:
    with pytest.raises(ContentInvalid) as refusal:
        send("Which?", quick_replies=replies)

    assert refusal.value.param == param


def test_quick_replies_alone_are_nothing(send: Send) -> None:
    with pytest.raises(ContentInvalid, match="Write something"):
        send(quick_replies=[QuickReply("Blue", "BLUE")])


# --- cards ---------------------------------------------------------------------------------------


def test_cards_are_one_message_after_the_words(send: Send) -> None:
    card = replace(CARD, buttons=(BUTTON,))

    words, cards = send("Have a look", cards=[card, CARD])

    assert (words.type, cards.type) == ("text", "template")
    assert cards.extra["cards"][0]["buttons"] == [
        {"title": "Buy", "kind": "url", "value": "https://shop.example.com/1"}
    ]
    assert read_content(cards).cards == (card, CARD)


@pytest.mark.parametrize(
    ("cards", "param"),
    [
        ([CARD] * 11, "cards"),
        ([Card(subtitle="no title")], "cards.0.title"),
        ([Card(title="x" * 81, subtitle="y")], "cards.0.title"),
        ([Card(title="x", subtitle="y" * 81)], "cards.0.subtitle"),
        ([Card(title="alone")], "cards.0"),
        ([Card(title="x", image_url="javascript:alert(1)")], "cards.0.image_url"),
        ([replace(CARD, buttons=(BUTTON,) * 4)], "cards.0.buttons"),
        (
            [replace(CARD, buttons=(Button("x" * 21, "postback", "y"),))],
            "cards.0.buttons.0.title",
        ),
        (
            [replace(CARD, buttons=(Button("x", "url", "tel:1"),))],
            "cards.0.buttons.0.value",
        ),
        (
            [replace(CARD, buttons=(Button("x", "phone", "+212"),))],
            "cards.0.buttons.0.type",
        ),
        ([Card(text="Choose")], "cards.0.text"),
        ([Card(text="Choose", title="x", buttons=(BUTTON,))], "cards.0.text"),
        ([Card(text="Choose", buttons=(BUTTON,)), CARD], "cards.0.text"),
        ([Card(text="x" * 641, buttons=(BUTTON,))], "cards.0.text"),
    ],
)
def test_cards_that_are_not_taken_are_named(
    send: Send, cards: list[Card], param: str
) -> None:
    with pytest.raises(ContentInvalid) as refusal:
        send(cards=cards)

    assert refusal.value.param == param


def test_a_card_of_words_and_buttons_needs_its_own_ability(
    send: Send, fake_adapter: FakeAdapter
) -> None:
    card = Card(text="Choose", buttons=(BUTTON,))
    send(cards=[card])
    fake_adapter.abilities = lambda channel: frozenset({Ability.CARDS})  # type: ignore[method-assign]

    with pytest.raises(ContentInvalid, match="title instead"):
        send(cards=[card])

    fake_adapter.abilities = lambda channel: frozenset()  # type: ignore[method-assign]
    with pytest.raises(ContentInvalid, match="does not take cards"):
        send(cards=[CARD])
