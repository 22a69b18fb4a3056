"""For whom a key writes: itself, a named agent, or a machine that says so."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from inbox.api.authentication import holder_of
from inbox.api.scopes import demand_scope
from inbox.models import Actor, Agent, Scope, Source
from inbox.outbound import Writer


class ActingSerializer(serializers.Serializer[Any]):
    agent_id = serializers.RegexField(
        r"^AGENT_\d{1,18}$",
        required=False,
        help_text="A person of ours who writes this elsewhere. Needs the scope act_as_agent.",
    )
    is_ai = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Mark it as written by AI. Needs the scope act_as_ai.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("is_ai") and "agent_id" in attrs:
            raise ValidationError(
                {"is_ai": "A person or a machine wrote it, not both."}
            )
        return attrs


def writer_of(request: Request, values: dict[str, Any]) -> Writer:
    """Raises PermissionDenied without the scope, ValidationError for nobody who may write."""
    actor = actor_of(request, values)
    if isinstance(actor, Agent):
        return Writer(Source.AGENT, agent=actor)
    if values.get("is_ai"):
        demand_scope(request, Scope.ACT_AS_AI)
        return Writer(Source.AI, name=actor.name)
    return Writer(Source.API, name=actor.name)


def actor_of(request: Request, values: dict[str, Any]) -> Actor:
    """The agent who is named, else the key itself. Raises as writer_of does."""
    if "agent_id" not in values:
        return holder_of(request).key
    demand_scope(request, Scope.ACT_AS_AGENT)
    pk = values["agent_id"].removeprefix("AGENT_")
    agent = Agent.objects.filter(pk=pk, is_active=True).first()
    if agent is None or not agent.has_perm("inbox.view_conversation"):
        raise ValidationError({"agent_id": "Nobody who can answer."})
    return agent
