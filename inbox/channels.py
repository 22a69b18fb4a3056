"""The port: what a channel app tells the inbox about its kind of channel, and sends for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from django.utils.functional import Promise

if TYPE_CHECKING:
    from inbox.models import Channel

# Who may write, as stored in Message.source (product.md 3).
PERSON = frozenset({"agent"})


class ErrorClass(StrEnum):
    """What an error means for us; the channel app maps its codes to these."""

    NOT_TAKEN = "not_taken"  # the channel certainly did not take it: try again
    UNCERTAIN = "uncertain"  # it may have been sent: wait for the echo
    THROTTLED = "throttled"  # the whole channel waits
    TRANSIENT = "transient"  # refused for now, certainly not sent: try again
    WINDOW_CLOSED = "window_closed"
    UNAVAILABLE = "unavailable"  # this person cannot be reached
    RECONNECT = "reconnect"  # the channel's token or link is dead
    PERMISSION = "permission"  # the channel lacks a right or a setting
    BAD_REQUEST = "bad_request"
    POLICY = "policy"  # the channel's rules forbid it
    GONE = "gone"  # what it refers to does not exist any more


class SendError(Exception):
    """The channel did not accept a message.

    code: the channel's own code, "190/463". detail: a sentence for people.
    retry_after: how long the channel asks us to wait.
    """

    def __init__(
        self,
        error_class: ErrorClass,
        detail: str | Promise,
        *,
        code: str = "",
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(f"{error_class} {code}")
        self.error_class = error_class
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


class WindowKind(StrEnum):
    OPEN = "open"
    HUMAN_AGENT = "human_agent"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ReplyWindow:
    """How long after the contact's last act a channel lets us write.

    lasts: from `last_inbound_at`; None for the standard window, whose end the identity stores.
    sources: who may use it (Message.source), None for everybody.
    feature: what the channel must have been granted (Channel.features).
    """

    kind: WindowKind
    lasts: timedelta | None = None
    sources: frozenset[str] | None = None
    feature: str = ""


@dataclass(frozen=True, slots=True)
class WindowState:
    """Whether, and until when, a reply may be sent."""

    kind: WindowKind
    expires_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.kind is not WindowKind.CLOSED


@dataclass(frozen=True, slots=True)
class TextLimit:
    maximum: int
    unit: str  # "bytes" of UTF-8 or "characters"

    def measure(self, text: str) -> int:
        return len(text.encode()) if self.unit == "bytes" else len(text)


@dataclass(frozen=True, slots=True)
class MediaLimit:
    """max_bytes: of one file. types: MIME types the channel takes."""

    max_bytes: int
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class OutgoingMedia:
    kind: str  # image video audio file
    url: str


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message as the channel is to send it: text or one medium, never both.

    reference: our own mark, returned by channels that report it with the echo.
    """

    recipient_id: str
    window: WindowKind
    reference: str
    text: str = ""
    media: OutgoingMedia | None = None
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The channel took the message. external_id: its id there."""

    external_id: str


class ChannelAdapter(Protocol):
    """Facts about one kind of channel, and one attempt at sending."""

    kind: str
    label: str | Promise
    icon: str
    css: str
    id_prefix: str
    standard_window: timedelta
    windows: tuple[ReplyWindow, ...]
    text_limit: TextLimit
    media_limits: dict[str, MediaLimit]
    reports_delivery: bool

    def send(self, channel: Channel, message: OutgoingMessage) -> Accepted:
        """Make one attempt. Raises SendError."""
        ...

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        """Where a person opens this conversation in the channel's own app."""
        ...


def reply_window(
    windows: tuple[ReplyWindow, ...],
    *,
    source: str,
    features: frozenset[str],
    last_inbound_at: datetime | None,
    window_expires_at: datetime | None,
    at: datetime,
) -> WindowState:
    """The one rule of when we may write: composer, API, automations and the send all ask here."""
    for window in windows:
        if window.sources is not None and source not in window.sources:
            continue
        if window.feature and window.feature not in features:
            continue
        end = (
            window_expires_at
            if window.lasts is None
            else last_inbound_at and last_inbound_at + window.lasts
        )
        if end is not None and at < end:
            return WindowState(window.kind, end)
    return WindowState(WindowKind.CLOSED)


_adapters: dict[str, ChannelAdapter] = {}


def register(adapter: ChannelAdapter) -> None:
    _adapters[adapter.kind] = adapter


def get_adapter(kind: str) -> ChannelAdapter:
    """Raises KeyError for a kind that no installed app has registered."""
    return _adapters[kind]


def adapters() -> tuple[ChannelAdapter, ...]:
    return tuple(_adapters.values())
