"""A desk that has been at work for years: 100,000 conversations with a million messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from bench.stage import ACCOUNT, create_channel

CONVERSATIONS = 100_000
MESSAGES_EACH = 10
# One thread is long: a customer of many years, or a bot.
LONG_THREAD = 10_000
AGENTS = 200
OPEN_SHARE = 5  # every fifth conversation is open

WORDS = [
    "hello",
    "order",
    "size",
    "colour",
    "shipping",
    "parcel",
    "return",
    "refund",
    "invoice",
    "monday",
    "delivery",
    "blue",
    "sandal",
    "shoe",
    "dress",
    "price",
    "discount",
    "question",
    "thanks",
    "available",
    "tomorrow",
    "address",
    "casablanca",
    "marrakesh",
    "receipt",
    "exchange",
    "stock",
    "store",
    "hours",
]

_CONTACTS = """
insert into inbox_contact (name, email, phone, attributes, avatar_url, created_at)
select 'Person ' || n, 'p' || n || '@example.com', '', '{}', '', now() from generate_series(1, %s) n
"""

_IDENTITIES = """
insert into inbox_channelidentity (channel_id, external_id, contact_id, username, name, avatar_url, window_reason,
    last_inbound_at, window_expires_at, created_at)
select %s, 'f' || c.id, c.id, 'person_' || c.id, c.name, '', 'message',
    now() - (c.id %% 30) * interval '1 hour', now() + (24 - c.id %% 30) * interval '1 hour', now()
from inbox_contact c
"""

_CONVERSATIONS = """
insert into inbox_conversation (identity_id, channel_id, status, assignee_id, team_id, tags, unread, subject, referral,
    last_message, last_message_at, last_inbound_at, window_expires_at, waiting_since, revision, sequence, created_at)
select i.id, i.channel_id, case when i.id %% %(share)s = 0 then 'open' else 'closed' end,
    case when i.id %% 3 = 0 then (%(agents)s::bigint[])[1 + i.id %% array_length(%(agents)s::bigint[], 1)] end, null,
    case when i.id %% 7 = 0 then array[%(tag)s] else array[]::int[] end, case when i.id %% 10 = 0 then 1 else 0 end,
    '', '{}', jsonb_build_object('id', 0, 'direction', 'in', 'type', 'text', 'text', 'Is it in stock?'),
    now() - i.id * interval '1 minute', i.last_inbound_at, i.window_expires_at,
    case when i.id %% 10 = 0 then now() - i.id * interval '1 minute' end, 1, 1, now() from inbox_channelidentity i
"""

_MESSAGES = """
insert into inbox_message (conversation_id, channel_id, direction, source, author_name, type, content, external_id,
    status, attempts, error_class, error_code, error_detail, extra, sent_at, is_stub, search_text)
select c.id, c.channel_id, case when n %% 2 = 0 then 'out' else 'in' end,
    case when n %% 2 = 0 then 'agent' else 'customer' end, '', 'text', w.words, 'f' || c.id || '-' || n,
    case when n %% 2 = 0 then 'read' else 'received' end, 0, '', '', '', '{}',
    c.last_message_at - (%(each)s - n) * interval '3 minutes', false, w.words
from inbox_conversation c, generate_series(1, %(each)s) n,
    lateral (select string_agg((%(words)s::text[])[1 + abs(hashint8(c.id * 31 + n * 7 + k)) %% array_length(%(words)s::text[], 1)],
        ' ') as words from generate_series(1, 9) k) w
where c.id between %(first)s and %(last)s
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """opened: open conversations. people: who is in them, under the channel's id."""

    opened: list[int]
    people: list[str]
    long_thread: int


def fill(
    connection: psycopg.Connection[Any],
    conversations: int = CONVERSATIONS,
    long_thread: int = LONG_THREAD,
) -> Filled:
    """Replaces what is there. long_thread: how many messages the first conversation has."""
    connection.execute(
        "truncate channels_meta_rawevent, inbox_channel, inbox_contact, inbox_tag, inbox_agent cascade"
    )
    create_channel(connection)
    channel = _one(
        connection, "select id from inbox_channel where external_id = %s", ACCOUNT
    )
    tag = _one(
        connection,
        "insert into inbox_tag (name, colour) values ('VIP', 1) returning id",
    )
    agents = _agents()
    connection.execute(_CONTACTS, [conversations])
    connection.execute(_IDENTITIES, [channel])
    values = {"share": OPEN_SHARE, "agents": agents, "tag": tag}
    connection.execute(_CONVERSATIONS, values)
    first = _one(connection, "select min(id) from inbox_conversation")
    values = {"words": WORDS, "each": MESSAGES_EACH}
    for start in range(first, first + conversations, 10_000):
        span = {"first": start, "last": start + 9_999}
        connection.execute(_MESSAGES, values | span)
    found = connection.execute(
        "select c.id, i.external_id from inbox_conversation c"
        " join inbox_channelidentity i on i.id = c.identity_id where c.status = 'open' order by c.id"
    ).fetchall()
    longest = found[0][0]
    connection.execute(
        "delete from inbox_message where conversation_id = %s", [longest]
    )
    span = {"first": longest, "last": longest, "each": long_thread}
    connection.execute(_MESSAGES, values | span)
    connection.execute("vacuum analyze")
    return Filled([row[0] for row in found], [row[1] for row in found], longest)


def _one(connection: psycopg.Connection[Any], query: str, *params: Any) -> int:
    row = connection.execute(query, params).fetchone()
    if row is None:
        raise LookupError(query)
    return int(row[0])


def _agents() -> list[int]:
    from django.contrib.auth.models import Group, Permission

    from inbox.models import Agent

    group, _created = Group.objects.get_or_create(name="Agents")
    group.permissions.set(Permission.objects.filter(content_type__app_label="inbox"))
    agents = Agent.objects.bulk_create(
        Agent(username=f"agent{number}", is_staff=True) for number in range(AGENTS)
    )
    group.user_set.set(agents)
    return [agent.pk for agent in agents]
