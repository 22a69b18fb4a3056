"""What a channel remembers: imported on connect, compared now and then, fetched for a stranger.

Events are the rule, this is the net below it. A walk (`Import`) goes through the channel's
conversations, newest first, a page at a time; the row keeps the place. What is stored already
changes nothing, what was unsent or erased stays so: `inbox.inbound.receive` sees to both.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import redis
from celery import shared_task
from django.db import DataError, IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox import live
from inbox.bell import ring, ring_after_commit
from inbox.channels import Ability, ErrorClass, SendError
from inbox.conversations import refresh
from inbox.delivery import stop_channel
from inbox.events import Event, EventName
from inbox.inbound import (
    Arrival,
    Echo,
    InboundMessage,
    Item,
    ReactionChange,
    receive,
    take_turn,
)
from inbox.inbound.batch import look_up
from inbox.models import (
    Channel,
    ChannelIdentity,
    Conversation,
    Direction,
    Import,
    Message,
    MessageType,
    Source,
    Status,
)
from inbox.redis import redis_client

logger = logging.getLogger(__name__)

# How far back a newly connected account is imported.
IMPORT_SPAN = timedelta(days=90)
# What is younger is on its way as an event, and not missing yet.
GRACE = timedelta(minutes=1)
# A check looks a little further back than to where the one before it began.
OVERLAP = timedelta(minutes=10)
CHECK_EVERY = timedelta(days=1)
# Silence is no shorter than this, and this many times the channel's usual gap.
MIN_SILENCE = timedelta(minutes=30)
SILENT_GAPS = 8
# While a silent channel turns out to have missed something, it is looked at this often.
CHECK_AGAIN = timedelta(hours=1)
# Conversations by which the usual gap is measured, and over which time.
GAP_SAMPLE = 50
GAP_SPAN = timedelta(days=14)
# Our own absence from here on is an outage: events may have been refused.
ABSENCE = timedelta(minutes=15)

LEASE = timedelta(seconds=120)
RUN_SECONDS = 10
MAX_ATTEMPTS = 8
# Longer waits are left to the sweeper.
RUNG_WITHIN = timedelta(seconds=60)

# What a channel remembers; nothing else is taken from it.
Remembered = InboundMessage | Echo | ReactionChange
# How a message was found: an event should have told us, or it is from before our time.
MISSED, HISTORY = "missed", "history"
# The line in the thread that says so.
_LINES = {MISSED: "recovered", HISTORY: "earlier"}

_LAST_SEEN = "dexra:history:seen"
_POISON = (DataError, IntegrityError, ArithmeticError, AttributeError, LookupError, TypeError,
           ValueError)  # fmt: skip
_FOR_GOOD = {
    ErrorClass.BAD_REQUEST,
    ErrorClass.PERMISSION,
    ErrorClass.POLICY,
    ErrorClass.GONE,
    ErrorClass.UNAVAILABLE,
}

DISCONNECTED = _("The account was disconnected before this was finished.")


# --- start ---------------------------------------------------------------------------------------


def start_import(
    channel: Channel, reason: Import.Reason, *, since: datetime | None = None
) -> Import | None:
    """Begin a walk through what the channel remembers, or widen the one that is under way.

    since: how far back; by default 90 days for a new account, else to the last check. None for
    a channel that remembers nothing.
    """
    if Ability.HISTORY not in channel.adapter.abilities(channel):
        return None
    with transaction.atomic():
        Channel.objects.select_for_update().get(pk=channel.pk)
        running = Import.objects.filter(channel=channel, state=Import.State.RUNNING)
        last = _last_finished(channel)
        if reason == Import.Reason.CONNECTED and last is not None:
            # Reconnected in place: what came in between is news, not history.
            reason = Import.Reason.OUTAGE
        since = since or _since(channel, reason, last)
        run = running.select_for_update().first()
        if run is None:
            run = Import.objects.create(channel=channel, reason=reason, since=since)
        elif run.since and since < run.since:
            run.since = since
            run.save(update_fields=["since"])
        ring_after_commit(run_imports)
        live.publish_after_commit([live.Change("channel", channel.pk)])
    return run


def _last_finished(channel: Channel) -> Import | None:
    done = Import.objects.filter(channel=channel, state=Import.State.DONE)
    return done.order_by("-id").first()


def _since(channel: Channel, reason: str, last: Import | None) -> datetime:
    if reason == Import.Reason.CONNECTED:
        return now() - IMPORT_SPAN
    checked_at = last.started_at if last else channel.created_at
    return checked_at - OVERLAP


# --- walk ----------------------------------------------------------------------------------------


@shared_task(name="inbox.history.run_imports")
def run_imports() -> None:
    """Take the imports that are due a page further, in turn. Ringing it twice changes nothing."""
    end = time.monotonic() + RUN_SECONDS
    while (run := _claim()) is not None:
        if _due().exists():
            ring(run_imports)  # a slow channel delays nobody else
        _advance(run)
        if time.monotonic() > end:
            ring(run_imports)
            return


def _due() -> QuerySet[Import]:
    moment = now()
    return Import.objects.filter(
        Q(channel__blocked_until=None) | Q(channel__blocked_until__lte=moment),
        state=Import.State.RUNNING,
        due_at__lte=moment,
        channel__status=Channel.Status.ACTIVE,
    )


@transaction.atomic
def _claim() -> Import | None:
    """The import that waits longest, leased: if its worker dies, the sweeper finds it again."""
    run = (
        _due()
        .select_for_update(of=("self",), skip_locked=True)
        .select_related("channel")
        .order_by("due_at", "id")
        .first()
    )
    if run is not None:
        run.due_at = now() + LEASE
        run.attempts += 1
        run.save(update_fields=["due_at", "attempts"])
    return run


def _advance(run: Import) -> None:
    """One page: asked for without a transaction, stored in one with the new place."""
    channel = run.channel
    try:
        page = channel.adapter.fetch_history(channel, cursor=run.cursor)
    except SendError as error:
        _record_refusal(run, error)
        return
    with transaction.atomic():
        found = _store(channel, page.items, _horizon_of(run))
        run.conversations += page.conversations
        run.total = page.total or run.total
        run.messages += found.messages
        run.recovered += found.recovered
        run.reached = min(filter(None, (run.reached, page.oldest)), default=None)
        run.cursor = page.cursor
        run.attempts, run.error, run.due_at = 0, "", now()
        beyond = run.since and page.oldest and page.oldest < run.since
        if not page.cursor or beyond:
            run.state, run.finished_at = Import.State.DONE, now()
            logger.info(
                "history.done channel=%s reason=%s messages=%s recovered=%s",
                channel.pk,
                run.reason,
                run.messages,
                run.recovered,
            )
        run.save()
        live.publish_after_commit([live.Change("channel", channel.pk)])


def _record_refusal(run: Import, error: SendError) -> None:
    """A throttled walk waits, a cut-off one until the account is connected again: neither is a
    failed attempt."""
    wait = timedelta(seconds=5 * 2**run.attempts * (1 + random.random() / 4))  # noqa: S311 - jitter
    if error.error_class is ErrorClass.THROTTLED:
        run.attempts -= 1
        wait = error.retry_after or timedelta(minutes=1)
    elif error.error_class is ErrorClass.RECONNECT:
        run.attempts -= 1
        with transaction.atomic():
            stop_channel(run.channel_id, error)
    elif error.error_class in _FOR_GOOD or run.attempts >= MAX_ATTEMPTS:
        run.state, run.finished_at = Import.State.FAILED, now()
        logger.warning("history.failed channel=%s code=%s", run.channel_id, error.code)
    run.error = "" if error.error_class is ErrorClass.THROTTLED else str(error.detail)
    run.error = run.error[:300]
    run.due_at = now() + wait
    run.save(update_fields=["attempts", "state", "finished_at", "error", "due_at"])
    if run.state == Import.State.RUNNING and wait < RUNG_WITHIN:
        ring(run_imports, countdown=wait.total_seconds())
    live.publish([live.Change("channel", run.channel_id)])


# --- store ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Horizon:
    """news_from: what was said since then is news that the events missed; before, history.

    since: nothing older is stored; None: everything is.
    """

    news_from: datetime
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """messages: all that is new here. recovered: those that events should have told us of."""

    messages: int = 0
    recovered: int = 0


def _horizon_of(run: Import) -> Horizon:
    if run.reason == Import.Reason.CONNECTED:
        return Horizon(news_from=run.started_at)
    since = run.since or run.channel.created_at
    return Horizon(news_from=since, since=since)


def recover_thread(identity: ChannelIdentity) -> Found:
    """What this person wrote before the first message that we heard of, if the channel knows.

    Raises SendError.
    """
    channel = identity.channel
    page = channel.adapter.fetch_history(channel, person_id=identity.external_id)
    return _store(channel, page.items, Horizon(channel.created_at), says_so=True)


@transaction.atomic
def _store(
    channel: Channel,
    items: Sequence[Item],
    horizon: Horizon,
    *,
    says_so: bool = False,
) -> Found:
    """Hand over what is not stored yet, and put a line in each thread that had missed something.

    says_so: a line for history too.
    """
    take_turn()
    fresh = _unknown(channel, items, horizon)
    at = now()
    arrivals = [
        Arrival(channel.pk, at, item, recovered=_recovery(item, horizon))
        for item in fresh
    ]
    _receive_all(arrivals)
    kinds = {
        a.item.external_id: a.recovered
        for a in arrivals
        if isinstance(a.item, InboundMessage | Echo)
    }
    stored = Message.objects.filter(
        channel=channel,
        external_id__in=list(kinds),
        extra__recovered=True,
        deleted_at=None,
        is_stub=False,
    ).values_list("conversation_id", "external_id")
    counts = Counter((pk, kinds[mid or ""]) for pk, mid in stored if pk)
    _add_lines(
        channel,
        {key: n for key, n in counts.items() if says_so or key[1] == MISSED},
        at,
    )
    recovered = sum(n for (_pk, kind), n in counts.items() if kind == MISSED)
    return Found(counts.total(), recovered)


def _recovery(item: Remembered, horizon: Horizon) -> str:
    return MISSED if _said_at(item) >= horizon.news_from else HISTORY


def _said_at(item: Remembered) -> datetime:
    return item.sent_at if isinstance(item, InboundMessage | Echo) else item.at


def _unknown(
    channel: Channel, items: Iterable[Item], horizon: Horizon
) -> list[Remembered]:
    """Messages that are not stored, and reactions to any that are or will be."""
    young = now() - GRACE
    wanted = [
        item
        for item in items
        if isinstance(item, Remembered)
        and _said_at(item) <= young
        and (horizon.since is None or _said_at(item) >= horizon.since)
    ]
    known = look_up((channel.pk, item.external_id) for item in wanted)
    return [
        item
        for item in wanted
        if isinstance(item, ReactionChange)
        or (channel.pk, item.external_id) not in known
        or known[channel.pk, item.external_id].is_stub
    ]


def _receive_all(arrivals: Sequence[Arrival]) -> None:
    """Halve what cannot be stored until the culprit stands alone: it is left out."""
    try:
        receive(arrivals)
    except _POISON:
        if len(arrivals) == 1:
            logger.exception("history.poison channel=%s", arrivals[0].channel_id)
            return
        middle = len(arrivals) // 2
        _receive_all(arrivals[:middle])
        _receive_all(arrivals[middle:])


def _add_lines(
    channel: Channel, counts: Mapping[tuple[int, str], int], at: datetime
) -> None:
    """counts: of messages, by conversation and by how they were found."""
    Message.objects.bulk_create(
        Message(
            conversation_id=conversation_id,
            channel=channel,
            direction=Direction.EVENT,
            source=Source.SYSTEM,
            type=MessageType.EVENT,
            status=Status.SENT,
            extra={"event": _LINES[kind], "count": count},
            sent_at=at,
            received_at=at,
        )
        for (conversation_id, kind), count in sorted(counts.items())
    )
    refresh({conversation_id for conversation_id, _kind in counts})


# --- compare -------------------------------------------------------------------------------------


@shared_task(name="inbox.history.check_channels")
def check_channels() -> None:
    """Start a comparison for every channel that was silent, cut off or unchecked for too long."""
    moment = now()
    Import.objects.filter(
        state=Import.State.RUNNING, channel__status=Channel.Status.DISCONNECTED
    ).update(state=Import.State.FAILED, finished_at=moment, error=str(DISCONNECTED))
    were_away = _were_away(moment)
    channels = list(Channel.objects.filter(status=Channel.Status.ACTIVE))
    newest = Import.objects.order_by("channel_id", "-id").distinct("channel_id")
    last_of = {run.channel_id: run for run in newest}
    for channel in channels:
        last = last_of.get(channel.pk)
        reason = (
            Import.Reason.OUTAGE
            if were_away
            else _reason_to_check(channel, last, moment)
        )
        if reason is not None:
            start_import(channel, reason)
    ring(run_imports)


def _reason_to_check(
    channel: Channel, last: Import | None, moment: datetime
) -> Import.Reason | None:
    if last is None or last.started_at < moment - CHECK_EVERY:
        return Import.Reason.SCHEDULE
    heard_at = channel.last_event_at
    if heard_at is None or heard_at > moment - MIN_SILENCE:
        return None
    is_silent_since = heard_at + max(MIN_SILENCE, SILENT_GAPS * usual_gap(channel))
    # Once per silence; again while it turns out that events are missing.
    is_unchecked = last.started_at < is_silent_since or (
        last.recovered > 0 and last.started_at < moment - CHECK_AGAIN
    )
    if is_silent_since < moment and is_unchecked:
        return Import.Reason.SILENCE
    return None


def usual_gap(channel: Channel) -> timedelta:
    """How long it mostly takes until the next conversation of this channel has something new.

    By its liveliest conversations of the last two weeks; two weeks for a channel without any.
    """
    # The statuses are named so that the index knows all it is asked for.
    lively = Conversation.objects.filter(
        channel=channel,
        status__in=Conversation.Status.values,
        last_message_at__gte=now() - GAP_SPAN,
    ).order_by("-last_message_at")
    newest = list(lively.values_list("last_message_at", flat=True)[:GAP_SAMPLE])
    if len(newest) < 2:
        return GAP_SPAN
    return (newest[0] - newest[-1]) / (len(newest) - 1)


def check_reconnected(sender: object, events: Sequence[Event], **_: object) -> None:
    """Listens to inbox.events: an account that works again may have missed something."""
    back = {
        event.channel_id
        for event in events
        if event.name is EventName.CHANNEL_STATUS
        and event.details.get("status") == Channel.Status.ACTIVE
    }
    for channel in Channel.objects.filter(pk__in=back) if back else ():
        if Import.objects.filter(channel=channel).exists():
            start_import(channel, Import.Reason.OUTAGE)


def _were_away(moment: datetime) -> bool:
    """Whether nobody looked for so long that this installation must have been down."""
    try:
        seen = redis_client().set(_LAST_SEEN, int(moment.timestamp()), get=True)
    except redis.RedisError as error:
        logger.warning("history.seen error=%s", type(error).__name__)
        return False
    return seen is not None and int(seen) < (moment - ABSENCE).timestamp()


# --- progress ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """percent: None while nobody can tell."""

    run: Import
    percent: int | None

    @property
    def is_running(self) -> bool:
        return self.run.state == Import.State.RUNNING


def progress_of(channel: Channel) -> Progress | None:
    """How far the newest walk has come; None if there was none."""
    run = Import.objects.filter(channel=channel).order_by("-id").first()
    return Progress(run, _percent(run)) if run else None


def _percent(run: Import) -> int | None:
    """By number where the channel tells it, else by how far back in time it has come."""
    if run.state == Import.State.DONE:
        return 100
    if run.total:
        return min(99, 100 * run.conversations // run.total)
    if run.since and run.reached and run.since < run.started_at:
        way = (run.started_at - run.reached) / (run.started_at - run.since)
        return min(99, max(0, int(100 * way)))
    return None
