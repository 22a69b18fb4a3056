"""What arrives, in whatever order and however often, becomes one true history."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from channels_meta.models import RawEvent
from channels_meta.processing import drain
from inbox.models import (
    Channel,
    ChannelIdentity,
    Conversation,
    Message,
    Reaction,
    Source,
    Status,
)
from tests.conftest import (
    INSTAGRAM_ID,
    PAGE_ID,
    echoed,
    envelope,
    meta_json,
    milliseconds,
    said,
)

pytestmark = pytest.mark.django_db


def arrive(*items: dict[str, Any], kind: str = "messenger") -> None:
    """Journal one body with these items and drain it."""
    journal(envelope(*items, kind=kind))
    drain()


def journal(data: Any) -> None:
    import hashlib

    body = meta_json(data)
    RawEvent.objects.create(
        body=body, sha256=hashlib.sha256(body + str(random.random()).encode()).digest(),
        day=now().date(),
    )  # fmt: skip


def person(mid: str = "") -> dict[str, Any]:
    return {
        "sender": {"id": "7701"},
        "recipient": {"id": PAGE_ID},
        "timestamp": milliseconds(now()),
    }


def unsend(mid: str) -> dict[str, Any]:
    return {**person(), "message": {"mid": mid, "is_deleted": True}}


def react(
    mid: str, emoji: str = "❤️", *, seconds_ago: int = 0, **more: Any
) -> dict[str, Any]:
    at = milliseconds(now() - timedelta(seconds=seconds_ago))
    reaction = {
        "mid": mid,
        "action": "react",
        "reaction": "love",
        "emoji": emoji,
        **more,
    }
    return {**person(), "timestamp": at, "reaction": reaction}


def test_a_message_opens_a_conversation_with_its_person(messenger: Channel) -> None:
    arrive(said("Salam", "m_1"))

    conversation = Conversation.objects.get()
    assert conversation.identity.external_id == "7701"
    assert (conversation.unread, conversation.status) == (1, "open")
    assert conversation.last_message["text"] == "Salam"
    assert conversation.waiting_since is not None


def test_the_same_event_three_times_is_one_row(messenger: Channel) -> None:
    event = said("Salam", "m_1")

    arrive(event)
    arrive(event, event)

    assert Message.objects.count() == 1
    assert Conversation.objects.get().unread == 1


def test_an_album_to_a_closed_conversation_stays_in_one(messenger: Channel) -> None:
    arrive(said("Before", "m_0"))
    Conversation.objects.update(status="closed")

    arrive(*[said("", f"m_{n}", attachments=[{"type": "image", "payload": {"url": "https://x/1"}}])
             for n in range(1, 7)])  # fmt: skip

    conversation = Conversation.objects.get()
    assert conversation.status == "open"
    assert conversation.messages.count() == 7


def test_a_channel_may_start_anew_after_a_closed_conversation(
    messenger: Channel,
) -> None:
    Channel.objects.update(reopening=Channel.Reopening.NEW)
    arrive(said("Before", "m_0"))
    Conversation.objects.update(status="closed")

    arrive(*[said(f"{n}", f"m_{n}") for n in range(1, 7)])

    assert list(
        Conversation.objects.order_by("pk").values_list("status", flat=True)
    ) == [
        "closed",
        "open",
    ]


def test_a_repeat_of_an_old_message_reopens_nothing(messenger: Channel) -> None:
    arrive(said("Salam", "m_1"))
    Conversation.objects.update(status="closed", unread=0)

    arrive(said("Salam", "m_1"))

    assert Conversation.objects.get().status == "closed"


def test_messages_sort_by_the_channels_time_however_they_come(
    messenger: Channel,
) -> None:
    later, earlier = now() - timedelta(minutes=1), now() - timedelta(minutes=2)

    arrive(said("second", "m_2", at=later))
    arrive(said("first", "m_1", at=earlier))

    conversation = Conversation.objects.get()
    texts = conversation.messages.in_thread_order().values_list("content", flat=True)
    assert list(texts) == ["first", "second"]
    assert conversation.last_message["text"] == "second"


def test_a_native_reply_is_ours_and_ends_the_waiting(messenger: Channel) -> None:
    arrive(said("Salam", "m_1"))

    arrive(echoed("Hello from the app", "m_2"))

    message = Message.objects.get(external_id="m_2")
    assert (message.direction, message.source) == ("out", Source.NATIVE_APP)
    assert Conversation.objects.get().waiting_since is None


def test_an_echo_opens_no_window(messenger: Channel) -> None:
    arrive(echoed("We wrote first", "m_2"))

    assert ChannelIdentity.objects.get().window_expires_at is None


def test_a_message_opens_the_window_for_a_day(messenger: Channel) -> None:
    at = now() - timedelta(hours=3)

    arrive(said("Salam", "m_1", at=at))

    identity = ChannelIdentity.objects.get()
    assert identity.window_expires_at is not None
    assert abs(identity.window_expires_at - (at + timedelta(hours=24))) < timedelta(
        seconds=1
    )
    assert Conversation.objects.get().window_expires_at == identity.window_expires_at


def test_a_clock_ahead_of_ours_extends_no_window(messenger: Channel) -> None:
    arrive(said("From the future", "m_1", at=now() + timedelta(days=3)))

    expires_at = ChannelIdentity.objects.get().window_expires_at
    assert expires_at is not None
    assert expires_at < now() + timedelta(hours=25)


def test_an_edit_changes_the_text_and_keeps_the_history(messenger: Channel) -> None:
    arrive(said("Hallo", "m_1"))

    arrive(
        {**person(), "message_edit": {"mid": "m_1", "text": "Hello", "num_edit": "1"}}
    )

    message = Message.objects.get()
    assert message.content == "Hello"
    assert [edit["content"] for edit in message.extra["edits"]] == ["Hallo"]
    assert Conversation.objects.get().last_message["text"] == "Hello"


def test_an_edit_numbered_zero_blanks_nothing(messenger: Channel) -> None:
    arrive(said("Hallo", "m_1"))

    arrive({**person(), "message_edit": {"mid": "m_1", "num_edit": 0}})

    assert Message.objects.get().content == "Hallo"


def test_an_edit_before_its_message_wins(messenger: Channel) -> None:
    arrive({**person(), "message_edit": {"mid": "m_1", "text": "Hello", "num_edit": 1}})

    arrive(said("Hallo", "m_1"))

    assert Message.objects.get().content == "Hello"


def test_an_unsend_erases_text_preview_parts_and_journal(messenger: Channel) -> None:
    picture = {"type": "image", "payload": {"url": "https://cdn.example/secret.png"}}
    arrive(said("my card number", "m_1", attachments=[picture]), said("other", "m_2"))

    arrive(unsend("m_1"))

    message = Message.objects.get(external_id="m_1")
    assert message.deleted_at
    assert (message.content, message.search_text, message.extra) == ("", "", {})
    assert not message.attachments.exists()
    assert Conversation.objects.get().last_message["text"] == "other"
    bodies = b"".join(bytes(row.body) for row in RawEvent.objects.all())
    assert b"card number" not in bodies
    assert b"secret.png" not in bodies
    assert b"other" in bodies


def test_an_unsend_before_its_message_leaves_a_tombstone(messenger: Channel) -> None:
    arrive(unsend("m_1"))

    arrive(said("my card number", "m_1"))

    message = Message.objects.get()
    assert message.deleted_at
    assert message.content == ""
    assert message.conversation == Conversation.objects.get()
    assert not any(b"card number" in bytes(row.body) for row in RawEvent.objects.all())


def test_a_replay_cannot_bring_back_what_was_unsent(messenger: Channel) -> None:
    arrive(said("my card number", "m_1"))
    arrive(unsend("m_1"))

    arrive(said("my card number", "m_1"))

    assert Message.objects.get().content == ""
    assert not any(b"card number" in bytes(row.body) for row in RawEvent.objects.all())


def test_the_latest_reaction_of_a_person_holds(messenger: Channel) -> None:
    arrive(said("Salam", "m_1"))

    arrive(react("m_1", "👍", seconds_ago=5), react("m_1", "❤️", seconds_ago=10))

    assert Reaction.objects.get().emoji == "👍"


def test_a_reaction_taken_back_stays_away_whatever_comes_late(
    messenger: Channel,
) -> None:
    arrive(said("Salam", "m_1"))
    taken_back = {**react("m_1"), "reaction": {"mid": "m_1", "action": "unreact"}}

    arrive(taken_back)
    arrive(react("m_1", "❤️", seconds_ago=10))

    assert not Reaction.objects.exclude(emoji="").exists()


def test_a_reply_finds_the_message_that_comes_after_it(messenger: Channel) -> None:
    arrive(said("That one", "m_2", reply_to={"mid": "m_1"}))

    arrive(said("Which one?", "m_1"))

    assert Message.objects.get(external_id="m_2").reply_to == Message.objects.get(
        external_id="m_1"
    )


def read_up_to(moment: Any) -> dict[str, Any]:
    return {**person(), "read": {"watermark": milliseconds(moment)}}


def test_a_read_notice_covers_what_was_sent_before(messenger: Channel) -> None:
    arrive(said("Salam", "m_1", at=now() - timedelta(minutes=9)))
    arrive(echoed("one", "m_2", at=now() - timedelta(minutes=8)))
    arrive(echoed("two", "m_3", at=now() - timedelta(minutes=2)))

    arrive(read_up_to(now() - timedelta(minutes=5)))

    statuses = dict(Message.objects.outbound().values_list("external_id", "status"))
    assert statuses == {"m_2": Status.READ, "m_3": Status.SENT}


def test_a_read_notice_before_the_echo_still_counts(messenger: Channel) -> None:
    arrive(said("Salam", "m_1", at=now() - timedelta(minutes=9)))
    arrive(read_up_to(now() - timedelta(minutes=1)))

    arrive(echoed("one", "m_2", at=now() - timedelta(minutes=8)))

    assert Message.objects.get(external_id="m_2").status == Status.READ


def test_instagram_names_the_message_that_was_read(instagram: Channel) -> None:
    arrive(said("Salam", "m_1", account=INSTAGRAM_ID), kind="instagram")
    arrive(echoed("one", "m_2", account=INSTAGRAM_ID), kind="instagram")
    read = {"sender": {"id": "7701"}, "recipient": {"id": INSTAGRAM_ID},
            "timestamp": milliseconds(now()), "read": {"mid": "m_2"}}  # fmt: skip

    arrive(read, kind="instagram")

    assert Message.objects.get(external_id="m_2").status == Status.READ


def test_delivery_without_ids_uses_the_watermark(messenger: Channel) -> None:
    arrive(said("Salam", "m_1", at=now() - timedelta(minutes=9)))
    arrive(echoed("one", "m_2", at=now() - timedelta(minutes=8)))

    arrive({**person(), "delivery": {"watermark": milliseconds(now())}})

    assert Message.objects.get(external_id="m_2").status == Status.DELIVERED


def test_what_postgresql_refuses_is_cleaned(messenger: Channel) -> None:
    event = envelope(said("nul \x00 and half \ud83d emoji", "m_1"))
    journal(event)

    drain()

    assert Message.objects.get().content == "nul  and half \ufffd emoji"


def test_the_number_of_statements_does_not_grow_with_the_batch(
    messenger: Channel,
) -> None:
    def statements(count: int, prefix: str) -> int:
        items = [
            said(f"{n}", f"{prefix}_{n}", person=f"{prefix}{n}") for n in range(count)
        ]
        items += [react(f"{prefix}_{n}") for n in range(count)]
        items += [
            echoed(f"r{n}", f"{prefix}_e{n}", person=f"{prefix}{n}")
            for n in range(count)
        ]
        items += [unsend(f"{prefix}_{n}") for n in range(0, count, 2)]
        journal(envelope(*items))
        with CaptureQueriesContext(connection) as queries:
            drain()
        return len(queries)

    assert statements(4, "a") == statements(50, "b")


@pytest.mark.parametrize("seed", range(8))
def test_any_order_and_any_repetition_give_the_same_history(
    messenger: Channel, seed: int
) -> None:
    """One conversation's whole life, shuffled and doubled."""
    base = now() - timedelta(minutes=30)
    life = [
        said("one", "m_1", at=base),
        said("two", "m_2", at=base + timedelta(minutes=1)),
        {**person(), "timestamp": milliseconds(base + timedelta(minutes=2)),
         "message_edit": {"mid": "m_1", "text": "ONE", "num_edit": 1}},
        {**person(), "timestamp": milliseconds(base + timedelta(minutes=3)),
         "message": {"mid": "m_2", "is_deleted": True}},
        echoed("answer", "m_3", at=base + timedelta(minutes=4)),
        react("m_3", "👍", seconds_ago=1500),
        {**react("m_3"), "timestamp": milliseconds(base + timedelta(minutes=8)),
         "reaction": {"mid": "m_3", "action": "unreact"}},
        read_up_to(base + timedelta(minutes=9)),
    ]  # fmt: skip
    shuffled = life * 2
    random.Random(seed).shuffle(shuffled)

    for item in shuffled:
        arrive(item)

    history = Message.objects.in_thread_order().values_list(
        "external_id", "content", "status", "is_stub"
    )
    assert list(history) == [
        ("m_1", "ONE", "received", False),
        ("m_2", "", "received", False),
        ("m_3", "answer", "read", False),
    ]
    assert not Reaction.objects.exclude(emoji="").exists()
    assert Conversation.objects.get().unread == 2
