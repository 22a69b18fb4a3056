"""What the pretend Meta does by itself: posts what was held back or not taken."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from channels_meta.sandbox import webhooks


@shared_task
def post_due() -> None:
    """Post the events that are due. Ringing twice posts once."""
    if settings.SANDBOX:
        webhooks.post_due()
