"""Files, to those who may see the conversation; and for a while to whoever was given an address.

Always from our own origin and through this process, wherever they lie (`inbox.storage` says
why), with the type that their bytes have and never another.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from dataclasses import dataclass
from typing import IO, Any

from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from inbox.filetypes import SHOWN_TYPES, UNKNOWN_TYPE, extension_of
from inbox.media import find_public
from inbox.models import (
    Agent,
    Attachment,
    ChannelIdentity,
    Conversation,
    Message,
    MessageType,
)
from inbox.pages.http import AgentRequest, agent_file
from inbox.throttle import may_call, seconds_left

logger = logging.getLogger(__name__)

# What may be named as itself in a download; everything else is just bytes.
_DOWNLOAD_TYPES = frozenset(
    {
        "application/pdf",
        "application/zip",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "text/plain",
        "text/csv",
    }
)
# Nothing in a file runs or loads anything, should a browser ever take it for a page.
POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; frame-ancestors 'none'"
# Asked again each time: a copy in a browser must not outlive the right to see it. Avatars have a
# new address with each picture, and are in every row of every list.
_FILE_CACHING = "private, no-cache"
_AVATAR_CACHING = "private, max-age=86400"
_PUBLIC_CACHING = "private, max-age=300"
# Of one public address in a minute; a platform fetches a file a few times, in pieces if it is long.
PUBLIC_CALLS = 300
# When to ask again for a file that is still on its way to us.
COMING_SECONDS = 5
BLOCK_BYTES = 64 * 1024
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


@dataclass(frozen=True, slots=True)
class Shown:
    """One file as it is to be given out. name: for who saves it. size: None if no row tells it."""

    file: FieldFile
    mime_type: str
    name: str
    is_inline: bool
    caching: str
    size: int | None = None
    is_for_all: bool = False


# --- addresses -----------------------------------------------------------------------------------


def file_url(attachment: Attachment) -> str:
    """Where an agent who may see the conversation finds a stored file; "" if there is none."""
    if not attachment.file:
        return ""
    return reverse("inbox:file", args=[attachment.pk, _file_name(attachment)])


def thumbnail_url(attachment: Attachment) -> str:
    if not attachment.thumbnail:
        return ""
    return reverse("inbox:thumbnail", args=[attachment.pk])


def avatar_url(identity: ChannelIdentity) -> str:
    """Another one for every picture, so that browsers may keep it."""
    if not identity.avatar:
        return ""
    path = reverse("inbox:avatar", args=[identity.pk])
    return f"{path}?v={_tag(identity.avatar)[:8]}"


def _file_name(attachment: Attachment) -> str:
    """What it is saved as: its sender's name for it, with the extension that its type has."""
    extension = extension_of(attachment.mime_type or UNKNOWN_TYPE)
    title = attachment.title.replace("\\", "/").rpartition("/")[2]
    stem, dot, given = title.rpartition(".")
    if not dot:
        stem, given = title, ""
    is_short = given.isascii() and given.isalnum() and len(given) <= 5
    if is_short and attachment.mime_type not in SHOWN_TYPES:
        extension = f".{given.lower()}"
    return f"{slugify(stem, allow_unicode=True) or f'file-{attachment.pk}'}{extension}"


# --- pages ---------------------------------------------------------------------------------------


@agent_file
@require_safe
def show_file(request: AgentRequest, pk: int, name: str) -> HttpResponse:
    """name: for people who look at the address; it decides nothing."""
    return answer(request, _shown(_visible_or_404(request.user, pk), _FILE_CACHING))


@agent_file
@require_safe
def show_thumbnail(request: AgentRequest, pk: int) -> HttpResponse:
    attachment = _visible_or_404(request.user, pk)
    name = f"thumbnail-{attachment.pk}.webp"
    shown = Shown(attachment.thumbnail, "image/webp", name, True, _FILE_CACHING)
    return answer(request, shown)


@agent_file
@require_safe
def show_avatar(request: AgentRequest, pk: int) -> HttpResponse:
    """Of whoever wrote in a conversation that the agent may see."""
    visible = Conversation.objects.visible_to(request.user)
    person = ChannelIdentity.objects.filter(pk=pk, conversations__in=visible).first()
    if person is None:
        raise Http404
    name = f"avatar-{person.pk}.webp"
    shown = Shown(person.avatar, "image/webp", name, True, _AVATAR_CACHING)
    return answer(request, shown)


