"""Listens to the inbox's events: writes them down for the outside, in the caller's transaction.

Set-based: the same few statements for one event and for five hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from inbox.bell import kick_after_commit
from inbox.events import Event, EventName, Forgotten
from inbox.jsonb import dump
from webhooks import snapshots
from webhooks.models import new_event_id
from webhooks.payloads import build_body, erase_content, erase_person
from webhooks.sending import dispatch
from webhooks.snapshots import Snapshot

# Rows as JSON: psycopg writes one large text four times faster than arrays of small ones.
# Event ids rise, and so a conversation's deliveries get their ids in the order of its events.
ADD = """
  with k as (
       select * from json_to_recordset(%s)
              k(id text, name text, channel_id bigint, conversation_id bigint, message_id bigint,
                identity_id bigint, sequence bigint, occurred_at timestamptz, body text)),
       added as (
       insert into webhooks_event
              (id, name, conversation_id, message_id, identity_id, sequence, occurred_at, body)
       select id, name, conversation_id, message_id, identity_id, sequence, occurred_at,
              convert_to(body, 'UTF8') from k),
       e as materialized (
       select e.id, e.events, array(select c.channel_id from webhooks_endpoint_channels c
                                     where c.endpoint_id = e.id) as channels
         from webhooks_endpoint e)
insert into webhooks_delivery (endpoint_id, event_id, conversation_id, state, attempts, last_error)
select e.id, k.id, k.conversation_id, 'pending', 0, ''
  from k join e on (e.events = '{}' or k.name = any(e.events))
               and (e.channels = '{}' or k.channel_id = any(e.channels))
 order by k.id, e.id
"""

BODIES_OF = """
select id, convert_from(body, 'UTF8') from webhooks_event
 where message_id = any(%s) order by id for update
"""

# By either index: what happened in their conversations, what was told of themselves.
BODIES_ABOUT = """
select id, convert_from(body, 'UTF8') from webhooks_event
 where id in (
       select id from webhooks_event
        where (conversation_id = any(%s) or identity_id = any(%s)) and id > %s and id <= %s
        order by id limit %s)
 order by id for update
"""

REWRITE = """
update webhooks_event e set body = convert_to(k.body, 'UTF8'), erased_at = now()
  from unnest(%s::text[], %s::text[]) k(id, body) where e.id = k.id
"""

# Receivers may have answered with what we sent them.
FORGET_ANSWERS = """
update webhooks_deliveryattempt a set response = ''
  from webhooks_delivery d
 where d.event_id = any(%s) and a.delivery_id = d.id and a.response <> ''
"""

FORGET_ECHOES = "delete from webhooks_echoedrequest where event_id = any(%s)"

# Events that one step of forgetting a person looks at.
ERASED_AT_ONCE = 500

# Events that tell how a conversation stands now.
_ABOUT_CONVERSATIONS = {EventName.CONVERSATION_CREATED, EventName.CONVERSATION_UPDATED}


def publish(sender: object, events: Sequence[Event], **_: object) -> None:
    """Store each event with its final bytes, and one delivery for each endpoint that wants it."""
    snapshot = Snapshot()
    numbers = _number(events)
    snapshots.read(
        snapshot,
        party_ids={e.conversation_id for e in events if e.conversation_id is not None},
        channel_ids={event.channel_id for event in events},
        message_ids={e.message_id for e in events if e.message_id is not None},
        conversation_ids={
            e.conversation_id
            for e in events
            if e.conversation_id is not None and e.name in _ABOUT_CONVERSATIONS
        },
        identity_ids={
            e.details["identity_id"] for e in events if "identity_id" in e.details
        },
    )
    rows = []
    for event, number in zip(events, numbers, strict=True):
        event_id = new_event_id()
        rows.append(
            {
                "id": event_id,
                "name": event.name.value,
                "channel_id": event.channel_id,
                "conversation_id": event.conversation_id,
                "message_id": event.message_id,
                "identity_id": event.details.get("identity_id"),
                "sequence": number,
                "occurred_at": event.occurred_at.isoformat(),
                "body": build_body(event_id, event, snapshot, sequence=number),
            }
        )
    with connection.cursor() as cursor:
        cursor.execute(ADD, [dump(rows)])
        if cursor.rowcount:
            kick_after_commit(dispatch)


def _number(events: Sequence[Event]) -> list[int | None]:
    """The sequence of each event in its conversation, counted here unless it was already."""
    uncounted = Counter(
        event.conversation_id
        for event in events
        if event.conversation_id is not None and event.sequence is None
    )
    last = snapshots.number_events(uncounted)
    numbers: list[int | None] = []
    for event in events:
        if event.sequence is None and event.conversation_id is not None:
            last[event.conversation_id] += 1
            numbers.append(last[event.conversation_id])
        else:
            numbers.append(event.sequence)
    return numbers


def erase(sender: object, message_ids: Sequence[int], **_: object) -> None:
    """Forget what these messages said: in events, in receivers' answers, in the echo page."""
    with connection.cursor() as cursor:
        cursor.execute(BODIES_OF, [list(message_ids)])
        _rewrite(cursor, {pk: erase_content(body) for pk, body in cursor.fetchall()})


def forget_person(person: Forgotten, cursor: str) -> str | None:
    """A keeper of inbox.events: take who they are out of all that is told of them.

    cursor: the last event that was looked at, and the newest that was there at first. Whatever is
    told after that knows no name any more.
    """
    done, _, newest = cursor.partition(" ")
    newest = newest or new_event_id()
    identity_ids = [pk for pk, *_rest in person.identities]
    conversation_ids = list(person.conversation_ids)
    with connection.cursor() as sql:
        sql.execute(
            BODIES_ABOUT, [conversation_ids, identity_ids, done, newest, ERASED_AT_ONCE]
        )
        erased = {pk: erase_person(body) for pk, body in sql.fetchall()}
        _rewrite(sql, erased)
    return f"{max(erased)} {newest}" if len(erased) == ERASED_AT_ONCE else None


def _rewrite(cursor: CursorWrapper, erased: Mapping[str, str | None]) -> None:
    """erased: event to what is left of its body, None where there was nothing to forget."""
    rewritten = [(pk, body) for pk, body in erased.items() if body is not None]
    if rewritten:
        cursor.execute(REWRITE, _columns(rewritten))
    if erased:
        cursor.execute(FORGET_ANSWERS, [list(erased)])
        cursor.execute(FORGET_ECHOES, [list(erased)])


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
