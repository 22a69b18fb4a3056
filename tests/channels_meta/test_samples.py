"""Every recorded shape of an event, posted to the real URL: what it must become.

A row is (direction, type, person, content, parts); a stub is what waits for its message.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from channels_meta.models import RawEvent
from channels_meta.processing import drain
from inbox.models import Channel, Message
from tests.conftest import Meta, said

SAMPLES = Path(__file__).parent / "samples"
TESTS = Path(__file__).parent.parent
pytestmark = pytest.mark.django_db(transaction=True)

Row = tuple[str, str, str, str, tuple[str, ...]]
STUB: Row = ("stub", "", "", "", ())
BLUE = "Is the blue one back in stock?"
ADDRESS = "Can I change my delivery address?"


def row(
    kind: str, person: str, content: str = "", *parts: str, direction: str = "in"
) -> list[Row]:
    return [(direction, kind, person, content, parts)]


# sample -> the rows it becomes, and what the journal calls its updates
EXPECTED: dict[str, tuple[list[Row], list[str]]] = {
    "instagram-comment-fblogin-comment-id": (
        [*row("comment", "<INSTAGRAM_USER_SCOPED_ID>", "<TEXT_ID>"), STUB],
        ["comment"],
    ),
    "instagram-comment-iglogin-flat": (
        row("comment", "<INSTAGRAM_SCOPED_USER_ID>", "<COMMENT_TEXT>"),
        ["comment"],
    ),
    "instagram-dashboard-test-event": ([], ["ignored: dashboard test"]),
    "instagram-mention-comment-2": ([], ["ignored: dashboard test"]),
    "instagram-mention-comment": (
        row("comment", "comment:19632022263917697"),
        ["mention"],
    ),
    "instagram-mention-media": (
        row("comment", "comment:mention:10562035100104829"),
        ["mention"],
    ),
    "instagram-message-edit-zero-no-sender": ([], ["ignored: not an edit"]),
    "instagram-reply-to-mid": (
        [
            *row(
                "text", "1402620522395644", "https://www.instagram.com/p/vjBNfRztQu-/"
            ),
            STUB,
        ],
        ["message"],
    ),
    "instagram-standby-text": (
        row("text", "Sender-id-1", "Please call me back"),
        ["message"],
    ),
    "instagram-story-insights": ([], ["ignored: dashboard test"]),
    "instagram-story-reply-real-shape": (
        row("story_reply", "3217177108442025", "Do you open on Sunday?"),
        ["message"],
    ),
    "instagram-unsend": ([STUB], ["unsend"]),
    "messenger-app-roles": ([], ["app_roles"]),
    "messenger-attachment-appointment": (
        row("template", "<PSID>", "", "template"),
        ["message"],
    ),
    "messenger-attachment-image": (
        row("image", "912280525624", "", "image"),
        ["message"],
    ),
    "messenger-attachment-product-with-text": (
        row("template", "send id", BLUE, "template"),
        ["message"],
    ),
    "messenger-attachment-product": (
        row("template", "<PSID>", "", "template"),
        ["message"],
    ),
    "messenger-delivery-watermark-only": ([], ["delivery"]),
    "messenger-echo": (
        row("text", "1998814255649847", BLUE, direction="out"),
        ["echo"],
    ),
    "messenger-game-play": ([], ["game_play"]),
    "messenger-message-ad-referral": (row("text", "<PSID>", BLUE), ["message"]),
    "messenger-message-echo": (
        row("text", "912280525624", BLUE, direction="out"),
        ["echo"],
    ),
    "messenger-message-edit-2": ([STUB], ["edit"]),
    "messenger-message-edit": ([STUB], ["edit"]),
    "messenger-message-request": ([], ["message_request"]),
    "messenger-message-text": (row("text", "912280525624", BLUE), ["message"]),
    "messenger-message-unsupported": (row("unsupported", "912280525624"), ["message"]),
    "messenger-multi-attachment": (
        row("image", "USER_ID", "", "image", "share", "location"),
        ["message"],
    ),
    "messenger-nlp-entities": (
        row("text", "1998814255649847", "Order arrived, love it"),
        ["message"],
    ),
    "messenger-optin-ref": (row("event", "912280525624", direction="event"), ["optin"]),
    "messenger-pass-thread-control-from-idle": ([], ["pass_thread_control"]),
    "messenger-postback-referral": (row("postback", "912280525624"), ["postback"]),
    "messenger-quick-reply": (
        row("text", "912280525624", "Thanks, got it!"),
        ["message"],
    ),
    "messenger-reaction-other": ([STUB], ["reaction"]),
    "messenger-reaction-react": ([STUB], ["reaction"]),
    "messenger-reaction-unreact": ([STUB], ["reaction"]),
    "messenger-reaction": ([STUB], ["reaction"]),
    "messenger-referral-ad": (
        row("event", "<USER_ID>", direction="event"),
        ["referral"],
    ),
    "messenger-referral-lead-complete": (
        row("event", "5628348578336352", direction="event"),
        ["referral"],
    ),
    "messenger-request-thread-control": ([], ["request_thread_control"]),
    "messenger-response-feedback": ([], ["response_feedback"]),
    "messenger-send-cart": (row("template", "<PSID>", ADDRESS, "template"), ["order"]),
    "messenger-standby-echo": (
        row("text", "912280525624", BLUE, direction="out"),
        ["echo"],
    ),
    "messenger-sticker-like-legacy": (
        row("sticker", "912280525624", "", "sticker"),
        ["message"],
    ),
    "messenger-take-thread-control": ([], ["take_thread_control"]),
    "messenger-unknown-event-key": ([], ["foo"]),
    "page-feed-comment-add-legacy-sender": (
        row("comment", "1795397890321", "Order arrived, love it"),
        ["comment"],
    ),
    "page-feed-comment-hide": (
        row("comment", "1795397890321", "Order arrived, love it"),
        ["comment hide"],
    ),
    "page-feed-comment-remove": ([STUB], ["comment removed"]),
    "page-feed-event-add": ([], ["ignored: feed event"]),
    "page-feed-photo-add-message": (
        row("comment", "1795397890321", "Which size should I take?", "image"),
        ["visitor post"],
    ),
    "page-feed-post-edit": (
        row("comment", "8936951452738", "Order arrived, love it"),
        ["post edited"],
    ),
    "page-feed-reaction-add-comment": ([], ["ignored: feed reaction"]),
    "page-feed-reaction-edit": ([], ["ignored: feed reaction"]),
    "page-feed-two-entries-no-value": (
        [],
        ["ignored: parking without value", "ignored: payment_options without value"],
    ),
    "page-feed-video-add": (
        row("comment", "1795397890321", "How much is shipping to Rabat?", "video"),
        ["visitor post"],
    ),
    "page-feed-video-block": ([], ["ignored: own post"]),
    "page-leadgen": ([], ["ignored: leadgen"]),
    "page-mention-comment": (
        row("comment", "comment:7212336981872_3589175586178968", "Please call me back"),
        ["mention"],
    ),
    "page-ratings-comment-add": ([], ["ignored: ratings"]),
}


def read_sample(name: str) -> dict[str, Any]:
    """A sample as a whole body, whatever part of one was recorded."""
    data: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    is_instagram = name.startswith("instagram")
    if "entry" not in data:
        account = data["recipient"]["id"] if "recipient" in data else data["id"]
        entry = data if "messaging" in data else {"id": account, "messaging": [data]}
        data = {"object": "instagram" if is_instagram else "page", "entry": [entry]}
    return data


def connect_accounts(name: str, data: dict[str, Any]) -> None:
    kind = "instagram" if name.startswith("instagram") else "messenger"
    for entry in data["entry"]:
        Channel.objects.get_or_create(
            kind=kind, external_id=str(entry["id"]), defaults={"name": "Maison Tilila"}
        )


def stored_rows() -> list[Row]:
    rows: list[Row] = []
    for message in Message.objects.order_by("is_stub", "pk"):
        if message.is_stub:
            rows.append(STUB)
            continue
        parts = tuple(message.attachments.values_list("kind", flat=True))
        person = message.conversation.identity.external_id
        rows.append((message.direction, message.type, person, message.content, parts))
    return rows


def test_every_recorded_event_has_an_expectation() -> None:
    names = {path.stem for path in SAMPLES.glob("*.json")}

    assert {n for n in names if not n.startswith(("error-", "header-"))} == set(
        EXPECTED
    )


def test_every_recorded_answer_has_an_expectation() -> None:
    """By its name in some test; errors and headers are read all together by theirs."""
    written = {path: path.read_text() for path in TESTS.rglob("test_*.py")}
    together = {
        "error-": (TESTS / "channels_meta" / "test_errors.py", "error-*.json"),
        "header-": (TESTS / "channels_meta" / "test_pacing.py", "header-"),
    }

    for path in SAMPLES.rglob("*.json"):
        kind = path.stem.split("-")[0] + "-"
        if kind in together:
            reader, words = together[kind]
            assert words in written[reader], path.name
            continue
        assert any(f'"{path.stem}' in text for text in written.values()), path.name


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_recorded_event_becomes_what_the_contract_says(meta: Meta, name: str) -> None:
    rows, outcomes = EXPECTED[name]
    data = read_sample(name)
    connect_accounts(name, data)

    for _ in range(3):  # Meta repeats itself
        assert meta.post(data).status_code == 200
        data["entry"] = [{**entry, "repeat": _} for entry in data["entry"]]
        drain()

    assert stored_rows() == rows
    for journalled in RawEvent.objects.all():
        assert (journalled.state, journalled.outcomes) == (
            RawEvent.State.PROCESSED,
            outcomes,
        )


def test_a_hidden_comment_is_kept_and_marked(meta: Meta) -> None:
    data = read_sample("page-feed-comment-hide")
    connect_accounts("page", data)

    meta.post(data)
    drain()

    assert Message.objects.get().extra["hidden"] is True


def test_a_reaction_that_was_sent_as_an_escape_is_decoded(meta: Meta) -> None:
    data = read_sample("messenger-reaction")
    connect_accounts("messenger", data)

    meta.post(data)
    drain()

    assert Message.objects.get().reactions.get().emoji == "❤️"


# sample -> what it leaves in a conversation that is there already, beside the rows of EXPECTED:
# (name of the line, some of its facts)
LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "messenger-app-roles": ("app_roles", {"123456789": ["primary_receiver"]}),
    "messenger-game-play": ("game_play", {"game_id": "<GAME-APP-ID>"}),
    "messenger-optin-ref": ("optin", {"ref": "PASS_THROUGH_PARAM", "kind": ""}),
    "messenger-pass-thread-control-from-idle": (
        "pass_thread_control",
        {"from": "", "to": "133423110", "to_us": False},
    ),
    "messenger-take-thread-control": (
        "take_thread_control",
        {"from": "PREVIOUS_OWNER_APP_ID", "to": "another app"},
    ),
    "messenger-request-thread-control": (
        "request_thread_control",
        {"by": "REQUESTED_OWNER_APP_ID"},
    ),
    "messenger-response-feedback": (
        "response_feedback",
        {"feedback": "Good response", "mid": "<Message-id>"},
    ),
    "messenger-referral-ad": ("referral", {"source": "ADS", "ad_id": "<ID OF THE AD>"}),
    "messenger-referral-lead-complete": (
        "referral",
        {"type": "LEAD_COMPLETE", "ad_id": "6343235935103"},
    ),
    "messenger-unknown-event-key": (
        "foo",
        {"foo": {"watermark": 1795398856253, "seq": 38}},
    ),
}


@pytest.mark.parametrize("name", sorted(LINES))
def test_what_happened_around_a_conversation_is_a_line_in_it(
    meta: Meta, name: str
) -> None:
    label, facts = LINES[name]
    data = read_sample(name)
    connect_accounts(name, data)
    (entry,) = data["entry"]
    (item,) = entry["messaging"]
    before = {**said("Salam", "m_before"), "sender": item["sender"]}
    meta.post({"object": "page", "entry": [{**entry, "messaging": [before]}]})

    meta.post(data)
    drain()

    line = Message.objects.get(direction="event")
    assert line.extra["event"] == label
    assert {key: line.extra["raw"][key] for key in facts} == facts


# sample -> some of what is kept of its message
FACTS: dict[str, dict[str, Any]] = {
    "messenger-message-ad-referral": {
        "referral__source": "ADS",
        "referral__ad_id": "<ID_OF_THE_AD>",
    },
    "messenger-postback-referral": {
        "referral__ref": "EWlSpMdjz9B0QgB9aLXV3uH9hr",
        "postback__payload": "USER_DEFINED_PAYLOAD",
    },
    "messenger-quick-reply": {"quick_reply__payload": "PAYLOAD_QUICK_REPLY"},
    "messenger-message-unsupported": {"raw__is_unsupported": True},
    "messenger-multi-attachment": {"prior_message__source": "checkbox_plugin"},
    "messenger-message-echo": {"app_id": "1908099413728554"},
    "instagram-standby-text": {"standby": True},
    "messenger-standby-echo": {"standby": True, "app_id": "1908099413728554"},
    "instagram-story-reply-real-shape": {"story__id": "10704075982682400"},
    "instagram-comment-fblogin-comment-id": {
        "comment__ad__id": "<AD_ID>",
        "comment__parent_id": "<PARENT_COMMENT_ID>",
    },
    "instagram-comment-iglogin-flat": {"comment__post_id": "<MEDIA_ID>"},
    "instagram-mention-comment": {"mention": True, "comment__is_post": False},
    "instagram-mention-media": {"mention": True, "comment__is_post": True},
    "page-feed-photo-add-message": {"comment__is_post": True},
    "page-feed-comment-hide": {"hidden": True},
}


@pytest.mark.parametrize("name", sorted(FACTS))
def test_what_a_recorded_message_tells_beside_its_words_is_kept(
    meta: Meta, name: str
) -> None:
    data = read_sample(name)
    connect_accounts(name, data)

    meta.post(data)
    drain()

    kept = Message.objects.get(is_stub=False).extra
    assert {path: read_path(kept, path) for path in FACTS[name]} == FACTS[name]


def read_path(data: Any, path: str) -> Any:
    for key in path.split("__"):
        data = data[key]
    return data


def test_an_appointment_and_an_order_are_cards_with_their_facts(meta: Meta) -> None:
    for name in ("messenger-attachment-appointment", "messenger-send-cart"):
        data = read_sample(name)
        connect_accounts(name, data)
        meta.post(data)
    drain()

    appointment, order = (
        message.attachments.get().extra for message in Message.objects.order_by("pk")
    )
    assert appointment["appointment"] == {
        "id": "<BOOKING_ID>",
        "status": "requested",
        "starts_at": "2026-11-22T10:13:20+00:00",
        "ends_at": "2026-11-22T11:13:20+00:00",
        "timezone": "America/Los_Angeles",
    }
    assert [product["quantity"] for product in order["raw"]["products"]] == [1, 2]
