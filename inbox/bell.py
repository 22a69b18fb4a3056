"""The one way to enqueue a task: rows are the queue, Celery is the bell."""

import logging
from typing import Any

from celery import Task
from django.db import transaction
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from inbox.redis import redis_client

# A task that was kicked and died before it said so can be kicked again after this long.
KICK_MS = 10_000

logger = logging.getLogger(__name__)


def ring(task: "Task[Any, Any]", *args: object, countdown: float = 0) -> None:
    """Enqueue a task now; a broker that is away is logged and left to the sweeper."""
    try:
        task.apply_async(args=args, countdown=countdown)
    except (KombuError, RedisError, OSError) as error:
        logger.warning("bell.unheard task=%s error=%s", task.name, type(error).__name__)


def ring_after_commit(
    task: "Task[Any, Any]", *args: object, countdown: float = 0
) -> None:
    """Enqueue once the transaction commits. The row it is about is due either way."""

    def ring_now() -> None:
        ring(task, *args, countdown=countdown)

    transaction.on_commit(ring_now)


def kick(task: "Task[Any, Any]") -> None:
    """Ring, unless somebody has and nobody has answered: for tasks that find all their work
    themselves. Beat sweeps whatever becomes of it."""
    try:
        is_first = redis_client().set(kick_key(task), 1, nx=True, px=KICK_MS)
    except RedisError as error:
        logger.warning("bell.unheard task=%s error=%s", task.name, type(error).__name__)
        return
    if is_first:
        ring(task)


def kick_after_commit(task: "Task[Any, Any]") -> None:
    def kick_now() -> None:
        kick(task)

    transaction.on_commit(kick_now)


def answer_kick(task: "Task[Any, Any]") -> None:
    """From now on a kick rings again: what is committed later needs one, what is there already
    must be looked for after this."""
    try:
        redis_client().delete(kick_key(task))
    except RedisError as error:
        logger.warning("bell.silent task=%s error=%s", task.name, type(error).__name__)


def kick_key(task: "Task[Any, Any]") -> str:
    return f"dexra:kick:{task.name}"
