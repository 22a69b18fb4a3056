"""Meta's JSON to our dataclasses. Whatever comes, something comes out: an item, or a reason.

Source: Meta's webhook documentation of 2026 and live captures; the traps are told where
they are met. Ids may be numbers, times may be seconds, keys may be missing: nothing here
trusts a shape.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from inbox.inbound import (
    Act,
    Echo,
    Edit,
    Hide,
    InboundMessage,
    Item,
    Part,
    ReactionChange,
    Receipt,
    Unsend,
)

KIND_OF_OBJECT = {"page": "messenger", "instagram": "instagram"}
MAX_ID_CHARACTERS = 255
MAX_MID_CHARACTERS = 600
STORY_LIFE = timedelta(hours=24)
# Moments outside this span around their arrival are a fault, not a time.
EARLIEST = datetime(2004, 2, 4, tzinfo=UTC)
FUTURE_TOLERANCE = timedelta(days=7)
# Below this a number is seconds, above it milliseconds: Meta sends both (trap 1).
SECONDS_LIMIT = 10**11

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPED_EMOJI = re.compile(r"\\u\{([0-9a-fA-F]{1,6})\}")


class ItemError(ValueError):
    """This item cannot be stored, ever; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """One update of a body.

    kind: the channel kind of the body's `object`; "" if it did not say.
    accounts: ids of ours it may be addressed to, likeliest first; empty if it is for nobody.
    item: what to store; None if there is nothing to store.
    label: what it is, for the journal. error: why it could not be read.
    """

    kind: str
    accounts: tuple[str, ...]
    item: Item | None
    label: str
    error: str = ""


def parse(body: bytes, *, received_at: datetime) -> list[Parsed]:
    """Read one body. Raises ValueError if it is no JSON object at all."""
    envelope = load(body)
    if not isinstance(envelope, dict):
        raise ValueError("not a JSON object")
    kind = KIND_OF_OBJECT.get(str(envelope.get("object", "")), "")
    if not kind and "object" in envelope:
        return [Parsed("", (), None, f"ignored: object {_short(envelope['object'])}")]
    entries = envelope.get("entry")
    if not isinstance(entries, list):
        raise ValueError("no entry list")
    return [
        parsed for entry in entries for parsed in _parse_entry(kind, entry, received_at)
    ]


def load(body: bytes) -> Any:
    """JSON without what PostgreSQL refuses: NULs, lone surrogates, NaN. Raises ValueError."""
    try:
        text = body.decode("utf-8", "replace")
        data = json.loads(text, strict=False, parse_constant=lambda _: None)
        return _clean(data) if "\\u" in text or "\x00" in text else data
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub(
            lambda found: "" if found[0] == "\x00" else "\ufffd", value
        )
    if isinstance(value, list):
        return [_clean(part) for part in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(part) for key, part in value.items()}
    return value


# --- entries -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Context:
    """What an item inherits from its body and entry."""

    kind: str
    account: str
    received_at: datetime
    entry_time: Any
    standby: bool = False

    def moment(self, *candidates: Any) -> datetime:
        """The first candidate that is a time; else the entry's; else when it arrived."""
        for candidate in (*candidates, self.entry_time):
            moment = read_moment(candidate)
            if moment and EARLIEST <= moment <= self.received_at + FUTURE_TOLERANCE:
                return moment
        return self.received_at


