"""What a channel app hands to the inbox: things that happened, in the inbox's words.

`external_id` is always the channel's id of a message, `person_id` the channel's id of the
customer, whoever acted. Moments are aware and the channel's own.

Two facts that several items carry:
probable_window: the window that the person's next message opens (for a message: this one) may
last this long; nobody says for certain.
holder: who holds the thread at the channel from now on: "" for us or nobody, a name for somebody
else, ANOTHER_APP where only that is known, None where nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from inbox.models.conversations import ANOTHER_APP

__all__ = ["ANOTHER_APP", "Act", "Alert", "Arrival", "Echo", "Edit", "Hide", "InboundMessage",
           "Item", "Part", "ReactionChange", "Receipt", "TemplateChange", "Unsend"]  # fmt: skip


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
    probable_window: timedelta | None = None
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Echo:
    """We wrote, here or in the channel's own app. reference: our mark, where it came back.

    A comment of ours is one too (type "comment"). The channel does not say whom it answers:
    person_id is "" then, and it belongs to whoever wrote `reply_to`.
    """

    person_id: str
    external_id: str
    sent_at: datetime
    type: str
    content: str
    parts: tuple[Part, ...] = ()
    reply_to: str = ""
    reference: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """number: which edit of this message it is; the highest, then the latest, holds.

    comment: what was edited as it is now, if the notice told it.
    """

    external_id: str
    content: str
    number: int
    at: datetime
    comment: InboundMessage | None = None


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
    # How long the reply window may be open by this, where that is not certain.
    probable_window: timedelta | None = None


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
    probable_window: timedelta | None = None
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """The platform warns or blocks the account itself, whoever writes to it.

    code: what it is, "policy_block". detail: a sentence for people. is_over: the alerts of this
    family (the code up to its first "_") hold no longer.
    """

    code: str
    detail: str
    at: datetime
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """A message template was approved, rejected or removed. status: a MessageTemplate.Status.

    Found by its id, else by name and language.
    """

    external_id: str
    name: str
    language: str
    status: str
    reason: str = ""


Item = (
    InboundMessage
    | Echo
    | Edit
    | Unsend
    | Hide
    | ReactionChange
    | Receipt
    | Act
    | Alert
    | TemplateChange
)


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
