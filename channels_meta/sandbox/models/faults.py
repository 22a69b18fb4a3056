"""What goes wrong, how often and how long; and how fast the pretend Meta's clock runs."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels_meta.sandbox.models.accounts import SandboxAccount


class SandboxFault(models.Model):
    """Something that goes wrong with an account.

    value: what more there is to say of it: the subcode of a dead token, the code of a refusal.
    probability: of striking when it could, from 0 to 1. remaining: how often it still strikes;
    null: until it is taken away.
    """

    class Kind(models.TextChoices):
        # One send.
        TOKEN = "token", _("Token no longer valid")
        THROTTLE = "throttle", _("Too many calls")
        UNAVAILABLE = "unavailable", _("Person cannot be reached")
        REFUSED = "refused", _("Message refused")
        SENT_BUT_ERROR = "sent_but_error", _("Sent, but answers with an error")
        TIMEOUT_AFTER_SEND = "timeout_after_send", _("Sent, but the answer is lost")
        CONNECTION_LOST = "connection_lost", _("Not sent, the connection breaks")
        # Every call.
        RISING = "rising", _("Usage rises until Meta refuses")
        PERMISSION = "permission", _("Permission lost")
        SWITCHED_OFF = "switched_off", _("Access to messages switched off")
        DOWN = "down", _("Meta is down")
        PROFILE = "profile", _("Profiles are refused")
        MEDIA = "media", _("Links to media have expired")
        # Events.
        DUPLICATE = "duplicate", _("Events come twice")
        REORDER = "reorder", _("Events come out of order")
        BATCH = "batch", _("Events come in batches")
        LATE_ECHO = "late_echo", _("Echoes come late")
        EARLY_ECHO = "early_echo", _("Echoes come before the answer")
        STANDBY = "standby", _("Another app has the conversation")
        EDIT_ZERO = "edit_zero", _("Every message is followed by a false edit")
        NO_SENDER = "no_sender", _("Edits without their sender")
        NUMBER_IDS = "number_ids", _("Ids come as numbers")
        SECONDS = "seconds", _("Times come in seconds")
        UNKNOWN = "unknown", _("Unknown keys and events")
        BOOSTED = "boosted", _("Comments are notified twice")

    account = models.ForeignKey(
        SandboxAccount,
        on_delete=models.CASCADE,
        related_name="faults",
        verbose_name=_("account"),
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    value = models.CharField(_("value"), max_length=20, blank=True, default="")
    probability = models.FloatField(_("probability"), default=1)
    remaining = models.PositiveIntegerField(
        _("times left"), null=True, blank=True, default=1
    )
    # How often it has struck.
    uses = models.PositiveIntegerField(_("times"), default=0)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("fault")
        verbose_name_plural = _("faults")
        ordering = ["id"]
        indexes = [models.Index(fields=["account", "kind"], name="sandbox_fault_kind")]

    def __str__(self) -> str:
        return self.get_kind_display()


class SandboxClock(models.Model):
    """One row at most: how many seconds of the pretend Meta fit into one of ours."""

    factor = models.FloatField(_("factor"), default=1)

    class Meta:
        verbose_name = _("pretend clock")
        verbose_name_plural = _("pretend clocks")

    def __str__(self) -> str:
        return f"{self.factor:g}"
