"""Our sends and their echoes: one row, whichever comes first."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.utils.timezone import now

from inbox.channels import Accepted, ErrorClass, SendError
from inbox.delivery import claim_next, record_outcome
from inbox.inbound import Arrival, Echo, ReactionChange, Receipt, receive
from inbox.models import Channel, Conversation, Message, Source, Status
from inbox.outbound import queue_reply

pytestmark = pytest.mark.django_db


def echo(
    channel: Channel, mid: str = "mid-1", content: str = "Hello", **more: str
) -> None:
    item = Echo("person-1", mid, now() - timedelta(seconds=1), "text", content, **more)  # type: ignore[arg-type]
    receive([Arrival(channel.pk, now(), item)])


def sending(conversation: Conversation, content: str = "Hello") -> Message:
    queue_reply(conversation=conversation, source=Source.AGENT, content=content)
    message = claim_next(conversation.pk, at=now())
    assert message
    return message


def test_an_echo_before_the_answer_settles_the_send(
    channel: Channel, conversation: Conversation
) -> None:
    message = sending(conversation)

    echo(channel)
    record_outcome(message.pk, Accepted("mid-1"))

    stored = Message.objects.get()
    assert (stored.pk, stored.status, stored.external_id) == (
        message.pk,
        Status.SENT,
        "mid-1",
    )


def test_an_echo_after_the_answer_only_tells_the_time(
    channel: Channel, conversation: Conversation
) -> None:
    message = sending(conversation)
    record_outcome(message.pk, Accepted("mid-1"))

    echo(channel)

    stored = Message.objects.get()
    assert stored.source == Source.AGENT
    assert stored.sent_at < now() - timedelta(milliseconds=900)


def test_an_echo_settles_an_uncertain_send(
    channel: Channel, conversation: Conversation
) -> None:
    message = sending(conversation)
    record_outcome(message.pk, SendError(ErrorClass.UNCERTAIN, "no answer"))

    echo(channel)

    assert Message.objects.get().status == Status.SENT


def test_our_mark_beats_the_order_of_equal_texts(
    channel: Channel, conversation: Conversation
) -> None:
    first = sending(conversation, "Same")
    record_outcome(first.pk, SendError(ErrorClass.UNCERTAIN, "no answer"))
    Message.objects.filter(pk=first.pk).update(
        status=Status.FAILED, error_class="uncertain"
    )
    second = sending(conversation, "Same")

    echo(channel, "mid-2", "Same", reference=f"dx:{second.pk}")

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == (Status.FAILED, Status.SENT)


def test_an_echo_with_another_text_is_a_native_reply(
    channel: Channel, conversation: Conversation
) -> None:
    message = sending(conversation, "Hello")

    echo(channel, "mid-9", "Typed in the app")

    message.refresh_from_db()
    assert message.status == Status.SENDING
    assert Message.objects.get(external_id="mid-9").source == Source.NATIVE_APP


def test_a_reaction_and_a_read_that_overtake_the_answer_are_kept(
    channel: Channel, conversation: Conversation
) -> None:
    message = sending(conversation)
    react = ReactionChange("person-1", "mid-1", "person-1", "❤️", now())
    read = Receipt("person-1", "read", None, ("mid-1",), now())
    receive([Arrival(channel.pk, now(), react), Arrival(channel.pk, now(), read)])

    record_outcome(message.pk, Accepted("mid-1"))

    stored = Message.objects.get()
    assert stored.status == Status.READ
    assert stored.reactions.get().emoji == "❤️"


def test_answer_and_echo_in_every_order_and_thrice_are_one_row(
    channel: Channel, conversation: Conversation
) -> None:
    for number, order in enumerate(itertools.permutations(["answer", "echo", "echo"])):
        message = sending(conversation, f"text {number}")
        for step in order:
            if step == "echo":
                echo(channel, f"mid-{number}", f"text {number}")
            else:
                record_outcome(message.pk, Accepted(f"mid-{number}"))

    assert Message.objects.count() == 6
    assert set(Message.objects.values_list("status", flat=True)) == {Status.SENT}
