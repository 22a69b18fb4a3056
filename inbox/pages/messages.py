"""Messages of a conversation: send, note, look again, retry, discard."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages as notices
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inbox.conversations import add_note
from inbox.errors import InboxError
from inbox.models import Conversation, Message, Source
from inbox.outbound import discard_message, queue_reply, retry_message
from inbox.pages import thread
from inbox.pages.composer import NOTE, REPLY, ReplyForm, build_composer
from inbox.pages.conversations import (
    find_conversation,
    listing_of,
    page_of,
    render_conversation,
)
from inbox.pages.http import AgentRequest, agent_page, is_fragment, render_fragments
from inbox.pages.queues import forget_counts

may_write = permission_required("inbox.add_message", raise_exception=True)


@agent_page
@require_http_methods(["GET", "POST"])
def messages(request: AgentRequest, pk: int) -> HttpResponse:
    if request.method == "POST":
        return send(request, pk)
    return refresh(request, pk)


@require_GET
def refresh(request: AgentRequest, pk: int) -> HttpResponse:
    """What is before a cursor; or, to draw again, everything from the first message still shown.

    since: the revision the page has; 204 if the conversation is still at it.
    """
    conversation = find_conversation(request, pk)
    if cursor := request.GET.get("before", ""):
        older = thread.before(conversation, cursor)
        return _answer_thread(request, "inbox/_older.html", older)
    if request.GET.get("since") == str(conversation.revision):
        return HttpResponse(status=204)
    return _answer_thread(
        request, "inbox/_messages.html", _shown(request, conversation)
    )


@may_write
def send(request: AgentRequest, pk: int) -> HttpResponse:
    """Queue a reply. The same key is the same message, however often it is posted."""
    conversation = find_conversation(request, pk)

    def queue(content: str, key: str) -> None:
        queue_reply(
            conversation=conversation,
            source=Source.AGENT,
            author=request.user,
            content=content,
            client_key=key,
        )

    return _write(request, conversation, REPLY, queue)


@agent_page
@require_POST
@may_write
def note(request: AgentRequest, pk: int) -> HttpResponse:
    conversation = find_conversation(request, pk)

    def write(content: str, key: str) -> None:
        add_note(
            conversation=conversation,
            author=request.user,
            content=content,
            client_key=key,
        )

    return _write(request, conversation, NOTE, write)


@agent_page
@require_POST
@may_write
def retry(request: AgentRequest, pk: int) -> HttpResponse:
    message = _find_message(request, pk)
    return _settle(
        request, message, lambda: retry_message(message=message, by=request.user)
    )


@agent_page
@require_POST
@may_write
def discard(request: AgentRequest, pk: int) -> HttpResponse:
    message = _find_message(request, pk)
    return _settle(
        request, message, lambda: discard_message(message=message, by=request.user)
    )


def _write(
    request: AgentRequest,
    conversation: Conversation,
    mode: str,
    write: Callable[[str, str], None],
) -> HttpResponse:
    """Write what the composer posted; a refusal brings the composer back with its text."""
    form = ReplyForm(request.POST)
    if form.is_valid():
        try:
            write(form.cleaned_data["content"], form.cleaned_data["key"])
        except InboxError as refusal:
            form.add_error("content", str(refusal.detail))
    if form.is_valid():
        return _written(request, conversation)
    composer = build_composer(conversation, request.user, mode=mode, form=form)
    if not is_fragment(request):
        listing = listing_of(request)
        return render_conversation(
            request, listing.slug, conversation, composer=composer, status=422
        )
    context = {"composer": composer, "listing": listing_of(request)}
    return render_fragments(request, ["inbox/_composer.html"], context, status=422)


def _written(request: AgentRequest, conversation: Conversation) -> HttpResponse:
    forget_counts(request.user)
    if not is_fragment(request):
        return redirect(page_of(listing_of(request), conversation))
    conversation = find_conversation(request, conversation.pk)
    shown = _shown(request, conversation)
    return _answer_thread(request, "inbox/_messages.html", shown)


def _settle(
    request: AgentRequest, message: Message, act: Callable[[], object]
) -> HttpResponse:
    """Do something about a failed message; answer with the thread as it is then."""
    conversation = find_conversation(request, message.conversation.pk)
    try:
        act()
    except InboxError as refusal:
        if is_fragment(request):
            toast = {"text": str(refusal.detail), "tone": "bad"}
            return render_fragments(
                request,
                ["inbox/_toast_oob.html"],
                {"toast": toast},
                status=refusal.status,
            )
        notices.error(request, str(refusal.detail))
    return _written(request, conversation)


def _find_message(request: AgentRequest, pk: int) -> Message:
    visible = Conversation.objects.visible_to(request.user)
    return get_object_or_404(
        Message.objects.select_related("conversation"), pk=pk, conversation__in=visible
    )


def _shown(request: AgentRequest, conversation: Conversation) -> thread.Thread:
    """From the first message that the page still shows (`from`), or the end of the thread."""
    first = request.GET.get("from", "")
    if first and not first.isdecimal():
        raise BadRequest("bad from")
    return (
        thread.since(conversation, int(first)) if first else thread.newest(conversation)
    )


def _answer_thread(
    request: AgentRequest, template: str, shown: thread.Thread
) -> HttpResponse:
    context = {"thread": shown, "listing": listing_of(request), "is_page": False}
    return render_fragments(request, [template], context)
