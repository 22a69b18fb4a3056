"""What a channel app hands to the inbox: things that happened, in the inbox's words.

`external_id` is always the channel's id of a message, `person_id` the channel's id of the
customer, whoever acted. Moments are aware and the channel's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """An attachment. kind: a MessageType. url: where it lies at the channel, "" for none."""

    kind: str
    url: str = ""
    title: str = ""
    expires_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """The customer wrote. opens_window: the act that opens the reply window; "" if none does."""

    person_id: str
    external_id: str
    sent_at: datetime
    type: str
    content: str
    parts: tuple[Part, ...] = ()
    reply_to: str = ""
    opens_window: str = ""
    username: str = ""
    name: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    referral: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Echo:
    """We wrote, here or in the channel's own app. reference: our mark, where it came back."""

    person_id: str
    external_id: str
    sent_at: datetime
    type: str
    content: str
    parts: tuple[Part, ...] = ()
    reply_to: str = ""
    reference: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edit:
    """number: which edit of this message it is; the highest, then the latest, holds."""

    external_id: str
    content: str
    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Unsend:
    external_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Hide:
    """A comment was hidden from or shown to the public. comment: itself, if the notice told it."""

    external_id: str
    hidden: bool
    comment: InboundMessage | None = None


@dataclass(frozen=True, slots=True)
class ReactionChange:
    """emoji: "" takes the reaction back. actor: who reacted, customer or account."""

    person_id: str
    external_id: str
    actor: str
    emoji: str
    at: datetime
    opens_window: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """status: delivered or read: of everything up to `watermark`, and of the named messages."""

    person_id: str
    status: str
    watermark: datetime | None
    external_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is no message: a line in the thread.

    opens_conversation: the customer did it and it may be where the conversation begins.
    """

    person_id: str
    external_id: str
    at: datetime
    name: str
    details: Mapping[str, Any]
    opens_window: str = ""
    opens_conversation: bool = False
    referral: Mapping[str, Any] = field(default_factory=dict)


Item = InboundMessage | Echo | Edit | Unsend | Hide | ReactionChange | Receipt | Act


@dataclass(frozen=True, slots=True)
class Arrival:
    """An item, where it belongs and when it reached us. raw_event_id: its journal row.

    recovered: it did not come as an event but was found at the channel. "missed": an event
    should have told us, so it is new to us. "history": from before we were connected.
    """

    channel_id: int
    received_at: datetime
    item: Item
    raw_event_id: int | None = None
    recovered: str = ""
