"""One account's page: how it is, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_meta import subscriptions, tokens
from channels_meta.checks import run_checks
from channels_meta.connect.accounts import disconnect_account
from channels_meta.connect.http import connect_page
from channels_meta.connect.problems import PROBLEMS, problem_of
from channels_meta.health import (
    Finding,
    Level,
    credential_of,
    findings_of,
    worst,
)
from channels_meta.incidents import close_incidents
from channels_meta.models import Credential, Incident
from channels_meta.scopes import FACEBOOK, INSTAGRAM
from channels_meta.upkeep import take_refusal
from inbox.channels import SendError
from inbox.history import start_import
from inbox.models import Channel, Import
from inbox.pages.history import import_of
from inbox.pages.http import AgentRequest

SHOWN_INCIDENTS = 10


def _channel(pk: int) -> Channel:
    channels = Channel.objects.select_related("meta").defer("meta__access_token")
    return get_object_or_404(channels, pk=pk)


@connect_page
@require_GET
def show_channel(request: AgentRequest, pk: int) -> HttpResponse:
    return _show(request, _channel(pk))


def _show(
    request: AgentRequest, channel: Channel, *, tested: Sequence[Finding] = ()
) -> HttpResponse:
    credential = credential_of(channel)
    findings = findings_of(channel)
    flavour = _flavour_of(channel, credential)
    context = {
        "channel": channel,
        "credential": credential,
        "wanted": subscriptions.wanted_fields(credential) if credential else (),
        "missing": _missing_fields(credential),
        "findings": findings,
        "worst": worst(findings),
        "tested": tested,
        "broken": sum(finding.level is Level.BAD for finding in tested),
        "flavour": flavour,
        "may_log_in": credential is not None and tokens.app_of(flavour).is_known,
        "import": import_of(channel),
        "incidents": channel.incidents.all()[:SHOWN_INCIDENTS],
        "since": now().isoformat(),
    }
    return render(request, "channels_meta/connect/channel.html", context)


def _flavour_of(channel: Channel, credential: Credential | None) -> str:
    """The login that reconnects it in place; after a disconnection nobody remembers which it was."""
    if credential is not None:
        return credential.flavour
    return INSTAGRAM if channel.kind == "instagram" else FACEBOOK


def _missing_fields(credential: Credential | None) -> frozenset[str]:
    if credential is None:
        return frozenset()
    wanted = subscriptions.wanted_fields(credential)
    return frozenset(subscriptions.missing_fields(wanted, credential.subscribed_fields))


@connect_page
@require_http_methods(["GET", "POST"])
def test_channel(request: AgentRequest, pk: int) -> HttpResponse:
    """The self-test. It may take some seconds: Meta is asked about half a dozen things."""
    channel = _channel(pk)
    if request.method == "GET":  # the result's page was opened again
        return redirect("channels_meta:channel", channel.pk)
    tested = list(run_checks(channel))
    return _show(request, _channel(pk), tested=tested)


@connect_page
@require_POST
def subscribe(request: AgentRequest, pk: int) -> HttpResponse:
    channel = _channel(pk)
    credential = get_object_or_404(
        Credential.objects.select_related("channel"), channel=channel
    )
    try:
        found = subscriptions.subscribe(credential)
    except SendError as error:
        take_refusal(channel, error)
        problem = PROBLEMS[problem_of(error)]
        messages.error(request, f"{problem.title}. {problem.advice} ({error.code})")
        return redirect("channels_meta:channel", channel.pk)
    if found.lacks_needed:
        messages.error(
            request, _("Meta took it, but does not report messages. Run the self-test.")
        )
    else:
        close_incidents(channel.pk, [Incident.Kind.UNSUBSCRIBED])
        messages.success(request, _("Meta reports this account to Dexra."))
    return redirect("channels_meta:channel", channel.pk)


@connect_page
@require_POST
def compare(request: AgentRequest, pk: int) -> HttpResponse:
    """Look at Meta for messages that were not reported."""
    channel = _channel(pk)
    run = start_import(channel, Import.Reason.ASKED)
    if run is None:
        messages.warning(request, _("This account does not let its history be read."))
    else:
        messages.success(request, _("Dexra looks for what it has missed."))
    return redirect("channels_meta:channel", channel.pk)


@connect_page
@require_http_methods(["GET", "POST"])
def disconnect(request: AgentRequest, pk: int) -> HttpResponse:
    """Asked once more, then done. What was said stays."""
    channel = _channel(pk)
    if request.method == "POST":
        disconnect_account(channel, by=request.user)
        words = {"account": channel.name}
        messages.success(request, _("%(account)s is disconnected.") % words)
        return redirect("channels_meta:accounts")
    context = {"channel": channel}
    return render(request, "channels_meta/connect/disconnect.html", context)
