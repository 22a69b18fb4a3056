"""What Meta tells Dexra of messages, in Meta's own shapes (contract of `messaging` items)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from channels_meta.sandbox.login.tokens import facebook_app
from channels_meta.sandbox.models import SandboxAccount, SandboxMessage, SandboxPerson

# How Instagram's message ids begin; the rest looks like noise.
INSTAGRAM_MID = "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEO"
# What echoes of replies written in Meta's own inboxes carry.
PAGE_INBOX_APP_ID = 263902037430900
INSTAGRAM_INBOX_APP_ID = 1217981644879628
_EMOJI_NAMES = {"❤️": "love", "👍": "like", "👎": "dislike", "😆": "smile", "😮": "wow", "😢": "sad", "😠": "angry"}  # fmt: skip

Data = dict[str, Any]


def is_instagram(account: SandboxAccount) -> bool:
    return account.is_instagram


def make_mid(account: SandboxAccount) -> str:
    """A new message id in the shape of this account's kind."""
    if account.is_instagram:
        return INSTAGRAM_MID + secrets.token_urlsafe(96)
    return "m_" + secrets.token_urlsafe(64)


def make_comment_id(account: SandboxAccount, post_id: str) -> str:
    """`17...` on Instagram, `{post}_{comment}` on a Page."""
    number = secrets.randbelow(9 * 10**14) + 10**14
    if account.is_instagram:
        return f"17{number}"
    return f"{post_id.split('_')[-1]}_{number}"


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def media_of(message: SandboxMessage) -> tuple[str, str] | None:
    return (message.kind, message.media_url) if message.media_url else None


# --- messages --------------------------------------------------------------------------------------


def build_message(
    person: SandboxPerson,
    *,
    mid: str,
    at: datetime,
    text: str = "",
    media: tuple[str, str] | None = None,
    reply_to: str = "",
    story_url: str = "",
    attachments: Sequence[Data] = (),
    quick_reply: str = "",
    referral: Data | None = None,
    is_unsupported: bool = False,
) -> Data:
    """The person wrote. media: (kind, address), kind as Meta names it, also "story_mention".

    attachments: as Meta has them, beside media. quick_reply: the payload of the one tapped.
    """
    message: Data = {"mid": mid}
    if text:
        message["text"] = text
    listed = [*attachments]
    if media:
        kind, url = media
        listed.append({"type": kind, "payload": {"url": url}})
    if listed:
        message["attachments"] = listed
    if quick_reply:
        message["quick_reply"] = {"payload": quick_reply}
    if reply_to:
        message["reply_to"] = {"mid": reply_to, "is_self_reply": False}
    if story_url:
        message["reply_to"] = {"story": {"id": _story_id(mid), "url": story_url}}
    if referral:
        message["referral"] = referral
    if is_unsupported:
        message["is_unsupported"] = True
    return from_person(person, at, message=message)


def build_echo(
    person: SandboxPerson,
    *,
    mid: str,
    at: datetime,
    text: str = "",
    media: tuple[str, str] | None = None,
    reply_to: str = "",
    metadata: str = "",
    attachments: Sequence[Data] = (),
    app_id: int | None = None,
) -> Data:
    """The account wrote. Only Messenger names the app and returns its mark.

    app_id: of Meta's own inbox, for what was written there; ours if not said.
    """
    body = build_message(
        person,
        mid=mid,
        at=at,
        text=text,
        media=media,
        reply_to=reply_to,
        attachments=attachments,
    )
    item = body["entry"][0]["messaging"][0]
    item["sender"], item["recipient"] = item["recipient"], item["sender"]
    item["message"]["is_echo"] = True
    if not person.account.is_instagram:
        item["message"]["app_id"] = app_id or int(facebook_app().id)
        if metadata:
            item["message"]["metadata"] = metadata
    elif app_id:
        item["message"]["app_id"] = app_id
    return body


def build_edit(
    person: SandboxPerson, *, mid: str, at: datetime, text: str, number: int
) -> Data:
    edit = {"mid": mid, "text": text, "num_edit": number}
    return from_person(person, at, message_edit=edit)


