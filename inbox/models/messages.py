"""One entry in a conversation, inbound or outbound, and what hangs on it."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inbox.models.agents import Agent
from inbox.models.channels import Channel
from inbox.models.conversations import Conversation


class Direction(models.TextChoices):
    IN = "in", _("In")
    OUT = "out", _("Out")
    NOTE = "note", _("Note")
    EVENT = "event", _("Event")


class Source(models.TextChoices):
    """Who wrote it (public, product.md 3)."""

    CUSTOMER = "customer", _("Customer")
    AGENT = "agent", _("Agent")
    AUTOMATION = "automation", _("Automation")
    API = "api", _("API")
    AI = "ai", _("AI")
    NATIVE_APP = "native_app", _("Native app")
    SYSTEM = "system", _("System")


class MessageType(models.TextChoices):
    """What it is (public, product.md 3); `event` is ours alone, for lines in the thread."""

    TEXT = "text", _("Text")
    IMAGE = "image", _("Photo")
    VIDEO = "video", _("Video")
    AUDIO = "audio", _("Voice message")
    FILE = "file", _("File")
    STICKER = "sticker", _("Sticker")
    LOCATION = "location", _("Location")
    STORY_MENTION = "story_mention", _("Story mention")
    STORY_REPLY = "story_reply", _("Story reply")
    COMMENT = "comment", _("Comment")
    POSTBACK = "postback", _("Button")
    SHARE = "share", _("Shared post")
    TEMPLATE = "template", _("Card")
    UNSUPPORTED = "unsupported", _("Unsupported message")
    EVENT = "event", _("Event")


class Status(models.TextChoices):
    RECEIVED = "received", _("Received")
    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Sending")
    UNCERTAIN = "uncertain", _("Waiting to hear whether it was sent")
    SENT = "sent", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    READ = "read", _("Read")
    FAILED = "failed", _("Not sent")


# A conversation has at most one of these: its replies leave one at a time, in order.
IN_FLIGHT = (Status.SENDING, Status.UNCERTAIN)


class MessageQuerySet(models.QuerySet["Message"]):
    def in_thread_order(self) -> MessageQuerySet:
        return self.order_by("sent_at", "id")

    def outbound(self) -> MessageQuerySet:
        return self.filter(direction=Direction.OUT)

    def with_parts(self) -> MessageQuerySet:
        """With all that a bubble shows, in a fixed number of statements."""
        return self.select_related("author", "reply_to").prefetch_related(
            "attachments", "reactions"
        )


class Message(models.Model):
    # Null for a stub only: something referred to a message that has not come yet, and left
    # what it knew under the message's id for the message to find.
    conversation: models.ForeignKey[Conversation, Conversation] = models.ForeignKey(  # type: ignore[misc]  # null is for stubs, which nobody reads
        Conversation,
        on_delete=models.CASCADE,
        null=True,
        related_name="messages",
        db_index=False,
    )
    channel = models.ForeignKey(
        Channel,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("channel"),
    )
    direction = models.CharField(
        _("direction"), max_length=5, choices=Direction.choices
    )
    source = models.CharField(_("source"), max_length=12, choices=Source.choices)
    author = models.ForeignKey(
        Agent,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("author"),
    )
    # The rule's, the key's or the agent's name as it was when the message was written.
    author_name = models.CharField(_("author"), max_length=200, blank=True)
    type = models.CharField(
        _("type"), max_length=15, choices=MessageType.choices, default=MessageType.TEXT
    )
    content = models.TextField(_("content"), blank=True)
    # The channel's id of the message; null until the channel has taken it, and for notes.
    external_id = models.CharField(  # noqa: DJ001 - unique where known
        _("external id"), max_length=600, null=True, blank=True
    )
    # The sender's own key of one composed message: the same key twice is the same message.
    client_key = models.CharField(  # noqa: DJ001 - unique where given
        _("client key"), max_length=100, null=True, blank=True
    )
    # One composed reply of several parts; its parts leave in order.
    group = models.UUIDField(_("group"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    sending_since = models.DateTimeField(_("sending since"), null=True, blank=True)
    error_class = models.CharField(_("error"), max_length=20, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_detail = models.CharField(_("reason"), max_length=300, blank=True)
    reply_to = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="replies",
        db_index=False,
        verbose_name=_("reply to"),
    )
    # Sent into the inbox of who wrote the comment `reply_to`: once per comment.
    is_private_reply = models.BooleanField(default=False, db_default=False)
    # The journal row it came from (the channel app's); null for what we wrote.
    raw_event_id = models.BigIntegerField(_("raw event"), null=True, blank=True)
    # What the type needs: {story, referral, comment, postback, quick_reply, edits, event, raw,
    # quick_replies, cards, template, recovered}.
    extra = models.JSONField(_("extra"), default=dict, blank=True)
    # The channel's time, by which threads sort; for our sends our clock until the echo tells.
    sent_at = models.DateTimeField(_("sent"))
    received_at = models.DateTimeField(_("received"), db_default=Now())
    edited_at = models.DateTimeField(_("edited"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("unsent"), null=True, blank=True)
    is_stub = models.BooleanField(default=False, editable=False)
    # The content folded for search: case, accents, Arabic forms, punctuation to spaces.
    search_text = models.TextField(default="", blank=True, editable=False)
    search_vector = models.GeneratedField(
        expression=SearchVector("search_text", config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id"], name="message_external_id"
            ),
            # Partial where most rows have none: every insert pays for each index it is in.
            models.UniqueConstraint(
                fields=["client_key"],
                name="message_client_key",
                condition=Q(client_key__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(conversation__isnull=False) | Q(is_stub=True),
                name="message_has_conversation",
            ),
            models.UniqueConstraint(
                fields=["conversation"],
                name="message_one_in_flight",
                condition=Q(status__in=["sending", "uncertain"]),
            ),
            models.UniqueConstraint(
                fields=["reply_to"],
                name="message_one_private_reply",
                condition=Q(is_private_reply=True) & ~Q(status="failed"),
            ),
        ]
        indexes = [
            models.Index(
                "conversation",
                F("sent_at").desc(),
                F("id").desc(),
                name="message_thread",
            ),
            # The panel's notes: few among many messages.
            models.Index(
                "conversation",
                F("sent_at").desc(),
                F("id").desc(),
                name="message_notes",
                condition=Q(direction="note"),
            ),
            models.Index(
                "next_attempt_at",
                "id",
                name="message_due",
                condition=Q(status="queued"),
            ),
            models.Index(
                "conversation", "id", name="message_queue", condition=Q(status="queued")
            ),
            models.Index(
                "sending_since",
                name="message_in_flight",
                condition=Q(status__in=["sending", "uncertain"]),
            ),
            # What a delivered or read notice may still change.
            models.Index(
                "conversation",
                "sent_at",
                name="message_unread_out",
                condition=Q(direction="out", status__in=["sent", "delivered"]),
            ),
            # Sends that an echo may still settle, and that a person must look at.
            models.Index(
                "conversation",
                "id",
                name="message_failed",
                condition=Q(status="failed"),
            ),
            models.Index(
                "conversation",
                "group",
                name="message_group",
                condition=Q(group__isnull=False),
            ),
            models.Index(
                fields=["reply_to"],
                name="message_reply_to",
                condition=Q(reply_to__isnull=False),
            ),
            models.Index(
                fields=["author"],
                name="message_author",
                condition=Q(author__isnull=False),
            ),
            GinIndex("search_vector", name="message_search"),
            models.Index(F("sent_at").desc(), F("id").desc(), name="message_newest"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return f"MSG_{self.pk}"

    @property
    def is_outbound(self) -> bool:
        return self.direction == Direction.OUT


class Attachment(models.Model):
    class State(models.TextChoices):
        REMOTE = "remote", _("On the channel's server")
        STORED = "stored", _("Stored")
        EXPIRED = "expired", _("No longer available")
        REFUSED = "refused", _("Refused")

    message = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        related_name="attachments",
        db_index=False,
        verbose_name=_("message"),
    )
    position = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(_("kind"), max_length=15, choices=MessageType.choices)
    remote_url = models.TextField(_("address"), blank=True)
    remote_url_expires_at = models.DateTimeField(
        _("address expires"), null=True, blank=True
    )
    file = models.FileField(
        _("file"), upload_to="attachments/%Y/%m/", max_length=200, blank=True
    )
    mime_type = models.CharField(_("type"), max_length=100, blank=True)
    size = models.PositiveBigIntegerField(_("bytes"), null=True, blank=True)
    width = models.PositiveIntegerField(_("width"), null=True, blank=True)
    height = models.PositiveIntegerField(_("height"), null=True, blank=True)
    thumbnail = models.FileField(
        _("thumbnail"),
        upload_to="thumbnails/%Y/%m/",
        max_length=200,
        blank=True,
        db_default="",
    )
    title = models.CharField(_("title"), max_length=300, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.REMOTE
    )
    # What its kind needs: coordinates, elements of a card, the sticker's id.
    extra = models.JSONField(_("extra"), default=dict, blank=True)

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["position", "id"]
        indexes = [
            models.Index(
                fields=["message", "position", "id"], name="attachment_message"
            ),
            # Whether anybody still knows a file that lies in the storage.
            models.Index(
                fields=["file"], name="attachment_file", condition=~Q(file="")
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.get_kind_display()


class ReactionQuerySet(models.QuerySet["Reaction"]):
    def shown(self) -> ReactionQuerySet:
        return self.exclude(emoji="")


class Reaction(models.Model):
    """The latest reaction of one actor. One that was taken back keeps its row, with no emoji:
    an older notice that comes later must not bring it back."""

    message = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        related_name="reactions",
        db_index=False,
        verbose_name=_("message"),
    )
    # Who reacted, by the channel's id (the person's, or the account's own).
    actor = models.CharField(_("actor"), max_length=255)
    emoji = models.CharField(_("emoji"), max_length=40, blank=True)
    reacted_at = models.DateTimeField(_("reacted"))

    objects = ReactionQuerySet.as_manager()

    class Meta:
        verbose_name = _("reaction")
        verbose_name_plural = _("reactions")
        constraints = [
            models.UniqueConstraint(
                fields=["message", "actor"], name="reaction_per_actor"
            ),
        ]

    def __str__(self) -> str:
        return self.emoji
