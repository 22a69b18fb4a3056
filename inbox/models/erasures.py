"""Who asked to be forgotten, when, and how far that has come."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from inbox.models.agents import Agent
from inbox.models.contacts import Contact


class Erasure(models.Model):
    """One request to forget a person: the row is the queue, and afterwards the record.

    It names nobody: ids, moments and counts are all that is left.
    """

    contact = models.ForeignKey(
        Contact,
        on_delete=models.CASCADE,
        related_name="erasures",
        verbose_name=_("contact"),
    )
    # Who pressed the button: an agent, or an API key by its name.
    requested_by = models.ForeignKey(
        Agent,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    requested_by_name = models.CharField(_("requested by"), max_length=200, blank=True)
    # What was written until then is erased.
    requested_at = models.DateTimeField(_("requested"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    messages = models.PositiveIntegerField(_("messages"), default=0)
    # Whoever keeps copies goes on where they stopped: {name of the keeper: its cursor}.
    progress = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["contact"],
                name="erasure_one_unfinished",
                condition=Q(finished_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"USER_{self.contact_id}"
