"""Keys of the REST API: made here, shown once, revoked here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox.audit import note_act
from inbox.models import Agent, ApiKey, Scope
from inbox.models.api_keys import usual_scopes


class ApiKeyForm(forms.ModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        label=_("scopes"),
        choices=Scope.choices,
        initial=usual_scopes,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What the key may do. Tick what its program needs, and no more."),
    )


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    list_display = [
        "name",
        "prefix",
        "created_by",
        "created_at",
        "expires_at",
        "last_used_at",
        "is_usable",
    ]
    list_select_related = ["created_by"]
    search_fields = ["name", "prefix"]
    form = ApiKeyForm
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        shown = ["prefix", "created_by", "created_at", "last_used_at", "revoked_at"]
        return ["name", "expires_at", "scopes", *(shown if obj else [])]

    def get_readonly_fields(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> list[str]:
        return (
            ["prefix", "created_by", "created_at", "last_used_at", "revoked_at"]
            if obj
            else []
        )

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiKey,
        form: forms.ModelForm[ApiKey],
        change: bool,
    ) -> None:
        """A new key is issued, not saved: only here is it known in the clear."""
        by: Agent = request.user  # type: ignore[assignment]  # signed in
        if change:
            super().save_model(request, obj, form, change)
            note_act(by, "api_key_changed", obj, fields=form.changed_data)
            return
        issued, key = ApiKey.issue(
            obj.name, created_by=by, scopes=obj.scopes, expires_at=obj.expires_at
        )
        note_act(by, "api_key_made", issued, prefix=issued.prefix, scopes=obj.scopes)
        obj.pk, obj.prefix = issued.pk, issued.prefix
        obj._state.adding = False
        request.issued_key = key  # type: ignore[attr-defined]  # read by response_add, this request only

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The answer itself shows the key: it goes through no cookie, session or redirect."""
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("The key of %(name)s") % {"name": obj.name},
            "opts": self.opts,
            "key": request.issued_key,  # type: ignore[attr-defined]  # set by save_model
        }
        return TemplateResponse(request, "admin/inbox/apikey/issued.html", context)

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        note_act(request.user, "api_key_deleted", obj, prefix=obj.prefix)  # type: ignore[arg-type]  # signed in
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            note_act(request.user, "api_key_deleted", key, prefix=key.prefix)  # type: ignore[arg-type]  # signed in
        super().delete_queryset(request, queryset)

    @admin.display(description=_("usable"), boolean=True)
    def is_usable(self, key: ApiKey) -> bool:
        expired = key.expires_at is not None and key.expires_at <= now()
        return key.revoked_at is None and not expired

    @admin.action(description=_("Revoke the chosen keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        by: Agent = request.user  # type: ignore[assignment]  # signed in
        with transaction.atomic():
            for key in queryset.select_for_update(of=("self",)).filter(revoked_at=None):
                key.revoked_at = now()
                key.save(update_fields=["revoked_at"])
                note_act(by, "api_key_revoked", key, prefix=key.prefix)
