"""How an agent wants to work."""

from __future__ import annotations

from inbox.models import Agent, Preferences


def preferences_of(agent: Agent) -> Preferences:
    """As they are kept; the usual ones for who has none."""
    return Preferences.objects.filter(agent=agent).first() or Preferences(agent=agent)
