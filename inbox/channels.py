"""The port: what a channel app tells the inbox about its kind of channel, and sends for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

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
    HELD = "held"  # another app answers in this thread until we take it over
    STALE_FILE = "stale_file"  # the channel forgot a file we gave it: give it again


class Scope(StrEnum):
    """What a refusal is about, and so what has to wait or be told."""

    MESSAGE = "message"
    COMMENT = "comment"  # nothing more can be done with this comment
    PERSON = "person"
    CHANNEL = "channel"  # every other message of the account would fare the same


_SCOPES = {
    ErrorClass.THROTTLED: Scope.CHANNEL,
    ErrorClass.RECONNECT: Scope.CHANNEL,
    ErrorClass.PERMISSION: Scope.CHANNEL,
    ErrorClass.POLICY: Scope.CHANNEL,
    ErrorClass.WINDOW_CLOSED: Scope.PERSON,
    ErrorClass.UNAVAILABLE: Scope.PERSON,
    ErrorClass.HELD: Scope.PERSON,
}


class SendError(Exception):
    """The channel did not accept a message.

    code: the channel's own code, "190/463". detail: a sentence for people; advice: another, on
    what they can do. retry_after: how long to wait, or how long automations rest (POLICY).
    scope: by its class unless given. THROTTLED about a message: our own pace, the channel
    is well. attempts: how many in all, 0: as many as its class allows. at_last: what it means
    once they are used up. holder: who answers in the thread (HELD).
    """

    def __init__(
        self,
        error_class: ErrorClass,
        detail: str | Promise,
        *,
        code: str = "",
        retry_after: timedelta | None = None,
        advice: str | Promise = "",
        scope: Scope | None = None,
        attempts: int = 0,
        at_last: SendError | None = None,
        holder: str | Promise = "",
    ) -> None:
        super().__init__(f"{error_class} {code}")
        self.error_class = error_class
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.advice = advice
        self.scope = scope or _SCOPES.get(error_class, Scope.MESSAGE)
        self.attempts = attempts
        self.at_last = at_last
        self.holder = holder

    @property
    def explanation(self) -> str:
        """What happened and what can be done, in one line."""
        return " ".join(str(part) for part in (self.detail, self.advice) if part)


class WindowKind(StrEnum):
    """By what right a message goes out."""

    OPEN = "open"
    # It may still be open, nobody says for how long: tried as if it were, learned from the answer.
    PROBABLE = "probable"
    HUMAN_AGENT = "human_agent"
    # One answer to a comment, into the person's inbox: by a rule of its own.
    PRIVATE_REPLY = "private_reply"
    # A message template that the platform has approved: at any time.
    TEMPLATE = "template"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ReplyWindow:
    """How long after the contact's last act a channel lets us write.

    lasts: from `last_inbound_at`; None where the identity stores the end.
    sources: who may use it (Message.source), None for everybody.
    feature: what the channel must have been granted (Channel.features).
    """

    kind: WindowKind
    lasts: timedelta | None = None
    sources: frozenset[str] | None = None
    feature: str = ""


@dataclass(frozen=True, slots=True)
class WindowClock:
    """What is known of one person's reply window.

    last_inbound_at: their last act that opens one. expires_at: the end of the standard window.
    probable_until: until when a longer one may be open.
    """

    last_inbound_at: datetime | None = None
    expires_at: datetime | None = None
    probable_until: datetime | None = None

    def end_of(self, window: ReplyWindow) -> datetime | None:
        if window.kind is WindowKind.PROBABLE:
            return self.probable_until
        if window.lasts is None:
            return self.expires_at
        return self.last_inbound_at and self.last_inbound_at + window.lasts


@dataclass(frozen=True, slots=True)
class WindowState:
    """Whether, and until when, a reply may be sent."""

    kind: WindowKind
    expires_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.kind is not WindowKind.CLOSED


def reply_window(
    windows: tuple[ReplyWindow, ...],
    *,
    source: str,
    features: frozenset[str],
    clock: WindowClock,
    at: datetime,
) -> WindowState:
    """The one rule of when we may write: composer, API, automations and the send all ask here."""
    for window in windows:
        if window.sources is not None and source not in window.sources:
            continue
        if window.feature and window.feature not in features:
            continue
        end = clock.end_of(window)
        if end is not None and at < end:
            return WindowState(window.kind, end)
    return WindowState(WindowKind.CLOSED)


# --- what may be sent ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextLimit:
    maximum: int
    unit: str  # "bytes" of UTF-8 or "characters"

    def measure(self, text: str) -> int:
        return len(text.encode()) if self.unit == "bytes" else len(text)


@dataclass(frozen=True, slots=True)
class MediaLimit:
    """max_bytes: of one file. types: MIME types the channel takes; empty: all.

    max_url_bytes: what the channel fetches from an address, where that is less.
    """

    max_bytes: int
    types: frozenset[str]
    max_url_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may hold: the composer, the API and the send ask the same table.

    media: by kind (image video audio file); a kind that is missing cannot be sent.
    cards, buttons: how many; 0 for none. Titles and texts are counted in characters.
    """

    text: TextLimit
    comment_text: TextLimit
    media: Mapping[str, MediaLimit]
    quick_replies: int = 13
    quick_reply_kinds: frozenset[str] = frozenset({"text"})
    quick_reply_title: int = 20
    payload: int = 1000
    cards: int = 10
    card_title: int = 80
    card_subtitle: int = 80
    card_text: int = 640
    buttons: int = 3
    button_title: int = 20
    button_kinds: frozenset[str] = frozenset({"url", "postback"})


