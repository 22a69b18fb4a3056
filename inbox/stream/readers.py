"""Whose page it is that listens."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections
from django.http import HttpRequest

from inbox.live import AWAITED, Change


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose page it is, and what they want to be notified of."""

    agent_id: int
    notifies_of: frozenset[str] = frozenset()
    muted_channels: frozenset[int] = frozenset()

    def wish(self, change: Change) -> str:
        """The kind of notification that a "notify" is for this agent; "" if they want none."""
        kind = change.what
        if kind == AWAITED:
            return kind
        if change.channel_id in self.muted_channels:
            return ""
        if kind == "message":
            if change.assignee_id not in {None, self.agent_id}:
                return ""
            kind = "mine" if change.assignee_id else "unassigned"
        return kind if kind in self.notifies_of else ""


def reader_of(session_key: str) -> Reader | None:
    """Whose session it is, and what they want to hear of; None if they may not read the inbox."""
    close_old_connections()
    request = HttpRequest()
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(session_key or None)
    agent = get_user(request)
    may_read = (
        agent.is_active and agent.is_staff and agent.has_perm("inbox.view_conversation")
    )
    wishes = _wishes_of(agent) if may_read else None
    close_old_connections()
    if agent.pk is None or wishes is None:
        return None
    return Reader(
        agent.pk, frozenset(wishes.notifies_of), frozenset(wishes.muted_channels)
    )


def _wishes_of(agent: Any) -> Any:
    """Whoever never chose has the defaults, as `preferences_of`: that stands above this module."""
    chosen = getattr(agent, "preferences", None)
    return chosen or apps.get_model("inbox", "Preferences")(agent=agent)
