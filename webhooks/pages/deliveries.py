"""The log: what was sent to whom, what came back, and sending it again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from inbox.events import EventName
from inbox.pages.http import AgentRequest, page_for
from webhooks import endpoints
from webhooks.backlog import progress_of
from webhooks.forms import MomentInput, say_resent
from webhooks.models import Delivery, DeliveryAttempt, Endpoint

PAGE_ROWS = 50
# What no index answers is looked for among so many deliveries at a time, newest first.
STRETCH = 100_000
# How far back "all of these" reaches.
RESENT_AMONG = 1_000_000
LARGEST_ID = 2**63 - 1

SELECT = {"class": "dx-field"}


class LogForm(forms.Form):
    """What the log shows. Every field may be left out."""

    endpoint = forms.ModelChoiceField(
        label=gettext_lazy("Endpoint"),
        queryset=Endpoint.objects.order_by("pk"),
        required=False,
        empty_label=gettext_lazy("All endpoints"),
        widget=forms.Select(attrs=SELECT),
    )
    event = forms.ChoiceField(
        label=gettext_lazy("Event"),
        choices=[
            ("", gettext_lazy("All events")),
            *((name.value, name.value) for name in EventName),
        ],
        required=False,
        widget=forms.Select(attrs=SELECT),
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        choices=[("", gettext_lazy("All states")), *Delivery.State.choices],
        required=False,
        widget=forms.Select(attrs=SELECT),
    )
    conversation = forms.IntegerField(
        label=gettext_lazy("Conversation"),
        min_value=1,
        max_value=LARGEST_ID,
        required=False,
        widget=forms.TextInput(
            attrs={"class": "dx-field", "inputmode": "numeric", "dir": "ltr"}
        ),
    )
    since = forms.DateTimeField(
        label=gettext_lazy("From"), required=False, widget=MomentInput()
    )
    until = forms.DateTimeField(
        label=gettext_lazy("Until"), required=False, widget=MomentInput()
    )

    @property
    def chosen(self) -> dict[str, str]:
        """As a query, for links that keep it."""
        given = {name: self.data.get(name, "") for name in self.fields}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Stretch:
    """rows: newest first. older: whose id to look below for more, None at the end.
    is_partial: nothing is known of what lies below `older`, only that it was not looked at."""

    rows: list[Delivery]
    older: int | None
    is_partial: bool


def _rows() -> QuerySet[Delivery]:
    return Delivery.objects.select_related("event", "endpoint").defer("event__body")


def _filtered(chosen: dict[str, Any]) -> QuerySet[Delivery]:
    rows = _rows()
    if endpoint := chosen.get("endpoint"):
        rows = rows.filter(endpoint=endpoint)
    if name := chosen.get("event"):
        rows = rows.filter(event__name=name)
    if state := chosen.get("state"):
        rows = rows.filter(state=state)
    if conversation := chosen.get("conversation"):
        rows = rows.filter(conversation_id=conversation)
    if since := chosen.get("since"):
        rows = rows.filter(created_at__gte=since)
    if until := chosen.get("until"):
        rows = rows.filter(created_at__lt=until)
    return rows


def _is_indexed(chosen: dict[str, Any]) -> bool:
    """Whether an index leads from row to row, whatever lies between them."""
    given = {name for name, value in chosen.items() if value}
    return "conversation" in given or given == {"endpoint"}


def _stretch(chosen: dict[str, Any], before: int | None) -> Stretch:
    rows = _filtered(chosen)
    lowest = 0
    if not _is_indexed(chosen):
        newest = before or (_end("-pk") + 1)
        lowest = max(newest - STRETCH, 0)
        rows = rows.filter(pk__gte=lowest)
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: PAGE_ROWS + 1])
    if len(found) > PAGE_ROWS:
        return Stretch(found[:PAGE_ROWS], found[PAGE_ROWS - 1].pk, False)
    is_partial = lowest > _end("pk")
    return Stretch(found, lowest if is_partial else None, is_partial)


def _end(order: str) -> int:
    """The newest (`-pk`) or oldest (`pk`) id there is; 0 without any."""
    return Delivery.objects.order_by(order).values_list("pk", flat=True).first() or 0


# --- the log -------------------------------------------------------------------------------------


@page_for("webhooks.view_delivery")
@require_GET
def list_deliveries(request: AgentRequest) -> HttpResponse:
    """Newest first. What the form asks for, `before` a delivery; `resent`: how far those are that
    were sent again at that moment."""
    form = LogForm(request.GET)
    if not form.is_valid():
        context = {"form": form, "stretch": Stretch([], None, False)}
        return render(request, "webhooks/deliveries/list.html", context, status=422)
    stretch = _stretch(form.cleaned_data, _before(request.GET.get("before", "")))
    resent_at = _moment(request.GET.get("resent", ""))
    context = {
        "form": form,
        "stretch": stretch,
        "query": urlencode(form.chosen),
        "is_filtered": bool(form.chosen),
        "resent_at": resent_at,
        "progress": progress_of(resent_at) if resent_at else None,
        "most": endpoints.MAX_RECOVERED,
    }
    return render(request, "webhooks/deliveries/list.html", context)


def _before(text: str) -> int | None:
    """Raises Http404 for what this page did not make."""
    if not text:
        return None
    is_id = text.isascii() and text.isdigit() and 0 < int(text[:20]) <= LARGEST_ID
    if not is_id:
        raise Http404
    return int(text)


def _moment(text: str) -> datetime | None:
    """Raises Http404 for what this page did not make."""
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Http404
    return moment


@page_for("webhooks.view_delivery")
@require_GET
def show_progress(request: AgentRequest) -> HttpResponse:
    """A fragment that asks again until each of them was tried."""
    resent_at = _moment(request.GET.get("resent", ""))
    if resent_at is None:
        raise Http404
    context = {"resent_at": resent_at, "progress": progress_of(resent_at)}
    return render(request, "webhooks/deliveries/_progress.html", context)


@page_for("webhooks.view_delivery", "webhooks.change_delivery")
@require_POST
def resend_all(request: AgentRequest) -> HttpResponse:
    """Send again what the log's form asks for: the newest MAX_RECOVERED of it."""
    form = LogForm(request.POST)
    if not form.is_valid() or not form.chosen:
        raise Http404
    newest = _filtered(form.cleaned_data).filter(pk__gt=_end("-pk") - RESENT_AMONG)
    resent = endpoints.resend(newest)
    query = dict(form.chosen)
    query.pop("state", None)  # they have another one now
    if resent.count:
        messages.success(request, say_resent(resent.count))
        query["resent"] = resent.at.isoformat()
    return redirect(f"{reverse('webhooks:deliveries')}?{urlencode(query)}")


