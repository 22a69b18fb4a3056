"""What Meta tells Dexra, in Meta's own shapes; signed and posted over real HTTP."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import requests
from django.conf import settings
from django.utils.timezone import now

from channels_meta.sandbox.models import SandboxCall, SandboxMessage, SandboxPerson
from inbox.models import Channel

logger = logging.getLogger(__name__)

# Meta waits this long (seconds) for the answer.
TIMEOUT = 5
# How Instagram's message ids begin; the rest looks like noise.
INSTAGRAM_MID = "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEO"
# The app that Messenger names in echoes where no real one is configured.
PRETEND_APP_ID = "1055599001"
_EMOJI_NAMES = {"❤️": "love", "👍": "like", "👎": "dislike", "😆": "smile", "😮": "wow", "😢": "sad", "😠": "angry"}  # fmt: skip

Data = dict[str, Any]


def is_instagram(channel: Channel) -> bool:
    return channel.kind == "instagram"


def make_mid(channel: Channel) -> str:
    """A new message id in the shape of this channel's."""
    if is_instagram(channel):
        return INSTAGRAM_MID + secrets.token_urlsafe(96)
    return "m_" + secrets.token_urlsafe(64)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


# --- bodies --------------------------------------------------------------------------------------


def build_message(
    person: SandboxPerson,
    *,
    mid: str,
    at: datetime,
    text: str = "",
    media: tuple[str, str] | None = None,
    reply_to: str = "",
    story_url: str = "",
) -> Data:
    """The person wrote. media: (kind, address), kind as Meta names it, also "story_mention"."""
    message: Data = {"mid": mid}
    if text:
        message["text"] = text
    if media:
        kind, url = media
        message["attachments"] = [{"type": kind, "payload": {"url": url}}]
    if reply_to:
        message["reply_to"] = {"mid": reply_to, "is_self_reply": False}
    if story_url:
        message["reply_to"] = {"story": {"id": _story_id(mid), "url": story_url}}
    return _from_person(person, at, message=message)


def build_echo(
    person: SandboxPerson,
    *,
    mid: str,
    at: datetime,
    text: str = "",
    media: tuple[str, str] | None = None,
    reply_to: str = "",
    metadata: str = "",
) -> Data:
    """The account wrote. Only Messenger names the app and returns its mark."""
    body = build_message(
        person, mid=mid, at=at, text=text, media=media, reply_to=reply_to
    )
    item = body["entry"][0]["messaging"][0]
    item["sender"], item["recipient"] = item["recipient"], item["sender"]
    item["message"]["is_echo"] = True
    if not is_instagram(person.channel):
        item["message"]["app_id"] = int(settings.META_APP_ID or PRETEND_APP_ID)
        if metadata:
            item["message"]["metadata"] = metadata
    return body


def build_unsend(person: SandboxPerson, *, mid: str, at: datetime) -> Data:
    return _from_person(person, at, message={"mid": mid, "is_deleted": True})


def build_reaction(
    person: SandboxPerson, *, mid: str, at: datetime, emoji: str
) -> Data:
    """emoji: "" takes the reaction back, and is then left out."""
    reaction: Data = {"mid": mid, "action": "react" if emoji else "unreact"}
    if emoji:
        reaction |= {"reaction": _EMOJI_NAMES.get(emoji, "other"), "emoji": emoji}
    return _from_person(person, at, reaction=reaction)


def build_read(person: SandboxPerson, *, mid: str, at: datetime) -> Data:
    """Instagram names the newest message that was read, Messenger a moment."""
    read = (
        {"mid": mid}
        if is_instagram(person.channel)
        else {"watermark": milliseconds(at)}
    )
    return _from_person(person, at, read=read)


def build_delivery(person: SandboxPerson, *, mids: Sequence[str], at: datetime) -> Data:
    """Messenger only: Instagram reports no delivery."""
    delivery = {"mids": list(mids), "watermark": milliseconds(at)}
    return _from_person(person, at, delivery=delivery)


def build_postback(
    person: SandboxPerson, *, mid: str, at: datetime, title: str, payload: str
) -> Data:
    postback = {"mid": mid, "title": title, "payload": payload}
    return _from_person(person, at, postback=postback)


