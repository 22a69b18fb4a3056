"""Lock a conversation, write notes and lines into it, and keep the list's copy of it true."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox import live
from inbox.errors import ContentInvalid
from inbox.events import Event, EventName, emit
from inbox.jsonb import dump
from inbox.mentions import note_mentions
from inbox.models import (
    Actor,
    Agent,
    Channel,
    ChannelIdentity,
    Conversation,
    Direction,
    Message,
    MessageType,
    NotificationKind,
    Source,
    Status,
)
from inbox.search import fold
from inbox.turns import take_turn

MAX_NOTE_CHARACTERS = 10_000
# What a notification is of that its agent asked for by name: told whatever else they chose.
AWAITED = live.AWAITED
# How far back the sweeper repeats what a crash between commit and publish may have left unsaid.
REPUBLISH_SPAN = timedelta(seconds=15)

# What a list row shows is the newest message as it is now: recomputed, never patched, so that
# late, edited and unsent messages leave no trace that is not true. One statement for all that a
# conversation's row keeps: it has many indexes, and every update of it pays for each.
TOUCH = """
update inbox_conversation c
   set revision = c.revision + 1,
       sequence = c.sequence + k.events,
       updated_at = now(),
       last_message = coalesce(m.preview, '{}'),
       last_message_at = coalesce(m.sent_at, c.last_message_at),
       unread = c.unread + k.unread,
       waiting_since = case
           when k.answered_at >= coalesce(k.waiting_since, c.waiting_since) then null
           else coalesce(c.waiting_since, k.waiting_since) end,
       referral = coalesce(k.referral, c.referral),
       failed = (select count(*) from inbox_message f
                  where f.conversation_id = k.id and f.status = 'failed' and f.direction = 'out'),
       held_by = case when k.held_by is null then c.held_by
                      when k.held_by = 'another app' and c.held_by <> '' then c.held_by
                      else k.held_by end,
       last_inbound_at = i.last_inbound_at,
       window_expires_at = i.window_expires_at
  from json_to_recordset(%s)
       k(id bigint, events int, unread int, waiting_since timestamptz, answered_at timestamptz, referral jsonb,
         held_by text)
  left join lateral (
       select m.sent_at,
              jsonb_build_object('id', m.id, 'direction', m.direction, 'source', m.source,
                  'type', m.type, 'status', m.status, 'deleted', m.deleted_at is not null,
                  'text', left(case when m.status = 'failed' then m.error_detail else m.content end, 160)
              ) as preview
         from inbox_message m
        where m.conversation_id = k.id and m.direction in ('in', 'out')
        order by m.sent_at desc, m.id desc
        limit 1) m on true,
       inbox_channelidentity i
 where c.id = k.id and i.id = c.identity_id
returning c.id, c.revision, c.channel_id, c.team_id, c.assignee_id,
          case when k.unread > 0 then i.awaited_by else '{}' end, c.sequence
