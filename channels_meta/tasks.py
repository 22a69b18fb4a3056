"""Every Celery task of this app, for Celery's discovery. Nobody imports this."""

from channels_meta.processing import drain, purge_raw_events
from channels_meta.redaction import forget_due
from channels_meta.sandbox.tasks import post_due
from channels_meta.upkeep import (
    look_after,
    mail_incidents,
    purge_logins,
    replay_unrouted,
    ring_due,
)

__all__ = [
    "drain",
    "forget_due",
    "look_after",
    "mail_incidents",
    "post_due",
    "purge_logins",
    "purge_raw_events",
    "replay_unrouted",
    "ring_due",
]
