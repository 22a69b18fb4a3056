"""Keyset cursors: opaque to whoever reads the URL, the last row's sort values to us."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import BadRequest
from django.db.models import Model, Q

# Where a row stands: its moment, and its key among those of one moment.
Place = tuple[datetime, int]


def encode_cursor(moment: datetime, pk: int) -> str:
    plain = f"{moment.isoformat()} {pk}".encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def decode_cursor(cursor: str) -> Place:
    """Raises BadRequest for what we did not write."""
    try:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, pk = plain.rsplit(" ", 1)
        parsed = datetime.fromisoformat(moment)
        if parsed.tzinfo is None or abs(int(pk)) >= 2**63:
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise BadRequest("bad cursor") from error
    return parsed, int(pk)


def keyset_before(name: str, moment: datetime, pk: int) -> Q:
    """Older than a row, newest first. The first half is what an index can start from."""
    return Q((f"{name}__lte", moment)) & (Q((f"{name}__lt", moment)) | Q(pk__lt=pk))


def keyset_after(name: str, moment: datetime, pk: int) -> Q:
    """Newer than a row, the other way round."""
    return Q((f"{name}__gte", moment)) & (Q((f"{name}__gt", moment)) | Q(pk__gt=pk))


@dataclass(frozen=True, slots=True)
class Keyset:
    """An order that a list can be cut by: its fields and then the primary key, all one way.

    fields: of moments or whole numbers. slug: written into the cursors, so that none of one
    order is taken for one of another.
    """

    slug: str
    fields: tuple[str, ...]
    is_descending: bool = True

    @property
    def ordering(self) -> list[str]:
        sign = "-" if self.is_descending else ""
        return [f"{sign}{name}" for name in (*self.fields, "id")]

    def values_of(self, row: Model) -> list[datetime | int]:
        return [getattr(row, name) for name in self.fields]

    def cursor_of(self, row: Model) -> str:
        values = [
            one.isoformat() if isinstance(one, datetime) else one
            for one in self.values_of(row)
        ]
        plain = json.dumps([self.slug, *values, row.pk]).encode()
        return base64.urlsafe_b64encode(plain).decode().rstrip("=")

    def after(self, cursor: str) -> Q:
        """What stands behind the cursor's row. Raises BadRequest for what we did not write."""
        try:
            plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            slug, *written = json.loads(plain)
            values = [_parse(value) for value in written]
            if slug != self.slug or len(values) != len(self.fields) + 1:
                raise ValueError
        except (ValueError, TypeError, binascii.Error, RecursionError) as error:
            raise BadRequest("bad cursor") from error
        return self._beyond([*self.fields, "id"], values)

    def _beyond(self, names: list[str], values: list[datetime | int]) -> Q:
        """The first half of each step is what an index can start from."""
        less = "lt" if self.is_descending else "gt"
        name, value = names[0], values[0]
        beyond = Q((f"{name}__{less}", value))
        if len(names) == 1:
            return beyond
        return Q((f"{name}__{less}e", value)) & (
            beyond | self._beyond(names[1:], values[1:])
        )


def _parse(value: object) -> datetime | int:
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError
    return moment
