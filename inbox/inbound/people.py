"""Who wrote, and which conversation it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timezone import now

from inbox.events import Event, EventName
from inbox.inbound.batch import (
    Batch,
    Key,
    Known,
    columns,
    execute,
    recovery,
)
from inbox.inbound.items import (
    Act,
    Arrival,
    Echo,
    InboundMessage,
    ReactionChange,
    Receipt,
)
from inbox.models import Channel, Source

# A conversation found in the channel's history is done if nothing was said for this long.
STILL_OPEN = timedelta(days=1)

# With the conversation of each: of several the one that is not closed, else the newest.
FIND_IDENTITIES = """
select i.channel_id, i.external_id, i.id, i.erased_at, i.last_inbound_at is null,
       i.blocked_at is not null, c.id
  from unnest(%s::bigint[], %s::text[]) k(channel_id, external_id)
  join inbox_channelidentity i using (channel_id, external_id)
  left join lateral (
       select c.id from inbox_conversation c
        where c.identity_id = i.id
        order by c.status = 'closed', c.id desc
        limit 1) c on true
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

LOCK = """
select id, status from inbox_conversation where id = any(%s) order by id for update
"""

ADD_CONVERSATIONS = """
insert into inbox_conversation
       (channel_id, identity_id, status, tags, subject, referral, unread, last_message,
        revision, sequence, created_at, last_message_at, closed_at)
select channel_id, identity_id, status, '{}', '', '{}', 0, '{}', 0, 0, now(), at,
       case when status = 'closed' then now() end
  from unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[])
       k(channel_id, identity_id, at, status)
returning identity_id, id
"""

REOPEN = """
update inbox_conversation
   set status = 'open', closed_at = null, snoozed_until = null
 where id = any(%s)
"""

# Why it is back, for whoever had put it away.
ADD_WOKEN_LINES = """
insert into inbox_message
       (channel_id, conversation_id, direction, source, status, type, content, extra, sent_at,
        search_text, author_name, attempts, error_class, error_code, error_detail, is_stub)
select channel_id, id, 'event', 'system', 'sent', 'event', '', '{"event": "woke", "by": "reply"}', now(),
       '', '', 0, '', '', '', false
  from inbox_conversation where id = any(%s)
"""


def find_people(batch: Batch) -> None:
    """Every identity that an arrival names, with its conversation; those who wrote to us for the
    first time are added."""
    named = {
        (arrival.channel_id, arrival.item.person_id)
        for arrival in batch.arrivals
        if isinstance(
            arrival.item, InboundMessage | Echo | Act | ReactionChange | Receipt
        )
    }
    erased: dict[Key, datetime] = {}
    for row in execute(FIND_IDENTITIES, *columns(sorted(named), 2)):
        key, (identity_id, erased_at, is_silent, is_blocked, found) = row[:2], row[2:]
        batch.identities[key] = identity_id
        if erased_at:
            erased[key] = erased_at
        if is_silent:
            batch.silent.add(key)
        if is_blocked:
            batch.blocked.add(identity_id)
        if found:
            batch.conversations[identity_id] = found
    if erased:
        _drop_erased(batch, erased)
    strangers = {
        key: names for key, names in _writers(batch) if key not in batch.identities
    }
    if strangers:
        _add_people(batch, strangers)


def _drop_erased(batch: Batch, erased: dict[Key, datetime]) -> None:
    """What was written before its person asked to be forgotten comes back by no way."""
    kept: list[Arrival] = []
    for arrival in batch.arrivals:
        item = arrival.item
        if not isinstance(item, InboundMessage | Echo | Act | ReactionChange):
            kept.append(arrival)
            continue
        said_at = item.sent_at if isinstance(item, InboundMessage | Echo) else item.at
        until = erased.get((arrival.channel_id, item.person_id))
        if until is None or said_at > until:
            kept.append(arrival)
        elif not isinstance(item, ReactionChange):
            key = (arrival.channel_id, item.external_id)
            batch.erased[key] = batch.known.get(key) or Known.of_nothing(
                at=said_at, raw_event_id=arrival.raw_event_id
            )
    batch.arrivals = kept


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
        batch.strangers.add((channel_id, external_id))
        batch.events.append(
            Event(
                EventName.USER_CREATED,
                channel_id=channel_id,
                occurred_at=now(),
                source=Source.CUSTOMER,
                details={"identity_id": identity_id},
            )
        )


