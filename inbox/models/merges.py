"""Two contacts that turned out to be one person, written down so that it can be undone."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from inbox.models.agents import Agent
from inbox.models.contacts import Contact


class MergeQuerySet(models.QuerySet["Merge"]):
    def standing(self) -> MergeQuerySet:
        """Those that nobody has undone."""
        return self.filter(undone_at=None)


class Merge(models.Model):
    """One contact became part of another. The row of `gone` stays, and points to `kept`.

    The copies are all that is needed to separate them again; erasing the person empties them.
    """

    class Proof(models.TextChoices):
        """By whose word they are one person."""

        AGENT = "agent", _("an agent")
        API = "api", _("an API key")
        CHANNEL = "channel", _("the channel")

    kept = models.ForeignKey(
        Contact,
        on_delete=models.CASCADE,
        related_name="merges",
        db_index=False,
        verbose_name=_("contact"),
    )
    gone = models.ForeignKey(
        Contact,
        on_delete=models.CASCADE,
        related_name="departures",
        verbose_name=_("merged contact"),
    )
    merged_at = models.DateTimeField(_("merged"))
    proof = models.CharField(_("by the word of"), max_length=10, choices=Proof)
    agent = models.ForeignKey(
        Agent,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("agent"),
    )
    # The agent's or the key's name as it was then.
    by_name = models.CharField(_("merged by"), max_length=200, blank=True)
    reason = models.CharField(_("why"), max_length=200, blank=True)
    # Both as they were: {name, email, email_verified_at, phone, ..., attributes, avatar_url}.
    kept_before = models.JSONField(default=dict)
    gone_before = models.JSONField(default=dict)
    # `kept` as the merge left it: what differs from it now was written down since.
    kept_after = models.JSONField(default=dict)
    # Ids of the channel identities that moved, with all their conversations.
    identities = ArrayField(models.BigIntegerField(), default=list)
    undone_at = models.DateTimeField(_("separated"), null=True)
    undone_by_name = models.CharField(_("separated by"), max_length=200, blank=True)
    # The person was forgotten: there is nothing left that could be restored.
    erased_at = models.DateTimeField(_("erased"), null=True)

    objects = MergeQuerySet.as_manager()

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["gone"],
                name="merge_of_gone",
                condition=Q(undone_at__isnull=True),
            ),
        ]
        indexes = [models.Index("kept", F("id").desc(), name="merge_of_kept")]

    def __str__(self) -> str:
        return f"USER_{self.gone_id} → USER_{self.kept_id}"

    @property
    def public_id(self) -> str:
        return f"MERGE_{self.pk}"
