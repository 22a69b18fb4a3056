"""From the journal to the inbox: claim, parse, route, hand over, mark; poison isolated per item."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db import (
    DataError,
    IntegrityError,
    OperationalError,
    connection,
    transaction,
)
from django.utils.timezone import now

from channels_meta.lanes import side_by_side
from channels_meta.models import Credential, RawEvent
from channels_meta.payloads import Parsed, parse
from channels_meta.redaction import forget_messages, note_mentions
from inbox.bell import answer_kick, kick_after_commit, ring
from inbox.fetching import fetch_due
from inbox.inbound import Arrival, InboundMessage, Received, receive
from inbox.inbound.batch import Key
from inbox.jsonb import dump
from inbox.models import Channel
from inbox.pipeline import fetch_together
from inbox.turns import TAKE_TURN, TURN

logger = logging.getLogger(__name__)

# One transaction's share of the journal.
CLAIM_ROWS = 1000
CLAIM_BYTES = 8 * 1024 * 1024
# From how many updates on a claim is stored in lanes.
WIDE = 200
# A task gives way after this long and rings again.
RUN_SECONDS = 10
PURGE_ROWS = 5000
# What cannot be stored however often it is tried.
POISON = (
    DataError,
    IntegrityError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
# SQLSTATE class of limits that a row exceeds (an index entry, a tsvector): poison too, although
# psycopg files it with lost connections.
PROGRAM_LIMIT = "54"

ASYNCHRONOUS = "select set_config('synchronous_commit', 'off', true)"

CLAIM = """
select id, body, extract(epoch from received_at)::float8 from (
    select id, body, received_at, sum(length(body)) over (order by id) as bytes,
           row_number() over (order by id) as n
      from (select id, body, received_at from channels_meta_rawevent
             where state = 'pending' order by id limit %s for update skip locked) locked) counted
 where bytes <= %s or n = 1
 order by id
"""

MARK = """
update channels_meta_rawevent r
   set state = k.state, object = k.object, outcomes = k.outcomes, error = k.error,
       attempts = r.attempts + 1, processed_at = now()
  from json_to_recordset(%s) k(id bigint, state text, object text, outcomes jsonb, error text)
 where r.id = k.id
"""


@dataclass(slots=True)
class Journalled:
    """One journal row and what became of each of its updates."""

    id: int
    body: bytes
    received_at: datetime
    object: str = ""
    outcomes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unrouted: bool = False

    @property
    def state(self) -> str:
        if self.errors:
            return RawEvent.State.FAILED
        return RawEvent.State.UNROUTED if self.unrouted else RawEvent.State.PROCESSED


@shared_task(name="channels_meta.processing.drain")
def drain() -> None:
    """Process the journal until it is empty. Ringing it twice, or often, changes nothing."""
    end = time.monotonic() + RUN_SECONDS
    while time.monotonic() < end:
        while drain_once():
            if time.monotonic() > end:
                ring(drain)
                return
        # A commit after this rings anew; one before it is seen by one more look.
        answer_kick(drain)
        if not drain_once():
            return


def drain_once() -> int:
    """Process one claim. Returns how many rows it had. A lost connection rolls all of it back."""
    try:
        return _process(is_last_try=False)
    except (*POISON, OperationalError) as error:
        if not is_poison(error):
            raise
    return _process(is_last_try=True)


@transaction.atomic
def _process(*, is_last_try: bool) -> int:
    """is_last_try: find out what cannot be stored, and store the rest."""
    rows = _claim()
    if not rows:
        return 0
    routed, channels = _route([update for row in rows for update in _read(row)])

    def store(some: Sequence[Routed]) -> list[Received]:
        return _hand_over(some, channels, is_last_try=is_last_try)

    _remember(routed, _store(routed, store))
    _mark(rows)
    return len(rows)


def _claim() -> list[Journalled]:
    """What is due, once it is our turn.

    The commit is not waited for: should PostgreSQL die before it is on disk, the claim is pending
    again. Whatever leaves the house (a send, a delivery) is committed for good first, and all
    before it with it.
    """
    claim = [CLAIM_ROWS, CLAIM_BYTES]
    *_, rows = fetch_together((ASYNCHRONOUS, ()), (TAKE_TURN, [TURN]), (CLAIM, claim))
    return [
        Journalled(row[0], bytes(row[1]), datetime.fromtimestamp(row[2], UTC))
        for row in rows
    ]


# --- parse and route -----------------------------------------------------------------------------


@dataclass(slots=True)
class Update:
    """One parsed update with its journal row, and its outcome's place there."""

    row: Journalled
    parsed: Parsed
    place: int

    def fail(self, reason: str) -> None:
        self.row.outcomes[self.place] = f"failed: {self.parsed.label}"
        self.row.errors.append(f"item {self.place + 1}: {reason}"[:500])


def _read(row: Journalled) -> Iterable[Update]:
    try:
        updates = parse(row.body, received_at=row.received_at)
    except ValueError as error:
        row.outcomes.append("failed: unreadable")
        row.errors.append(str(error)[:500])
        return
    for place, parsed in enumerate(updates):
        row.object = row.object or parsed.kind
        row.outcomes.append(parsed.label)
        update = Update(row, parsed, place)
        if parsed.error:
            update.fail(parsed.error)
        elif parsed.item is not None:
            yield update


Routed = tuple[Update, Arrival]


