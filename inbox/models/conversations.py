"""A thread with one identity."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from inbox.channels import WindowState, reply_window
from inbox.models.agents import Agent, Team
from inbox.models.channels import Channel
from inbox.models.contacts import ChannelIdentity


class Viewer(Protocol):
    """Whoever looks: an agent, a stranger, the holder of an API key."""

    is_active: bool

    def has_perm(self, perm: str, obj: Any = None) -> bool: ...


# What `held_by` says where the platform does not tell which app it is.
ANOTHER_APP = "another app"


class Tag(models.Model):
    name = models.CharField(_("name"), max_length=40, unique=True)
    # One of the six dots of the design.
    colour = models.PositiveSmallIntegerField(
        _("colour"),
        default=1,
        choices=[(number, str(number)) for number in range(1, 7)],
    )

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return f"TAG_{self.pk}"


class Priority(models.IntegerChoices):
    NONE = 0, _("None")
    LOW = 1, _("Low")
    MEDIUM = 2, _("Medium")
    HIGH = 3, _("High")
    URGENT = 4, _("Urgent")


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, viewer: Viewer) -> ConversationQuerySet:
        """The only door to conversations for pages and API."""
        if viewer.is_active and viewer.has_perm("inbox.view_conversation"):
            return self
        return self.none()

    def newest_first(self) -> ConversationQuerySet:
        return self.order_by("-last_message_at", "-id")

    def with_parties(self) -> ConversationQuerySet:
        """With all that a list row shows, in one statement."""
        return self.select_related(
            "channel", "identity__contact", "identity__channel", "assignee", "team"
        )


class Conversation(models.Model):
    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        SNOOZED = "snoozed", _("Snoozed")
        CLOSED = "closed", _("Done")

    channel = models.ForeignKey(
        Channel,
        on_delete=models.PROTECT,
        related_name="conversations",
        db_index=False,
        verbose_name=_("channel"),
    )
    identity = models.ForeignKey(
        ChannelIdentity,
        on_delete=models.PROTECT,
        related_name="conversations",
        db_index=False,
        verbose_name=_("identity"),
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.OPEN
    )
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, blank=True)
    assignee = models.ForeignKey(
        Agent,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="conversations",
        verbose_name=_("assignee"),
        db_index=False,
    )
    team = models.ForeignKey(
        Team,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="conversations",
        verbose_name=_("team"),
        db_index=False,
    )
    tags = ArrayField(
        models.IntegerField(), verbose_name=_("tags"), default=list, blank=True
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.NONE, db_default=0
    )
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    # Who else holds the thread at the platform (an app's name or id); "" while it is ours or
    # nobody's. Until we take it over, the platform refuses what we send.
    held_by = models.CharField(_("held by"), max_length=100, blank=True, db_default="")
    # Where the person came from (an ad, a link), as the channel told it last.
    referral = models.JSONField(_("referral"), default=dict, blank=True)
    unread = models.PositiveIntegerField(_("unread"), default=0)
    # Replies that were not sent and that nobody has dealt with.
    failed = models.PositiveIntegerField(_("not sent"), default=0, db_default=0)
    # What a list row shows of the newest message: {id, direction, source, type, status, text}.
    last_message = models.JSONField(_("last message"), default=dict, blank=True)
    last_message_at = models.DateTimeField(_("last activity"), db_default=Now())
    # Copies of the identity's, for lists.
    last_inbound_at = models.DateTimeField(
        _("last act of the person"), null=True, blank=True
    )
    window_expires_at = models.DateTimeField(_("window closes"), null=True, blank=True)
    # Since when the person has been without an answer.
    waiting_since = models.DateTimeField(_("waiting since"), null=True, blank=True)
    # Grows with every change that an open page must see.
    revision = models.BigIntegerField(default=0, editable=False)
    # How many events this conversation has had; webhooks number theirs by it.
    sequence = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), db_default=Now())
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints = [
            models.UniqueConstraint(
                fields=["identity"],
                name="conversation_one_open_per_identity",
                condition=~Q(status="closed"),
            ),
        ]
        indexes = [
            models.Index(
                "status", F("last_message_at").desc(), F("id").desc(), name="conv_list"
            ),
            models.Index(
                "assignee",
                "status",
                F("last_message_at").desc(),
                F("id").desc(),
                name="conv_assignee",
            ),
            models.Index(
                "team",
                "status",
                F("last_message_at").desc(),
                F("id").desc(),
                name="conv_team",
            ),
            models.Index(
                "channel",
                "status",
                F("last_message_at").desc(),
                F("id").desc(),
                name="conv_channel",
            ),
            models.Index("identity", F("id").desc(), name="conv_identity"),
            models.Index(
                F("last_message_at").desc(),
                F("id").desc(),
                name="conv_unread",
                condition=Q(unread__gt=0),
            ),
            models.Index(
                "window_expires_at",
                "id",
                name="conv_closing",
                condition=Q(status="open"),
            ),
            models.Index(
                "snoozed_until", name="conv_snoozed", condition=Q(status="snoozed")
            ),
            models.Index(
                "waiting_since",
                "id",
                name="conv_waiting",
                condition=Q(status="open", waiting_since__isnull=False),
            ),
            models.Index(
                F("last_message_at").desc(),
                F("id").desc(),
                name="conv_failed",
                condition=Q(failed__gt=0),
            ),
            models.Index(
                F("priority").desc(),
                F("last_message_at").desc(),
                F("id").desc(),
                name="conv_priority",
                condition=Q(status="open", priority__gt=0),
            ),
            # What the newest message is: views of their own, of few among many.
            models.Index(
                F("last_message_at").desc(),
                F("id").desc(),
                name="conv_comments",
                condition=Q(status="open", last_message__type="comment"),
            ),
            models.Index(
                F("last_message_at").desc(),
                F("id").desc(),
                name="conv_stories",
                condition=Q(
                    status="open",
                    last_message__type__in=["story_mention", "story_reply"],
                ),
            ),
            models.Index(F("updated_at").desc(), F("id").desc(), name="conv_updated"),
            # Most conversations have none, and every update of a row pays for its GIN entries.
            GinIndex("tags", name="conv_tags", condition=~Q(tags=[])),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("inbox:conversation", args=["all", self.pk])

    @property
    def public_id(self) -> str:
        return str(self.pk)

    def reply_window_at(self, moment: datetime, *, source: str) -> WindowState:
        """Whether `source` may write at this moment, by the identity's clock.

        Needs `channel` and `identity`; the identity's clock decides, the copy is for lists.
        """
        return reply_window(
            self.channel.adapter.windows,
            source=source,
            features=frozenset(self.channel.features),
            clock=self.identity.window_clock,
            at=moment,
        )
