"""The agents' own canned replies: list, write, change, delete; those of others to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages as notices
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inbox.canned import (
    ME,
    NOBODY,
    SNOOZES,
    Actions,
    as_json,
    canned_replies,
    read_actions,
    steps_of,
)
from inbox.errors import ContentInvalid
from inbox.models import Agent, CannedReply, Priority, Tag, Team
from inbox.pages.http import AgentRequest, agent_page
from inbox.pages.writing import may_write

MAX_SHOWN = 500
_NOTHING = ("", gettext_lazy("Leave as it is"))
_CLOSE = "close"


class CannedForm(forms.ModelForm[CannedReply]):
    """The actions as a person chooses them; what they become is checked where all are."""

    is_shared = forms.BooleanField(label=gettext_lazy("For everybody"), required=False)
    then = forms.ChoiceField(label=gettext_lazy("Afterwards"), required=False)
    assign = forms.ChoiceField(
        label=gettext_lazy("Assign"),
        required=False,
        choices=[
            _NOTHING,
            (ME, gettext_lazy("To whoever sends it")),
            (NOBODY, gettext_lazy("Back to everybody")),
        ],
    )
    to_team = forms.ModelChoiceField(
        label=gettext_lazy("Give to the team"),
        required=False,
        queryset=Team.objects.none(),
        empty_label=gettext_lazy("Leave as it is"),
    )
    add_tags = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Add tags"),
        required=False,
        queryset=Tag.objects.none(),
        widget=forms.CheckboxSelectMultiple,
    )
    priority = forms.TypedChoiceField(
        label=gettext_lazy("Priority"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[_NOTHING, *Priority.choices],
    )

    class Meta:
        model = CannedReply
        fields = ["shortcut", "title", "content"]
        widgets = {"content": forms.Textarea(attrs={"rows": 6, "dir": "auto"})}

    def __init__(self, *args: Any, agent: Agent, **options: Any) -> None:
        super().__init__(*args, **options)
        self.agent = agent
        own = self.instance.actions.get("snooze", "")
        words = {**SNOOZES, **({own: own} if own and own not in SNOOZES else {})}
        snoozes = [
            (said, _("Snooze: %(moment)s") % {"moment": label})
            for said, label in words.items()
        ]
        self._choices("then").choices = [
            _NOTHING,
            (_CLOSE, _("Mark as done")),
            *snoozes,
        ]
        self._models("to_team").queryset = Team.objects.all()
        self._models("add_tags").queryset = Tag.objects.order_by("name")
        if not may_share(agent):
            del self.fields["is_shared"]
        for name, field in self.fields.items():
            if name not in {"is_shared", "add_tags"}:
                field.widget.attrs["class"] = "dx-field"
        if not self.is_bound:
            self.initial = {**self.initial, **self._told()}

    def _choices(self, name: str) -> forms.ChoiceField:
        return self.fields[name]  # type: ignore[return-value]  # declared above

    def _models(self, name: str) -> forms.ModelChoiceField[Any]:
        return self.fields[name]  # type: ignore[return-value]  # declared above

    def _told(self) -> dict[str, Any]:
        """What is kept, as choices; a tag or a team that is gone is left out."""
        told = self.instance.actions
        return {
            "is_shared": bool(self.instance.pk) and self.instance.owner_id is None,
            "then": _CLOSE if told.get("close") else told.get("snooze", ""),
            "assign": told.get("assign", ""),
            "to_team": told.get("team"),
            "add_tags": told.get("tags", []),
            "priority": told.get("priority", ""),
        }

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        then, tags = values.get("then", ""), values.get("add_tags") or ()
        told = Actions(
            close=then == _CLOSE,
            snooze="" if then == _CLOSE else then,
            assign=values.get("assign", ""),
            team=values.get("to_team"),
            tags=tuple(tags),
            priority=values.get("priority"),
        )
        try:
            self.instance.actions = as_json(read_actions(as_json(told)))
        except ContentInvalid as refusal:
            self.add_error(None, str(refusal.detail))
        if not values.get("content", "").strip() and not told:
            self.add_error("content", _("Write a text, or choose what is to be done."))
        self.instance.owner = None if values.get("is_shared") else self.agent
        if self._is_taken(values.get("shortcut", "")):
            self.add_error("shortcut", _("There is one with this shortcut already."))
        return values

    def _is_taken(self, shortcut: str) -> bool:
        others = CannedReply.objects.exclude(pk=self.instance.pk)
        return others.filter(
            shortcut=shortcut, owner=self.instance.owner, team=self.instance.team
        ).exists()


@dataclass(frozen=True, slots=True)
class Row:
    canned: CannedReply
    steps: list[str]
    is_editable: bool


def may_share(agent: Agent) -> bool:
    return agent.has_perm("inbox.change_cannedreply")


def may_edit(agent: Agent, canned: CannedReply) -> bool:
    return canned.owner_id == agent.pk or (canned.owner_id is None and may_share(agent))


@agent_page
@require_GET
@may_write
def show_list(request: AgentRequest) -> HttpResponse:
    found = canned_replies(request.user).select_related("team")
    rows = [
        Row(canned, _steps(canned), may_edit(request.user, canned))
        for canned in found.order_by("shortcut", "pk")[:MAX_SHOWN]
    ]
    mine = [row for row in rows if row.canned.owner_id]
    shared = [row for row in rows if not row.canned.owner_id]
    return render(request, "inbox/canned/list.html", {"mine": mine, "shared": shared})


def _steps(canned: CannedReply) -> list[str]:
    try:
        return [step.label for step in steps_of(read_actions(canned.actions))]
    except ContentInvalid:
        return [_("What it did is not there any more")]


@agent_page
@require_http_methods(["GET", "POST"])
@may_write
def write_new(request: AgentRequest) -> HttpResponse:
    return _edit(request, CannedReply(owner=request.user))


@agent_page
@require_http_methods(["GET", "POST"])
@may_write
def edit(request: AgentRequest, pk: int) -> HttpResponse:
    return _edit(request, _editable_or_404(request, pk))


def _edit(request: AgentRequest, canned: CannedReply) -> HttpResponse:
    form = CannedForm(request.POST or None, instance=canned, agent=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        notices.success(
            request,
            _("Kept. Type /%(shortcut)s to use it.") % {"shortcut": canned.shortcut},
        )
        return redirect("inbox:canned")
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "canned": canned if canned.pk else None}
    return render(request, "inbox/canned/edit.html", context, status=status)


@agent_page
@require_POST
@may_write
def delete(request: AgentRequest, pk: int) -> HttpResponse:
    canned = _editable_or_404(request, pk)
    canned.delete()
    notices.success(
        request, _("Deleted: /%(shortcut)s") % {"shortcut": canned.shortcut}
    )
    return redirect("inbox:canned")


def _editable_or_404(request: AgentRequest, pk: int) -> CannedReply:
    """What somebody else wrote is not there to be changed."""
    found = get_object_or_404(canned_replies(request.user), pk=pk)
    if not may_edit(request.user, found):
        raise Http404
    return found
