"""Endpoints: how they are, what they get, their secret, and what can be done about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inbox.audit import note_act
from inbox.events import EventName
from inbox.pages.http import AgentRequest, page_for
from webhooks import endpoints
from webhooks.backlog import Waiting, count_waiting
from webhooks.forms import EndpointForm, MomentInput, say_resent
from webhooks.models import Endpoint
from webhooks.schedule import DISABLED_AFTER

SHOWN_DELIVERIES = 10

OVERLAPS = [
    (timedelta(0), gettext_lazy("The present one ends now")),
    (timedelta(hours=1), gettext_lazy("Both work for an hour")),
    (endpoints.ROTATION_OVERLAP, gettext_lazy("Both work for a day")),
    (timedelta(days=3), gettext_lazy("Both work for 3 days")),
    (endpoints.LONGEST_OVERLAP, gettext_lazy("Both work for 7 days")),
]


@dataclass(frozen=True, slots=True)
class Glance:
    """How an endpoint is, in a word and a sentence. level: ok, warn or bad."""

    level: str
    word: str
    says: str


@dataclass(frozen=True, slots=True)
class Row:
    endpoint: Endpoint
    waiting: Waiting
    glance: Glance


class RotationForm(forms.Form):
    overlap = forms.TypedChoiceField(
        label=gettext_lazy("What happens to the present secret"),
        choices=[(int(span.total_seconds()), words) for span, words in OVERLAPS],
        coerce=lambda seconds: timedelta(seconds=int(seconds)),
        initial=int(endpoints.ROTATION_OVERLAP.total_seconds()),
        widget=forms.Select(attrs={"class": "dx-field"}),
    )


class SampleForm(forms.Form):
    event = forms.TypedChoiceField(
        label=gettext_lazy("Event"),
        choices=[(name.value, name.value) for name in EventName],
        coerce=EventName,
        initial=EventName.PING.value,
        widget=forms.Select(attrs={"class": "dx-field"}),
    )


class RecoverForm(forms.Form):
    since = forms.DateTimeField(
        label=gettext_lazy("Missed since"),
        required=False,
        widget=MomentInput(),
        help_text=gettext_lazy("Left empty: the last 14 days."),
    )


def glance_at(endpoint: Endpoint) -> Glance:
    if endpoint.status == Endpoint.Status.DISABLED:
        wait = _("They wait until it is resumed.")
        says = f"{endpoint.get_status_reason_display()} {wait}"
        return Glance("bad", endpoint.get_status_display(), says)
    if endpoint.status == Endpoint.Status.PAUSED:
        says = _("Somebody paused it. Its events wait.")
        return Glance("warn", endpoint.get_status_display(), says)
    if endpoint.failing_since is None:
        return Glance("ok", endpoint.get_status_display(), "")
    says = _(
        "Nothing has come through since %(since)s. It is disabled on %(end)s if that goes on."
    ) % {
        "since": _short(endpoint.failing_since),
        "end": _short(endpoint.failing_since + DISABLED_AFTER),
    }
    return Glance("warn", _("Failing"), says)


def _short(moment: datetime) -> str:
    return date_format(localtime(moment), "SHORT_DATETIME_FORMAT")


def _endpoint(pk: int) -> Endpoint:
    return get_object_or_404(Endpoint.objects.prefetch_related("channels"), pk=pk)


# --- looking -------------------------------------------------------------------------------------


@page_for("webhooks.view_endpoint")
@require_GET
def list_endpoints(request: AgentRequest) -> HttpResponse:
    """Where events are sent, and how that goes."""
    found = list(Endpoint.objects.order_by("pk"))
    waiting = count_waiting([endpoint.pk for endpoint in found])
    rows = [Row(one, waiting[one.pk], glance_at(one)) for one in found]
    return render(request, "webhooks/endpoints/list.html", {"rows": rows})


@page_for("webhooks.view_endpoint")
@require_GET
def show_endpoint(request: AgentRequest, pk: int) -> HttpResponse:
    return _show(request, _endpoint(pk))


def _show(
    request: AgentRequest,
    endpoint: Endpoint,
    *,
    recovery: RecoverForm | None = None,
    status: int = 200,
) -> HttpResponse:
    newest = endpoint.deliveries.order_by("-pk").select_related("event")
    context = {
        "endpoint": endpoint,
        "glance": glance_at(endpoint),
        "waiting": count_waiting([endpoint.pk])[endpoint.pk],
        "is_resting": endpoint.breaker_until is not None
        and endpoint.breaker_until > now(),
        "overlap_lasts": endpoint.previous_secret_until is not None
        and endpoint.previous_secret_until > now(),
        "deliveries": newest.defer("event__body")[:SHOWN_DELIVERIES],
        "rotation": RotationForm(),
        "sample": SampleForm(),
        "recovery": recovery or RecoverForm(),
    }
    return render(request, "webhooks/endpoints/detail.html", context, status=status)


@page_for("webhooks.view_endpoint")
@require_GET
def show_waiting(request: AgentRequest, pk: int) -> HttpResponse:
    """A fragment that asks again for as long as something waits."""
    endpoint = _endpoint(pk)
    waiting = count_waiting([endpoint.pk])[endpoint.pk]
    context = {"endpoint": endpoint, "waiting": waiting}
    return render(request, "webhooks/endpoints/_waiting.html", context)


# --- making and changing -------------------------------------------------------------------------


@page_for("webhooks.view_endpoint", "webhooks.add_endpoint")
@require_http_methods(["GET", "POST"])
def add_endpoint(request: AgentRequest) -> HttpResponse:
    """The answer to the form shows the secret."""
    form = EndpointForm(request.POST or None)
    if not form.is_valid():
        return _edit(request, form)
    with transaction.atomic():
        endpoint = form.save()
        note_act(request.user, "endpoint_created", endpoint)
    return _tell_secret(request, endpoint, is_new=True)


@page_for("webhooks.view_endpoint", "webhooks.change_endpoint")
@require_http_methods(["GET", "POST"])
def edit_endpoint(request: AgentRequest, pk: int) -> HttpResponse:
    endpoint = _endpoint(pk)
    form = EndpointForm(request.POST or None, instance=endpoint)
    if not form.is_valid():
        return _edit(request, form)
    with transaction.atomic():
        form.save()
        note_act(
            request.user, "endpoint_changed", endpoint, fields=sorted(form.changed_data)
        )
    return redirect("webhooks:endpoint", pk)


def _edit(request: AgentRequest, form: EndpointForm) -> HttpResponse:
    status = 422 if form.is_bound else 200
    # What was typed is not what is stored: the title names the stored one.
    name = str(Endpoint.objects.get(pk=form.instance.pk)) if form.instance.pk else ""
    context = {"form": form, "endpoint": form.instance, "name": name}
    return render(request, "webhooks/endpoints/edit.html", context, status=status)


@page_for("webhooks.view_endpoint", "webhooks.delete_endpoint")
@require_http_methods(["GET", "POST"])
def delete_endpoint(request: AgentRequest, pk: int) -> HttpResponse:
    endpoint = _endpoint(pk)
    if request.method == "POST":
        endpoints.delete(endpoint, by=request.user)
        text = _("Nothing is sent to %(endpoint)s any more.") % {"endpoint": endpoint}
        messages.success(request, text)
        return redirect("webhooks:endpoints")
    return render(request, "webhooks/endpoints/delete.html", {"endpoint": endpoint})


# --- its secret ----------------------------------------------------------------------------------


@page_for("webhooks.view_endpoint", "webhooks.change_endpoint")
@require_POST
def reveal_secret(request: AgentRequest, pk: int) -> HttpResponse:
    endpoint = _endpoint(pk)
    endpoints.reveal_secret(endpoint, by=request.user)
    return _tell_secret(request, endpoint)


@page_for("webhooks.view_endpoint", "webhooks.change_endpoint")
@require_POST
def rotate_secret(request: AgentRequest, pk: int) -> HttpResponse:
    endpoint = _endpoint(pk)
    form = RotationForm(request.POST)
    if not form.is_valid():
        return redirect("webhooks:endpoint", pk)
    endpoints.rotate_secret(
        endpoint, by=request.user, overlap=form.cleaned_data["overlap"]
    )
    return _tell_secret(request, _endpoint(pk))


def _tell_secret(
    request: AgentRequest, endpoint: Endpoint, *, is_new: bool = False
) -> HttpResponse:
    """In this one answer, which no browser keeps."""
    context = {
        "endpoint": endpoint,
        "is_new": is_new,
        "overlap_lasts": endpoint.previous_secret_until is not None
        and endpoint.previous_secret_until > now(),
    }
    return render(request, "webhooks/endpoints/secret.html", context)


# --- sending -------------------------------------------------------------------------------------


@page_for("webhooks.view_endpoint", "webhooks.change_endpoint")
@require_POST
def send_sample(request: AgentRequest, pk: int) -> HttpResponse:
    """One event about nobody; its delivery's page shows how it went."""
    form = SampleForm(request.POST)
    if not form.is_valid():
        return redirect("webhooks:endpoint", pk)
    delivery = endpoints.send_sample(_endpoint(pk), form.cleaned_data["event"])
    return redirect("webhooks:delivery", delivery.pk)


