"""Store what is new: the customers' messages, our own from elsewhere, and lines in the thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from inbox.events import Event, EventName
from inbox.inbound.batch import (
    Batch,
    Key,
    Known,
    columns,
    execute,
    execute_rows,
    recovery,
)
from inbox.inbound.items import Act, Arrival, Echo, InboundMessage, Part
from inbox.jsonb import dump
from inbox.models import Fetch, MessageType, Source
from inbox.search import fold

# A stub holds what came before its message: an edit, an unsend, reactions, a read notice. The
# message fills it; what was unsent stays empty, what was edited keeps its newer text.
ADD_MESSAGES = """
with k as (
    select row_number() over () as n, *
      from json_to_recordset(%s)
           k(channel_id bigint, conversation_id bigint, external_id text, direction text,
             source text, status text, type text, content text, extra jsonb,
             sent_at timestamptz, received_at timestamptz, raw_event_id bigint, search_text text))
insert into inbox_message as m
       (channel_id, conversation_id, external_id, direction, source, status, type, content, extra,
        sent_at, received_at, raw_event_id, search_text,
        author_name, attempts, error_class, error_code, error_detail, is_stub)
select channel_id, conversation_id, external_id, direction, source, status, type, content, extra,
       sent_at, received_at, raw_event_id, search_text,
       '', 0, '', '', '', false
  from k order by n
    on conflict (channel_id, external_id) do update
   set conversation_id = excluded.conversation_id,
       direction = excluded.direction,
       source = excluded.source,
       status = case when m.status = 'read' and excluded.direction = 'out'
                     then 'read' else excluded.status end,
       type = excluded.type,
       content = case when m.deleted_at is not null then ''
                      when m.edited_at is not null then m.content else excluded.content end,
       extra = case when m.deleted_at is not null then '{}' else excluded.extra || m.extra end,
       search_text = case when m.deleted_at is not null then ''
                          when m.edited_at is not null then m.search_text
                          else excluded.search_text end,
       sent_at = excluded.sent_at,
       received_at = excluded.received_at,
       raw_event_id = excluded.raw_event_id,
       is_stub = false
 where m.is_stub
returning id, channel_id, external_id, conversation_id, deleted_at is not null
"""

ADD_PARTS = """
insert into inbox_attachment
       (message_id, position, kind, remote_url, remote_url_expires_at, title, extra,
        state, mime_type, file)
select message_id, position, kind, url, expires_at, title, extra, 'remote', '', ''
  from unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::timestamptz[], %s::text[],
              %s::jsonb[]) k(message_id, position, kind, url, expires_at, title, extra)
returning id, message_id, kind, remote_url
"""

# Files that are worth a copy of our own. Stories are none: their pictures are never stored.
FETCHED_KINDS = {"image", "video", "audio", "file", "sticker"}

ADD_STUBS = """
insert into inbox_message
       (channel_id, external_id, direction, source, status, type, content, extra, sent_at,
        search_text, author_name, attempts, error_class, error_code, error_detail, is_stub)
select channel_id, external_id, 'in', 'customer', 'received', 'text', '', '{}', at,
       '', '', 0, '', '', '', true
  from unnest(%s::bigint[], %s::text[], %s::timestamptz[]) k(channel_id, external_id, at)
    on conflict (channel_id, external_id) do nothing
returning channel_id, external_id, id
"""

LINK_REPLIES = """
update inbox_message m set reply_to_id = t.id
  from unnest(%s::bigint[], %s::bigint[], %s::text[]) k(id, channel_id, reply_to)
  join inbox_message t on t.channel_id = k.channel_id and t.external_id = k.reply_to
 where m.id = k.id
