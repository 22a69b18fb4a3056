"""Replies: what is queued, what is refused, and how they leave."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from inbox.channels import (
    Accepted,
    ErrorClass,
    OutgoingMedia,
    OutgoingMessage,
    SendError,
)
from inbox.delivery import (
    deliver_next,
    give_up,
    record_outcome,
    ring_due,
    settle_uncertain,
)
from inbox.errors import ContentInvalid, KeyReused, ReplyWindowClosed, StateForbids
from inbox.models import (
    Agent,
    Channel,
    ChannelIdentity,
    Conversation,
    Message,
    Source,
    Status,
)
from inbox.outbound import discard_message, queue_reply, retry_message
from tests.conftest import make_conversation
from tests.fakes import FakeAdapter

pytestmark = pytest.mark.django_db
PICTURE = OutgoingMedia("image", "https://shop.example.com/1.png")


def reply(
    conversation: Conversation, content: str = "Hello", **more: object
) -> list[Message]:
    return queue_reply(
        conversation=conversation, source=Source.AGENT, content=content, **more
    )  # type: ignore[arg-type]


def written(conversation: Conversation, ago: timedelta) -> None:
    """The person's last act was so long ago."""
    at = now() - ago
    ChannelIdentity.objects.filter(pk=conversation.identity_id).update(
        last_inbound_at=at, window_expires_at=at + timedelta(hours=24)
    )


def refuse(fake: FakeAdapter, error_class: ErrorClass, **more: object) -> None:
    def answer(message: OutgoingMessage) -> Accepted:
        raise SendError(error_class, "a reason", code="1/2", **more)  # type: ignore[arg-type]

    fake.answer = answer