@page_for("webhooks.view_endpoint", "webhooks.change_endpoint")
@require_POST
def pause(request: AgentRequest, pk: int) -> HttpResponse:
    endpoints.pause(_endpoint(pk), by=request.user)
    return redirect("webhooks:endpoint", pk)


@page_for("webhooks.view_endpoint", "webhooks.change_endpoint")
@require_POST
def resume(request: AgentRequest, pk: int) -> HttpResponse:
    skips = "skip_waiting" in request.POST
    endpoints.resume(_endpoint(pk), by=request.user, skip_waiting=skips)
    return redirect("webhooks:endpoint", pk)


@page_for("webhooks.view_endpoint", "webhooks.change_delivery")
@require_POST
def recover(request: AgentRequest, pk: int) -> HttpResponse:
    endpoint = _endpoint(pk)
    form = RecoverForm(request.POST)
    if not form.is_valid():
        return _show(request, endpoint, recovery=form, status=422)
    resent = endpoints.recover(endpoint, since=form.cleaned_data["since"])
    if not resent.count:
        messages.info(request, _("Nothing was missed in that time."))
        return redirect("webhooks:endpoint", pk)
    messages.success(request, say_resent(resent.count))
    query = urlencode({"endpoint": pk, "resent": resent.at.isoformat()})
    return redirect(f"{reverse('webhooks:deliveries')}?{query}")
