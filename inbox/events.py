"""What happened, told to listeners inside the transaction in which it happened.

Webhooks and automations listen; the inbox knows neither.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.dispatch import Signal


class EventName(StrEnum):
    """Public names (webhook payloads carry them as they are)."""

    MESSAGE_IN = "message_in"
    MESSAGE_OUT = "message_out"
    MESSAGE_STATUS = "message_status"
    MESSAGE_EDITED = "message_edited"
    MESSAGE_DELETED = "message_deleted"
    REACTION = "reaction"
    CONVERSATION_CREATED = "conversation_created"
    CONVERSATION_UPDATED = "conversation_updated"
    USER_CREATED = "user_created"
    USER_UPDATED = "user_updated"
    USER_MERGED = "user_merged"
    CHANNEL_STATUS = "channel_status"
    PING = "ping"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    occurred_at: when it happened (for a message, the channel's own time).
    source: who did it: customer, agent, automation, api, ai, native_app, or "" for the system.
    details: JSON values that are not to be found in the rows (an emoji, what changed).
    sequence: which event of its conversation it is; None until somebody counted it.
    """

    name: EventName
    channel_id: int
    occurred_at: datetime
    conversation_id: int | None = None
    message_id: int | None = None
    source: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    sequence: int | None = None


# kwargs: events, a sequence of Event, in the order in which they happened.
emitted = Signal()
# kwargs: message_ids. Their content is gone for good; whoever kept a copy erases it now.
erased = Signal()


def emit(events: Sequence[Event]) -> None:
    """Tell every listener, in the caller's transaction: what they write commits with it."""
    if events:
        emitted.send(sender=None, events=events)


def erase(message_ids: Sequence[int]) -> None:
    """Make every listener forget the content of these messages, in the caller's transaction."""
    if message_ids:
        erased.send(sender=None, message_ids=message_ids)


# --- people who are to be forgotten ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A person who asked to be forgotten, by all that whoever keeps copies may know them by.

    identities: (identity id, account's id on its platform, person's id there), each.
    until: what was written until then goes.
    """

    contact_ids: tuple[int, ...]
    identities: tuple[tuple[int, str, str], ...]
    conversation_ids: tuple[int, ...]
    until: datetime


# Forgets a bounded stretch of what it keeps of a person, in the caller's transaction. Called with
# "" first, then with what it returned, until it returns None.
Keeper = Callable[[Forgotten, str], str | None]

keepers: dict[str, Keeper] = {}


def register_keeper(name: str, keeper: Keeper) -> None:
    """Whoever keeps copies of what people wrote, or are called, says so when it is plugged in."""
    keepers[name] = keeper
