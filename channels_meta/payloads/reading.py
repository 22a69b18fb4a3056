"""What an item is read with, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from channels_meta.payloads.values import read_moment
from inbox.inbound import Item

# Moments outside this span around their arrival are a fault, not a time.
EARLIEST = datetime(2004, 2, 4, tzinfo=UTC)
FUTURE_TOLERANCE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Parsed:
    """One update of a body.

    kind: the channel kind of the body's `object`; "" if it did not say.
    accounts: ids of ours it may be addressed to, likeliest first; empty if it is for nobody.
    item: what to store; None if there is nothing to store.
    label: what it is, for the journal. error: why it could not be read.
    """

    kind: str
    accounts: tuple[str, ...]
    item: Item | None
    label: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What an item inherits from its body and entry."""

    kind: str
    account: str
    received_at: datetime
    entry_time: Any
    standby: bool = False

    def moment(self, *candidates: Any) -> datetime:
        """The first candidate that is a time; else the entry's; else when it arrived."""
        for candidate in (*candidates, self.entry_time):
            moment = read_moment(candidate)
            if moment and EARLIEST <= moment <= self.received_at + FUTURE_TOLERANCE:
                return moment
        return self.received_at