class Ability(StrEnum):
    """What a connected account can do beside sending words."""

    PUBLIC_REPLY = "public_reply"
    PRIVATE_REPLY = "private_reply"
    HIDE = "hide"
    DELETE = "delete"
    LIKE = "like"
    REACT = "react"
    QUOTE = "quote"
    TYPING = "typing"
    SEEN = "seen"
    CARDS = "cards"
    # A card of words and buttons alone, without title and picture.
    BUTTON_CARD = "button_card"
    TEMPLATES = "templates"
    TAKE_OVER = "take_over"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class OutgoingMedia:
    """One file. url: where the channel can fetch it. path: in our own storage, "" where it is
    somebody else's; then name, mime_type and size are known too. upload_id: the channel's id of
    the file where it has it already."""

    kind: str  # image video audio file
    url: str = ""
    path: str = ""
    name: str = ""
    mime_type: str = ""
    size: int = 0
    upload_id: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that the channel has taken, to be sent by its id until it forgets it."""

    id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class QuickReply:
    """kind: text, phone or email (the last two have no title: the channel fills it in)."""

    title: str = ""
    payload: str = ""
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Button:
    """kind: url, postback or phone; value: the address, the payload or the number."""

    title: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Card:
    """text alone with buttons: a button card. Else title, subtitle, picture and link."""

    title: str = ""
    subtitle: str = ""
    text: str = ""
    image_url: str = ""
    url: str = ""
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateUse:
    """An approved template with its variables filled. parameters: component to values in order."""

    name: str
    language: str
    parameters: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message as the channel is to send it: words, one medium, cards or a template.

    reference: our own mark, returned by channels that report it with the echo.
    comment_id: the comment that a private reply answers; recipient_id is then of no use.
    is_post: it is no comment but a post that a visitor wrote.
    """

    recipient_id: str
    window: WindowKind
    reference: str
    text: str = ""
    media: OutgoingMedia | None = None
    reply_to: str = ""
    comment_id: str = ""
    is_post: bool = False
    quick_replies: tuple[QuickReply, ...] = ()
    cards: tuple[Card, ...] = ()
    template: TemplateUse | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The channel took the message. external_id: its id there.

    recipient_id: whom it went to, where only the channel knew (a private reply).
    """

    external_id: str
    recipient_id: str = ""


class ActionKind(StrEnum):
    """What an agent does to something at the channel that is no message."""

    HIDE = "hide"
    UNHIDE = "unhide"
    DELETE = "delete"
    LIKE = "like"
    UNLIKE = "unlike"
    REACT = "react"
    UNREACT = "unreact"
    TAKE_OVER = "take_over"
    HAND_BACK = "hand_back"


class Signal(StrEnum):
    """What the person's app shows of us while we work; sent at once or not at all."""

    SEEN = "seen"
    TYPING = "typing"
    TYPING_STOPPED = "typing_stopped"


