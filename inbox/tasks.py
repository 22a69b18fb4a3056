"""Every Celery task of the inbox, for Celery's discovery. Nobody imports this."""

from inbox.actions import perform, show_seen, show_typing
from inbox.actions import ring_due as ring_due_actions
from inbox.contacts import carry_on, ring_unfinished
from inbox.conversations import republish
from inbox.delivery import deliver_next, ring_due, settle_uncertain
from inbox.fetching import fetch_due, refresh_profiles
from inbox.health import beat
from inbox.history import check_channels, run_imports
from inbox.media import delete_files, sweep_files
from inbox.retention import purge
from inbox.templates import sync, sync_all
from inbox.triage import wake_due

__all__ = [
    "beat",
    "carry_on",
    "check_channels",
    "delete_files",
    "deliver_next",
    "fetch_due",
    "perform",
    "purge",
    "refresh_profiles",
    "republish",
    "ring_due",
    "ring_due_actions",
    "ring_unfinished",
    "run_imports",
    "settle_uncertain",
    "show_seen",
    "show_typing",
    "sweep_files",
    "sync",
    "sync_all",
    "wake_due",
]
