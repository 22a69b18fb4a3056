"""Files that agents have handed us ahead of the reply they belong to."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from inbox.models.agents import Agent
from inbox.models.api_keys import ApiKey
from inbox.models.conversations import Conversation
from inbox.models.messages import Message, MessageType


class StagedFile(models.Model):
    """A stored file that waits for its reply, of an agent or of a key. Rows go after a day, with
    their files."""

    agent = models.ForeignKey(
        Agent,
        on_delete=models.CASCADE,
        null=True,
        related_name="staged_files",
        db_index=False,
    )
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="staged_files"
    )
    # The message that has taken the file; the row stays, so that the same reply posted again is
    # known to be the same.
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, null=True, related_name="+"
    )
    kind = models.CharField(max_length=15, choices=MessageType.choices)
    file = models.FileField(max_length=200)
    thumbnail = models.FileField(max_length=200, blank=True)
    name = models.CharField(max_length=150, blank=True)
    mime_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(agent__isnull=True) ^ Q(api_key__isnull=True),
                name="staged_by_one",
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "conversation"], name="staged_of_agent"),
            # Whether anybody still knows a file that lies in the storage.
            models.Index(fields=["file"], name="staged_file"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return f"FILE_{self.pk}"
