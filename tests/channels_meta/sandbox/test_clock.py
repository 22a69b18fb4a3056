"""Skipping time: one conversation's past moves back, in Dexra and on the phone alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from channels_meta.processing import drain
from channels_meta.sandbox import customers
from channels_meta.sandbox.clock import shift_conversation
from channels_meta.sandbox.models import SandboxPerson
from inbox.channels import ErrorClass, SendError, WindowKind
from inbox.conversations import add_note
from inbox.delivery import deliver_next
from inbox.models import (
    Agent,
    Attachment,
    Channel,
    Conversation,
    Message,
    Reaction,
    Source,
)
from inbox.outbound import queue_reply
from inbox.triage import close_conversation
from tests.channels_meta.sandbox.conftest import first_person, send, wrote

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(hours=24)
# What a machine waits for, and when a row last changed, is no moment of the conversation.
MACHINES = {"updated_at", "next_attempt_at", "sending_since", "blocked_until"}


def lively(person: SandboxPerson, agent: Agent) -> Conversation:
    """A conversation with a moment of every kind."""
    for act in (customers.write, customers.reply_to_story):
        act(person, "Salam").tell()
    for tell in (customers.mention_in_story, customers.send_photo):
        tell(person).tell()
    drain()
    conversation = Conversation.objects.get()
    queue_reply(
        conversation=conversation, source=Source.AGENT, author=agent, content="Hello"
    )
    deliver_next(conversation.pk)
    for tell in (customers.react, customers.read_messages, customers.unsend_last):
        tell(person).tell()
    drain()
    add_note(conversation=conversation, author=agent, content="Call back")
    close_conversation(conversation=conversation, by=agent)
    return Conversation.objects.get()


def moments(rows: Iterable[models.Model]) -> dict[tuple[str, int, str], datetime]:
    """Every moment that these rows carry, whatever fields they have."""
    return {
        (row._meta.model_name or "", row.pk, field.name): getattr(row, field.name)
        for row in rows
        for field in row._meta.get_fields()
        if isinstance(field, models.DateTimeField)
        and field.name not in MACHINES
        and getattr(row, field.name) is not None
    }


def all_moments(person: SandboxPerson) -> dict[Any, datetime]:
    conversation = Conversation.objects.get()
    rows: list[models.Model] = [conversation, conversation.identity]
    for model in (Message, Attachment, Reaction):
        rows.extend(model._default_manager.all())
    return moments([*rows, *person.messages.all(), *person.calls.all()])


def test_every_moment_of_the_conversation_moves_by_the_same(
    person: SandboxPerson, agent: Agent
) -> None:
    lively(person, agent)
    before = all_moments(person)
    story = Message.objects.get(type="story_reply").extra["story"]["expires_at"]

    shift_conversation(person=person, by=DAY)

    assert all_moments(person) == {key: at - DAY for key, at in before.items()}
    moved = Message.objects.get(type="story_reply").extra["story"]["expires_at"]
    assert datetime.fromisoformat(story) - datetime.fromisoformat(moved) == DAY
    kinds = {(model, field) for model, _pk, field in before}
    assert {
        ("conversation", "closed_at"),
        ("channelidentity", "window_expires_at"),
        ("channelidentity", "read_until"),
        ("attachment", "remote_url_expires_at"),
        ("reaction", "reacted_at"),
        ("message", "deleted_at"),
        ("sandboxmessage", "seen_at"),
        ("sandboxcall", "at"),
    } <= kinds


def test_a_day_later_only_a_person_may_write_and_a_week_later_nobody(
    person: SandboxPerson, agent_client: Client
) -> None:
    wrote(person)
    page = reverse("inbox:conversation", args=["all", Conversation.objects.get().pk])

    assert "dx-window-calm" in agent_client.get(page).content.decode()

    shift_conversation(person=person, by=DAY)

    assert window(Source.API) is WindowKind.CLOSED
    assert window(Source.AGENT) is WindowKind.HUMAN_AGENT
    assert refusal(person, WindowKind.OPEN) is ErrorClass.WINDOW_CLOSED
    assert send(person, window=WindowKind.HUMAN_AGENT).external_id
    assert "dx-window-info" in agent_client.get(page).content.decode()

    shift_conversation(person=person, by=timedelta(days=7))

    assert window(Source.AGENT) is WindowKind.CLOSED
    assert refusal(person, WindowKind.HUMAN_AGENT) is ErrorClass.WINDOW_CLOSED
    assert "<textarea" not in agent_client.get(page).content.decode()


def window(source: str) -> WindowKind:
    conversation = Conversation.objects.select_related("channel", "identity").get()
    return conversation.reply_window_at(now(), source=source).kind


def refusal(person: SandboxPerson, kind: WindowKind) -> ErrorClass:
    with pytest.raises(SendError) as refused:
        send(person, window=kind)
    return refused.value.error_class


def test_other_conversations_keep_their_time(accounts: dict[str, Channel]) -> None:
    here, there = (first_person(accounts[kind]) for kind in ("instagram", "messenger"))
    wrote(here)
    wrote(there)
    other = Conversation.objects.get(channel=there.channel)
    before = moments([other, other.identity, *other.messages.all()])

    shift_conversation(person=here, by=DAY)

    other = Conversation.objects.get(pk=other.pk)
    assert moments([other, other.identity, *other.messages.all()]) == before


def test_open_pages_are_told(person: SandboxPerson) -> None:
    wrote(person)
    before = Conversation.objects.get().revision

    shift_conversation(person=person, by=DAY)

    assert Conversation.objects.get().revision > before


def test_skipping_before_anything_was_said_is_no_fault(person: SandboxPerson) -> None:
    shift_conversation(person=person, by=DAY)

    assert not Conversation.objects.exists()
