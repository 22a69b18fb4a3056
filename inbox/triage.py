"""What is done with a conversation besides answering it: assign, snooze, tag, prioritise, close."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db import transaction
from django.db.models import F, Func, IntegerField, QuerySet, Value
from django.db.models.functions import Cast
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.conversations import lock, notify, record, refresh
from inbox.errors import ContentInvalid, StateForbids
from inbox.models import (
    Actor,
    Agent,
    ChannelIdentity,
    Conversation,
    Direction,
    Message,
    NotificationKind,
    Priority,
    Tag,
    Team,
)

MAX_SNOOZE = timedelta(days=366)
MAX_TAGS = 30
# Conversations that one run of the sweeper wakes.
WAKE_ROWS = 200

CLOSED, OPEN, SNOOZED = (
    Conversation.Status.CLOSED,
    Conversation.Status.OPEN,
    Conversation.Status.SNOOZED,
)


# --- who answers ---------------------------------------------------------------------------------


@transaction.atomic
def assign_conversation(
    *, conversation: Conversation, assignee: Agent | None, by: Actor | None
) -> None:
    """Give a conversation to an agent, or back to everybody.

    Raises ContentInvalid for somebody who cannot answer it.
    """
    current = lock(conversation)
    if current.assignee_id == (assignee and assignee.pk):
        return
    if assignee and not (
        assignee.is_active and assignee.has_perm("inbox.view_conversation")
    ):
        raise ContentInvalid(
            _("%(name)s cannot see the inbox.") % {"name": assignee.name}, param="to"
        )
    current.assignee = assignee
    current.save(update_fields=["assignee"])
    record(
        current,
        by,
        "assigned",
        to=assignee.name if assignee else "",
        to_id=assignee.pk if assignee else None,
    )
    if assignee:
        notify(
            current,
            [assignee.pk],
            NotificationKind.ASSIGNED,
            by=by.pk if isinstance(by, Agent) else None,
        )


@transaction.atomic
def assign_team(
    *, conversation: Conversation, team: Team | None, by: Actor | None
) -> None:
    """Put a conversation into a team's queue, or into nobody's."""
    current = lock(conversation)
    if current.team_id == (team and team.pk):
        return
    current.team = team
    current.save(update_fields=["team"])
    record(current, by, "team", to=team.name if team else "")


# --- done, open, later ---------------------------------------------------------------------------


@transaction.atomic
def close_conversation(*, conversation: Conversation, by: Actor | None) -> None:
    """Call it done. A new message brings it back."""
    current = lock(conversation)
    if current.status == CLOSED:
        return
    was = _as_it_is(current)
    current.status = CLOSED
    current.closed_at = now()
    current.snoozed_until = None
    current.waiting_since = None
    current.unread = 0
    current.save(
        update_fields=[
            "status",
            "closed_at",
            "snoozed_until",
            "waiting_since",
            "unread",
        ]
    )
    record(current, by, "closed", kept=was)


@transaction.atomic
def reopen_conversation(*, conversation: Conversation, by: Actor | None) -> None:
    """Open a closed or snoozed conversation again. What was waiting when it was closed waits
    again, unless something happened since.

    Raises StateForbids if the person has another one open: one at a time.
    """
    current = lock(conversation)
    if current.status == OPEN:
        return
    _check_sole(current)
    fields = ["status", "closed_at", "snoozed_until"]
    if was := _kept_by_closing(current):
        current.waiting_since = parse_datetime(was["waiting_since"] or "")
        current.unread = was["unread"]
        fields += ["waiting_since", "unread"]
    current.status = OPEN
    current.closed_at = current.snoozed_until = None
    current.save(update_fields=fields)
    record(current, by, "reopened")


def _as_it_is(conversation: Conversation) -> dict[str, Any]:
    since = conversation.waiting_since
    return {
        "waiting_since": since.isoformat() if since else None,
        "unread": conversation.unread,
    }


def _kept_by_closing(conversation: Conversation) -> dict[str, Any] | None:
    """What closing put aside; None if that is not the last thing that happened."""
    last: Message | None = conversation.messages.order_by("-sent_at", "-id").first()
    if last is None or last.extra.get("event") != "closed":
        return None
    kept: dict[str, Any] | None = last.extra.get("kept")
    return kept


def _check_sole(conversation: Conversation) -> None:
    others = Conversation.objects.filter(identity_id=conversation.identity_id)
    if others.exclude(pk=conversation.pk).exclude(status=CLOSED).exists():
        raise StateForbids(
            _("This person has a newer conversation that is open. Answer there.")
        )


@transaction.atomic
def snooze_conversation(
    *, conversation: Conversation, until: datetime | None, by: Actor | None
) -> None:
    """Put it away until a moment, or until the person writes: whichever comes first.

    until: None to wait for the person only. Raises ContentInvalid for a moment that is past or too far away, StateForbids if the person
    has another one open.
    """
    current = lock(conversation)
    if until is not None:
        _check_moment(until)
    _check_sole(current)
    current.status = SNOOZED
    current.closed_at = None
    current.snoozed_until = until
    current.save(update_fields=["status", "closed_at", "snoozed_until"])
    record(current, by, "snoozed", until=until.isoformat() if until else None)


def _check_moment(until: datetime) -> None:
    moment = now()
    if until <= moment:
        raise ContentInvalid(
            _("That moment has passed. Choose a later one."), param="until"
        )
    if until > moment + MAX_SNOOZE:
        raise ContentInvalid(
            _("Nothing can be snoozed for more than a year."), param="until"
        )


@shared_task(name="inbox.triage.wake_due")
def wake_due() -> None:
    """Bring back what was snoozed until now."""
    with transaction.atomic():
        due = (
            Conversation.objects.select_for_update(skip_locked=True)
            .filter(status=SNOOZED, snoozed_until__lte=now())
            .order_by("snoozed_until")[:WAKE_ROWS]
        )
        woken = sorted(due, key=lambda one: one.pk)
        sleepers = _who_snoozed([one.pk for one in woken if one.assignee_id is None])
        for conversation in woken:
            conversation.status = OPEN
            conversation.snoozed_until = None
            conversation.save(update_fields=["status", "snoozed_until"])
            record(conversation, None, "woke")
            agent_id = conversation.assignee_id or sleepers.get(conversation.pk)
            if agent_id:
                notify(conversation, [agent_id], NotificationKind.WOKE, by=None)


def _who_snoozed(conversation_ids: Collection[int]) -> dict[int, int]:
    """By conversation, the agent who put it away last; in one statement."""
    if not conversation_ids:
        return {}
    lines = Message.objects.filter(
        conversation__in=conversation_ids,
        direction=Direction.EVENT,
        extra__event="snoozed",
        author__isnull=False,
    )
    newest = lines.order_by("conversation_id", "-sent_at", "-pk").distinct(
        "conversation_id"
    )
    return {
        pk: author
        for pk, author in newest.values_list("conversation_id", "author_id")
        if author
    }


# --- what it is ----------------------------------------------------------------------------------


@transaction.atomic
def set_priority(
    *, conversation: Conversation, priority: Priority, by: Actor | None
) -> None:
    current = lock(conversation)
    if current.priority == priority:
        return
    current.priority = priority
    current.save(update_fields=["priority"])
    record(current, by, "priority", to=int(priority))


@transaction.atomic
def set_subject(*, conversation: Conversation, subject: str, by: Actor | None) -> None:
    """Say what it is about; "" for nothing in particular."""
    current = lock(conversation)
    if current.subject == subject:
        return
    current.subject = subject
    current.save(update_fields=["subject"])
    record(current, by, "subject")


@transaction.atomic
def change_tags(
    *,
    conversation: Conversation,
    add: Collection[Tag] = (),
    remove: Collection[Tag] = (),
    by: Actor | None,
) -> None:
    """Raises ContentInvalid where there would be too many."""
    current = lock(conversation)
    gone = {tag.pk for tag in remove}
    tags = [pk for pk in current.tags if pk not in gone]
    fresh = [tag for tag in add if tag.pk not in tags and tag.pk not in gone]
    tags += [tag.pk for tag in fresh]
    lost = [tag for tag in remove if tag.pk in current.tags]
    if not fresh and not lost:
        return
    if len(tags) > MAX_TAGS:
        raise ContentInvalid(
            _("A conversation has at most %(limit)d tags.") % {"limit": MAX_TAGS},
            param="tags",
        )
    current.tags = tags
    current.save(update_fields=["tags"])
    record(
        current,
        by,
        "tagged",
        added=[tag.name for tag in fresh],
        removed=[tag.name for tag in lost],
    )


# --- read ----------------------------------------------------------------------------------------


@transaction.atomic
def mark_read(*, conversation: Conversation) -> None:
    """Nothing in it is new to us any more."""
    if Conversation.objects.filter(pk=conversation.pk, unread__gt=0).update(unread=0):
        refresh([conversation.pk])


@transaction.atomic
def mark_unread(*, conversation: Conversation, count: int = 1) -> None:
    """Show it as new again, for whoever looks next. count: how many messages are."""
    if Conversation.objects.filter(pk=conversation.pk, unread=0).update(unread=count):
        refresh([conversation.pk])


# --- told when they write ------------------------------------------------------------------------


@transaction.atomic
def wait_for_person(*, conversation: Conversation, agent: Agent) -> None:
    """Tell the agent, and nobody else, when the person next writes: whatever becomes of the
    conversation meanwhile, and in whichever the message lands."""
    identity = lock(conversation).identity
    _waiting_for(identity).exclude(awaited_by__contains=[agent.pk]).update(
        awaited_by=_changed("array_append", agent)
    )


@transaction.atomic
def stop_waiting_for(*, conversation: Conversation, agent: Agent) -> None:
    identity = lock(conversation).identity
    _waiting_for(identity).update(awaited_by=_changed("array_remove", agent))


def _waiting_for(identity: ChannelIdentity) -> QuerySet[ChannelIdentity]:
    return ChannelIdentity.objects.filter(pk=identity.pk)


def _changed(function: str, agent: Agent) -> Func:
    number = Cast(Value(agent.pk), IntegerField())
    return Func(F("awaited_by"), number, function=function)
