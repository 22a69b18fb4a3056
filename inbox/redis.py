"""The one way to Redis from plain code: the doorbell, leases, counts. The rows stay the truth."""

from __future__ import annotations

from functools import lru_cache

import redis
from django.conf import settings


def redis_client(*, seconds: float = 1) -> redis.Redis:
    """The process's own client. seconds: how long to wait for a connection, and for an answer."""
    return _client(settings.REDIS_URL, seconds)


@lru_cache(maxsize=8)
def _client(url: str, seconds: float) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds
    )