# --- one of them ---------------------------------------------------------------------------------


def _delivery(pk: int) -> Delivery:
    return get_object_or_404(_rows(), pk=pk)


@page_for("webhooks.view_delivery")
@require_GET
def show_delivery(request: AgentRequest, pk: int) -> HttpResponse:
    """Each attempt with what was sent and what came back; what it says, for whoever may see events."""
    delivery = _delivery(pk)
    body = b""
    if request.user.has_perm("webhooks.view_event"):
        body = bytes(type(delivery.event).objects.only("body").get(pk=delivery.event_id).body)  # fmt: skip
    context = {
        **_attempts(delivery),
        "body": json.dumps(json.loads(body), ensure_ascii=False, indent=2)
        if body
        else "",
    }
    return render(request, "webhooks/deliveries/detail.html", context)


@page_for("webhooks.view_delivery")
@require_GET
def show_attempts(request: AgentRequest, pk: int) -> HttpResponse:
    """A fragment that asks again until it was tried."""
    context = _attempts(_delivery(pk))
    return render(request, "webhooks/deliveries/_attempts.html", context)


def _attempts(delivery: Delivery) -> dict[str, Any]:
    log: QuerySet[DeliveryAttempt] = delivery.attempt_log.order_by("-pk")
    is_untried = delivery.state == Delivery.State.PENDING and not delivery.attempts
    is_served = delivery.endpoint.status == Endpoint.Status.ACTIVE
    return {
        "delivery": delivery,
        "attempts": log[:PAGE_ROWS],
        "is_under_way": is_untried and is_served,
    }


@page_for("webhooks.view_delivery", "webhooks.change_delivery")
@require_POST
def resend_one(request: AgentRequest, pk: int) -> HttpResponse:
    delivery = _delivery(pk)
    endpoints.resend(Delivery.objects.filter(pk=delivery.pk))
    messages.success(request, _("It is sent again, with the same id and bytes."))
    return redirect("webhooks:delivery", pk)
