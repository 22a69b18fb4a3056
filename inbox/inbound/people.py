"""Who wrote, and which conversation it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.utils.timezone import now

from inbox.events import Event, EventName
from inbox.inbound.batch import Batch, Key, columns, execute, execute_rows
from inbox.inbound.items import Act, Echo, InboundMessage, ReactionChange, Receipt
from inbox.models import Channel, Source

FIND_IDENTITIES = """
select i.channel_id, i.external_id, i.id
  from unnest(%s::bigint[], %s::text[]) k(channel_id, external_id)
  join inbox_channelidentity i using (channel_id, external_id)
"""

# A contact for each new identity; who they are is learned later, if ever.
ADD_IDENTITIES = """
with k as (
    select channel_id, external_id, username, name, row_number() over () as n
      from unnest(%s::bigint[], %s::text[], %s::text[], %s::text[])
           k(channel_id, external_id, username, name)),
contact as (
    insert into inbox_contact (name, email, phone, attributes, avatar_url, created_at)
    select name, '', '', '{}', '', now() from k order by n
    returning id),
numbered as (select id, row_number() over (order by id) as n from contact)
insert into inbox_channelidentity
       (channel_id, external_id, contact_id, username, name, avatar_url, window_reason, created_at)
select k.channel_id, k.external_id, numbered.id, k.username, k.name, '', '', now()
  from k join numbered using (n)
returning channel_id, external_id, id
"""

# Of several conversations the one that is not closed, else the newest.
FIND_CONVERSATIONS = """
select distinct on (c.identity_id) c.identity_id, c.id
  from inbox_conversation c
 where c.identity_id = any(%s)
 order by c.identity_id, c.status = 'closed', c.id desc
"""

LOCK = """
select id, status from inbox_conversation where id = any(%s) order by id for update
"""

ADD_CONVERSATIONS = """
insert into inbox_conversation
       (channel_id, identity_id, status, tags, subject, referral, unread, last_message,
        revision, sequence, created_at, last_message_at)
select channel_id, identity_id, 'open', '{}', '', '{}', 0, '{}', 0, 0, now(), at
  from unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) k(channel_id, identity_id, at)
returning identity_id, id
"""

REOPEN = """
update inbox_conversation
   set status = 'open', closed_at = null, snoozed_until = null
 where id = any(%s)
