"""What an agent does with a conversation besides answering it, and the menus that offer it.

Each act has one address: GET draws its menu (or, without script, a page of it), POST does it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.core.exceptions import BadRequest
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from inbox.blocking import block_person, unblock_person
from inbox.models import Agent, Conversation, Priority, Tag, Team
from inbox.moments import Preset, parse_moment, presets_for
from inbox.pages.clock import moment_label
from inbox.pages.contacts import admin_page_of
from inbox.pages.conversations import (
    Undo,
    act_on,
    find_conversation,
    listing_of,
    may_change,
    page_of,
)
from inbox.pages.http import AgentRequest, agent_page, is_fragment, render_page
from inbox.pages.menus import MAX_CHOICES, Choice, Group, Menu
from inbox.triage import (
    assign_conversation,
    assign_team,
    change_tags,
    close_conversation,
    mark_unread,
    reopen_conversation,
    set_priority,
    snooze_conversation,
)

NOBODY = "nobody"


def menu_or_act(
    request: AgentRequest,
    pk: int,
    build: Callable[[AgentRequest, Conversation], Menu],
    act: Callable[[AgentRequest, Conversation], HttpResponse],
) -> HttpResponse:
    conversation = find_conversation(request, pk)
    if request.method == "POST":
        return act(request, conversation)
    menu = build(request, conversation)
    return _show(request, conversation, "inbox/_menu.html", menu=menu)


def _show(
    request: AgentRequest, conversation: Conversation, fragment: str, **more: object
) -> HttpResponse:
    listing = listing_of(request)
    context = {
        "listing": listing,
        "conversation": conversation,
        "back_url": page_of(listing, conversation),
        "back_label": conversation.identity.display_name,
        "fragment": fragment,
        **more,
    }
    return render_page(request, "inbox/menu.html", context, fragments=[fragment])


# --- who answers ---------------------------------------------------------------------------------


@agent_page
@require_http_methods(["GET", "POST"])
@may_change
def assign(request: AgentRequest, pk: int) -> HttpResponse:
    """To an agent, to a team, to the agent who asks, or back to everybody."""
    return menu_or_act(request, pk, _assign_menu, _assign)


def _assign_menu(request: AgentRequest, conversation: Conversation) -> Menu:
    agents = (
        Agent.objects.filter(is_active=True, is_staff=True)
        .annotate(
            open_count=Count(
                "conversations", filter=Q(conversations__status="open"), distinct=True
            )
        )
        .order_by("first_name", "username")[:MAX_CHOICES]
    )
    people = [_person(request, one, conversation) for one in agents]
    # Whoever asks stands first.
    people.sort(key=lambda choice: choice.agent != request.user)
    teams = [
        Choice(
            f"team-{team.pk}",
            team.name,
            "users",
            is_chosen=team.pk == conversation.team_id,
        )
        for team in Team.objects.all()[:MAX_CHOICES]
    ]
    nobody = Choice(
        NOBODY, _("No one"), "user-off", is_chosen=conversation.assignee_id is None
    )
    no_team = [Choice("team-", _("No team"), "x")] if conversation.team_id else []
    return Menu(
        _("Assign"),
        reverse("inbox:assign", args=[conversation.pk]),
        "to",
        [
            Group(_("People"), [*people, nobody]),
            *([Group(_("Teams"), [*teams, *no_team])] if teams else []),
        ],
        search=_("Find a person or team"),
    )


def _person(request: AgentRequest, agent: Agent, conversation: Conversation) -> Choice:
    is_me = agent == request.user
    name = _("%(name)s (you)") % {"name": agent.name} if is_me else agent.name
    count: int = agent.open_count  # type: ignore[attr-defined]  # annotated above
    hint = _("%(count)d open") % {"count": count}
    if agent.presence == Agent.Presence.AWAY:
        hint = _("away")
    return Choice(
        f"agent-{agent.pk}",
        name,
        agent=agent,
        hint=hint,
        is_chosen=agent.pk == conversation.assignee_id,
    )


def _assign(request: AgentRequest, conversation: Conversation) -> HttpResponse:
    to = request.POST.get("to", "")
    if to.startswith("team-"):
        return _give_to_team(request, conversation, to.removeprefix("team-"))
    assignee = _agent_named(request, to)
    before = conversation.assignee_id
    if assignee is None:
        done = _("It is everybody's again.")
    elif assignee == request.user:
        done = _("It is yours now.")
    else:
        done = _("Given to %(name)s.") % {"name": assignee.name}
    return act_on(
        request,
        conversation,
        lambda: assign_conversation(
            conversation=conversation, assignee=assignee, by=request.user
        ),
        done=done,
        undo=_undo("assign", conversation, to=f"agent-{before}" if before else NOBODY),
    )


def _agent_named(request: AgentRequest, to: str) -> Agent | None:
    """Raises Http404 for somebody who is not there."""
    if to in {"", NOBODY}:
        return None
    if to == "me":
        return request.user
    pk = to.removeprefix("agent-")
    if not pk.isdecimal():
        raise Http404
    return get_object_or_404(Agent, pk=int(pk), is_active=True)


def _give_to_team(
    request: AgentRequest, conversation: Conversation, pk: str
) -> HttpResponse:
    if pk and not pk.isdecimal():
        raise Http404
    team = get_object_or_404(Team, pk=int(pk)) if pk else None
    name = team.name if team else ""
    return act_on(
        request,
        conversation,
        lambda: assign_team(conversation=conversation, team=team, by=request.user),
        done=_("Given to the team %(name)s.") % {"name": name}
        if team
        else _("In no team any more."),
        undo=_undo("assign", conversation, to=f"team-{conversation.team_id or ''}"),
    )


def _undo(route: str, conversation: Conversation, **fields: str) -> Undo:
    return Undo(reverse(f"inbox:{route}", args=[conversation.pk]), fields)


# --- done, open, later ---------------------------------------------------------------------------


@agent_page
@require_POST
@may_change
def close(request: AgentRequest, pk: int) -> HttpResponse:
    conversation = find_conversation(request, pk)
    return act_on(
        request,
        conversation,
        lambda: close_conversation(conversation=conversation, by=request.user),
        done=_("Marked as done."),
        undo=_undo("reopen", conversation),
    )


@agent_page
@require_POST
@may_change
def reopen(request: AgentRequest, pk: int) -> HttpResponse:
    conversation = find_conversation(request, pk)
    return act_on(
        request,
        conversation,
        lambda: reopen_conversation(conversation=conversation, by=request.user),
        done=_("Open again."),
    )


@agent_page
@require_http_methods(["GET", "POST"])
@may_change
def snooze(request: AgentRequest, pk: int) -> HttpResponse:
    """Until a moment that is offered, or told in plain words."""
    return menu_or_act(request, pk, _snooze_menu, _snooze)


def _snooze_menu(_request: AgentRequest, conversation: Conversation) -> Menu:
    at = now()
    closes = conversation.window_expires_at
    return Menu(
        _("Snooze"),
        reverse("inbox:snooze", args=[conversation.pk]),
        "until",
        [
            Group(
                "",
                [
                    _moment(preset, at, closes)
                    for preset in presets_for(at, closes=closes)
                ],
            )
        ],
        search=_("When? “tomorrow 9”, “in 2 hours”"),
        free="words",
    )


def _moment(preset: Preset, at: datetime, closes: datetime | None) -> Choice:
    until = preset.until
    if until is None:
        return Choice(preset.slug, preset.label, "reply")
    return Choice(
        until.isoformat(),
        preset.label,
        "clock" if preset.slug == "window" else "moon",
        hint=moment_label(until, at=at),
        is_late=bool(closes and at < closes <= until),
    )


def _snooze(request: AgentRequest, conversation: Conversation) -> HttpResponse:
    chosen: list[datetime | None] = []

    def snooze_until() -> None:
        chosen.append(_chosen_moment(request))
        snooze_conversation(conversation=conversation, until=chosen[0], by=request.user)

    def done() -> str:
        if chosen[0] is None:
            return _("Put away until the customer writes.")
        return _("Put away until %(moment)s.") % {
            "moment": moment_label(chosen[0], at=now())
        }

    undo = _undo("reopen", conversation)
    return act_on(request, conversation, snooze_until, done=done, undo=undo)


def _chosen_moment(request: AgentRequest) -> datetime | None:
    """Raises ContentInvalid for words that say no moment."""
    chosen = request.POST.get("until", "")
    if chosen == "reply":
        return None
    return parse_moment(chosen or request.POST.get("words", ""), at=now())


# --- what it is ----------------------------------------------------------------------------------


@agent_page
@require_http_methods(["GET", "POST"])
@may_change
def tags(request: AgentRequest, pk: int) -> HttpResponse:
    """Give it a tag, or take one away; who may add tags may name a new one."""
    return menu_or_act(request, pk, _tag_menu, _tag)


def _tag_menu(request: AgentRequest, conversation: Conversation) -> Menu:
    choices = [
        Choice(
            str(tag.pk),
            tag.name,
            dot=tag.colour,
            is_chosen=tag.pk in conversation.tags,
        )
        for tag in Tag.objects.order_by("name")[:MAX_CHOICES]
    ]
    return Menu(
        _("Tags"),
        reverse("inbox:tags", args=[conversation.pk]),
        "tag",
        [Group("", choices)],
        search=_("Find or add a tag")
        if request.user.has_perm("inbox.add_tag")
        else _("Find a tag"),
        free="name" if request.user.has_perm("inbox.add_tag") else "",
        stays=True,
    )


def _tag(request: AgentRequest, conversation: Conversation) -> HttpResponse:
    tag = _tag_named(request)
    has_it = tag.pk in conversation.tags
    return act_on(
        request,
        conversation,
        lambda: change_tags(
            conversation=conversation,
            add=[] if has_it else [tag],
            remove=[tag] if has_it else [],
            by=request.user,
        ),
        done=_("Tag %(name)s removed.") % {"name": tag.name}
        if has_it
        else _("Tagged %(name)s.") % {"name": tag.name},
        undo=_undo("tags", conversation, tag=str(tag.pk)),
    )


def _tag_named(request: AgentRequest) -> Tag:
    """Raises Http404 for one that is not there and may not be added."""
    chosen = request.POST.get("tag", "")
    if chosen.isdecimal():
        return get_object_or_404(Tag, pk=int(chosen))
    name = " ".join(request.POST.get("name", "").replace("\x00", "").split())[:40]
    found = Tag.objects.filter(name__iexact=name).first() if name else None
    if found is None and (not name or not request.user.has_perm("inbox.add_tag")):
        raise Http404
    return found or Tag.objects.create(name=name, colour=1 + sum(map(ord, name)) % 6)


@agent_page
@require_http_methods(["GET", "POST"])
@may_change
def priority(request: AgentRequest, pk: int) -> HttpResponse:
    return menu_or_act(request, pk, _priority_menu, _set_priority)


def _priority_menu(_request: AgentRequest, conversation: Conversation) -> Menu:
    choices = [
        Choice(
            str(one.value),
            one.label,
            "flag" if one else "x",
            is_chosen=one == conversation.priority,
        )
        for one in reversed(Priority)
    ]
    url = reverse("inbox:priority", args=[conversation.pk])
    return Menu(_("Priority"), url, "to", [Group("", choices)])


def _set_priority(request: AgentRequest, conversation: Conversation) -> HttpResponse:
    try:
        chosen = Priority(int(request.POST.get("to", "")))
    except ValueError:
        raise Http404 from None
    return act_on(
        request,
        conversation,
        lambda: set_priority(
            conversation=conversation, priority=chosen, by=request.user
        ),
        done=_("Priority: %(name)s.") % {"name": chosen.label},
        undo=_undo("priority", conversation, to=str(conversation.priority)),
    )


@agent_page
@require_POST
@may_change
def unread(request: AgentRequest, pk: int) -> HttpResponse:
    """New again. The page goes back to its list, or it would be read at once."""
    conversation = find_conversation(request, pk)
    mark_unread(conversation=conversation)
    if not is_fragment(request):
        return redirect(listing_of(request).url)
    response = HttpResponse(status=204)
    response["HX-Redirect"] = listing_of(request).url
    return response


# --- people we do not want to hear from ----------------------------------------------------------

_BLOCKED = {
    "block": gettext_lazy("Blocked: what they write opens nothing any more."),
    "spam": gettext_lazy("Called spam: what they write opens nothing any more."),
}


@agent_page
@require_POST
@may_change
def block(request: AgentRequest, pk: int) -> HttpResponse:
    """as: block or spam."""
    conversation = find_conversation(request, pk)
    how = request.POST.get("as", "")
    if how not in _BLOCKED:
        raise BadRequest("bad as")
    return act_on(
        request,
        conversation,
        lambda: block_person(
            conversation=conversation, by=request.user, is_spam=how == "spam"
        ),
        done=str(_BLOCKED[how]),
        undo=_undo("unblock", conversation),
    )


@agent_page
@require_POST
@may_change
def unblock(request: AgentRequest, pk: int) -> HttpResponse:
    conversation = find_conversation(request, pk)
    return act_on(
        request,
        conversation,
        lambda: unblock_person(conversation=conversation, by=request.user),
        done=_("You hear from them again."),
    )


# --- without a menu ------------------------------------------------------------------------------


@agent_page
@require_http_methods(["GET"])
def more(request: AgentRequest, pk: int) -> HttpResponse:
    """What there is no room for in the head."""
    conversation = find_conversation(request, pk)
    channel, identity = conversation.channel, conversation.identity
    native_url = channel.adapter.native_url(channel, identity.external_id)
    return _show(
        request,
        conversation,
        "inbox/_more.html",
        native_url=native_url,
        admin_url=admin_page_of(request.user, conversation),
    )
