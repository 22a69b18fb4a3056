"""What is still to be asked of a channel: the row is the queue, a worker does it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inbox.models.channels import Channel


class Fetch(models.Model):
    """One question, asked until it is answered or given up; then the row is gone."""

    class Kind(models.TextChoices):
        PROFILE = "profile", _("Profile")  # subject: a channel identity
        MEDIA = "media", _("File")  # subject: an attachment
        DETAILS = "details", _("Comment")  # subject: a message
        HISTORY = "history", _("Earlier messages")  # subject: a channel identity

    channel = models.ForeignKey(
        Channel,
        on_delete=models.CASCADE,
        related_name="fetches",
        db_index=False,
        verbose_name=_("channel"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    # The id of what it is about; which table, the kind says.
    subject_id = models.BigIntegerField(_("subject"))
    due_at = models.DateTimeField(_("due"), db_default=Now())
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    error_code = models.CharField(
        _("error code"), max_length=40, blank=True, db_default=""
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("fetch")
        verbose_name_plural = _("fetches")
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject_id"], name="fetch_once")
        ]
        # Each kind of each channel is a queue of its own: none waits behind another's.
        indexes = [
            models.Index(fields=["channel", "kind", "due_at", "id"], name="fetch_lane")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class Import(models.Model):
    """A walk through what the channel remembers; it goes on where it stopped."""

    class Reason(models.TextChoices):
        CONNECTED = "connected", _("Account connected")
        SILENCE = "silence", _("Nothing came for a while")
        OUTAGE = "outage", _("Events were refused or the account was cut off")
        SCHEDULE = "schedule", _("Daily check")
        ASKED = "asked", _("Asked for by an admin")

    class State(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    channel = models.ForeignKey(
        Channel,
        on_delete=models.CASCADE,
        related_name="imports",
        verbose_name=_("channel"),
    )
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.RUNNING
    )
    # Where the channel's list goes on.
    cursor = models.TextField(_("cursor"), blank=True)
    # Conversations that ended before this are not looked into.
    since = models.DateTimeField(_("since"), null=True, blank=True)
    # How far back the walk has come: the oldest activity it has seen.
    reached = models.DateTimeField(_("came back to"), null=True, blank=True)
    due_at = models.DateTimeField(_("due"), db_default=Now())
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.CharField(_("error"), max_length=300, blank=True)
    conversations = models.PositiveIntegerField(_("conversations"), default=0)
    total = models.PositiveIntegerField(_("conversations in all"), null=True)
    messages = models.PositiveIntegerField(_("messages"), default=0)
    # Those that the events had missed.
    recovered = models.PositiveIntegerField(_("recovered"), default=0)
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel"],
                name="import_one_running",
                condition=models.Q(state="running"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.started_at:%Y-%m-%d}"
