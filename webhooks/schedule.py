"""When to try again, when to leave an endpoint alone for a while, and when to stop."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# The example schedule of Standard Webhooks 1.0.0: ten attempts in a little over three days.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.2
# The longest an endpoint may make us wait by Retry-After where our own delay is shorter.
LONGEST_ASKED = timedelta(hours=1)

# After so many failures in a row an endpoint's work is parked, at first for this long.
BREAKER_FAILURES = 10
BREAKER_FIRST = timedelta(seconds=30)
BREAKER_LONGEST = timedelta(minutes=15)

# Nothing has come through for so long: the endpoint is disabled.
DISABLED_AFTER = timedelta(days=5)


def delay_after(
    attempts: int, *, retry_after: timedelta | None = None
) -> timedelta | None:
    """How long to wait after this many attempts; None if that was the last.

    retry_after: what the endpoint asks for, honoured between our own delay and the longer of
    twice that and an hour.
    """
    if attempts > len(DELAYS):
        return None
    base = DELAYS[attempts - 1]
    spread: float = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load
    jittered = base * spread
    if retry_after is None:
        return jittered
    return min(max(retry_after, jittered), max(2 * base, LONGEST_ASKED))


def breaker_delay(failures: int) -> timedelta | None:
    """How long to park after this many failures in a row; None while there is no need."""
    if failures < BREAKER_FAILURES:
        return None
    doublings = min(failures - BREAKER_FAILURES, 10)
    return min(BREAKER_FIRST * (1 << doublings), BREAKER_LONGEST)


def read_retry_after(header: str, *, at: datetime) -> timedelta | None:
    """Seconds or an HTTP date (RFC 9110, 10.2.3); None for anything else."""
    if header.isascii() and header.isdigit():
        return timedelta(seconds=min(int(header[:12]), 10**9))
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(aware - at, timedelta(0))
