"""Who is told (endpoints), of what (events), and how that went (deliveries, attempts)."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from ulid import ULID

from inbox.encryption import EncryptedTextField
from inbox.events import EventName
from inbox.models import Channel, Conversation, Message
from webhooks.addresses import validate_url
from webhooks.signing import generate_secret

EVENT_NAMES = [(name.value, name.value) for name in EventName]


def new_event_id() -> str:
    """`evt_` and a ULID: in the order of their making, without a counter that everybody shares."""
    return f"evt_{ULID()}"


class Endpoint(models.Model):
    """A subscriber's URL."""

    ID_PREFIX = "ENDPOINT_"

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        # A person's doing; events wait.
        PAUSED = "paused", _("Paused")
        # Our doing: the endpoint is gone, or has failed for days. Events wait here too.
        DISABLED = "disabled", _("Disabled")

    class Reason(models.TextChoices):
        """Why we disabled it."""

        GONE = "gone", _("It answered 410 Gone.")
        FAILING = "failing", _("It has failed for five days.")

    url = models.CharField(
        _("address"),
        max_length=2000,
        validators=[validate_url],
        help_text=_("https://"),
    )
    description = models.CharField(_("description"), max_length=200, blank=True)
    events = ArrayField(
        models.CharField(max_length=40, choices=EVENT_NAMES),
        verbose_name=_("events"),
        default=list,
        blank=True,
        help_text=_("None chosen: all of them."),
    )
    channels = models.ManyToManyField(
        Channel,
        verbose_name=_("channels"),
        blank=True,
        related_name="+",
        help_text=_("None chosen: all of them."),
    )
    secret = EncryptedTextField(_("secret"), default=generate_secret, editable=False)
    # Signs beside the new one after a rotation, until the receiver had time to change over.
    previous_secret = EncryptedTextField(default="", blank=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=Status.choices,
        default=Status.ACTIVE,
        editable=False,
    )
    status_reason = models.CharField(
        _("reason"), max_length=20, choices=Reason.choices, blank=True, editable=False
    )
    # Failed attempts since the last that was accepted, and since when.
    failures = models.PositiveIntegerField(_("failures"), default=0, editable=False)
    failing_since = models.DateTimeField(
        _("failing since"), null=True, blank=True, editable=False
    )
    # Nothing is sent before this moment: too many failures in a row.
    breaker_until = models.DateTimeField(
        _("waiting until"), null=True, blank=True, editable=False
    )
    # When people are to be written to, because we disabled it: the row is the queue. Null once
    # they were, or nobody can be.
    mail_due_at = models.DateTimeField(null=True, blank=True, editable=False)
    mail_attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    # Which dispatcher serves this endpoint, and until when if it dies. One at a time: that
    # keeps the order and the bound on what is in flight, however many dispatchers run.
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["mail_due_at"],
                name="endpoint_mail_due",
                condition=Q(mail_due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.description or self.url

    @property
    def public_id(self) -> str:
        return f"{self.ID_PREFIX}{self.pk}"

    @property
    def chosen_channels(self) -> list[Channel]:
        """Empty for all of them."""
        return sorted(self.channels.all(), key=lambda channel: channel.pk)


class Event(models.Model):
    """Something that happened, as the outside is told of it."""

    id = models.CharField(
        primary_key=True, max_length=30, default=new_event_id, editable=False
    )
    name = models.CharField(_("event"), max_length=40, choices=EVENT_NAMES)
    # Not constrained: whoever deletes a conversation deletes its events, but a message that
    # was discarded leaves the events in which it failed.
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("conversation"),
    )
    message = models.ForeignKey(
        Message,
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        verbose_name=_("message"),
    )
    # Whom it tells of where it belongs to no conversation (user_created and the like).
    identity_id = models.BigIntegerField(null=True, blank=True, editable=False)
    # The number of the event in its conversation.
    sequence = models.BigIntegerField(_("sequence"), null=True, blank=True)
    occurred_at = models.DateTimeField(_("happened"))
    created_at = models.DateTimeField(_("recorded"), db_default=Now())
    # The final JSON: these bytes are signed and sent, however often. Only erasure rewrites them.
    body = models.BinaryField(_("body"))
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [
            models.Index(
                fields=["conversation", "sequence"],
                name="event_conversation",
                condition=Q(conversation__isnull=False),
            ),
            models.Index(
                fields=["message"],
                name="event_message",
                condition=Q(message__isnull=False),
            ),
            models.Index(
                fields=["identity_id"],
                name="event_identity",
                condition=Q(identity_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.id}"


class Failure(models.TextChoices):
    """Why an attempt failed."""

    STATUS = "status", _("Answered with an error")
    REDIRECT = "redirect", _("Answered with a redirect, which is not followed")
    GONE = "gone", _("Answered 410 Gone")
    TIMEOUT = "timeout", _("No answer in time")
    CONNECTION = "connection", _("No connection")
    DNS = "dns", _("Name not found")
    TLS = "tls", _("No trusted certificate")
    FORBIDDEN = "forbidden", _("Not a public address")
    PROTOCOL = "protocol", _("Not an HTTP answer")


class Delivery(models.Model):
    """One event owed to one endpoint."""

    ID_PREFIX = "DELIVERY_"

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        DELIVERED = "delivered", _("Delivered")
        # Every attempt of the schedule was made.
        FAILED = "failed", _("Failed")
        # The endpoint was resumed without what had waited.
        SKIPPED = "skipped", _("Skipped")

    event = models.ForeignKey(
        Event,
        on_delete=models.CASCADE,
        related_name="deliveries",
        verbose_name=_("event"),
    )
    endpoint = models.ForeignKey(
        Endpoint,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,
        verbose_name=_("endpoint"),
    )
    # The event's own: first attempts of one conversation go one at a time.
    conversation_id = models.BigIntegerField(null=True, blank=True, editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.PENDING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), db_default=Now())
    # The HTTP status of the last attempt, if there was an answer, and why it failed, if it did.
    last_status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    last_error = models.CharField(_("error"), max_length=20, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    # When somebody last had it sent again: all of one moment were chosen together.
    resent_at = models.DateTimeField(_("sent again"), null=True, blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [
            # The two lanes of an endpoint: first attempts in order, retries when due.
            models.Index(
                fields=["endpoint", "id"],
                name="delivery_first",
                condition=Q(state="pending", attempts=0),
            ),
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="delivery_retry",
                condition=Q(state="pending", attempts__gt=0),
            ),
            models.Index(
                "endpoint",
                F("id").desc(),
                name="delivery_missed",
                condition=Q(state__in=["failed", "skipped"]),
            ),
            # The log: of an endpoint, of a conversation, newest first.
            models.Index("endpoint", F("id").desc(), name="delivery_of_endpoint"),
            models.Index(
                "conversation_id",
                F("id").desc(),
                name="delivery_of_conversation",
                condition=Q(conversation_id__isnull=False),
            ),
            models.Index(
                fields=["resent_at"],
                name="delivery_resent",
                condition=Q(resent_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def public_id(self) -> str:
        return f"{self.ID_PREFIX}{self.pk}"

    @property
    def failure_sentence(self) -> str:
        """Why the last attempt failed, in words; "" if it did not."""
        known = self.last_error in Failure.values
        return str(Failure(self.last_error).label) if known else self.last_error


class DeliveryAttempt(models.Model):
    """One POST of a delivery."""

    # Not constrained: both go together, by the purge or with their endpoint.
    delivery = models.ForeignKey(
        Delivery,
        on_delete=models.CASCADE,
        related_name="attempt_log",
        db_constraint=False,
        verbose_name=_("delivery"),
    )
    number = models.PositiveSmallIntegerField(_("number"))
    # As they were sent, the signature too.
    request_headers = models.JSONField(
        _("headers that were sent"), default=dict, db_default={}
    )
    started_at = models.DateTimeField(_("started"))
    duration_ms = models.PositiveIntegerField(_("milliseconds"))
    status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    error = models.CharField(
        _("error"), max_length=20, blank=True, choices=Failure.choices
    )
    # The start of the answer (or the error's own words), for whoever looks for the fault.
    response = models.TextField(_("answer"), blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.number}"


class EchoedRequest(models.Model):
    """What the sandbox's own endpoint received."""

    received_at = models.DateTimeField(_("received"), db_default=Now())
    event_id = models.CharField(max_length=64, blank=True)
    is_verified = models.BooleanField(_("signature verified"))
    body = models.TextField(_("body"))

    class Meta:
        verbose_name = _("echoed request")
        verbose_name_plural = _("echoed requests")
        indexes = [models.Index(fields=["event_id"], name="echoed_event")]

    def __str__(self) -> str:
        return self.event_id
