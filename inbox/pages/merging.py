"""Two contacts are one person: find the other one, compare both, merge; and separate them again.

Each step has one address: in place of the panel with script, a page of its own without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from inbox.errors import InboxError
from inbox.merging import (
    ATTRIBUTE,
    MAX_REASON,
    Difference,
    differences,
    merge,
    merges_of,
    unmerge,
    why_not,
    why_not_undone,
)
from inbox.models import Agent, ChannelIdentity, Contact, Conversation, Merge
from inbox.pages.contacts import (
    MAX_IDENTITIES,
    may_change_contact,
    plain_value,
)
from inbox.pages.conversations import (
    Undo,
    act_on,
    find_conversation,
    listing_of,
    page_of,
)
from inbox.pages.http import AgentRequest, agent_page, is_fragment, render_fragments
from inbox.pages.searching import people_named, read_search

MAX_FOUND = 12
# Fields of the form that carry a choice: one for each value in which the two differ.
CHOICE = "value-"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, as somebody must see it to know whether they are one person."""

    contact: Contact
    name: str
    identities: Sequence[ChannelIdentity] = ()
    details: Sequence[tuple[str, str]] = ()
    chats: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """field: the form's. name: of the difference, sent if the other's value is taken."""

    field: str
    name: str
    label: str
    kept: str
    gone: str
    takes_gone: bool = False
    is_kept_verified: bool = False
    is_gone_verified: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    kept: Side
    gone: Side
    choices: Sequence[Choice] = field(default_factory=list)
    refusal: InboxError | None = None


# --- find ----------------------------------------------------------------------------------------


@agent_page
@require_GET
@may_change_contact
def choose(request: AgentRequest, pk: int) -> HttpResponse:
    """Who else it may be: by name, handle, e-mail or phone. pk: the conversation's."""
    conversation = find_conversation(request, pk)
    search = read_search(request.GET.get("person", ""))
    contact = conversation.identity.contact
    found = _found(request.user, contact, search) if search else []
    context = {"search": search, "found": found, "contact": contact}
    template = "inbox/merging/_choose.html"
    if request.htmx and request.htmx.target == "merge-found":
        template = "inbox/merging/_found.html"
    return _show(request, conversation, template, context, title=_("Merge contacts"))


def _found(agent: Agent, contact: Contact, search: str) -> list[Side]:
    people = others_of(agent, contact).filter(pk__in=people_named(search))
    return _sides(people.order_by("-created_at", "-pk")[:MAX_FOUND])


def others_of(agent: Agent, contact: Contact) -> QuerySet[Contact]:
    """Who may be merged with somebody: people whose conversations the agent may see, and those
    who never wrote."""
    chats = Conversation.objects.filter(identity__contact=OuterRef("pk"))
    seen = Conversation.objects.visible_to(agent).filter(
        identity__contact=OuterRef("pk")
    )
    people = Contact.objects.filter(merged_into=None).exclude(pk=contact.pk)
    return people.filter(Exists(seen) | ~Exists(chats))


def _sides(contacts: QuerySet[Contact]) -> list[Side]:
    rows = contacts.prefetch_related("identities__channel").annotate(
        chats=Count("identities__conversations")
    )
    return [_side(one, one.chats) for one in rows]


def _side(contact: Contact, chats: int) -> Side:
    identities = list(contact.identities.all())
    known = [one.display_name for one in identities]
    details = contact.attributes.items()
    return Side(
        contact,
        name=contact.name or next(iter(known), contact.public_id),
        identities=identities[:MAX_IDENTITIES],
        details=[(name, plain_value(value)) for name, value in details],
        chats=chats,
    )


# --- compare, and merge --------------------------------------------------------------------------


@agent_page
@require_http_methods(["GET", "POST"])
@may_change_contact
def compare(request: AgentRequest, pk: int, other: int) -> HttpResponse:
    """GET: both side by side, with a choice where they differ. POST: merge the other into this one."""
    conversation = find_conversation(request, pk)
    kept = conversation.identity.contact
    if request.method == "POST":
        return _merge(request, conversation, kept, other)
    gone = get_object_or_404(others_of(request.user, kept), pk=other)
    context = {
        "comparison": _comparison(kept, gone),
        "max_reason": MAX_REASON,
        "search": read_search(request.GET.get("person", "")),
    }
    template = "inbox/merging/_compare.html"
    return _show(request, conversation, template, context, title=_("Merge contacts"))


