"""Keyset cursors: opaque to whoever reads the URL, the last row's sort values to us."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from django.core.exceptions import BadRequest
from django.db.models import Q


def encode_cursor(moment: datetime, pk: int) -> str:
    plain = f"{moment.isoformat()} {pk}".encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, int]:
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
    """Later than a row, soonest first."""
    return Q((f"{name}__gte", moment)) & (Q((f"{name}__gt", moment)) | Q(pk__gt=pk))
