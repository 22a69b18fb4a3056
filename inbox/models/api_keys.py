"""Keys of the REST API."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox.encryption import EncryptedTextField
from inbox.models.agents import Agent

PREFIX_LENGTH = 12


class Scope(models.TextChoices):
    """What a key may do: one resource and one way of using it, or whom it may write for (public)."""

    CONVERSATIONS_READ = "conversations:read", _("Read conversations")
    CONVERSATIONS_WRITE = "conversations:write", _("Change conversations")
    MESSAGES_READ = "messages:read", _("Read and search messages")
    MESSAGES_WRITE = "messages:write", _("Send messages, notes, reactions and files")
    COMMENTS_WRITE = "comments:write", _("Answer, hide, like and delete comments")
    CONTACTS_READ = "contacts:read", _("Read and search contacts")
    CONTACTS_WRITE = "contacts:write", _("Create and change contacts")
    CONTACTS_EXPORT = "contacts:export", _("Export all that is kept of a contact")
    CONTACTS_ERASE = "contacts:erase", _("Erase contacts for good")
    CHANNELS_READ = "channels:read", _("Read channels and their templates")
    TAGS_READ = "tags:read", _("Read tags")
    TAGS_WRITE = "tags:write", _("Create tags")
    CANNED_READ = "canned_replies:read", _("Read canned replies")
    AGENTS_READ = "agents:read", _("Read agents and teams")
    AUTOMATIONS_READ = "automations:read", _("Read automations")
    AUTOMATIONS_WRITE = "automations:write", _("Switch automations on and off")
    EVENTS_READ = "events:read", _("Read events")
    ENDPOINTS_READ = "endpoints:read", _("Read webhook endpoints")
    ENDPOINTS_WRITE = "endpoints:write", _("Change webhook endpoints")
    DELIVERIES_READ = "deliveries:read", _("Read webhook deliveries")
    DELIVERIES_WRITE = "deliveries:write", _("Repeat webhook deliveries")
    # Whom the key may write for, beside itself.
    ACT_AS_AGENT = "act_as_agent", _("Write as a named agent, with an agent's window")
    ACT_AS_AI = "act_as_ai", _("Mark what it writes as written by AI")


def usual_scopes() -> list[str]:
    """All that a key does in its own name."""
    named = {Scope.ACT_AS_AGENT, Scope.ACT_AS_AI}
    return [scope.value for scope in Scope if scope not in named]


def hash_key(key: str) -> str:
    """SHA-256 is enough: the key is 256 random bits, not a password."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> ApiKeyQuerySet:
        return self.filter(revoked_at__isnull=True).exclude(expires_at__lte=now())


class ApiKey(models.Model):
    """A backend that acts for the business. The key itself is shown once and not stored."""

    name = models.CharField(_("name"), max_length=80)
    # The key's public start, by which people recognise it and the API finds it.
    prefix = models.CharField(_("prefix"), max_length=20, unique=True, editable=False)
    key_hash = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=30, choices=Scope.choices),
        verbose_name=_("scopes"),
        default=usual_scopes,
    )
    created_by = models.ForeignKey(
        Agent,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used_at = models.DateTimeField(
        _("last used"), null=True, blank=True, editable=False
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}...)"

    @classmethod
    def issue(
        cls,
        name: str,
        *,
        created_by: Agent | None = None,
        scopes: Iterable[str] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key. Returns the row and the key, which cannot be read again.

        scopes: None for the usual ones.
        """
        key = f"dxr_{secrets.token_urlsafe(32)}"
        row = cls.objects.create(
            name=name,
            prefix=key[:PREFIX_LENGTH],
            key_hash=hash_key(key),
            created_by=created_by,
            expires_at=expires_at,
            scopes=usual_scopes() if scopes is None else sorted(set(scopes)),
        )
        return row, key


# Who changes something: a person, or a program in its own name.
Actor = Agent | ApiKey


class IdempotentAnswer(models.Model):
    """What a POST with an Idempotency-Key was answered, stored with its effect."""

    api_key = models.ForeignKey(
        ApiKey, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    key = models.CharField(max_length=255)
    # SHA-256 of method, address and body.
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    # The bytes of the answer as text, encrypted: some tell a secret.
    body = EncryptedTextField(blank=True)
    # What it told of was erased, and the body with it.
    is_erased = models.BooleanField(default=False)
    # Public ids in the answer ("MSG_7", "54321"), by which it is erased with what it tells of.
    subjects = ArrayField(models.CharField(max_length=300), default=list)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "key"], name="idempotent_once"),
        ]
        indexes = [GinIndex(fields=["subjects"], name="idempotent_subjects")]

    def __str__(self) -> str:
        return f"{self.status} {self.created_at}"
