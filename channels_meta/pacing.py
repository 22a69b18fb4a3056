"""How fast we call Meta: each account's own pace, kept ahead of the published limits.

One token bucket per account and lane, in Redis so that all workers share it; one script, one
round trip. What Meta says of our usage slows an account down and stops it before Meta does.
Without Redis each process keeps buckets of its own, at a safe share of the pace.

Sources: Graph API rate limiting and Messenger's rate limits of 2026-03-23 (contract 7.1).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings

from channels_meta.assumptions import assume
from channels_meta.errors import THROTTLED, uses_of
from inbox.channels import ErrorClass, Scope, SendError
from inbox.redis import redis_client

logger = logging.getLogger(__name__)

# Percent of a limit from which an account goes slower, and at which it stops for a while.
SLOW_PERCENT = 80
STOP_PERCENT = 95
# Just below the stop an account goes at this part of its pace.
SLOWEST = 10
# How long a usage header counts, and how long to rest at the stop or beyond the limit where Meta
# does not say.
USAGE_LASTS = timedelta(minutes=1)
REST = timedelta(minutes=5)
# Nobody is sent away for longer than this: those before may have given up their turn.
LONGEST_WAIT = timedelta(seconds=30)
# How many processes may share an account's pace while they cannot talk to each other.
PROCESSES = 10
# How long to do without Redis after it failed, rather than wait for it at every call.
DO_WITHOUT = 5.0


class Lane(StrEnum):
    """Calls that share a limit."""

    MESSENGER = "messenger"
    INSTAGRAM = "instagram"
    MEDIA = "media"
    PRIVATE_REPLIES = "private_replies"
    CONVERSATIONS = "conversations"
    ONE_CONVERSATION = "one_conversation"
    MESSENGER_PROFILE = "messenger_profile"
    OTHER = "other"


SENDING = frozenset({Lane.MESSENGER, Lane.INSTAGRAM, Lane.MEDIA, Lane.PRIVATE_REPLIES})


@dataclass(frozen=True, slots=True)
class Pace:
    """burst at once, then one per interval: within any `per` never more than the limit."""

    burst: int
    interval: timedelta

    @classmethod
    def below(cls, limit: int, per: timedelta) -> Pace:
        """A fifth of the limit at once, the rest evenly."""
        burst = max(1, limit // 5)
        return cls(burst, per / max(1, limit - burst))


SECOND = timedelta(seconds=1)


def pace_of(lane: Lane) -> Pace:
    match lane:
        case Lane.MESSENGER:
            return Pace.below(assume("MESSENGER_SENDS_PER_SECOND"), SECOND)
        case Lane.INSTAGRAM:
            return Pace.below(assume("INSTAGRAM_SENDS_PER_SECOND"), SECOND)
        case Lane.MEDIA:
            return Pace.below(10, SECOND)
        case Lane.PRIVATE_REPLIES:
            return Pace.below(750, timedelta(hours=1))
        case Lane.CONVERSATIONS | Lane.ONE_CONVERSATION:
            # Half of 2 a second each: what is asked about single people, however much it is,
            # never keeps the walk through an account's history from going on.
            return Pace(1, SECOND)
        case Lane.MESSENGER_PROFILE:
            return Pace.below(10, timedelta(minutes=10))
        case Lane.OTHER:
            return Pace(50, SECOND / 50)


# Usage of one kind of limit concerns one family of calls.
_TYPES = {
    "messenger": ("send",),
    "pages": ("other",),
    "instagram": ("send", "other"),
}


def _family(lane: Lane) -> str:
    return "send" if lane in SENDING else "other"


def require_turn(channel_id: int, lane: Lane) -> None:
    """Take a turn. Raises THROTTLED where there is none: about this message alone while the
    account merely keeps its pace, about the channel where its usage makes it stop sending."""
    wait, stopped = _take(channel_id, lane)
    if wait is None:
        return
    scope = Scope.CHANNEL if stopped and lane in SENDING else Scope.MESSAGE
    code = "usage" if stopped else "paced"
    raise SendError(
        ErrorClass.THROTTLED, THROTTLED, code=code, retry_after=wait, scope=scope
    )


# KEYS: the bucket, the usage. ARGV: burst, interval, slow, stop, slowest, longest wait, life (µs,
# percent, ms). Returns how long to wait (µs), and 1 if usage is what stops it.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local burst, interval = tonumber(ARGV[1]), tonumber(ARGV[2])
local slow, stop = tonumber(ARGV[3]), tonumber(ARGV[4])
local usage = tonumber(redis.call('GET', KEYS[2]) or '0')
if usage >= stop then
    return {redis.call('PTTL', KEYS[2]) * 1000, 1}
end
if usage >= slow then
    interval = interval * (1 + (tonumber(ARGV[5]) - 1) * (usage - slow + 1) / (stop - slow))
end
local kept = redis.call('HMGET', KEYS[1], 'full_at', 'turn')
local full_at = math.max(tonumber(kept[1]) or 0, now)
local free_at = full_at - interval * (burst - 1)
local wait = 0
if free_at <= now then
    redis.call('HSET', KEYS[1], 'full_at', string.format('%.0f', full_at + interval))
else
    local turn = math.max(tonumber(kept[2]) or 0, free_at)
    turn = math.min(turn, now + tonumber(ARGV[6]))
    redis.call('HSET', KEYS[1], 'turn', string.format('%.0f', turn + interval))
    wait = math.max(1, turn - now)
end
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return {math.ceil(wait), 0}
"""


