"""Acts on the conversations that were selected in the list, and taking them back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from django.contrib import messages
from django.core import signing
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from inbox import bulk
from inbox.bulk import MAX_CONVERSATIONS, Act, Change, Outcome, Refusal
from inbox.models import Agent, Conversation, Priority, Tag
from inbox.pages.bulk_menus import build_bulk_menu, snooze_moment
from inbox.pages.conversations import Undo, listing_of, may_change
from inbox.pages.http import (
    AgentRequest,
    agent_page,
    is_fragment,
    render_fragments,
    render_page,
)
from inbox.pages.queues import count_queues, forget_counts

SALT = "inbox.bulk.undo"
UNDONE_WITHIN = timedelta(minutes=30)
MOST_NAMED = 3


@agent_page
@require_POST
@may_change
def change_many(request: AgentRequest) -> HttpResponse:
    """`act` (a word, perhaps with a value: `assign:12`) on each `conversation` that was selected;
    or the `menu` that asks for it."""
    ids = [int(one) for one in request.POST.getlist("conversation") if one.isdecimal()]
    if len(ids) > MAX_CONVERSATIONS:
        raise BadRequest("too many conversations")
    if "menu" in request.POST:
        return _show_menu(request, request.POST["menu"], ids)
    act, words = _read_act(request)
    outcome = bulk.do_to_all(_visible(request, ids), act, by=request.user)
    return _answer(request, outcome, words(len(outcome.changes)), can_undo=True)


@agent_page
@require_POST
@may_change
def undo(request: AgentRequest) -> HttpResponse:
    """Put back what one act has changed: what it was stands signed in the form itself."""
    try:
        agent_id, rows = signing.loads(
            request.POST.get("was", ""), salt=SALT, max_age=UNDONE_WITHIN
        )
    except signing.SignatureExpired:
        gone = Outcome()
        return _answer(request, gone, _("It is too late to undo this."))
    except signing.BadSignature as error:
        raise BadRequest("bad signature") from error
    if agent_id != request.user.pk:
        raise BadRequest("of another agent")
    changes = {pk: Change(pk, before, after) for pk, before, after in rows}
    found = _visible(request, list(changes))
    outcome = bulk.undo_all(found, changes, by=request.user)
    count = len(outcome.changes)
    return _answer(
        request,
        outcome,
        ngettext(
            "%(count)d conversation is as it was.",
            "%(count)d conversations are as they were.",
            count,
        )
        % {"count": count},
    )


def _show_menu(request: AgentRequest, name: str, ids: list[int]) -> HttpResponse:
    listing = listing_of(request)
    try:
        menu = build_bulk_menu(name, listing.desk, ids)
    except KeyError as error:
        raise BadRequest("bad menu") from error
    context = {
        "menu": menu,
        "listing": listing,
        "back_url": listing.url,
        "back_label": listing.label,
    }
    return render_page(
        request, "inbox/menu.html", context, fragments=["inbox/_menu.html"]
    )


def _visible(request: AgentRequest, ids: list[int]) -> list[Conversation]:
    """Those of them that this agent may see; the others do not exist for them."""
    visible = Conversation.objects.visible_to(request.user).with_parties()
    return list(visible.filter(pk__in=ids).order_by("pk"))


def _read_act(request: AgentRequest) -> tuple[Act, Callable[[int], str]]:
    """The act, and the words for what it did to so many. Raises BadRequest, Http404."""
    name, _colon, value = request.POST.get("act", "").partition(":")
    try:
        match name:
            case "done":
                return bulk.done(), lambda count: _many(
                    ngettext(
                        "%(count)d marked as done.", "%(count)d marked as done.", count
                    ),
                    count,
                )
            case "reopen":
                return bulk.reopened(), lambda count: _many(
                    ngettext(
                        "%(count)d opened again.", "%(count)d opened again.", count
                    ),
                    count,
                )
            case "read":
                return bulk.read(), lambda count: _many(
                    ngettext(
                        "%(count)d marked as read.", "%(count)d marked as read.", count
                    ),
                    count,
                )
            case "unread":
                return bulk.unread(), lambda count: _many(
                    ngettext(
                        "%(count)d marked as unread.",
                        "%(count)d marked as unread.",
                        count,
                    ),
                    count,
                )
            case "assign":
                return _assign(request, value)
            case "tag":
                tag = get_object_or_404(Tag, pk=int(value))
                return bulk.tagged(tag), lambda count: _many(
                    ngettext(
                        "%(count)d tagged with %(name)s.",
                        "%(count)d tagged with %(name)s.",
                        count,
                    ),
                    count,
                    tag.name,
                )
            case "snooze":
                return bulk.snoozed(snooze_moment(value, now())), lambda count: _many(
                    ngettext("%(count)d snoozed.", "%(count)d snoozed.", count), count
                )
            case "priority":
                priority = Priority(int(value))
                return bulk.prioritised(priority), lambda count: _many(
                    ngettext(
                        "Priority of %(count)d: %(name)s.",
                        "Priority of %(count)d: %(name)s.",
                        count,
                    ),
                    count,
                    str(priority.label),
                )
    except (ValueError, KeyError) as error:
        raise BadRequest("bad act") from error
    raise BadRequest("bad act")


def _assign(request: AgentRequest, value: str) -> tuple[Act, Callable[[int], str]]:
    if value == "nobody":
        return bulk.assigned(None), lambda count: _many(
            ngettext(
                "%(count)d given back to everybody.",
                "%(count)d given back to everybody.",
                count,
            ),
            count,
        )
    if value == "me":
        return bulk.assigned(request.user), lambda count: _many(
            ngettext("%(count)d assigned to you.", "%(count)d assigned to you.", count),
            count,
        )
    agent = get_object_or_404(Agent, pk=int(value), is_active=True)
    return bulk.assigned(agent), lambda count: _many(
        ngettext(
            "%(count)d assigned to %(name)s.", "%(count)d assigned to %(name)s.", count
        ),
        count,
        agent.name,
    )


def _many(words: str, count: int, name: str = "") -> str:
    return words % {"count": count, "name": name}


def _answer(
    request: AgentRequest, outcome: Outcome, words: str, *, can_undo: bool = False
) -> HttpResponse:
    """One word about all of them, the counts, and which rows the page must look at again."""
    forget_counts(request.user)
    listing = listing_of(request)
    refused = _refused_words(outcome.refusals)
    text = " ".join(part for part in (words, refused) if part)
    if not is_fragment(request):
        (messages.warning if refused else messages.success)(request, text)
        return redirect(listing.url)
    rows = [[one.pk, one.before, one.after] for one in outcome.changes]
    was = signing.dumps([request.user.pk, rows], salt=SALT, compress=True)
    counts = count_queues(request.user, listing.queues)
    undo_url = reverse("inbox:bulk_undo") + listing.action_parameters
    response = render_fragments(
        request,
        ["inbox/_toast_oob.html", "inbox/_views_oob.html"],
        {
            "listing": listing,
            "counts": counts,
            "unread": counts["unread"],
            "toast": {
                "text": text,
                "tone": "bad" if refused else "",
                "undo": Undo(undo_url, {"was": was}, is_bulk=True)
                if can_undo and rows
                else None,
            },
        },
    )
    response["HX-Reswap"] = "none"
    ids = [one.pk for one in outcome.changes]
    response["HX-Trigger"] = json.dumps({"dexra:rows": {"ids": ids}})
    return response


def _refused_words(refusals: list[Refusal]) -> str:
    """Which were refused and why: the first few by name."""
    if not refusals:
        return ""
    named = "; ".join(f"{one.name}: {one.reason}" for one in refusals[:MOST_NAMED])
    left = len(refusals) - MOST_NAMED
    if left > 0:
        more = ngettext("and %(count)d more", "and %(count)d more", left)
        named = f"{named}; {more % {'count': left}}"
    return _("Not done: %(names)s") % {"names": named}
