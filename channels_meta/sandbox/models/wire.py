"""What went over the wire between the pretend Meta and Dexra, and what still has to."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from channels_meta.sandbox.models.accounts import SandboxAccount
from channels_meta.sandbox.models.people import SandboxPerson


class SandboxCall(models.Model):
    """One exchange between the pretend Meta and Dexra: an event it posted, or a call it answered."""

    class Kind(models.TextChoices):
        MESSAGE = "message", _("Message received")
        IMAGE = "image", _("Photo received")
        VIDEO = "video", _("Video received")
        AUDIO = "audio", _("Voice message received")
        FILE = "file", _("File received")
        STICKER = "sticker", _("Sticker received")
        LOCATION = "location", _("Location received")
        SHARE = "share", _("Shared post received")
        STORY_MENTION = "story_mention", _("Story mention received")
        STORY_REPLY = "story_reply", _("Story reply received")
        COMMENT = "comment", _("Comment received")
        POST = "post", _("Post on the Page received")
        MENTION = "mention", _("Mention received")
        REFERRAL = "referral", _("Came by a link or an ad")
        EDIT = "edit", _("Message edited by customer")
        REACTION = "reaction", _("Reaction received")
        UNREACTION = "unreaction", _("Reaction taken back")
        UNSEND = "unsend", _("Message unsent by customer")
        READ = "read", _("Read by customer")
        DELIVERY = "delivery", _("Delivered to the phone")
        ECHO = "echo", _("Reply echoed")
        OWN_COMMENT = "own_comment", _("Your own comment echoed")
        COMMENT_CHANGE = "comment_change", _("Comment changed")
        ROUTING = "routing", _("Conversation changed hands")
        NOTICE = "notice", _("Notice to the account")
        ODD = "odd", _("Something odd received")
        SEND = "send", _("Reply sent")
        PUBLIC_REPLY = "public_reply", _("Answered in public")
        COMMENT_ACT = "comment_act", _("Comment hidden, deleted or liked")
        SIGNAL = "signal", _("Seen, typing or a reaction shown")
        UPLOAD = "upload", _("File uploaded")
        PROFILE = "profile", _("Profile read")
        HISTORY = "history", _("History read")
        THREAD = "thread", _("Conversation taken or handed over")
        SUBSCRIPTION = "subscription", _("Subscription changed")

    account = models.ForeignKey(
        SandboxAccount,
        on_delete=models.CASCADE,
        related_name="calls",
        verbose_name=_("account"),
    )
    person = models.ForeignKey(
        SandboxPerson,
        on_delete=models.CASCADE,
        null=True,
        related_name="calls",
        verbose_name=_("person"),
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


class SandboxNotice(models.Model):
    """An event that Dexra has not taken yet, or that is held back: posted when it is due."""

    account = models.ForeignKey(
        SandboxAccount,
        on_delete=models.CASCADE,
        related_name="notices",
        verbose_name=_("account"),
    )
    person = models.ForeignKey(
        SandboxPerson,
        on_delete=models.CASCADE,
        null=True,
        related_name="notices",
        verbose_name=_("person"),
    )
    kind = models.CharField(_("kind"), max_length=15, choices=SandboxCall.Kind.choices)
    summary = models.CharField(_("summary"), max_length=600, blank=True)
    # The whole body of the POST.
    data = models.JSONField(_("body"), default=dict)
    created_at = models.DateTimeField(_("created"))
    due_at = models.DateTimeField(_("due"))
    # How often it was posted in vain.
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)

    class Meta:
        verbose_name = _("event to post")
        verbose_name_plural = _("events to post")
        ordering = ["due_at", "id"]
        indexes = [models.Index(fields=["due_at", "id"], name="sandbox_notice_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
