"""What endpoints are owed, counted no further than people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from webhooks.models import Delivery

# Further than this nothing is counted; an endpoint that was away for a week is owed millions.
MOST = 1_000

# One statement for all of them, each count by the index of its lane.
COUNT_WAITING = """
select e.id,
       (select count(*) from (select from webhooks_delivery d
                               where d.endpoint_id = e.id and d.state = 'pending' and d.attempts = 0
                               limit %(most)s) f),
       (select count(*) from (select from webhooks_delivery d
                               where d.endpoint_id = e.id and d.state = 'pending' and d.attempts > 0
                               limit %(most)s) r)
  from unnest(%(ids)s::bigint[]) e(id)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries owed to one endpoint: not tried yet, and to be tried again. Each at most MOST."""

    first: int = 0
    again: int = 0

    @property
    def count(self) -> int:
        return min(self.first + self.again, MOST)

    @property
    def is_more(self) -> bool:
        return self.first + self.again >= MOST


def count_waiting(endpoint_ids: Collection[int]) -> dict[int, Waiting]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_WAITING, {"ids": list(endpoint_ids), "most": MOST})
        return {row[0]: Waiting(row[1], row[2]) for row in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far deliveries are that somebody had sent again together.

    waiting: not tried since. again: tried, and to be tried once more.
    """

    count: int
    delivered: int
    waiting: int
    again: int
    failed: int

    @property
    def is_over(self) -> bool:
        return not self.waiting


def progress_of(resent_at: datetime) -> Progress:
    rows = Delivery.objects.filter(resent_at=resent_at)
    found = Counter(
        (state, state == Delivery.State.PENDING and attempts > 0)
        for state, attempts in rows.values_list("state", "attempts")
    )
    return Progress(
        count=found.total(),
        delivered=found[Delivery.State.DELIVERED, False],
        waiting=found[Delivery.State.PENDING, False],
        again=found[Delivery.State.PENDING, True],
        failed=found[Delivery.State.FAILED, False]
        + found[Delivery.State.SKIPPED, False],
    )
