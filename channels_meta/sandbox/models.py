"""What the pretend Meta knows: its accounts, people, messages, faults, and the calls it saw."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inbox.encryption import EncryptedTextField
from inbox.models import Channel


class SandboxAccount(models.Model):
    """Meta's side of a sandbox channel. access_token: the one that is valid; "" for none."""

    channel = models.OneToOneField(
        Channel, on_delete=models.CASCADE, related_name="sandbox_account"
    )
    access_token = EncryptedTextField(_("access token"), blank=True)

    class Meta:
        verbose_name = _("pretend account")
        verbose_name_plural = _("pretend accounts")

    def __str__(self) -> str:
        return str(self.channel)


class SandboxPerson(models.Model):
    """A pretend customer, known to one account under an id of its own."""

    channel = models.ForeignKey(
        Channel, on_delete=models.CASCADE, related_name="sandbox_people"
    )
    external_id = models.CharField(_("external id"), max_length=100)
    username = models.CharField(_("username"), max_length=100, blank=True)
    name = models.CharField(_("name"), max_length=200)
    # For whoever plays: "writes in Arabic".
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("pretend customer")
        verbose_name_plural = _("pretend customers")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id"], name="sandbox_person_on_channel"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SandboxMessage(models.Model):
    """One entry on the customer's phone."""

    class Direction(models.TextChoices):
        IN = "in", _("From the customer")
        OUT = "out", _("From the business")

    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        IMAGE = "image", _("Photo")
        VIDEO = "video", _("Video")
        AUDIO = "audio", _("Voice message")
        FILE = "file", _("File")
        STORY_MENTION = "story_mention", _("Story mention")
        STORY_REPLY = "story_reply", _("Story reply")
        COMMENT = "comment", _("Comment")
        POSTBACK = "postback", _("Button")

    person = models.ForeignKey(
        SandboxPerson, on_delete=models.CASCADE, related_name="messages"
    )
    mid = models.CharField(_("message id"), max_length=600, unique=True)
    direction = models.CharField(
        _("direction"), max_length=3, choices=Direction.choices
    )
    text = models.TextField(_("text"), blank=True)
    kind = models.CharField(
        _("kind"), max_length=15, choices=Kind.choices, default=Kind.TEXT
    )
    media_url = models.TextField(_("address"), blank=True)
    reply_to_mid = models.CharField(_("reply to"), max_length=600, blank=True)
    sent_at = models.DateTimeField(_("sent"))
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    seen_at = models.DateTimeField(_("seen"), null=True, blank=True)
    unsent_at = models.DateTimeField(_("unsent"), null=True, blank=True)
    # The customer's reaction to a message of ours.
    reaction = models.CharField(_("reaction"), max_length=40, blank=True)
    reacted_at = models.DateTimeField(_("reacted"), null=True, blank=True)
    extra = models.JSONField(_("extra"), default=dict, blank=True)

    class Meta:
        verbose_name = _("pretend message")
        verbose_name_plural = _("pretend messages")
        ordering = ["sent_at", "id"]
        indexes = [
            models.Index(fields=["person", "sent_at", "id"], name="sandbox_thread")
        ]

    def __str__(self) -> str:
        return self.mid


class SandboxFault(models.Model):
    """What goes wrong with the next send of an account; used up by it."""

    class Kind(models.TextChoices):
        TOKEN = "token", _("Token no longer valid")
        THROTTLE = "throttle", _("Too many calls")
        UNAVAILABLE = "unavailable", _("Person cannot be reached")
        REFUSED = "refused", _("Message refused")
        SENT_BUT_ERROR = "sent_but_error", _("Sent, but answers with an error")
        TIMEOUT_AFTER_SEND = "timeout_after_send", _("Sent, but the answer is lost")
        CONNECTION_LOST = "connection_lost", _("Not sent, the connection breaks")

    channel = models.ForeignKey(
        Channel, on_delete=models.CASCADE, related_name="sandbox_faults"
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("fault")
        verbose_name_plural = _("faults")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.get_kind_display()


class SandboxCall(models.Model):
    """One exchange between the pretend Meta and Dexra: an event it posted, or a call it answered."""

    class Kind(models.TextChoices):
        MESSAGE = "message", _("Message received")
        IMAGE = "image", _("Photo received")
        AUDIO = "audio", _("Voice message received")
        STORY_MENTION = "story_mention", _("Story mention received")
        STORY_REPLY = "story_reply", _("Story reply received")
        COMMENT = "comment", _("Comment received")
        REACTION = "reaction", _("Reaction received")
        UNREACTION = "unreaction", _("Reaction taken back")
        UNSEND = "unsend", _("Message unsent by customer")
        READ = "read", _("Read by customer")
        DELIVERY = "delivery", _("Delivered to the phone")
        ECHO = "echo", _("Reply echoed")
        SEND = "send", _("Reply sent")
        PROFILE = "profile", _("Profile read")

    channel = models.ForeignKey(
        Channel, on_delete=models.CASCADE, related_name="sandbox_calls"
    )
    person = models.ForeignKey(
        SandboxPerson, on_delete=models.CASCADE, null=True, related_name="calls"
    )
    at = models.DateTimeField(_("at"), db_default=Now())
    kind = models.CharField(_("kind"), max_length=15, choices=Kind.choices)
    summary = models.CharField(_("summary"), max_length=600, blank=True)
    payload = models.JSONField(_("payload"), default=dict)
    # The HTTP status of the answer; 0 where none came.
    status = models.PositiveSmallIntegerField(_("status"))

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["person", "-id"], name="sandbox_call_newest"),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()
