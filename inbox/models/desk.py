"""What agents keep for their work, each for themselves or for all: drafts, replies, views, mentions."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from inbox.models.agents import Agent, Team
from inbox.models.conversations import Conversation
from inbox.models.messages import Message


class Draft(models.Model):
    """What an agent has begun to write in a conversation, in one mode of the composer."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="drafts")
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="drafts"
    )
    # As in the composer: reply, note, public, private.
    mode = models.CharField(max_length=10)
    content = models.TextField(_("content"))
    # The message that is quoted, or the comment that is answered.
    about = models.ForeignKey(
        Message, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # The client key under which it will be sent: a save that comes after the send is known by it.
    key = models.CharField(max_length=80, blank=True, default="")
    # Counts the saves of one key: one that was overtaken on its way changes nothing.
    version = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "conversation", "mode"], name="draft_of_agent"
            ),
        ]


class Mention(models.Model):
    """An agent was named in a note."""

    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, related_name="mentions", db_index=False
    )
    note = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="mentions")
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="mentions"
    )
    created_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "note"], name="mention_once"),
        ]
        indexes = [
            models.Index("agent", F("created_at").desc(), name="mention_newest"),
            models.Index(
                "agent",
                "conversation",
                name="mention_unseen",
                condition=Q(seen_at__isnull=True),
            ),
        ]


class CannedReply(models.Model):
    """A text to write with `/`, and what is done with the conversation when it is sent."""

    shortcut = models.SlugField(
        _("shortcut"),
        max_length=40,
        allow_unicode=True,
        help_text=_("What to type after the slash."),
    )
    title = models.CharField(_("title"), max_length=100)
    content = models.TextField(
        _("text"),
        max_length=5000,
        blank=True,
        help_text=_(
            "{first_name}, {name}, {handle}, {agent}, {account} and the contact's own details in "
            "braces are filled in."
        ),
    )
    # {close: true, snooze: "tomorrow 9", assign: "me" | "nobody", team: id, tags: [id], priority: 3}
    actions = models.JSONField(_("actions"), default=dict, blank=True)
    owner = models.ForeignKey(
        Agent,
        verbose_name=_("of"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="canned_replies",
        help_text=_("Empty: for everybody."),
    )
    team = models.ForeignKey(
        Team,
        verbose_name=_("team"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="canned_replies",
        help_text=_("Empty: for every team."),
    )
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("canned reply")
        verbose_name_plural = _("canned replies")
        ordering = ["shortcut"]
        constraints = [
            models.UniqueConstraint(
                fields=["shortcut", "owner", "team"],
                name="canned_shortcut",
                nulls_distinct=False,
                violation_error_message=_("There is one with this shortcut already."),
            ),
        ]

    def __str__(self) -> str:
        return f"/{self.shortcut}"


class SavedView(models.Model):
    """A list that somebody wants to come back to."""

    owner = models.ForeignKey(
        Agent,
        on_delete=models.CASCADE,
        related_name="saved_views",
        verbose_name=_("owner"),
    )
    name = models.CharField(_("name"), max_length=60)
    is_shared = models.BooleanField(_("for everybody"), default=False)
    # The parameters of the list's address: {view, show, q, sort, channel, assignee, ...}.
    parameters = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                name="view_of_owner",
                violation_error_message=_("You have a view of this name already."),
            ),
        ]
        indexes = [
            models.Index(
                fields=["name"], name="view_shared", condition=Q(is_shared=True)
            )
        ]

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """Who did what that leaves no line in a thread, or must be found without one."""

    at = models.DateTimeField(_("when"), db_default=Now())
    agent = models.ForeignKey(
        Agent,
        verbose_name=_("agent"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    # The agent's, the key's or the rule's name as it was then.
    agent_name = models.CharField(_("who"), max_length=200, blank=True)
    action = models.CharField(_("what"), max_length=40)
    # What it was done to: "contact", "USER_12".
    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=60)
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(F("at").desc(), F("id").desc(), name="audit_newest"),
            models.Index("subject_type", "subject_id", name="audit_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_id}"


class NotificationKind(models.TextChoices):
    """What an agent may be told of outside the page."""

    MINE = "mine", _("Messages in my conversations")
    UNASSIGNED = "unassigned", _("Messages that nobody has taken")
    ASSIGNED = "assigned", _("Conversations given to me")
    MENTION = "mention", _("Mentions of me")
    FAILED = "failed", _("Replies of mine that were not sent")
    WOKE = "woke", _("Snoozed conversations that are back")


def usual_notifications() -> list[str]:
    """What concerns an agent in person; whoever wants to hear of every new customer says so."""
    kinds = [kind.value for kind in NotificationKind]
    return [kind for kind in kinds if kind != NotificationKind.UNASSIGNED]


class Preferences(models.Model):
    """How one agent wants to work."""

    UNDO_SECONDS = (0, 5, 10, 20)

    agent = models.OneToOneField(
        Agent, on_delete=models.CASCADE, related_name="preferences", primary_key=True
    )
    has_shortcuts = models.BooleanField(_("single-key shortcuts"), default=True)
    enter_sends = models.BooleanField(
        _("Enter sends, Shift+Enter begins a line"), default=False
    )
    undo_seconds = models.PositiveSmallIntegerField(
        _("time to take a reply back"),
        default=0,
        choices=[
            (seconds, _("none") if not seconds else f"{seconds} s")
            for seconds in UNDO_SECONDS
        ],
    )
    time_zone = models.CharField(_("time zone"), max_length=60, blank=True)
    notifies_of = ArrayField(
        models.CharField(max_length=12, choices=NotificationKind.choices),
        verbose_name=_("notify me of"),
        default=usual_notifications,
        blank=True,
    )
    # Channels that never notify.
    muted_channels = ArrayField(
        models.IntegerField(), verbose_name=_("but not from"), default=list, blank=True
    )
    shows_preview = models.BooleanField(
        _("show the words in notifications"), default=False
    )
    plays_sound = models.BooleanField(_("with a sound"), default=False)

    class Meta:
        verbose_name = _("preferences")
        verbose_name_plural = _("preferences")
