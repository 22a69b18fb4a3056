"""What is of no more use goes, a bounded batch at a time; how long it is kept, settings say."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db.models import Model, Q
from django.utils.timezone import now

from inbox.bell import ring
from inbox.models import (
    ChannelAction,
    Erasure,
    IdempotentAnswer,
    Import,
    StagedFile,
)

logger = logging.getLogger(__name__)

BATCH = 5000
# How long a file waits in a composer.
KEEP_STAGED = timedelta(days=1)
# How long the same Idempotency-Key gives the same answer.
KEEP_ANSWERS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of a model that are older than `kept` by their `moment`, and over by `is_over`."""

    model: type[Model]
    moment: str
    kept: Callable[[], timedelta]
    is_over: Q


def days(setting: str) -> Callable[[], timedelta]:
    """So many days as a setting says, at the time of asking."""
    return lambda: timedelta(days=getattr(settings, setting))


rules: list[Rule] = [
    Rule(
        ChannelAction,
        "created_at",
        days("KEEP_RECORDS_DAYS"),
        ~Q(status=ChannelAction.Status.QUEUED),
    ),
    Rule(
        Import, "started_at", days("KEEP_RECORDS_DAYS"), ~Q(state=Import.State.RUNNING)
    ),
    Rule(
        Erasure,
        "requested_at",
        days("KEEP_PROOFS_DAYS"),
        Q(finished_at__isnull=False),
    ),
    # Handed over and never sent: the file goes by the sweeper, as it belongs to nobody then.
    Rule(StagedFile, "created_at", lambda: KEEP_STAGED, Q()),
    Rule(IdempotentAnswer, "created_at", lambda: KEEP_ANSWERS, Q()),
]


def register_rule(rule: Rule) -> None:
    """Other apps' rows: their AppConfig says so."""
    if rule not in rules:
        rules.append(rule)


@shared_task(name="inbox.retention.purge")
def purge() -> None:
    """Apply every rule once. Rows come in the order of time: only the oldest are looked at."""
    counts = [_apply(rule) for rule in rules]
    if BATCH in counts:
        ring(purge)


def _apply(rule: Rule) -> int:
    """Returns how many rows went."""
    manager: Any = rule.model._default_manager
    oldest = manager.order_by("pk").values_list("pk", flat=True)[:BATCH]
    old = {f"{rule.moment}__lt": now() - rule.kept()}
    rows = manager.filter(rule.is_over, pk__in=list(oldest), **old)
    count: int = rows.delete()[1].get(rule.model._meta.label, 0)
    if count:
        logger.info("retention.purged model=%s rows=%s", rule.model.__name__, count)
    return count