@dataclass(slots=True)
class Opener:
    """What calls for a conversation with one person.

    at, last_at: the first and the last moment of it. writes: whether the customer wrote, and
    now, and we want to know. is_history: whether all of it is from before we were connected.
    """

    channel_id: int
    at: datetime
    last_at: datetime
    writes: bool
    is_history: bool
    is_blocked: bool
    recovered: str

    @property
    def status(self) -> str:
        is_over = self.is_history and self.last_at < now() - STILL_OPEN
        return "closed" if is_over or self.is_blocked else "open"


def find_conversations(batch: Batch, also_lock: Iterable[int]) -> None:
    """The conversation of each identity, locked in id order; opened or reopened where it must be.

    also_lock: conversations that the batch will change for other reasons.
    """
    found = batch.conversations
    locked = dict(execute(LOCK, sorted({*found.values(), *also_lock})))
    openers = _openers(batch)
    begin: dict[int, Opener] = {}
    reopen: dict[int, Opener] = {}
    for identity_id, opener in openers.items():
        conversation_id = found.get(identity_id)
        status = locked[conversation_id] if conversation_id else ""
        channel = batch.channels[opener.channel_id]
        starts_anew = channel.reopening == Channel.Reopening.NEW
        if conversation_id is None or (
            opener.writes and status == "closed" and starts_anew
        ):
            begin[identity_id] = opener
        elif opener.writes and status != "open":
            reopen[identity_id] = opener
    _begin(batch, begin)
    _reopen(batch, reopen)
    woken = [found[pk] for pk in reopen if locked[found[pk]] == "snoozed"]
    if woken:
        execute(ADD_WOKEN_LINES, woken)


def _openers(batch: Batch) -> dict[int, Opener]:
    """identity -> all that needs a conversation with them.

    What is stored already opens nothing: Meta repeats itself, also long after we closed.
    """
    openers: dict[int, Opener] = {}
    for arrival in batch.arrivals:
        item = arrival.item
        if not isinstance(item, InboundMessage | Echo | Act):
            continue
        key = (arrival.channel_id, item.external_id)
        if not batch.is_new(key) or key in batch.elsewhere:
            continue
        if isinstance(item, Act) and not item.opens_conversation:
            continue
        identity_id = batch.identities[arrival.channel_id, item.person_id]
        at = item.at if isinstance(item, Act) else item.sent_at
        is_history = arrival.recovered == "history"
        is_blocked = identity_id in batch.blocked
        writes = isinstance(item, InboundMessage) and not is_history and not is_blocked
        opener = openers.setdefault(
            identity_id,
            Opener(
                arrival.channel_id,
                at,
                at,
                writes,
                is_history,
                is_blocked,
                arrival.recovered,
            ),
        )
        opener.last_at = max(opener.last_at, at)
        opener.writes = opener.writes or writes
        opener.is_history = opener.is_history and is_history
    return openers


def _begin(batch: Batch, openers: dict[int, Opener]) -> None:
    if not openers:
        return
    rows = [(o.channel_id, pk, o.at, o.status) for pk, o in openers.items()]
    for identity_id, conversation_id in execute(ADD_CONVERSATIONS, *columns(rows, 4)):
        batch.conversations[identity_id] = conversation_id
        opener = openers[identity_id]
        _announce(batch, opener, identity_id, EventName.CONVERSATION_CREATED, "created")


def _reopen(batch: Batch, openers: dict[int, Opener]) -> None:
    if not openers:
        return
    execute(REOPEN, [batch.conversations[identity_id] for identity_id in openers])
    for identity_id, opener in openers.items():
        _announce(
            batch, opener, identity_id, EventName.CONVERSATION_UPDATED, "reopened"
        )


def _announce(
    batch: Batch, opener: Opener, identity_id: int, name: EventName, change: str
) -> None:
    batch.events.append(
        Event(
            name,
            channel_id=opener.channel_id,
            occurred_at=opener.at,
            conversation_id=batch.conversations[identity_id],
            source=Source.CUSTOMER,
            details={"change": change} | recovery(opener.recovered),
        )
    )
