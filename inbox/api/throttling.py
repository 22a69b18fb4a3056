"""How often one key, or one stranger, may call. Redis counts; without it nobody is refused."""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING

import redis
from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    from rest_framework.views import (
        APIView,  # which imports this module by its settings
    )

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
CALLS_PER_WINDOW = 1200


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5)


class KeyThrottle(BaseThrottle):
    """So many calls a minute for each key, and for each address that has none."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        who = getattr(request.user, "pk", None) or f"ip-{self.get_ident(request)}"
        window = int(time.time()) // WINDOW_SECONDS
        name = f"dexra:calls:{who}:{window}"
        try:
            with _client(settings.REDIS_URL).pipeline() as pipe:
                pipe.incr(name)
                pipe.expire(name, WINDOW_SECONDS * 2)
                count: int = pipe.execute()[0]
        except redis.RedisError as error:
            logger.warning("throttle.open error=%s", type(error).__name__)
            return True
        return count <= CALLS_PER_WINDOW

    def wait(self) -> float:
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS
