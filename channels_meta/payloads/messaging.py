"""`messaging[]` and `standby[]`: messages, echoes, and what happens around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from channels_meta.payloads.reading import Context, Parsed
from channels_meta.payloads.values import (
    ItemError,
    as_dict,
    as_list,
    made_id,
    read_id,
    read_mid,
    read_moment,
    read_text,
    read_whole,
    shorten,
)
from inbox.inbound import (
    Act,
    Echo,
    Edit,
    InboundMessage,
    Item,
    Part,
    ReactionChange,
    Receipt,
    Unsend,
)

STORY_LIFE = timedelta(hours=24)

_ESCAPED_EMOJI = re.compile(r"\\u\{([0-9a-fA-F]{1,6})\}")


def parse_messaging(context: Context, raw: Mapping[str, Any]) -> Parsed:
    sender = read_id(as_dict(raw.get("sender")).get("id"))
    recipient = read_id(as_dict(raw.get("recipient")).get("id"))
    accounts = tuple(
        dict.fromkeys(i for i in (context.account, recipient, sender) if i)
    )
    label, item = _read_messaging(context, raw, sender, recipient)
    return Parsed(context.kind, accounts, item, label)


def _read_messaging(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    for key, read in _MESSAGING.items():
        if isinstance(raw.get(key), Mapping):
            return read(context, raw, sender, recipient)
    for key, label in _QUIET_ACTS.items():
        if key in raw:
            return label, _act(context, raw, sender, recipient, label, raw.get(key))
    known = {"sender", "recipient", "timestamp"}
    other = next((key for key in raw if key not in known), "nothing")
    return shorten(other), _act(
        context, raw, sender, recipient, shorten(other), dict(raw)
    )


def _person(context: Context, sender: str, recipient: str) -> str:
    """The customer: whichever side is not our account."""
    if sender and sender != context.account:
        return sender
    return recipient if recipient != context.account else sender


def _read_message(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
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
    context: Context,
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
        reference=read_text(message.get("metadata")),
        extra=extra,
    )


def _extras(context: Context, message: Mapping[str, Any]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if context.standby:
        extra["standby"] = True
    if quick_reply := as_dict(message.get("quick_reply")):
        extra["quick_reply"] = {"payload": read_text(quick_reply.get("payload"))}
    if referral := _referral(message.get("referral")):
        extra["referral"] = referral
    return extra


def _reply_to(message: Mapping[str, Any]) -> str:
    mid = as_dict(message.get("reply_to")).get("mid")
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
    text = read_text(message.get("text"))
    parts = _parts(message, moment)
    extra: dict[str, Any] = {}
    story = as_dict(as_dict(message.get("reply_to")).get("story"))
    if story:
        extra["story"] = {
            "id": read_id(story.get("id")),
            "url": read_text(story.get("url")),
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
        part
        for part in as_list(message.get("attachments"))
        if isinstance(part, Mapping)
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
    payload = as_dict(raw.get("payload"))
    kind = _PART_KINDS.get(meta_type, "unsupported")
    extra: dict[str, Any] = {}
    sticker_id = read_id(payload.get("sticker_id"))
    if sticker_id:
        kind, meta_type = "sticker", "sticker"
        extra["sticker_id"] = sticker_id
    if meta_type == "like_heart":
        extra["emoji"] = "❤️"
    if coordinates := as_dict(payload.get("coordinates")):
        extra["coordinates"] = {name: coordinates.get(name) for name in ("lat", "long")}
    if kind in {"template", "share", "unsupported"}:
        extra["raw"] = dict(payload)
        extra["meta_type"] = meta_type
    url = _named(raw, payload, "url") or (
        read_text(raw["payload"]) if _is_link(raw) else ""
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
                return read_text(holder[key])
    return ""


def _read_edit(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    edit = raw["message_edit"]
    number = read_whole(edit.get("num_edit"))
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
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
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

    emoji = _ESCAPED_EMOJI.sub(decoded, read_text(reaction.get("emoji"))).strip()
    return (emoji or _REACTIONS.get(read_text(reaction.get("reaction")), "") or "👍")[
        :40
    ]


def _read_read(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    return "read", _receipt(context, raw, raw["read"], sender, recipient, "read")


def _read_delivery(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    item = _receipt(context, raw, raw["delivery"], sender, recipient, "delivered")
    return "delivery", item


def _receipt(
    context: Context,
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
    mids = [read_mid(mid) for mid in as_list(receipt.get("mids")) if mid]
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
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    postback = raw["postback"]
    if not sender:
        return "postback without sender", None
    moment = context.moment(raw.get("timestamp"))
    payload = read_text(postback.get("payload"))
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
        content=read_text(postback.get("title")),
        opens_window="postback",
        extra=extra,
        referral=referral,
    )


def _read_order(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    order = raw["order"]
    moment = context.moment(raw.get("timestamp"))
    if not sender:
        raise ItemError("an order without a sender")
    note = read_text(order.get("note"))
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
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
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
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> tuple[str, Item | None]:
    optin = raw["optin"]
    # The plugins open the window; agreeing to notifications does not.
    opens = "" if optin.get("type") else "optin"
    act = _act(
        context, raw, sender, recipient, "optin", optin, opens=opens, is_customers=True
    )
    return "optin", act


def _act(
    context: Context,
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
    str, Callable[[Context, Mapping[str, Any], str, str], tuple[str, Item | None]]
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
