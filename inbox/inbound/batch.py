"""What the steps of receiving share: the arrivals of one transaction, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection

from inbox.conversations import Touch
from inbox.events import Event
from inbox.inbound.items import (
    Act,
    Arrival,
    Echo,
    Edit,
    Hide,
    InboundMessage,
    ReactionChange,
    Receipt,
    Unsend,
)
from inbox.jsonb import dump
from inbox.models import Channel

# (channel id, the channel's id of a message or of a person)
Key = tuple[int, str]
T = TypeVar("T")


@dataclass(slots=True)
class Known:
    """A message row that the batch speaks of."""

    id: int
    conversation_id: int | None
    identity_id: int | None
    direction: str
    status: str
    error_class: str
    sent_at: datetime
    is_stub: bool
    is_deleted: bool
    raw_event_id: int | None

    @classmethod
    def of_nothing(cls, *, at: datetime, raw_event_id: int | None = None) -> Known:
        """What is known of a message that has no row, or an empty one."""
        return cls(
            id=0,
            conversation_id=None,
            identity_id=None,
            direction="in",
            status="received",
            error_class="",
            sent_at=at,
            is_stub=True,
            is_deleted=False,
            raw_event_id=raw_event_id,
        )


@dataclass(slots=True)
class OpenSend:
    """A message of ours of which we do not know yet whether the channel has it.

    person_id: the channel's id of whom it went to. answers: ids of what it answers in public.
    written_at: by our clock, where it matters.
    """

    id: int
    channel_id: int
    conversation_id: int
    identity_id: int
    person_id: str
    content: str
    type: str
    source: str
    answers: tuple[str, ...] = ()
    written_at: datetime | None = None


@dataclass(slots=True)
class Batch:
    arrivals: Sequence[Arrival]
    channels: Mapping[int, Channel] = field(default_factory=dict)
    known: dict[Key, Known] = field(default_factory=dict)
    identities: dict[Key, int] = field(default_factory=dict)
    # Identity to the conversation that its next message goes to.
    conversations: dict[int, int] = field(default_factory=dict)
    touches: dict[int, Touch] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    erased: dict[Key, Known] = field(default_factory=dict)
    # People whom this batch added, and those who had not yet written us a message.
    strangers: set[Key] = field(default_factory=set)
    silent: set[Key] = field(default_factory=set)
    # Identities that we do not want to hear from.
    blocked: set[int] = field(default_factory=set)
    # Comments of ours to the send that they report.
    answers: dict[Key, OpenSend] = field(default_factory=dict)
    # What is to be asked of the channels: (channel, Fetch.Kind, subject).
    questions: list[tuple[int, str, int]] = field(default_factory=list)
    # Echoes that settle a send in somebody else's conversation, and open none of their own.
    elsewhere: set[Key] = field(default_factory=set)
    # By such an echo a commenter is known in the inbox: (their identity, the person's id there).
    joins: list[tuple[int, str]] = field(default_factory=list)
    changed_channels: set[int] = field(default_factory=set)
    stored: int = 0

    def of(self, kind: type[T]) -> Iterable[tuple[Arrival, T]]:
        """The arrivals of one kind of item, in the order in which they came."""
        return (
            (arrival, arrival.item)
            for arrival in self.arrivals
            if isinstance(arrival.item, kind)
        )

    def touch(self, conversation_id: int) -> Touch:
        """What this batch does to a conversation, to be added to."""
        return self.touches.setdefault(conversation_id, Touch())

    def is_new(self, key: Key) -> bool:
        known = self.known.get(key)
        return known is None or known.is_stub

    def identity_of(self, channel_id: int, person_id: str) -> int | None:
        return self.identities.get((channel_id, person_id))


def execute(sql: str, *columns: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement whose parameters are columns (for unnest); its rows, if it returns any."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list[Any](columns))
        return cursor.fetchall() if cursor.description else []


def execute_rows(sql: str, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Run one statement over `json_to_recordset(%s)`: for wide rows far cheaper than arrays."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [dump(rows)])
        return cursor.fetchall() if cursor.description else []


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows to columns; `width` empty columns for no rows."""
    return [list(column) for column in zip(*rows, strict=True)] or [
        [] for _ in range(width)
    ]


LOOK_UP = """
select m.channel_id, m.external_id, m.id, m.conversation_id, c.identity_id, m.direction, m.status,
       m.error_class, m.sent_at, m.is_stub, m.deleted_at is not null, m.raw_event_id
  from unnest(%s::bigint[], %s::text[]) k(channel_id, external_id)
  join inbox_message m using (channel_id, external_id)
  left join inbox_conversation c on c.id = m.conversation_id
"""


def recovery(recovered: str) -> dict[str, Any]:
    """What an event says of itself if it was found at the channel instead of reported by it."""
    return {"recovered": True} if recovered else {}


def look_up(keys: Iterable[Key]) -> dict[Key, Known]:
    """The rows of these messages, as far as there are any."""
    rows = execute(LOOK_UP, *columns(sorted(set(keys)), 2))
    return {(row[0], row[1]): Known(*row[2:]) for row in rows}


def mentioned(batch: Batch) -> Iterable[Key]:
    """Every message that an arrival is or speaks of."""
    for arrival in batch.arrivals:
        item, channel_id = arrival.item, arrival.channel_id
        match item:
            case Receipt():
                for external_id in item.external_ids:
                    yield channel_id, external_id
            case InboundMessage() | Echo():
                yield channel_id, item.external_id
                if item.reply_to:
                    yield channel_id, item.reply_to
            case Edit() | Unsend() | Hide() | ReactionChange() | Act():
                yield channel_id, item.external_id


def newest_by(pairs: Iterable[tuple[Key, T]], rank: Callable[[T], Any]) -> dict[Key, T]:
    """Of several items about one key, the one with the highest rank."""
    best: dict[Key, T] = {}
    for key, item in pairs:
        if key not in best or rank(item) >= rank(best[key]):
            best[key] = item
    return best