"""


def find_people(batch: Batch) -> None:
    """Every identity that an arrival names; those who wrote to us for the first time are added."""
    named = {
        (arrival.channel_id, arrival.item.person_id)
        for arrival in batch.arrivals
        if isinstance(
            arrival.item, InboundMessage | Echo | Act | ReactionChange | Receipt
        )
    }
    for channel_id, external_id, identity_id in execute(
        FIND_IDENTITIES, *columns(sorted(named), 2)
    ):
        batch.identities[channel_id, external_id] = identity_id
    strangers = {
        key: names for key, names in _writers(batch) if key not in batch.identities
    }
    if strangers:
        _add_people(batch, strangers)


def _writers(batch: Batch) -> Iterable[tuple[Key, tuple[str, str]]]:
    """Who may begin a conversation, with the names that came along."""
    for arrival in batch.arrivals:
        item = arrival.item
        if isinstance(item, InboundMessage):
            yield (arrival.channel_id, item.person_id), (item.username, item.name)
        elif isinstance(item, Echo) or (
            isinstance(item, Act) and item.opens_conversation
        ):
            yield (arrival.channel_id, item.person_id), ("", "")


def _add_people(batch: Batch, strangers: dict[Key, tuple[str, str]]) -> None:
    rows = [(*key, *names) for key, names in sorted(strangers.items())]
    for channel_id, external_id, identity_id in execute(
        ADD_IDENTITIES, *columns(rows, 4)
    ):
        batch.identities[channel_id, external_id] = identity_id
        batch.events.append(
            Event(
                EventName.USER_CREATED,
                channel_id=channel_id,
                occurred_at=now(),
                source=Source.CUSTOMER,
                details={"identity_id": identity_id},
            )
        )


def find_conversations(batch: Batch, also_lock: Iterable[int]) -> None:
    """The conversation of each identity, locked in id order; opened or reopened where it must be.

    also_lock: conversations that the batch will change for other reasons.
    """
    found = dict(execute(FIND_CONVERSATIONS, sorted(batch.identities.values())))
    locked = dict(execute(LOCK, sorted({*found.values(), *also_lock})))
    openers = _openers(batch)
    begin: list[tuple[int, int, datetime]] = []
    reopen: list[int] = []
    for identity_id, (channel_id, at, writes) in openers.items():
        conversation_id = found.get(identity_id)
        status = locked[conversation_id] if conversation_id else ""
        starts_anew = batch.channels[channel_id].reopening == Channel.Reopening.NEW
        if conversation_id is None or (writes and status == "closed" and starts_anew):
            begin.append((channel_id, identity_id, at))
        elif writes and status != "open":
            reopen.append(conversation_id)
    batch.conversations = found
    _begin(batch, begin)
    if reopen:
        execute(REOPEN, reopen)
        for identity_id in openers:
            if batch.conversations[identity_id] in reopen:
                _announce(
                    batch,
                    openers,
                    identity_id,
                    EventName.CONVERSATION_UPDATED,
                    "reopened",
                )


def _openers(batch: Batch) -> dict[int, tuple[int, datetime, bool]]:
    """identity -> (channel, when, whether the customer wrote) of all that needs a conversation.

    What is stored already opens nothing: Meta repeats itself, also long after we closed.
    """
    openers: dict[int, tuple[int, datetime, bool]] = {}
    for arrival in batch.arrivals:
        item = arrival.item
        if not isinstance(item, InboundMessage | Echo | Act):
            continue
        if not batch.is_new((arrival.channel_id, item.external_id)):
            continue
        if isinstance(item, Act) and not item.opens_conversation:
            continue
        identity_id = batch.identities[arrival.channel_id, item.person_id]
        writes = isinstance(item, InboundMessage)
        at = item.at if isinstance(item, Act) else item.sent_at
        first = openers.get(identity_id)
        if first is None:
            openers[identity_id] = (arrival.channel_id, at, writes)
        elif writes and not first[2]:
            openers[identity_id] = (arrival.channel_id, first[1], True)
    return openers


def _begin(batch: Batch, rows: list[tuple[int, int, datetime]]) -> None:
    if not rows:
        return
    at_of = {
        identity_id: (channel_id, at, True) for channel_id, identity_id, at in rows
    }
    for identity_id, conversation_id in execute(ADD_CONVERSATIONS, *columns(rows, 3)):
        batch.conversations[identity_id] = conversation_id
        _announce(batch, at_of, identity_id, EventName.CONVERSATION_CREATED, "created")


def _announce(
    batch: Batch,
    openers: dict[int, tuple[int, datetime, bool]],
    identity_id: int,
    name: EventName,
    change: str,
) -> None:
    channel_id, at, _ = openers[identity_id]
    batch.events.append(
        Event(
            name,
            channel_id=channel_id,
            occurred_at=at,
            conversation_id=batch.conversations[identity_id],
            source=Source.CUSTOMER,
            details={"change": change},
        )
    )


MOVE_WINDOWS = """
update inbox_channelidentity i
   set last_inbound_at = greatest(i.last_inbound_at, k.acted_at),
       window_reason = case when k.expires_at > coalesce(i.window_expires_at, '-infinity')
                            then k.reason else i.window_reason end,
       window_expires_at = greatest(i.window_expires_at, k.expires_at)
  from json_to_recordset(%s)
       k(id bigint, acted_at timestamptz, expires_at timestamptz, reason text)
 where i.id = k.id
returning i.id, i.last_inbound_at::text, i.window_expires_at::text
"""


def move_windows(batch: Batch) -> None:
    """The newest act of each person decides; a clock that is ahead of ours extends nothing."""
    newest: dict[int, tuple[datetime, datetime, str]] = {}
    for arrival in batch.arrivals:
        item = arrival.item
        if (
            not isinstance(item, InboundMessage | Act | ReactionChange)
            or not item.opens_window
        ):
            continue
        identity_id = batch.identity_of(arrival.channel_id, item.person_id)
        if identity_id is None:
            continue
        said_at = item.sent_at if isinstance(item, InboundMessage) else item.at
        acted_at = min(said_at, arrival.received_at)
        lasts = batch.channels[arrival.channel_id].adapter.standard_window
        if identity_id not in newest or acted_at > newest[identity_id][0]:
            newest[identity_id] = (acted_at, acted_at + lasts, item.opens_window)
    if not newest:
        return
    rows = [
        {
            "id": identity_id,
            "acted_at": acted_at,
            "expires_at": expires_at,
            "reason": reason,
        }
        for identity_id, (acted_at, expires_at, reason) in sorted(newest.items())
    ]
    for identity_id, acted_at, expires_at in execute_rows(MOVE_WINDOWS, rows):
        if identity_id in batch.conversations:
            touch = batch.touch(batch.conversations[identity_id])
            touch.acted_at, touch.expires_at = acted_at, expires_at
