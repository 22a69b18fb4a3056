"""`messaging[]` and `standby[]`: messages, echoes, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from channels_meta.assumptions import assume
from channels_meta.payloads.acts import (
    QUIET,
    Read,
    ad_window,
    holder_by_channel,
    holder_by_echo,
    parse_optin,
    parse_policy,
    parse_referral,
    parse_unknown,
    person_of,
    read_referral,
)
from channels_meta.payloads.apps import holder_of
from channels_meta.payloads.parts import STORY_LIFE, read_parts
from channels_meta.payloads.reading import Context, Parsed
from channels_meta.payloads.templates import TEMPLATE_FIELDS, parse_template_change
from channels_meta.payloads.values import (
    ItemError,
    as_dict,
    as_list,
    is_true,
    made_id,
    read_id,
    read_mid,
    read_moment,
    read_quoted,
    read_text,
    read_whole,
)
from inbox.inbound import (
    Echo,
    Edit,
    InboundMessage,
    Part,
    ReactionChange,
    Receipt,
    Unsend,
)

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
) -> Read:
    for key, read in _MESSAGING.items():
        if isinstance(raw.get(key), Mapping):
            return read(context, raw, sender, recipient)
    for key, read_quiet in QUIET.items():
        if key in raw:
            return read_quiet(context, raw, sender, recipient, key)
    for key in TEMPLATE_FIELDS:
        if isinstance(raw.get(key), Mapping):
            return parse_template_change(raw[key])
    return parse_unknown(context, raw, sender, recipient)


def _read_message(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> Read:
    message = raw["message"]
    mid = read_mid(message.get("mid"))
    moment = context.moment(raw.get("timestamp"))
    if is_true(message.get("is_deleted")):
        return "unsend", Unsend(external_id=mid, at=moment)
    is_self = is_true(message.get("is_self")) or is_true(raw.get("is_self"))
    is_ours = bool(sender) and sender == context.account and not is_self
    if is_true(message.get("is_echo")) or is_ours:
        return "echo", _echo(context, message, mid, moment, sender, recipient)
    if not sender:
        raise ItemError("a message without a sender")
    content = _content(context, message, moment)
    referral = read_referral(message.get("referral"))
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
        opens_window=_opened_by(content.type),
        extra=extra,
        referral=referral,
        probable_window=ad_window(referral),
        holder=holder_by_channel(context),
    )


def _opened_by(kind: str) -> str:
    if kind == "story_mention" and not assume("STORY_MENTION_OPENS_WINDOW"):
        return ""
    return "message"


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
    content = _content(context, message, moment)
    extra = _extras(context, message) | content.extra
    app_id = read_id(message.get("app_id"))
    if app_id:
        extra["app_id"] = app_id
        extra["app"] = holder_of(app_id)
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
        holder=holder_by_echo(context, app_id),
    )


def _extras(context: Context, message: Mapping[str, Any]) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if context.standby:
        extra["standby"] = True
    if quick_reply := as_dict(message.get("quick_reply")):
        extra["quick_reply"] = {"payload": read_text(quick_reply.get("payload"))}
    if referral := read_referral(message.get("referral")):
        extra["referral"] = referral
    return extra


def _reply_to(message: Mapping[str, Any]) -> str:
    return read_quoted(as_dict(message.get("reply_to")).get("mid"))


@dataclass(frozen=True, slots=True)
class _Content:
    type: str
    text: str
    parts: tuple[Part, ...]
    extra: dict[str, Any]


def _content(
    context: Context, message: Mapping[str, Any], moment: datetime
) -> _Content:
    """Text, parts and the one word for what the message is."""
    text = read_text(message.get("text"))
    parts = read_parts(message, kind=context.kind, moment=moment)
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
    if is_true(message.get("is_unsupported")) and not text and not parts:
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


def _read_edit(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> Read:
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
) -> Read:
    reaction = raw["reaction"]
    withdrawn = reaction.get("action") == "unreact"
    emoji = "" if withdrawn else _emoji(reaction)
    actor = sender or recipient
    if not actor:
        raise ItemError("a reaction without a sender")
    opens = actor != context.account and not withdrawn
    return "reaction", ReactionChange(
        person_id=person_of(context, sender, recipient),
        external_id=read_mid(reaction.get("mid")),
        actor=actor,
        emoji=emoji,
        at=context.moment(raw.get("timestamp")),
        opens_window="reaction" if opens and context.kind != "instagram" else "",
        probable_window=_REACTION_WINDOW
        if opens and context.kind == "instagram" and assume(_REACTION_OPENS)
        else None,
    )


# On Instagram a reaction is one list's word only: tried, and learned from the answer.
_REACTION_OPENS = "REACTION_OPENS_INSTAGRAM_WINDOW"
_REACTION_WINDOW = timedelta(hours=24)
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
) -> Read:
    return "read", _receipt(context, raw, raw["read"], sender, recipient, "read")


def _read_delivery(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> Read:
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
    person = person_of(context, sender, recipient)
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
) -> Read:
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
    referral = read_referral(postback.get("referral"))
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
        probable_window=ad_window(referral),
        holder=holder_by_channel(context),
    )


def _read_order(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> Read:
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
            Part(
                kind="template",
                extra={"what": "order", "meta_type": "order", "raw": dict(order)},
            ),
        ),
        opens_window="message",
    )


_MESSAGING: dict[str, Callable[[Context, Mapping[str, Any], str, str], Read]] = {
    "message": _read_message,
    "message_edit": _read_edit,
    "postback": _read_postback,
    "reaction": _read_reaction,
    "read": _read_read,
    "delivery": _read_delivery,
    "referral": parse_referral,
    "optin": parse_optin,
    "order": _read_order,
    "policy_enforcement": parse_policy,
    "policy-enforcement": parse_policy,
}