def _merge(
    request: AgentRequest, conversation: Conversation, kept: Contact, other: int
) -> HttpResponse:
    merged = merges_of([kept.pk]).standing().filter(kept=kept, gone=other).first()
    people = Contact.objects.all() if merged else others_of(request.user, kept)
    gone = get_object_or_404(people, pk=other)
    done: list[Merge] = []

    def act() -> None:
        take = [
            value
            for name, value in request.POST.items()
            if name.startswith(CHOICE) and isinstance(value, str) and value
        ]
        reason = request.POST.get("reason", "").replace("\x00", "")
        row = merge(kept=kept, gone=gone, by=request.user, reason=reason, take=take)
        done.append(row)

    return act_on(
        request,
        conversation,
        act,
        done=lambda: _("Merged: they are one person now."),
        undo=lambda: Undo(_separate_url(conversation, done[0])),
    )


def _separate_url(conversation: Conversation, row: Merge) -> str:
    return reverse("inbox:separate", args=[conversation.pk, row.pk])


def _comparison(kept: Contact, gone: Contact) -> Comparison:
    sides = {
        side.contact.pk: side
        for side in _sides(Contact.objects.filter(pk__in=[kept.pk, gone.pk]))
    }
    return Comparison(
        sides[kept.pk],
        sides[gone.pk],
        [
            _choice(number, one, kept, gone)
            for number, one in enumerate(differences(kept, gone))
        ],
        why_not(kept, gone),
    )


def _choice(number: int, one: Difference, kept: Contact, gone: Contact) -> Choice:
    labels = {"name": _("Name"), "email": _("Email"), "phone": _("Phone")}
    proof = f"{one.name}_verified_at"
    return Choice(
        field=f"{CHOICE}{number}",
        name=one.name,
        label=labels.get(one.name) or one.name.removeprefix(ATTRIBUTE),
        kept=plain_value(one.kept),
        gone=plain_value(one.gone),
        takes_gone=one.takes_gone,
        is_kept_verified=bool(getattr(kept, proof, None)),
        is_gone_verified=bool(getattr(gone, proof, None)),
    )


# --- separate ------------------------------------------------------------------------------------


@agent_page
@require_http_methods(["GET", "POST"])
@may_change_contact
def separate(request: AgentRequest, pk: int, merge: int) -> HttpResponse:
    """GET: what becomes of whom. POST: undo the merge. pk: the conversation's."""
    conversation = find_conversation(request, pk)
    contact = conversation.identity.contact
    rows = merges_of([contact.pk]).select_related("kept", "gone")
    if request.method == "POST":
        row = get_object_or_404(rows, pk=merge)
        return act_on(
            request,
            conversation,
            lambda: _unmerge(row, request.user),
            done=_("Separated: they are two people again."),
        )
    row = get_object_or_404(rows.standing().filter(kept=contact), pk=merge)
    moved = ChannelIdentity.objects.filter(pk__in=row.identities, contact=contact)
    context = {
        "row": row,
        "name": name_of_gone(row),
        "moved": moved.select_related("channel").order_by("pk")[:MAX_IDENTITIES],
        "refusal": why_not_undone(row),
    }
    template = "inbox/merging/_separate.html"
    return _show(request, conversation, template, context, title=_("Separate contacts"))


def _unmerge(row: Merge, agent: Agent) -> None:
    unmerge(row, by=agent)


def name_of_gone(row: Merge) -> str:
    return row.gone.name or row.gone.email or row.gone.public_id


# --- both ----------------------------------------------------------------------------------------


def _show(
    request: AgentRequest,
    conversation: Conversation,
    template: str,
    context: dict[str, Any],
    *,
    title: str,
) -> HttpResponse:
    listing = listing_of(request)
    shown = {
        **context,
        "conversation": conversation,
        "listing": listing,
        "back_url": page_of(listing, conversation),
    }
    if is_fragment(request):
        return render_fragments(request, [template], shown)
    page = {**shown, "title": title, "fragment": template}
    return render(request, "inbox/merging/page.html", page)
