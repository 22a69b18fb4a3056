"""Who else is here: what a page says of its agent, and what it is told of the others."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from inbox import presence
from inbox.models import Agent
from inbox.pages.conversations import find_conversation
from inbox.pages.http import AgentRequest, agent_page, render_fragments
from inbox.presence import Presence, State


@dataclass(frozen=True, slots=True)
class Others:
    """Colleagues beside the one who looks. claim: who took it by beginning to write."""

    viewers: tuple[Agent, ...] = ()
    writers: tuple[Agent, ...] = ()
    claim: Agent | None = None


@agent_page
@require_http_methods(["GET", "POST"])
def show_presence(request: AgentRequest, pk: int) -> HttpResponse:
    """POST: state, one of viewing, writing, left. Answers with who else is there."""
    conversation = find_conversation(request, pk)
    if request.method == "GET":
        found = presence.read(conversation)
    else:
        try:
            state = State(request.POST.get("state", ""))
        except ValueError as error:
            raise BadRequest("bad state") from error
        found = presence.note(conversation, request.user, state)
        if state is State.LEFT:
            return HttpResponse(status=204)
    others = _others(found.without(request.user))
    return render_fragments(request, ["inbox/_presence.html"], {"others": others})


def _others(found: Presence) -> Others:
    """One statement if anybody is there."""
    ids = {*found.viewers, *found.writers, *([found.claim] if found.claim else [])}
    agents = Agent.objects.in_bulk(ids) if ids else {}
    return Others(
        tuple(agents[pk] for pk in found.viewers if pk in agents),
        tuple(agents[pk] for pk in found.writers if pk in agents),
        agents.get(found.claim or 0),
    )
