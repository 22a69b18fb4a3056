"""Listens to the inbox's events: writes them down for the outside, in the caller's transaction.

Set-based: the same few statements for one event and for five hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from inbox.events import Event, EventName
from webhooks import snapshots
from webhooks.models import new_event_id
from webhooks.payloads import build_body, erase_content
from webhooks.sending import kick
from webhooks.snapshots import Snapshot

ADD_EVENTS = """
insert into webhooks_event
       (id, name, conversation_id, message_id, sequence, occurred_at, body)
select * from unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
                     %s::timestamptz[], %s::bytea[])
"""

# Ids are given in the order of the events: within a conversation, that of their sequence.
ADD_DELIVERIES = """
insert into webhooks_delivery (endpoint_id, event_id, conversation_id, state, attempts, last_error)
select endpoint_id, event_id, conversation_id, 'pending', 0, ''
  from unnest(%s::bigint[], %s::text[], %s::bigint[]) with ordinality
       k(endpoint_id, event_id, conversation_id, n)
 order by n
"""

ENDPOINTS = """
select e.id, e.events,
       array(select c.channel_id from webhooks_endpoint_channels c where c.endpoint_id = e.id)
  from webhooks_endpoint e order by e.id
"""

BODIES_OF = """
select id, body from webhooks_event
 where message_id = any(%s) and erased_at is null order by id for update
"""

REWRITE = """
update webhooks_event e set body = k.body, erased_at = now()
  from unnest(%s::text[], %s::bytea[]) k(id, body) where e.id = k.id
"""

# Receivers may have answered with what we sent them.
FORGET_ANSWERS = """
update webhooks_deliveryattempt a set response = ''
  from webhooks_delivery d
 where d.event_id = any(%s) and a.delivery_id = d.id and a.response <> ''
"""

FORGET_ECHOES = "delete from webhooks_echoedrequest where event_id = any(%s)"

# Events that tell how a conversation stands now.
_ABOUT_CONVERSATIONS = {EventName.CONVERSATION_CREATED, EventName.CONVERSATION_UPDATED}


def publish(sender: object, events: Sequence[Event], **_: object) -> None:
    """Store each event with its final bytes, and one delivery for each endpoint that wants it."""
    snapshot = Snapshot()
    numbers = _number(events, snapshot)
    snapshots.read(
        snapshot,
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
    ids = [new_event_id() for _event in events]
    rows = [
        (
            event_id,
            event.name.value,
            event.conversation_id,
            event.message_id,
            number,
            event.occurred_at,
            build_body(event_id, event, snapshot, sequence=number),
        )
        for event_id, event, number in zip(ids, events, numbers, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(ADD_EVENTS, _columns(rows))
        cursor.execute(ENDPOINTS)
        owed = _owed(ids, events, cursor.fetchall())
        if owed:
            cursor.execute(ADD_DELIVERIES, _columns(owed))
            transaction.on_commit(kick)


def _number(events: Sequence[Event], snapshot: Snapshot) -> list[int | None]:
    """The sequence of each event in its conversation; reads the conversations' customers too."""
    counts = Counter(
        event.conversation_id for event in events if event.conversation_id is not None
    )
    last = snapshots.number_events(counts, snapshot)
    numbers: list[int | None] = []
    for event in events:
        if event.conversation_id is None:
            numbers.append(None)
            continue
        last[event.conversation_id] += 1
        numbers.append(last[event.conversation_id])
    return numbers


def _owed(
    ids: Sequence[str], events: Sequence[Event], endpoints: Sequence[tuple[Any, ...]]
) -> list[tuple[int, str, int | None]]:
    """(endpoint, event, conversation) for every endpoint that wants an event, in their order."""
    wanting: dict[tuple[EventName, int], list[int]] = {}
    owed = []
    for event_id, event in zip(ids, events, strict=True):
        key = (event.name, event.channel_id)
        if key not in wanting:
            wanting[key] = [
                endpoint_id
                for endpoint_id, names, channel_ids in endpoints
                if (not names or event.name.value in names)
                and (not channel_ids or event.channel_id in channel_ids)
            ]
        for endpoint_id in wanting[key]:
            owed.append((endpoint_id, event_id, event.conversation_id))
    return owed


def erase(sender: object, message_ids: Sequence[int], **_: object) -> None:
    """Forget what these messages said: in events, in receivers' answers, in the echo page."""
    with connection.cursor() as cursor:
        cursor.execute(BODIES_OF, [list(message_ids)])
        rewritten = [
            (row[0], erase_content(bytes(row[1]))) for row in cursor.fetchall()
        ]
        if not rewritten:
            return
        ids = [event_id for event_id, _body in rewritten]
        cursor.execute(REWRITE, _columns(rewritten))
        cursor.execute(FORGET_ANSWERS, [ids])
        cursor.execute(FORGET_ECHOES, [ids])


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
