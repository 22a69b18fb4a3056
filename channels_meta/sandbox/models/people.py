"""Pretend customers, what is on their phones, and the files that were sent to them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from channels_meta.sandbox.models.accounts import SandboxAccount
from inbox.models import Channel


class SandboxPersonQuerySet(models.QuerySet["SandboxPerson"]):
    def of(self, channel: Channel) -> SandboxPersonQuerySet:
        """Who writes to the account behind one of Dexra's channels."""
        return self.filter(
            account__kind=channel.kind, account__external_id=channel.external_id
        ).select_related("account__page")

    def known_as(self, external_id: str) -> SandboxPersonQuerySet:
        """By either of a person's ids on an account."""
        is_one = models.Q(external_id=external_id)
        if external_id:
            is_one |= models.Q(feed_id=external_id)
        return self.filter(is_one)


class SandboxPerson(models.Model):
    """A pretend customer, known to one account under ids of its own.

    The same person is somebody else to another account: every id counts for one account only.
    """

    account = models.ForeignKey(
        SandboxAccount,
        on_delete=models.CASCADE,
        related_name="people",
        verbose_name=_("account"),
    )
    external_id = models.CharField(_("external id"), max_length=100)
    # Who they are in comments on a Page: there it is another number than in Messenger.
    feed_id = models.CharField(_("id in comments"), max_length=100, blank=True)
    username = models.CharField(_("username"), max_length=100, blank=True)
    name = models.CharField(_("name"), max_length=200)
    # For whoever plays: "writes in Arabic".
    note = models.CharField(_("note"), max_length=200, blank=True)
    # A stranger's thread lies among the account's requests until it is answered.
    is_follower = models.BooleanField(_("follows the account"), default=True)
    # They came by an ad: until then a reply needs no tag.
    ad_window_until = models.DateTimeField(_("ad window"), null=True, blank=True)
    # Who owns the thread while conversation routing is on: an app's id.
    owner_app = models.CharField(_("thread owner"), max_length=40, blank=True)
    owned_until = models.DateTimeField(_("owned until"), null=True, blank=True)
    # What the phone shows of us right now, and since when.
    typing_since = models.DateTimeField(_("typing since"), null=True, blank=True)

    objects = SandboxPersonQuerySet.as_manager()

    class Meta:
        verbose_name = _("pretend customer")
        verbose_name_plural = _("pretend customers")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "external_id"], name="sandbox_person_of_account"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def channel(self) -> Channel:
        """Dexra's side of their account. Raises Channel.DoesNotExist while there is none."""
        return self.account.channel

    @property
    def comments_as(self) -> str:
        return self.feed_id or self.external_id

    @property
    def ids(self) -> set[str]:
        return {self.external_id, self.comments_as}

    @property
    def held_by(self) -> str:
        """The other app that holds the thread; "" if none does. A day without anybody ends it."""
        is_over = self.owned_until is not None and self.owned_until <= now()
        return "" if is_over else self.owner_app


class SandboxMessage(models.Model):
    """One entry on the customer's phone. mid: for a comment its comment id, for a post its id.

    extra: {quick_replies, cards, template, story_id, referral, parts: [{type, url}]}.
    """

    class Direction(models.TextChoices):
        IN = "in", _("From the customer")
        OUT = "out", _("From the business")

    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        IMAGE = "image", _("Photo")
        VIDEO = "video", _("Video")
        AUDIO = "audio", _("Voice message")
        FILE = "file", _("File")
        STICKER = "sticker", _("Sticker")
        LOCATION = "location", _("Location")
        SHARE = "share", _("Shared post")
        STORY_MENTION = "story_mention", _("Story mention")
        STORY_REPLY = "story_reply", _("Story reply")
        COMMENT = "comment", _("Comment")
        POST = "post", _("Post on the Page")
        MENTION = "mention", _("Mention")
        POSTBACK = "postback", _("Button")
        CARDS = "cards", _("Cards")
        TEMPLATE = "template", _("Message template")
        UNSUPPORTED = "unsupported", _("Unsupported message")

    person = models.ForeignKey(
        SandboxPerson,
        on_delete=models.CASCADE,
        related_name="messages",
        verbose_name=_("person"),
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
    # Names the file at the pretend CDN, which serves it for a while.
    asset_id = models.CharField(
        _("asset"), max_length=40, blank=True, db_index=True, default=""
    )
    reply_to_mid = models.CharField(_("reply to"), max_length=600, blank=True)
    sent_at = models.DateTimeField(_("sent"))
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    seen_at = models.DateTimeField(_("seen"), null=True, blank=True)
    edited_at = models.DateTimeField(_("edited"), null=True, blank=True)
    edits = models.PositiveSmallIntegerField(_("edits"), default=0)
    # Of a comment: deleted, by whoever may.
    unsent_at = models.DateTimeField(_("unsent"), null=True, blank=True)
    # The customer's reaction to a message of ours, or ours to one of theirs.
    reaction = models.CharField(_("reaction"), max_length=40, blank=True)
    reacted_at = models.DateTimeField(_("reacted"), null=True, blank=True)
    # Comments: below which post, answering which comment, and what became of them.
    post_id = models.CharField(_("post"), max_length=100, blank=True, default="")
    parent_id = models.CharField(_("parent"), max_length=100, blank=True, default="")
    is_hidden = models.BooleanField(_("hidden"), default=False)
    is_liked = models.BooleanField(_("liked"), default=False)
    answered_privately_at = models.DateTimeField(
        _("answered privately"), null=True, blank=True
    )
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

    @property
    def is_public(self) -> bool:
        """Below a post, and so no part of the chat."""
        return self.kind in PUBLIC_KINDS

    @property
    def parts(self) -> list[dict[str, Any]]:
        """[{type, url}]: its files as Meta lists them."""
        listed = self.extra.get("parts")
        if isinstance(listed, list):
            return listed
        return [{"type": self.kind, "url": self.media_url}] if self.media_url else []


PUBLIC_KINDS = frozenset(
    {
        SandboxMessage.Kind.COMMENT,
        SandboxMessage.Kind.POST,
        SandboxMessage.Kind.MENTION,
    }
)


class SandboxUpload(models.Model):
    """A file that an account uploaded to send it; its id is good for 90 days."""

    account = models.ForeignKey(
        SandboxAccount,
        on_delete=models.CASCADE,
        related_name="uploads",
        verbose_name=_("account"),
    )
    attachment_id = models.CharField(_("attachment id"), max_length=40, unique=True)
    kind = models.CharField(_("kind"), max_length=10)
    # Where it came from by address; empty for one that came as bytes.
    url = models.TextField(_("address"), blank=True)
    file = models.FileField(
        _("file"), upload_to="sandbox/%Y/%m/", max_length=200, blank=True
    )
    name = models.CharField(_("name"), max_length=200, blank=True)
    mime_type = models.CharField(_("type"), max_length=100, blank=True)
    uploaded_at = models.DateTimeField(_("uploaded"))

    class Meta:
        verbose_name = _("pretend upload")
        verbose_name_plural = _("pretend uploads")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.attachment_id
