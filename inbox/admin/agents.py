"""Who answers: agents and their teams."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.utils.translation import gettext_lazy as _

from inbox.models import Agent, Team


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin[Team]):
    list_display = ["name"]
    search_fields = ["name"]


@admin.register(Agent)
class AgentAdmin(UserAdmin[Agent]):
    list_display = ["username", "name", "email", "presence", "is_active", "last_login"]
    list_filter = ["is_active", "presence", "teams", "groups", "is_superuser"]
    search_fields = ["username", "first_name", "last_name", "email"]
    autocomplete_fields = ["teams"]
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        (
            _("Inbox"),
            {"fields": ["teams", "presence", "capacity", "language", "signature"]},
        ),
    )

    @admin.display(description=_("name"), ordering="first_name")
    def name(self, agent: Agent) -> str:
        return agent.name
