"""What the composer offers while somebody types: canned replies, colleagues, emoji."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.contrib import messages as notices
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST

from inbox.canned import (
    canned_replies as canned_of,
)
from inbox.canned import (
    fill,
    perform_actions,
    read_actions,
    search_canned,
    steps_of,
)
from inbox.emoji import groups
from inbox.errors import ContentInvalid, InboxError
from inbox.models import Agent, CannedReply, Conversation
from inbox.pages.conversations import (
    answer_changed,
    find_conversation,
    listing_of,
    may_change,
    page_of,
)
from inbox.pages.http import (
    AgentRequest,
    agent_file,
    agent_page,
    is_fragment,
    render_fragments,
)
from inbox.pages.queues import forget_counts
from inbox.pages.writing import may_write, refused

MAX_QUERY = 60
MAX_COLLEAGUES = 8


@dataclass(frozen=True, slots=True)
class Offer:
    """One canned reply as it would be inserted here. steps: JSON of what it does as well."""

    canned: CannedReply
    text: str
    blanks_json: str
    labels: tuple[str, ...]
    steps: str


@agent_page
@require_GET
@may_write
def canned_replies(request: AgentRequest, pk: int) -> HttpResponse:
    conversation = find_conversation(request, pk)
    words = request.GET.get("q", "")[:MAX_QUERY]
    offers = [
        _offer(canned, conversation, request.user)
        for canned in search_canned(request.user, words)
    ]
    context = {"offers": offers, "words": words, "conversation": conversation}
    return render_fragments(request, ["inbox/composer/_canned.html"], context)


def _offer(canned: CannedReply, conversation: Conversation, agent: Agent) -> Offer:
    filled = fill(canned.content, conversation, agent)
    try:
        steps = steps_of(read_actions(canned.actions))
    except ContentInvalid:
        # A tag or a team of it is gone: what is left of the reply is its text.
        steps = []
    told = [{"token": one.token, "label": one.label} for one in steps]
    labels = tuple(one.label for one in steps)
    return Offer(
        canned, filled.text, json.dumps(filled.blanks), labels, json.dumps(told)
    )


@agent_page
@require_POST
@may_change
def run(request: AgentRequest, pk: int, canned: int) -> HttpResponse:
    """A canned reply without text does what it does, at once."""
    conversation = find_conversation(request, pk)
    macro = get_object_or_404(canned_of(request.user), pk=canned)
    try:
        perform_actions(
            conversation=conversation,
            actions=read_actions(macro.actions),
            by=request.user,
            at=now(),
        )
    except InboxError as refusal:
        return refused(request, conversation, refusal)
    forget_counts(request.user)
    done = _("Done: %(title)s.") % {"title": macro.title}
    if not is_fragment(request):
        notices.success(request, done)
        return redirect(page_of(listing_of(request), conversation))
    return answer_changed(request, conversation, {"text": done})


@agent_page
@require_GET
@may_write
def colleagues(request: AgentRequest, pk: int) -> HttpResponse:
    """Who can be called in a note; `mode` says whether this is one."""
    find_conversation(request, pk)
    words = request.GET.get("q", "")[:MAX_QUERY]
    named = (
        Q(username__istartswith=words)
        | Q(first_name__istartswith=words)
        | Q(last_name__istartswith=words)
    )
    people = Agent.objects.filter(named, is_active=True, is_staff=True)
    context = {
        "people": people.exclude(pk=request.user.pk).order_by("first_name", "pk")[
            :MAX_COLLEAGUES
        ],
        "is_note": request.GET.get("mode") == "note",
    }
    return render_fragments(request, ["inbox/composer/_colleagues.html"], context)


@agent_file
@require_GET
@cache_control(private=True, max_age=86_400)
def emoji(request: AgentRequest) -> HttpResponse:
    """All there are to choose from: asked for once, when somebody wants one."""
    return render_fragments(
        request, ["inbox/composer/_emoji.html"], {"groups": groups()}
    )
