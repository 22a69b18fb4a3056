"""Meta's JSON to our dataclasses. Whatever comes, something comes out: an item, or a reason.

Source: Meta's webhook documentation of 2026 and live captures; the traps are told where
they are met. Ids may be numbers, times may be seconds, keys may be missing: nothing here
trusts a shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from channels_meta.payloads.changes import parse_change
from channels_meta.payloads.messaging import parse_messaging
from channels_meta.payloads.reading import Context, Parsed
from channels_meta.payloads.values import ItemError, as_list, load, read_id, shorten

__all__ = ["ItemError", "Parsed", "Told", "load", "parse", "read"]

# What a shape that nobody foresaw can raise. One item is lost to it at most, and kept raw.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

KIND_OF_OBJECT = {"page": "messenger", "instagram": "instagram"}


class Told(NamedTuple):
    """One update as it came, a part of the body's JSON; whose entry it was in; what it is."""

    raw: Any
    account: str
    parsed: Parsed


def parse(body: bytes, *, received_at: datetime) -> list[Parsed]:
    """Read one body. Raises ValueError if it is no JSON object at all."""
    return [told.parsed for told in read(load(body), received_at=received_at)]


def read(envelope: Any, *, received_at: datetime) -> list[Told]:
    """Each update of a body that was loaded. Raises ValueError if that is no JSON object."""
    if not isinstance(envelope, dict):
        raise ValueError("not a JSON object")
    kind = KIND_OF_OBJECT.get(str(envelope.get("object", "")), "")
    if not kind and "object" in envelope:
        label = f"ignored: object {shorten(envelope['object'])}"
        return [Told(envelope, "", Parsed("", (), None, label))]
    entries = envelope.get("entry")
    if not isinstance(entries, list):
        raise ValueError("no entry list")
    return [told for entry in entries for told in _read_entry(kind, entry, received_at)]


def _read_entry(kind: str, entry: Any, received_at: datetime) -> list[Told]:
    """One bad entry must not take its neighbours with it."""
    try:
        return list(_parse_entry(kind, entry, received_at))
    except UNREADABLE as error:
        parsed = Parsed(kind, (), None, "unreadable", f"{error}"[:300])
        return [Told(entry, "", parsed)]


def _parse_entry(kind: str, entry: Any, received_at: datetime) -> Iterator[Told]:
    if not isinstance(entry, Mapping):
        error = "an entry is not an object"
        yield Told(entry, "", Parsed(kind, (), None, "ignored: entry", error))
        return
    account = read_id(entry.get("id"))
    if account == "0":  # the dashboard's test button
        yield Told(entry, "", Parsed(kind, (), None, "ignored: dashboard test"))
        return
    context = Context(kind, account, received_at, entry.get("time"))
    standby = Context(kind, account, received_at, entry.get("time"), standby=True)
    count = 0
    for name, reading in (("messaging", context), ("standby", standby)):
        for raw in as_list(entry.get(name)):
            count += 1
            yield Told(raw, account, _guarded(reading, raw, parse_messaging))
    for change in _changes(entry):
        count += 1
        yield Told(change, account, _guarded(context, change, parse_change))
    if not count:
        what = "changed_fields" if "changed_fields" in entry else "empty entry"
        yield Told(entry, account, Parsed(kind, (), None, f"ignored: {what}"))


def _changes(entry: Mapping[str, Any]) -> list[Any]:
    """`changes[]`, or the documented flat form with `field` and `value` on the entry (trap 3)."""
    flat = (
        [{"field": entry["field"], "value": entry.get("value")}]
        if "field" in entry
        else []
    )
    return as_list(entry.get("changes")) + flat


_Reader = Callable[[Context, Mapping[str, Any]], Parsed]


def _guarded(context: Context, raw: Any, read: _Reader) -> Parsed:
    """One bad item must not take its neighbours with it."""
    accounts = (context.account,) if context.account else ()
    if not isinstance(raw, Mapping):
        return Parsed(
            context.kind, accounts, None, "unreadable", "an item is not an object"
        )
    try:
        return read(context, raw)
    except UNREADABLE as error:
        return Parsed(context.kind, accounts, None, "unreadable", f"{error}"[:300])
