"""The inbox itself: the list, a conversation beside it, and what an agent does with one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.timezone import get_current_timezone_name, now
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from inbox import live
from inbox.actions import show_seen
from inbox.bell import ring
from inbox.errors import InboxError
from inbox.mentions import see_mentions
from inbox.models import Channel, Conversation
from inbox.pages.acts import REACTIONS
from inbox.pages.banners import banner_for
from inbox.pages.clock import span_formats
from inbox.pages.composer import Composer, build_composer, read_choice
from inbox.pages.contacts import build_panel
from inbox.pages.http import (
    AgentRequest,
    agent_page,
    is_fragment,
    render_fragments,
    render_page,
)
from inbox.pages.listing import (
    Listing,
    draw,
    hits_by_ids,
    read_listing,
    row_of,
    rows_by_ids,
    with_rows,
)
from inbox.pages.queues import count_queues, forget_counts
from inbox.pages.stretches import opened_at
from inbox.preferences import preferences_of
from inbox.triage import mark_read

DEFAULT_VIEW = "mine"


@dataclass(frozen=True, slots=True)
class Undo:
    """What a toast's button posts: where, and with which fields. is_bulk: it is about many."""

    url: str
    fields: Mapping[str, str] = field(default_factory=dict)
    is_bulk: bool = False


may_change = permission_required("inbox.change_conversation", raise_exception=True)


def find_conversation(request: AgentRequest, pk: int) -> Conversation:
    """One conversation that this agent may see, with its parties; else Http404."""
    visible = Conversation.objects.visible_to(request.user).with_parties()
    return get_object_or_404(visible, pk=pk)


def listing_of(request: AgentRequest) -> Listing:
    """The list that stands beside a part or a form; the whole list if it names none."""
    try:
        return _listing(request, request.GET.get("view", "all"))
    except Http404:
        return read_listing(request.user, "all", {**request.GET.dict(), "show": ""})


def _listing(request: AgentRequest, view: str) -> Listing:
    return read_listing(request.user, view, request.GET.dict())


def page_of(listing: Listing, conversation: Conversation) -> str:
    """Where a plain form goes back to."""
    return listing.url_of(conversation.pk)


# --- pages ---------------------------------------------------------------------------------------


@agent_page
@require_GET
def home(request: AgentRequest) -> HttpResponse:
    return redirect("inbox:list", DEFAULT_VIEW)


@agent_page
@require_GET
def list_conversations(request: AgentRequest, view: str) -> HttpResponse:
    """A view of the list; with a cursor and htmx, only its next rows."""
    cursor, said = request.GET.get("cursor", ""), request.GET.get("said", "")
    listing = _listing(request, view)
    listing = with_rows(listing, request.user, cursor=cursor, said=said)
    if (cursor or said) and is_fragment(request):
        context = {"listing": listing, "is_more": True, "is_said": bool(said)}
        return render_fragments(request, ["inbox/_rows.html"], context)
    response = render_page(
        request,
        "inbox/page.html",
        _page_context(request, listing),
        fragments=["inbox/_list.html", "inbox/_views_oob.html"],
    )
    if is_fragment(request):
        # A form asks with every field it has; the address says only what is on.
        response["HX-Push-Url"] = listing.url
    return response


@agent_page
@require_GET
def show_conversation(request: AgentRequest, view: str, pk: int) -> HttpResponse:
    """A conversation beside its list. Opening it is reading it; `?peek=1` fetches it beforehand."""
    conversation = find_conversation(request, pk)
    if "peek" not in request.GET:
        see(request, conversation)
    return render_conversation(request, view, conversation)


def render_conversation(
    request: AgentRequest,
    view: str,
    conversation: Conversation,
    *,
    composer: Composer | None = None,
    status: int = 200,
) -> HttpResponse:
    """composer: one that says what was refused, if something was."""
    listing = _listing(request, view)
    if not is_fragment(request):
        listing = with_rows(listing, request.user)
    context = _page_context(request, listing) | conversation_context(
        request, listing, conversation, composer
    )
    return render_page(
        request,
        "inbox/page.html",
        context,
        fragments=[
            "inbox/_thread.html",
            "inbox/_panel_oob.html",
            "inbox/_row_oob.html",
        ],
        status=status,
    )


def conversation_context(
    request: AgentRequest,
    listing: Listing,
    conversation: Conversation,
    composer: Composer | None = None,
) -> dict[str, Any]:
    choice = read_choice(request.GET)
    return {
        "listing": listing,
        "conversation": conversation,
        "thread": opened_at(request, conversation),
        "composer": composer or build_composer(conversation, request.user, choice),
        "panel": build_panel(conversation, request.user, tags=listing.tags),
        "row": row_of(listing, conversation, request.user)
        if is_fragment(request)
        else None,
    }


def _page_context(request: AgentRequest, listing: Listing) -> dict[str, Any]:
    counts = count_queues(request.user, listing.queues)
    return {
        "listing": listing,
        "counts": counts,
        "unread": counts["unread"],
        "banner": banner_for(listing.channels, request.user),
        "span_formats": json.dumps(span_formats()),
        "reactions": REACTIONS,
        "stream": _stream_url(),
        "live_position": "" if is_fragment(request) else live.position(),
        "at": now(),
        "next_queue": listing.next_queue(counts),
        "preferences": preferences_of(request.user),
    }


def _stream_url() -> str:
    """Rows come by it too: in the language and with the times of this page."""
    words = {"language": get_language() or "", "zone": get_current_timezone_name()}
    return f"/live/stream?{urlencode(words)}"


# --- parts that an open page asks for -----------------------------------------------------------


