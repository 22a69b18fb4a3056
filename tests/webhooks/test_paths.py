"""Whoever changes a thing, by whatever path, its event is told: once, and as its schema says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now
from jsonschema import Draft202012Validator

from inbox import triage
from inbox.actions import record_outcome as record_act
from inbox.channels import Accepted, ErrorClass, SendError
from inbox.comment_rules import CommentAct
from inbox.comments import manage_comment
from inbox.delivery import claim_next, record_outcome, stop_channel
from inbox.details import update_contact
from inbox.events import EventName
from inbox.inbound import (
    Arrival,
    InboundMessage,
    receive,
)
from inbox.merging import merge, unmerge
from inbox.models import (
    Agent,
    ApiKey,
    Channel,
    Conversation,
    Priority,
    Source,
    Tag,
    Team,
)
from inbox.outbound import Writer, queue_reply
from inbox.triage import assign_conversation
from tests.conftest import echoed, make_commenter, make_conversation, said
from tests.inbox.test_inbound import arrive, person, react, read_up_to, unsend
from webhooks.models import Event
from webhooks.schemas import whole_schema_of

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, str]]:
    """Name and source of every event since the last look, after a check of its body."""
    found = []
    for event in Event.objects.order_by("id"):
        body = json.loads(bytes(event.body))
        schema = whole_schema_of(EventName(body["event"]))
        Draft202012Validator(schema).validate(body)
        found.append((body["event"], body["source"]))
    Event.objects.all().delete()
    return found


def test_what_a_customer_does_is_told(messenger: Channel) -> None:
    arrive(said("Hallo", "m_1", at=now() - timedelta(minutes=9)))
    assert sorted(told()) == [
        ("conversation_created", "customer"),
        ("message_in", "customer"),
        ("user_created", "customer"),
    ]

    edit = {"mid": "m_1", "text": "Hello", "num_edit": 1}
    arrive({**person(), "message_edit": edit})
    assert told() == [("message_edited", "customer")]

    arrive(react("m_1"))
    assert told() == [("reaction", "customer")]

    arrive(unsend("m_1"))
    assert told() == [("message_deleted", "customer")]


def test_what_is_written_in_the_native_app_and_read_is_told(messenger: Channel) -> None:
    arrive(said("Hallo", "m_1", at=now() - timedelta(minutes=9)))
    told()

    arrive(echoed("Bonjour", "m_2", at=now() - timedelta(minutes=8)))
    assert told() == [("message_out", "native_app")]

    arrive(read_up_to(now()))
    assert [name for name, _ in told()] == ["message_status"]


def by_agent(conversation: Conversation, agent: Agent) -> None:
    queue_reply(
        conversation=conversation, source=Source.AGENT, content="Yes", author=agent
    )


def by_rule(conversation: Conversation, agent: Agent) -> None:
    queue_reply(conversation=conversation, source=Source.AUTOMATION, content="Yes")


def by_key(conversation: Conversation, agent: Agent) -> None:
    _row, key = ApiKey.issue("Shop")
    answer = Client(headers={"Authorization": f"Bearer {key}"}).post(
        f"/v1/conversations/{conversation.pk}/messages",
        {"content": "Yes"},
        content_type="application/json",
    )
    assert answer.status_code < 300, answer.content


def by_machine(conversation: Conversation, agent: Agent) -> None:
    queue_reply(conversation=conversation, source=Source.AI, content="Yes")


PATHS = pytest.mark.parametrize(
    ("send", "source"),
    [
        (by_agent, "agent"),
        (by_rule, "automation"),
        (by_key, "api"),
        (by_machine, "ai"),
    ],
)


@PATHS
def test_what_we_send_is_told_once_when_it_was_accepted(
    conversation: Conversation,
    agent: Agent,
    send: Callable[[Conversation, Agent], None],
    source: str,
) -> None:
    send(conversation, agent)
    assert ("message_out", source) not in told()

    message = claim_next(conversation.pk, at=now())
    assert message
    record_outcome(message.pk, Accepted("m_9"))

    assert told().count(("message_out", source)) == 1


@PATHS
def test_what_could_not_be_sent_is_told_as_failed(
    conversation: Conversation,
    agent: Agent,
    send: Callable[[Conversation, Agent], None],
    source: str,
) -> None:
    send(conversation, agent)
    told()
    message = claim_next(conversation.pk, at=now())
    assert message

    record_outcome(message.pk, SendError(ErrorClass.WINDOW_CLOSED, "no", code="551"))

    assert told() == [("message_status", source)]


def test_what_agents_do_with_a_conversation_is_told(
    conversation: Conversation, agent: Agent
) -> None:
    assign_conversation(conversation=conversation, assignee=agent, by=agent)

    assert told() == [("conversation_updated", "agent")]


def assign_to_team(conversation: Conversation, agent: Agent) -> None:
    team = Team.objects.create(name="Support")
    triage.assign_team(conversation=conversation, team=team, by=agent)


def tag(conversation: Conversation, agent: Agent) -> None:
    vip = Tag.objects.create(name="vip")
    triage.change_tags(conversation=conversation, add=[vip], remove=[], by=agent)


def close(conversation: Conversation, agent: Agent) -> None:
    triage.close_conversation(conversation=conversation, by=agent)


def snooze(conversation: Conversation, agent: Agent) -> None:
    triage.snooze_conversation(
        conversation=conversation, until=now() + timedelta(hours=1), by=agent
    )


def prioritise(conversation: Conversation, agent: Agent) -> None:
    triage.set_priority(conversation=conversation, priority=Priority.HIGH, by=agent)


def name_it(conversation: Conversation, agent: Agent) -> None:
    triage.set_subject(conversation=conversation, subject="Parcel", by=agent)


@pytest.mark.parametrize(
    ("act", "change"),
    [
        (assign_to_team, "team"),
        (tag, "tagged"),
        (close, "closed"),
        (snooze, "snoozed"),
        (prioritise, "priority"),
        (name_it, "subject"),
    ],
)
def test_each_change_of_a_conversation_is_told_by_its_name(
    conversation: Conversation,
    agent: Agent,
    act: Callable[[Conversation, Agent], None],
    change: str,
) -> None:
    act(conversation, agent)

    body = json.loads(bytes(Event.objects.get().body))
    assert body["data"]["changes"]["change"] == change
    assert told() == [("conversation_updated", "agent")]


def test_what_ends_by_itself_is_told_too(
    conversation: Conversation, agent: Agent
) -> None:
    snooze(conversation, agent)
    Conversation.objects.update(snoozed_until=now() - timedelta(minutes=1))
    told()

    triage.wake_due()

    assert [name for name, _ in told()] == ["conversation_updated"]


def test_a_closed_conversation_that_is_opened_again_is_told(
    conversation: Conversation, agent: Agent
) -> None:
    close(conversation, agent)
    told()
    conversation.refresh_from_db()

    triage.reopen_conversation(conversation=conversation, by=agent)

    assert told() == [("conversation_updated", "agent")]


@pytest.mark.parametrize("kind", [CommentAct.HIDE, CommentAct.UNHIDE, CommentAct.LIKE])
def test_what_is_done_to_a_comment_is_told(
    messenger: Channel, agent: Agent, kind: CommentAct
) -> None:
    is_hidden = kind is CommentAct.UNHIDE
    comment = make_commenter(messenger, hidden=is_hidden)
    action = manage_comment(comment=comment, act=kind, by=Writer("agent", agent))
    told()

    record_act(action.pk, None)

    assert told() == [("conversation_updated", "agent")]


def test_an_account_that_stops_is_told(messenger: Channel) -> None:
    stop_channel(
        messenger.pk, SendError(ErrorClass.RECONNECT, "The token is dead.", code="190")
    )

    assert told() == [("channel_status", "system")]


def test_two_who_become_one_and_two_again_are_told(
    conversation: Conversation, agent: Agent
) -> None:
    stranger = make_conversation(conversation.channel, person_id="person-2")
    other = stranger.identity.contact

    row = merge(kept=conversation.identity.contact, gone=other, by=agent)
    assert "user_merged" in [name for name, _ in told()]

    unmerge(row, by=agent)
    assert "user_updated" in [name for name, _ in told()]


def test_what_becomes_known_of_a_person_is_told(conversation: Conversation) -> None:
    update_contact(
        contact=conversation.identity.contact,
        by=None,
        name="Salma",
        email="",
        phone="",
        attributes={},
    )

    assert [name for name, _ in told()] == ["user_updated"]


@pytest.mark.parametrize("recovered", ["missed", "history"])
def test_what_is_found_later_says_so(channel: Channel, recovered: str) -> None:
    at = now() - timedelta(minutes=5)
    item = InboundMessage(
        person_id="person-9",
        external_id="m_1",
        sent_at=at,
        type="text",
        content="Salam",
        opens_window="message",
    )

    receive([Arrival(channel.pk, now(), item, recovered=recovered)])

    bodies = [json.loads(bytes(e.body)) for e in Event.objects.all()]
    found = {b["event"]: b["data"].get("recovered") for b in bodies}
    assert found["message_in"] is True
    assert found["conversation_created"] is True
    told()
