"""One open page: what waits to be told to it, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from inbox.live import KEPT, Change
from inbox.stream.readers import Reader

if TYPE_CHECKING:
    from inbox.stream.boards import Board

# Changes a slow page may be behind before it is told to start over; and frames drawn for it.
QUEUE_LIMIT = 500
MOST_READY = 50
# Kinds after which the views may hold other numbers.
COUNTED = frozenset({"conversation", "channel"})


@dataclass(eq=False)
class Listener:
    """Changes wait in `pending` until the gathering time is over, what was drawn in `ready`.

    board: the list that it shows; None for a page without one, which asks for rows itself.
    is_ear: a page that nobody looks at, and that only wants to notify.
    """

    reader: Reader
    board: Board | None = None
    is_ear: bool = False
    pending: dict[tuple[str, int, int | None], tuple[str, Change]] = field(
        default_factory=dict
    )
    ready: list[bytes] = field(default_factory=list)
    must_reset: bool = False
    # What the agent may do or wants has changed: the session is to be looked at again.
    is_in_doubt: bool = False
    # The numbers it was told last, and whether its agent's own may be others by now.
    told: Mapping[str, str] = field(default_factory=dict)
    is_counting: bool = True
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, entry_id: str, change: Change) -> None:
        if change.kind == "agent":
            if change.id in {0, self.reader.agent_id}:
                self.is_in_doubt = True
                self.woken.set()
            return
        if change.only and self.reader.agent_id not in change.only:
            return
        if change.kind == "notify":
            wish = self.reader.wish(change)
            if not wish:
                return
            change = replace(change, what=wish)
        elif change.kind in COUNTED and change.assignee_id == self.reader.agent_id:
            self.is_counting = True
        if self.is_ear and change.kind != "notify":
            return
        # In the order of their entries: the last frame's id is where the page goes on.
        self.pending.pop(change.key, None)
        self.pending[change.key] = (entry_id, change)
        if len(self.pending) > QUEUE_LIMIT:
            self.reset()
        self.woken.set()

    def show(self, frame: bytes) -> None:
        """What was drawn for it."""
        self.ready.append(frame)
        if len(self.ready) > MOST_READY:
            self.reset()
        self.woken.set()

    def show_counts(self, counts: Mapping[str, str]) -> None:
        if counts != self.told:
            self.told = counts
            self.show(frame_of("counts", counts))

    def reset(self) -> None:
        self.pending.clear()
        self.ready.clear()
        self.must_reset = True
        self.woken.set()

    def take(self) -> bytes:
        """All that is waiting, as server-sent events."""
        self.woken.clear()
        if self.must_reset:
            self.must_reset = False
            self.pending.clear()
            self.ready.clear()
            return frame_of("reset", {})
        # Before its rows were drawn a page has not heard of a change: it could not go on from there.
        has_heard = self.board is None or not self.board.is_drawing
        frames = b"".join(self.ready)
        for entry_id, change in self.pending.values():
            place = entry_id if has_heard else ""
            frames += _frames(place, change, self.board is None)
        self.pending.clear()
        self.ready.clear()
        return frames


def frame_of(name: str, data: Mapping[str, Any], entry_id: str = "") -> bytes:
    """One server-sent event. entry_id: where a page that has heard it goes on, "" for where it was."""
    place = f"id: {entry_id}\n" if entry_id else ""
    return f"{place}event: {name}\ndata: {json.dumps(data)}\n\n".encode()


# Drawn once for all the pages that hear of it.
@lru_cache(maxsize=KEPT)
def _frames(entry_id: str, change: Change, asks_for_rows: bool) -> bytes:
    data: dict[str, Any] = {"id": change.id}
    names = [change.kind]
    if change.kind == "conversation":
        data["rev"] = change.revision
        names = ["conversation", "thread"] if asks_for_rows else ["thread"]
    elif change.kind == "notify":
        data["kind"] = change.what
    elif change.kind == "presence":
        data |= {"who": change.by, "what": change.what}
    return b"".join(frame_of(name, data, entry_id) for name in names)
