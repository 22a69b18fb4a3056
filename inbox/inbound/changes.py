"""What happens to messages after they were written: edits, unsends, reactions, receipts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from inbox.events import Event, EventName, erase
from inbox.inbound.batch import Batch, Key, columns, execute, newest_by
from inbox.inbound.items import Echo, Edit, Hide, ReactionChange, Receipt, Unsend
from inbox.inbound.messages import ensure_stubs
from inbox.media import drop_attachments
from inbox.models import Source
from inbox.search import fold

# The text before goes to the history, unless this edit is older than the one we have.
EDIT = """
update inbox_message m
   set content = k.content,
       search_text = k.search_text,
       edited_at = k.at,
       extra = m.extra || jsonb_build_object('edit_number', k.number, 'edits',
           case when m.is_stub then '[]'::jsonb
                else coalesce(m.extra->'edits', '[]'::jsonb)
                     || jsonb_build_object('content', m.content, 'until', k.at) end)
  from unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::timestamptz[])
       k(id, content, search_text, number, at)
 where m.id = k.id and m.deleted_at is null
   and (m.edited_at is null
        or k.number > coalesce((m.extra->>'edit_number')::int, 0) or k.at > m.edited_at)
   and m.content is distinct from k.content
returning m.id, m.conversation_id, m.channel_id, m.source, k.at
"""

UNSEND = """
update inbox_message m
   set deleted_at = k.at, content = '', search_text = '', extra = '{}', edited_at = null,
       error_detail = ''
  from unnest(%s::bigint[], %s::timestamptz[]) k(id, at)
 where m.id = k.id and m.deleted_at is null
returning m.id, m.conversation_id, m.channel_id, m.source, k.at
"""

DROP_REACTIONS = "delete from inbox_reaction where message_id = any(%s)"

HIDE = """
update inbox_message m
   set extra = m.extra || jsonb_build_object('hidden', k.hidden)
            || case when m.extra ? 'comment'
                    then jsonb_build_object('comment', (m.extra->'comment')
                         || jsonb_build_object('hidden', k.hidden)) else '{}' end
  from unnest(%s::bigint[], %s::bool[]) k(id, hidden)
 where m.id = k.id and m.deleted_at is null
returning m.conversation_id
"""

REACT = """
insert into inbox_reaction as r (message_id, actor, emoji, reacted_at)
select k.message_id, k.actor, k.emoji, k.at
  from unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[]) k(message_id, actor, emoji, at)
  join inbox_message m on m.id = k.message_id and m.deleted_at is null
    on conflict (message_id, actor) do update
   set emoji = excluded.emoji, reacted_at = excluded.reacted_at
 where r.reacted_at < excluded.reacted_at
returning message_id, actor, emoji, reacted_at
"""

# Receipts stay with the person, so that one that overtakes its message's echo still holds.
KEEP_WATERMARKS = """
update inbox_channelidentity i
   set delivered_until = greatest(i.delivered_until, k.delivered_until),
       read_until = greatest(i.read_until, k.read_until)
  from unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) k(id, delivered_until, read_until)
 where i.id = k.id
"""

APPLY_WATERMARKS = """
update inbox_message m
   set status = case when m.sent_at <= i.read_until then 'read' else 'delivered' end
  from inbox_channelidentity i
  join inbox_conversation c on c.identity_id = i.id
 where i.id = any(%s) and m.conversation_id = c.id
   and m.direction = 'out' and m.status in ('sent', 'delivered')
   and (m.sent_at <= i.read_until or (m.status = 'sent' and m.sent_at <= i.delivered_until))
returning m.id, m.conversation_id, m.channel_id, m.source, null, m.status
"""

MARK_READ = """
update inbox_message m set status = k.status
  from unnest(%s::bigint[], %s::text[]) k(id, status)
 where m.id = k.id and m.status <> k.status
   and (m.is_stub or (m.direction = 'out' and m.status in ('sent', 'delivered')))
   and not (m.status = 'read' and k.status = 'delivered')
