"""Values of Meta's JSON, whatever type they come in: ids, times, texts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

MAX_ID_CHARACTERS = 255
MAX_MID_CHARACTERS = 600
# Below this a number is seconds, above it milliseconds: Meta sends both (trap 1).
SECONDS_LIMIT = 10**11

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class ItemError(ValueError):
    """This item cannot be stored, ever; the sentence says why."""


def load(body: bytes) -> Any:
    """JSON without what PostgreSQL refuses: NULs, lone surrogates, NaN. Raises ValueError."""
    try:
        text = body.decode("utf-8", "replace")
        data = json.loads(text, strict=False, parse_constant=lambda _: None)
        return _clean(data) if "\\u" in text or "\x00" in text else data
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub(
            lambda found: "" if found[0] == "\x00" else "\ufffd", value
        )
    if isinstance(value, list):
        return [_clean(part) for part in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(part) for key, part in value.items()}
    return value


def read_moment(value: Any) -> datetime | None:
    """Milliseconds or seconds, as a number or digits, or ISO 8601; None if it is no time."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        return _read_iso(value)
    try:
        seconds = number if abs(number) < SECONDS_LIMIT else number / 1000
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _read_iso(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def read_id(value: Any) -> str:
    """Ids are opaque text, also where they come as numbers; "" for what is none, or too long."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    return text if len(text) <= MAX_ID_CHARACTERS else ""


def read_mid(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ItemError("no message id")
    text = str(value)
    if len(text) > MAX_MID_CHARACTERS:
        raise ItemError(f"a message id of {len(text)} characters")
    return text


def read_quoted(value: Any) -> str:
    """The id of a message that is only referred to; "" if it is none."""
    try:
        return read_mid(value)
    except ItemError:
        return ""


def made_id(name: str, person: str, moment: datetime, details: Any) -> str:
    """A stable id for what Meta gives none: kind, person, time and content."""
    content = json.dumps(details, sort_keys=True, default=str).encode()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return f"dx-{name}:{person}:{int(moment.timestamp() * 1000)}:{digest}"


def read_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return (
        str(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else ""
    )


def shorten(value: Any) -> str:
    return str(value)[:40]


def is_true(value: Any) -> bool:
    """Meta writes true also as a string (`is_unsupported` of the Conversations API)."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def read_whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def as_dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
