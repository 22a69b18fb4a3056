"""When the pretend Meta lets an account write to somebody (contract 8)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max, Q

from channels_meta.sandbox import clock
from channels_meta.sandbox.models import PUBLIC_KINDS, SandboxPerson

STANDARD_LASTS = timedelta(hours=24)
HUMAN_AGENT_LASTS = timedelta(days=7)
# From the first message after a click on an ad.
AD_LASTS = timedelta(days=7)
PRIVATE_REPLY_LASTS = timedelta(days=7)


def last_act_at(person: SandboxPerson) -> datetime | None:
    """When the person last did what opens the reply window; a comment alone does not."""
    moments = person.messages.aggregate(
        wrote=Max("sent_at", filter=Q(direction="in") & ~Q(kind__in=PUBLIC_KINDS)),
        reacted=Max("reacted_at", filter=Q(direction="out")),
    )
    return max(filter(None, moments.values()), default=None)


def is_open(person: SandboxPerson, *, with_tag: bool = False) -> bool:
    """with_tag: HUMAN_AGENT's seven days instead of the standard window."""
    acted_at = last_act_at(person)
    if acted_at is None:
        return False
    lasts = HUMAN_AGENT_LASTS if with_tag else STANDARD_LASTS
    if not clock.is_over(acted_at, lasts):
        return True
    came_at = person.ad_window_until and person.ad_window_until - AD_LASTS
    return came_at is not None and not clock.is_over(came_at, AD_LASTS)
