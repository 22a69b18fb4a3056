"""The traps of Meta's contract that lie in events: each met at the real address, with real bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from channels_meta.models import RawEvent
from channels_meta.processing import drain
from inbox.channels import Accepted, WindowKind
from inbox.delivery import claim_next, record_outcome
from inbox.models import (
    Channel,
    ChannelIdentity,
    Conversation,
    Fetch,
    Message,
    Reaction,
    Source,
    Status,
)
from inbox.outbound import queue_reply
from tests.conftest import (
    INSTAGRAM_ID,
    PAGE_ID,
    Meta,
    echoed,
    envelope,
    meta_json,
    milliseconds,
    said,
    signature,
)

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SECONDS, MILLISECONDS = int(AT.timestamp()), int(AT.timestamp()) * 1000
CDN = "https://scontent.xx.fbcdn.net/v/t1.png"
STORY = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=18040001&signature=x"


def tell(meta: Meta, data: Any, **more: Any) -> None:
    assert meta.post(data, **more).status_code == 200
    drain()


def direct(meta: Meta, *items: dict[str, Any], kind: str = "messenger") -> None:
    tell(meta, envelope(*items, kind=kind))


def item(kind: str = "messenger", **event: Any) -> dict[str, Any]:
    """Something that the customer 7701 did, other than writing."""
    account = PAGE_ID if kind == "messenger" else INSTAGRAM_ID
    return {
        "sender": {"id": "7701"},
        "recipient": {"id": account},
        "timestamp": milliseconds(now()),
        **event,
    }


def change(
    field: str, value: dict[str, Any] | None, *, kind: str = "instagram"
) -> dict[str, Any]:
    account = PAGE_ID if kind == "messenger" else INSTAGRAM_ID
    made = {"field": field} if value is None else {"field": field, "value": value}
    entry = {"id": account, "time": SECONDS, "changes": [made]}
    return {"object": "page" if kind == "messenger" else "instagram", "entry": [entry]}


def comment(**value: Any) -> dict[str, Any]:
    return {
        "id": "17990000001",
        "text": "price?",
        "from": {"id": "6612", "username": "ana"},
        "media": {"id": "17970000001", "media_product_type": "FEED"},
        **value,
    }


def with_parts(mid: str, *parts: dict[str, Any], kind: str = "instagram") -> Any:
    account = PAGE_ID if kind == "messenger" else INSTAGRAM_ID
    return said("", mid, account=account, attachments=list(parts))


# --- times ---------------------------------------------------------------------------------------


def test_trap_01_every_time_is_read_on_its_own(
    meta: Meta, messenger: Channel, instagram: Channel
) -> None:
    tell(meta, change("comments", comment()))  # seconds on the entry
    direct(meta, {**said("ms", "m_1"), "timestamp": MILLISECONDS})
    direct(meta, {**said("digits", "m_2"), "timestamp": str(SECONDS)})
    lead = item(referral={"ref": "winter", "source": "SHORTLINK"})
    direct(meta, {**lead, "timestamp": SECONDS})

    assert set(Message.objects.values_list("sent_at", flat=True)) == {AT}
    assert Message.objects.count() == 4


def test_trap_02_a_comment_without_time_gets_its_notices_and_is_asked_for(
    meta: Meta, instagram: Channel
) -> None:
    tell(meta, change("comments", comment()))

    message = Message.objects.get()
    assert message.sent_at == AT
    asked = Fetch.objects.get(kind=Fetch.Kind.DETAILS)
    assert (asked.channel, asked.subject_id) == (instagram, message.pk)


# --- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["id", "comment_id"])
@pytest.mark.parametrize("is_flat", [False, True])
def test_trap_03_all_four_shapes_of_a_comment_are_one_comment(
    meta: Meta, instagram: Channel, key: str, is_flat: bool
) -> None:
    value = comment()
    value[key] = value.pop("id")
    body = change("comments", value)
    if is_flat:
        entry = body["entry"][0]
        entry |= entry.pop("changes")[0]

    tell(meta, body)

    message = Message.objects.get()
    assert (message.type, message.external_id, message.content) == (
        "comment",
        "17990000001",
        "price?",
    )
    assert message.conversation.identity.external_id == "6612"


@pytest.mark.parametrize("key", ["id", "ig_post_media_id"])
def test_trap_04_a_shared_post_is_known_by_either_key(
    meta: Meta, instagram: Channel, key: str
) -> None:
    post = {
        "type": "ig_post",
        "payload": {key: 17970000001, "url": CDN, "title": "New"},
    }

    direct(meta, with_parts("m_1", post), kind="instagram")

    part = Message.objects.get().attachments.get()
    assert (part.kind, part.title, part.extra["shared_id"]) == (
        "share",
        "New",
        "17970000001",
    )
    assert part.extra["picture"] == CDN


@pytest.mark.parametrize("reel_id", ["1790", 1790])
def test_trap_04_a_reel_is_a_link_also_where_its_address_is_relative(
    meta: Meta, instagram: Channel, reel_id: Any
) -> None:
    reel = {"url": "/reel/abc/", "title": "New", "reel_video_id": reel_id}

    direct(
        meta, with_parts("m_1", {"type": "ig_reel", "payload": reel}), kind="instagram"
    )

    part = Message.objects.get().attachments.get()
    assert part.remote_url == "https://www.instagram.com/reel/abc/"
    assert part.extra["shared_id"] == "1790"
    assert "picture" not in part.extra
    assert not Fetch.objects.filter(kind=Fetch.Kind.MEDIA).exists()


@pytest.mark.parametrize("has_people", [True, False])
def test_trap_05_an_edit_numbered_zero_is_none(
    meta: Meta, instagram: Channel, has_people: bool
) -> None:
    direct(meta, said("Salam", "m_1", account=INSTAGRAM_ID), kind="instagram")
    edit = item("instagram", message_edit={"mid": "m_1", "num_edit": 0})
    if not has_people:
        del edit["sender"], edit["recipient"]

    direct(meta, edit, kind="instagram")

    message = Message.objects.get()
    assert (message.content, message.edited_at) == ("Salam", None)
    assert not RawEvent.objects.exclude(state=RawEvent.State.PROCESSED).exists()


@pytest.mark.parametrize(
    "parts",
    [
        [{"type": "image", "payload": {"url": CDN, "sticker_id": 369239263222822}}],
        [{"type": "sticker", "payload": {"url": CDN, "sticker_id": "369239263222822"}}],
        [
            {"type": "image", "payload": {"url": CDN, "sticker_id": 369239263222822}},
            {"type": "sticker", "payload": {"url": CDN, "sticker_id": 369239263222822}},
        ],
    ],
    ids=["before", "since", "in between"],
)
def test_trap_11_a_sticker_is_one_sticker_in_all_its_forms(
    meta: Meta, messenger: Channel, parts: list[dict[str, Any]]
) -> None:
    direct(meta, with_parts("m_1", *parts, kind="messenger"))

    message = Message.objects.get()
    part = message.attachments.get()
    assert (message.type, part.kind) == ("sticker", "sticker")
    assert part.extra["sticker_id"] == "369239263222822"


def test_trap_12_a_post_that_came_in_both_forms_is_one_card(
    meta: Meta, instagram: Channel
) -> None:
    old = {"type": "share", "payload": {"url": CDN}}
    new = {"type": "ig_post", "payload": {"ig_post_media_id": "1", "url": CDN}}

    direct(meta, with_parts("m_1", old, new), kind="instagram")
    direct(meta, with_parts("m_2", old), kind="instagram")

    kinds = [list(m.attachments.values_list("kind", "extra__meta_type")) for m in
             Message.objects.order_by("external_id")]  # fmt: skip
    assert kinds == [[("share", "ig_post")], [("share", "share")]]


# --- windows -------------------------------------------------------------------------------------

AD = {"source": "ADS", "type": "OPEN_THREAD", "ad_id": "61"}


def window_after(days: float) -> WindowKind:
    conversation = Conversation.objects.get()
    at = now() + timedelta(days=days)
    return conversation.reply_window_at(at, source="automation").kind


def test_trap_14_a_first_message_from_an_ad_may_be_answered_for_longer(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Is it new?", "m_1", referral=AD))

    assert window_after(0.5) == WindowKind.OPEN
    assert window_after(6.9) == WindowKind.PROBABLE
    assert window_after(7.1) == WindowKind.CLOSED


def test_trap_14_an_ad_in_a_known_thread_counts_from_the_next_message(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Salam", "m_1"))

    direct(meta, item(referral=AD))
    assert window_after(1.5) == WindowKind.CLOSED
    direct(meta, said("About the ad", "m_2"))

    assert window_after(6.9) == WindowKind.PROBABLE


def test_trap_14_only_the_first_message_after_the_click_is_special(
    meta: Meta, messenger: Channel
) -> None:
    week_ago = now() - timedelta(days=6)
    direct(meta, said("From the ad", "m_1", at=week_ago, referral=AD))

    direct(meta, said("Later", "m_2"))

    assert window_after(1.5) == WindowKind.CLOSED


# --- our own -------------------------------------------------------------------------------------


def test_trap_15_an_echo_before_the_answer_of_the_send_is_the_send(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Salam", "m_1"))
    conversation = Conversation.objects.get()
    queue_reply(conversation=conversation, source=Source.AGENT, content="Salam!")
    sending = claim_next(conversation.pk, at=now())
    assert sending

    direct(meta, echoed("Salam!", "m_2"))
    record_outcome(sending.pk, Accepted("m_2"))

    ours = Message.objects.outbound().get()
    assert (ours.pk, ours.status, ours.external_id) == (sending.pk, Status.SENT, "m_2")


@pytest.mark.parametrize(
    "author", [{"id": INSTAGRAM_ID}, {"id": "55", "self_ig_scoped_id": "55"}]
)
def test_trap_16_our_own_comment_is_never_a_customers(
    meta: Meta, instagram: Channel, author: dict[str, str]
) -> None:
    tell(meta, change("comments", comment()))
    ours = comment(id="17990000002", text="640 MAD", parent_id="17990000001")

    tell(meta, change("comments", {**ours, "from": author}))

    reply = Message.objects.get(external_id="17990000002")
    assert (reply.direction, reply.source) == ("out", Source.NATIVE_APP)
    assert reply.conversation.identity.external_id == "6612"
    assert reply.reply_to == Message.objects.get(external_id="17990000001")
    conversation = Conversation.objects.get()
    assert (conversation.unread, conversation.waiting_since) == (1, None)


def test_trap_16_our_own_comment_on_a_page_is_never_a_customers(
    meta: Meta, messenger: Channel
) -> None:
    post = f"{PAGE_ID}_90"
    theirs = {"item": "comment", "verb": "add", "post_id": post, "comment_id": "90_91",
              "parent_id": post, "from": {"id": "7701", "name": "Ana"},
              "created_time": SECONDS, "message": "still open?"}  # fmt: skip
    ours = {**theirs, "comment_id": "90_92", "parent_id": "90_91", "message": "Yes",
            "from": {"id": PAGE_ID, "name": "Maison Tilila"}}  # fmt: skip
    under_our_post = {**ours, "comment_id": "90_93", "parent_id": post}

    for value in (theirs, ours, under_our_post, ours):
        tell(meta, change("feed", value, kind="messenger"))

    assert list(
        Message.objects.order_by("external_id").values_list("external_id", "direction")
    ) == [("90_91", "in"), ("90_92", "out")]
    assert Conversation.objects.get().identity.external_id == "7701"


def test_trap_16_our_own_answer_of_unknown_fate_is_settled_by_its_notice(
    meta: Meta, instagram: Channel
) -> None:
    tell(meta, change("comments", comment()))
    answered = Message.objects.get()
    ours = Message.objects.create(
        conversation=answered.conversation, channel=instagram, direction="out",
        source=Source.AGENT, type="comment", content="640 MAD", reply_to=answered,
        status=Status.UNCERTAIN, sent_at=now(),
    )  # fmt: skip

    reported = comment(id="17990000002", text="640 MAD", parent_id="17990000001")
    tell(meta, change("comments", {**reported, "from": {"id": INSTAGRAM_ID}}))

    ours.refresh_from_db()
    assert (ours.status, ours.external_id) == (Status.SENT, "17990000002")
    assert Message.objects.count() == 2


# --- stories -------------------------------------------------------------------------------------


def test_trap_17_the_picture_of_a_story_is_linked_and_never_fetched(
    meta: Meta, instagram: Channel
) -> None:
    mention = {"type": "story_mention", "payload": {"url": STORY}}
    reply = said("is it open?", "m_2", account=INSTAGRAM_ID,
                 reply_to={"story": {"id": "18040001", "url": STORY}})  # fmt: skip
    photo = {"type": "image", "payload": {"url": CDN}}

    direct(meta, with_parts("m_1", mention), reply, kind="instagram")
    direct(meta, with_parts("m_3", photo), kind="instagram")

    part = Message.objects.get(external_id="m_1").attachments.get()
    assert (part.remote_url, part.state) == (STORY, "remote")
    assert part.remote_url_expires_at is not None
    assert Message.objects.get(external_id="m_2").extra["story"]["url"] == STORY
    fetched = Fetch.objects.filter(kind=Fetch.Kind.MEDIA)
    photo_id = Message.objects.get(external_id="m_3").attachments.get().pk
    assert list(fetched.values_list("subject_id", flat=True)) == [photo_id]


# --- signatures ----------------------------------------------------------------------------------


def test_trap_18_the_signature_is_over_the_bytes_on_the_wire(
    meta: Meta, messenger: Channel
) -> None:
    written = envelope(said("شحال الثمن؟ / café", "m_1"))
    body = meta_json(written)
    assert b"\\u0634" in body
    assert b"\\/" in body

    tell(meta, body)
    rewritten = json.dumps(written, ensure_ascii=False).encode()
    forged = meta._session.post(
        meta.url,
        data=rewritten,
        headers={"X-Hub-Signature-256": signature(body)},
        timeout=10,
    )

    assert Message.objects.get().content == "شحال الثمن؟ / café"
    assert forged.status_code == 403


@pytest.mark.parametrize("secret", ["app-secret", "instagram-app-secret"])
def test_trap_19_either_secret_may_sign_for_instagram(
    meta: Meta, instagram: Channel, secret: str
) -> None:
    event = envelope(said("Salam", "m_1", account=INSTAGRAM_ID), kind="instagram")

    tell(meta, event, secret=secret)

    assert Message.objects.get().content == "Salam"


# --- standby, receipts ---------------------------------------------------------------------------


def test_trap_21_standby_items_are_messages_whose_buttons_carry_no_payload(
    meta: Meta, messenger: Channel
) -> None:
    body = envelope(
        said("Salam", "m_1"), item(postback={"mid": "m_2", "title": "Get started"})
    )
    entry = body["entry"][0]
    entry["standby"] = entry.pop("messaging")

    tell(meta, body)

    tapped = Message.objects.get(external_id="m_2")
    assert (tapped.type, tapped.content) == ("postback", "Get started")
    assert tapped.extra == {"postback": {"payload": ""}, "standby": True}
    assert Conversation.objects.get().held_by == "another app"


def test_trap_22_a_delivery_of_a_watermark_alone_counts(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Salam", "m_1"), echoed("Hello", "m_2"))
    delivery = item(delivery={"watermark": milliseconds(now())})
    del delivery["timestamp"]

    direct(meta, delivery)

    assert Message.objects.outbound().get().status == Status.DELIVERED


def test_trap_23_messenger_reads_up_to_a_moment(meta: Meta, messenger: Channel) -> None:
    direct(meta, said("Salam", "m_1"), echoed("Hello", "m_2"), echoed("You?", "m_3"))

    direct(meta, item(read={"watermark": milliseconds(now())}))

    statuses = Message.objects.outbound().values_list("status", flat=True)
    assert set(statuses) == {Status.READ}


def test_trap_23_instagram_reads_one_message(meta: Meta, instagram: Channel) -> None:
    direct(
        meta,
        said("Salam", "m_1", account=INSTAGRAM_ID),
        echoed("Hello", "m_2", account=INSTAGRAM_ID, at=now() - timedelta(minutes=2)),
        echoed("You?", "m_3", account=INSTAGRAM_ID),
        kind="instagram",
    )

    direct(meta, item("instagram", read={"mid": "m_2"}), kind="instagram")

    statuses = dict(Message.objects.outbound().values_list("external_id", "status"))
    assert statuses == {"m_2": Status.READ, "m_3": Status.SENT}


# --- odd values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        {"is_unsupported": True},
        {"is_unsupported": "true"},
        {"attachments": [{"type": "unsupported_type", "payload": {"url": CDN}}]},
        {"is_unsupported": True, "attachments": [{"type": "ephemeral"}]},
        {"attachments": [{"type": "hologram", "payload": ["?"]}]},
        {},
    ],
    ids=["flag", "word", "type", "once", "unheard of", "empty"],
)
def test_trap_24_what_cannot_be_shown_is_kept_raw(
    meta: Meta, instagram: Channel, message: dict[str, Any]
) -> None:
    event = said("", "m_1", account=INSTAGRAM_ID, **message)

    direct(meta, event, kind="instagram")

    stored = Message.objects.get()
    assert stored.type == "unsupported"
    assert stored.extra["raw"] == event["message"]
    assert ChannelIdentity.objects.get().window_expires_at is not None


@pytest.mark.parametrize("emoji", ["❤️", "\\u{2764}\\u{FE0F}", ""])
def test_trap_25_an_emoji_may_be_spelt_out(
    meta: Meta, messenger: Channel, emoji: str
) -> None:
    direct(meta, said("Salam", "m_1"))
    reaction = {"mid": "m_1", "action": "react", "reaction": "love", "emoji": emoji}

    direct(meta, item(reaction=reaction))

    assert Reaction.objects.get().emoji == "❤️"


def test_trap_26_taking_a_reaction_back_names_none(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Salam", "m_1"))
    react = {"mid": "m_1", "action": "react", "reaction": "love", "emoji": "❤️"}
    direct(meta, {**item(reaction=react), "timestamp": milliseconds(now()) - 5000})

    direct(meta, item(reaction={"mid": "m_1", "action": "unreact"}))

    assert Reaction.objects.get().emoji == ""