# --- what may be asked ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Profile:
    """What the channel tells of a person; "" for what it does not."""

    name: str = ""
    username: str = ""
    avatar_url: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Details:
    """What a comment's notice left out, in the words of Message.extra["comment"].

    author: (external id, username, name) where the notice had none. gone: it exists no more.
    """

    comment: Mapping[str, Any] = field(default_factory=dict)
    sent_at: datetime | None = None
    content: str | None = None
    author: tuple[str, str, str] | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A stretch of what the channel remembers, newest conversations first.

    items: inbox.inbound items. cursor: where to go on, "" at the end.
    conversations: how many this page held. total: how many there are, if it says.
    """

    items: Sequence[Any]
    cursor: str
    conversations: int
    total: int | None = None
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """A message template as the channel has it. body: its words, {{1}} where a value goes.

    status: approved, pending or rejected. variables: component to how many values it wants.
    """

    external_id: str
    name: str
    language: str
    status: str
    body: str
    variables: Mapping[str, int]
    reason: str = ""


class ChannelAdapter(Protocol):
    """Facts about one kind of channel, and one attempt at each thing it can do.

    Every method that takes a channel calls the platform once or a few times, holds no
    transaction, and raises SendError for whatever is not a success.
    """

    kind: str
    label: str | Promise
    icon: str
    css: str
    id_prefix: str
    standard_window: timedelta
    windows: tuple[ReplyWindow, ...]
    # How long after a comment it may be answered in private, once.
    private_reply_window: timedelta
    limits: Limits
    reports_delivery: bool

    def abilities(self, channel: Channel) -> frozenset[Ability]:
        """What this account can do, by how it was connected."""
        ...

    def send(self, channel: Channel, message: OutgoingMessage) -> Accepted: ...

    def upload(self, channel: Channel, media: OutgoingMedia) -> Upload | None:
        """Give the channel a file ahead of its message; None where it goes by its address."""
        ...

    def reply_publicly(
        self,
        channel: Channel,
        comment_id: str,
        text: str,
        extra: Mapping[str, Any] | None = None,
    ) -> Accepted:
        """extra: Message.extra of the comment or mention."""
        ...

    def perform(
        self,
        channel: Channel,
        kind: ActionKind,
        *,
        target: str,
        value: str = "",
        person_id: str = "",
    ) -> None:
        """target: the comment's, message's or person's id. value: the emoji of a reaction.

        person_id: whose message it is, for reactions.
        """
        ...

    def signal(self, channel: Channel, recipient_id: str, signal: Signal) -> None: ...

    def fetch_profile(self, channel: Channel, external_id: str) -> Profile: ...

    def fetch_details(
        self, channel: Channel, external_id: str, extra: Mapping[str, Any]
    ) -> Details:
        """extra: Message.extra of the comment or mention."""
        ...

    def fetch_history(
        self, channel: Channel, *, cursor: str = "", person_id: str = ""
    ) -> HistoryPage:
        """person_id: of this person's conversation alone."""
        ...

    def fetch_templates(self, channel: Channel) -> Sequence[TemplateInfo]: ...

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        """Where a person opens this conversation in the channel's own app."""
        ...

    def health_url(self, channel: Channel) -> str:
        """The page on which an admin sees how the account is, and mends it."""
        ...


_adapters: dict[str, ChannelAdapter] = {}


def register(adapter: ChannelAdapter) -> None:
    _adapters[adapter.kind] = adapter


def get_adapter(kind: str) -> ChannelAdapter:
    """Raises KeyError for a kind that no installed app has registered."""
    return _adapters[kind]


def adapters() -> tuple[ChannelAdapter, ...]:
    return tuple(_adapters.values())
