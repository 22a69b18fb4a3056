"""What a file is, by its bytes; and what may be done with it for that."""

from __future__ import annotations

import mimetypes

import puremagic

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
# What a browser may show or play on our origin. None of them can hold a script.
SHOWN_TYPES = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "video/mp4",
        "video/webm",
        "video/ogg",
        "video/quicktime",
        "audio/mpeg",
        "audio/mp4",
        "audio/aac",
        "audio/wav",
        "audio/ogg",
        "audio/webm",
        "audio/flac",
    }
)
# Containers that hold sound as well as pictures: the bytes' beginning does not tell.
_SOUND_IN_VIDEO = {
    "video/mp4": "audio/mp4",
    "video/quicktime": "audio/mp4",
    "video/webm": "audio/webm",
    "video/ogg": "audio/ogg",
}
_EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "audio/mp4": ".m4a",
    "audio/aac": ".aac",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/flac": ".flac",
    "video/quicktime": ".mov",
    "application/zip": ".zip",
    "text/plain": ".txt",
}
# Programs of Linux, Android and macOS; those of Windows need a second look.
_PROGRAMS = (
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
)
_MARKUP_TYPES = frozenset(
    {
        "text/html",
        "application/xhtml+xml",
        "image/svg+xml",
        "application/xml",
        "text/xml",
        "text/javascript",
        "application/javascript",
    }
)


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


def as_sound(mime_type: str) -> str:
    """The type of a file that is known to hold sound alone."""
    return _SOUND_IN_VIDEO.get(mime_type, mime_type)


def is_markup(head: bytes, mime_type: str) -> bool:
    """Whether a browser could take it for a page or a script; error pages are such."""
    beginning = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return mime_type in _MARKUP_TYPES or beginning.startswith(b"<")


def is_program(head: bytes) -> bool:
    """Whether a computer would run it. Two letters alone may begin a text."""
    return head.startswith(_PROGRAMS) or (head[:2] == b"MZ" and b"\0" in head[:64])


def extension_of(mime_type: str) -> str:
    """With its dot; none for what could run."""
    if mime_type == UNKNOWN_TYPE or mime_type in _MARKUP_TYPES:
        return ".bin"
    return _EXTENSIONS.get(mime_type) or mimetypes.guess_extension(mime_type) or ".bin"
