"""Tokens and the journal in the admin, and the sandbox's own memory beside them."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from channels_meta.models import (
    Credential,
    Incident,
    RawEvent,
    SandboxAccount,
    SandboxCall,
    SandboxFault,
    SandboxMessage,
    SandboxPerson,
)
from channels_meta.processing import replay

# How much of a body a page shows: the rest helps nobody and holds up the browser.
MAX_SHOWN_CHARACTERS = 100_000
MAX_OUTCOME_CHARACTERS = 80


class OnlySuperusersDelete:
    """What is gone here is gone for good: a token, or what Meta once sent."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)


class ReadOnly:
    """Rows that nobody makes or changes by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CredentialForm(forms.ModelForm[Credential]):
    """The token goes in and never comes out: it is no field of the model's form."""

    token = forms.CharField(
        label=_("Access token"),
        required=False,
        strip=True,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "off", "class": "vTextField"}
        ),
        help_text=_("Is never shown. Leave empty to keep the present one."),
    )

    class Meta:
        model = Credential
        fields = [
            "channel",
            "flavour",
            "node_id",
            "scopes",
            "graph_base_url",
            "token_expires_at",
        ]

    def clean_token(self) -> str:
        token: str = self.cleaned_data["token"]
        if not token and self.instance.pk is None:
            raise forms.ValidationError(_("A new credential needs its token."))
        return token


@admin.register(Credential)
class CredentialAdmin(OnlySuperusersDelete, admin.ModelAdmin[Credential]):
    form = CredentialForm
    list_display = [
        "channel",
        "flavour",
        "node_id",
        "token_expires_at",
        "updated_at",
        "in_sandbox",
    ]
    list_select_related = ["channel"]
    list_filter = ["flavour", "channel__status"]
    search_fields = ["channel__name", "channel__username", "=node_id"]
    autocomplete_fields = ["channel"]
    readonly_fields = [
        "updated_at",
        "user_id",
        "tasks",
        "subscribed_fields",
        "subscription_checked_at",
        "token_issued_at",
        "token_checked_at",
        "data_access_expires_at",
    ]
    fieldsets = (
        (None, {"fields": ["channel", "flavour", "node_id", "user_id", "tasks"]}),
        (
            _("Token"),
            {
                "fields": [
                    "token",
                    "token_expires_at",
                    "scopes",
                    "token_issued_at",
                    "token_checked_at",
                    "data_access_expires_at",
                ]
            },
        ),
        (
            _("Subscription"),
            {"fields": ["subscribed_fields", "subscription_checked_at"]},
        ),
        (_("Graph API"), {"fields": ["graph_base_url", "updated_at"]}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Credential]:
        """Without the token: no page needs it, and one that cannot be decrypted can be replaced."""
        return super().get_queryset(request).defer("access_token")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Credential | None = None
    ) -> list[str]:
        """Whose token it is never changes."""
        return ["channel", *self.readonly_fields] if obj else self.readonly_fields

    def get_fieldsets(self, request: HttpRequest, obj: Credential | None = None) -> Any:
        """Who may only look sees no field for a token."""
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        account, (title, options), *others = self.fieldsets
        shown = [name for name in options["fields"] if name != "token"]
        return (account, (title, {"fields": shown}), *others)

    def save_model(
        self,
        request: HttpRequest,
        obj: Credential,
        form: forms.ModelForm[Credential],
        change: bool,
    ) -> None:
        if token := form.cleaned_data["token"]:
            obj.access_token = token
        super().save_model(request, obj, form, change)

    @admin.display(description=_("sandbox"), boolean=True)
    def in_sandbox(self, credential: Credential) -> bool:
        return credential.channel.is_sandbox


@admin.register(Incident)
class IncidentAdmin(OnlySuperusersDelete, ReadOnly, admin.ModelAdmin[Incident]):
    """What admins were told of an account; it ends by itself."""

    list_display = ["channel", "kind", "reason", "opened_at", "closed_at", "mailed_at"]
    list_select_related = ["channel"]
    list_filter = ["kind", "channel"]
    show_full_result_count = False


# --- the journal -----------------------------------------------------------------------------------


class ObjectFilter(admin.SimpleListFilter):
    """By what the body was about; the choices are known, so the journal need not be read for them."""

    title = _("object")
    parameter_name = "object"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("instagram", _("Instagram")),
            ("messenger", _("Messenger")),
            ("none", _("Neither, or not read yet")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[RawEvent]
    ) -> QuerySet[RawEvent]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(object="" if value == "none" else value)


