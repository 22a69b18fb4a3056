"""Connecting accounts, in pages: the list, the logins, what they offer, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_meta import tokens
from channels_meta.connect import flows
from channels_meta.connect.accounts import known_channel, moves
from channels_meta.connect.discovery import Offer
from channels_meta.connect.flows import LoginRefused
from channels_meta.connect.forms import ChoiceForm, TokenForm
from channels_meta.connect.http import connect_page
from channels_meta.connect.problems import PROBLEMS, Problem
from channels_meta.health import (
    Finding,
    credential_of,
    glance,
    subscription_finding,
)
from channels_meta.models import Credential, LoginAttempt
from channels_meta.scopes import FACEBOOK, INSTAGRAM, scopes_of
from inbox.models import Channel
from inbox.pages.http import AgentRequest

FLAVOURS = frozenset(Credential.Flavour.values)


@dataclass(frozen=True, slots=True)
class Row:
    """A connected account in the list."""

    channel: Channel
    finding: Finding


@dataclass(frozen=True, slots=True)
class Choice:
    """One account of a login, as its page shows it.

    channel: the one that it already is. outcome: what became of it, once it was chosen.
    """

    offer: Offer
    adapter: object
    problem: Problem | None
    lacking: list[str | Promise]
    channel: Channel | None
    is_move: bool
    is_connected: bool
    outcome: Problem | None
    outcome_code: str
    subscription: Finding | None

    @property
    def may_choose(self) -> bool:
        return self.problem is None and not self.is_connected


# --- the list ------------------------------------------------------------------------------------


@connect_page
@require_GET
def list_accounts(request: AgentRequest) -> HttpResponse:
    """Every connected account, how it is, and the ways to connect another."""
    channels = (
        Channel.objects.filter(kind__in=["instagram", "messenger"])
        .select_related("meta")
        .defer("meta__access_token")
    )
    context = {
        "rows": [Row(channel, glance(channel)) for channel in channels],
        "facebook_is_set_up": tokens.app_of(FACEBOOK).is_known,
        "instagram_is_set_up": tokens.app_of(INSTAGRAM).is_known,
        "elsewhere": _public_url_if_elsewhere(request),
        "is_sandbox": settings.SANDBOX,
    }
    return render(request, "channels_meta/connect/list.html", context)


def _public_url_if_elsewhere(request: AgentRequest) -> str:
    """Meta sends people back to PUBLIC_URL: whoever came by another name is not signed in there."""
    public = urlsplit(settings.PUBLIC_URL).netloc
    return (
        "" if request.get_host() == public else f"{settings.PUBLIC_URL}{request.path}"
    )


# --- a login -------------------------------------------------------------------------------------


@connect_page
@require_POST
def start(request: AgentRequest, flavour: str) -> HttpResponse:
    """Go to Meta's dialog, by a page that forwards: a redirected form would break the policy."""
    if flavour not in FLAVOURS:
        raise Http404
    if not tokens.app_of(flavour).is_known:
        return redirect("channels_meta:accounts")
    channel = None
    if given := request.POST.get("channel"):
        if not given.isdecimal():
            raise Http404
        channel = get_object_or_404(Channel, pk=int(given))
    url = flows.begin_login(
        flavour,
        agent=request.user,
        session=request.session,
        channel=channel,
        asks_again="again" in request.POST,
    )
    context = {"url": url, "flavour": flavour}
    return render(request, "channels_meta/connect/leaving.html", context)


@connect_page
@require_GET
def take_return(request: AgentRequest, flavour: str) -> HttpResponse:
    """Where Meta sends people back to; the address with the code is left at once."""
    if flavour not in FLAVOURS:
        raise Http404
    try:
        attempt = flows.take_return(
            flavour, request.GET, agent=request.user, session=request.session
        )
    except LoginRefused as refusal:
        context = {"problem": PROBLEMS[refusal.problem], "flavour": flavour}
        return render(
            request, "channels_meta/connect/refused.html", context, status=400
        )
    _reconnect_in_place(attempt)
    return redirect("channels_meta:login", attempt.pk)


def _reconnect_in_place(attempt: LoginAttempt) -> None:
    """Whoever pressed Reconnect has chosen already, unless it would change how it is connected."""
    if attempt.channel is None or attempt.failure:
        return
    for offer in flows.offers_of(attempt):
        known = known_channel(offer)
        if offer.problem or known is None or known.pk != attempt.channel.pk:
            continue
        if not moves(credential_of(known), offer, attempt.flavour):
            flows.connect_chosen(attempt, {offer.key}, features=[])


@connect_page
@require_http_methods(["GET", "POST"])
def show_login(request: AgentRequest, pk: int) -> HttpResponse:
    """What a login offers, to choose from; or why it offers nothing; and what came of it."""
    attempt = get_object_or_404(
        LoginAttempt.objects.select_related("channel"), pk=pk, agent=request.user
    )
    if request.method == "POST":
        return _choose(request, attempt)
    return _show(request, attempt)


