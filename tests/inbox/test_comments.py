"""Comments: answered in public, answered in private once, hidden, liked, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from inbox.actions import perform
from inbox.channels import Ability, ErrorClass, OutgoingMedia, SendError
from inbox.comment_rules import CommentAct, newest_answerable
from inbox.comments import manage_comment, reply_privately, reply_publicly
from inbox.errors import ContentInvalid, KeyReused, NotPossible
from inbox.models import (
    Agent,
    Attachment,
    Channel,
    ChannelAction,
    Conversation,
    Message,
    Reaction,
    Source,
    Status,
)
from inbox.outbound import Writer, retry_message
from tests.conftest import make_comment, make_commenter
from tests.fakes import FakeAdapter

pytestmark = pytest.mark.django_db


@pytest.fixture
def comment(channel: Channel) -> Message:
    """Amina commented two hours ago and never wrote a message."""
    return make_commenter(channel)


@pytest.fixture
def nadia(agent: Agent) -> Writer:
    return Writer(Source.AGENT, agent)


def do(comment: Message, act: CommentAct, by: Writer) -> ChannelAction:
    """Ask for it, and let the worker do it."""
    action = manage_comment(comment=comment, act=act, by=by)
    perform(action.pk)
    action.refresh_from_db()
    comment.refresh_from_db()
    return action


def lines(conversation: Conversation) -> list[Any]:
    told = conversation.messages.filter(direction="event").order_by("pk")
    return [(one.extra["kind"], one.extra["outcome"], one.author_name) for one in told]


def test_a_public_answer_stands_under_its_comment(
    comment: Message, nadia: Writer
) -> None:
    answer = reply_publicly(comment=comment, by=nadia, content="640 dirhams")

    assert (answer.type, answer.direction, answer.status) == (
        "comment",
        "out",
        "queued",
    )
    assert answer.reply_to == comment
    assert not answer.is_private_reply


def test_a_public_answer_needs_no_window_and_holds_as_much_as_a_comment(
    comment: Message, nadia: Writer
) -> None:
    reply_publicly(comment=comment, by=nadia, content="é" * 1000)

    with pytest.raises(ContentInvalid, match="1000 characters"):
        reply_publicly(comment=comment, by=nadia, content="é" * 1001)


def test_the_same_key_answers_a_comment_once(comment: Message, nadia: Writer) -> None:
    first = reply_publicly(comment=comment, by=nadia, content="Yes", client_key="k")
    second = reply_publicly(comment=comment, by=nadia, content="Yes", client_key="k")

    assert first == second
    with pytest.raises(KeyReused):
        reply_publicly(comment=comment, by=nadia, content="No", client_key="k")


def test_a_private_answer_goes_once(comment: Message, nadia: Writer) -> None:
    answer = reply_privately(comment=comment, by=nadia, content="Here you are")

    assert (answer.is_private_reply, answer.reply_to) == (True, comment)
    with pytest.raises(NotPossible, match="Answered in private on"):
        reply_privately(comment=comment, by=nadia, content="And again")


def test_the_database_holds_to_one_private_answer(
    comment: Message, nadia: Writer
) -> None:
    answer = reply_privately(comment=comment, by=nadia, content="One")
    answer.pk = None
    answer.client_key = None

    with pytest.raises(IntegrityError), transaction.atomic():
        answer.save(force_insert=True)


def test_a_private_answer_that_failed_leaves_room_for_another(
    comment: Message, nadia: Writer, agent: Agent
) -> None:
    first = reply_privately(comment=comment, by=nadia, content="One")
    Message.objects.filter(pk=first.pk).update(status=Status.FAILED)

    reply_privately(comment=comment, by=nadia, content="Two")

    with pytest.raises(NotPossible, match="Answered in private"):
        retry_message(message=first, by=agent)


def test_a_comment_older_than_seven_days_is_not_answered_in_private(
    comment: Message, nadia: Writer
) -> None:
    Message.objects.update(sent_at=now() - timedelta(days=7, minutes=1))
    comment.refresh_from_db()

    with pytest.raises(NotPossible, match="Older than 7 days"):
        reply_privately(comment=comment, by=nadia, content="Sorry")

    reply_publicly(comment=comment, by=nadia, content="Sorry for the wait")


def test_a_private_answer_is_one_message(comment: Message, nadia: Writer) -> None:
    picture = OutgoingMedia("image", "https://shop.example.com/1.png")

    with pytest.raises(ContentInvalid, match="one message"):
        reply_privately(comment=comment, by=nadia, content="Look", media=[picture])

    answer = reply_privately(comment=comment, by=nadia, media=[picture])
    assert answer.type == "image"


@pytest.mark.parametrize(
    ("facts", "act"),
    [
        ({"can_reply_privately": False}, CommentAct.REPLY_PRIVATELY),
        ({"can_reply": False}, CommentAct.REPLY),
        ({"is_live": True}, CommentAct.REPLY),
        ({"hidden": True}, CommentAct.REPLY),
        ({"can_hide": False}, CommentAct.HIDE),
        ({"hidden": True}, CommentAct.HIDE),
        ({}, CommentAct.UNHIDE),
        ({"can_like": False}, CommentAct.LIKE),
        ({"liked": True}, CommentAct.LIKE),
        ({}, CommentAct.UNLIKE),
        ({"can_delete": False}, CommentAct.DELETE),
    ],
)
def test_what_a_comment_does_not_allow_is_refused(
    channel: Channel, nadia: Writer, facts: dict[str, Any], act: CommentAct
) -> None:
    comment = make_commenter(channel, **facts)

    def attempt() -> None:
        if act is CommentAct.REPLY:
            reply_publicly(comment=comment, by=nadia, content="Hello")
        elif act is CommentAct.REPLY_PRIVATELY:
            reply_privately(comment=comment, by=nadia, content="Hello")
        else:
            manage_comment(comment=comment, act=act, by=nadia)

    with pytest.raises(NotPossible):
        attempt()


def test_an_account_without_the_ability_does_nothing(
    comment: Message, nadia: Writer, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.abilities = lambda channel: frozenset({Ability.PUBLIC_REPLY})  # type: ignore[method-assign]

    with pytest.raises(NotPossible):
        reply_privately(comment=comment, by=nadia, content="Hello")
    with pytest.raises(NotPossible):
        manage_comment(comment=comment, act=CommentAct.HIDE, by=nadia)


def test_our_own_comment_can_be_deleted_and_nothing_else(
    comment: Message, nadia: Writer
) -> None:
    ours = reply_publicly(comment=comment, by=nadia, content="640 dirhams")
    ours.external_id, ours.status = "comment-2", Status.SENT
    ours.save()

    with pytest.raises(NotPossible):
        manage_comment(comment=ours, act=CommentAct.HIDE, by=nadia)
    with pytest.raises(NotPossible):
        reply_privately(comment=ours, by=nadia, content="To myself")
    do(ours, CommentAct.DELETE, nadia)

    assert ours.deleted_at is not None


def test_hiding_and_showing_mark_the_comment_and_say_who(
    comment: Message, nadia: Writer, fake_adapter: FakeAdapter
) -> None:
    do(comment, CommentAct.HIDE, nadia)
    assert comment.extra["hidden"] is True

    do(comment, CommentAct.UNHIDE, nadia)

    assert comment.extra["hidden"] is False
    assert [one[:2] for one in fake_adapter.performed] == [
        ("hide", "comment-1"),
        ("unhide", "comment-1"),
    ]
    assert lines(comment.conversation) == [
        ("hide", "done", "Nadia Berrada"),
        ("unhide", "done", "Nadia Berrada"),
    ]


def test_a_like_is_counted_and_taken_back(channel: Channel, nadia: Writer) -> None:
    comment = make_commenter(channel, like_count=3)

    do(comment, CommentAct.LIKE, nadia)
    assert comment.extra["comment"] == {
        "post_id": "post-1",
        "liked": True,
        "like_count": 4,
    }

    do(comment, CommentAct.UNLIKE, nadia)
    assert comment.extra["comment"]["like_count"] == 3


def test_a_deleted_comment_leaves_nothing_of_what_it_said(
    comment: Message, nadia: Writer
) -> None:
    Attachment.objects.create(message=comment, kind="image", remote_url="https://x/1")
    Reaction.objects.create(
        message=comment, actor="commenter-1", emoji="❤", reacted_at=now()
    )

    do(comment, CommentAct.DELETE, nadia)

    assert comment.deleted_at is not None
    assert (comment.content, comment.search_text, comment.extra) == ("", "", {})
    assert not comment.attachments.exists()
    assert not comment.reactions.exists()
    comment.conversation.refresh_from_db()
    assert comment.conversation.last_message["deleted"] is True


def test_a_comment_that_is_gone_already_counts_as_deleted(
    comment: Message, nadia: Writer, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.refusal = SendError(ErrorClass.GONE, "It is not there.", code="100/33")

    action = do(comment, CommentAct.DELETE, nadia)

    assert action.status == "done"
    assert comment.deleted_at is not None


def test_a_refusal_is_explained_in_the_thread(
    comment: Message, nadia: Writer, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.refusal = SendError(
        ErrorClass.PERMISSION, "The account lacks a right.", code="200"
    )

    action = do(comment, CommentAct.HIDE, nadia)

    assert (action.status, action.error_code) == ("failed", "200")
    assert "hidden" not in comment.extra
    line = comment.conversation.messages.get(direction="event")
    assert line.extra["reason"] == "The account lacks a right."


def test_the_newest_comment_that_may_be_answered_is_found(channel: Channel) -> None:
    oldest = make_commenter(channel, ago=timedelta(days=3))
    conversation = oldest.conversation
    answered = make_comment(conversation, ago=timedelta(days=2), external_id="c2")
    make_comment(
        conversation,
        ago=timedelta(days=1),
        external_id="c3",
        can_reply_privately=False,
    )
    reply_privately(comment=answered, by=Writer(Source.API, name="Shop"), content="Hi")

    assert newest_answerable(conversation, at=now()) == oldest
    assert newest_answerable(conversation, at=now() + timedelta(days=5)) is None
