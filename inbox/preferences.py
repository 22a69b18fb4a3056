"""How an agent wants to work. Whoever never chose has the defaults, and no row."""

from __future__ import annotations

from inbox.models import Agent, Preferences


def preferences_of(agent: Agent) -> Preferences:
    """The agent's own, or the defaults, not saved."""
    try:
        return agent.preferences
    except Preferences.DoesNotExist:
        return Preferences(agent=agent)
