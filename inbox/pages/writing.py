"""What pages that write share: the composer back with what was refused, or the thread anew."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages as notices
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from inbox.desk import NewerMessages
from inbox.errors import InboxError
from inbox.models import Conversation, Message
from inbox.pages import thread
from inbox.pages.composer import Choice, ReplyForm, build_composer, newest_id
from inbox.pages.conversations import (
    find_conversation,
    listing_of,
    page_of,
    render_conversation,
)
from inbox.pages.http import AgentRequest, is_fragment, render_fragments
from inbox.pages.queues import forget_counts
from inbox.pages.stretches import stretch_shown

may_write = permission_required("inbox.add_message", raise_exception=True)


def find_message(request: AgentRequest, pk: int) -> Message:
    """A message of a conversation that this agent may see; else Http404."""
    visible = Conversation.objects.visible_to(request.user)
    found = Message.objects.select_related("conversation", "channel")
    return get_object_or_404(found, pk=pk, conversation__in=visible)


def write(
    request: AgentRequest,
    conversation: Conversation,
    choice: Choice,
    act: Callable[[ReplyForm], object],
) -> HttpResponse:
    """Write what the composer posted; a refusal brings the composer back with its text.

    act: takes the valid form; raises InboxError.
    """
    form, status = ReplyForm(request.POST), 422
    if form.is_valid():
        try:
            act(form)
        except NewerMessages as refusal:
            if is_fragment(request):
                return ask_first(request, conversation, refusal)
            form.add_error("content", str(refusal.detail))
            status = refusal.status
        except InboxError as refusal:
            form.add_error("content", str(refusal.detail))
    if form.is_valid():
        return written(request, conversation, has_acted=bool(form.steps))
    composer = build_composer(conversation, request.user, choice, form=form)
    if not is_fragment(request):
        listing = listing_of(request)
        return render_conversation(
            request, listing.slug, conversation, composer=composer, status=status
        )
    context = {"composer": composer, "listing": listing_of(request)}
    return render_fragments(request, ["inbox/_composer.html"], context, status=status)


def ask_first(
    request: AgentRequest, conversation: Conversation, refusal: NewerMessages
) -> HttpResponse:
    """What is new, and whether to send all the same."""
    shown = thread.Thread(
        conversation, thread.build_bubbles(conversation, refusal.messages)
    )
    context = {
        "thread": shown,
        "listing": listing_of(request),
        "seen": newest_id(conversation),
        "is_read_only": True,
    }
    return render_fragments(
        request, ["inbox/composer/_collision.html"], context, status=refusal.status
    )


def settle(
    request: AgentRequest, conversation: Conversation, act: Callable[[], object]
) -> HttpResponse:
    """Do something about a message; answer with the thread as it is then."""
    conversation = find_conversation(request, conversation.pk)
    try:
        act()
    except InboxError as refusal:
        return refused(request, conversation, refusal)
    return written(request, conversation)


def refused(
    request: AgentRequest, conversation: Conversation, refusal: InboxError
) -> HttpResponse:
    """Why it was not done, as a word in the corner."""
    if is_fragment(request):
        toast = {"text": str(refusal.detail), "tone": "bad"}
        return render_fragments(
            request, ["inbox/_toast_oob.html"], {"toast": toast}, status=refusal.status
        )
    notices.error(request, str(refusal.detail))
    return written(request, conversation)


def written(
    request: AgentRequest, conversation: Conversation, *, has_acted: bool = False
) -> HttpResponse:
    """The thread with what was written; a plain form goes back to its page.

    has_acted: something was done with the conversation too: its head comes anew.
    """
    forget_counts(request.user)
    if not is_fragment(request):
        return redirect(page_of(listing_of(request), conversation))
    conversation = find_conversation(request, conversation.pk)
    return answer_thread(
        request,
        "inbox/_stretch.html",
        stretch_shown(request, conversation),
        *(["inbox/_thread_head.html"] if has_acted else []),
    )


def answer_thread(
    request: AgentRequest, template: str, shown: thread.Thread, *more: str
) -> HttpResponse:
    context = {
        "thread": shown,
        "conversation": shown.conversation,
        "listing": listing_of(request),
        "is_page": False,
    }
    return render_fragments(request, [template, *more], context)