def read_moment(value: Any) -> datetime | None:
    """Milliseconds or seconds, as a number or digits, or ISO 8601; None if it is no time."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return _read_iso(value)
    try:
        seconds = number if abs(number) < SECONDS_LIMIT else number / 1000
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _read_iso(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _parse_entry(kind: str, entry: Any, received_at: datetime) -> Iterator[Parsed]:
    if not isinstance(entry, Mapping):
        yield Parsed(kind, (), None, "ignored: entry", "an entry is not an object")
        return
    account = read_id(entry.get("id"))
    if account == "0":  # the dashboard's test button
        yield Parsed(kind, (), None, "ignored: dashboard test")
        return
    context = _Context(kind, account, received_at, entry.get("time"))
    standby = _Context(kind, account, received_at, entry.get("time"), standby=True)
    count = 0
    for name, reading in (("messaging", context), ("standby", standby)):
        for raw in _list(entry.get(name)):
            count += 1
            yield _guarded(reading, raw, _parse_messaging)
    for change in _changes(entry):
        count += 1
        yield _guarded(context, change, _parse_change)
    if not count:
        what = "changed_fields" if "changed_fields" in entry else "empty entry"
        yield Parsed(kind, (), None, f"ignored: {what}")


def _changes(entry: Mapping[str, Any]) -> list[Any]:
    """`changes[]`, or the documented flat form with `field` and `value` on the entry (trap 3)."""
    flat = (
        [{"field": entry["field"], "value": entry.get("value")}]
        if "field" in entry
        else []
    )
    return _list(entry.get("changes")) + flat


_Reader = Callable[[_Context, Mapping[str, Any]], Parsed]


def _guarded(context: _Context, raw: Any, read: _Reader) -> Parsed:
    """One bad item must not take its neighbours with it."""
    accounts = (context.account,) if context.account else ()
    if not isinstance(raw, Mapping):
        return Parsed(
            context.kind, accounts, None, "unreadable", "an item is not an object"
        )
    try:
        return read(context, raw)
    except ItemError as error:
        return Parsed(context.kind, accounts, None, "unreadable", str(error))


# --- messaging items ---------------------------------------------------------------------------


def _parse_messaging(context: _Context, raw: Mapping[str, Any]) -> Parsed:
    sender = read_id(_dict(raw.get("sender")).get("id"))
    recipient = read_id(_dict(raw.get("recipient")).get("id"))
    accounts = tuple(
        dict.fromkeys(i for i in (context.account, recipient, sender) if i)
    )
    label, item = _read_messaging(context, raw, sender, recipient)
    return Parsed(context.kind, accounts, item, label)


def _read_messaging(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    for key, read in _MESSAGING.items():
        if isinstance(raw.get(key), Mapping):
            return read(context, raw, sender, recipient)
    for key, label in _QUIET_ACTS.items():
        if key in raw:
            return label, _act(context, raw, sender, recipient, label, raw.get(key))
    known = {"sender", "recipient", "timestamp"}
    other = next((key for key in raw if key not in known), "nothing")
    return _short(other), _act(
        context, raw, sender, recipient, _short(other), dict(raw)
    )


def _person(context: _Context, sender: str, recipient: str) -> str:
    """The customer: whichever side is not our account."""
    if sender and sender != context.account:
        return sender
    return recipient if recipient != context.account else sender


def _read_message(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    message = raw["message"]
    mid = read_mid(message.get("mid"))
    moment = context.moment(raw.get("timestamp"))
    if message.get("is_deleted") is True:
        return "unsend", Unsend(external_id=mid, at=moment)
    is_self = message.get("is_self") is True or raw.get("is_self") is True
    is_ours = bool(sender) and sender == context.account and not is_self
    if message.get("is_echo") is True or is_ours:
        return "echo", _echo(context, message, mid, moment, sender, recipient)
    if not sender:
        raise ItemError("a message without a sender")
    content = _content(message, moment)
    referral = _referral(message.get("referral"))
    extra = _extras(context, message) | content.extra
    for sibling in ("prior_message", "hop_context"):
        if isinstance(raw.get(sibling), Mapping):
            extra[sibling] = raw[sibling]
    return "message", InboundMessage(
        person_id=sender,
        external_id=mid,
        sent_at=moment,
        type=content.type,
        content=content.text,
        parts=content.parts,
        reply_to=_reply_to(message),
        opens_window="message",
        extra=extra,
        referral=referral,
    )


def _echo(
    context: _Context,
    message: Mapping[str, Any],
    mid: str,
    moment: datetime,
    sender: str,
    recipient: str,
) -> Echo:
    """Our own message, reported back. Old fixtures do not swap sender and recipient."""
    person = recipient if recipient and recipient != context.account else sender
    if not person or person == context.account:
        raise ItemError("an echo without the person it went to")
    content = _content(message, moment)
    extra = _extras(context, message) | content.extra
    if app_id := read_id(message.get("app_id")):
        extra["app_id"] = app_id
    return Echo(
        person_id=person,
        external_id=mid,
        sent_at=moment,
        type=content.type,
        content=content.text,
        parts=content.parts,
        reply_to=_reply_to(message),
        reference=_text(message.get("metadata")),
        extra=extra,
    )


def _extras(context: _Context, message: Mapping[str, Any]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if context.standby:
        extra["standby"] = True
    if quick_reply := _dict(message.get("quick_reply")):
        extra["quick_reply"] = {"payload": _text(quick_reply.get("payload"))}
    if referral := _referral(message.get("referral")):
        extra["referral"] = referral
    return extra


def _reply_to(message: Mapping[str, Any]) -> str:
    mid = _dict(message.get("reply_to")).get("mid")
    return read_mid(mid) if mid else ""


def _referral(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class _Content:
    type: str
    text: str
    parts: tuple[Part, ...]
    extra: dict[str, Any]


def _content(message: Mapping[str, Any], moment: datetime) -> _Content:
    """Text, parts and the one word for what the message is."""
    text = _text(message.get("text"))
    parts = _parts(message, moment)
    extra: dict[str, Any] = {}
    story = _dict(_dict(message.get("reply_to")).get("story"))
    if story:
        extra["story"] = {
            "id": read_id(story.get("id")),
            "url": _text(story.get("url")),
            "expires_at": (moment + STORY_LIFE).isoformat(),
        }
    kinds = [part.kind for part in parts]
    if "story_mention" in kinds:
        kind = "story_mention"
    elif story:
        kind = "story_reply"
    else:
        kind = _kind_of(text, kinds)
    if message.get("is_unsupported") is True and not text and not parts:
        kind = "unsupported"
    if kind == "unsupported":
        extra["raw"] = dict(message)
    return _Content(kind, text, parts, extra)


def _kind_of(text: str, kinds: list[str]) -> str:
    """A link preview belongs to its text; any other part says what the message is."""
    telling = [kind for kind in kinds if not (text and kind == "share")]
    if telling:
        return telling[0]
    return "text" if text else "unsupported"


_PART_KINDS = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "file": "file",
    "sticker": "sticker",
    "like_heart": "sticker",
    "location": "location",
    "fallback": "share",
    "share": "share",
    "post": "share",
    "ig_post": "share",
    "reel": "share",
    "ig_reel": "share",
    "template": "template",
    "appointment_booking": "template",
    "story_mention": "story_mention",
}


def _parts(message: Mapping[str, Any], moment: datetime) -> tuple[Part, ...]:
    raw_parts = [
        part for part in _list(message.get("attachments")) if isinstance(part, Mapping)
    ]
    single = message.get("attachment")
    if not raw_parts and isinstance(single, Mapping):
        raw_parts = [single]
    if not raw_parts and read_id(message.get("sticker_id")):
        raw_parts = [
            {"type": "sticker", "payload": {"sticker_id": message["sticker_id"]}}
        ]
    parts = [_part(raw, moment) for raw in raw_parts]
    kinds = {str(raw.get("type")) for raw in raw_parts}
    if "sticker" in kinds:  # one sticker that came as both (trap 11)
        parts = [part for part in parts if part.meta_type != "image"]
    if "ig_post" in kinds:  # one post that came as both (trap 12)
        parts = [part for part in parts if part.meta_type != "share"]
    return tuple(part.part for part in parts)


@dataclass(frozen=True, slots=True)
class _NamedPart:
    meta_type: str
    part: Part


def _part(raw: Mapping[str, Any], moment: datetime) -> _NamedPart:
    """An attachment; its payload may be an object, null, text or absent."""
    meta_type = str(raw.get("type"))
    payload = _dict(raw.get("payload"))
    kind = _PART_KINDS.get(meta_type, "unsupported")
    extra: dict[str, Any] = {}
    sticker_id = read_id(payload.get("sticker_id"))
    if sticker_id:
        kind, meta_type = "sticker", "sticker"
        extra["sticker_id"] = sticker_id
    if meta_type == "like_heart":
        extra["emoji"] = "❤️"
    if coordinates := _dict(payload.get("coordinates")):
        extra["coordinates"] = {name: coordinates.get(name) for name in ("lat", "long")}
    if kind in {"template", "share", "unsupported"}:
        extra["raw"] = dict(payload)
        extra["meta_type"] = meta_type
    url = _named(raw, payload, "url") or (
        _text(raw["payload"]) if _is_link(raw) else ""
    )
    part = Part(
        kind=kind,
        url=url,
        title=_named(raw, payload, "title")[:300],
        expires_at=moment + STORY_LIFE if kind == "story_mention" else None,
        extra=extra,
    )
    return _NamedPart(meta_type, part)


def _is_link(raw: Mapping[str, Any]) -> bool:
    return isinstance(raw.get("payload"), str) and raw["payload"].startswith(
        ("https:", "http:")
    )


def _named(raw: Mapping[str, Any], payload: Mapping[str, Any], name: str) -> str:
    """`url` and `title` lie in the payload, beside it, or in capitals."""
    for holder in (payload, raw):
        for key in (name, name.upper()):
            if isinstance(holder.get(key), str | int):
                return _text(holder[key])
    return ""


def _read_edit(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    edit = raw["message_edit"]
    number = _whole(edit.get("num_edit"))
    text = edit.get("text")
    if not isinstance(text, str) or number == 0:
        # Meta sends this for new messages too; it must never blank a stored one (trap 5).
        return "ignored: not an edit", None
    return "edit", Edit(
        external_id=read_mid(edit.get("mid")),
        content=text,
        number=number or 1,
        at=context.moment(raw.get("timestamp")),
    )


def _read_reaction(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    reaction = raw["reaction"]
    withdrawn = reaction.get("action") == "unreact"
    emoji = "" if withdrawn else _emoji(reaction)
    actor = sender or recipient
    if not actor:
        raise ItemError("a reaction without a sender")
    by_person = actor != context.account
    return "reaction", ReactionChange(
        person_id=_person(context, sender, recipient),
        external_id=read_mid(reaction.get("mid")),
        actor=actor,
        emoji=emoji,
        at=context.moment(raw.get("timestamp")),
        opens_window="reaction" if by_person and not withdrawn else "",
    )


_REACTIONS = {
    "love": "❤️",
    "like": "👍",
    "dislike": "👎",
    "smile": "😆",
    "wow": "😮",
    "sad": "😢",
    "angry": "😠",
}


def _emoji(reaction: Mapping[str, Any]) -> str:
    """The character; where Meta sent its escape as text, decoded (trap 25); else by its name."""

    def decoded(found: re.Match[str]) -> str:
        number = int(found[1], 16)
        return (
            chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else ""
        )

    emoji = _ESCAPED_EMOJI.sub(decoded, _text(reaction.get("emoji"))).strip()
    return (emoji or _REACTIONS.get(_text(reaction.get("reaction")), "") or "👍")[:40]


def _read_read(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    return "read", _receipt(context, raw, raw["read"], sender, recipient, "read")


def _read_delivery(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    item = _receipt(context, raw, raw["delivery"], sender, recipient, "delivered")
    return "delivery", item


def _receipt(
    context: _Context,
    raw: Mapping[str, Any],
    receipt: Mapping[str, Any],
    sender: str,
    recipient: str,
    status: str,
) -> Receipt | None:
    """Messenger names a moment, Instagram one message (trap 23)."""
    person = _person(context, sender, recipient)
    if not person:
        raise ItemError("a receipt without a sender")
    if person != sender and sender == context.account:
        return None  # our own side read it
    mids = [read_mid(mid) for mid in _list(receipt.get("mids")) if mid]
    if receipt.get("mid"):
        mids.append(read_mid(receipt["mid"]))
    watermark = read_moment(receipt.get("watermark"))
    if watermark is None and not mids:
        raise ItemError("a receipt without a watermark or a message")
    return Receipt(
        person_id=person,
        status=status,
        watermark=watermark,
        external_ids=tuple(mids),
        at=context.moment(raw.get("timestamp"), receipt.get("watermark")),
    )


def _read_postback(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    postback = raw["postback"]
    if not sender:
        return "postback without sender", None
    moment = context.moment(raw.get("timestamp"))
    payload = _text(postback.get("payload"))
    mid = postback.get("mid")
    external_id = read_mid(mid) if mid else made_id("postback", sender, moment, payload)
    extra: dict[str, Any] = {"postback": {"payload": payload}}
    if context.standby:
        extra["standby"] = True
    referral = _referral(postback.get("referral"))
    if referral:
        extra["referral"] = referral
    return "postback", InboundMessage(
        person_id=sender,
        external_id=external_id,
        sent_at=moment,
        type="postback",
        content=_text(postback.get("title")),
        opens_window="postback",
        extra=extra,
        referral=referral,
    )


def _read_order(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    order = raw["order"]
    moment = context.moment(raw.get("timestamp"))
    if not sender:
        raise ItemError("an order without a sender")
    note = _text(order.get("note"))
    return "order", InboundMessage(
        person_id=sender,
        external_id=made_id("order", sender, moment, order),
        sent_at=moment,
        type="template",
        content=note,
        parts=(
            Part(kind="template", extra={"meta_type": "order", "raw": dict(order)}),
        ),
        opens_window="message",
    )


def _read_referral(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    referral = _referral(raw["referral"])
    # A link into the thread reopens the window; an ad does so with the first message only.
    opens = "" if referral.get("source") == "ADS" else "referral"
    details = dict(referral)
    if isinstance(raw.get("lead"), Mapping):
        details["lead"] = raw["lead"]
    act = _act(
        context,
        raw,
        sender,
        recipient,
        "referral",
        details,
        opens=opens,
        is_customers=True,
    )
    return "referral", act


def _read_optin(
    context: _Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    optin = raw["optin"]
    # The plugins open the window; agreeing to notifications does not.
    opens = "" if optin.get("type") else "optin"
    act = _act(
        context, raw, sender, recipient, "optin", optin, opens=opens, is_customers=True
    )
    return "optin", act


def _act(
    context: _Context,
    raw: Mapping[str, Any],
    sender: str,
    recipient: str,
    name: str,
    details: Any,
    *,
    opens: str = "",
    is_customers: bool = False,
) -> Act | None:
    """A line in the thread; None where it names no person (it stays in the journal)."""
    person = _person(context, sender, recipient)
    if not person or person == context.account:
        return None
    moment = context.moment(raw.get("timestamp"))
    return Act(
        person_id=person,
        external_id=made_id(name, person, moment, details),
        at=moment,
        name=name,
        details=dict(details) if isinstance(details, Mapping) else {"value": details},
        opens_window=opens,
        opens_conversation=is_customers,
        referral=dict(details)
        if name == "referral" and isinstance(details, Mapping)
        else {},
    )


_MESSAGING: dict[
    str, Callable[[_Context, Mapping[str, Any], str, str], tuple[str, Item | None]]
] = {
    "message": _read_message,
    "message_edit": _read_edit,
    "postback": _read_postback,
    "reaction": _read_reaction,
    "read": _read_read,
    "delivery": _read_delivery,
    "referral": _read_referral,
    "optin": _read_optin,
    "order": _read_order,
}

# Things that happen around a conversation: a line in it if it exists, the journal otherwise.
_QUIET_ACTS = {
    "account_linking": "account_linking",
    "policy_enforcement": "policy_enforcement",
    "policy-enforcement": "policy_enforcement",
    "pass_thread_control": "pass_thread_control",
    "take_thread_control": "take_thread_control",
    "request_thread_control": "request_thread_control",
    "app_roles": "app_roles",
    "response_feedback": "response_feedback",
    "messaging_feedback": "messaging_feedback",
    "game_play": "game_play",
    "message_request": "message_request",
}


# --- changes -----------------------------------------------------------------------------------


def _parse_change(context: _Context, change: Mapping[str, Any]) -> Parsed:
    name = _short(change.get("field"))
    value = change.get("value")
    accounts = (context.account,) if context.account else ()
    if not isinstance(value, Mapping):
        return Parsed(context.kind, (), None, f"ignored: {name} without value")
    if isinstance(value.get("sender"), Mapping) or isinstance(
        value.get("recipient"), Mapping
    ):
        return _parse_messaging(
            context, value
        )  # the dashboard sends messages as changes
    read = _CHANGES.get((context.kind, name)) or _CHANGES.get(("", name))
    if read is None:
        return Parsed(context.kind, (), None, f"ignored: {name}")
    label, item = read(context, value)
    return Parsed(context.kind, accounts if item else (), item, label)


def _read_instagram_comment(
    context: _Context, value: Mapping[str, Any]
) -> tuple[str, Item | None]:
    author = _dict(value.get("from"))
    author_id = read_id(author.get("id"))
    if author.get("self_ig_scoped_id") or (author_id and author_id == context.account):
        return "ignored: own comment", None
    comment_id = read_mid(value.get("id") or value.get("comment_id"))
    media = _dict(value.get("media"))
    return "comment", InboundMessage(
        person_id=author_id or f"comment:{comment_id}",
        username=_text(author.get("username"))[:100],
        external_id=comment_id,
        # Meta tells no time of a comment; the notification's is the nearest (trap 2).
        sent_at=context.moment(),
        type="comment",
        content=_text(value.get("text")),
        extra={
            "comment": {
                "post_id": read_id(media.get("id")),
                "permalink": None,
                "parent_id": read_id(value.get("parent_id")) or None,
                "media": dict(media),
            }
        },
    )


def _read_instagram_mention(
    context: _Context, value: Mapping[str, Any]
) -> tuple[str, Item | None]:
    """Only ids: who wrote what is fetched later."""
    media_id = read_id(value.get("media_id"))
    comment_id = read_id(value.get("comment_id"))
    external_id = comment_id or f"mention:{media_id}"
    return "mention", InboundMessage(
        person_id=f"comment:{external_id}",
        external_id=read_mid(external_id),
        sent_at=context.moment(),
        type="comment",
        content="",
        extra={
            "comment": {"post_id": media_id, "permalink": None, "parent_id": None},
            "mention": True,
        },
    )


def _read_feed(context: _Context, value: Mapping[str, Any]) -> tuple[str, Item | None]:
    item, verb = _text(value.get("item")), _text(value.get("verb"))
    if item == "comment":
        return _read_feed_comment(context, value, verb)
    if item in {"post", "status", "photo", "video"}:
        return _read_feed_post(context, value, verb)
    return f"ignored: feed {_short(item)}", None


def _feed_author(value: Mapping[str, Any]) -> tuple[str, str]:
    """(id, name); before 2018 as sender_id and sender_name, without the permission not at all."""
    author = _dict(value.get("from"))
    author_id = read_id(author.get("id")) or read_id(value.get("sender_id"))
    return author_id, _text(author.get("name") or value.get("sender_name"))[:200]


def _read_feed_comment(
    context: _Context, value: Mapping[str, Any], verb: str
) -> tuple[str, Item | None]:
    comment_id = read_mid(value.get("comment_id"))
    if verb in {"remove", "delete"}:
        return "comment removed", Unsend(external_id=comment_id, at=context.moment())
    if verb in {"edit", "edited"}:
        text = value.get("message")
        edit = (
            Edit(comment_id, _text(text), number=1, at=context.moment())
            if text
            else None
        )
        return "comment edited", edit
    author_id, name = _feed_author(value)
    is_ours = bool(author_id) and author_id == context.account
    comment = None if is_ours else _comment(context, value, author_id, name, comment_id)
    if verb in {"hide", "unhide"}:
        return f"comment {verb}", Hide(
            comment_id, hidden=verb == "hide", comment=comment
        )
    return ("comment", comment) if comment else ("ignored: own comment", None)


def _comment(
    context: _Context,
    value: Mapping[str, Any],
    author_id: str,
    name: str,
    external_id: str,
) -> InboundMessage:
    """A comment, a mention or a visitor's post: all three are comments in the inbox."""
    post = _dict(value.get("post"))
    post_id = read_id(value.get("post_id"))
    parent_id = read_id(value.get("parent_id"))
    return InboundMessage(
        person_id=author_id or f"comment:{external_id}",
        name=name,
        external_id=external_id,
        sent_at=context.moment(value.get("created_time")),
        type="comment",
        content=_text(value.get("message")),
        parts=_comment_parts(value),
        extra={
            "comment": {
                "post_id": post_id,
                "permalink": _text(post.get("permalink_url")) or None,
                "parent_id": parent_id if parent_id and parent_id != post_id else None,
            }
        },
    )


