"""Who writes to us, and who they are on each channel."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Right
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from inbox.channels import WindowClock
from inbox.models.channels import Channel
from inbox.search import FoldedVector

# The end of a number is what stays the same, however its beginning is written.
PHONE_DIGITS = 9
CONTACT_WORDS = FoldedVector("name", "email", "phone", Right("phone", PHONE_DIGITS))
IDENTITY_WORDS = FoldedVector("name", "username")


class Contact(models.Model):
    """One person, behind any number of channel identities."""

    name = models.CharField(_("name"), max_length=200, blank=True)
    email = models.EmailField(_("email"), blank=True)
    email_verified_at = models.DateTimeField(_("email verified"), null=True, blank=True)
    phone = models.CharField(_("phone (E.164)"), max_length=20, blank=True)
    phone_verified_at = models.DateTimeField(_("phone verified"), null=True, blank=True)
    # The business's own id of this person, from its website; null until the website told it.
    site_user_id = models.CharField(
        _("website user id"), max_length=200, null=True, blank=True, unique=True
    )
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    avatar_url = models.URLField(_("avatar"), max_length=2000, blank=True)
    merged_into = models.ForeignKey(
        "self",
        verbose_name=_("merged into"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="merged",
    )
    # Counts what changed of what the panel says: an open page that has another looks again.
    revision = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="contact_newest"),
            models.Index(
                fields=["email"], name="contact_email", condition=~Q(email="")
            ),
            models.Index(
                fields=["phone"], name="contact_phone", condition=~Q(phone="")
            ),
            GinIndex(CONTACT_WORDS, name="contact_search"),
        ]

    def __str__(self) -> str:
        return self.name or self.public_id

    @property
    def public_id(self) -> str:
        return f"USER_{self.pk}"


class ChannelIdentity(models.Model):
    """Who a contact is on one channel, under that channel's id.

    The reply window belongs here: the platform opens it for the person, whatever
    conversation we file the message under. Conversations carry a copy for lists.
    """

    channel = models.ForeignKey(
        Channel,
        on_delete=models.PROTECT,
        related_name="identities",
        db_index=False,
        verbose_name=_("channel"),
    )
    # The person's id on that account; `comment:<id>` for a comment that came without its author.
    external_id = models.CharField(_("external id"), max_length=255)
    contact = models.ForeignKey(
        Contact,
        on_delete=models.PROTECT,
        related_name="identities",
        verbose_name=_("contact"),
    )
    username = models.CharField(_("username"), max_length=100, blank=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    # Where the platform shows the picture, for a few days; our copy lasts.
    avatar_url = models.URLField(_("avatar"), max_length=2000, blank=True)
    avatar = models.FileField(
        _("picture"),
        upload_to="avatars/%Y/%m/",
        max_length=200,
        blank=True,
        db_default="",
    )
    # What else the profile tells: {follower_count, is_verified_user, ...}.
    profile = models.JSONField(
        _("profile"),
        default=dict,
        blank=True,
        db_default=models.Value({}, models.JSONField()),
    )
    # Null until the platform was asked for the profile, whatever it answered.
    profile_checked_at = models.DateTimeField(
        _("profile checked"), null=True, blank=True
    )
    # When the person last did something that opens the reply window; never our own send.
    last_inbound_at = models.DateTimeField(_("last act"), null=True, blank=True)
    window_expires_at = models.DateTimeField(_("window closes"), null=True, blank=True)
    # A longer window may be open until then: known only by trying (an ad click, for one).
    probable_until = models.DateTimeField(
        _("window may last until"), null=True, blank=True
    )
    # The window that their next message opens may last this long: they clicked on an ad.
    coming_window = models.DurationField(_("coming window"), null=True, blank=True)
    window_reason = models.CharField(_("window opened by"), max_length=40, blank=True)
    # Our messages up to here were delivered to, and read by, this person.
    delivered_until = models.DateTimeField(_("delivered until"), null=True, blank=True)
    read_until = models.DateTimeField(_("read until"), null=True, blank=True)
    # Since when we do not want to hear from them: what they write is stored and disturbs nobody.
    blocked_at = models.DateTimeField(_("blocked"), null=True, blank=True)
    is_spam = models.BooleanField(_("spam"), default=False, db_default=False)
    # The person asked to be forgotten: what was written until then is never stored again.
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True)
    # Ids of agents who asked to be told when the person writes again; empty once they were.
    awaited_by = ArrayField(
        models.IntegerField(), default=list, blank=True, db_default=[]
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("channel identity")
        verbose_name_plural = _("channel identities")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id"], name="identity_on_channel"
            ),
        ]
        indexes = [
            models.Index(
                fields=["blocked_at"],
                name="identity_blocked",
                condition=Q(blocked_at__isnull=False),
            ),
            GinIndex(IDENTITY_WORDS, name="identity_search"),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def public_id(self) -> str:
        return f"{self.channel.adapter.id_prefix}{self.external_id}"

    @property
    def window_clock(self) -> WindowClock:
        return WindowClock(
            self.last_inbound_at, self.window_expires_at, self.probable_until
        )

    @property
    def display_name(self) -> str:
        """Profile name, else handle, else "Instagram user ..1234": never an invented name."""
        if self.name or self.username:
            return self.name or f"@{self.username}"
        return gettext("%(channel)s user ..%(end)s") % {
            "channel": self.channel.adapter.label,
            "end": self.external_id[-4:],
        }
