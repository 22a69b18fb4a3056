"""The journal forgets: what was unsent, and people who asked for it.

Which updates of a body are about a message or a person is decided by the same reading that stored
them; ids and moments stay, so that a replay knows its tombstones.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from celery import shared_task
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils.timezone import now

from channels_meta.payloads import Parsed, Told, load, read
from channels_meta.payloads.values import read_id
from inbox.bell import ring_after_commit
from inbox.contacts import forget_stubs
from inbox.events import Forgotten
from inbox.inbound import Edit
from inbox.inbound.batch import Key
from inbox.models import Channel

logger = logging.getLogger(__name__)

# Messages that one transaction of the task looks for.
BATCH = 500
# Journal rows that one step of forgetting a person looks through.
SCANNED = 2000
GONE = b'{"is_redacted": true}'

# Repeats within one claim, edits, echoes of what we sent: where else a message is told of.
NOTE_MENTIONS = """
insert into channels_meta_journalmention (channel_id, external_id, raw_event_id)
select distinct channel_id, external_id, raw_event_id
  from unnest(%s::bigint[], %s::text[], %s::bigint[]) k(channel_id, external_id, raw_event_id)
    on conflict do nothing
"""

# What is queued while others hold the journal's rows is done when they let go of them.
QUEUE = """
insert into channels_meta_journalerasure (channel_id, external_id)
select m.channel_id, m.external_id from inbox_message m
 where m.id = any(%s) and m.external_id is not null and m.deleted_at is not null
    on conflict do nothing
"""

TAKE = """
delete from channels_meta_journalerasure where id in (
       select id from channels_meta_journalerasure order by id limit %s for update skip locked)
returning channel_id, external_id
"""

ROWS_OF = """
  with k as (select * from unnest(%s::bigint[], %s::text[]) k(channel_id, external_id))
select m.raw_event_id from k join inbox_message m using (channel_id, external_id)
 where m.raw_event_id is not null
union
select j.raw_event_id from k join channels_meta_journalmention j using (channel_id, external_id)
"""

BODIES = """
select id, body from channels_meta_rawevent where id = any(%s) order by id for update
"""

# The rows of a stretch that hold one of these ids at all; what they mean by it, reading tells.
SCAN = """
select id, body from channels_meta_rawevent
 where id > %s and id <= %s
   and exists (select 1 from unnest(%s::bytea[]) k(id) where position(k.id in body) > 0)
 order by id for update
"""

NEWEST = "select coalesce(max(id), 0) from channels_meta_rawevent"
NEXT = """
select coalesce(max(id), 0) from (
       select id from channels_meta_rawevent where id > %s order by id limit %s) stretch
"""

# Why something could not be stored may quote it.
REDACT = """
update channels_meta_rawevent r
   set body = k.body, error = case when r.error = '' then '' else 'redacted' end
  from unnest(%s::bigint[], %s::bytea[]) k(id, body) where r.id = k.id
"""


# --- messages ------------------------------------------------------------------------------------


def note_mentions(mentions: Iterable[tuple[Key, int]]) -> None:
    """Remember which rows tell of a message beside the one that brought it."""
    rows = [(channel, mid, row) for (channel, mid), row in mentions]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(NOTE_MENTIONS, [list(c) for c in zip(*rows, strict=True)])


def queue_messages(sender: object, message_ids: Sequence[int], **_: object) -> None:
    """Listens to inbox.events: the content of these messages is gone for good."""
    with connection.cursor() as cursor:
        cursor.execute(QUEUE, [list(message_ids)])
        if cursor.rowcount:
            ring_after_commit(forget_due)


@shared_task(name="channels_meta.redaction.forget_due")
def forget_due() -> None:
    """Take what is queued out of the journal. Ringing it twice changes nothing."""
    while _forget_some():
        pass


@transaction.atomic
def _forget_some() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [BATCH])
        keys = cursor.fetchall()
    forget_messages(keys)
    return len(keys) == BATCH


def forget_messages(keys: Iterable[Key], rows: Iterable[int] = ()) -> None:
    """Take these messages out of every row that tells of them, in the caller's transaction.

    rows: further ones that may.
    """
    wanted = sorted(set(keys))
    if not wanted:
        return
    mids = {mid for _, mid in wanted}

    def is_theirs(told: Told) -> bool:
        return getattr(told.parsed.item, "external_id", None) in mids

    with connection.cursor() as cursor:
        cursor.execute(
            ROWS_OF, [[key[0] for key in wanted], [key[1] for key in wanted]]
        )
        ids = {row_id for (row_id,) in cursor.fetchall()} | set(rows)
        cursor.execute(BODIES, [sorted(ids)])
        _redact(cursor, cursor.fetchall(), is_theirs)


# --- people --------------------------------------------------------------------------------------


def forget_person(person: Forgotten, cursor: str) -> str | None:
    """A keeper of inbox.events: take all that a person did out of the journal.

    cursor: the last row that was looked at, and the newest that was there at first; what comes
    later is dropped where it is received.
    """
    if not person.identities:
        return None
    done, newest = (int(part) for part in cursor.split()) if cursor else (0, None)
    with connection.cursor() as sql:
        if newest is None:
            sql.execute(NEWEST)
            newest = int(sql.fetchone()[0])
        sql.execute(NEXT, [done, SCANNED])
        end = min(int(sql.fetchone()[0]), newest)
        needles = {_id_of(one).encode() for _pk, _account, one in person.identities}
        sql.execute(SCAN, [done, end, sorted(needles)])
        found = _redact(sql, sql.fetchall(), _about(person))
    _forget_stubs_of(found)
    return None if end in {0, newest} else f"{end} {newest}"


NAMELESS = "comment:"

Test = Callable[[Told], bool]


def _id_of(external_id: str) -> str:
    """What a body holds of an identity: who commented without a name is known by the comment."""
    return external_id.rpartition(":")[2]


def _about(person: Forgotten) -> Test:
    """Whether an update is theirs, or holds their id and is addressed to their account."""
    named = {
        (account, one)
        for _pk, account, one in person.identities
        if not one.startswith(NAMELESS)
    }
    nameless = {one for _pk, _account, one in person.identities} - {
        one for _account, one in named
    }

    def is_about(told: Told) -> bool:
        if getattr(told.parsed.item, "person_id", None) in nameless:
            return True
        ids = {told.account, *_leaves(told.raw)}
        return any(account in ids and one in ids for account, one in named)

    return is_about


def _leaves(value: Any) -> Iterable[str]:
    """Every text and number in it, as text: ids come as either."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, str | int):
        yield str(value)