@require_safe
def show_public(request: HttpRequest, token: str) -> HttpResponse:
    """A file for the platform that sends it, or for whoever is told of it: at a signed address.

    No redirect. 503 while it is still on its way to us.
    """
    attachment = find_public(token)
    if attachment is None:
        raise Http404
    if not attachment.file and attachment.state == Attachment.State.REMOTE:
        return HttpResponse(status=503, headers={"Retry-After": str(COMING_SECONDS)})
    if not may_call(f"file-{attachment.pk}", calls=PUBLIC_CALLS):
        wait = math.ceil(seconds_left())
        return HttpResponse(status=429, headers={"Retry-After": str(wait)})
    return answer(request, _shown(attachment, _PUBLIC_CACHING, is_for_all=True))


def _visible_or_404(agent: Agent, pk: int) -> Attachment:
    messages = Message.objects.filter(
        conversation__in=Conversation.objects.visible_to(agent), deleted_at=None
    )
    return get_object_or_404(Attachment, pk=pk, message__in=messages)


def _shown(attachment: Attachment, caching: str, *, is_for_all: bool = False) -> Shown:
    """A document is for saving: only what was sent to be seen or heard opens in the browser."""
    mime_type = attachment.mime_type
    is_inline = mime_type in SHOWN_TYPES and attachment.kind != MessageType.FILE
    if mime_type not in SHOWN_TYPES | _DOWNLOAD_TYPES:
        mime_type = UNKNOWN_TYPE
    return Shown(
        attachment.file,
        mime_type,
        _file_name(attachment),
        is_inline,
        caching,
        attachment.size,
        is_for_all,
    )


# --- the answer ----------------------------------------------------------------------------------


def answer(request: HttpRequest, shown: Shown) -> HttpResponse:
    """The file, the part of it that was asked for, or that it has not changed (RFC 9110)."""
    if not shown.file:
        raise Http404
    headers = _headers(shown)
    if headers["ETag"] in _named(request.headers.get("If-None-Match", "")):
        return HttpResponse(status=304, headers=headers)
    try:
        return _whole_or_part(request, shown, headers)
    except FileNotFoundError as error:
        raise Http404 from error
    except OSError as error:
        logger.warning("storage.unread error=%s", type(error).__name__)
        return HttpResponse(status=503, headers={"Retry-After": "10"})


def _whole_or_part(
    request: HttpRequest, shown: Shown, headers: dict[str, str]
) -> HttpResponse:
    size = shown.file.size if shown.size is None else shown.size
    wanted = _wanted_range(request, headers["ETag"])
    found = _resolve(*wanted, size) if wanted else (0, size)
    if found is None:
        headers["Content-Range"] = f"bytes */{size}"
        return HttpResponse(status=416, headers=headers)
    start, length = found
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    headers["Content-Length"] = str(length)
    status = 206 if wanted else 200
    if request.method == "HEAD" or not length:
        return HttpResponse(status=status, headers=headers)
    response = FileResponse(_open(shown.file, start, length), status=status)
    for name, value in headers.items():
        response[name] = value
    response.block_size = BLOCK_BYTES
    return response  # type: ignore[return-value]  # what pages return, by its common base


def _headers(shown: Shown) -> dict[str, str]:
    disposition = content_disposition_header(not shown.is_inline, shown.name)
    readers = "cross-origin" if shown.is_for_all else "same-origin"
    return {
        "Content-Type": shown.mime_type,
        "Content-Disposition": disposition or "attachment",
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Resource-Policy": readers,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": shown.caching,
        "Accept-Ranges": "bytes",
        "ETag": f'"{_tag(shown.file)}"',
    }


def _tag(file: FieldFile) -> str:
    """What lies at a name never changes; the name itself is not told."""
    return hashlib.sha256(str(file.name).encode()).hexdigest()[:32]


def _named(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def _wanted_range(request: HttpRequest, etag: str) -> tuple[str, str] | None:
    """First and last byte as the header has them; None where all is to be sent.

    Several ranges at once, and what is no range, are answered with the whole, as they may be.
    """
    found = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    condition = request.headers.get("If-Range", etag)
    if found is None or condition != etag:
        return None
    first, last = found.groups()
    is_backwards = first and last and int(last) < int(first)
    return None if is_backwards or not (first or last) else (first, last)


def _resolve(first: str, last: str, size: int) -> tuple[int, int] | None:
    """Where a range begins and how long it is; None if nothing of it is there."""
    if not first:
        length = min(int(last), size)
        return (size - length, length) if length else None
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    return (start, end - start + 1) if start < size else None


def _open(file: FieldFile, start: int, length: int) -> Any:
    """Something to read those bytes from, and to close."""
    open_range = getattr(file.storage, "open_range", None)
    if open_range:
        return Stretch(open_range(file.name, start, length), length)
    opened = file.storage.open(str(file.name), "rb")
    opened.seek(start)
    return Stretch(opened, length)


class Stretch:
    """So many bytes of an open file, from where it stands."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file = file
        self._left = length

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        chunk = self._file.read(wanted) if wanted else b""
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        self._file.close()
