"""Rows as JSON values.

One serializer of each kind serves the whole process: DRF copies all fields of a serializer each
time one is made, and of those nested in it, which costs more than filling them in.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from rest_framework.serializers import Serializer


@cache
def _serializer(kind: type[Serializer[Any]]) -> Serializer[Any]:
    return kind()


def show(kind: type[Serializer[Any]], row: Any) -> dict[str, Any]:
    """kind: a serializer that needs no context."""
    shown: dict[str, Any] = _serializer(kind).to_representation(row)
    return shown


def show_all(kind: type[Serializer[Any]], rows: Iterable[Any]) -> list[dict[str, Any]]:
    one = _serializer(kind)
    return [one.to_representation(row) for row in rows]
