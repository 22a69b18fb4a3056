"""Files that people send each other: fetched, checked, kept, served, forgotten."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence

import puremagic

from inbox.models import Attachment

UNKNOWN_TYPE = "application/octet-stream"
# As much of a file's beginning as tells what it is.
HEAD_BYTES = 4096
# Names under which the same type goes elsewhere, and containers that are mostly one thing.
_TYPES = {
    "application/ogg": "audio/ogg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "image/jpg": "image/jpeg",
    "video/avi": "video/x-msvideo",
}
# MP4 files that hold sound alone say so in their brand.
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B "})


def sniff_type(head: bytes, name: str = "") -> str:
    """The MIME type that a file's bytes say it has, whatever it is called.

    head: its first HEAD_BYTES. name: consulted only between types that begin alike, as the
    office formats do, and for plain text, which has no mark.
    """
    if head[4:8] == b"ftyp" and head[8:12] in _SOUND_BRANDS:
        return "audio/mp4"
    try:
        found = [one.mime_type for one in puremagic.magic_string(head) if one.mime_type]
    except (puremagic.PureError, ValueError):
        found = []
    named = mimetypes.guess_type(name)[0] or ""
    if not found:
        return (
            named if named.startswith("text/") and b"\0" not in head else UNKNOWN_TYPE
        )
    if head.startswith(b"PK\x03\x04") and named not in found:
        return "application/zip"
    best = named if named in found else found[0]
    if best == "application/ogg" and (b"theora" in head or name.endswith(".ogv")):
        return "video/ogg"
    return _TYPES.get(best, best)


def drop_attachments(message_ids: Sequence[int]) -> None:
    """Delete the attachments of these messages and, once that is committed, their files."""
    Attachment.objects.filter(message__in=message_ids).delete()
