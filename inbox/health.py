"""Is the process alive, is the product ready, and who beats."""

from __future__ import annotations

import logging

import redis
from celery import shared_task
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from inbox.redis import redis_client

logger = logging.getLogger(__name__)

QUEUES = ("drain", "send", "dispatch", "fetch")
ALIVE = "dexra:alive:"
# A part that has not been heard of for this long (seconds) is missing.
SILENCE = 45


def heard(part: str) -> None:
    """Note that a part of Dexra lives."""
    try:
        redis_client().set(ALIVE + part, 1, ex=SILENCE)
    except redis.RedisError as error:
        logger.warning("health.unheard part=%s error=%s", part, type(error).__name__)


@shared_task(name="inbox.health.beat")
def beat(queue: str) -> None:
    """Rung through every queue: proves that beat rings, Redis carries and a worker listens."""
    heard(queue)


def missing_parts() -> list[str]:
    """What is not there, of all that is needed besides PostgreSQL."""
    parts = ("beat", *QUEUES)
    try:
        found: list[bytes | None] = redis_client().mget([ALIVE + p for p in parts])  # type: ignore[assignment]  # redis-py also types the async answer
    except redis.RedisError:
        return ["redis"]
    names = ["beat", *(f"worker:{queue}" for queue in QUEUES)]
    return [name for name, alive in zip(names, found, strict=True) if alive is None]


@require_GET
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok", content_type="text/plain")


@require_GET
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """503 only without PostgreSQL: a balancer must not take ingest away because Redis is gone."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError:
        return JsonResponse({"status": "down", "missing": ["postgresql"]}, status=503)
    missing = missing_parts()
    return JsonResponse({"status": "degraded" if missing else "ok", "missing": missing})
