"""Who answers."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class Team(models.Model):
    name = models.CharField(_("name"), max_length=80, unique=True)

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return f"TEAM_{self.pk}"


class Agent(AbstractUser):
    """A person who signs in. Agents are staff users of Dexra's admin site."""

    class Presence(models.TextChoices):
        ONLINE = "online", _("Online")
        AWAY = "away", _("Away")
        OFFLINE = "offline", _("Offline")

    is_staff = models.BooleanField(
        _("can sign in"),
        default=True,
        help_text=_("The inbox and the admin are one site; both need this."),
    )
    teams = models.ManyToManyField(
        Team, verbose_name=_("teams"), blank=True, related_name="agents"
    )
    presence = models.CharField(
        _("presence"), max_length=10, choices=Presence.choices, default=Presence.OFFLINE
    )
    # How many open conversations may be assigned to this agent without asking; null: no bound.
    capacity = models.PositiveSmallIntegerField(_("capacity"), null=True, blank=True)
    language = models.CharField(
        _("language"), max_length=10, blank=True, choices=settings.LANGUAGES
    )
    signature = models.CharField(_("signature"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")

    @property
    def name(self) -> str:
        return self.get_full_name() or self.username

    @property
    def public_id(self) -> str:
        return f"AGENT_{self.pk}"
