"""The phone page: play the customer, skip time, and let things go wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db.models import Exists, F, Max, OuterRef
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from channels_meta.sandbox import accounts, faults
from channels_meta.sandbox.clock import shift_account, shift_conversation
from channels_meta.sandbox.customers import NothingThere
from channels_meta.sandbox.login.tokens import SUBCODES
from channels_meta.sandbox.models import SandboxAccount, SandboxPerson
from channels_meta.sandbox.pages.acts import (
    ACCOUNT_SKIPS,
    ACTS,
    NEXT_SEND,
    SKIPS,
    TROUBLES,
    groups_for,
)
from channels_meta.sandbox.pages.showing import (
    SHOWN_PEOPLE,
    connected_accounts,
    context_of,
)
from channels_meta.sandbox.webhooks import UNTOLD
from inbox.models import Channel
from inbox.pages.clock import clock_time
from inbox.pages.http import AgentRequest, agent_page, is_fragment

MAX_TEXT_CHARACTERS = 2000
MAX_NAME_CHARACTERS = 60
# Everything at random: the choice, and how often each fault then strikes.
RANDOM, CHANCE = "random", 0.05

FRAGMENTS = (
    "channels_meta/sandbox/_messages.html",
    "channels_meta/sandbox/_trouble.html",
    "channels_meta/sandbox/_log.html",
)
POLL = "channels_meta/sandbox/_poll.html"
PROBLEM = "channels_meta/sandbox/_problem.html"


# --- pages ---------------------------------------------------------------------------------------


@agent_page
@require_GET
def show_phone(request: AgentRequest) -> HttpResponse:
    """`?person=` the phone of one customer; `?account=` or `?app=` of whoever was last there."""
    there = connected_accounts()
    person = _chosen_person(request, [account for account, _channel in there])
    if person is None:
        return render(request, "channels_meta/sandbox/empty.html")
    people = person.account.people.annotate(wrote_at=Max("messages__sent_at"))
    kinds = [account.kind for account, _channel in there]
    context = {
        **context_of(person),
        "accounts": [
            (account, channel.adapter, kinds.count(account.kind) > 1)
            for account, channel in there
        ],
        "people": _with(person, people.order_by(F("wrote_at").desc(nulls_last=True), "id")),
        "groups": groups_for(person.account.kind),
        "clock": clock_time(now()),
        "max_text": MAX_TEXT_CHARACTERS,
        "max_name": MAX_NAME_CHARACTERS,
        "problem": next((str(told) for told in messages.get_messages(request)), ""),
    }  # fmt: skip
    fragments = _render_fragments(request, context)
    return render(
        request,
        "channels_meta/sandbox/phone.html",
        context | {"version": _version(fragments)},
    )


@agent_page
@require_GET
def refresh_phone(request: AgentRequest, pk: int) -> HttpResponse:
    """What has changed since `?seen=`; 204 if nothing has."""
    person = _person(pk)
    fragments = _render_fragments(request, context_of(person))
    if request.GET.get("seen") == _version(fragments):
        return HttpResponse(status=204)
    return _answer(request, person, fragments)


# --- acts ----------------------------------------------------------------------------------------


@agent_page
@require_POST
def set_up(request: AgentRequest) -> HttpResponse:
    accounts.create_accounts()
    return redirect("sandbox:phone")


@agent_page
@require_POST
def create_person(request: AgentRequest) -> HttpResponse:
    pk = _number(request.POST.get("account"))
    account = next(
        (one for one, _channel in connected_accounts() if one.pk == pk), None
    )
    if account is None:
        raise Http404
    name = " ".join(request.POST.get("name", "").split())[:MAX_NAME_CHARACTERS]
    if not name:
        messages.error(request, _("Give the customer a name."))
        return HttpResponseRedirect(f"{reverse('sandbox:phone')}?account={account.pk}")
    return HttpResponseRedirect(
        _phone_url(accounts.create_person(account=account, name=name))
    )


@agent_page
@require_POST
def act(request: AgentRequest, pk: int, name: str) -> HttpResponse:
    """One thing that the customer does."""
    person = _person(pk)
    chosen = ACTS.get(name)
    if chosen is None or person.account.kind not in chosen.kinds:
        raise Http404
    text = request.POST.get("text", "").strip()[:MAX_TEXT_CHARACTERS]
    if name == "write" and not text:
        return _after(request, person, problem=_("Write something first."))
    try:
        happening = chosen.do(person, text)
    except NothingThere as reason:
        return _after(request, person, problem=reason.detail)
    status = happening.tell()
    return _after(request, _person(pk), problem=_words_of_refusal(status))


@agent_page
@require_POST
def skip(request: AgentRequest, pk: int) -> HttpResponse:
    """Let time pass in this person's conversation only; or for the whole account."""
    person = _person(pk)
    hours = request.POST.get("hours", "")
    if by := SKIPS.get(hours):
        shift_conversation(person=person, by=by)
    elif by := ACCOUNT_SKIPS.get(hours):
        shift_account(account=person.account, by=by)
    else:
        return _after(request, person, problem=_("Skip 24 hours or 7 days."))
    return _after(request, _person(pk))


