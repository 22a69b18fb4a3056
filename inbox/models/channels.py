"""One connected account: a Page, an Instagram account."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from inbox.channels import ChannelAdapter, get_adapter


class Channel(models.Model):
    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        NEEDS_REAUTH = "needs_reauth", _("Needs to be reconnected")
        PAUSED = "paused", _("Paused")
        DISCONNECTED = "disconnected", _("Disconnected")

    class Reopening(models.TextChoices):
        """What a new message to a closed conversation does."""

        REOPEN = "reopen", _("Reopens the conversation")
        NEW = "new", _("Starts a new conversation")

    kind = models.CharField(_("kind"), max_length=20)
    # The account's id on its platform: what its events are addressed to.
    external_id = models.CharField(_("external id"), max_length=100)
    name = models.CharField(_("name"), max_length=200)
    username = models.CharField(_("username"), max_length=100, blank=True)
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.ACTIVE
    )
    status_reason = models.CharField(_("reason"), max_length=300, blank=True)
    # Nothing is sent before this moment: the platform asked the whole account to wait.
    blocked_until = models.DateTimeField(_("blocked until"), null=True, blank=True)
    # The platform takes us for a robot that writes too much: until then only people write.
    automation_blocked_until = models.DateTimeField(
        _("automations rest until"), null=True, blank=True
    )
    last_event_at = models.DateTimeField(_("last event"), null=True, blank=True)
    # What the platform has granted this account beyond the usual, by the adapters' words.
    features = ArrayField(
        models.CharField(max_length=40),
        verbose_name=_("features"),
        default=list,
        blank=True,
    )
    reopening = models.CharField(
        _("a message to a closed conversation"),
        max_length=10,
        choices=Reopening.choices,
        default=Reopening.REOPEN,
    )
    # What the platform last refused, and when: for people, until something succeeds.
    last_error = models.CharField(
        _("last error"), max_length=300, blank=True, db_default=""
    )
    last_error_code = models.CharField(
        _("last error code"), max_length=40, blank=True, db_default=""
    )
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True)
    shows_seen = models.BooleanField(
        _("show customers that their messages were seen"), default=True, db_default=True
    )
    shows_typing = models.BooleanField(
        _("show customers that an agent is typing"), default=True, db_default=True
    )
    stores_media = models.BooleanField(
        _("keep copies of what customers send"),
        default=True,
        db_default=True,
        help_text=_(
            "Photos, videos, voice messages and files. Without copies they are shown from the "
            "platform until it stops serving them. Stories are never copied."
        ),
    )
    # Disconnected by an admin who meant it: nobody needs to be alarmed.
    is_retired = models.BooleanField(
        _("disconnected on purpose"), default=False, db_default=False, editable=False
    )
    is_sandbox = models.BooleanField(_("sandbox"), default=False, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["name", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "external_id"], name="channel_account"
            ),
        ]
        indexes = [
            # Events that do not say their kind are routed by the account's id alone.
            models.Index(fields=["external_id"], name="channel_external_id"),
            models.Index(
                fields=["blocked_until"],
                name="channel_blocked",
                condition=Q(blocked_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def adapter(self) -> ChannelAdapter:
        return get_adapter(self.kind)

    @property
    def public_id(self) -> str:
        return f"CH_{self.pk}"
