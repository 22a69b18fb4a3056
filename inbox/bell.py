"""The one way to enqueue a task: rows are the queue, Celery is the bell."""

import logging
from typing import Any

from celery import Task
from django.db import transaction
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

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
