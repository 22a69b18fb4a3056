"""The composer as it stands, kept while somebody types."""

from __future__ import annotations

from django import forms
from django.http import HttpResponse, HttpResponseBadRequest
from django.views.decorators.http import require_POST

from inbox.drafts import Written, save_draft
from inbox.pages.composer import MAX_KEY_CHARACTERS, MODES
from inbox.pages.conversations import find_conversation
from inbox.pages.http import AgentRequest, agent_page
from inbox.pages.writing import may_write


class DraftForm(forms.Form):
    mode = forms.ChoiceField(choices=[(mode, mode) for mode in sorted(MODES)])
    content = forms.CharField(required=False, strip=False)
    key = forms.CharField(required=False, max_length=MAX_KEY_CHARACTERS)
    version = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    about = forms.IntegerField(required=False, min_value=1)


@agent_page
@require_POST
@may_write
def save(request: AgentRequest, pk: int) -> HttpResponse:
    """204 once it is on disk: the page may forget its own copy then."""
    conversation = find_conversation(request, pk)
    form = DraftForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest()
    values = form.cleaned_data
    about = values["about"] and conversation.messages.filter(pk=values["about"]).first()
    written = Written(
        mode=values["mode"],
        content=values["content"].replace("\r\n", "\n"),
        key=values["key"],
        version=values["version"] or 0,
        about=about or None,
    )
    save_draft(agent=request.user, conversation=conversation, written=written)
    return HttpResponse(status=204)