def _comment_parts(value: Mapping[str, Any]) -> tuple[Part, ...]:
    """`photo` and `video` of a comment; the `link` of a photo or video that a visitor posted."""
    item, link = _text(value.get("item")), _text(value.get("link"))
    urls = {"image": _text(value.get("photo")), "video": _text(value.get("video"))}
    if item in {"photo", "video"} and link:
        urls["image" if item == "photo" else "video"] = link
    return tuple(Part(kind=kind, url=url) for kind, url in urls.items() if url)


def _read_feed_post(
    context: _Context, value: Mapping[str, Any], verb: str
) -> tuple[str, Item | None]:
    """A visitor's post opens a thread like a comment; our own posts are not messages."""
    author_id, name = _feed_author(value)
    if not author_id or author_id == context.account:
        return "ignored: own post", None
    post_id = read_mid(value.get("post_id"))
    if verb in {"edit", "edited"}:
        text = value.get("message")
        edit = (
            Edit(post_id, _text(text), number=1, at=context.moment()) if text else None
        )
        return "post edited", edit
    if verb in {"remove", "delete"}:
        return "post removed", Unsend(external_id=post_id, at=context.moment())
    if verb != "add":
        return f"ignored: post {_short(verb)}", None
    post = _comment(context, value, author_id, name, post_id)
    post.extra["comment"]["is_post"] = True
    return "visitor post", post