def _take(channel_id: int, lane: Lane) -> tuple[timedelta | None, bool]:
    """How long to wait, None for not at all; and whether usage is the reason."""
    pace = pace_of(lane)
    if _redis_is_there():
        interval = max(1, _microseconds(pace.interval))
        longest = _microseconds(LONGEST_WAIT)
        life = (pace.burst * interval + longest) // 1000 + 60_000
        try:
            wait, stopped = _script(settings.REDIS_URL)(
                keys=[
                    _bucket_key(channel_id, lane),
                    _usage_key(channel_id, _family(lane)),
                ],
                args=[
                    pace.burst,
                    interval,
                    SLOW_PERCENT,
                    STOP_PERCENT,
                    SLOWEST,
                    longest,
                    life,
                ],
            )
            return timedelta(microseconds=wait) if wait else None, bool(stopped)
        except redis.RedisError as error:
            _do_without(error)
    return _buckets.take(channel_id, lane, pace), False


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


# --- what Meta says of our usage -----------------------------------------------------------------


def note_usage(channel_id: int, app_usage: Any, business_usage: Any) -> None:
    """Remember how near an account is to its limits, from the headers of any answer.

    app_usage: X-App-Usage of either host; their keys differ. business_usage:
    X-Business-Use-Case-Usage. Shapes that are not understood say nothing.
    """
    percents, rests = read_usage(app_usage, business_usage)
    busy = {name: p for name, p in percents.items() if p >= SLOW_PERCENT}
    if not busy:
        return
    logger.warning("graph.busy channel=%s percent=%s", channel_id, max(busy.values()))
    if not _redis_is_there():
        return
    try:
        with redis_client(seconds=0.5).pipeline(transaction=False) as pipeline:
            for family, percent in busy.items():
                pipeline.set(
                    _usage_key(channel_id, family),
                    percent,
                    px=_rest(percent, rests.get(family)),
                )
            pipeline.execute()
    except redis.RedisError as error:
        _do_without(error)


def busy_percent(channel_id: int) -> int | None:
    """How near an account is to a limit of Meta's; None while it is far from all of them."""
    if not _redis_is_there():
        return None
    keys = [_usage_key(channel_id, family) for family in ("send", "other")]
    try:
        found: list[bytes | None] = redis_client(seconds=0.5).mget(keys)  # type: ignore[assignment]  # redis-py also types the async answer
    except redis.RedisError as error:
        _do_without(error)
        return None
    return max((int(percent) for percent in found if percent), default=None)


def _rest(percent: int, asked: timedelta | None) -> timedelta:
    if asked:
        return asked
    return REST if percent >= 100 else USAGE_LASTS


def read_usage(
    app_usage: Any, business_usage: Any
) -> tuple[dict[str, int], dict[str, timedelta]]:
    """Percent used, and how long Meta asks to rest, by family of calls."""
    percents: dict[str, int] = {}
    rests: dict[str, timedelta] = {}
    if isinstance(app_usage, Mapping):
        percents = dict.fromkeys(("send", "other"), _highest(app_usage.values()))
    for use in uses_of(business_usage):
        minutes = _highest([use.get("estimated_time_to_regain_access")])
        counts = [use.get(key) for key in ("call_count", "total_time", "total_cputime")]
        percent = 100 if minutes else _highest(counts)
        for family in _TYPES.get(str(use.get("type")), ("send", "other")):
            percents[family] = max(percents.get(family, 0), percent)
            if minutes:
                rest = timedelta(minutes=minutes)
                rests[family] = max(rests.get(family, rest), rest)
    return percents, rests


def _highest(values: Iterable[Any]) -> int:
    numbers = (int(v) for v in values if isinstance(v, int | float))
    return max((n for n in numbers if n > 0), default=0)


# --- Redis, and without it -----------------------------------------------------------------------

# Address to the moment (monotonic) from which it is asked again.
_away_until: dict[str, float] = {}


def _redis_is_there() -> bool:
    return time.monotonic() >= _away_until.get(settings.REDIS_URL, 0.0)


def _do_without(error: redis.RedisError) -> None:
    _away_until[settings.REDIS_URL] = time.monotonic() + DO_WITHOUT
    logger.warning("pacing.alone error=%s", type(error).__name__)


@lru_cache(maxsize=4)
def _script(url: str) -> Any:
    return redis_client(seconds=0.5).register_script(_TAKE)


def _bucket_key(channel_id: int, lane: Lane) -> str:
    return f"dexra:pace:{channel_id}:{lane}"


def _usage_key(channel_id: int, family: str) -> str:
    return f"dexra:usage:{channel_id}:{family}"


@dataclass(slots=True)
class _Buckets:
    """This process's own, for while Redis is away."""

    full_at: dict[tuple[int, Lane], float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, channel_id: int, lane: Lane, pace: Pace) -> timedelta | None:
        interval = pace.interval.total_seconds() * PROCESSES
        burst = max(1, pace.burst // PROCESSES)
        moment = time.monotonic()
        with self.lock:
            full_at = max(self.full_at.get((channel_id, lane), 0.0), moment)
            free_at = full_at - interval * (burst - 1)
            if free_at <= moment:
                self.full_at[channel_id, lane] = full_at + interval
                return None
        return min(timedelta(seconds=free_at - moment), LONGEST_WAIT)


_buckets = _Buckets()
