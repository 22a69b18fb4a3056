"""What is done with a conversation besides answering it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from inbox.blocking import block_person, unblock_person
from inbox.conversations import add_note
from inbox.errors import ContentInvalid, StateForbids
from inbox.models import (
    Agent,
    AuditEntry,
    Channel,
    Conversation,
    Mention,
    Message,
    Priority,
    Tag,
)
from inbox.pages.lines import line_of
from inbox.triage import (
    MAX_TAGS,
    assign_conversation,
    change_tags,
    close_conversation,
    mark_unread,
    reopen_conversation,
    set_priority,
    snooze_conversation,
    wake_due,
)
from tests.conftest import make_agent, said
from tests.inbox.test_inbound import arrive

pytestmark = pytest.mark.django_db


def now_of(conversation: Conversation) -> Conversation:
    return Conversation.objects.get(pk=conversation.pk)


def lines(conversation: Conversation) -> list[str]:
    events = conversation.messages.filter(direction="event").order_by("pk")
    return [line_of(message).text for message in events]


def in_an_hour(conversation: Conversation, agent: Agent) -> None:
    snooze_conversation(
        conversation=conversation, until=now() + timedelta(hours=1), by=agent
    )


def test_what_is_snoozed_comes_back_at_its_time(
    conversation: Conversation, agent: Agent
) -> None:
    in_an_hour(conversation, agent)
    wake_due()
    assert now_of(conversation).status == "snoozed"
    Conversation.objects.update(snoozed_until=now() - timedelta(seconds=1))

    wake_due()

    assert (now_of(conversation).status, now_of(conversation).snoozed_until) == (
        "open",
        None,
    )
    assert lines(conversation)[-1] == "Back: the time to look again has come"


def test_what_is_snoozed_comes_back_with_a_message(
    messenger: Channel, agent: Agent
) -> None:
    arrive(said("Salam", "m_1"))
    conversation = Conversation.objects.get()
    in_an_hour(conversation, agent)

    arrive(said("Are you there?", "m_2"))

    assert (now_of(conversation).status, now_of(conversation).snoozed_until) == (
        "open",
        None,
    )
    assert lines(conversation)[-1] == "Back because the customer wrote"


@pytest.mark.parametrize("days", [-1, 400])
def test_nothing_is_snoozed_into_the_past_or_for_ever(
    conversation: Conversation, agent: Agent, days: int
) -> None:
    with pytest.raises(ContentInvalid):
        snooze_conversation(
            conversation=conversation, until=now() + timedelta(days=days), by=agent
        )


def test_a_snoozed_conversation_is_its_persons_only_open_one(
    conversation: Conversation, agent: Agent
) -> None:
    Conversation.objects.update(status="closed")
    Conversation.objects.create(
        channel=conversation.channel, identity=conversation.identity
    )

    with pytest.raises(StateForbids):
        in_an_hour(conversation, agent)


def test_taking_back_done_brings_back_what_waited(
    messenger: Channel, agent: Agent
) -> None:
    arrive(said("Salam", "m_1"))
    before = Conversation.objects.get()
    close_conversation(conversation=before, by=agent)
    assert now_of(before).waiting_since is None

    reopen_conversation(conversation=before, by=agent)

    after = now_of(before)
    assert (after.waiting_since, after.unread) == (before.waiting_since, before.unread)


def test_priority_and_tags_leave_a_line_each(
    conversation: Conversation, agent: Agent
) -> None:
    vip, refund = Tag.objects.create(name="VIP"), Tag.objects.create(name="Refund")
    set_priority(conversation=conversation, priority=Priority.HIGH, by=agent)
    set_priority(conversation=conversation, priority=Priority.HIGH, by=agent)
    change_tags(conversation=conversation, add=[vip, refund], by=agent)
    change_tags(conversation=conversation, remove=[vip], by=agent)
    change_tags(conversation=conversation, remove=[vip], by=agent)

    assert now_of(conversation).tags == [refund.pk]
    assert lines(conversation) == [
        "Nadia Berrada set the priority to High",
        "Nadia Berrada added VIP, Refund",
        "Nadia Berrada removed VIP",
    ]


def test_there_is_an_end_to_tags(conversation: Conversation, agent: Agent) -> None:
    tags = [Tag.objects.create(name=f"tag {n}") for n in range(MAX_TAGS + 1)]

    with pytest.raises(ContentInvalid):
        change_tags(conversation=conversation, add=tags, by=agent)


def test_nothing_is_given_to_who_cannot_see_it(
    conversation: Conversation, agent: Agent
) -> None:
    stranger = Agent.objects.create_user("stranger")

    with pytest.raises(ContentInvalid):
        assign_conversation(conversation=conversation, assignee=stranger, by=agent)


def test_unread_again_is_one(conversation: Conversation) -> None:
    mark_unread(conversation=conversation)
    mark_unread(conversation=conversation)

    assert now_of(conversation).unread == 1


# --- people we do not want to hear from ----------------------------------------------------------


@pytest.mark.parametrize("is_spam", [False, True])
def test_who_is_blocked_is_stored_and_disturbs_nobody(
    messenger: Channel, agent: Agent, is_spam: bool
) -> None:
    arrive(said("Buy followers", "m_1"))
    conversation = Conversation.objects.get()
    block_person(conversation=conversation, by=agent, is_spam=is_spam)

    arrive(said("Buy now", "m_2"))

    after = now_of(conversation)
    assert (after.status, after.unread, after.waiting_since) == ("closed", 0, None)
    assert after.messages.filter(external_id="m_2", content="Buy now").exists()
    assert AuditEntry.objects.get().action == ("spam" if is_spam else "blocked")


def test_a_new_conversation_of_who_is_blocked_begins_closed(
    messenger: Channel, agent: Agent
) -> None:
    Channel.objects.update(reopening="new")
    arrive(said("Buy followers", "m_1"))
    block_person(conversation=Conversation.objects.get(), by=agent)

    arrive(said("Buy now", "m_2"))

    assert [one.status for one in Conversation.objects.all()] == ["closed"]


def test_who_is_unblocked_is_heard_again(messenger: Channel, agent: Agent) -> None:
    arrive(said("Salam", "m_1"))
    conversation = Conversation.objects.get()
    block_person(conversation=conversation, by=agent)

    unblock_person(conversation=conversation, by=agent)
    arrive(said("Are you there?", "m_2"))

    after = now_of(conversation)
    assert (after.status, after.identity.blocked_at) == ("open", None)
    assert after.unread


# --- notes ---------------------------------------------------------------------------------------


def test_a_note_calls_whom_it_names(conversation: Conversation, agent: Agent) -> None:
    yassine = make_agent("Yassine")
    make_agent("sara")

    add_note(
        conversation=conversation,
        author=agent,
        content="@yassine. can you look? Not x@sara, and not @nadia herself.",
    )

    assert [one.agent for one in Mention.objects.all()] == [yassine]


# --- what was not sent ---------------------------------------------------------------------------


def test_the_row_counts_what_was_not_sent(
    conversation: Conversation, agent: Agent
) -> None:
    for status in ("failed", "failed", "sent"):
        Message.objects.create(
            conversation=conversation,
            channel=conversation.channel,
            direction="out",
            source="agent",
            status=status,
            sent_at=now(),
        )

    mark_unread(conversation=conversation)

    assert now_of(conversation).failed == 2
