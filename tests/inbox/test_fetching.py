"""What is asked of channels after the fact: quietly, in turn, and nobody waits for a stranger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils.timezone import now

from inbox.channels import Details, ErrorClass, HistoryPage, Profile, SendError
from inbox.conversations import add_note
from inbox.events import Event, EventName, emitted
from inbox.fetching import MAX_ATTEMPTS, fetch_due, refresh_profiles
from inbox.inbound import Arrival, InboundMessage, receive
from inbox.models import (
    Agent,
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Draft,
    Fetch,
    Mention,
    Message,
    Status,
)
from tests.conftest import make_conversation
from tests.fakes import FakeAdapter

pytestmark = pytest.mark.django_db
BUSY = SendError(ErrorClass.TRANSIENT, "later", code="2")


def ask(channel: Channel, kind: Fetch.Kind, subject_id: int, **fields: Any) -> Fetch:
    return Fetch.objects.create(
        channel=channel, kind=kind, subject_id=subject_id, **fields
    )


def nameless(channel: Channel, person_id: str = "person-1") -> ChannelIdentity:
    return make_conversation(channel, name="", person_id=person_id).identity


def write(channel: Channel, mid: str, person_id: str, **fields: Any) -> Message:
    """A message through the front door, all that it asks for left aside."""
    item = InboundMessage(
        person_id=person_id,
        external_id=mid,
        sent_at=fields.pop("sent_at", now()),
        type=fields.pop("type", "comment"),
        content=fields.pop("content", ""),
        **fields,
    )
    receive([Arrival(channel.pk, now(), item)])
    Fetch.objects.all().delete()
    return Message.objects.get(external_id=mid)


@pytest.fixture
def told() -> Any:
    """Every event of the test."""
    events: list[Event] = []

    def listen(sender: object, events_: Any = None, **kwargs: Any) -> None:
        events.extend(kwargs["events"])

    emitted.connect(listen)
    yield events
    emitted.disconnect(listen)


# --- profiles ------------------------------------------------------------------------------------


def test_a_profile_names_the_person_and_the_row_is_gone(
    channel: Channel, fake_adapter: FakeAdapter, told: list[Event]
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = Profile(
        name="Salma", username="salma", attributes={"follower_count": 12}
    )
    ask(channel, Fetch.Kind.PROFILE, identity.pk)

    fetch_due()

    identity.refresh_from_db()
    assert (identity.name, identity.username) == ("Salma", "salma")
    assert identity.contact.name == "Salma"
    assert identity.profile == {"follower_count": 12}
    assert identity.profile_checked_at is not None
    assert not Fetch.objects.exists()
    assert [event.name for event in told] == [EventName.USER_UPDATED]


def test_open_pages_learn_of_a_name(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = Profile(name="Salma")
    ask(channel, Fetch.Kind.PROFILE, identity.pk)

    fetch_due()

    assert Conversation.objects.get(identity=identity).revision == 1


def test_an_empty_profile_is_an_answer(
    channel: Channel, fake_adapter: FakeAdapter, told: list[Event]
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = Profile()
    ask(channel, Fetch.Kind.PROFILE, identity.pk)

    fetch_due()

    identity.refresh_from_db()
    assert identity.profile_checked_at is not None
    assert identity.display_name == "Fake user ..on-1"
    assert not told
    assert not Fetch.objects.exists()


def test_a_name_that_an_agent_gave_stays(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity = nameless(channel)
    Contact.objects.filter(pk=identity.contact_id).update(name="Salma (wholesale)")
    fake_adapter.profiles["person-1"] = Profile(name="Salma El Idrissi")
    ask(channel, Fetch.Kind.PROFILE, identity.pk)

    fetch_due()

    identity.refresh_from_db()
    assert identity.name == "Salma El Idrissi"
    assert identity.contact.name == "Salma (wholesale)"


def test_a_profile_that_tells_nothing_keeps_what_is_known(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity = make_conversation(channel, name="Salma").identity
    fake_adapter.profiles["person-1"] = Profile()
    ask(channel, Fetch.Kind.PROFILE, identity.pk)

    fetch_due()

    identity.refresh_from_db()
    assert (identity.name, identity.contact.name) == ("Salma", "Salma")


def test_nobody_asks_who_a_forgotten_person_is(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity = nameless(channel)
    ChannelIdentity.objects.update(erased_at=now())
    fake_adapter.profiles["person-1"] = Profile(name="Salma")
    ask(channel, Fetch.Kind.PROFILE, identity.pk)

    fetch_due()

    identity.refresh_from_db()
    assert identity.name == ""
    assert not Fetch.objects.exists()


def test_profiles_of_those_who_write_are_asked_for_again_after_a_week(
    channel: Channel,
) -> None:
    old, fresh, quiet = (nameless(channel, f"person-{n}") for n in range(3))
    ChannelIdentity.objects.filter(pk=old.pk).update(
        profile_checked_at=now() - timedelta(days=8)
    )
    ChannelIdentity.objects.filter(pk=fresh.pk).update(profile_checked_at=now())
    ChannelIdentity.objects.filter(pk=quiet.pk).update(
        last_inbound_at=now() - timedelta(days=30)
    )

    refresh_profiles()
    refresh_profiles()

    rows = Fetch.objects.values_list("kind", "subject_id")
    assert list(rows) == [("profile", old.pk)]


# --- patience ------------------------------------------------------------------------------------


def test_a_failure_is_tried_again_later(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = BUSY
    fetch = ask(channel, Fetch.Kind.PROFILE, identity.pk)

    fetch_due()

    fetch.refresh_from_db()
    assert (fetch.attempts, fetch.error_code) == (1, "2")
    assert fetch.due_at > now()


def test_it_is_given_up_quietly_in_the_end(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = BUSY
    ask(channel, Fetch.Kind.PROFILE, identity.pk, attempts=MAX_ATTEMPTS - 1)

    fetch_due()

    identity.refresh_from_db()
    assert not Fetch.objects.exists()
    assert identity.profile_checked_at is not None


@pytest.mark.parametrize(
    "error_class", [ErrorClass.GONE, ErrorClass.PERMISSION, ErrorClass.UNAVAILABLE]
)
def test_a_refusal_for_good_is_not_repeated(
    channel: Channel, fake_adapter: FakeAdapter, error_class: ErrorClass
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = SendError(error_class, "no", code="230")
    ask(channel, Fetch.Kind.PROFILE, identity.pk)

    fetch_due()

    identity.refresh_from_db()
    assert not Fetch.objects.exists()
    assert identity.profile_checked_at is not None


def test_a_throttled_channel_waits_and_spends_no_attempt(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity, other = nameless(channel), nameless(channel, "person-2")
    fake_adapter.profiles["person-1"] = SendError(
        ErrorClass.THROTTLED, "slow", code="4", retry_after=timedelta(minutes=5)
    )
    fake_adapter.profiles["person-2"] = Profile(name="Omar")
    first = ask(channel, Fetch.Kind.PROFILE, identity.pk)
    ask(channel, Fetch.Kind.PROFILE, other.pk)

    fetch_due()
    fetch_due()

    first.refresh_from_db()
    other.refresh_from_db()
    assert first.attempts == 0
    assert other.name == ""
    assert Fetch.objects.count() == 2


def test_a_throttled_channel_delays_no_other(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity = nameless(channel)
    elsewhere = Channel.objects.create(
        kind="fake", external_id="acc-2", name="Tilila Outlet"
    )
    neighbour = nameless(elsewhere, "person-2")
    fake_adapter.profiles["person-1"] = SendError(ErrorClass.THROTTLED, "slow")
    fake_adapter.profiles["person-2"] = Profile(name="Omar")
    ask(channel, Fetch.Kind.PROFILE, identity.pk)
    ask(elsewhere, Fetch.Kind.PROFILE, neighbour.pk)

    fetch_due()

    neighbour.refresh_from_db()
    assert neighbour.name == "Omar"


def test_one_worker_at_a_time_asks_a_channel_for_one_kind(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = Profile(name="Salma")
    ask(channel, Fetch.Kind.PROFILE, identity.pk)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.set(f"dexra:fetch:{channel.pk}:profile", 1)

        fetch_due()
        assert Fetch.objects.count() == 1

        client.delete(f"dexra:fetch:{channel.pk}:profile")
        fetch_due()
    assert not Fetch.objects.exists()


def test_a_dead_token_stops_the_channel_and_keeps_the_question(
    channel: Channel, fake_adapter: FakeAdapter, told: list[Event]
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = SendError(
        ErrorClass.RECONNECT, "ended", code="190/460"
    )
    fetch = ask(channel, Fetch.Kind.PROFILE, identity.pk)

    fetch_due()

    fetch.refresh_from_db()
    channel.refresh_from_db()
    assert fetch.attempts == 0
    assert channel.status == Channel.Status.NEEDS_REAUTH
    assert [event.name for event in told] == [EventName.CHANNEL_STATUS]


def test_questions_wait_while_the_channel_is_cut_off(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = Profile(name="Salma")
    ask(channel, Fetch.Kind.PROFILE, identity.pk)
    Channel.objects.update(status=Channel.Status.NEEDS_REAUTH)

    fetch_due()
    assert Fetch.objects.count() == 1

    Channel.objects.update(status=Channel.Status.ACTIVE)
    fetch_due()
    assert not Fetch.objects.exists()


def test_the_number_of_statements_does_not_grow_with_what_waits_elsewhere(
    channel: Channel, fake_adapter: FakeAdapter, django_assert_max_num_queries: Any
) -> None:
    identity = nameless(channel)
    fake_adapter.profiles["person-1"] = Profile(name="Salma")
    ask(channel, Fetch.Kind.PROFILE, identity.pk)
    later = now() + timedelta(hours=1)
    Fetch.objects.bulk_create(
        Fetch(channel=channel, kind="profile", subject_id=n, due_at=later)
        for n in range(1000, 1200)
    )

    with django_assert_max_num_queries(20):
        fetch_due()

    assert Fetch.objects.count() == 200


# --- comments ------------------------------------------------------------------------------------


def comment(channel: Channel, person_id: str = "person-1", **fields: Any) -> Message:
    extra = {"comment": {"post_id": "p-1", "permalink": None, "parent_id": None}}
    return write(channel, "c-1", person_id, extra=extra, **fields)


def test_details_complete_a_comment(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    message = comment(channel, content="price?")
    written_at = now() - timedelta(days=3)
    fake_adapter.details["c-1"] = Details(
        comment={"permalink": "https://fake.example/c-1", "hidden": True},
        sent_at=written_at,
        content="price??",
    )
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    message.refresh_from_db()
    assert message.sent_at == written_at
    assert message.content == "price?"
    assert message.extra == {
        "comment": {
            "post_id": "p-1",
            "permalink": "https://fake.example/c-1",
            "parent_id": None,
            "hidden": True,
        },
        "hidden": True,
    }


def test_words_that_the_notice_lacked_are_filled_in_and_told(
    channel: Channel, fake_adapter: FakeAdapter, told: list[Event]
) -> None:
    message = comment(channel)
    told.clear()
    fake_adapter.details["c-1"] = Details(content="Look at this café")
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    message.refresh_from_db()
    assert message.content == "Look at this café"
    assert message.search_text == "look at this cafe"
    assert [event.name for event in told] == [EventName.MESSAGE_EDITED]


def test_a_comment_that_is_gone_leaves_a_tombstone(
    channel: Channel, fake_adapter: FakeAdapter, told: list[Event]
) -> None:
    message = comment(channel, content="something rude")
    told.clear()
    fake_adapter.details["c-1"] = Details(gone=True)
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    message.refresh_from_db()
    assert message.deleted_at is not None
    assert (message.content, message.search_text, message.extra) == ("", "", {})
    assert [event.name for event in told] == [EventName.MESSAGE_DELETED]


def test_an_author_who_is_new_takes_the_place_of_the_placeholder(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    message = comment(channel, "comment:c-1", content="price?")
    identity = message.conversation.identity
    fake_adapter.details["c-1"] = Details(author=("person-9", "ana", "Ana"))
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    identity.refresh_from_db()
    assert (identity.external_id, identity.username, identity.name) == (
        "person-9",
        "ana",
        "Ana",
    )
    assert identity.contact.name == "Ana"


def test_an_author_we_know_gets_the_comment_into_their_conversation(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    known = make_conversation(channel, name="Ana", person_id="person-9")
    message = comment(channel, "comment:c-1", content="price?")
    placeholder = message.conversation
    fake_adapter.details["c-1"] = Details(author=("person-9", "ana", "Ana"))
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    message.refresh_from_db()
    known.refresh_from_db()
    assert message.conversation == known
    assert (known.unread, known.last_message["text"]) == (1, "price?")
    assert not Conversation.objects.filter(pk=placeholder.pk).exists()
    assert not ChannelIdentity.objects.filter(external_id="comment:c-1").exists()
    assert list(Contact.objects.all()) == [known.identity.contact]


def test_what_an_agent_has_begun_to_write_goes_along(
    channel: Channel, fake_adapter: FakeAdapter, agent: Agent
) -> None:
    known = make_conversation(channel, name="Ana", person_id="person-9")
    message = comment(channel, "comment:c-1", content="price?")
    for conversation, content in ((known, "Dear Ana"), (message.conversation, "40.")):
        Draft.objects.create(
            agent=agent, conversation=conversation, mode="reply", content=content
        )
    note = add_note(conversation=message.conversation, author=agent, content="Hm.")
    Mention.objects.create(agent=agent, note=note, conversation=message.conversation)
    fake_adapter.details["c-1"] = Details(author=("person-9", "ana", "Ana"))
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    assert Draft.objects.get(conversation=known).content == "Dear Ana\n40."
    assert Mention.objects.get().conversation == known


def test_it_opens_a_conversation_that_was_closed(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    known = make_conversation(channel, name="Ana", person_id="person-9")
    Conversation.objects.update(status=Conversation.Status.CLOSED)
    message = comment(channel, "comment:c-1", content="price?")
    fake_adapter.details["c-1"] = Details(author=("person-9", "ana", "Ana"))
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    known.refresh_from_db()
    assert known.status == Conversation.Status.OPEN
    assert known.messages.get() == message


def test_a_channel_that_starts_anew_keeps_the_conversation_of_the_comment(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    Channel.objects.update(reopening=Channel.Reopening.NEW)
    known = make_conversation(channel, name="Ana", person_id="person-9")
    Conversation.objects.update(status=Conversation.Status.CLOSED)
    message = comment(channel, "comment:c-1", content="price?")
    begun = message.conversation
    fake_adapter.details["c-1"] = Details(author=("person-9", "ana", "Ana"))
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    begun.refresh_from_db()
    assert begun.identity == known.identity
    assert begun.messages.get() == message


def test_two_replies_under_way_are_not_forced_into_one_conversation(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    known = make_conversation(channel, name="Ana", person_id="person-9")
    message = comment(channel, "comment:c-1", content="price?")
    for conversation in (known, message.conversation):
        conversation.messages.create(
            channel=channel,
            direction="out",
            source="agent",
            status=Status.SENDING,
            sent_at=now(),
        )
    fake_adapter.details["c-1"] = Details(author=("person-9", "ana", "Ana"))
    fetch = ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    message.refresh_from_db()
    fetch.refresh_from_db()
    assert message.conversation != known
    assert fetch.due_at > now()


def test_a_contact_that_an_agent_worked_on_points_to_the_real_one(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    known = make_conversation(channel, name="Ana", person_id="person-9")
    message = comment(channel, "comment:c-1", content="price?")
    contact = message.conversation.identity.contact
    Contact.objects.filter(pk=contact.pk).update(email="ana@example.com")
    fake_adapter.details["c-1"] = Details(author=("person-9", "ana", "Ana"))
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    contact.refresh_from_db()
    assert contact.merged_into == known.identity.contact


def test_a_comment_of_somebody_who_asked_to_be_forgotten_is_not_kept(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    known = make_conversation(channel, name="", person_id="person-9").identity
    message = comment(channel, "comment:c-1", content="a secret")
    ChannelIdentity.objects.filter(pk=known.pk).update(erased_at=now())
    fake_adapter.details["c-1"] = Details(author=("person-9", "ana", "Ana"))
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    message.refresh_from_db()
    assert message.deleted_at is not None
    assert message.content == ""


def test_our_own_comment_makes_nobody_a_customer(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    message = comment(channel, "comment:c-1", content="ours")
    fake_adapter.details["c-1"] = Details(author=("acc-1", "tilila", ""))
    ask(channel, Fetch.Kind.DETAILS, message.pk)

    fetch_due()

    assert not ChannelIdentity.objects.filter(external_id="acc-1").exists()


# --- earlier messages ----------------------------------------------------------------------------


def test_a_new_thread_is_given_what_was_written_before(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    Channel.objects.update(created_at=now() - timedelta(days=30))
    message = write(channel, "m-9", "person-1", type="text", content="hello?")
    earlier = InboundMessage(
        person_id="person-1",
        external_id="m-8",
        sent_at=now() - timedelta(hours=2),
        type="text",
        content="is it open?",
        opens_window="message",
    )
    fake_adapter.history["person-1"] = HistoryPage([earlier], "", 1)
    ask(channel, Fetch.Kind.HISTORY, message.conversation.identity_id)

    fetch_due()

    thread = message.conversation.messages.in_thread_order()
    assert [m.content or m.extra for m in thread] == [
        "is it open?",
        "hello?",
        {"event": "recovered", "count": 1},
    ]
    assert thread[0].extra == {"recovered": True}


def test_what_was_written_before_the_account_was_connected_is_no_news(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    message = write(channel, "m-9", "person-1", type="text", content="hello again")
    Conversation.objects.update(unread=1)
    earlier = InboundMessage(
        person_id="person-1",
        external_id="m-8",
        sent_at=now() - timedelta(days=40),
        type="text",
        content="thank you",
    )
    fake_adapter.history["person-1"] = HistoryPage([earlier], "", 1)
    ask(channel, Fetch.Kind.HISTORY, message.conversation.identity_id)

    fetch_due()

    line = message.conversation.messages.get(direction="event")
    assert line.extra == {"event": "earlier", "count": 1}
    assert Conversation.objects.get().unread == 1
