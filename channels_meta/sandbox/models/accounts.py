"""Accounts that live at the pretend Meta, and the tokens it has handed out for them."""

from __future__ import annotations

import hashlib

from django.db import models
from django.utils.translation import gettext_lazy as _

from inbox.models import Channel


class SandboxAccount(models.Model):
    """A Page or an Instagram account, whether or not Dexra has connected it.

    subscribed_fields: what the apps get of it; empty: nothing is posted.
    """

    kind = models.CharField(_("kind"), max_length=20)
    external_id = models.CharField(_("external id"), max_length=100)
    # What the app's own users know the account by at Instagram Login: not the number in events.
    scoped_id = models.CharField(_("app-scoped id"), max_length=100, blank=True)
    name = models.CharField(_("name"), max_length=200)
    username = models.CharField(_("username"), max_length=100, blank=True)
    # The Page that an Instagram account is linked to.
    page = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="linked",
        verbose_name=_("page"),
    )
    is_professional = models.BooleanField(_("professional"), default=True)
    # "Allow access to messages" in the owner's settings.
    allows_messages = models.BooleanField(_("allows access to messages"), default=True)
    has_human_agent = models.BooleanField(_("human agent feature"), default=True)
    # With conversation routing only the app that owns a thread may write in it.
    has_routing = models.BooleanField(_("conversation routing"), default=False)
    # Instagram writes its errors in the account's own language.
    language = models.CharField(_("language"), max_length=10, default="fr")
    subscribed_fields = models.JSONField(
        _("subscribed fields"), default=list, blank=True
    )
    # Which login's app is subscribed: its secret signs.
    subscribed_by = models.CharField(_("subscribed by"), max_length=10, blank=True)
    # Since when every event was refused; null once one was taken.
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True)
    alerted_at = models.DateTimeField(_("developers alerted"), null=True, blank=True)
    # When an hour of refusals ended the subscription.
    dropped_at = models.DateTimeField(_("unsubscribed"), null=True, blank=True)

    class Meta:
        verbose_name = _("pretend account")
        verbose_name_plural = _("pretend accounts")
        ordering = ["kind", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "external_id"], name="sandbox_account_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.external_id})"

    @property
    def is_instagram(self) -> bool:
        return self.kind == "instagram"

    @property
    def channel(self) -> Channel:
        """Dexra's side of it. Raises Channel.DoesNotExist while it is not connected."""
        return Channel.objects.get(kind=self.kind, external_id=self.external_id)

    @property
    def is_subscribed(self) -> bool:
        """Whether any app hears of it."""
        return self.subscription is not None

    @property
    def subscription(self) -> SandboxAccount | None:
        """The account whose subscription covers this one: itself, or for Instagram its Page.

        An account that subscribed by its own login is not covered by the other one's app.
        """
        if self.subscribed_fields:
            return self
        if self.page is None or self.subscribed_by:
            return None
        return self.page if self.page.subscribed_fields else None


class SandboxToken(models.Model):
    """A token or a code that the pretend Meta handed out; itself it keeps only their digests."""

    class Kind(models.TextChoices):
        CODE = "code", _("Code")
        USER = "user", _("User token")
        PAGE = "page", _("Page token")
        INSTAGRAM = "instagram", _("Instagram token")

    digest = models.CharField(max_length=64, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    # Who signed in, and how that login went (login/cases.py); "" for the sandbox's own set-up.
    case = models.CharField(_("case"), max_length=20, blank=True)
    user_id = models.CharField(_("user id"), max_length=100, blank=True)
    # Null for a Facebook user's: that speaks for all their Pages.
    account = models.ForeignKey(
        SandboxAccount,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="tokens",
        verbose_name=_("account"),
    )
    scopes = models.JSONField(_("scopes"), default=list, blank=True)
    redirect_uri = models.TextField(_("return address"), blank=True)
    issued_at = models.DateTimeField(_("issued"))
    # Seconds of the sandbox's clock; null: never by time.
    lasts = models.PositiveIntegerField(_("lasts"), null=True, blank=True)
    used_at = models.DateTimeField(_("used"), null=True, blank=True)
    # Why it is dead: the subcode of 190.
    killed_by = models.PositiveIntegerField(_("killed by"), null=True, blank=True)

    class Meta:
        verbose_name = _("pretend token")
        verbose_name_plural = _("pretend tokens")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class SandboxTemplate(models.Model):
    """A message template of a Page, for Utility messages."""

    account = models.ForeignKey(
        SandboxAccount,
        on_delete=models.CASCADE,
        related_name="templates",
        verbose_name=_("account"),
    )
    external_id = models.CharField(_("external id"), max_length=100)
    name = models.CharField(_("name"), max_length=200)
    language = models.CharField(_("language"), max_length=20)
    # APPROVED, PENDING, REJECTED.
    status = models.CharField(_("status"), max_length=20)
    # As Meta's: [{"type": "BODY", "text": "... {{1}} ..."}].
    components = models.JSONField(_("components"), default=list)
    reason = models.CharField(_("reason"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("pretend template")
        verbose_name_plural = _("pretend templates")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name", "language"], name="sandbox_template_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"
