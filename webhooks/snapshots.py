"""What events tell about, read in a fixed number of statements however many events there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from inbox.pipeline import fetch_together


class Account(NamedTuple):
    """A connected account."""

    id: int
    kind: str
    external_id: str
    name: str


class Person(NamedTuple):
    """The customer, on one channel."""

    channel_id: int
    external_id: str
    username: str
    name: str
    contact_id: int
    contact_name: str
    email: str
    phone: str


class MessageRow(NamedTuple):
    """A message with its parts. extra, parts: JSON text. sent_at, edited_at: as the public sees them."""

    id: int
    direction: str
    type: str
    content: str
    status: str
    author_name: str
    reply_to_id: int | None
    extra: str
    sent_at: str
    edited_at: str | None
    is_deleted: bool
    error_class: str
    error_code: str
    error_detail: str
    parts: str | None


class ConversationRow(NamedTuple):
    id: int
    status: str
    subject: str
    created_at: datetime
    assignee: str
    team: str | None
    tags: list[str]


@dataclass(slots=True)
class Snapshot:
    """The rows behind a batch of events, by their ids."""

    accounts: dict[int, Account] = field(default_factory=dict)
    messages: dict[int, MessageRow] = field(default_factory=dict)
    conversations: dict[int, ConversationRow] = field(default_factory=dict)
    # The customer of each conversation, and those who are told of without one (by identity).
    parties: dict[int, Person] = field(default_factory=dict)
    people: dict[int, Person] = field(default_factory=dict)


_PERSON = """
       i.channel_id, i.external_id, i.username, i.name, t.id, t.name, t.email, t.phone
"""


def _moment(column: str) -> str:
    """UTC in whole seconds, as payloads.format_moment writes it."""
    return f"""to_char({column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


# Conversations are locked in id order, here as everywhere.
NUMBER = """
  with k as (select * from unnest(%s::bigint[], %s::int[]) k(id, events)),
       locked as (select c.id from inbox_conversation c join k using (id)
                   order by c.id for no key update of c)
update inbox_conversation c set sequence = c.sequence + k.events
  from k join locked using (id)
 where c.id = k.id
returning c.id, c.sequence
"""

PARTIES = f"""
select c.id, {_PERSON}
  from inbox_conversation c
  join inbox_channelidentity i on i.id = c.identity_id
  join inbox_contact t on t.id = i.contact_id
 where c.id = any(%s)
"""  # noqa: S608 - our own columns

PEOPLE = f"""
select i.id, {_PERSON}
  from inbox_channelidentity i join inbox_contact t on t.id = i.contact_id
 where i.id = any(%s)
"""  # noqa: S608 - our own columns

ACCOUNTS = "select id, kind, external_id, name from inbox_channel where id = any(%s)"

MESSAGES = f"""
select m.id, m.direction, m.type, m.content, m.status, m.author_name,
       m.reply_to_id, m.extra::text, {_moment("m.sent_at")}, {_moment("m.edited_at")},
       m.deleted_at is not null,
       m.error_class, m.error_code, m.error_detail,
       (select json_agg(json_build_object(
                   'id', a.id, 'is_had', a.file <> '' or a.state = 'remote',
                   'type', a.kind, 'url', nullif(a.remote_url, ''),
                   'mime_type', nullif(a.mime_type, ''), 'size', a.size,
                   'title', nullif(a.title, ''), 'extra', a.extra)
               order by a.position, a.id)::text
          from inbox_attachment a where a.message_id = m.id)
  from inbox_message m where m.id = any(%s)
"""  # noqa: S608 - our own columns

CONVERSATIONS = """
select c.id, c.status, c.subject, c.created_at,
       coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.username, ''), t.name,
       array(select g.name from inbox_tag g where g.id = any(c.tags) order by g.name)
  from inbox_conversation c
  left join inbox_agent a on a.id = c.assignee_id
  left join inbox_team t on t.id = c.team_id
 where c.id = any(%s)
"""


def number_events(counts: Mapping[int, int]) -> dict[int, int]:
    """Give each conversation's events their numbers: the one before the first, by conversation.

    counts: how many events each conversation has. Keeps the conversations locked until the
    transaction ends, so that their numbers and their deliveries come in one order.
    """
    if not counts:
        return {}
    rows = _rows(NUMBER, list(counts), list(counts.values()))
    return {pk: sequence - counts[pk] for pk, sequence in rows}


def read(
    snapshot: Snapshot,
    *,
    party_ids: Collection[int],
    channel_ids: Collection[int],
    message_ids: Collection[int],
    conversation_ids: Collection[int],
    identity_ids: Collection[int],
) -> None:
    """Fill the snapshot: one statement for each kind of row, all in one round trip."""
    asked = {
        PARTIES: party_ids,
        ACCOUNTS: channel_ids,
        MESSAGES: message_ids,
        CONVERSATIONS: conversation_ids,
        PEOPLE: identity_ids,
    }
    statements = [(sql, [list(ids)]) for sql, ids in asked.items() if ids]
    answers = fetch_together(*statements)
    found = {sql: rows for (sql, _), rows in zip(statements, answers, strict=True)}
    snapshot.parties = _by_id(found.get(PARTIES, ()))
    snapshot.people = _by_id(found.get(PEOPLE, ()))
    accounts = map(Account._make, found.get(ACCOUNTS, ()))
    snapshot.accounts = {row.id: row for row in accounts}
    messages = map(MessageRow._make, found.get(MESSAGES, ()))
    snapshot.messages = {row.id: row for row in messages}
    conversations = map(ConversationRow._make, found.get(CONVERSATIONS, ()))
    snapshot.conversations = {row.id: row for row in conversations}


def _by_id(rows: Iterable[tuple[Any, ...]]) -> dict[int, Person]:
    return {row[0]: Person._make(row[1:]) for row in rows}


def _rows(sql: str, *parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
