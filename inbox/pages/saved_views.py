"""Views that agents save for themselves or for everybody: the list as it stands, under a name."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from inbox.models import SavedView
from inbox.pages.conversations import listing_of
from inbox.pages.filters import MAX_SAVED
from inbox.pages.http import AgentRequest, agent_page, is_fragment, render_fragments
from inbox.pages.queues import forget_counts, saved_url


class SavedViewForm(forms.ModelForm[SavedView]):
    class Meta:
        model = SavedView
        fields = ["name", "is_shared"]

    def clean(self) -> None:
        super().clean()
        mine = SavedView.objects.filter(owner_id=self.instance.owner_id)
        others = mine.exclude(pk=self.instance.pk)
        if others.filter(name=self.cleaned_data.get("name", "")).exists():
            self.add_error("name", _("You have a view of this name already."))
        if self.instance.pk is None and mine.count() >= MAX_SAVED:
            self.add_error(
                None, _("You have as many views as there is room for. Delete one.")
            )


@agent_page
@require_POST
def create(request: AgentRequest) -> HttpResponse:
    """Save the list that the form's address names."""
    listing = listing_of(request)
    view = SavedView(
        owner=request.user, parameters={"view": listing.slug, **listing.chosen}
    )
    return _save(request, view, _("The view is saved."))


@agent_page
@require_POST
def change(request: AgentRequest, pk: int) -> HttpResponse:
    """Another name; for oneself or for everybody."""
    return _save(request, _own(request, pk), _("The view is changed."))


@agent_page
@require_POST
def delete(request: AgentRequest, pk: int) -> HttpResponse:
    view = _own(request, pk)
    url = saved_url(view.parameters)
    view.delete()
    return _go(request, url, _("The view is deleted. Its conversations are not."))


def _own(request: AgentRequest, pk: int) -> SavedView:
    return get_object_or_404(SavedView, pk=pk, owner=request.user)


def _save(request: AgentRequest, view: SavedView, words: str) -> HttpResponse:
    form = SavedViewForm(request.POST, instance=view)
    if form.is_valid():
        form.save()
        return _go(request, saved_url(view.parameters), words)
    text = " ".join(str(error) for errors in form.errors.values() for error in errors)
    if not is_fragment(request):
        messages.error(request, text)
        return redirect(listing_of(request).url)
    toast = {"text": text, "tone": "bad"}
    response = render_fragments(
        request, ["inbox/_toast_oob.html"], {"toast": toast}, status=422
    )
    response["HX-Reswap"] = "none"
    return response


def _go(request: AgentRequest, url: str, words: str) -> HttpResponse:
    """The list again, with the views beside it as they are now."""
    messages.success(request, words)
    forget_counts(request.user)
    if not is_fragment(request):
        return redirect(url)
    return HttpResponse(headers={"HX-Redirect": url})