def _show(
    request: AgentRequest, attempt: LoginAttempt, *, error: str = "", status: int = 200
) -> HttpResponse:
    choices = choices_of(attempt)
    context = {
        "attempt": attempt,
        "flavour": attempt.flavour,
        "is_instagram": attempt.flavour == INSTAGRAM,
        "failure": PROBLEMS.get(attempt.failure),
        "asks_again": any(c.offer.problem == "declined" for c in choices),
        "missed": _missed_account(attempt, choices),
        "error": error,
        "has_human_agent": Channel.objects.filter(
            features__contains=["human_agent"]
        ).exists(),
        "may_choose": flows.may_choose(attempt),
        "to_choose": [c for c in choices if c.may_choose],
        "connected": [c for c in choices if c.is_connected],
        "refused": [c for c in choices if c.problem],
        "since": now().isoformat(),
    }
    return render(request, "channels_meta/connect/login.html", context, status=status)


def _missed_account(attempt: LoginAttempt, choices: Sequence[Choice]) -> Problem | None:
    """The account to be reconnected is not among what this login offers."""
    channel = attempt.channel
    if channel is None or attempt.failure:
        return None
    is_there = any(
        (c.offer.kind, c.offer.external_id) == (channel.kind, channel.external_id)
        for c in choices
    )
    return None if is_there else PROBLEMS["account_missing"]


def choices_of(attempt: LoginAttempt) -> list[Choice]:
    offers = flows.offers_of(attempt)
    return [
        _choice(attempt, offer, entry)
        for offer, entry in zip(offers, attempt.accounts, strict=True)
    ]


def _choice(attempt: LoginAttempt, offer: Offer, entry: dict[str, object]) -> Choice:
    channel = known_channel(offer) if offer.external_id else None
    credential = credential_of(channel) if channel else None
    is_connected = channel is not None and entry.get("connected") == channel.pk
    gives = {scope.name: scope.gives for scope in scopes_of(attempt.flavour)}
    subscription = None
    if is_connected and credential is not None:
        subscription = subscription_finding(credential)
    return Choice(
        offer=offer,
        adapter=Channel(kind=offer.kind).adapter,
        problem=PROBLEMS.get(offer.problem),
        lacking=[_named(name, gives.get(name, "")) for name in offer.missing],
        channel=channel,
        is_move=moves(credential, offer, attempt.flavour),
        is_connected=is_connected,
        outcome=PROBLEMS.get(str(entry.get("outcome") or "")),
        outcome_code=str(entry.get("outcome_code") or ""),
        subscription=subscription,
    )


def _named(name: str, gives: str | Promise) -> str:
    return f"{gives} ({name})" if gives else name


def _choose(request: AgentRequest, attempt: LoginAttempt) -> HttpResponse:
    if not flows.may_choose(attempt):
        messages.warning(request, _("This login is over. Start again to go on."))
        return redirect("channels_meta:login", attempt.pk)
    choices = {c.offer.key: c for c in choices_of(attempt) if c.may_choose}
    form = ChoiceForm(request.POST, keys=list(choices))
    if not form.is_valid():
        error = _("Choose at least one account.")
        return _show(request, attempt, error=error, status=422)
    chosen = [choices[key] for key in form.cleaned_data["account"]]
    agreed = set(form.cleaned_data["move"])
    moving = [c for c in chosen if c.is_move and c.offer.key not in agreed]
    if moving:
        context = {
            "attempt": attempt,
            "chosen": chosen,
            "moving": moving,
            "is_instagram": attempt.flavour == INSTAGRAM,
            "human_agent": form.cleaned_data["human_agent"],
        }
        return render(request, "channels_meta/connect/move.html", context)
    features = ["human_agent"] if form.cleaned_data["human_agent"] else []
    flows.connect_chosen(attempt, {c.offer.key for c in chosen}, features=features)
    return redirect("channels_meta:login", attempt.pk)


@connect_page
@sensitive_post_parameters("token")
@require_http_methods(["GET", "POST"])
def by_hand(request: AgentRequest) -> HttpResponse:
    """A token that was made elsewhere: for development, and for system users."""
    form = TokenForm(request.POST or None)
    if form.is_valid():
        attempt = flows.take_token(
            form.cleaned_data["flavour"], form.cleaned_data["token"], agent=request.user
        )
        return redirect("channels_meta:login", attempt.pk)
    status = 422 if form.is_bound else 200
    return render(
        request, "channels_meta/connect/by_hand.html", {"form": form}, status=status
    )


# --- the first message ---------------------------------------------------------------------------


@connect_page
@require_GET
def watch(request: AgentRequest, pk: int) -> HttpResponse:
    """A fragment that asks again until something has arrived since `since`."""
    channel = get_object_or_404(Channel, pk=pk)
    since = _moment(request.GET.get("since", ""))
    heard_at = channel.last_event_at
    context = {
        "channel": channel,
        "since": since.isoformat(),
        "has_arrived": heard_at is not None and heard_at > since,
    }
    return render(request, "channels_meta/connect/_watch.html", context)


def _moment(text: str) -> datetime:
    """Raises Http404 for what this page did not make."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Http404 from None
    if moment.tzinfo is None:
        raise Http404
    return moment