def _route(updates: Sequence[Update]) -> tuple[list[Routed], dict[int, Channel]]:
    """Find each update's channel by the first of its account ids that is ours."""
    ours = _channels_of({account for u in updates for account in u.parsed.accounts})
    lost = [u.parsed for u in updates if _channel_of(u.parsed, ours) is None]
    if lost:
        ours |= _linked_to({one for parsed in lost for one in parsed.accounts})
    routed = []
    for update in updates:
        channel = _channel_of(update.parsed, ours)
        if channel is None:
            update.row.unrouted = True
            update.row.outcomes[update.place] = f"unrouted: {update.parsed.label}"
            continue
        item = update.parsed.item
        assert item is not None  # noqa: S101 - _read yields no others
        arrival = Arrival(channel.pk, update.row.received_at, item, update.row.id)
        routed.append((update, arrival))
    return routed, {one.pk: one for found in ours.values() for one in found}


def _channels_of(accounts: set[str]) -> dict[str, list[Channel]]:
    """By account id: an Instagram account and a Page may have the same."""
    found: dict[str, list[Channel]] = defaultdict(list)
    for channel in Channel.objects.filter(external_id__in=accounts):
        found[channel.external_id].append(channel)
    return found


def _linked_to(pages: set[str]) -> dict[str, list[Channel]]:
    """The same for events that name the Page to which an Instagram account is linked: one page of
    the documentation has them so."""
    found: dict[str, list[Channel]] = defaultdict(list)
    linked = Credential.objects.filter(node_id__in=pages).select_related("channel")
    for credential in linked:
        found[credential.node_id].append(credential.channel)
    return found


def _channel_of(parsed: Parsed, ours: dict[str, list[Channel]]) -> Channel | None:
    for account in parsed.accounts:
        for channel in ours.get(account, ()):
            if not parsed.kind or channel.kind == parsed.kind:
                return channel
    return None


# --- hand over -----------------------------------------------------------------------------------


def _store(
    routed: Sequence[Routed], store: Callable[[Sequence[Routed]], list[Received]]
) -> list[Received]:
    """Everything of the claim, side by side where there is enough of it."""
    if len(routed) < WIDE:
        return store(routed)
    lanes = side_by_side(routed, person_of=_person_of, store=store)
    return [received for lane in lanes for received in lane]


def _person_of(routed: Routed) -> str:
    """The customer; "" for what names a message only: it comes when all messages are in.

    So do comments, which answer those of other people.
    """
    item = routed[1].item
    is_comment = isinstance(item, InboundMessage) and item.type == "comment"
    return "" if is_comment else getattr(item, "person_id", "")


def _hand_over(
    routed: Sequence[Routed], channels: Mapping[int, Channel], *, is_last_try: bool
) -> list[Received]:
    """Give everything to the inbox; halve what it refuses until the poison stands alone."""
    if not routed:
        return []
    try:
        received = receive(
            [arrival for _, arrival in routed],
            has_turn=True,
            channels=channels,
            is_last_try=is_last_try,
        )
    except (*POISON, OperationalError) as error:
        if not is_last_try or not is_poison(error):
            raise
        if len(routed) == 1:
            logger.exception("drain.poison raw_event=%s", routed[0][0].row.id)
            routed[0][0].fail(f"{type(error).__name__}: {error}")
            return []
        middle = len(routed) // 2
        return [
            *_hand_over(routed[:middle], channels, is_last_try=True),
            *_hand_over(routed[middle:], channels, is_last_try=True),
        ]
    if received.asks:
        kick_after_commit(fetch_due)
    return [received]


def is_poison(error: Exception) -> bool:
    if isinstance(error, OperationalError):
        return str(getattr(error.__cause__, "sqlstate", "")).startswith(PROGRAM_LIMIT)
    return isinstance(error, POISON)


def _mark(rows: Sequence[Journalled]) -> None:
    table = [
        {
            "id": row.id,
            "state": str(row.state),
            "object": row.object,
            "outcomes": row.outcomes,
            "error": "\n".join(row.errors),
        }
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.execute(MARK, [dump(table)])


def _remember(routed: Sequence[Routed], lanes: Sequence[Received]) -> None:
    """Where else a message is told of; then forget what must not be kept, repeats included."""
    note_mentions(mention for received in lanes for mention in received.mentions)
    erased = {key for received in lanes for key in received.erased}
    if erased:
        rows = [
            update.row.id for update, arrival in routed if _key_of(arrival) in erased
        ]
        forget_messages(erased, rows)


def _key_of(arrival: Arrival) -> Key:
    return arrival.channel_id, getattr(arrival.item, "external_id", "")


# --- keep and replay -------------------------------------------------------------------------------


def replay(rows: Any) -> int:
    """Put journal rows (a RawEvent queryset) back to pending; the inbox knows what it has."""
    count: int = rows.update(state=RawEvent.State.PENDING, error="")
    ring(drain)
    return count


@shared_task(name="channels_meta.processing.purge_raw_events")
def purge_raw_events() -> None:
    """Drop the journal's old rows (KEEP_JOURNAL_DAYS), a bounded batch at a time."""
    kept = timedelta(days=settings.KEEP_JOURNAL_DAYS)
    old = RawEvent.objects.filter(received_at__lt=now() - kept)
    old = old.exclude(state=RawEvent.State.PENDING).order_by("received_at")
    ids = list(old.values_list("pk", flat=True)[:PURGE_ROWS])
    RawEvent.objects.filter(pk__in=ids).delete()
    if len(ids) == PURGE_ROWS:
        ring(purge_raw_events)
