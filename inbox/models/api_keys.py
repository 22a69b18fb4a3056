"""Keys of the REST API."""

from __future__ import annotations

import hashlib
import secrets

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox.models.agents import Agent

PREFIX_LENGTH = 12


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
    def issue(cls, name: str, *, created_by: Agent | None = None) -> tuple[ApiKey, str]:
        """Make a key. Returns the row and the key, which cannot be read again."""
        key = f"dxr_{secrets.token_urlsafe(32)}"
        row = cls.objects.create(
            name=name,
            prefix=key[:PREFIX_LENGTH],
            key_hash=hash_key(key),
            created_by=created_by,
        )
        return row, key