@admin.register(RawEvent)
class RawEventAdmin(OnlySuperusersDelete, ReadOnly, admin.ModelAdmin[RawEvent]):
    list_display = ["id", "received_at", "object", "state", "became", "attempts"]
    list_filter = ["state", ObjectFilter, "received_at"]
    # Anything here makes the admin show the field; get_search_results does the work.
    search_fields = ["id"]
    search_help_text = _("The number of a raw event")
    ordering = ["-id"]
    show_full_result_count = False
    list_per_page = 50
    fields = [
        "id",
        "received_at",
        "object",
        "state",
        "attempts",
        "processed_at",
        "all_outcomes",
        "error",
        "see_body",
    ]
    actions = ["replay"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RawEvent]:
        """Bodies are up to 10 MB each: read one at a time, by the page that shows it."""
        return super().get_queryset(request).defer("body", "sha256")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RawEvent], search_term: str
    ) -> tuple[QuerySet[RawEvent], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        is_number = term.isascii() and term.isdigit() and len(term) <= 18
        return queryset.filter(pk=int(term)) if is_number else queryset.none(), False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("channels_meta.change_rawevent")

    @admin.action(description=_("Process again (replay)"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[RawEvent]) -> None:
        count = replay(RawEvent.objects.filter(pk__in=queryset.order_by().values("pk")))
        sentence = ngettext(
            "%(count)d raw event is processed again.",
            "%(count)d raw events are processed again.",
            count,
        )
        self.message_user(request, sentence % {"count": count})

    @admin.display(description=_("became"))
    def became(self, raw_event: RawEvent) -> str:
        outcomes = ", ".join(str(outcome) for outcome in raw_event.outcomes)
        return Truncator(outcomes).chars(MAX_OUTCOME_CHARACTERS) or "-"

    @admin.display(description=_("outcomes"))
    def all_outcomes(self, raw_event: RawEvent) -> str:
        return ", ".join(str(outcome) for outcome in raw_event.outcomes) or "-"

    @admin.display(description=_("body"))
    def see_body(self, raw_event: RawEvent) -> SafeString:
        return _preformatted(readable(bytes(raw_event.body)))


def readable(body: bytes) -> str:
    """Indented where it is JSON; else as it came, with what is no text escaped."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "backslashreplace")
    return "".join(map(_visible, text[:MAX_SHOWN_CHARACTERS])) + (
        "\n…" if len(text) > MAX_SHOWN_CHARACTERS else ""
    )


def _visible(character: str) -> str:
    """Line breaks and tabs stay; control characters and halves of surrogate pairs are spelled out."""
    is_plain = character in "\n\t" or not (
        character < " "
        or "\x7f" <= character <= "\x9f"
        or "\ud800" <= character <= "\udfff"
    )
    return character if is_plain else character.encode("unicode_escape").decode()


def _preformatted(text: str) -> SafeString:
    return format_html('<pre dir="ltr">{}</pre>', text)


# --- the sandbox -----------------------------------------------------------------------------------


class Pretended(ReadOnly):
    """The sandbox's memory: looked at here, played on the phone page."""

    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SandboxAccount)
class SandboxAccountAdmin(Pretended, admin.ModelAdmin[SandboxAccount]):
    list_display = ["name", "kind", "external_id", "page", "dropped_at"]
    list_select_related = ["page"]
    list_filter = ["kind"]


@admin.register(SandboxPerson)
class SandboxPersonAdmin(Pretended, admin.ModelAdmin[SandboxPerson]):
    list_display = ["name", "username", "account", "external_id", "note"]
    list_select_related = ["account"]
    list_filter = ["account"]
    search_fields = ["name", "username", "=external_id"]


@admin.register(SandboxMessage)
class SandboxMessageAdmin(Pretended, admin.ModelAdmin[SandboxMessage]):
    list_display = ["__str__", "person", "direction", "kind", "sent_at", "seen_at"]
    list_select_related = ["person"]
    list_filter = ["direction", "kind"]
    search_fields = ["text", "person__name", "=mid"]
    ordering = ["-sent_at", "-id"]


@admin.register(SandboxFault)
class SandboxFaultAdmin(Pretended, admin.ModelAdmin[SandboxFault]):
    list_display = ["kind", "account", "probability", "remaining", "created_at"]
    list_select_related = ["account"]


@admin.register(SandboxCall)
class SandboxCallAdmin(Pretended, admin.ModelAdmin[SandboxCall]):
    list_display = ["at", "kind", "short_summary", "status", "account", "see_person"]
    list_select_related = ["account", "person"]
    list_filter = ["kind", "account"]
    fields = ["account", "see_person", "at", "kind", "summary", "status", "see_payload"]

    @admin.display(description=_("summary"))
    def short_summary(self, call: SandboxCall) -> str:
        return Truncator(call.summary).chars(MAX_OUTCOME_CHARACTERS)

    @admin.display(description=_("person"))
    def see_person(self, call: SandboxCall) -> SafeString | str:
        return _link(call.person) if call.person else "-"

    @admin.display(description=_("payload"))
    def see_payload(self, call: SandboxCall) -> SafeString:
        return _preformatted(readable(json.dumps(call.payload).encode()))


def _link(row: Model) -> SafeString:
    meta = row._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row)
