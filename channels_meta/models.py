"""An account's token, and the journal of what Meta sent."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inbox.encryption import EncryptedTextField
from inbox.models import Channel


class Credential(models.Model):
    """How to speak for one channel at the Graph API."""

    class Flavour(models.TextChoices):
        """Which login connected the account: it decides host, secret and token kind."""

        FACEBOOK_LOGIN = "facebook", _("Facebook Login")
        INSTAGRAM_LOGIN = "instagram", _("Instagram Login")

    channel = models.OneToOneField(
        Channel,
        on_delete=models.CASCADE,
        related_name="meta",
        verbose_name=_("channel"),
    )
    flavour = models.CharField(
        _("connected by"),
        max_length=10,
        choices=Flavour.choices,
        default=Flavour.FACEBOOK_LOGIN,
    )
    # The id our calls name: the Page's for Facebook Login, the account's own for Instagram Login.
    node_id = models.CharField(_("node id"), max_length=100)
    access_token = EncryptedTextField(_("access token"))
    scopes = models.JSONField(_("scopes"), default=list, blank=True)
    # Empty: Meta's own host for the flavour. The sandbox puts its pretend Graph API here.
    graph_base_url = models.URLField(_("Graph address"), max_length=300, blank=True)
    token_expires_at = models.DateTimeField(_("token expires"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")

    def __str__(self) -> str:
        return str(self.channel)


class RawEvent(models.Model):
    """One body that Meta posted, exactly as it came; kept 14 days, replayable."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        PROCESSED = "processed", _("Processed")
        UNROUTED = "unrouted", _("Account not known")
        FAILED = "failed", _("Failed")

    received_at = models.DateTimeField(_("received"), db_default=Now())
    body = models.BinaryField(_("body"))
    # Equal bodies of one day are one row: Meta repeats itself.
    sha256 = models.BinaryField(max_length=32)
    day = models.DateField()
    object = models.CharField(_("object"), max_length=40, db_default="")
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, db_default=State.PENDING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), db_default=0)
    # What each item of the body became, for people: ["message", "ignored: story_insights"].
    outcomes = models.JSONField(
        _("outcomes"), default=list, db_default=models.Value([], models.JSONField())
    )
    error = models.TextField(_("error"), db_default="", blank=True)
    processed_at = models.DateTimeField(_("processed"), null=True, blank=True)

    class Meta:
        verbose_name = _("raw event")
        verbose_name_plural = _("raw events")
        constraints = [
            models.UniqueConstraint(
                fields=["sha256", "day"], name="raw_event_once_a_day"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], name="raw_event_pending", condition=Q(state="pending")
            ),
            models.Index(
                fields=["state", "id"],
                name="raw_event_troubled",
                condition=Q(state__in=["unrouted", "failed"]),
            ),
            # Rows come in the order of time: a page range is enough to find the old ones.
            BrinIndex("received_at", name="raw_event_received", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.object} {self.pk}"


# Django looks for models here; these are a part of their own.
from channels_meta.sandbox.models import (  # noqa: E402
    SandboxAccount,
    SandboxCall,
    SandboxFault,
    SandboxMessage,
    SandboxPerson,
)

__all__ = [
    "Credential",
    "RawEvent",
    "SandboxAccount",
    "SandboxCall",
    "SandboxFault",
    "SandboxMessage",
    "SandboxPerson",
]