@agent_page
@require_POST
def fail(request: AgentRequest, pk: int) -> HttpResponse:
    """Choose what goes wrong with the account's next send; nothing, with an empty choice.

    `lasting` switches something on, or off again, that lasts.
    """
    person = _person(pk)
    account = person.account
    if lasting := request.POST.get("lasting", ""):
        return _switch(request, person, lasting)
    kind = request.POST.get("fault", "")
    if kind and kind not in TROUBLES:
        return _after(request, person, problem=_("Choose what is to go wrong."))
    kinds = [trouble.kind for trouble in NEXT_SEND]
    account.faults.filter(kind__in=kinds, probability__gte=1).delete()
    if kind:
        faults.cause(account, kind)
    return _after(request, person)


def _switch(request: AgentRequest, person: SandboxPerson, kind: str) -> HttpResponse:
    if kind == RANDOM:
        _switch_chance(person.account)
        return _after(request, person)
    trouble = TROUBLES.get(kind)
    if trouble is None or person.account.kind not in trouble.kinds:
        return _after(request, person, problem=_("Choose what is to go wrong."))
    lasting = person.account.faults.filter(kind=kind, probability__gte=1)
    if lasting.exists():
        lasting.delete()
    else:
        faults.cause(person.account, kind, value=trouble.value, times=trouble.times)
    return _after(request, person)


def _switch_chance(account: SandboxAccount) -> None:
    """Everything at random, or nothing of it any more."""
    by_chance = account.faults.filter(probability__lt=1)
    if by_chance.exists():
        by_chance.delete()
    else:
        faults.cause_all(account, probability=CHANCE)


@agent_page
@require_POST
def connect(request: AgentRequest, pk: int) -> HttpResponse:
    """Let the account's token die, by a reason of Meta's, or connect it again."""
    person = _person(pk)
    if request.POST.get("connected"):
        accounts.reconnect(person.channel)
        return _after(request, _person(pk))
    subcode = _number(request.POST.get("subcode")) or 463
    if subcode not in SUBCODES:
        return _after(request, person, problem=_("Choose why the token dies."))
    accounts.disconnect(person.channel, subcode)
    return _after(request, _person(pk))


# --- who is on the page ----------------------------------------------------------------------------


def _person(pk: int) -> SandboxPerson:
    """Raises Http404 also for somebody whose account Dexra has not connected."""
    people = SandboxPerson.objects.select_related("account__page")
    connected = Channel.objects.filter(
        kind=OuterRef("account__kind"), external_id=OuterRef("account__external_id")
    )
    return get_object_or_404(people.filter(Exists(connected)), pk=pk)


def _chosen_person(
    request: AgentRequest, there: Sequence[SandboxAccount]
) -> SandboxPerson | None:
    """Raises Http404 for a person that is not there."""
    if "person" in request.GET:
        return _person(_number(request.GET.get("person")))
    people = SandboxPerson.objects.select_related("account__page")
    chosen = [one for one in there if one.pk == _number(request.GET.get("account"))]
    if not chosen:
        chosen = [one for one in there if one.kind == request.GET.get("app")]
    shown = chosen or list(there)
    return people.filter(account__in=shown).order_by("account__kind", "id").first()


def _number(text: str | None) -> int:
    """A row's number out of a form or an address; one that no row has, if it is none."""
    text = text or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def _with(chosen: SandboxPerson, people: Any) -> list[SandboxPerson]:
    """The people of an account, those who wrote last first; the chosen one always among them."""
    listed = list(people[:SHOWN_PEOPLE])
    return listed if chosen in listed else [chosen, *listed]


def _words_of_refusal(status: int) -> str:
    if status == 200:
        return ""
    if status == UNTOLD:
        return _(
            "Meta tells Dexra nothing of this account: it is not subscribed. An admin has to reconnect it."
        )
    if status == 0:
        return _("Dexra did not answer: nothing arrived in the inbox.")
    if status == 403:
        return _(
            "Dexra refused the signature (403). META_APP_SECRET has to be set, and the same everywhere."
        )
    return _("Dexra answered %(status)d: nothing arrived in the inbox.") % {
        "status": status
    }


# --- answers -------------------------------------------------------------------------------------


def _after(
    request: AgentRequest, person: SandboxPerson, *, problem: str | Promise = ""
) -> HttpResponse:
    """Once something was done: the changed parts of the page, or the page itself without htmx."""
    if not is_fragment(request):
        if problem:
            messages.error(request, str(problem))
        return HttpResponseRedirect(_phone_url(person))
    fragments = _render_fragments(request, context_of(person))
    return _answer(request, person, fragments, problem=problem)


def _render_fragments(request: AgentRequest, context: dict[str, Any]) -> str:
    return "\n".join(
        render_to_string(name, {**context, "oob": True}, request) for name in FRAGMENTS
    )


def _version(fragments: str) -> str:
    return hashlib.sha256(fragments.encode()).hexdigest()[:16]


def _answer(
    request: AgentRequest,
    person: SandboxPerson,
    fragments: str,
    *,
    problem: str | Promise = "",
) -> HttpResponse:
    context = {
        "person": person,
        "version": _version(fragments),
        "problem": problem,
        "oob": True,
    }
    parts = [fragments, render_to_string(POLL, context, request)]
    if request.method == "POST":
        parts.append(render_to_string(PROBLEM, context, request))
    return HttpResponse("\n".join(parts), status=422 if problem else 200)


def _phone_url(person: SandboxPerson) -> str:
    return f"{reverse('sandbox:phone')}?person={person.pk}"
