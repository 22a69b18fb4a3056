"""Files handed over ahead of the reply: received, shown to their agent, removed."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from inbox.errors import InboxError
from inbox.filetypes import SHOWN_TYPES, UNKNOWN_TYPE
from inbox.media import drop_staged
from inbox.models import Conversation, StagedFile
from inbox.pages.conversations import find_conversation, listing_of, page_of
from inbox.pages.downloads import Shown, answer
from inbox.pages.http import (
    AgentRequest,
    agent_file,
    agent_page,
    is_fragment,
    render_fragments,
)
from inbox.pages.writing import may_write
from inbox.staging import stage_file

_CACHING = "private, max-age=300"


@agent_page
@require_POST
@may_write
def receive(request: AgentRequest, pk: int) -> HttpResponse:
    """One file, as `file`. 201 with its item for the composer, else a sentence."""
    conversation = find_conversation(request, pk)
    file = request.FILES.get("file")
    if file is None:
        return HttpResponse(status=400)
    try:
        staged = stage_file(
            conversation=conversation,
            by=request.user,
            file=file,  # type: ignore[arg-type]  # Django's own has no Protocol
        )
    except InboxError as refusal:
        return render_fragments(
            request,
            ["inbox/composer/_file_refused.html"],
            {"reason": refusal.detail},
            status=refusal.status,
        )
    return render_fragments(
        request,
        ["inbox/composer/_file.html"],
        {"file": staged, "conversation": conversation, "listing": listing_of(request)},
        status=201,
    )


@agent_file
@require_safe
def show(request: AgentRequest, pk: int) -> HttpResponse:
    """To its agent alone, small where there is a small one."""
    staged = _own_or_404(request, pk)
    if staged.thumbnail and "small" in request.GET:
        name = f"thumbnail-{staged.pk}.webp"
        return answer(
            request, Shown(staged.thumbnail, "image/webp", name, True, _CACHING)
        )
    is_shown = staged.mime_type in SHOWN_TYPES
    mime_type = staged.mime_type if is_shown else UNKNOWN_TYPE
    shown = Shown(
        staged.file, mime_type, f"file-{staged.pk}", is_shown, _CACHING, staged.size
    )
    return answer(request, shown)


@agent_page
@require_POST
@may_write
def remove(request: AgentRequest, pk: int) -> HttpResponse:
    staged = _own_or_404(request, pk)
    drop_staged(StagedFile.objects.filter(pk=staged.pk))
    if is_fragment(request):
        return HttpResponse(status=204)
    return redirect(page_of(listing_of(request), staged.conversation))


def _own_or_404(request: AgentRequest, pk: int) -> StagedFile:
    visible = Conversation.objects.visible_to(request.user)
    own = StagedFile.objects.filter(agent=request.user, conversation__in=visible)
    return get_object_or_404(own.select_related("conversation"), pk=pk)
