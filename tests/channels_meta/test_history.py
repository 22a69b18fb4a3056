"""The Conversations API as it really answers, in the inbox's words."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import responses

from inbox.channels import ErrorClass, HistoryPage, SendError
from inbox.inbound import Echo, InboundMessage, Part, ReactionChange
from inbox.models import Channel
from tests.conftest import INSTAGRAM_ID, PAGE_ID

pytestmark = pytest.mark.django_db
ANSWERS = Path(__file__).parent / "samples" / "answers"
PAGE_URL = f"https://graph.facebook.com/v26.0/{PAGE_ID}/conversations"
INSTAGRAM_URL = f"https://graph.instagram.com/v26.0/{INSTAGRAM_ID}/conversations"
AT = datetime(2026, 11, 15, 22, 8, 1, tzinfo=UTC)
STAMP = "2026-11-15T22:08:01+0000"
SALMA = {"id": "7701", "name": "Salma El Idrissi", "email": "7701@facebook.com"}
PAGE = {"id": PAGE_ID, "name": "Maison Tilila", "email": f"{PAGE_ID}@facebook.com"}
ANA = {"id": "6612", "username": "ana"}
SHOP = {"id": INSTAGRAM_ID, "username": "maison.tilila"}


def node(
    mid: str, sender: dict[str, str] | None = SALMA, **fields: Any
) -> dict[str, Any]:
    message: dict[str, Any] = {"id": mid, "created_time": STAMP, **fields}
    return message | ({"from": sender} if sender else {})


def conversation(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": "t_10001",
        "updated_time": STAMP,
        "participants": {"data": [SALMA, PAGE]},
        "messages": {"data": list(messages)},
        **fields,
    }


def on_instagram(*messages: dict[str, Any]) -> dict[str, Any]:
    return conversation(*messages, participants={"data": [SHOP, ANA]})


def read(channel: Channel, *conversations: dict[str, Any]) -> HistoryPage:
    url = PAGE_URL if channel.kind == "messenger" else INSTAGRAM_URL
    with responses.RequestsMock() as graph:
        graph.get(url, json={"data": list(conversations)})
        return channel.adapter.fetch_history(channel)


@responses.activate
def test_the_newest_page_is_asked_for_with_the_newest_messages(
    messenger: Channel,
) -> None:
    asked = responses.get(PAGE_URL, json={"data": []})

    found = messenger.adapter.fetch_history(messenger)

    params = asked.calls[0].request.params  # type: ignore[attr-defined]
    assert params["platform"] == "messenger"
    assert "messages.limit(20){id,created_time,from,to,message," in params["fields"]
    assert {"after", "user_id"}.isdisjoint(params)
    assert found == HistoryPage([], "", 0)


@responses.activate
def test_one_persons_conversation_further_down_the_list(instagram: Channel) -> None:
    asked = responses.get(INSTAGRAM_URL, json={"data": []})

    instagram.adapter.fetch_history(instagram, cursor="QVFI", person_id="6612")

    params = asked.calls[0].request.params  # type: ignore[attr-defined]
    assert (params["platform"], params["user_id"], params["after"]) == (
        "instagram",
        "6612",
        "QVFI",
    )


@responses.activate
@pytest.mark.parametrize(
    ("paging", "cursor"),
    [
        ({"cursors": {"after": "QVFI"}, "next": "https://graph/next"}, "QVFI"),
        ({"cursors": {"after": "QVFI"}}, ""),
        ({}, ""),
    ],
)
def test_the_list_ends_where_meta_names_no_next_page(
    messenger: Channel, paging: dict[str, Any], cursor: str
) -> None:
    responses.get(PAGE_URL, json={"data": [conversation()], "paging": paging})

    found = messenger.adapter.fetch_history(messenger)

    assert (found.cursor, found.conversations, found.oldest) == (cursor, 1, AT)


def test_both_sides_in_the_order_of_time(messenger: Channel) -> None:
    found = read(
        messenger,
        conversation(
            node("m_2", PAGE, message="Yes", reply_to={"mid": "m_1"}),
            node("m_1", SALMA, message="Is it open?"),
        ),
    )

    assert found.items == [
        InboundMessage(
            person_id="7701",
            external_id="m_1",
            sent_at=AT,
            type="text",
            content="Is it open?",
            opens_window="message",
            name="Salma El Idrissi",
        ),
        Echo(
            person_id="7701",
            external_id="m_2",
            sent_at=AT,
            type="text",
            content="Yes",
            reply_to="m_1",
        ),
    ]


def test_our_account_is_known_by_its_handle_where_its_id_differs(
    instagram: Channel,
) -> None:
    """Instagram Login knows the account by several numbers (trap 29)."""
    instagram.username = "maison.tilila"
    ours = {"id": "90010000001", "username": "maison.tilila"}

    found = read(
        instagram,
        conversation(
            node("m_2", ours, message="Yes"),
            node("m_1", ANA, message="Is it open?"),
            participants={"data": [ours, ANA]},
        ),
    )

    kinds = [(type(item), item.person_id) for item in found.items]
    assert kinds == [(InboundMessage, "6612"), (Echo, "6612")]


def test_a_message_without_details_is_unavailable_not_unsent(
    messenger: Channel,
) -> None:
    found = read(
        messenger, conversation(node("m_2", message="new"), node("m_1", sender=None))
    )

    assert [item.external_id for item in found.items] == ["m_2"]


def test_no_more_is_read_than_meta_tells_details_of(messenger: Channel) -> None:
    nodes = [node(f"m_{number}", message="hi") for number in range(30, 0, -1)]

    found = read(messenger, conversation(*nodes))

    assert [item.external_id for item in found.items] == [
        f"m_{number}" for number in range(11, 31)
    ]


@pytest.mark.parametrize(
    ("attachment", "part"),
    [
        (
            {"mime_type": "image/jpeg", "name": "a.jpg", "image_data": {"url": "https://x/a"}},
            Part("image", "https://x/a", "a.jpg"),
        ),
        (
            {"image_data": {"url": "https://x/s", "render_as_sticker": True}},
            Part("sticker", "https://x/s"),
        ),
        ({"video_data": {"url": "https://x/v"}}, Part("video", "https://x/v")),
        (
            {"mime_type": "audio/mpeg", "file_url": "https://x/m"},
            Part("audio", "https://x/m"),
        ),
        (
            {"mime_type": "application/pdf", "name": "i.pdf", "file_url": "https://x/f"},
            Part("file", "https://x/f", "i.pdf"),
        ),
        ({"id": "1"}, Part("unsupported", extra={"raw": {"id": "1"}})),
    ],
)  # fmt: skip
def test_an_attachment(
    messenger: Channel, attachment: dict[str, Any], part: Part
) -> None:
    found = read(
        messenger, conversation(node("m_1", attachments={"data": [attachment]}))
    )

    (message,) = found.items
    assert isinstance(message, InboundMessage)
    assert (message.type, message.parts) == (part.kind, (part,))


def test_a_card_that_we_sent(messenger: Channel) -> None:
    template = {
        "title": "Tote bag",
        "subtitle": "320 MAD",
        "media_url": "https://x/bag.png",
        "cta": {"title": "Buy", "url": "https://shop.example.com/bag"},
    }

    found = read(
        messenger,
        conversation(
            node("m_1", PAGE, attachments={"data": [{"generic_template": template}]})
        ),
    )

    (message,) = found.items
    assert isinstance(message, Echo)
    assert message.type == "template"
    assert message.extra["cards"] == [
        {
            "title": "Tote bag",
            "subtitle": "320 MAD",
            "text": "",
            "image_url": "https://x/bag.png",
            "url": "",
            "buttons": [
                {"title": "Buy", "kind": "url", "value": "https://shop.example.com/bag"}
            ],
        }
    ]


def test_a_shared_post_and_a_link_in_a_text(messenger: Channel) -> None:
    share = {"data": [{"link": "https://x/p", "name": "A post"}]}

    found = read(
        messenger,
        conversation(
            node("m_2", message="see", shares=share), node("m_1", shares=share)
        ),
    )

    kinds = [(item.type, len(item.parts)) for item in found.items]  # type: ignore[union-attr]
    assert kinds == [("share", 1), ("text", 1)]


def test_a_story_reply_as_it_was_recorded(instagram: Channel) -> None:
    sample = json.loads(
        (ANSWERS / "instagram-get-message-story-reply.json").read_text()
    )
    sender = sample["from"]

    found = read(
        instagram,
        conversation(sample, participants={"data": [SHOP, sender]}),
    )

    (message,) = found.items
    assert isinstance(message, InboundMessage)
    assert (message.type, message.content) == ("story_reply", "शुक्रिया")
    assert message.extra["story"] == {
        "id": "12191332578483088",
        "url": sample["story"]["reply_to"]["link"],
        "expires_at": (AT + timedelta(hours=24)).isoformat(),
    }


def test_a_story_mention_is_a_link_that_expires(instagram: Channel) -> None:
    story = {"mention": {"id": "18040001", "link": "https://lookaside.fbsbx.com/s"}}

    found = read(instagram, on_instagram(node("m_1", ANA, story=story)))

    (message,) = found.items
    assert isinstance(message, InboundMessage)
    assert message.type == "story_mention"
    assert message.parts == (
        Part(
            "story_mention",
            "https://lookaside.fbsbx.com/s",
            expires_at=AT + timedelta(hours=24),
        ),
    )


@pytest.mark.parametrize("said", [True, "true"])
def test_what_meta_does_not_support_has_its_placeholder(
    instagram: Channel, said: Any
) -> None:
    found = read(instagram, on_instagram(node("m_1", ANA, is_unsupported=said)))

    (message,) = found.items
    assert isinstance(message, InboundMessage)
    assert message.type == "unsupported"


def test_reactions_have_the_time_of_their_message(instagram: Channel) -> None:
    """Any event about them is newer."""
    reactions = {"data": [{"reaction": "love", "users": [ANA]}]}

    found = read(instagram, on_instagram(node("m_1", SHOP, reactions=reactions)))

    assert found.items[1] == ReactionChange("6612", "m_1", "6612", "❤️", AT)


def test_a_group_is_nobodys_conversation(messenger: Channel) -> None:
    omar = {"id": "7702", "name": "Omar"}

    found = read(
        messenger,
        conversation(
            node("m_1", message="hi"), participants={"data": [SALMA, omar, PAGE]}
        ),
    )

    assert (found.items, found.conversations) == ([], 1)


def test_without_participants_the_messages_say_who_it_is(messenger: Channel) -> None:
    found = read(
        messenger,
        conversation(
            node("m_1", PAGE, message="hi", to={"data": [SALMA]}), participants={}
        ),
    )

    assert [(type(item), item.person_id) for item in found.items] == [(Echo, "7701")]


def test_threads_of_other_apps_are_left_to_them(
    messenger: Channel, settings: Any
) -> None:
    others = conversation(node("m_1", message="hi"), is_owner=False)
    assert read(messenger, others).items == []


def test_unless_the_installation_wants_them(messenger: Channel, settings: Any) -> None:
    settings.META_ASSUMPTIONS = {"META_ASSUME_HISTORY_OF_OTHERS_THREADS": "yes"}
    others = conversation(node("m_1", message="hi"), is_owner=False)

    assert len(read(messenger, others).items) == 1


def test_the_documented_placeholders_are_no_messages(messenger: Channel) -> None:
    sample = json.loads((ANSWERS / "messenger-conversations-is-owner.json").read_text())

    found = read(messenger, *sample["data"])

    assert (found.items, found.conversations, found.oldest) == ([], 2, None)


@responses.activate
def test_a_list_a_second_is_asked_for_and_no_more(messenger: Channel) -> None:
    responses.get(PAGE_URL, json={"data": []})
    messenger.adapter.fetch_history(messenger)

    with pytest.raises(SendError) as caught:
        messenger.adapter.fetch_history(messenger)

    assert caught.value.error_class is ErrorClass.THROTTLED
    assert caught.value.retry_after is not None
    assert caught.value.retry_after <= timedelta(seconds=1)


@responses.activate
def test_questions_about_single_people_leave_the_import_its_turn(
    messenger: Channel,
) -> None:
    responses.get(PAGE_URL, json={"data": [conversation()]})
    messenger.adapter.fetch_history(messenger, person_id="7701")
    with pytest.raises(SendError):
        messenger.adapter.fetch_history(messenger, person_id="7702")

    assert messenger.adapter.fetch_history(messenger).conversations == 1
