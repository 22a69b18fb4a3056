"""What admins choose of an endpoint, in the admin and in its pages."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from inbox.events import EventName
from inbox.models import Channel
from webhooks.models import EVENT_NAMES, Endpoint


class MomentInput(forms.DateTimeInput):
    """The browser's own calendar and clock, in the reader's time zone."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"class": "dx-field"}, format="%Y-%m-%dT%H:%M")


class EndpointForm(forms.ModelForm[Endpoint]):
    events = forms.MultipleChoiceField(
        label=_("Events"),
        # A ping goes to the one endpoint that it is for, whatever that chose.
        choices=[name for name in EVENT_NAMES if name[0] != EventName.PING],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all of them."),
    )
    channels = forms.ModelMultipleChoiceField(
        label=_("Channels"),
        queryset=Channel.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all of them."),
    )

    class Meta:
        model = Endpoint
        fields = ["url", "description", "events", "channels"]
        widgets = {
            "url": forms.URLInput(attrs={"class": "dx-field", "dir": "ltr"}),
            "description": forms.TextInput(attrs={"class": "dx-field"}),
        }


def say_resent(count: int) -> str:
    return ngettext(
        "%(count)d delivery is sent again.",
        "%(count)d deliveries are sent again.",
        count,
    ) % {"count": count}
