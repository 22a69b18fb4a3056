"""What becomes of each attempt: who waits, what is tried again, what is told to whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils.timezone import now

from dexra.celery import app
from inbox.channels import (
    Accepted,
    ErrorClass,
    OutgoingMedia,
    OutgoingMessage,
    Scope,
    SendError,
    TemplateUse,
    Upload,
    WindowKind,
)
from inbox.comments import reply_privately, reply_publicly
from inbox.delivery import claim_next, deliver_next, record_outcome, ring_due
from inbox.events import Event, EventName, emitted
from inbox.models import (
    Attachment,
    Channel,
    ChannelIdentity,
    Conversation,
    Direction,
    Message,
    MessageTemplate,
    MessageType,
    Source,
    Status,
)
from inbox.outbound import Writer, queue_reply
from tests.conftest import make_conversation
from tests.fakes import FakeAdapter

pytestmark = pytest.mark.django_db
PERSON = Writer(Source.AGENT)


def reply(conversation: Conversation, content: str = "Hello", **more: Any) -> Message:
    more = {"source": Source.AGENT} | more
    return queue_reply(conversation=conversation, content=content, **more)[-1]


def deliver(message: Message) -> Message:
    """Give it its turn, now."""
    Message.objects.filter(pk=message.pk, status=Status.QUEUED).update(
        next_attempt_at=now()
    )
    deliver_next(message.conversation.pk)
    message.refresh_from_db()
    return message


def refuse(fake: FakeAdapter, *errors: SendError) -> None:
    """Refuse so often, with these errors in turn; then accept."""
    accept, left = fake.answer, list(errors)

    def answer(message: OutgoingMessage) -> Accepted:
        if left:
            raise left.pop(0)
        return accept(message)

    fake.answer = answer


def error(error_class: ErrorClass, **more: Any) -> SendError:
    return SendError(error_class, "A reason.", **({"code": "1/2"} | more))


@pytest.fixture
def told() -> Any:
    """Every event of the test."""
    events: list[Event] = []

    def listen(sender: object, events: Sequence[Event], **_: object) -> None:
        kept.extend(events)

    kept = events
    emitted.connect(listen)
    yield events
    emitted.disconnect(listen)


# --- tries ---------------------------------------------------------------------------------------


def test_an_error_says_how_often_it_is_worth_trying_and_what_it_means_at_last(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    at_last = error(ErrorClass.UNAVAILABLE, advice="Wait for the customer.")
    refusal = error(ErrorClass.TRANSIENT, attempts=3, at_last=at_last)
    refuse(fake_adapter, *[refusal] * 9)
    message = reply(conversation)

    for _ in range(4):
        deliver(message)

    assert len(fake_adapter.sent) == 3
    assert (message.status, message.error_class) == (Status.FAILED, "unavailable")
    assert message.error_detail == "A reason. Wait for the customer."


def test_a_passing_trouble_is_over_with_the_next_try(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    refuse(fake_adapter, error(ErrorClass.TRANSIENT))
    message = deliver(reply(conversation))
    assert (message.status, message.error_code) == (Status.QUEUED, "1/2")

    deliver(message)

    assert (message.status, message.error_code) == (Status.SENT, "")


def test_what_the_channel_would_not_take_is_not_sent_either(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    message = reply(conversation)
    Message.objects.update(content="é" * 501)

    deliver(message)

    assert (message.status, message.error_code) == (Status.FAILED, "content_invalid")
    assert not fake_adapter.sent


# --- pace, throttles, trouble --------------------------------------------------------------------


def test_our_own_pace_costs_no_attempt_and_stops_nobody_else(
    channel: Channel, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    paced = error(
        ErrorClass.THROTTLED, scope=Scope.MESSAGE, retry_after=timedelta(seconds=3)
    )
    refuse(fake_adapter, paced)

    message = deliver(reply(conversation))

    channel.refresh_from_db()
    assert (message.status, message.attempts, message.error_code) == ("queued", 0, "")
    assert message.next_attempt_at is not None
    assert message.next_attempt_at > now() + timedelta(seconds=1)
    assert (channel.blocked_until, channel.last_error_code) == (None, "")


def test_a_throttled_channel_says_so_until_something_succeeds(
    channel: Channel, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    refuse(fake_adapter, error(ErrorClass.THROTTLED, retry_after=timedelta(minutes=9)))
    message = deliver(reply(conversation))
    channel.refresh_from_db()
    assert (channel.last_error, channel.last_error_code) == ("A reason.", "1/2")

    Channel.objects.update(blocked_until=None)
    deliver(message)

    channel.refresh_from_db()
    assert message.status == Status.SENT
    assert (channel.last_error, channel.last_error_at) == ("", None)


def test_a_shorter_pause_does_not_end_a_longer_one(conversation: Conversation) -> None:
    message = reply(conversation)
    assert claim_next(conversation.pk, at=now())
    until = now() + timedelta(hours=2)
    Channel.objects.update(blocked_until=until)

    record_outcome(
        message.pk, error(ErrorClass.THROTTLED, retry_after=timedelta(minutes=1))
    )

    assert Channel.objects.get().blocked_until == until


def test_one_message_finds_out_for_a_channel_that_is_away(
    conversation: Conversation, channel: Channel
) -> None:
    """No worker waits for what another is waiting for already."""
    second = make_conversation(channel, person_id="person-2")
    reply(conversation)
    reply(second)
    Channel.objects.update(last_error="It is away.", last_error_code="no_answer")

    assert claim_next(conversation.pk, at=now())
    assert claim_next(second.pk, at=now()) is None


def test_a_channel_in_order_sends_to_many_at_once(
    conversation: Conversation, channel: Channel
) -> None:
    second = make_conversation(channel, person_id="person-2")
    reply(conversation)
    reply(second)

    assert claim_next(conversation.pk, at=now())
    assert claim_next(second.pk, at=now())


@pytest.mark.parametrize(
    "trouble",
    [
        error(ErrorClass.THROTTLED, retry_after=timedelta(hours=1)),
        error(ErrorClass.NOT_TAKEN, scope=Scope.CHANNEL),
        error(ErrorClass.UNCERTAIN, scope=Scope.CHANNEL),
        error(ErrorClass.RECONNECT),
        error(ErrorClass.PERMISSION),
        error(ErrorClass.POLICY, retry_after=timedelta(hours=4)),
    ],
    ids=lambda trouble: trouble.error_class,
)
def test_a_channel_in_trouble_never_delays_another(
    conversation: Conversation,
    fake_adapter: FakeAdapter,
    trouble: SendError,
) -> None:
    other = Channel.objects.create(kind="fake", external_id="acc-2", name="Other")
    refuse(fake_adapter, trouble)
    deliver(reply(conversation))

    answer = deliver(reply(make_conversation(other, person_id="person-2")))

    assert answer.status == Status.SENT
    assert fake_adapter.sent[-1].recipient_id == "person-2"


def test_a_sweep_rings_for_every_channel_however_long_the_queue_of_one_is(
    conversation: Conversation,
    channel: Channel,
    fake_adapter: FakeAdapter,
) -> None:
    busy = [make_conversation(channel, person_id=f"p{n}") for n in range(120)]
    for one in busy:
        reply(one)
    other = Channel.objects.create(kind="fake", external_id="acc-2", name="Other")
    late = reply(make_conversation(other, person_id="of-the-other"))
    Message.objects.filter(channel=channel).update(
        next_attempt_at=now() - timedelta(hours=1)
    )

    rung = sweep()

    late.refresh_from_db()
    assert late.status == Status.SENT
    assert late.conversation_id in rung[:2]
    assert len(rung) == 101


def sweep() -> list[int]:
    """Ring for what is due and hear the bells, in order. Returns whose they were."""
    _bells()
    ring_due()
    rung = _bells()
    for conversation_id in rung:
        deliver_next(conversation_id)
    return rung


def _bells() -> list[int]:
    """Take what waits for the workers that send."""
    rung = []
    with app.connection() as connection, connection.SimpleQueue("send") as queue:
        while queue.qsize():
            message = queue.get_nowait()
            message.ack()
            rung.append(message.payload[0][0])
    return rung


def test_a_missing_permission_is_told_once_and_with_its_way_out(
    channel: Channel,
    conversation: Conversation,
    fake_adapter: FakeAdapter,
    told: list[Event],
) -> None:
    lacking = error(ErrorClass.PERMISSION, advice="An admin can grant it.")
    refuse(fake_adapter, lacking, lacking)

    message = deliver(reply(conversation))
    deliver(reply(conversation, "Again"))

    channel.refresh_from_db()
    assert message.status == Status.FAILED
    assert message.error_detail == "A reason. An admin can grant it."
    assert channel.last_error == "A reason. An admin can grant it."
    assert channel.status == Channel.Status.ACTIVE
    status = [e.details for e in told if e.name is EventName.CHANNEL_STATUS]
    assert status == [{"status": "active", "reason": "1/2"}]


def test_what_the_platform_said_by_itself_outlasts_a_send(
    channel: Channel, conversation: Conversation
) -> None:
    Channel.objects.update(last_error="A warning.", last_error_code="policy_warning")

    deliver(reply(conversation))

    channel.refresh_from_db()
    assert channel.last_error_code == "policy_warning"


def test_automations_rest_after_a_restriction_while_people_write(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    refuse(fake_adapter, error(ErrorClass.POLICY, retry_after=timedelta(hours=4)))
    deliver(reply(conversation, source=Source.AUTOMATION))

    automatic = deliver(reply(conversation, source=Source.AUTOMATION))
    personal = deliver(reply(conversation))

    assert (automatic.status, automatic.error_code) == ("failed", "automations_rest")
    assert personal.status == Status.SENT


# --- windows -------------------------------------------------------------------------------------


def shut(fake: FakeAdapter, *kinds: WindowKind) -> None:
    """The channel takes nothing that comes by these rights."""
    accept = fake.answer

    def answer(message: OutgoingMessage) -> Accepted:
        if message.window in kinds:
            raise error(ErrorClass.WINDOW_CLOSED, code="10/2018278")
        return accept(message)

    fake.answer = answer


def test_a_window_that_is_shut_is_believed_and_the_next_right_is_used(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    shut(fake_adapter, WindowKind.OPEN)

    message = deliver(reply(conversation))

    identity = ChannelIdentity.objects.get()
    conversation.refresh_from_db()
    assert message.status == Status.SENT
    assert [m.window for m in fake_adapter.sent] == ["open", "human_agent"]
    assert identity.window_expires_at is not None
    assert identity.window_expires_at <= now()
    assert conversation.window_expires_at == identity.window_expires_at


def test_a_window_that_may_be_open_is_learned_from_the_answer(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    clicked = now() - timedelta(hours=30)
    ChannelIdentity.objects.update(
        last_inbound_at=clicked,
        window_expires_at=clicked + timedelta(hours=24),
        probable_until=clicked + timedelta(days=7),
    )
    shut(fake_adapter, WindowKind.PROBABLE)

    message = deliver(reply(conversation))

    assert message.status == Status.SENT
    assert [m.window for m in fake_adapter.sent] == ["probable", "human_agent"]
    assert ChannelIdentity.objects.get().probable_until is None


def test_automation_has_no_right_beyond_a_window_that_is_shut(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    shut(fake_adapter, WindowKind.OPEN)

    message = deliver(reply(conversation, source=Source.AUTOMATION))

    assert (message.status, message.error_class) == ("failed", "window_closed")
    assert len(fake_adapter.sent) == 1


def test_a_last_right_that_is_refused_ends_it(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    shut(fake_adapter, WindowKind.OPEN, WindowKind.HUMAN_AGENT)

    message = deliver(reply(conversation))

    assert (message.status, message.error_class) == ("failed", "window_closed")
    assert len(fake_adapter.sent) == 2


def test_a_customer_who_wrote_meanwhile_has_opened_a_new_window(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    accept = fake_adapter.answer
    later = now() + timedelta(seconds=30)

    def answer(message: OutgoingMessage) -> Accepted:
        if len(fake_adapter.sent) > 1:
            return accept(message)
        ChannelIdentity.objects.update(
            last_inbound_at=later, window_expires_at=later + timedelta(hours=24)
        )
        raise error(ErrorClass.WINDOW_CLOSED)

    fake_adapter.answer = answer

    message = deliver(reply(conversation))

    assert message.status == Status.SENT
    assert [m.window for m in fake_adapter.sent] == ["open", "open"]


def test_an_approved_template_goes_when_every_window_is_closed(
    channel: Channel, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    ChannelIdentity.objects.update(last_inbound_at=None, window_expires_at=None)
    MessageTemplate.objects.create(
        channel=channel,
        external_id="501",
        name="shipped",
        language="en",
        status=MessageTemplate.Status.APPROVED,
        body="Your order {{1}} is on its way.",
        variables={"body": 1},
    )
    use = TemplateUse("shipped", "en", {"body": ("A12",)})

    message = deliver(reply(conversation, "", template=use))

    (sent,) = fake_adapter.sent
    assert message.status == Status.SENT
    assert message.content == "Your order A12 is on its way."
    assert (sent.window, sent.template, sent.text) == (WindowKind.TEMPLATE, use, "")


# --- threads that another app holds --------------------------------------------------------------


def test_a_thread_that_another_app_holds_is_named_and_its_reply_waits(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    held = error(ErrorClass.HELD, advice="Take it over.", holder="Meta's own answers")
    refuse(fake_adapter, held)

    message = deliver(reply(conversation))

    conversation.refresh_from_db()
    assert conversation.held_by == "Meta's own answers"
    assert (message.status, message.attempts) == (Status.QUEUED, 0)
    assert message.error_detail == "A reason. Take it over."


def test_a_reply_leaves_once_its_thread_was_taken_over(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    refuse(fake_adapter, error(ErrorClass.HELD))
    message = deliver(reply(conversation))
    conversation.refresh_from_db()
    assert conversation.held_by == "another app"

    sweep()
    assert len(fake_adapter.sent) == 1
    Conversation.objects.update(held_by="")
    sweep()

    message.refresh_from_db()
    assert message.status == Status.SENT


def test_a_held_thread_is_asked_for_again_since_a_hold_may_end_without_a_word(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    refuse(fake_adapter, error(ErrorClass.HELD))
    message = deliver(reply(conversation))

    Message.objects.update(next_attempt_at=now() - timedelta(minutes=16))
    sweep()

    message.refresh_from_db()
    assert message.status == Status.SENT


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def picture(conversation: Conversation) -> Message:
    """A queued picture out of our own storage."""
    (message,) = queue_reply(
        conversation=conversation,
        source=Source.AGENT,
        media=[OutgoingMedia("image", "https://shop.example.com/1.png")],
    )
    attachment = message.attachments.get()
    attachment.file.save("1.png", ContentFile(b"\x89PNG"))
    Attachment.objects.update(mime_type="image/png", size=4, title="1.png")
    return message


def upload(number: str, *, lasts: timedelta = timedelta(days=89)) -> Upload:
    return Upload(number, now() + lasts)


def test_a_file_is_uploaded_once_for_all_tries(
    picture: Message, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.uploads = upload("17")
    refuse(fake_adapter, error(ErrorClass.TRANSIENT))

    deliver(picture)
    deliver(picture)

    assert picture.status == Status.SENT
    assert len(fake_adapter.uploaded) == 1
    assert [m.media and m.media.upload_id for m in fake_adapter.sent] == ["17", "17"]


def test_an_upload_that_is_too_old_is_made_anew(
    picture: Message, fake_adapter: FakeAdapter
) -> None:
    expired = upload("16", lasts=-timedelta(days=1)).expires_at.isoformat()
    Attachment.objects.update(extra={"upload": {"id": "16", "expires_at": expired}})
    fake_adapter.uploads = upload("17")

    deliver(picture)

    assert fake_adapter.sent[0].media
    assert fake_adapter.sent[0].media.upload_id == "17"


def test_an_upload_that_the_channel_forgot_is_made_once_more(
    picture: Message, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.uploads = upload("17")
    forgotten = error(
        ErrorClass.STALE_FILE, attempts=2, at_last=error(ErrorClass.BAD_REQUEST)
    )
    refuse(fake_adapter, forgotten)

    deliver(picture)

    assert picture.status == Status.SENT
    assert len(fake_adapter.uploaded) == 2


def test_a_file_that_the_channel_forgets_every_time_is_refused(
    picture: Message, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.uploads = upload("17")
    forgotten = error(
        ErrorClass.STALE_FILE, attempts=2, at_last=error(ErrorClass.BAD_REQUEST)
    )
    refuse(fake_adapter, forgotten, forgotten)

    deliver(picture)

    assert (picture.status, picture.error_class) == (Status.FAILED, "bad_request")


def test_a_file_goes_by_its_public_address_where_nothing_is_uploaded(
    picture: Message, fake_adapter: FakeAdapter
) -> None:
    deliver(picture)

    (sent,) = fake_adapter.sent
    assert sent.media
    assert sent.media.url.startswith("http")
    assert "shop.example.com" not in sent.media.url
    assert sent.media.upload_id == ""


def test_a_file_too_large_to_be_fetched_is_not_sent(
    picture: Message, fake_adapter: FakeAdapter
) -> None:
    Attachment.objects.update(size=1025)

    deliver(picture)

    assert (picture.status, picture.error_code) == (Status.FAILED, "too_large")


def test_a_send_that_was_given_up_during_its_upload_is_not_made(
    picture: Message, fake_adapter: FakeAdapter
) -> None:
    def take_long(channel: Channel, media: OutgoingMedia) -> Upload:
        Message.objects.update(status=Status.UNCERTAIN)
        return upload("17")

    fake_adapter.upload = take_long  # type: ignore[method-assign]

    deliver(picture)

    assert not fake_adapter.sent
    assert picture.status == Status.UNCERTAIN


# --- comments ------------------------------------------------------------------------------------


@pytest.fixture
def comment(conversation: Conversation) -> Message:
    return Message.objects.create(
        conversation=conversation,
        channel=conversation.channel,
        direction=Direction.IN,
        source=Source.CUSTOMER,
        type=MessageType.COMMENT,
        content="Price?",
        external_id="90_91",
        status=Status.RECEIVED,
        sent_at=now() - timedelta(hours=2),
        extra={"comment": {"post_id": "1_90"}},
    )


def test_a_private_answer_goes_by_a_right_of_its_own(
    comment: Message, fake_adapter: FakeAdapter
) -> None:
    ChannelIdentity.objects.update(last_inbound_at=None, window_expires_at=None)

    message = deliver(reply_privately(comment=comment, by=PERSON, content="80 dirhams"))

    (sent,) = fake_adapter.sent
    assert message.status == Status.SENT
    assert (sent.window, sent.comment_id) == (WindowKind.PRIVATE_REPLY, "90_91")
    assert (sent.reply_to, sent.is_post) == ("", False)


def test_a_private_answer_to_a_visitors_post_says_that_it_is_one(
    comment: Message, fake_adapter: FakeAdapter
) -> None:
    Message.objects.update(extra={"comment": {"is_post": True}})
    comment.refresh_from_db()

    deliver(reply_privately(comment=comment, by=PERSON, content="Hello"))

    assert fake_adapter.sent[0].is_post


@pytest.mark.parametrize(
    "change",
    [
        {"sent_at": now() - timedelta(days=7)},
        {"deleted_at": now()},
        {"extra": {"comment": {"can_reply_privately": False}}},
    ],
    ids=["too old", "deleted", "not allowed"],
)
def test_a_private_answer_is_judged_again_when_it_leaves(
    comment: Message, fake_adapter: FakeAdapter, change: dict[str, Any]
) -> None:
    message = reply_privately(comment=comment, by=PERSON, content="80 dirhams")
    Message.objects.filter(pk=comment.pk).update(**change)

    deliver(message)

    assert (message.status, message.error_class) == (Status.FAILED, ErrorClass.GONE)
    assert message.error_detail
    assert not fake_adapter.sent


def test_a_comment_that_takes_no_private_answer_is_marked(
    comment: Message, fake_adapter: FakeAdapter
) -> None:
    refuse(fake_adapter, error(ErrorClass.GONE, scope=Scope.COMMENT))

    message = deliver(reply_privately(comment=comment, by=PERSON, content="80 dirhams"))

    comment.refresh_from_db()
    assert message.status == Status.FAILED
    assert comment.extra["comment"] == {
        "post_id": "1_90",
        "can_reply_privately": False,
    }


def test_a_public_answer_is_posted_below_the_comment(
    comment: Message, fake_adapter: FakeAdapter
) -> None:
    message = deliver(reply_publicly(comment=comment, by=PERSON, content="80 dirhams"))

    assert fake_adapter.comments == [("90_91", "80 dirhams")]
    assert (message.status, message.external_id) == (Status.SENT, "fake-mid-1")


def test_an_uncertain_public_answer_is_never_posted_twice(
    comment: Message, fake_adapter: FakeAdapter
) -> None:
    refuse(fake_adapter, error(ErrorClass.UNCERTAIN))

    message = deliver(reply_publicly(comment=comment, by=PERSON, content="80 dirhams"))
    sweep()
    deliver(message)

    assert len(fake_adapter.comments) == 1
    assert message.status == Status.UNCERTAIN


def test_a_public_answer_to_a_comment_that_was_deleted_meanwhile_is_not_posted(
    comment: Message, fake_adapter: FakeAdapter
) -> None:
    message = reply_publicly(comment=comment, by=PERSON, content="80 dirhams")
    Message.objects.filter(pk=comment.pk).update(deleted_at=now())

    deliver(message)

    assert message.status == Status.FAILED
    assert not fake_adapter.comments


def test_a_private_answer_joins_who_commented_and_who_got_it(
    comment: Message, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.answer = lambda message: Accepted("m-1", recipient_id="psid-9")

    deliver(reply_privately(comment=comment, by=PERSON, content="80 dirhams"))

    commenter, person = ChannelIdentity.objects.order_by("pk")
    assert (commenter.external_id, person.external_id) == ("person-1", "psid-9")
    assert commenter.contact_id == person.contact_id


def test_a_send_takes_the_same_few_statements_however_long_the_queue_is(
    conversation: Conversation,
    channel: Channel,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(30):
        reply(make_conversation(channel, person_id=f"p{number}"))
    reply(conversation)

    with django_assert_max_num_queries(26):
        deliver_next(conversation.pk)