def build_comment(
    person: SandboxPerson, *, comment_id: str, post_id: str, at: datetime, text: str
) -> Data:
    if is_instagram(person.channel):
        field = "comments"
        value = _instagram_comment(person, comment_id, post_id, text)
    else:
        field = "feed"
        value = _page_comment(person, comment_id, post_id, text, at)
    # Changes count in seconds, messages in milliseconds.
    changes = [{"field": field, "value": value}]
    return _body(person.channel, time=int(at.timestamp()), changes=changes)


def _instagram_comment(
    person: SandboxPerson, comment_id: str, post_id: str, text: str
) -> Data:
    return {
        "id": comment_id,
        "text": text,
        "from": {"id": person.external_id, "username": person.username},
        "media": {"id": post_id, "media_product_type": "FEED"},
    }


def _page_comment(
    person: SandboxPerson, comment_id: str, post_id: str, text: str, at: datetime
) -> Data:
    return {
        "item": "comment",
        "verb": "add",
        "post_id": post_id,
        "comment_id": comment_id,
        "parent_id": post_id,
        "from": {"id": person.external_id, "name": person.name},
        "created_time": int(at.timestamp()),
        "message": text,
        "post": {
            "id": post_id,
            "permalink_url": f"https://www.facebook.com/{post_id}",
            "status_type": "added_photos",
            "is_published": True,
            "promotion_status": "inactive",
        },
    }


def _from_person(person: SandboxPerson, at: datetime, **content: Data) -> Data:
    account = person.channel.external_id
    item = {
        "sender": {"id": person.external_id},
        "recipient": {"id": account},
        "timestamp": milliseconds(at),
        **content,
    }
    return _body(person.channel, time=milliseconds(at), messaging=[item])


def _body(channel: Channel, *, time: int, **content: Any) -> Data:
    entry = {"id": channel.external_id, "time": time, **content}
    return {
        "object": "instagram" if is_instagram(channel) else "page",
        "entry": [entry],
    }


def _story_id(mid: str) -> str:
    """A stable number for the story that a message answers."""
    return f"1804{int.from_bytes(mid[-6:].encode()):015d}"


# --- the wire ------------------------------------------------------------------------------------


def encode(data: Mapping[str, Any]) -> bytes:
    r"""JSON as Meta writes it: ASCII, \u with lower-case digits, every / as \/."""
    return json.dumps(data, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def sign(channel: Channel, body: bytes) -> dict[str, str]:
    """Both of Meta's signature headers over these exact bytes."""
    secret = _secret(channel)
    return {
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, "sha256").hexdigest(),
        "X-Hub-Signature": "sha1=" + hmac.new(secret, body, "sha1").hexdigest(),
    }


def _secret(channel: Channel) -> bytes:
    own = settings.META_INSTAGRAM_APP_SECRET if is_instagram(channel) else []
    # Without any secret the product refuses what we sign, as it would refuse Meta.
    return str(next(iter((*own, *settings.META_APP_SECRET)), "")).encode()


def post(channel: Channel, data: Mapping[str, Any]) -> int:
    """POST one body to Dexra's own address. Returns the HTTP status, 0 where none came."""
    body = encode(data)
    headers = {"Content-Type": "application/json", **sign(channel, body)}
    url = f"http://127.0.0.1:{settings.PORT}/meta/webhook"
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.post(
                url, data=body, headers=headers, timeout=TIMEOUT
            ).status_code
    except requests.RequestException as error:
        logger.warning("sandbox.not_posted error=%s", type(error).__name__)
        return 0


def tell(
    person: SandboxPerson, kind: SandboxCall.Kind, data: Data, *, summary: str = ""
) -> int:
    """Post what happened, and write down that Dexra was told. Returns the HTTP status."""
    at = now()
    status = post(person.channel, data)
    SandboxCall.objects.create(
        channel=person.channel,
        person=person,
        at=at,
        kind=kind,
        summary=summary,
        payload=data,
        status=status,
    )
    return status


def media_of(message: SandboxMessage) -> tuple[str, str] | None:
    return (message.kind, message.media_url) if message.media_url else None
