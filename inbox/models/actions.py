"""What an agent does to a comment or a message at the channel: hide, delete, like, react."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inbox.channels import ActionKind
from inbox.models.agents import Agent
from inbox.models.channels import Channel
from inbox.models.conversations import Conversation
from inbox.models.messages import Message


class ChannelAction(models.Model):
    """One act, queued like a message and kept as its record."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        DONE = "done", _("Done")
        FAILED = "failed", _("Not done")

    channel = models.ForeignKey(
        Channel,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("channel"),
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        related_name="actions",
        verbose_name=_("conversation"),
    )
    # Null where it is about the conversation itself (taking it over).
    message = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="actions",
        verbose_name=_("message"),
    )
    kind = models.CharField(
        _("kind"),
        max_length=10,
        choices=[(kind.value, kind.value) for kind in ActionKind],
    )
    # The emoji of a reaction.
    value = models.CharField(_("value"), max_length=40, blank=True)
    author = models.ForeignKey(
        Agent,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("author"),
    )
    author_name = models.CharField(_("author"), max_length=200, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), db_default=Now())
    error_class = models.CharField(_("error"), max_length=20, blank=True)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_detail = models.CharField(_("reason"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("channel action")
        verbose_name_plural = _("channel actions")
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                name="action_due",
                condition=Q(status="queued"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.message_id or self.conversation_id}"
