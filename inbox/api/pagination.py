"""Keyset pages: a cursor is where the last page ended, signed and bound to its list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db import models
from django.db.models import Q
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
M = TypeVar("M", bound=models.Model)


class PageQuery(serializers.Serializer[Any]):
    """What is asked of a part of a list; the list's own filters are fields of a subclass."""

    limit = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_LIMIT,
        help_text=f"{DEFAULT_LIMIT} if not given.",
    )
    cursor = serializers.CharField(
        required=False, help_text="`meta.next_cursor` of the page before."
    )


class ListQuery(PageQuery):
    """Of lists that have an end."""

    include_total = serializers.BooleanField(
        required=False, help_text="Count the whole list into `meta.total`."
    )


PAGING = frozenset(map(str, ListQuery().fields))


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """total: of the whole list, where it was asked for."""

    rows: Sequence[M]
    next_cursor: str | None
    total: int | None = None

    def as_json(self, data: Any, total: int | None = None) -> dict[str, Any]:
        meta: dict[str, Any] = {
            "next_cursor": self.next_cursor,
            "has_more": self.next_cursor is not None,
        }
        count = self.total if total is None else total
        if count is not None:
            meta["total"] = count
        return {"data": data, "meta": meta}


def read_filters(request: Request, query: type[PageQuery]) -> dict[str, Any]:
    """The list's own filters that are given, as values. Raises ValidationError."""
    names = [name for name in map(str, query().fields) if name not in PAGING]
    asked = request.query_params
    wanted = query(data={name: asked[name] for name in names if name in asked})
    wanted.is_valid(raise_exception=True)
    values: dict[str, Any] = wanted.validated_data
    return {name: values[name] for name in names if name in asked}


def name_of(noun: str, filters: Mapping[str, Any]) -> str:
    """What a list is, for its cursors."""
    told = sorted((name, str(value)) for name, value in filters.items())
    return f"{noun}:{told}"


def paginate(
    request: Request,
    rows: models.QuerySet[M],
    *,
    name: str,
    moment: str = "",
    is_ascending: bool = False,
    split: Mapping[str, Sequence[str]] | None = None,
) -> Page[M]:
    """By (moment, id), or by id alone; newest first unless told otherwise.

    moment: a field of the rows that is never null. name: what the list is, with its filters: a
    cursor of another list is refused. split: a field and all its values, where an index gives the
    order only within one of them. Raises ValidationError for a bad `limit`, `cursor` or
    `include_total`.
    """
    limit, total = limit_of(request), _total(request, rows)
    sign, after = ("", "gt") if is_ascending else ("-", "lt")
    cursor = request.query_params.get("cursor")
    if cursor:
        at, pk = _read(cursor, name, has_moment=bool(moment))
        rows = rows.filter(_following(moment, at, pk, after))
    by = [f"{sign}{moment}", f"{sign}pk"] if moment else [f"{sign}pk"]
    found = _first(rows, by, limit + 1, split or {})
    if len(found) <= limit:
        return Page(found, None, total)
    last = found[limit - 1]
    at = getattr(last, moment) if moment else None
    return Page(found[:limit], _write(at, last.pk, name), total)


def _first(
    rows: models.QuerySet[M],
    by: Sequence[str],
    count: int,
    split: Mapping[str, Sequence[str]],
) -> list[M]:
    """The first of each part are found by the index, and of those the first of all."""
    if not split or rows.query.is_empty():
        return list(rows.order_by(*by)[:count])
    columns = [name.lstrip("-") for name in by]
    parts = [
        rows.select_related(None)
        .filter(**{name: value})
        .order_by(*by)
        .values_list(*columns)[:count]
        for name, values in split.items()
        for value in values
    ]
    first = parts[0].union(*parts[1:], all=True).order_by(*by)[:count]
    return list(rows.filter(pk__in=[row[-1] for row in first]).order_by(*by))


def _following(moment: str, at: datetime | None, pk: Any, after: str) -> Q:
    """The moment alone bounds the index: an `or` does not, and reads all pages before."""
    beyond = Q(**{f"pk__{after}": pk})
    if not moment:
        return beyond
    within = Q(**{f"{moment}__{after}e": at})
    return within & (Q(**{f"{moment}__{after}": at}) | beyond)


def _total(request: Request, rows: models.QuerySet[Any]) -> int | None:
    text = request.query_params.get("include_total", "false")
    if text not in {"true", "false"}:
        raise ValidationError({"include_total": "true or false."})
    return rows.count() if text == "true" else None


def limit_of(request: Request) -> int:
    """How many rows were asked for. Raises ValidationError."""
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise ValidationError({"limit": f"A whole number from 1 to {MAX_LIMIT}."})
    return int(text)


def _write(at: datetime | None, pk: Any, name: str) -> str:
    return signing.dumps(
        [at.isoformat() if at else None, pk], salt=f"cursor:{name}", compress=True
    )


def _read(cursor: str, name: str, *, has_moment: bool) -> tuple[datetime | None, Any]:
    try:
        text, pk = signing.loads(cursor, salt=f"cursor:{name}")
        at = parse_datetime(text) if text else None
        is_ours = (at is not None) == has_moment
    except (signing.BadSignature, ValueError, TypeError):
        is_ours = False
    if not is_ours:
        raise ValidationError(
            {"cursor": "This cursor is not of this list. Start without one."}
        )
    return at, pk
