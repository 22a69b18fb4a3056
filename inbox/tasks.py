"""Every Celery task of the inbox, for Celery's discovery. Nobody imports this."""

from inbox.actions import perform, show_seen, show_typing
from inbox.actions import ring_due as ring_due_actions
from inbox.conversations import republish
from inbox.delivery import deliver_next, ring_due, settle_uncertain
from inbox.health import beat
from inbox.templates import sync, sync_all

__all__ = [
    "beat",
    "deliver_next",
    "perform",
    "republish",
    "ring_due",
    "ring_due_actions",
    "settle_uncertain",
    "show_seen",
    "show_typing",
    "sync",
    "sync_all",
]
