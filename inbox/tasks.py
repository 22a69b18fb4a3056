"""Every Celery task of the inbox, for Celery's discovery. Nobody imports this."""

from inbox.conversations import republish
from inbox.delivery import deliver_next, ring_due, settle_uncertain
from inbox.health import beat

__all__ = ["beat", "deliver_next", "republish", "ring_due", "settle_uncertain"]
