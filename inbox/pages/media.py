"""What a message carries beside its text: files, cards, places, the story it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inbox.models import Attachment, Message, MessageType
from inbox.pages.clock import clock_time, day_label, full_moment, moment_label
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
    """One card of a template message, a shared post, an order's line."""

    title: str
    subtitle: str
    link: str
    picture: str
    buttons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Appointment:
    """when: from and until, in words. tone: the chip's colour for its state."""

    when: str
    state: str | Promise
    tone: str


@dataclass(frozen=True, slots=True)
class Part:
    """An attachment. url: shown in the page; link: opened by a click; both only if safe.

    picture: what a picture is shown as at first, a small copy where there is one; width and
    height: of the picture itself, None if unknown. what: a finer word than its kind, if the
    channel app gave one. refusal: why there is nothing to show although the channel has it.
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
    size: int | None = None
    elements: tuple[Element, ...] = ()
    emoji: str = ""
    place: str = ""
    what: str = ""
    refusal: str | Promise = ""
    appointment: Appointment | None = None


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


_LABELS: Mapping[str, str | Promise] = {
    "link": gettext_lazy("Link"),
    "post": gettext_lazy("Shared post"),
    "reel": gettext_lazy("Shared reel"),
    "story": gettext_lazy("Shared story"),
    "appointment": gettext_lazy("Appointment"),
    "order": gettext_lazy("Order"),
    "view_once": gettext_lazy("Photo or video to view once"),
}
# Why inbox.media kept no copy, by its word for it.
_REFUSALS: Mapping[str, str | Promise] = {
    "too_large": gettext_lazy("too large to be copied"),
    "address": gettext_lazy("its address is not the channel's"),
}
_REFUSED = gettext_lazy("it could not be copied")


def part_of(attachment: Attachment, at: datetime) -> Part:
    url = file_url(attachment) or attachment.remote_url
    expires = attachment.remote_url_expires_at
    is_refused = attachment.state == Attachment.State.REFUSED
    is_gone = (attachment.state == Attachment.State.EXPIRED) or (
        not attachment.file and expires is not None and expires <= at
    )
    is_shown = not (is_gone or is_refused)
    extra = attachment.extra
    what = str(extra.get("what") or "")
    reason = str(extra.get("reason") or "")
    return Part(
        kind=attachment.kind,
        label=str(_LABELS.get(what) or attachment.get_kind_display()),
        title=attachment.title,
        url=shown_here(url) if is_shown else "",
        link="" if is_gone else safe_link(url),
        is_gone=is_gone,
        picture=(_small_copy(attachment) or shown_here(url)) if is_shown else "",
        width=attachment.width,
        height=attachment.height,
        size=attachment.size,
        elements=tuple(_elements(attachment, what)),
        emoji=str(extra.get("emoji") or ""),
        place=_place(attachment),
        what=what,
        refusal=_REFUSALS.get(reason, _REFUSED) if is_refused and not is_gone else "",
        appointment=_appointment(extra, at) if what == "appointment" else None,
    )


_APPOINTMENT_STATES: Mapping[str, tuple[str | Promise, str]] = {
    "requested": (gettext_lazy("Requested"), "warn"),
    "confirmed": (gettext_lazy("Confirmed"), "ok"),
    "declined": (gettext_lazy("Declined"), "bad"),
    "cancelled": (gettext_lazy("Cancelled"), "line"),
}


def _appointment(extra: Mapping[str, Any], at: datetime) -> Appointment:
    told = mapping(extra.get("appointment"))
    start, end = _moment(told.get("starts_at")), _moment(told.get("ends_at"))
    when = ""
    if start and end and localtime(start).date() == localtime(end).date():
        when = _("%(day)s, %(start)s to %(end)s") % {
            "day": day_label(localtime(start).date(), at=at),
            "start": clock_time(start),
            "end": clock_time(end),
        }
    elif start:
        when = full_moment(start)
    status = str(told.get("status") or "")
    state, tone = _APPOINTMENT_STATES.get(status, (status, "line"))
    return Appointment(when, state, tone)


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


def _elements(attachment: Attachment, what: str) -> Iterator[Element]:
    """The cards of a template, wherever its payload keeps them; a shared post is one card."""
    raw = mapping(attachment.extra.get("raw"))
    if attachment.kind == MessageType.SHARE:
        yield _shared(attachment, what)
    if attachment.kind != MessageType.TEMPLATE:
        return
    if what == "order":
        yield from (_ordered(product) for product in mappings(raw.get("products")))
        return
    holders = [raw, mapping(raw.get("product")), mapping(raw.get("payload"))]
    for holder in holders:
        for element in mappings(holder.get("elements")):
            yield _element(element)
    if not any(holder.get("elements") for holder in holders) and raw.get("text"):
        yield _element({"title": raw.get("text"), "buttons": raw.get("buttons")})


def _shared(attachment: Attachment, what: str) -> Element:
    """Where a link leads is said before it is followed."""
    link = safe_link(attachment.remote_url)
    picture = str(attachment.extra.get("picture") or "")
    try:
        host = urlsplit(link).hostname or ""
    except ValueError:
        host = ""
    label = str(_LABELS.get(what) or attachment.get_kind_display())
    place = host.removeprefix("www.")
    if picture:  # its address is the picture's, and says nothing of where the post is
        place = label if attachment.title else ""
    return Element(
        title=attachment.title or label,
        subtitle=place,
        link=link,
        picture=shown_here(picture),
    )


def _ordered(product: Mapping[str, Any]) -> Element:
    """A line of an order: two of this, at that price."""
    price = product.get("unit_price")
    cost = f"{price} {product.get('currency') or ''}".strip() if price else ""
    quantity = product.get("quantity") or 1
    return Element(
        title=str(product.get("name") or product.get("retailer_id") or ""),
        subtitle=f"{quantity} × {cost}" if cost else f"{quantity} ×",
        link="",
        picture="",
    )


def cards_of(message: Message) -> tuple[Element, ...]:
    """Cards that we sent, as they were composed."""
    return tuple(
        _element({**card, "title": card.get("title") or card.get("text"),
                  "item_url": card.get("url")})
        for card in mappings(message.extra.get("cards"))
    )  # fmt: skip


_ASKED_FOR: Mapping[str, str | Promise] = {
    "phone": gettext_lazy("Their phone number"),
    "email": gettext_lazy("Their e-mail address"),
}


def choices_of(message: Message) -> tuple[str, ...]:
    """The answers that we offered for one tap."""
    return tuple(
        str(reply.get("title") or _ASKED_FOR.get(str(reply.get("kind")), ""))
        for reply in mappings(message.extra.get("quick_replies"))
    )


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
