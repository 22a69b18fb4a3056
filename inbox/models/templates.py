"""Messages that a platform has approved in advance, for when the reply window is closed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from inbox.models.channels import Channel


class MessageTemplate(models.Model):
    class Status(models.TextChoices):
        APPROVED = "approved", _("Approved")
        PENDING = "pending", _("Waiting for approval")
        REJECTED = "rejected", _("Rejected")
        # The channel no longer lists it; messages that used it stay as they are.
        GONE = "gone", _("Removed")

    channel = models.ForeignKey(
        Channel,
        on_delete=models.CASCADE,
        related_name="templates",
        verbose_name=_("channel"),
    )
    external_id = models.CharField(_("external id"), max_length=100)
    name = models.CharField(_("name"), max_length=200)
    language = models.CharField(_("language"), max_length=20)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    # Its words, {{1}} where a value goes.
    body = models.TextField(_("text"))
    # Component ("header", "body") to how many values it wants.
    variables = models.JSONField(_("variables"), default=dict, blank=True)
    synced_at = models.DateTimeField(_("seen at the channel"), auto_now=True)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["name", "language"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id"], name="template_on_channel"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"