@agent_page
@require_GET
def refresh_rows(request: AgentRequest, view: str) -> HttpResponse:
    """Those of the asked-for rows that the view still holds; the page removes the others."""
    listing = _listing(request, view)
    rows = rows_by_ids(listing, request.user, _ids(request.GET.get("ids", "")))
    if hits := _ids(request.GET.get("hits", "")):
        rows += hits_by_ids(listing, request.user, hits)
    return HttpResponse(draw(listing, rows))


@agent_page
@require_GET
def show_filters(request: AgentRequest, view: str) -> HttpResponse:
    """What may narrow the list; without script, as a page."""
    listing = _listing(request, view)
    context = {
        "listing": listing,
        "fragment": "inbox/_filter_menu.html",
        "title": _("Filter"),
        "back_url": listing.url,
        "back_label": listing.label,
    }
    return render_page(
        request, "inbox/menu.html", context, fragments=["inbox/_filter_menu.html"]
    )


def _ids(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.isdecimal()]


@agent_page
@require_GET
def refresh_counts(request: AgentRequest) -> HttpResponse:
    """The views and the badges with what they hold now."""
    listing = listing_of(request)
    counts = count_queues(request.user, listing.queues)
    context = {"listing": listing, "counts": counts, "unread": counts["unread"]}
    return render_fragments(request, ["inbox/_views_oob.html"], context)


@agent_page
@require_GET
def refresh_banner(request: AgentRequest) -> HttpResponse:
    banner = banner_for(Channel.objects.all(), request.user)
    return render_fragments(request, ["inbox/_banner_slot.html"], {"banner": banner})


@agent_page
@require_GET
def show_head(request: AgentRequest, pk: int) -> HttpResponse:
    """The head of the thread and the panel: a colleague has changed what they say."""
    conversation = find_conversation(request, pk)
    listing = listing_of(request)
    panel = build_panel(conversation, request.user, tags=listing.tags)
    return render_fragments(
        request,
        ["inbox/_thread_head.html", "inbox/_panel_oob.html"],
        {"conversation": conversation, "listing": listing, "panel": panel},
    )


@agent_page
@require_GET
def show_composer(request: AgentRequest, pk: int) -> HttpResponse:
    """The composer in another mode, about a comment, with a quote, or after its window has closed."""
    conversation = find_conversation(request, pk)
    listing = listing_of(request)
    composer = build_composer(conversation, request.user, read_choice(request.GET))
    return render_fragments(
        request, ["inbox/_composer.html"], {"composer": composer, "listing": listing}
    )


# --- acts -----------------------------------------------------------------------------------------


@agent_page
@require_POST
def read(request: AgentRequest, pk: int) -> HttpResponse:
    """A message came into a conversation that is open before the agent's eyes."""
    see(request, find_conversation(request, pk))
    return HttpResponse(status=204)


def see(request: AgentRequest, conversation: Conversation) -> None:
    """An agent has it before their eyes; the customer's app may show that, where it is wanted."""
    was_unread = bool(conversation.unread)
    if was_unread:
        mark_read(conversation=conversation)
        conversation.refresh_from_db(fields=["unread", "revision"])
        ring(show_seen, conversation.pk)
    if see_mentions(request.user, conversation) or was_unread:
        forget_counts(request.user)


def act_on(
    request: AgentRequest,
    conversation: Conversation,
    act: Callable[[], None],
    *,
    done: str | Callable[[], str],
    undo: Undo | Callable[[], Undo] | None = None,
) -> HttpResponse:
    """Do one thing; answer with what it changed, or on a plain request with the page again."""
    try:
        act()
    except InboxError as refusal:
        return _refused(request, conversation, refusal)
    forget_counts(request.user)
    told = str(done()) if callable(done) else str(done)
    if not is_fragment(request):
        messages.success(request, told)
        return redirect(page_of(listing_of(request), conversation))
    taken_back = undo() if callable(undo) else undo
    return answer_changed(request, conversation, {"text": told, "undo": taken_back})


def answer_changed(
    request: AgentRequest,
    conversation: Conversation,
    toast: dict[str, Any] | None = None,
) -> HttpResponse:
    """The head of the thread, and out of band the panel, the row, the counts and a word about it."""
    conversation = find_conversation(request, conversation.pk)
    listing = listing_of(request)
    counts = count_queues(request.user, listing.queues)
    is_open = _is_before_eyes(request, conversation)
    fragments = ["inbox/_row_oob.html", "inbox/_views_oob.html"]
    if is_open:
        fragments = ["inbox/_thread_head.html", "inbox/_panel_oob.html", *fragments]
    if toast:
        fragments.append("inbox/_toast_oob.html")
    response = render_fragments(
        request,
        fragments,
        {
            "listing": listing,
            "conversation": conversation,
            "panel": build_panel(conversation, request.user, tags=listing.tags),
            "row": row_of(listing, conversation, request.user),
            "counts": counts,
            "unread": counts["unread"],
            "toast": toast,
        },
    )
    if is_open:
        response["HX-Trigger-After-Swap"] = "dexra:thread"
    else:
        response["HX-Reswap"] = "none"
    return response


def _is_before_eyes(request: AgentRequest, conversation: Conversation) -> bool:
    """Whether the page still shows it: what is taken back may be of one left long ago."""
    path = request.htmx.current_url_abs_path or ""
    return f"/c/{conversation.pk}/" in path or "/c/" not in path


def _refused(
    request: AgentRequest, conversation: Conversation, refusal: InboxError
) -> HttpResponse:
    if not is_fragment(request):
        messages.error(request, str(refusal.detail))
        return redirect(page_of(listing_of(request), conversation))
    toast = {"text": str(refusal.detail), "tone": "bad"}
    response = render_fragments(
        request, ["inbox/_toast_oob.html"], {"toast": toast}, status=refusal.status
    )
    response["HX-Reswap"] = "none"
    return response
