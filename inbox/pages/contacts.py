"""The person beside the thread: who they are, how we know, what was before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages as notices
from django.contrib.auth.decorators import permission_required
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from inbox.details import MAX_ATTRIBUTES, update_contact
from inbox.errors import InboxError
from inbox.models import (
    Agent,
    ChannelIdentity,
    Contact,
    Conversation,
    Merge,
    Message,
    Tag,
)
from inbox.pages.http import AgentRequest, agent_page, is_fragment, render_fragments
from inbox.pages.rows import Badge, Snippet, badge_of, snippet_of

MAX_PAST = 5
MAX_IDENTITIES = 10
MAX_NOTES = 3
# Empty lines of the form, for details to come.
SPARE_LINES = 2


@dataclass(frozen=True, slots=True)
class Past:
    conversation: Conversation
    badge: Badge
    snippet: Snippet


@dataclass(frozen=True, slots=True)
class Known:
    """Who the person is on one channel. chats: conversations there. joined: the merge by which we
    know that it is the same person; None if nobody had to say so."""

    identity: ChannelIdentity
    chats: int
    joined: Merge | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    conversation: Conversation
    contact: Contact
    identities: list[Known] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    details: list[tuple[str, str]] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    past: list[Past] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    contact_admin_url: str = ""
    conversation_admin_url: str = ""


def build_panel(
    conversation: Conversation, agent: Agent, *, tags: Mapping[int, Tag]
) -> Panel:
    contact = conversation.identity.contact
    identities = (
        ChannelIdentity.objects.filter(contact=contact)
        .select_related("channel")
        .annotate(chats=Count("conversations"))
        .order_by("pk")[:MAX_IDENTITIES]
    )
    past = (
        Conversation.objects.visible_to(agent)
        .filter(identity__contact=contact)
        .exclude(pk=conversation.pk)
        .with_parties()
        .newest_first()[:MAX_PAST]
    )
    merges = _merges_into(contact)
    joined = {pk: one for one in reversed(merges) for pk in one.identities}
    return Panel(
        conversation=conversation,
        contact=contact,
        identities=[Known(one, one.chats, joined.get(one.pk)) for one in identities],
        merges=merges,
        details=[
            (name, plain_value(value)) for name, value in contact.attributes.items()
        ],
        tags=[tags[pk] for pk in conversation.tags if pk in tags],
        past=[Past(one, badge_of(one), snippet_of(one)) for one in past],
        notes=_notes(conversation),
        facts=_facts(conversation.identity),
        contact_admin_url=admin_page_of(agent, contact),
        conversation_admin_url=admin_page_of(agent, conversation),
    )


def _merges_into(contact: Contact) -> list[Merge]:
    """The newest first: in this order they can be undone."""
    rows = Merge.objects.standing().filter(kept=contact, erased_at=None)
    return list(rows.select_related("gone").order_by("-pk")[:MAX_IDENTITIES])


def _notes(conversation: Conversation) -> list[Message]:
    """The newest of this conversation: what a colleague wrote down need not be searched for."""
    notes = conversation.messages.filter(direction="note", is_stub=False)
    return list(notes.select_related("author").order_by("-sent_at", "-id")[:MAX_NOTES])


def _facts(identity: ChannelIdentity) -> list[str]:
    """What the channel's profile tells that helps to answer."""
    profile: Mapping[str, Any] = identity.profile
    facts = []
    followers = profile.get("follower_count")
    if isinstance(followers, int):
        count = number_format(followers, use_l10n=True, force_grouping=True)
        words = ngettext("%(count)s follower", "%(count)s followers", followers)
        facts.append(words % {"count": count})
    if profile.get("is_user_follow_business"):
        facts.append(_("Follows you"))
    if profile.get("is_verified_user"):
        facts.append(_("Verified account"))
    return facts


def plain_value(value: object) -> str:
    if isinstance(value, list):
        return _(", ").join(str(item) for item in value)
    return str(value)


def admin_page_of(agent: Agent, thing: Contact | Conversation) -> str:
    """Its page in the admin, for those who may look there; "" for others."""
    name = thing._meta.model_name
    if not agent.has_perm(f"inbox.view_{name}"):
        return ""
    return reverse(f"admin:inbox_{name}_change", args=[thing.pk])


# --- writing down --------------------------------------------------------------------------------

may_change_contact = permission_required("inbox.change_contact", raise_exception=True)


@agent_page
@require_http_methods(["GET", "POST"])
@may_change_contact
def edit(request: AgentRequest, pk: int) -> HttpResponse:
    """GET: the form, in place of the panel. POST: write down what it says. pk: the conversation's."""
    conversation = _conversation_of(request, pk)
    contact = conversation.identity.contact
    if request.method == "GET":
        return _show_form(request, conversation, _as_it_is(contact))
    given = _read_form(request, contact)
    try:
        update_contact(contact=contact, by=request.user, **given)
    except InboxError as refusal:
        return _show_form(request, conversation, given, refusal=refusal)
    if not is_fragment(request):
        notices.success(request, _("Written down."))
        return redirect(conversation)
    return show_panel(request, pk)


@agent_page
@require_http_methods(["GET"])
def panel(request: AgentRequest, pk: int) -> HttpResponse:
    """The panel as it is."""
    return show_panel(request, pk)


def show_panel(request: AgentRequest, pk: int) -> HttpResponse:
    conversation = _conversation_of(request, pk)
    tags = {tag.pk: tag for tag in Tag.objects.filter(pk__in=conversation.tags)}
    shown = build_panel(conversation, request.user, tags=tags)
    context = {"conversation": conversation, "panel": shown}
    return render_fragments(request, ["inbox/_panel.html"], context)


def _conversation_of(request: AgentRequest, pk: int) -> Conversation:
    visible = Conversation.objects.visible_to(request.user).with_parties()
    return get_object_or_404(visible, pk=pk)


def _as_it_is(contact: Contact) -> dict[str, Any]:
    return {
        "name": contact.name,
        "email": contact.email,
        "phone": contact.phone,
        "attributes": contact.attributes,
    }


def _read_form(request: AgentRequest, contact: Contact) -> dict[str, Any]:
    """A value that is no text (a list, a number) stays one as long as nobody writes over it."""
    given = {
        field: request.POST.get(field, "").replace("\x00", "")
        for field in ("name", "email", "phone")
    }
    names = request.POST.getlist("attribute_name")[: MAX_ATTRIBUTES + SPARE_LINES]
    values = request.POST.getlist("attribute_value")
    attributes: dict[str, Any] = {}
    for name, value in zip(names, values, strict=False):
        known = contact.attributes.get(name)
        is_same = known is not None and plain_value(known) == value
        attributes[name.replace("\x00", "")] = (
            known if is_same else value.replace("\x00", "")
        )
    return {**given, "attributes": attributes}


def _show_form(
    request: AgentRequest,
    conversation: Conversation,
    given: Mapping[str, Any],
    *,
    refusal: InboxError | None = None,
) -> HttpResponse:
    lines = [(name, plain_value(value)) for name, value in given["attributes"].items()]
    context = {
        "conversation": conversation,
        "given": given,
        "lines": [*lines, *[("", "")] * SPARE_LINES],
        "refusal": refusal,
    }
    status = 422 if refusal else 200
    if is_fragment(request):
        template = "inbox/_contact_form.html"
        return render_fragments(request, [template], context, status=status)
    return render(request, "inbox/contact.html", context, status=status)
