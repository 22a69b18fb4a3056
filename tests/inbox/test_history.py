"""What a channel remembers: imported once, compared now and then, never doubled, never revived."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils.timezone import now

from inbox.channels import ErrorClass, HistoryPage, SendError
from inbox.events import Event, EventName, emit
from inbox.history import (
    MAX_ATTEMPTS,
    check_channels,
    progress_of,
    run_imports,
    start_import,
    usual_gap,
)
from inbox.inbound import (
    Arrival,
    Echo,
    InboundMessage,
    Item,
    ReactionChange,
    Unsend,
    receive,
)
from inbox.models import (
    Channel,
    ChannelIdentity,
    Conversation,
    Import,
    Message,
    Reaction,
)
from tests.conftest import make_conversation
from tests.fakes import FakeAdapter

pytestmark = pytest.mark.django_db
Reason = Import.Reason


def ago(**span: float) -> datetime:
    return now() - timedelta(**span)


def wrote(mid: str, at: datetime, person: str = "person-1", **fields: Any) -> Item:
    return InboundMessage(
        person_id=person,
        external_id=mid,
        sent_at=at,
        type="text",
        content=fields.pop("content", f"text of {mid}"),
        opens_window="message",
        **fields,
    )


def answered(mid: str, at: datetime, person: str = "person-1") -> Item:
    return Echo(
        person_id=person, external_id=mid, sent_at=at, type="text", content="our answer"
    )


@pytest.fixture
def old_channel(channel: Channel) -> Channel:
    """Connected a month ago, and in touch until now."""
    Channel.objects.update(created_at=ago(days=30), last_event_at=now())
    channel.refresh_from_db()
    return channel


def page(*items: Item, cursor: str = "", oldest: datetime | None = None) -> HistoryPage:
    return HistoryPage(list(items), cursor, 1, oldest=oldest)


def checked(channel: Channel, at: datetime, **fields: Any) -> Import:
    """A finished walk that began then."""
    run = Import.objects.create(
        channel=channel,
        reason=Reason.SCHEDULE,
        state=Import.State.DONE,
        finished_at=at,
        **fields,
    )
    Import.objects.filter(pk=run.pk).update(started_at=at)
    return run


# --- import --------------------------------------------------------------------------------------


def test_connecting_brings_in_what_was_said_before(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.history[""] = page(
        wrote("m-1", ago(days=3)), answered("m-2", ago(days=2)), cursor="next"
    )
    fake_adapter.history["next"] = page(wrote("m-3", ago(days=5), "person-2"))

    start_import(channel, Reason.CONNECTED)
    run_imports()

    run = Import.objects.get()
    assert (run.state, run.conversations, run.messages, run.recovered) == (
        "done",
        2,
        3,
        0,
    )
    directions = Message.objects.order_by("external_id").values_list(
        "external_id", "direction", "source"
    )
    assert list(directions) == [
        ("m-1", "in", "customer"),
        ("m-2", "out", "native_app"),
        ("m-3", "in", "customer"),
    ]


def test_what_was_imported_calls_nobody_to_work(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.history[""] = page(wrote("m-1", ago(days=3)))

    start_import(channel, Reason.CONNECTED)
    run_imports()

    conversation = Conversation.objects.get()
    assert (conversation.status, conversation.unread) == ("closed", 0)
    assert conversation.waiting_since is None
    assert not conversation.messages.filter(direction="event").exists()


def test_the_reply_window_is_what_the_messages_say(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    at = ago(hours=5)
    fake_adapter.history[""] = page(wrote("m-1", at))

    start_import(channel, Reason.CONNECTED)
    run_imports()

    identity = ChannelIdentity.objects.get()
    assert identity.window_expires_at == at + timedelta(hours=24)


def test_an_import_goes_on_where_its_worker_died(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.history["next"] = page(wrote("m-2", ago(days=3)))
    run = start_import(channel, Reason.CONNECTED)
    assert run
    Import.objects.update(cursor="next", conversations=7, due_at=ago(seconds=1))

    run_imports()

    run.refresh_from_db()
    assert (run.state, run.conversations) == ("done", 8)


def test_a_walk_that_somebody_else_is_at_is_left_alone(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    run = start_import(channel, Reason.CONNECTED)
    assert run
    Import.objects.update(due_at=now() + timedelta(minutes=1))

    run_imports()

    run.refresh_from_db()
    assert run.state == "running"


def test_it_ends_where_the_channel_was_connected_too_long_ago(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.history[""] = page(
        wrote("m-1", ago(days=3)), cursor="further", oldest=ago(days=200)
    )

    start_import(channel, Reason.CONNECTED)
    run_imports()

    assert Import.objects.get().state == "done"


def test_importing_twice_changes_nothing(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    at = ago(days=3, microseconds=-5)
    fake_adapter.history[""] = page(wrote("m-1", at), answered("m-2", at))
    start_import(channel, Reason.CONNECTED)
    run_imports()
    revision = Conversation.objects.get().revision
    whole_second = at.replace(microsecond=0)
    fake_adapter.history[""] = page(
        wrote("m-1", whole_second), answered("m-2", whole_second)
    )

    Import.objects.all().delete()
    start_import(channel, Reason.CONNECTED)
    run_imports()

    assert Import.objects.get().messages == 0
    assert set(Message.objects.values_list("sent_at", flat=True)) == {at}
    assert Conversation.objects.get().revision == revision


def test_what_was_unsent_or_erased_is_not_revived(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    unsent, before, after = ago(days=3), ago(days=4), ago(days=1)
    receive([Arrival(channel.pk, now(), wrote("m-1", unsent))])
    receive([Arrival(channel.pk, now(), Unsend("m-1", now()))])
    receive([Arrival(channel.pk, now(), Unsend("m-unseen", now()))])
    forgotten = make_conversation(channel, person_id="person-2").identity
    ChannelIdentity.objects.filter(pk=forgotten.pk).update(erased_at=ago(days=2))
    fake_adapter.history[""] = page(
        wrote("m-1", unsent),
        wrote("m-unseen", unsent),
        wrote("m-2", before, "person-2"),
        wrote("m-3", after, "person-2"),
    )

    start_import(channel, Reason.CONNECTED)
    run_imports()

    assert list(
        Message.objects.exclude(content="").values_list("external_id", flat=True)
    ) == ["m-3"]


def test_one_message_that_cannot_be_stored_stops_no_other(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.history[""] = page(
        wrote("m-1", ago(days=3)),
        wrote("m" * 700, ago(days=3)),
        wrote("m-3", ago(days=3)),
    )

    start_import(channel, Reason.CONNECTED)
    run_imports()

    assert Import.objects.get().state == "done"
    assert Message.objects.count() == 2


def test_a_throttled_walk_waits_and_spends_no_attempt(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.history[""] = SendError(
        ErrorClass.THROTTLED, "slow", retry_after=timedelta(minutes=3)
    )

    run = start_import(channel, Reason.CONNECTED)
    assert run
    run_imports()

    run.refresh_from_db()
    assert (run.state, run.attempts) == ("running", 0)
    assert run.due_at > now() + timedelta(minutes=2)


def test_a_slow_account_delays_no_other(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    other = Channel.objects.create(kind="fake", external_id="acc-2", name="Outlet")
    start_import(channel, Reason.CONNECTED)
    Import.objects.update(due_at=now() + timedelta(minutes=3))
    fake_adapter.history[""] = page(wrote("m-1", ago(days=3)))

    start_import(other, Reason.CONNECTED)
    run_imports()

    assert Import.objects.get(channel=other).state == "done"


def test_a_dead_token_keeps_the_walk_for_when_it_is_replaced(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.history[""] = SendError(ErrorClass.RECONNECT, "ended", code="190")
    run = start_import(channel, Reason.CONNECTED)
    assert run
    run_imports()
    run.refresh_from_db()
    channel.refresh_from_db()
    assert (run.state, channel.status) == ("running", "needs_reauth")
    fake_adapter.history[""] = page(wrote("m-1", ago(days=3)))

    Channel.objects.update(status="active")
    Import.objects.update(due_at=now())
    run_imports()

    run.refresh_from_db()
    assert (run.state, run.messages) == ("done", 1)


def test_it_fails_with_a_sentence_after_many_attempts(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.history[""] = SendError(ErrorClass.TRANSIENT, "Meta had a problem.")
    run = start_import(channel, Reason.CONNECTED)
    assert run
    Import.objects.update(attempts=MAX_ATTEMPTS - 1)

    run_imports()

    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "Meta had a problem.")


def test_a_disconnected_account_is_not_walked_through_for_ever(
    channel: Channel,
) -> None:
    start_import(channel, Reason.CONNECTED)
    Channel.objects.update(status=Channel.Status.DISCONNECTED)

    check_channels()

    assert Import.objects.get().state == "failed"


def test_one_walk_at_a_time_and_the_wider_one_wins(channel: Channel) -> None:
    first = start_import(channel, Reason.ASKED, since=ago(hours=1))
    second = start_import(channel, Reason.OUTAGE, since=ago(days=1))

    run = Import.objects.get()
    assert (first, second) == (run, run)
    assert run.since
    assert run.since < ago(hours=2)


# --- compare -------------------------------------------------------------------------------------


def test_what_events_missed_is_news(
    old_channel: Channel, fake_adapter: FakeAdapter
) -> None:
    receive([Arrival(old_channel.pk, now(), wrote("m-1", ago(days=2)))])
    Conversation.objects.update(status="closed", unread=0)
    checked(old_channel, ago(days=2))
    fake_adapter.history[""] = page(
        wrote("m-1", ago(days=2)),
        wrote("m-2", ago(hours=4)),
        wrote("m-3", ago(hours=3)),
    )

    start_import(old_channel, Reason.ASKED)
    run_imports()

    run = Import.objects.order_by("-id")[0]
    conversation = Conversation.objects.get()
    assert (run.messages, run.recovered) == (2, 2)
    assert (conversation.status, conversation.unread) == ("open", 2)
    assert Message.objects.get(external_id="m-2").extra == {"recovered": True}
    line = conversation.messages.get(direction="event")
    assert line.extra == {"event": "recovered", "count": 2}


def test_only_what_came_since_the_last_look_is_stored(
    old_channel: Channel, fake_adapter: FakeAdapter
) -> None:
    checked(old_channel, ago(days=1))
    fake_adapter.history[""] = page(
        wrote("m-1", ago(days=20)), wrote("m-2", ago(hours=4))
    )

    start_import(old_channel, Reason.SCHEDULE)
    run_imports()

    assert Message.objects.exclude(direction="event").get().external_id == "m-2"


def test_what_is_on_its_way_as_an_event_is_not_missing(
    old_channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.history[""] = page(wrote("m-1", ago(seconds=5)))

    start_import(old_channel, Reason.ASKED)
    run_imports()

    assert not Message.objects.exists()


def test_comparing_is_no_sign_of_life_of_the_channel(
    old_channel: Channel, fake_adapter: FakeAdapter
) -> None:
    heard_at = ago(hours=9)
    Channel.objects.update(last_event_at=heard_at)
    fake_adapter.history[""] = page(wrote("m-1", ago(hours=4)))

    start_import(old_channel, Reason.ASKED)
    run_imports()

    old_channel.refresh_from_db()
    assert old_channel.last_event_at == heard_at


def test_a_missed_reaction_is_found_and_a_newer_one_stays(
    old_channel: Channel, fake_adapter: FakeAdapter
) -> None:
    at = ago(hours=4)
    receive([Arrival(old_channel.pk, now(), wrote(mid, at)) for mid in ("m-1", "m-2")])
    newer = ReactionChange("person-1", "m-2", "person-1", "👍", ago(hours=3))
    receive([Arrival(old_channel.pk, now(), newer)])
    fake_adapter.history[""] = page(
        wrote("m-1", at),
        ReactionChange("person-1", "m-1", "person-1", "❤️", at),
        wrote("m-2", at),
        ReactionChange("person-1", "m-2", "person-1", "❤️", at),
    )

    start_import(old_channel, Reason.ASKED)
    run_imports()

    emoji = Reaction.objects.values_list("message__external_id", "emoji")
    assert dict(emoji) == {"m-1": "❤️", "m-2": "👍"}


def test_an_old_answer_in_the_same_words_settles_no_reply_of_today(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    conversation = make_conversation(channel)
    sending = conversation.messages.create(
        channel=channel,
        direction="out",
        source="agent",
        status="sending",
        content="our answer",
        sent_at=now(),
    )
    fake_adapter.history[""] = page(answered("m-1", ago(days=9)))

    start_import(channel, Reason.CONNECTED)
    run_imports()

    sending.refresh_from_db()
    assert sending.status == "sending"
    assert Message.objects.get(external_id="m-1").source == "native_app"


# --- when ----------------------------------------------------------------------------------------


def reasons() -> list[str]:
    return list(Import.objects.filter(state="running").values_list("reason", flat=True))


def test_every_channel_is_compared_once_a_day(old_channel: Channel) -> None:
    checked(old_channel, ago(hours=23))
    check_channels()
    assert reasons() == []

    Import.objects.update(started_at=ago(hours=25))
    check_channels()
    assert reasons() == ["schedule"]


def lively(channel: Channel, every: timedelta) -> None:
    for number in range(10):
        make_conversation(channel, person_id=f"p-{number}", wrote=every * (number + 1))


def test_silence_beyond_the_usual_gap_is_looked_into_once(old_channel: Channel) -> None:
    lively(old_channel, timedelta(minutes=5))
    checked(old_channel, ago(hours=3))
    Channel.objects.update(last_event_at=ago(hours=2))

    check_channels()

    assert reasons() == ["silence"]
    Import.objects.update(state="done")
    check_channels()
    assert reasons() == []


def test_a_silent_channel_that_missed_something_is_looked_at_again(
    old_channel: Channel,
) -> None:
    lively(old_channel, timedelta(minutes=5))
    Channel.objects.update(last_event_at=ago(hours=8))
    checked(old_channel, ago(minutes=61), recovered=2)

    check_channels()

    assert reasons() == ["silence"]


def test_a_quiet_channel_may_be_silent(old_channel: Channel) -> None:
    lively(old_channel, timedelta(hours=6))
    checked(old_channel, ago(hours=20))
    Channel.objects.update(last_event_at=ago(hours=10))

    check_channels()

    assert reasons() == []


def test_the_usual_gap_is_measured_by_the_newest_conversations(
    old_channel: Channel,
) -> None:
    lively(old_channel, timedelta(minutes=5))

    assert usual_gap(old_channel) == pytest.approx(
        timedelta(minutes=5), abs=timedelta(seconds=5)
    )


def test_our_own_absence_is_an_outage(old_channel: Channel) -> None:
    checked(old_channel, ago(hours=3))
    check_channels()
    assert reasons() == []
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.set("dexra:history:seen", int(ago(minutes=40).timestamp()))

    check_channels()

    assert reasons() == ["outage"]


def test_an_account_that_works_again_is_compared(old_channel: Channel) -> None:
    checked(old_channel, ago(hours=3))

    emit(
        [
            Event(
                EventName.CHANNEL_STATUS,
                channel_id=old_channel.pk,
                occurred_at=now(),
                details={"status": "active"},
            )
        ]
    )

    run = Import.objects.get(state="running")
    assert run.reason == "outage"
    assert run.since
    assert run.since < ago(hours=3)


def test_a_cut_off_channel_is_not_asked(old_channel: Channel) -> None:
    Channel.objects.update(status=Channel.Status.NEEDS_REAUTH)

    check_channels()

    assert reasons() == []


# --- progress ------------------------------------------------------------------------------------


def test_progress_is_how_far_back_in_time_the_walk_has_come(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    assert progress_of(channel) is None
    start_import(channel, Reason.CONNECTED)
    Import.objects.update(reached=ago(days=45))

    progress = progress_of(channel)

    assert progress
    assert progress.is_running
    assert progress.percent in {49, 50}


def test_progress_is_by_number_where_the_channel_tells_it(channel: Channel) -> None:
    start_import(channel, Reason.CONNECTED)
    Import.objects.update(total=200, conversations=50)

    progress = progress_of(channel)

    assert progress
    assert progress.percent == 25
