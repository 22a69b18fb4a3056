"""JSON for PostgreSQL, written fast: rows for `json_to_recordset`, values of jsonb columns."""

from __future__ import annotations

import json
from typing import Any

import orjson


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