def _read_page_mention(
    context: _Context, value: Mapping[str, Any]
) -> tuple[str, Item | None]:
    if _text(value.get("verb")) not in {"add", ""}:
        return "ignored: mention change", None
    external_id = read_mid(value.get("comment_id") or value.get("post_id"))
    author_id, name = _feed_author(value)
    if author_id and author_id == context.account:
        return "ignored: own comment", None
    comment = _comment(context, value, author_id, name, external_id)
    comment.extra["mention"] = True
    return "mention", comment


_CHANGES: dict[
    tuple[str, str], Callable[[_Context, Mapping[str, Any]], tuple[str, Item | None]]
] = {
    ("instagram", "comments"): _read_instagram_comment,
    ("instagram", "live_comments"): _read_instagram_comment,
    ("instagram", "mentions"): _read_instagram_mention,
    ("messenger", "feed"): _read_feed,
    ("messenger", "mention"): _read_page_mention,
}


# --- values ------------------------------------------------------------------------------------


def read_id(value: Any) -> str:
    """Ids are opaque text, also where they come as numbers; "" for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    if len(text) > MAX_ID_CHARACTERS:
        raise ItemError(f"an id of {len(text)} characters")
    return text


def read_mid(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ItemError("no message id")
    text = str(value)
    if len(text) > MAX_MID_CHARACTERS:
        raise ItemError(f"a message id of {len(text)} characters")
    return text


def made_id(name: str, person: str, moment: datetime, details: Any) -> str:
    """A stable id for what Meta gives none: kind, person, time and content."""
    content = json.dumps(details, sort_keys=True, default=str).encode()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return f"dx-{name}:{person}:{int(moment.timestamp() * 1000)}:{digest}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return (
        str(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else ""
    )


def _short(value: Any) -> str:
    return str(value)[:40]


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
