"""One act on many conversations, each for itself, and all of them taken back again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.conversations import lock
from inbox.errors import InboxError, StateForbids
from inbox.models import Agent, Conversation, Priority, Tag
from inbox.triage import (
    CLOSED,
    OPEN,
    assign_conversation,
    change_tags,
    close_conversation,
    mark_read,
    mark_unread,
    reopen_conversation,
    set_priority,
    snooze_conversation,
)

MAX_CONVERSATIONS = 100


@dataclass(frozen=True, slots=True)
class Act:
    """One of those below, with what it needs: an agent, a tag, a moment, a priority."""

    do: Callable[[Conversation, Agent], None]
    # The fields that it changes: what is kept to be put back.
    fields: tuple[str, ...]


def done() -> Act:
    return Act(
        lambda one, by: close_conversation(conversation=one, by=by),
        ("status", "snoozed_until", "unread", "waiting_since"),
    )


def reopened() -> Act:
    return Act(
        lambda one, by: reopen_conversation(conversation=one, by=by),
        ("status", "snoozed_until", "unread", "waiting_since"),
    )


def snoozed(until: datetime | None) -> Act:
    return Act(
        lambda one, by: snooze_conversation(conversation=one, until=until, by=by),
        ("status", "snoozed_until"),
    )


def assigned(to: Agent | None) -> Act:
    return Act(
        lambda one, by: assign_conversation(conversation=one, assignee=to, by=by),
        ("assignee_id",),
    )


def tagged(tag: Tag) -> Act:
    return Act(
        lambda one, by: change_tags(conversation=one, add=[tag], by=by), ("tags",)
    )


def prioritised(priority: Priority) -> Act:
    return Act(
        lambda one, by: set_priority(conversation=one, priority=priority, by=by),
        ("priority",),
    )


def read() -> Act:
    return Act(lambda one, _by: mark_read(conversation=one), ("unread",))


def unread() -> Act:
    return Act(lambda one, _by: mark_unread(conversation=one), ("unread",))


@dataclass(frozen=True, slots=True)
class Change:
    """What an act has made of one conversation: its fields before and after."""

    pk: int
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    name: str
    reason: str


@dataclass(slots=True)
class Outcome:
    """unchanged: how many were so already."""

    changes: list[Change] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    unchanged: int = 0


def do_to_all(conversations: Sequence[Conversation], act: Act, *, by: Agent) -> Outcome:
    """Each in a transaction of its own: one that is refused keeps no other from being done."""
    outcome = Outcome()
    for conversation in conversations:
        try:
            with transaction.atomic():
                before = _fields(lock(conversation), act.fields)
                act.do(conversation, by)
                conversation.refresh_from_db(fields=act.fields)
        except InboxError as refusal:
            name = conversation.identity.display_name
            outcome.refusals.append(Refusal(name, str(refusal.detail)))
            continue
        after = _fields(conversation, act.fields)
        if after == before:
            outcome.unchanged += 1
        else:
            outcome.changes.append(Change(conversation.pk, before, after))
    return outcome


def undo_all(
    conversations: Sequence[Conversation],
    changes: Mapping[int, Change],
    *,
    by: Agent,
) -> Outcome:
    """Put each back to what it was. One that somebody has changed since stays as it is."""
    outcome = Outcome()
    for conversation in conversations:
        change = changes[conversation.pk]
        try:
            with transaction.atomic():
                current = lock(conversation)
                if _fields(current, tuple(change.after)) != change.after:
                    raise StateForbids(_("It was changed since."))
                _put_back(current, change.before, by)
        except InboxError as refusal:
            name = conversation.identity.display_name
            outcome.refusals.append(Refusal(name, str(refusal.detail)))
            continue
        outcome.changes.append(Change(change.pk, change.after, change.before))
    return outcome


def _fields(conversation: Conversation, names: Sequence[str]) -> dict[str, Any]:
    """Plain values, as they come back from a form too."""
    values = {name: getattr(conversation, name) for name in names}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _put_back(conversation: Conversation, before: Mapping[str, Any], by: Agent) -> None:
    """By the same acts, so that the thread tells of it and others hear of it."""
    if "status" in before:
        _put_back_status(conversation, before, by)
    if "assignee_id" in before:
        assignee = Agent.objects.filter(pk=before["assignee_id"]).first()
        assign_conversation(conversation=conversation, assignee=assignee, by=by)
    if "tags" in before:
        gone = Tag.objects.filter(pk__in=set(conversation.tags) - set(before["tags"]))
        change_tags(conversation=conversation, remove=list(gone), by=by)
    if "priority" in before:
        priority = Priority(before["priority"])
        set_priority(conversation=conversation, priority=priority, by=by)
    if "unread" in before:
        _put_back_unread(conversation, before["unread"])


def _put_back_status(
    conversation: Conversation, before: Mapping[str, Any], by: Agent
) -> None:
    until = parse_datetime(before["snoozed_until"] or "")
    if before["status"] == CLOSED:
        close_conversation(conversation=conversation, by=by)
    elif before["status"] == OPEN or (until is not None and until <= now()):
        reopen_conversation(conversation=conversation, by=by)
    else:
        # Opened first: that brings back what waited in it.
        reopen_conversation(conversation=conversation, by=by)
        snooze_conversation(conversation=conversation, until=until, by=by)


def _put_back_unread(conversation: Conversation, unread: int) -> None:
    if unread:
        mark_unread(conversation=conversation, count=unread)
    else:
        mark_read(conversation=conversation)
