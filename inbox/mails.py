"""Letters to colleagues who can do something about it, each in the reader's language."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import translation

from inbox.models import Agent

logger = logging.getLogger(__name__)


def readers_with(permission: str) -> list[Agent]:
    """Who has this permission ("app.codename"), directly or by a group, and an address."""
    app, _dot, codename = permission.partition(".")
    may = Q(is_superuser=True)
    for path in ("user_permissions", "groups__permissions"):
        may |= Q(
            **{f"{path}__codename": codename, f"{path}__content_type__app_label": app}
        )
    people = Agent.objects.filter(may, is_active=True, is_staff=True)
    return list(people.exclude(email="").distinct().order_by("pk"))


def write_to(
    people: Iterable[Agent], template: str, context: Mapping[str, Any]
) -> list[Agent]:
    """Whom the letter left for. template: its first line is the subject."""
    return [agent for agent in people if _write(agent, template, context)]


def _write(agent: Agent, template: str, context: Mapping[str, Any]) -> bool:
    with translation.override(agent.language or settings.LANGUAGE_CODE):
        lines = render_to_string(template, {**context, "agent": agent})
    subject, _blank, body = lines.strip().partition("\n")
    try:
        send_mail(subject, body.strip() + "\n", None, [agent.email])
    except OSError as error:  # smtplib's errors are OSErrors
        logger.warning("mail.not_sent to=%s error=%s", agent.pk, type(error).__name__)
        return False
    return True
