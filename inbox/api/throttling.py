"""How often one key, or one stranger, may call; and the headers that say so."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from inbox.redis import redis_client

if TYPE_CHECKING:
    from rest_framework.views import (
        APIView,  # which imports this module by its settings
    )

logger = logging.getLogger(__name__)

# So many calls per window, of each key and of each address that shows none.
QUOTA = 1200
WINDOW_SECONDS = 60
# A limit that does not hold is told once in this time, by each process.
ALARM_EVERY = 60

# A leaky bucket (GCRA) in one step, by Redis's own clock: calls that come at once are counted
# one after the other. Kept is the moment at which the bucket will be empty again.
COUNT = """
local quota, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local at = tonumber(time[1]) + tonumber(time[2]) / 1000000
local empty_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), at)
local wanted = empty_at + window / quota
local room = at + window - wanted
if room < 0 then
    return {0, 0, string.format('%.3f', empty_at - at), string.format('%.3f', -room)}
end
redis.call('SET', KEYS[1], string.format('%.6f', wanted), 'PX', math.ceil((wanted - at) * 1000))
return {1, math.floor(room * quota / window), string.format('%.3f', wanted - at), '0'}
"""

_alarmed_at = -math.inf


@dataclass(frozen=True, slots=True)
class Rate:
    """left: calls that may come at once. full_in, wait: seconds until all may, until one may."""

    is_allowed: bool
    left: int
    full_in: float
    wait: float


def count_call(who: str) -> Rate | None:
    """None while Redis is away: then nobody is refused, and the log says so."""
    try:
        allowed, left, full_in, wait = redis_client(seconds=0.5).eval(
            COUNT, 1, f"dexra:rate:{who}", str(QUOTA), str(WINDOW_SECONDS)
        )
    except redis.RedisError as error:
        _alarm(error)
        return None
    return Rate(bool(allowed), left, float(full_in), float(wait))


def _alarm(error: redis.RedisError) -> None:
    global _alarmed_at
    if time.monotonic() - _alarmed_at > ALARM_EVERY:
        _alarmed_at = time.monotonic()
        logger.error("ratelimit.open error=%s", type(error).__name__)


def forget_alarm() -> None:
    """Let the next failure be told at once."""
    global _alarmed_at
    _alarmed_at = -math.inf


class KeyThrottle(BaseThrottle):
    rate: Rate | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        # A stranger by the address that the server itself saw or was told by a trusted proxy.
        who = getattr(request.user, "pk", None) or f"ip-{request.META['REMOTE_ADDR']}"
        self.rate = count_call(str(who))
        request._request.api_rate = self.rate  # type: ignore[attr-defined]  # read by rate_headers
        return self.rate is None or self.rate.is_allowed

    def wait(self) -> float | None:
        return self.rate.wait if self.rate else None


def rate_headers(request: Any) -> dict[str, str]:
    """RateLimit and RateLimit-Policy (IETF draft-ietf-httpapi-ratelimit-headers-11).

    r: calls left. t: seconds until there are as many as ever.
    """
    rate: Rate | None = getattr(getattr(request, "_request", request), "api_rate", None)
    if rate is None:
        return {}
    return {
        "RateLimit-Policy": f'"default";q={QUOTA};w={WINDOW_SECONDS}',
        "RateLimit": f'"default";r={rate.left};t={math.ceil(rate.full_in)}',
    }
