"""Every Celery task of this app, for Celery's discovery. Nobody imports this."""

from channels_meta.processing import drain, purge_raw_events

__all__ = ["drain", "purge_raw_events"]
