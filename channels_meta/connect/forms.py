"""What admins type and tick on the connect pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from channels_meta.models import Credential

# Longer than any token that Meta gives.
MAX_TOKEN_CHARACTERS = 2000


class TokenForm(forms.Form):
    """A token by hand. It goes in and never comes out."""

    flavour = forms.ChoiceField(
        label=_("The token is of"),
        choices=[
            (Credential.Flavour.FACEBOOK_LOGIN, _("a Facebook Page, or a person who manages one")),
            (Credential.Flavour.INSTAGRAM_LOGIN, _("an Instagram account (Instagram Login)")),
        ],
        widget=forms.RadioSelect,
        initial=Credential.Flavour.FACEBOOK_LOGIN,
    )  # fmt: skip
    token = forms.CharField(
        label=_("Access token"),
        max_length=MAX_TOKEN_CHARACTERS,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "dx-field"}),
    )


class ChoiceForm(forms.Form):
    """Accounts of a login. moves: those whose move was confirmed on the page before."""

    account = forms.MultipleChoiceField()
    move = forms.MultipleChoiceField(required=False)
    human_agent = forms.BooleanField(required=False)

    def __init__(self, data: Any, *, keys: list[str]) -> None:
        super().__init__(data)
        choices = [(key, key) for key in keys]
        for name in ("account", "move"):
            field = self.fields[name]
            assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - declared above
            field.choices = choices
        self.fields["account"].error_messages["required"] = _(
            "Choose at least one account."
        )
