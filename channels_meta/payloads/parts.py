"""What hangs on a message: files, cards, places, shared posts, and what nobody foresaw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from channels_meta.payloads.values import (
    as_dict,
    as_list,
    read_id,
    read_moment,
    read_text,
    shorten,
)
from inbox.inbound import Part

STORY_LIFE = timedelta(hours=24)
# Where an address without a host leads (`ig_reel` has them).
SITES = {
    "instagram": "https://www.instagram.com/",
    "messenger": "https://www.facebook.com/",
}
# The thumb that Messenger's Like button sends, in its three sizes.
LIKES = {"369239263222822", "369239343222814", "369239383222810"}

KINDS = {
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
# Listed by Meta without a shape: a link where one came along, else a placeholder.
_SHAPELESS = {"story", "ig_story", "media"}
_EXPIRING = {"story", "ig_story", "story_mention"}
# The address of these is a picture; a reel's leads to a page (trap 4).
_PICTURED = {"ig_post", "post"}
# What a part is, in words that any channel could use, where its kind says too little.
_WHAT = {
    "fallback": "link",
    "share": "post",
    "post": "post",
    "ig_post": "post",
    "reel": "reel",
    "ig_reel": "reel",
    "story": "story",
    "ig_story": "story",
    "appointment_booking": "appointment",
    "ephemeral": "view_once",
}
_SHARED_IDS = ("ig_post_media_id", "id", "reel_video_id")


def read_parts(
    message: Mapping[str, Any], *, kind: str, moment: datetime
) -> tuple[Part, ...]:
    """kind: the channel's. moment: the message's."""
    return tuple(
        _part(raw, kind=kind, moment=moment)
        for raw in _one_of_each(_attachments(message))
    )


def _attachments(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Wherever they lie; a sticker named by the message alone is one too."""
    found = [
        part
        for part in as_list(message.get("attachments"))
        if isinstance(part, Mapping)
    ]
    single = message.get("attachment")
    if not found and isinstance(single, Mapping):
        found = [single]
    sticker_id = read_id(message.get("sticker_id"))
    if sticker_id and [raw.get("type") for raw in found] in ([], ["image"]):
        payload = as_dict(found[0].get("payload")) if found else {}
        return [{"type": "sticker", "payload": {**payload, "sticker_id": sticker_id}}]
    return found


def _one_of_each(found: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What came in its old and its new form is one thing."""
    types = {raw.get("type") for raw in found if isinstance(raw.get("type"), str)}
    old = set()
    if "sticker" in types:  # trap 11
        old.add("image")
    if types & {"ig_post", "ig_reel"}:  # trap 12
        old.add("share")
    return [raw for raw in found if str(raw.get("type")) not in old]


def _part(raw: Mapping[str, Any], *, kind: str, moment: datetime) -> Part:
    """Its payload may be an object, null, text or absent."""
    meta_type = shorten(raw.get("type"))
    payload = as_dict(raw.get("payload"))
    sticker_id = read_id(payload.get("sticker_id"))
    if sticker_id:
        meta_type = "sticker"
    url = _url(raw, payload, kind)
    part_kind = KINDS.get(meta_type, "unsupported")
    if meta_type in _SHAPELESS and url:
        part_kind = "share"
    return Part(
        kind=part_kind,
        url=url,
        title=_named(raw, payload, "title")[:300],
        expires_at=moment + STORY_LIFE if meta_type in _EXPIRING else None,
        extra=_facts(part_kind, meta_type, payload, url=url),
    )


def _facts(
    kind: str, meta_type: str, payload: Mapping[str, Any], *, url: str
) -> dict[str, Any]:
    """What a page needs to draw the part; the payload itself where its shape is not ours."""
    facts: dict[str, Any] = {}
    if meta_type in _WHAT:
        facts["what"] = _WHAT[meta_type]
    sticker_id = read_id(payload.get("sticker_id"))
    if sticker_id:
        facts["sticker_id"] = sticker_id
    if meta_type == "like_heart":
        facts["emoji"] = "❤️"
    elif sticker_id in LIKES:
        facts["emoji"] = "👍"
    if coordinates := as_dict(payload.get("coordinates")):
        facts["coordinates"] = {name: coordinates.get(name) for name in ("lat", "long")}
    if meta_type == "appointment_booking":
        facts["appointment"] = _appointment(payload)
    if meta_type in _PICTURED:
        facts["picture"] = url
    if kind in {"template", "share", "unsupported"}:
        facts |= {"meta_type": meta_type, "raw": dict(payload)}
        if shared_id := _shared_id(payload):
            facts["shared_id"] = shared_id
    return facts


def _appointment(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Its moments are seconds; as ISO 8601 for us."""
    start, end = (read_moment(payload.get(name)) for name in ("start_time", "end_time"))
    return {
        "id": read_id(payload.get("booking_id")),
        "status": read_text(payload.get("status"))[:40],
        "starts_at": start.isoformat() if start else None,
        "ends_at": end.isoformat() if end else None,
        "timezone": read_text(payload.get("timezone"))[:60],
    }


def _shared_id(payload: Mapping[str, Any]) -> str:
    return next((read_id(payload[k]) for k in _SHARED_IDS if payload.get(k)), "")


def _url(raw: Mapping[str, Any], payload: Mapping[str, Any], kind: str) -> str:
    url = _named(raw, payload, "url")
    if not url and isinstance(raw.get("payload"), str):
        url = raw["payload"]
        return url if url.startswith(("https:", "http:")) else ""
    if url.startswith("/") and kind in SITES:
        return urljoin(SITES[kind], url)
    return url


def _named(raw: Mapping[str, Any], payload: Mapping[str, Any], name: str) -> str:
    """`url` and `title` lie in the payload, beside it, or in capitals."""
    for holder in (payload, raw):
        for key in (name, name.upper()):
            if isinstance(holder.get(key), str | int):
                return read_text(holder[key])
    return ""
