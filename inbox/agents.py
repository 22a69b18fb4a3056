"""Who signs in, loaded with how they want to work: every page needs both."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend

from inbox.models import Agent


class AgentBackend(ModelBackend):
    """Django's own, with the agent's preferences in the statement that finds the agent."""

    def get_user(self, user_id: int) -> Agent | None:
        agent = Agent.objects.select_related("preferences").filter(pk=user_id).first()
        return agent if agent and self.user_can_authenticate(agent) else None
