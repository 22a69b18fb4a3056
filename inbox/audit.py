"""Who did what, kept where admins look for it."""

from __future__ import annotations

from typing import Any

from django.db import models

from inbox.models import Actor, Agent, AuditEntry


def note_act(
    by: Actor | None, action: str, subject: models.Model, **details: Any
) -> None:
    """In the caller's transaction. details: JSON values, never what a customer said."""
    AuditEntry.objects.create(
        agent=by if isinstance(by, Agent) else None,
        agent_name=by.name if by else "",
        action=action,
        subject_type=subject._meta.model_name or "",
        subject_id=str(getattr(subject, "public_id", subject.pk)),
        details=details,
    )
