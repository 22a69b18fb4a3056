"""JSON for PostgreSQL, written fast: rows for `json_to_recordset`, values of jsonb columns."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import orjson

# PostgreSQL's text holds neither NUL nor halves of surrogate pairs.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(value: Any) -> bool:
    """Whether a jsonb column takes this JSON value."""
    if isinstance(value, str):
        return not _UNSTORABLE.search(value)
    if isinstance(value, dict):
        return all(is_storable(part) for pair in value.items() for part in pair)
    return not isinstance(value, list) or all(map(is_storable, value))


def dump(value: Any) -> str:
    """Moments as ISO 8601, NaN as null. Raises TypeError for what JSON cannot hold."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Meta may number things beyond 64 bits, which orjson does not write.
        return json.dumps(value, ensure_ascii=False, default=_iso)


def _iso(value: Any) -> str:
    try:
        return str(value.isoformat())
    except AttributeError:
        raise TypeError(f"{type(value).__name__} is not for JSON") from None


def format_moment(moment: datetime) -> str:
    """UTC in whole seconds. moment: aware, in UTC, as the database gives it."""
    return moment.isoformat(timespec="seconds")[:19] + "Z"
