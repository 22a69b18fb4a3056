"""Which stretch of a thread a request is about: by cursors, by a message, or the end."""

from __future__ import annotations

from dataclasses import replace

from django.core.exceptions import BadRequest
from django.http import Http404

from inbox.models import Conversation
from inbox.pages import thread
from inbox.pages.cursors import Place, decode_cursor
from inbox.pages.http import AgentRequest


def opened_at(request: AgentRequest, conversation: Conversation) -> thread.Thread:
    """What a page of the conversation begins with; one that names no message shows the end."""
    if beside := stretch_beside(request, conversation):
        return beside
    message = request.GET.get("message", "")
    if not message:
        return thread.newest(conversation)
    found = thread.around(conversation, _number(message)) if _number(message) else None
    return found or replace(thread.newest(conversation), is_missing=True)


def stretch_beside(
    request: AgentRequest, conversation: Conversation
) -> thread.Thread | None:
    """What lies `before` or `after` a cursor or a message's id; None if neither is asked for."""
    if given := request.GET.get("before", ""):
        return thread.before(conversation, _place(conversation, given))
    if given := request.GET.get("after", ""):
        return thread.after(conversation, _place(conversation, given))
    return None


def stretch_around(
    request: AgentRequest, conversation: Conversation
) -> thread.Thread | None:
    """A message that an open page wants to go to (`around`). Raises Http404 if it is not here."""
    given = request.GET.get("around", "")
    if not given:
        return None
    found = thread.around(conversation, _number(given))
    if found is None:
        raise Http404
    return found


def stretch_shown(request: AgentRequest, conversation: Conversation) -> thread.Thread:
    """From the first message that the page still shows (`from`), or the end of the thread."""
    first = request.GET.get("from", "")
    if not first:
        return thread.newest(conversation)
    if not first.isdecimal():
        raise BadRequest("bad from")
    return thread.since(conversation, int(first))


def _place(conversation: Conversation, given: str) -> Place:
    """Raises BadRequest for what is no cursor, Http404 for a message that is not here."""
    if not _number(given):
        return decode_cursor(given)
    place = thread.place_of(conversation, _number(given))
    if place is None:
        raise Http404
    return place


def _number(text: str) -> int:
    """0 for what is no message's id."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
