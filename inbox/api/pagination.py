"""Keyset pages: a cursor is where the last page ended, signed and bound to its list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db import models
from django.db.models import Q
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    rows: Sequence[M]
    next_cursor: str | None

    def as_json(self, data: Any, total: int | None = None) -> dict[str, Any]:
        meta: dict[str, Any] = {
            "next_cursor": self.next_cursor,
            "has_more": self.next_cursor is not None,
        }
        if total is not None:
            meta["total"] = total
        return {"data": data, "meta": meta}


def paginate(
    request: Request, rows: models.QuerySet[M], *, moment: str, name: str
) -> Page[M]:
    """Newest first by (moment, id).

    name: what the list is, with its filters: a cursor of another list is refused.
    Raises ValidationError for a bad `limit` or `cursor`.
    """
    limit = _limit(request)
    cursor = request.query_params.get("cursor")
    if cursor:
        at, pk = _read(cursor, name)
        same_moment = Q(**{moment: at}) & Q(pk__lt=pk)
        rows = rows.filter(Q(**{f"{moment}__lt": at}) | same_moment)
    found = list(rows.order_by(f"-{moment}", "-pk")[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    last = found[limit - 1]
    return Page(found[:limit], _write(getattr(last, moment), last.pk, name))


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise ValidationError({"limit": f"A whole number from 1 to {MAX_LIMIT}."})
    return int(text)


def _write(at: datetime, pk: int, name: str) -> str:
    return signing.dumps([at.isoformat(), pk], salt=f"cursor:{name}", compress=True)


def _read(cursor: str, name: str) -> tuple[datetime, int]:
    try:
        text, pk = signing.loads(cursor, salt=f"cursor:{name}")
        at = parse_datetime(text)
    except (signing.BadSignature, ValueError, TypeError):
        at, pk = None, 0
    if at is None:
        raise ValidationError(
            {"cursor": "This cursor is not of this list. Start without one."}
        )
    return at, pk