def test_a_reply_leaves_and_is_sent(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    (message,) = reply(conversation)

    deliver_next(conversation.pk)

    message.refresh_from_db()
    assert (message.status, message.external_id) == (Status.SENT, "fake-mid-1")
    assert fake_adapter.sent[0].text == "Hello"


def test_ringing_twice_sends_once(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    reply(conversation)

    deliver_next(conversation.pk)
    deliver_next(conversation.pk)

    assert len(fake_adapter.sent) == 1


def test_replies_leave_in_the_order_they_were_written(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    for text in ("one", "two", "three"):
        reply(conversation, text)

    deliver_next(conversation.pk)

    assert [message.text for message in fake_adapter.sent] == ["one", "two", "three"]


def test_the_same_client_key_is_the_same_message(conversation: Conversation) -> None:
    first = reply(conversation, client_key="k1")
    second = reply(conversation, client_key="k1")

    assert [m.pk for m in first] == [m.pk for m in second]
    assert conversation.messages.count() == 1


def test_a_client_key_with_another_text_is_refused(conversation: Conversation) -> None:
    reply(conversation, "one", client_key="k1")

    with pytest.raises(KeyReused):
        reply(conversation, "two", client_key="k1")


def test_text_and_files_are_one_group_in_order(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    messages = reply(conversation, "Look", media=[PICTURE, PICTURE])

    deliver_next(conversation.pk)

    assert len({message.group for message in messages}) == 1
    assert [bool(message.media) for message in fake_adapter.sent] == [True, True, False]


def test_a_failed_part_stops_the_rest_of_its_group_only(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    reply(conversation, "Look", media=[PICTURE])
    reply(conversation, "Later")
    accept = fake_adapter.answer

    def refuse_media(message: OutgoingMessage) -> Accepted:
        if message.media:
            raise SendError(ErrorClass.BAD_REQUEST, "too large")
        return accept(message)

    fake_adapter.answer = refuse_media

    deliver_next(conversation.pk)

    statuses = conversation.messages.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == [Status.FAILED, Status.FAILED, Status.SENT]


def test_a_reply_after_the_window_is_refused(conversation: Conversation) -> None:
    written(conversation, timedelta(days=8))

    with pytest.raises(ReplyWindowClosed):
        reply(conversation)

    assert not conversation.messages.exists()


@pytest.mark.parametrize("source", [Source.AUTOMATION, Source.API, Source.AI])
def test_only_a_person_may_write_after_a_day(
    conversation: Conversation, source: str
) -> None:
    written(conversation, timedelta(hours=25))

    with pytest.raises(ReplyWindowClosed):
        queue_reply(conversation=conversation, source=source, content="Still there?")


def test_a_person_may_write_for_seven_days(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    written(conversation, timedelta(hours=25))
    reply(conversation)

    deliver_next(conversation.pk)

    assert fake_adapter.sent[0].window == "human_agent"


def test_a_channel_without_the_feature_has_no_seven_days(
    conversation: Conversation,
) -> None:
    Channel.objects.update(features=[])
    written(conversation, timedelta(hours=25))

    with pytest.raises(ReplyWindowClosed):
        reply(conversation)


def test_a_window_that_closes_in_the_queue_fails_the_message(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    (message,) = reply(conversation)
    written(conversation, timedelta(days=8))

    deliver_next(conversation.pk)

    message.refresh_from_db()
    assert (message.status, message.error_class) == (
        Status.FAILED,
        ErrorClass.WINDOW_CLOSED,
    )
    assert not fake_adapter.sent


@pytest.mark.parametrize("content", ["", "   ", "é" * 501])
def test_what_the_channel_cannot_take_is_refused(
    conversation: Conversation, content: str
) -> None:
    with pytest.raises(ContentInvalid):
        reply(conversation, content)


def test_a_refusal_for_good_lets_the_next_message_go(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    (first,) = reply(conversation, "one")
    (second,) = reply(conversation, "two")
    accept = fake_adapter.answer

    def refuse_first(message: OutgoingMessage) -> Accepted:
        if message.text == "one":
            raise SendError(ErrorClass.UNAVAILABLE, "cannot be reached", code="551")
        return accept(message)

    fake_adapter.answer = refuse_first

    deliver_next(conversation.pk)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.error_code) == (Status.FAILED, "551")
    assert first.error_detail == "cannot be reached"
    assert second.status == Status.SENT


def test_a_throttled_channel_waits_without_spending_attempts(
    channel: Channel, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    (message,) = reply(conversation)
    refuse(fake_adapter, ErrorClass.THROTTLED, retry_after=timedelta(minutes=7))

    deliver_next(conversation.pk)

    message.refresh_from_db()
    channel.refresh_from_db()
    assert (message.status, message.attempts) == (Status.QUEUED, 0)
    assert channel.blocked_until is not None
    assert channel.blocked_until > now() + timedelta(minutes=6)


def test_a_throttled_channel_holds_up_no_other(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    other = Channel.objects.create(kind="fake", external_id="acc-2", name="Other")
    other_conversation = make_conversation(other, person_id="person-2")
    Channel.objects.filter(pk=conversation.channel_id).update(
        blocked_until=now() + timedelta(hours=1)
    )
    reply(conversation)
    reply(other_conversation)

    for one in (conversation, other_conversation):
        deliver_next(one.pk)

    assert [message.recipient_id for message in fake_adapter.sent] == ["person-2"]


def test_a_dead_token_stops_sending_and_keeps_the_queue(
    channel: Channel, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    (message,) = reply(conversation)
    refuse(fake_adapter, ErrorClass.RECONNECT)

    deliver_next(conversation.pk)

    message.refresh_from_db()
    channel.refresh_from_db()
    assert channel.status == Channel.Status.NEEDS_REAUTH
    assert (message.status, message.attempts) == (Status.QUEUED, 0)


def test_no_connection_is_tried_again_and_then_given_up(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    (message,) = reply(conversation)
    refuse(fake_adapter, ErrorClass.NOT_TAKEN)

    for _ in range(10):
        Message.objects.update(next_attempt_at=now())
        deliver_next(conversation.pk)

    message.refresh_from_db()
    assert (message.status, message.attempts) == (Status.FAILED, 10)


def test_a_message_that_waits_for_its_retry_holds_the_next_one_back(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    reply(conversation, "one")
    reply(conversation, "two")
    refuse(fake_adapter, ErrorClass.NOT_TAKEN)

    deliver_next(conversation.pk)
    deliver_next(conversation.pk)

    assert [message.text for message in fake_adapter.sent] == ["one"]


def test_an_uncertain_send_is_never_repeated_by_itself(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    (message,) = reply(conversation)
    refuse(fake_adapter, ErrorClass.UNCERTAIN)

    deliver_next(conversation.pk)
    Message.objects.update(sending_since=now() - timedelta(minutes=2))
    settle_uncertain()
    ring_due()
    deliver_next(conversation.pk)

    message.refresh_from_db()
    assert len(fake_adapter.sent) == 1
    assert (message.status, message.error_class) == (
        Status.FAILED,
        ErrorClass.UNCERTAIN,
    )


def test_a_send_whose_worker_died_becomes_uncertain(conversation: Conversation) -> None:
    (message,) = reply(conversation)
    Message.objects.update(
        status=Status.SENDING, sending_since=now() - timedelta(minutes=2)
    )

    settle_uncertain()

    message.refresh_from_db()
    assert message.status == Status.UNCERTAIN


def test_an_answer_after_the_echo_changes_nothing(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    (message,) = reply(conversation)
    deliver_next(conversation.pk)

    record_outcome(message.pk, Accepted("fake-mid-1"))
    give_up(message.pk)

    message.refresh_from_db()
    assert message.status == Status.SENT


def test_a_failed_message_is_sent_again_by_a_person(
    conversation: Conversation, fake_adapter: FakeAdapter, agent: Agent
) -> None:
    (message,) = reply(conversation)
    accept = fake_adapter.answer
    refuse(fake_adapter, ErrorClass.BAD_REQUEST)
    deliver_next(conversation.pk)
    message.refresh_from_db()
    fake_adapter.answer = accept

    retry_message(message=message, by=agent)
    deliver_next(conversation.pk)

    message.refresh_from_db()
    assert message.status == Status.SENT
    assert message.extra["retries"][0]["by"] == agent.name


def test_what_has_not_failed_cannot_be_sent_again(
    conversation: Conversation, agent: Agent
) -> None:
    (message,) = reply(conversation)

    with pytest.raises(StateForbids):
        retry_message(message=message, by=agent)


def test_what_may_have_been_sent_cannot_be_discarded(
    conversation: Conversation, fake_adapter: FakeAdapter, agent: Agent
) -> None:
    (message,) = reply(conversation)
    refuse(fake_adapter, ErrorClass.UNCERTAIN)
    deliver_next(conversation.pk)
    give_up(message.pk)
    message.refresh_from_db()

    with pytest.raises(StateForbids):
        discard_message(message=message, by=agent)


def test_a_message_that_never_left_can_be_discarded(
    conversation: Conversation, fake_adapter: FakeAdapter, agent: Agent
) -> None:
    (message,) = reply(conversation)
    refuse(fake_adapter, ErrorClass.BAD_REQUEST)
    deliver_next(conversation.pk)
    message.refresh_from_db()

    discard_message(message=message, by=agent)

    assert not conversation.messages.exists()


def test_a_reply_reopens_a_closed_conversation(conversation: Conversation) -> None:
    Conversation.objects.update(status="closed")

    reply(conversation)

    conversation.refresh_from_db()
    assert conversation.status == "open"
