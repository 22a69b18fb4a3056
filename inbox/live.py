"""What open pages are told: ids after commit, published to one Redis stream.

Nothing but ids and revisions travels here. Entries carry channel, team and assignee, so that each
page is told only of what its agent may see, and wants to be notified of: `inbox.stream` reads them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis
from django.db import transaction

from inbox.redis import redis_client

logger = logging.getLogger(__name__)

STREAM = "dexra:live"
# Agents with an open page, by the moment (Unix seconds) until which that is believed.
ONLINE = "dexra:online"
# Entries kept for pages that reconnect; older cursors get `reset`.
KEPT = 10_000
# A person has written whom an agent waited for: asked for by itself, so no preference silences it.
AWAITED = "awaited"


@dataclass(frozen=True, slots=True)
class Change:
    """One conversation, or one channel, is not as a page last saw it.

    Beside "conversation" and "channel" there are three kinds: "presence" (what: viewing, writing,
    left, claimed, released), "notify" (what: message, awaited, or a NotificationKind), both of a conversation,
    and "agent": what this agent may do or wants has changed, 0 for everybody's.
    by: the agent whose doing it is. only: the agents who alone are told; empty: all who may see it.
    It travels as a row of its fields, in this order.
    """

    kind: str
    id: int
    revision: int = 0
    channel_id: int | None = None
    team_id: int | None = None
    assignee_id: int | None = None
    what: str = ""
    by: int | None = None
    only: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, int, int | None]:
        """Of two changes with the same key a page needs only the later."""
        return self.kind, self.id, self.by


def publish(changes: Iterable[Change]) -> None:
    """Tell every web process. A Redis that is away is logged: pages poll, the sweeper repeats."""
    rows = [
        (
            c.kind,
            c.id,
            c.revision,
            c.channel_id,
            c.team_id,
            c.assignee_id,
            c.what,
            c.by,
            c.only,
        )
        for c in changes
    ]
    if not rows:
        return
    entry = json.dumps(rows)
    try:
        redis_client().xadd(STREAM, {"changes": entry}, maxlen=KEPT, approximate=True)
    except redis.RedisError as error:
        logger.warning("live.unheard error=%s", type(error).__name__)


def publish_after_commit(changes: Iterable[Change]) -> None:
    kept = list(changes)

    def publish_now() -> None:
        publish(kept)

    if kept:
        transaction.on_commit(publish_now)


def position() -> str:
    """The id of the newest entry, for a page to start listening after what it renders."""
    try:
        newest: Any = redis_client().xrevrange(STREAM, count=1)
    except redis.RedisError:
        return ""
    return newest[0][0].decode() if newest else "0-0"
