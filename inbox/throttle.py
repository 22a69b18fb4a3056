"""How often somebody may call in a minute. Redis counts; without it nobody is refused."""

from __future__ import annotations

import logging
import time

import redis

from inbox.redis import redis_client

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60


def may_call(who: str, *, calls: int) -> bool:
    """Count one call of `who`; False once there were more than `calls` in this minute."""
    name = f"dexra:calls:{who}:{int(time.time()) // WINDOW_SECONDS}"
    try:
        with redis_client(seconds=0.5).pipeline() as pipe:
            pipe.incr(name)
            pipe.expire(name, WINDOW_SECONDS * 2)
            count: int = pipe.execute()[0]
    except redis.RedisError as error:
        logger.warning("throttle.open error=%s", type(error).__name__)
        return True
    return count <= calls


def seconds_left() -> float:
    """Until the next minute begins."""
    return WINDOW_SECONDS - time.time() % WINDOW_SECONDS
