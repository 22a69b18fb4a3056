"""Pictures that others made: how large they are, and small copies that hold nothing but the picture."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from io import BytesIO
from typing import IO

from PIL import Image, ImageOps

# The formats that browsers show; their decoders are the only ones that strangers' bytes reach.
FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
}
# A phone's largest photos have 50 million pixels. A decompression bomb has more.
MAX_PIXELS = 50_000_000
THUMBNAIL_SIDE = 640
AVATAR_SIDE = 192
QUALITY = 80
# One at a time: unpacked, the largest takes 200 MB, and several threads fetch.
_decoding = threading.Lock()


class NotAPicture(Exception):
    """The bytes cannot be read as the picture they begin like."""


class TooManyPixels(Exception):
    """Small as a file, too large to unpack."""


@dataclass(frozen=True, slots=True)
class Picture:
    """width, height: in pixels, as it is looked at (a photo knows which way is up).

    thumbnail: WebP, at most THUMBNAIL_SIDE wide and high; None where it could not be made.
    """

    width: int
    height: int
    thumbnail: bytes | None


def read_picture(file: IO[bytes], mime_type: str) -> Picture:
    """Raises NotAPicture and TooManyPixels."""
    with _decoding, _open(file, mime_type) as image:
        width, height = _upright_size(image)
        return Picture(width, height, _thumbnail(image))


def make_avatar(file: IO[bytes], mime_type: str) -> bytes:
    """The middle of a picture as a small square, WebP. Raises NotAPicture and TooManyPixels."""
    with _decoding, _open(file, mime_type) as image:
        try:
            image.draft("RGB", (AVATAR_SIDE * 2, AVATAR_SIDE * 2))
            return _webp(ImageOps.fit(_upright(image), (AVATAR_SIDE, AVATAR_SIDE)))
        except Exception as error:  # whatever a stranger's bytes lead a decoder to
            raise NotAPicture from error


def _open(file: IO[bytes], mime_type: str) -> Image.Image:
    """The picture with its header read and its size judged; nothing is unpacked yet."""
    file.seek(0)
    try:
        image = Image.open(file, formats=[FORMATS[mime_type]])
    except Image.DecompressionBombError as error:
        raise TooManyPixels from error
    except Exception as error:  # whatever a stranger's bytes lead a decoder to
        raise NotAPicture from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise TooManyPixels
    return image


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """EXIF orientations from 5 on lie on their side."""
    width, height = image.size
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # a broken note beside the picture
        orientation = 1
    if isinstance(orientation, int) and 5 <= orientation <= 8:
        return height, width
    return width, height


def _thumbnail(image: Image.Image) -> bytes | None:
    """None for a picture that browsers may still show half of: it breaks off, say."""
    try:
        # JPEG decoders can skip what a small copy does not need.
        image.draft("RGB", (THUMBNAIL_SIDE * 2, THUMBNAIL_SIDE * 2))
        upright = _upright(image)
        upright.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        return _webp(upright)
    except Exception:  # whatever a stranger's bytes lead a decoder to
        return None


def _upright(image: Image.Image) -> Image.Image:
    """The first frame, turned as its EXIF says, in a mode that WebP knows."""
    has_alpha = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
    image.load()
    turned = ImageOps.exif_transpose(image)
    return turned.convert("RGBA" if has_alpha else "RGB")


def _webp(image: Image.Image) -> bytes:
    """Of the pixels alone: place, device and whatever else the file told stay behind."""
    image.info.clear()
    made = BytesIO()
    image.save(made, "WEBP", quality=QUALITY, exif=b"", xmp=b"", icc_profile=b"")
    return made.getvalue()
