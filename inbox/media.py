"""Files that people send each other: fetched, checked, kept, served, forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from inbox.models import Attachment


def drop_attachments(message_ids: Sequence[int]) -> None:
    """Delete the attachments of these messages and, once that is committed, their files."""
    Attachment.objects.filter(message__in=message_ids).delete()
