"""Whose conversation it is at the channel, and what its app shows of us while we write."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from inbox.actions import hand_back, show_typing, take_over
from inbox.bell import ring
from inbox.pages.conversations import find_conversation
from inbox.pages.http import AgentRequest, agent_page
from inbox.pages.writing import may_write, settle


@agent_page
@require_POST
@may_write
def take(request: AgentRequest, pk: int) -> HttpResponse:
    """Take over a conversation that another app holds."""
    conversation = find_conversation(request, pk)
    return settle(
        request,
        conversation,
        lambda: take_over(conversation=conversation, author=request.user),
    )


@agent_page
@require_POST
@may_write
def give_back(request: AgentRequest, pk: int) -> HttpResponse:
    conversation = find_conversation(request, pk)
    return settle(
        request,
        conversation,
        lambda: hand_back(conversation=conversation, author=request.user),
    )


@agent_page
@require_POST
@may_write
def typing(request: AgentRequest, pk: int) -> HttpResponse:
    """Somebody is writing an answer; the page says so every few seconds."""
    ring(show_typing, find_conversation(request, pk).pk)
    return HttpResponse(status=204)