returning m.id, m.conversation_id, m.channel_id, m.source, null, m.status
"""


def apply_edits(batch: Batch) -> None:
    edits = newest_by(
        (((a.channel_id, edit.external_id), edit) for a, edit in batch.of(Edit)),
        rank=lambda edit: (edit.number, edit.at),
    )
    if not edits:
        return
    ensure_stubs(batch, {key: edit.at for key, edit in edits.items()})
    rows = [
        (batch.known[key].id, edit.content, fold(edit.content), edit.number, edit.at)
        for key, edit in edits.items()
    ]
    _tell(batch, execute(EDIT, *columns(sorted(rows), 5)), EventName.MESSAGE_EDITED)


def apply_unsends(batch: Batch) -> None:
    """Content goes everywhere at once; the row stays as a tombstone that no replay fills again."""
    unsends = newest_by(
        (
            ((a.channel_id, unsend.external_id), unsend)
            for a, unsend in batch.of(Unsend)
        ),
        rank=lambda unsend: unsend.at,
    )
    if not unsends:
        return
    ensure_stubs(batch, {key: unsend.at for key, unsend in unsends.items()})
    rows = [(batch.known[key].id, unsend.at) for key, unsend in unsends.items()]
    gone = execute(UNSEND, *columns(sorted(rows), 2))
    message_ids = [row[0] for row in gone]
    if message_ids:
        drop_attachments(message_ids)
        execute(DROP_REACTIONS, message_ids)
    for key in unsends:
        batch.known[key].is_deleted = True
        batch.erased[key] = batch.known[key]
    _tell(batch, gone, EventName.MESSAGE_DELETED)


def forget_erased(batch: Batch) -> None:
    """Tell whoever kept a copy; runs after the events of this batch are written."""
    erase([known.id for known in batch.erased.values() if not known.is_stub])


def apply_hides(batch: Batch) -> None:
    hides = {(a.channel_id, hide.external_id): hide for a, hide in batch.of(Hide)}
    rows = [
        (batch.known[key].id, hide.hidden)
        for key, hide in hides.items()
        if key in batch.known
    ]
    if rows:
        found = execute(HIDE, *columns(sorted(rows), 2))
        for (conversation_id,) in found:
            if conversation_id is not None:
                batch.touch(conversation_id)


def apply_reactions(batch: Batch) -> None:
    latest: dict[tuple[Key, str], ReactionChange] = {}
    for arrival, change in batch.of(ReactionChange):
        key = ((arrival.channel_id, change.external_id), change.actor)
        if key not in latest or change.at >= latest[key].at:
            latest[key] = change
    if not latest:
        return
    ensure_stubs(batch, {key: change.at for (key, _), change in latest.items()})
    rows = [
        (batch.known[key].id, actor, change.emoji, change.at)
        for (key, actor), change in latest.items()
    ]
    person_of = {
        (batch.known[key].id, actor): c.person_id for (key, actor), c in latest.items()
    }
    by_id = {known.id: (key, known) for key, known in batch.known.items()}
    for message_id, actor, emoji, at in execute(REACT, *columns(sorted(rows), 4)):
        (channel_id, _), known = by_id[message_id]
        if known.conversation_id is None:
            continue
        batch.touch(known.conversation_id)
        by_customer = person_of[message_id, actor] == actor
        batch.events.append(
            Event(
                EventName.REACTION,
                channel_id=channel_id,
                occurred_at=at,
                conversation_id=known.conversation_id,
                message_id=message_id,
                source=Source.CUSTOMER if by_customer else Source.NATIVE_APP,
                details={"emoji": emoji, "action": "react" if emoji else "unreact"},
            )
        )


def apply_receipts(batch: Batch) -> None:
    """Up to a moment, or of one message and so of all before it."""
    watermarks: dict[int, dict[str, datetime | None]] = {}
    named: dict[Key, Receipt] = {}
    for arrival, receipt in batch.of(Receipt):
        identity_id = batch.identity_of(arrival.channel_id, receipt.person_id)
        moment = receipt.watermark
        for external_id in receipt.external_ids if receipt.watermark is None else ():
            named[arrival.channel_id, external_id] = receipt
            known = batch.known.get((arrival.channel_id, external_id))
            if known and not known.is_stub and known.identity_id == identity_id:
                moment = max(moment or known.sent_at, known.sent_at)
        if identity_id is None or moment is None:
            continue
        marks = watermarks.setdefault(identity_id, {"delivered": None, "read": None})
        marks[receipt.status] = max(marks[receipt.status] or moment, moment)
    if named:
        ensure_stubs(batch, {key: receipt.at for key, receipt in named.items()})
        rows = [(batch.known[key].id, receipt.status) for key, receipt in named.items()]
        _tell(
            batch,
            execute(MARK_READ, *columns(sorted(rows), 2)),
            EventName.MESSAGE_STATUS,
        )
    if watermarks:
        marks_rows = [
            (key, m["delivered"], m["read"]) for key, m in sorted(watermarks.items())
        ]
        execute(KEEP_WATERMARKS, *columns(marks_rows, 3))
    people = {*watermarks, *_echoed_people(batch)}
    if people:
        _tell(
            batch, execute(APPLY_WATERMARKS, sorted(people)), EventName.MESSAGE_STATUS
        )


def _echoed_people(batch: Batch) -> set[int]:
    """Whose messages have just learned their time: an earlier receipt may cover them."""
    return {
        batch.identities[a.channel_id, echo.person_id] for a, echo in batch.of(Echo)
    }


def _tell(batch: Batch, rows: list[tuple[Any, ...]], name: EventName) -> None:
    """rows: (message, conversation, channel, source, at, status), the last two where they matter.

    Stubs have nobody to be told.
    """
    for message_id, conversation_id, channel_id, source, *rest in rows:
        if conversation_id is None:
            continue
        at, status = [*rest, None, None][:2]
        batch.touch(conversation_id)
        batch.events.append(
            Event(
                name,
                channel_id=channel_id,
                occurred_at=at or batch.arrivals[-1].received_at,
                conversation_id=conversation_id,
                message_id=message_id,
                source=source,
                details={"status": status} if status else {},
            )
        )
