"""What an agent may do, or wants, has changed: their open pages hear of it and look again."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.db.models.signals import m2m_changed, post_save

from inbox import live
from inbox.models import Agent, Preferences

EVERYBODY = 0


def tell_pages_of(agent_id: int) -> None:
    """After commit each stream of this agent looks at its session again: it goes on, or closes."""
    live.publish_after_commit([live.Change("agent", agent_id)])


def watch() -> None:
    """Whatever changes rights does so through these rows, the admin's pages too."""
    post_save.connect(_agent_saved, sender=Agent)
    post_save.connect(_preferences_saved, sender=Preferences)
    m2m_changed.connect(_rights_changed, sender=Agent.user_permissions.through)
    m2m_changed.connect(_rights_changed, sender=Agent.groups.through)
    m2m_changed.connect(_group_changed, sender=Group.permissions.through)


def _agent_saved(instance: Agent, created: bool, **_: Any) -> None:
    if not created:
        tell_pages_of(instance.pk)


def _preferences_saved(instance: Preferences, **_: Any) -> None:
    tell_pages_of(instance.pk)


def _rights_changed(instance: Any, action: str, **_: Any) -> None:
    if action.startswith("post_"):
        tell_pages_of(instance.pk if isinstance(instance, Agent) else EVERYBODY)


def _group_changed(action: str, **_: Any) -> None:
    if action.startswith("post_"):
        tell_pages_of(EVERYBODY)
