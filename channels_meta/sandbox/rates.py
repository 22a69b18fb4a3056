"""How many calls an account has made just now: Meta's own limits, counted in Redis."""

from __future__ import annotations

import time

import redis
from django.conf import settings

PREFIX = "sandbox:rate:"


def is_within(what: str, account_id: str, *, limit: int, seconds: int) -> bool:
    """Count one call; False once there were more than the limit in this stretch of time."""
    stretch = int(time.time() / seconds)
    key = f"{PREFIX}{what}:{account_id}:{stretch}"
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        count = client.incr(key)
        if count == 1:
            client.expire(key, seconds * 2)
    return int(count) <= limit
