"""An account's token, and the journal of what Meta sent."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inbox.encryption import EncryptedTextField
from inbox.models import Agent, Channel


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
    # The app-scoped id of the person who connected: what Meta names when they take it back.
    user_id = models.CharField(_("connected by user id"), max_length=100, blank=True)
    scopes = models.JSONField(_("scopes"), default=list, blank=True)
    # The Page tasks of that person: MESSAGING and MODERATE are needed.
    tasks = models.JSONField(_("tasks"), default=list, blank=True)
    # What Meta says it posts to us for this account, and when we asked.
    subscribed_fields = models.JSONField(
        _("subscribed fields"), default=list, blank=True
    )
    subscription_checked_at = models.DateTimeField(
        _("subscription checked"), null=True, blank=True
    )
    # Empty: Meta's own host for the flavour. The sandbox puts its pretend Graph API here.
    graph_base_url = models.URLField(_("Graph address"), max_length=300, blank=True)
    token_issued_at = models.DateTimeField(_("token issued"), null=True, blank=True)
    # Null: never by time.
    token_expires_at = models.DateTimeField(_("token expires"), null=True, blank=True)
    token_checked_at = models.DateTimeField(_("token checked"), null=True, blank=True)
    data_access_expires_at = models.DateTimeField(
        _("data access expires"), null=True, blank=True
    )
    # When the upkeep looks at token and subscription again: the row is its queue.
    due_at = models.DateTimeField(_("next check"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        indexes = [models.Index(fields=["due_at"], name="credential_due")]

    def __str__(self) -> str:
        return str(self.channel)


class LoginAttempt(models.Model):
    """One walk through a login at Meta: its state is good for one return, within minutes."""

    state = models.CharField(_("state"), max_length=100, unique=True)
    flavour = models.CharField(
        _("login"), max_length=10, choices=Credential.Flavour.choices
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, related_name="+", verbose_name=_("agent")
    )
    # The channel to be reconnected in place; null to connect whatever is chosen.
    channel = models.ForeignKey(
        Channel,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("channel"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    # When the state came back; it never counts again.
    used_at = models.DateTimeField(_("used"), null=True, blank=True)
    access_token = EncryptedTextField(_("access token"), blank=True)
    user_id = models.CharField(_("user id"), max_length=100, blank=True)
    # What the login offers, without tokens: [{kind, external_id, node_id, name, username, tasks}].
    accounts = models.JSONField(_("accounts"), default=list, blank=True)
    scopes = models.JSONField(_("scopes"), default=list, blank=True)
    token_expires_at = models.DateTimeField(_("token expires"), null=True, blank=True)
    # Why nothing came of it (channels_meta.connect.failures), and Meta's code if it gave one.
    failure = models.CharField(_("failure"), max_length=40, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("login attempt")
        verbose_name_plural = _("login attempts")

    def __str__(self) -> str:
        return f"{self.flavour} {self.created_at:%Y-%m-%d %H:%M}"


class Incident(models.Model):
    """Something wrong with an account that admins are told of, once, until it is over."""

    class Kind(models.TextChoices):
        NEEDS_REAUTH = "needs_reauth", _("Needs to be reconnected")
        DISCONNECTED = "disconnected", _("Disconnected")
        POLICY = "policy", _("Restricted by Meta")
        REFUSED = "refused", _("Refused by Meta")
        UNSUBSCRIBED = "unsubscribed", _("Meta reports nothing to us")
        SILENT = "silent", _("Unusually silent")
        EXPIRING = "expiring", _("Token about to expire")

    channel = models.ForeignKey(
        Channel,
        on_delete=models.CASCADE,
        related_name="incidents",
        verbose_name=_("channel"),
    )
    kind = models.CharField(_("kind"), max_length=15, choices=Kind.choices)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    opened_at = models.DateTimeField(_("began"), auto_now_add=True)
    closed_at = models.DateTimeField(_("ended"), null=True, blank=True)
    # When admins are to be written to: the row is the queue. Null once they were, or nobody can be.
    mail_due_at = models.DateTimeField(_("mail due"), null=True, blank=True)
    mail_attempts = models.PositiveSmallIntegerField(_("mail attempts"), default=0)
    mailed_at = models.DateTimeField(_("mailed"), null=True, blank=True)

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "kind"],
                name="incident_one_open",
                condition=Q(closed_at__isnull=True),
            )
        ]
        indexes = [
            models.Index(
                fields=["mail_due_at"],
                name="incident_mail_due",
                condition=Q(mail_due_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.get_kind_display()}"


class DataDeletion(models.Model):
    """A person who had connected an account asked Meta to have their data deleted."""

    confirmation_code = models.CharField(
        _("confirmation code"), max_length=40, unique=True
    )
    user_id = models.CharField(_("user id"), max_length=100)
    requested_at = models.DateTimeField(_("requested"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    # How many credentials were deleted with it.
    credentials = models.PositiveIntegerField(_("credentials"), default=0)

    class Meta:
        verbose_name = _("data deletion")
        verbose_name_plural = _("data deletions")

    def __str__(self) -> str:
        return self.confirmation_code


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


class JournalMention(models.Model):
    """Another journal row that tells what a message said: a repeat, an edit, our own echo.

    The row that brought the message is on the message; what is to be forgotten is in all of them.
    """

    channel = models.ForeignKey(
        Channel, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    # The channel's id of the message.
    external_id = models.CharField(max_length=600)
    raw_event = models.ForeignKey(
        RawEvent, on_delete=models.CASCADE, related_name="mentions"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id", "raw_event"],
                name="journal_mention_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.raw_event_id}"


class JournalErasure(models.Model):
    """A message that the journal is still to forget: the row is the queue."""

    channel = models.ForeignKey(
        Channel, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    # The channel's id of the message.
    external_id = models.CharField(max_length=600)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id"], name="journal_erasure_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel_id}"


# Django looks for models here; these are a part of their own.
from channels_meta.sandbox.models import (  # noqa: E402
    SandboxAccount,
    SandboxCall,
    SandboxClock,
    SandboxFault,
    SandboxMessage,
    SandboxNotice,
    SandboxPerson,
    SandboxTemplate,
    SandboxToken,
    SandboxUpload,
)

__all__ = [
    "Credential",
    "DataDeletion",
    "Incident",
    "JournalErasure",
    "JournalMention",
    "LoginAttempt",
    "RawEvent",
    "SandboxAccount",
    "SandboxCall",
    "SandboxClock",
    "SandboxFault",
    "SandboxMessage",
    "SandboxNotice",
    "SandboxPerson",
    "SandboxTemplate",
    "SandboxToken",
    "SandboxUpload",
]
