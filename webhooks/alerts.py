"""Telling people that we have stopped sending to an endpoint: by mail, once, and on their pages."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db.models import F
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.mails import readers_with, write_to
from inbox.models import Agent
from inbox.pages.banners import Banner
from webhooks.models import Endpoint

logger = logging.getLogger(__name__)

# Who can do something about it.
PERMISSION = "webhooks.change_endpoint"
MAX_MAILS = 50
MAIL_ATTEMPTS = 8


@shared_task(name="webhooks.alerts.mail_disabled")
def mail_disabled() -> None:
    """Write about the endpoints that we disabled and nobody has been told of yet."""
    due = Endpoint.objects.filter(mail_due_at__lte=now()).order_by("mail_due_at")
    for endpoint in due[:MAX_MAILS]:
        if _claim(endpoint):
            _mail(endpoint)


def _claim(endpoint: Endpoint) -> bool:
    """Fenced by the attempt: due again later, in case it fails; nobody else takes it meanwhile."""
    attempts = endpoint.mail_attempts + 1
    again_at = now() + timedelta(minutes=2**attempts)
    mine = Endpoint.objects.filter(
        pk=endpoint.pk,
        mail_attempts=endpoint.mail_attempts,
        mail_due_at=endpoint.mail_due_at,
    ).update(
        mail_attempts=F("mail_attempts") + 1,
        mail_due_at=again_at if attempts < MAIL_ATTEMPTS else None,
    )
    return bool(mine)


def _mail(endpoint: Endpoint) -> None:
    people = readers_with(PERMISSION)
    if not people:
        logger.warning("endpoint.nobody_to_mail endpoint=%s", endpoint.pk)
    path = reverse("webhooks:endpoint", args=[endpoint.pk])
    context = {"endpoint": endpoint, "url": f"{settings.PUBLIC_URL}{path}"}
    told = write_to(people, "webhooks/endpoints/disabled.txt", context)
    if told or not people:
        Endpoint.objects.filter(pk=endpoint.pk).update(mail_due_at=None)


def disabled_banner(agent: Agent) -> Banner | None:
    """For whoever can resume it: the endpoint that we stopped sending to last."""
    if not agent.has_perm(PERMISSION):
        return None
    disabled = Endpoint.objects.filter(status=Endpoint.Status.DISABLED)
    told = disabled.only("description", "url", "status_reason")
    endpoint = told.order_by("-pk").first()
    if endpoint is None:
        return None
    return Banner(
        tone="warn",
        icon="warn",
        title=_("Events are no longer sent to %(endpoint)s.") % {"endpoint": endpoint},
        text=f"{endpoint.get_status_reason_display()} {_('They wait until it is resumed.')}",
        url=reverse("webhooks:endpoint", args=[endpoint.pk]),
        action=_("Look into it"),
    )
