"""What the people did to their reply windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from inbox.inbound.batch import Batch, execute_rows
from inbox.inbound.items import Act, Arrival, InboundMessage, ReactionChange

# A window that an ad promised begins with the first message after the click, in this batch or
# in one to come; until then the person keeps the promise.
MOVE_WINDOWS = """
update inbox_channelidentity i
   set last_inbound_at = greatest(i.last_inbound_at, k.acted_at),
       window_reason = case when k.expires_at > coalesce(i.window_expires_at, '-infinity')
                            then k.reason else i.window_reason end,
       window_expires_at = greatest(i.window_expires_at, k.expires_at),
       probable_until = greatest(i.probable_until, k.probable_until,
                                 k.wrote_at + coalesce(k.long_window, i.coming_window)),
       coming_window = case when k.coming_window is not null then k.coming_window
                            when k.wrote_at is not null then null else i.coming_window end
  from json_to_recordset(%s)
       k(id bigint, acted_at timestamptz, expires_at timestamptz, reason text,
         probable_until timestamptz, wrote_at timestamptz, long_window interval,
         coming_window interval)
 where i.id = k.id
"""


@dataclass(slots=True)
class Move:
    """What one person did in this batch.

    acted_at, expires_at, reason: the newest act that opens the usual window. probable_until: of
    acts that may have opened one. wrote_at: when the first message came, or the first after the
    click on an ad, that opens a long_window. coming_window: what the next message opens.
    """

    acted_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str = ""
    probable_until: datetime | None = None
    wrote_at: datetime | None = None
    long_window: timedelta | None = None
    coming_window: timedelta | None = None

    def as_row(self, identity_id: int) -> dict[str, Any]:
        return {
            "id": identity_id,
            "acted_at": self.acted_at,
            "expires_at": self.expires_at,
            "reason": self.reason,
            "probable_until": self.probable_until,
            "wrote_at": self.wrote_at,
            "long_window": _seconds(self.long_window),
            "coming_window": _seconds(self.coming_window),
        }


def _seconds(span: timedelta | None) -> str | None:
    return f"{span.total_seconds():.0f} seconds" if span is not None else None


def move_windows(batch: Batch) -> None:
    """The newest act of each person decides; a clock that is ahead of ours extends nothing."""
    moves: dict[int, Move] = {}
    for arrival in batch.arrivals:
        item = arrival.item
        if not isinstance(item, InboundMessage | Act | ReactionChange):
            continue
        if not item.opens_window and item.probable_window is None:
            continue
        identity_id = batch.identity_of(arrival.channel_id, item.person_id)
        if identity_id is not None:
            _add(batch, moves.setdefault(identity_id, Move()), arrival, item)
    if not moves:
        return
    rows = [move.as_row(identity_id) for identity_id, move in sorted(moves.items())]
    execute_rows(MOVE_WINDOWS, rows)
    for identity_id in moves:
        if identity_id in batch.conversations:
            batch.touch(batch.conversations[identity_id])  # it keeps a copy


def _add(
    batch: Batch,
    move: Move,
    arrival: Arrival,
    item: InboundMessage | Act | ReactionChange,
) -> None:
    said_at = item.sent_at if isinstance(item, InboundMessage) else item.at
    acted_at = min(said_at, arrival.received_at)
    if item.opens_window and (move.acted_at is None or acted_at > move.acted_at):
        lasts = batch.channels[arrival.channel_id].adapter.standard_window
        move.acted_at, move.expires_at = acted_at, acted_at + lasts
        move.reason = item.opens_window
    if isinstance(item, ReactionChange):
        if item.probable_window is not None:
            until = acted_at + item.probable_window
            move.probable_until = max(move.probable_until or until, until)
    elif isinstance(item, InboundMessage) and item.opens_window == "message":
        if arrival.recovered != "history":  # it came before the click that promised
            _write(move, acted_at, item.probable_window)
    elif item.probable_window is not None:
        move.coming_window = item.probable_window


def _write(move: Move, at: datetime, promised: timedelta | None) -> None:
    """A message: it opens what was promised with it, or before it."""
    window, move.coming_window = promised or move.coming_window, None
    if window is not None:
        move.wrote_at, move.long_window = at, window
    elif move.wrote_at is None or (move.long_window is None and at < move.wrote_at):
        move.wrote_at = at