def build_false_edit(account: SandboxAccount, *, mid: str, at: datetime) -> Data:
    """`num_edit: 0` for a new message: no words, and nobody who sent it."""
    item = {"timestamp": milliseconds(at), "message_edit": {"mid": mid, "num_edit": 0}}
    return body_of(account, time=milliseconds(at), messaging=[item])


def build_unsend(person: SandboxPerson, *, mid: str, at: datetime) -> Data:
    return from_person(person, at, message={"mid": mid, "is_deleted": True})


def build_reaction(
    person: SandboxPerson, *, mid: str, at: datetime, emoji: str
) -> Data:
    """emoji: "" takes the reaction back, and is then left out."""
    reaction: Data = {"mid": mid, "action": "react" if emoji else "unreact"}
    if emoji:
        reaction |= {"reaction": _EMOJI_NAMES.get(emoji, "other"), "emoji": emoji}
    return from_person(person, at, reaction=reaction)


def build_read(person: SandboxPerson, *, mid: str, at: datetime) -> Data:
    """Instagram names the newest message that was read, Messenger a moment."""
    read = (
        {"mid": mid} if person.account.is_instagram else {"watermark": milliseconds(at)}
    )
    return from_person(person, at, read=read)


def build_delivery(person: SandboxPerson, *, mids: Sequence[str], at: datetime) -> Data:
    """Messenger only: Instagram reports no delivery."""
    delivery = {"mids": list(mids), "watermark": milliseconds(at)}
    return from_person(person, at, delivery=delivery)


def build_postback(
    person: SandboxPerson,
    *,
    mid: str,
    at: datetime,
    title: str,
    payload: str,
    referral: Data | None = None,
) -> Data:
    postback: Data = {"mid": mid, "title": title, "payload": payload}
    if referral:
        postback["referral"] = referral
    return from_person(person, at, postback=postback)


def build_referral(person: SandboxPerson, *, at: datetime, referral: Data) -> Data:
    """They came into a thread that there was."""
    return from_person(person, at, referral=referral)


def build_optin(person: SandboxPerson, *, at: datetime, ref: str) -> Data:
    return from_person(person, at, optin={"ref": ref, "type": "send_to_messenger"})


def build_account_linking(
    person: SandboxPerson, *, at: datetime, is_linked: bool
) -> Data:
    linking = {"status": "linked" if is_linked else "unlinked"}
    if is_linked:
        linking["authorization_code"] = secrets.token_hex(8)
    return from_person(person, at, account_linking=linking)


def build_feedback(person: SandboxPerson, *, mid: str, at: datetime) -> Data:
    feedback = {"feedback": "Good response", "mid": mid}
    return from_person(person, at, response_feedback=feedback)


def build_policy_notice(account: SandboxAccount, *, action: str, at: datetime) -> Data:
    """action: warning, block or unblock. Nobody sent it."""
    item = {
        "recipient": {"id": account.external_id},
        "timestamp": milliseconds(at),
        "policy_enforcement": {
            "action": action,
            "reason": "Sends messages that people report as unwanted.",
        },
    }
    return body_of(account, time=milliseconds(at), messaging=[item])


def build_routing(
    person: SandboxPerson, *, at: datetime, kind: str, content: Data
) -> Data:
    """kind: pass_thread_control, take_thread_control or request_thread_control."""
    return from_person(person, at, **{kind: content})


# --- what all of them share ------------------------------------------------------------------------


def from_person(person: SandboxPerson, at: datetime, **content: Data) -> Data:
    item = {
        "sender": {"id": person.external_id},
        "recipient": {"id": person.account.external_id},
        "timestamp": milliseconds(at),
        **content,
    }
    return body_of(person.account, time=milliseconds(at), messaging=[item])


def body_of(account: SandboxAccount, *, time: int, **content: Any) -> Data:
    entry = {"id": account.external_id, "time": time, **content}
    return {"object": object_of(account), "entry": [entry]}


def object_of(account: SandboxAccount) -> str:
    return "instagram" if account.is_instagram else "page"


def items_of(data: Mapping[str, Any]) -> list[Data]:
    """All items of all entries that are about messages."""
    return [
        item
        for entry in data["entry"]
        for name in ("messaging", "standby")
        for item in entry.get(name, ())
    ]


def _story_id(mid: str) -> str:
    """A stable number for the story that a message answers."""
    return f"1804{int.from_bytes(mid[-6:].encode()):015d}"
