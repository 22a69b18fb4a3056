"""An agent's own page: name, language, time zone, keys, sending, notifications."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages as notices
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from inbox.models import Agent, Channel, NotificationKind, Preferences
from inbox.pages.http import AgentRequest, agent_page
from inbox.pages.language import read_zone
from inbox.preferences import preferences_of

# What a browser that lives elsewhere calls the same; nobody looks for these.
_NO_PLACES = frozenset({"Etc", "SystemV", "US", "posix", "right"})


@cache
def time_zones() -> tuple[str, ...]:
    """Places by their names, and UTC."""
    places = (name for name in available_timezones() if "/" in name)
    return ("UTC", *(one for one in places if one.split("/")[0] not in _NO_PLACES))


class PersonForm(forms.ModelForm[Agent]):
    """Who the agent is, to colleagues and to the pages."""

    class Meta:
        model = Agent
        fields = ["first_name", "last_name", "language"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Each language by its own name: whoever is lost in one finds the way out.
        names = [("en", "English"), ("fr", "Français"), ("ar", "العربية")]
        self.fields["language"] = forms.ChoiceField(
            label=gettext_lazy("Language"),
            required=False,
            choices=[("", gettext_lazy("As the browser")), *names],
        )
        self.fields["first_name"].widget.attrs |= {"autocomplete": "given-name"}
        self.fields["last_name"].widget.attrs |= {"autocomplete": "family-name"}
        _dress(self)


class WorkForm(forms.ModelForm[Preferences]):
    """How they want to work. zone: the browser's, to be named where none is chosen."""

    notifies_of = forms.MultipleChoiceField(
        label=gettext_lazy("Notify me of"),
        required=False,
        choices=NotificationKind.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    muted_channels = forms.TypedMultipleChoiceField(
        label=gettext_lazy("But never from"),
        required=False,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)

    class Meta:
        model = Preferences
        fields = [
            "time_zone",
            "has_shortcuts",
            "enter_sends",
            "undo_seconds",
            "notifies_of",
            "muted_channels",
            "shows_preview",
            "plays_sound",
        ]

    def __init__(self, *args: Any, zone: str, **options: Any) -> None:
        super().__init__(*args, **options)
        unchosen = _("As the browser (%(zone)s)") % {"zone": zone}
        chosen = self.instance.time_zone
        known = {*time_zones(), *([chosen] if chosen else [])}
        zones = [(name, name.replace("_", " ")) for name in sorted(known)]
        self.fields["time_zone"].choices = [("", unchosen), *zones]  # type: ignore[attr-defined]
        channels = Channel.objects.order_by("name", "pk")
        self.fields["muted_channels"].choices = [  # type: ignore[attr-defined]
            (channel.pk, f"{channel.name} · {channel.adapter.label}")
            for channel in channels
        ]
        _dress(self)


def _dress(form: forms.BaseForm) -> None:
    for field in form.fields.values():
        if not isinstance(
            field.widget, forms.CheckboxInput | forms.CheckboxSelectMultiple
        ):
            field.widget.attrs["class"] = "dx-field"


@agent_page
@require_http_methods(["GET", "POST"])
def show_account(request: AgentRequest) -> HttpResponse:
    """One's own account alone: whoever asks is the one it is about."""
    # A copy, so that what is refused does not stand on the rail around the form.
    agent = Agent.objects.get(pk=request.user.pk)
    zone = read_zone(request)
    person = PersonForm(request.POST or None, instance=agent)
    work = WorkForm(
        request.POST or None,
        instance=preferences_of(agent),
        zone=zone.key if zone else "UTC",
    )
    if request.method == "POST" and person.is_valid() and work.is_valid():
        _save(person, work)
        with translation.override(agent.language or translation.get_language()):
            notices.success(request, _("Saved."))
        return redirect("inbox:account")
    context: Mapping[str, Any] = {"person": person, "work": work}
    status = 422 if request.method == "POST" else 200
    return render(request, "inbox/account.html", context, status=status)


@transaction.atomic
def _save(person: PersonForm, work: WorkForm) -> None:
    """The rows of both tell the agent's open pages (inbox/rights.py)."""
    person.instance.save(update_fields=["first_name", "last_name", "language"])
    work.save()
