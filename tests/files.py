"""Files as people send them, and as people who mean harm do."""

from __future__ import annotations

import struct
import wave
import zlib
from io import BytesIO
from typing import Any

from PIL import Image

GIF_AND_PAGE = b"GIF89a/*<html><script>alert(1)</script></html>*/=1;"
PAGE = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"
DRAWING = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
PROGRAM = (
    b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + b"\0" * 112 + b"PE\0\0L\1" + b"\0" * 64
)
PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(range(256)) * 8


def picture(
    kind: str = "PNG", size: tuple[int, int] = (64, 48), **options: Any
) -> bytes:
    """A picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, size[0], size[1]))
    made = BytesIO()
    image.save(made, kind, **options)
    return made.getvalue()


def photo_on_its_side() -> bytes:
    """A phone's JPEG, 80x40 as stored, to be turned; with the place where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "ACME phones"
    exif.get_ifd(0x8825)[1] = "N"
    return picture("JPEG", (80, 40), exif=exif, icc_profile=b"profile of ACME")


def moving_picture() -> bytes:
    made = BytesIO()
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:])
    return made.getvalue()


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of a few bytes that asks for gigabytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )


def swollen_text() -> bytes:
    """A PNG whose note unpacks to a hundred megabytes."""
    base = picture()
    data = b"note\0\0" + zlib.compress(b"a" * 100_000_000)
    check = struct.pack(">I", zlib.crc32(b"zTXt" + data))
    note = struct.pack(">I", len(data)) + b"zTXt" + data + check
    return base[:33] + note + base[33:]


def voice(seconds: float = 0.25) -> bytes:
    made = BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\1\0" * int(8000 * seconds))
    return made.getvalue()
