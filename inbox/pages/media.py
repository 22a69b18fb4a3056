"""What a message carries beside its text: files, cards, places, the story it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from inbox.models import Attachment, Message, MessageType
from inbox.pages.clock import moment_label
from inbox.pages.downloads import file_url, thumbnail_url
from inbox.pages.security import safe_link, shown_here


@dataclass(frozen=True, slots=True)
class Story:
    """The story a message is about. ends: when its picture stops being shown, in words."""

    url: str
    link: str
    ends: str
    is_gone: bool


@dataclass(frozen=True, slots=True)
class Element:
    """One card of a template message or a shared post."""

    title: str
    subtitle: str
    link: str
    picture: str
    buttons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """An attachment. url: shown in the page; link: opened by a click; both only if safe.

    picture: what a picture is shown as at first, a small copy where there is one; width and
    height: of the picture itself, None if unknown.
    """

    kind: str
    label: str
    title: str
    url: str
    link: str
    is_gone: bool
    picture: str = ""
    width: int | None = None
    height: int | None = None
    elements: tuple[Element, ...] = ()
    emoji: str = ""
    place: str = ""


def story_of(message: Message, at: datetime) -> Story | None:
    """The story itself, as long as it lives. Its picture is never stored."""
    if message.type not in {MessageType.STORY_MENTION, MessageType.STORY_REPLY}:
        return None
    told = mapping(message.extra.get("story"))
    url = str(told.get("url") or "")
    end = _moment(told.get("expires_at"))
    for attachment in message.attachments.all():
        if attachment.kind == MessageType.STORY_MENTION:
            url = attachment.remote_url
            end = attachment.remote_url_expires_at or end
    is_gone = not url or (end is not None and end <= at)
    return Story(
        url=shown_here(url) if not is_gone else "",
        link=safe_link(url) if not is_gone else "",
        ends=moment_label(end, at=at) if end and not is_gone else "",
        is_gone=is_gone,
    )


def part_of(attachment: Attachment, at: datetime) -> Part:
    url = file_url(attachment) or attachment.remote_url
    expires = attachment.remote_url_expires_at
    is_gone = attachment.state in {
        Attachment.State.EXPIRED,
        Attachment.State.REFUSED,
    } or (not attachment.file and expires is not None and expires <= at)
    raw = mapping(attachment.extra.get("raw"))
    return Part(
        kind=attachment.kind,
        label=attachment.get_kind_display(),
        title=attachment.title,
        url="" if is_gone else shown_here(url),
        link="" if is_gone else safe_link(url),
        is_gone=is_gone,
        picture="" if is_gone else _small_copy(attachment) or shown_here(url),
        width=attachment.width,
        height=attachment.height,
        elements=tuple(_elements(attachment, raw)),
        emoji=str(attachment.extra.get("emoji") or ""),
        place=_place(attachment),
    )


def _small_copy(attachment: Attachment) -> str:
    """Small copies stand still: what may move is shown itself."""
    return "" if attachment.mime_type == "image/gif" else thumbnail_url(attachment)


def _place(attachment: Attachment) -> str:
    """Coordinates as "33.58, -7.62", which every map understands; "" where there are none."""
    spot = mapping(attachment.extra.get("coordinates"))
    try:
        return f"{float(spot['lat']):.5f}, {float(spot['long']):.5f}"
    except (KeyError, TypeError, ValueError):
        return ""


def _elements(attachment: Attachment, raw: Mapping[str, Any]) -> Iterator[Element]:
    """The cards of a template, wherever its payload keeps them."""
    if attachment.kind != MessageType.TEMPLATE:
        return
    holders = [raw, mapping(raw.get("product")), mapping(raw.get("payload"))]
    for holder in holders:
        for element in mappings(holder.get("elements")):
            yield _element(element)
    if not any(holder.get("elements") for holder in holders) and raw.get("text"):
        yield _element({"title": raw.get("text"), "buttons": raw.get("buttons")})


def _element(raw: Mapping[str, Any]) -> Element:
    return Element(
        title=str(raw.get("title") or ""),
        subtitle=str(raw.get("subtitle") or ""),
        link=safe_link(str(raw.get("item_url") or raw.get("url") or "")),
        picture=shown_here(str(raw.get("image_url") or "")),
        buttons=tuple(
            str(button.get("title"))
            for button in mappings(raw.get("buttons"))
            if button.get("title")
        ),
    )


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> Iterable[Mapping[str, Any]]:
    return (
        [item for item in value if isinstance(item, Mapping)]
        if isinstance(value, list)
        else []
    )


def _moment(value: Any) -> datetime | None:
    try:
        return parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