def _forget_stubs_of(updates: Iterable[Parsed]) -> None:
    """An edit whose message never came lies under the message's id, and belongs to nobody."""
    edits = [parsed for parsed in updates if isinstance(parsed.item, Edit)]
    accounts = {account for parsed in edits for account in parsed.accounts}
    channels = Channel.objects.filter(external_id__in=accounts).values_list(
        "pk", flat=True
    )
    mids = {getattr(parsed.item, "external_id", "") for parsed in edits}
    if mids:
        forget_stubs((channel_id, mid) for channel_id in channels for mid in mids)


# --- bodies --------------------------------------------------------------------------------------


def _redact(
    cursor: CursorWrapper, rows: Sequence[tuple[int, Any]], is_theirs: Test
) -> list[Parsed]:
    """Rewrite the bodies that have something to forget. Returns the updates that had."""
    found: list[Parsed] = []
    changed: dict[int, bytes] = {}
    for row_id, body in rows:
        rest = redacted(bytes(body), is_theirs, found)
        if rest is not None:
            changed[row_id] = rest
    if changed:
        cursor.execute(REDACT, [list(changed), list(changed.values())])
        logger.info("journal.redacted rows=%s", len(changed))
    return found


def redacted(body: bytes, is_theirs: Test, found: list[Parsed]) -> bytes | None:
    """The body without what these updates say; None if it has none of them.

    found: gets the updates.
    """
    try:
        envelope = load(body)
        updates = read(envelope, received_at=now())
    except ValueError:
        return GONE  # nobody can tell what it holds but the id that led here
    theirs = [told for told in updates if is_theirs(told)]
    found.extend(told.parsed for told in theirs)
    changes = [
        _blank(told.raw) for told in theirs
    ]  # all, before the first is asked for
    return json.dumps(envelope).encode() if any(changes) else None


# What identifies an update and says what kind it is.
_KEPT = {
    "action", "app_id", "comment_id", "created_time", "field", "id", "is_deleted", "is_echo",
    "is_redacted", "is_self", "item", "media_id", "mid", "mids", "num_edit", "parent_id", "post_id",
    "timestamp", "time", "verb", "watermark",
}  # fmt: skip
# Of these only who or what they are.
_NAMED = {"from", "media", "post", "recipient", "sender"}


def _blank(value: Any, depth: int = 0) -> bool:
    """Empty an update in place. Returns whether anything was taken out."""
    if not isinstance(value, dict):
        return False
    has_changed = False
    for key in list(value):
        part = value[key]
        if key in _KEPT and not isinstance(part, dict):
            continue
        if key in _NAMED and isinstance(part, dict):
            rest = {"id": read_id(part["id"])} if "id" in part else {}
            has_changed |= rest != part
            value[key] = rest
        elif isinstance(part, dict) and depth < 2:
            has_changed |= _blank(part, depth + 1)
        else:
            del value[key]
            has_changed = True
    if has_changed:
        value["is_redacted"] = True
    return has_changed