"""

Stored = InboundMessage | Echo | Act


def store_messages(batch: Batch, native_echoes: Iterable[tuple[Arrival, Echo]]) -> None:
    """Insert what is new, once per (channel, external id), in the order in which it came."""
    fresh: dict[Key, tuple[Arrival, Stored]] = {}
    for arrival, message in batch.of(InboundMessage):
        _keep_first(batch, fresh, arrival, message)
    for arrival, echo in native_echoes:
        _keep_first(batch, fresh, arrival, echo)
    for arrival, act in batch.of(Act):
        identity_id = batch.identity_of(arrival.channel_id, act.person_id)
        if identity_id in batch.conversations:
            _keep_first(batch, fresh, arrival, act)
    if not fresh:
        return
    rows = [_row(batch, arrival, item) for arrival, item in fresh.values()]
    stored: list[tuple[Arrival, Stored, int]] = []
    for row in execute_rows(ADD_MESSAGES, rows):
        message_id, channel_id, external_id, conversation_id, is_deleted = row
        arrival, item = fresh[channel_id, external_id]
        _remember(batch, arrival, item, message_id, conversation_id, is_deleted)
        stored.append((arrival, item, message_id))
        if _wants_details(item) and not is_deleted:
            batch.questions.append((channel_id, Fetch.Kind.DETAILS.value, message_id))
    batch.stored += sum(not isinstance(item, Act) for _, item, _ in stored)
    _store_parts(batch, stored)
    _link_replies(batch, stored)
    _count(batch, stored)
    _note_holders(batch, stored)


def _wants_details(item: Stored) -> bool:
    """The notice of a comment leaves out most of what there is to know of it."""
    return isinstance(item, InboundMessage) and item.type == MessageType.COMMENT


def _keep_first(
    batch: Batch,
    fresh: dict[Key, tuple[Arrival, Stored]],
    arrival: Arrival,
    item: Stored,
) -> None:
    key = (arrival.channel_id, item.external_id)
    if batch.is_new(key):
        fresh.setdefault(key, (arrival, item))


def _row(batch: Batch, arrival: Arrival, item: Stored) -> dict[str, Any]:
    identity_id = batch.identities[arrival.channel_id, item.person_id]
    if isinstance(item, Act):
        direction, source, status = "event", Source.SYSTEM.value, "sent"
        kind, content, sent_at = "event", "", item.at
        extra: dict[str, Any] = {"event": item.name, "raw": dict(item.details)}
    else:
        kind, content, sent_at, extra = (
            item.type,
            item.content,
            item.sent_at,
            item.extra,
        )
        if isinstance(item, Echo):
            direction, source, status = "out", Source.NATIVE_APP.value, "sent"
        else:
            direction, source, status = "in", Source.CUSTOMER.value, "received"
    extra = extra | recovery(arrival.recovered)
    return {
        "channel_id": arrival.channel_id,
        "conversation_id": batch.conversations[identity_id],
        "external_id": item.external_id,
        "direction": direction,
        "source": source,
        "status": status,
        "type": kind,
        "content": content,
        "extra": extra,
        "sent_at": sent_at,
        "received_at": arrival.received_at,
        "raw_event_id": arrival.raw_event_id,
        "search_text": fold(content),
    }


def _remember(
    batch: Batch,
    arrival: Arrival,
    item: Stored,
    message_id: int,
    conversation_id: int,
    is_deleted: bool,
) -> None:
    """What later steps of this batch may speak of; and its event."""
    key = (arrival.channel_id, item.external_id)
    sent_at = item.at if isinstance(item, Act) else item.sent_at
    is_ours = isinstance(item, Echo)
    batch.known[key] = Known(
        id=message_id,
        conversation_id=conversation_id,
        identity_id=batch.identities[arrival.channel_id, item.person_id],
        direction="out" if is_ours else "in",
        status="sent" if is_ours else "received",
        error_class="",
        sent_at=sent_at,
        is_stub=False,
        is_deleted=is_deleted,
        raw_event_id=arrival.raw_event_id,
    )
    if is_deleted:
        batch.erased[key] = batch.known[key]
    if isinstance(item, Act):
        return
    batch.events.append(
        Event(
            EventName.MESSAGE_OUT if is_ours else EventName.MESSAGE_IN,
            channel_id=arrival.channel_id,
            occurred_at=sent_at,
            conversation_id=conversation_id,
            message_id=message_id,
            source=Source.NATIVE_APP if is_ours else Source.CUSTOMER,
            details=recovery(arrival.recovered),
        )
    )


def _store_parts(batch: Batch, stored: list[tuple[Arrival, Stored, int]]) -> None:
    rows = [
        _part_row(message_id, position, part)
        for arrival, item, message_id in stored
        if not isinstance(item, Act)
        and not batch.known[arrival.channel_id, item.external_id].is_deleted
        for position, part in enumerate(item.parts)
    ]
    if not rows:
        return
    arrival_of = {message_id: arrival for arrival, _, message_id in stored}
    for part_id, message_id, kind, url in execute(ADD_PARTS, *columns(rows, 7)):
        channel = batch.channels[arrival_of[message_id].channel_id]
        is_file = kind in FETCHED_KINDS and url.startswith(("https://", "http://"))
        if is_file and channel.stores_media:
            batch.questions.append((channel.pk, Fetch.Kind.MEDIA.value, part_id))


def _part_row(message_id: int, position: int, part: Part) -> tuple[Any, ...]:
    return (
        message_id,
        position,
        part.kind,
        part.url,
        part.expires_at,
        part.title,
        dump(dict(part.extra)),
    )


def _link_replies(batch: Batch, stored: list[tuple[Arrival, Stored, int]]) -> None:
    """A quoted message that has not come yet is a stub, which it fills when it comes."""
    links = [
        (message_id, arrival.channel_id, item.reply_to)
        for arrival, item, message_id in stored
        if not isinstance(item, Act) and item.reply_to
    ]
    if links:
        ensure_stubs(batch, {(c, mid): stored[0][0].received_at for _, c, mid in links})
        execute(LINK_REPLIES, *columns(links, 3))


def ensure_stubs(batch: Batch, moments: dict[Key, datetime]) -> None:
    """A row for every key: a stub where the message has not come yet."""
    missing = [
        (*key, at) for key, at in sorted(moments.items()) if key not in batch.known
    ]
    if not missing:
        return
    for channel_id, external_id, message_id in execute(ADD_STUBS, *columns(missing, 3)):
        key = (channel_id, external_id)
        batch.known[key] = replace(Known.of_nothing(at=moments[key]), id=message_id)


def _count(batch: Batch, stored: list[tuple[Arrival, Stored, int]]) -> None:
    """Unread, who waits since when, and where the person came from."""
    for arrival, item, _ in stored:
        conversation_id = batch.known[
            arrival.channel_id, item.external_id
        ].conversation_id
        if conversation_id is None:
            continue
        touch = batch.touch(conversation_id)
        if not isinstance(item, Echo) and item.referral:
            touch.referral = item.referral
        if arrival.recovered == "history":
            continue  # long past: nobody waits for an answer to it
        if (
            batch.known[arrival.channel_id, item.external_id].identity_id
            in batch.blocked
        ):
            continue
        if isinstance(item, InboundMessage):
            touch.unread += 1
            touch.waiting_since = min(touch.waiting_since or item.sent_at, item.sent_at)
        elif isinstance(item, Echo):
            touch.answered_at = max(touch.answered_at or item.sent_at, item.sent_at)


def _note_holders(batch: Batch, stored: list[tuple[Arrival, Stored, int]]) -> None:
    """Who holds each thread at the channel, by the latest word of it."""
    latest: dict[int, datetime] = {}
    for arrival, item, _ in stored:
        known = batch.known[arrival.channel_id, item.external_id]
        if item.holder is None or known.conversation_id is None:
            continue
        if known.sent_at >= latest.get(known.conversation_id, known.sent_at):
            latest[known.conversation_id] = known.sent_at
            batch.touch(known.conversation_id).held_by = item.holder