"""


@dataclass(slots=True)
class Touch:
    """What happened to one conversation, for its row.

    events: how many it is told of. unread: new messages of the person. waiting_since: the first
    of them. answered_at: our last word. held_by: who holds the thread from now on.
    """

    events: int = 0
    unread: int = 0
    waiting_since: datetime | None = None
    answered_at: datetime | None = None
    referral: Mapping[str, Any] | None = None
    held_by: str | None = None

    def as_row(self, conversation_id: int) -> dict[str, Any]:
        return {
            "id": conversation_id,
            "events": self.events,
            "unread": self.unread,
            "waiting_since": self.waiting_since,
            "answered_at": self.answered_at,
            "referral": self.referral,
            "held_by": self.held_by,
        }


def touch(touches: Mapping[int, Touch]) -> dict[int, int]:
    """Bring the rows up to date, count a revision, and tell open pages after commit.

    Conversations are locked in id order by the caller where there are several. Returns the
    sequence of each conversation's last event.
    """
    if not touches:
        return {}
    rows = [one.as_row(pk) for pk, one in sorted(touches.items())]
    with connection.cursor() as cursor:
        cursor.execute(TOUCH, [dump(rows)])
        changed = cursor.fetchall()
    _tell_pages(changed, {pk for pk, one in touches.items() if one.unread})
    _tell_who_waited({row[0]: row[5] for row in changed if row[5]})
    return {row[0]: row[-1] for row in changed}


def _tell_pages(
    changed: Iterable[tuple[Any, ...]], heard_from: Collection[int]
) -> None:
    """changed: rows as TOUCH returns them. heard_from: where the person has written."""
    rows = [row[:5] for row in changed]
    live.publish_after_commit(
        [
            *(live.Change("conversation", *row) for row in rows),
            *(
                replace(live.Change("notify", *row), what="message")
                for row in rows
                if row[0] in heard_from
            ),
        ]
    )


def _tell_who_waited(waiting: Mapping[int, Collection[int]]) -> None:
    """Who asked to be told when the person writes is told once. waiting: by conversation."""
    if not waiting:
        return
    conversations = Conversation.objects.filter(pk__in=waiting).only(
        "identity_id", "channel_id", "team_id", "assignee_id"
    )
    for conversation in conversations:
        notify(conversation, waiting[conversation.pk], AWAITED, by=None)
    ChannelIdentity.objects.filter(conversations__in=waiting).update(awaited_by=[])


def notify(
    conversation: Conversation, agents: Collection[int], what: str, *, by: int | None
) -> None:
    """Tell these agents (ids) outside the page, if they want to be told of this kind.

    what: assigned, mention, failed or woke, of NotificationKind, or AWAITED. Nobody is told of
    what they did themselves.
    """
    told = sorted({*agents} - {by})
    if told:
        live.publish_after_commit(
            [
                live.Change(
                    "notify",
                    conversation.pk,
                    channel_id=conversation.channel_id,
                    team_id=conversation.team_id,
                    assignee_id=conversation.assignee_id,
                    what=what,
                    only=tuple(told),
                )
            ]
        )


def refresh(conversation_ids: Iterable[int]) -> None:
    """The same where nothing is to be counted."""
    touch({pk: Touch() for pk in conversation_ids})


def lock(conversation: Conversation) -> Conversation:
    """The row as it is now, locked until the transaction ends, with its parties."""
    return (
        Conversation.objects.select_for_update(of=("self",))
        .select_related("channel", "identity__channel", "identity__contact", "assignee")
        .get(pk=conversation.pk)
    )


@transaction.atomic
def open_conversation(identity: ChannelIdentity, by: Actor) -> Conversation:
    """The thread in which this person is written to: the open one, else the last one, or a new
    one where the channel wants that. It is the send that brings a closed one back to life."""
    if found := _thread_of(identity):
        return found
    take_turn()  # they may be writing right now
    if found := _thread_of(identity):
        return found
    moment = now()
    conversation = Conversation.objects.create(
        channel_id=identity.channel_id,
        identity=identity,
        last_message_at=moment,
        last_inbound_at=identity.last_inbound_at,
        window_expires_at=identity.window_expires_at,
    )
    emit(
        [
            Event(
                EventName.CONVERSATION_CREATED,
                channel_id=identity.channel_id,
                occurred_at=moment,
                conversation_id=conversation.pk,
                source=_source_of(by),
                details={"change": "created"},
            )
        ]
    )
    refresh([conversation.pk])
    return conversation


def _thread_of(identity: ChannelIdentity) -> Conversation | None:
    last = Conversation.objects.filter(identity=identity).order_by("-pk")
    closed = Conversation.Status.CLOSED
    is_anew = identity.channel.reopening == Channel.Reopening.NEW
    alive = last.exclude(status=closed).first()
    return alive or (None if is_anew else last.first())


@transaction.atomic
def add_note(
    *, conversation: Conversation, author: Actor, content: str, client_key: str = ""
) -> Message:
    """Store an internal note, of an agent or of a key. The same client key gives the same note.

    Raises ContentInvalid if it is empty or too long.
    """
    content = content.strip()
    if not content:
        raise ContentInvalid(_("Write something first."), param="content")
    if len(content) > MAX_NOTE_CHARACTERS:
        raise ContentInvalid(
            _("A note has at most %(limit)d characters.")
            % {"limit": MAX_NOTE_CHARACTERS},
            param="content",
        )
    lock(conversation)
    written = (
        Message.objects.filter(client_key=client_key).first() if client_key else None
    )
    if written:
        return written
    moment = now()
    message = Message.objects.create(
        conversation=conversation,
        channel_id=conversation.channel_id,
        direction=Direction.NOTE,
        source=_source_of(author),
        author=author if isinstance(author, Agent) else None,
        author_name=author.name,
        type=MessageType.TEXT,
        content=content,
        client_key=client_key or None,
        status=Status.SENT,
        sent_at=moment,
        received_at=moment,
        search_text=fold(content),
    )
    called = note_mentions(message)
    notify(
        conversation,
        [one.pk for one in called],
        NotificationKind.MENTION,
        by=message.author_id,
    )
    refresh([conversation.pk])
    return message


def record(
    conversation: Conversation,
    by: Actor | None,
    what: str,
    *,
    kept: Mapping[str, Any] | None = None,
    **details: Any,
) -> None:
    """A line in the thread that says who did what, and the event for others.

    kept: what only the line remembers, to undo it by.
    """
    moment = now()
    Message.objects.create(
        conversation=conversation,
        channel_id=conversation.channel_id,
        direction=Direction.EVENT,
        source=_source_of(by),
        author=by if isinstance(by, Agent) else None,
        author_name=by.name if by else "",
        type=MessageType.EVENT,
        status=Status.SENT,
        extra={"event": what, **details} | ({"kept": dict(kept)} if kept else {}),
        sent_at=moment,
        received_at=moment,
    )
    emit(
        [
            Event(
                EventName.CONVERSATION_UPDATED,
                channel_id=conversation.channel_id,
                occurred_at=moment,
                conversation_id=conversation.pk,
                source=_source_of(by) if by else "",
                details={"change": what, **details},
            )
        ]
    )
    refresh([conversation.pk])


def _source_of(by: Actor | None) -> str:
    if by is None:
        return Source.SYSTEM
    return Source.AGENT if isinstance(by, Agent) else Source.API


@shared_task(name="inbox.live.republish")
def republish() -> None:
    """Say again what changed lately: a process may have died between commit and publish."""
    rows = Conversation.objects.filter(
        updated_at__gte=now() - REPUBLISH_SPAN
    ).values_list("pk", "revision", "channel_id", "team_id", "assignee_id")
    live.publish(live.Change("conversation", *row) for row in rows[:1000])
