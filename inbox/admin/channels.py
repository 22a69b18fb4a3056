"""Connected accounts, and the tags of conversations."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from inbox.channels import adapters
from inbox.models import Channel, Tag


def kinds() -> list[tuple[str, Any]]:
    return [(adapter.kind, adapter.label) for adapter in adapters()]


class ChannelForm(forms.ModelForm[Channel]):
    kind = forms.ChoiceField(label=_("Kind"), choices=kinds)

    class Meta:
        model = Channel
        fields = [
            "kind",
            "external_id",
            "name",
            "username",
            "status",
            "features",
            "reopening",
        ]


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin[Channel]):
    form = ChannelForm
    list_display = [
        "name",
        "kind_label",
        "status",
        "last_event_at",
        "blocked_until",
        "in_inbox",
        "health",
    ]
    list_filter = ["kind", "status", "is_sandbox"]
    search_fields = ["name", "username", "=external_id"]
    fieldsets = (
        (None, {"fields": ["kind", "external_id", "name", "username"]}),
        (
            _("Health"),
            {"fields": ["status", "status_reason", "last_event_at", "blocked_until"]},
        ),
        (
            _("Behaviour"),
            {
                "fields": [
                    "reopening",
                    "stores_media",
                    "shows_seen",
                    "shows_typing",
                    "features",
                    "is_sandbox",
                ]
            },
        ),
    )
    readonly_fields = ["status_reason", "last_event_at", "blocked_until", "is_sandbox"]

    @admin.display(description=_("kind"), ordering="kind")
    def kind_label(self, channel: Channel) -> str:
        return str(channel.adapter.label)

    @admin.display(description=_("health"))
    def health(self, channel: Channel) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', channel.adapter.health_url(channel), _("Look")
        )

    @admin.display(description=_("inbox"))
    def in_inbox(self, channel: Channel) -> SafeString:
        url = reverse("inbox:list", args=[f"channel-{channel.pk}"])
        return format_html('<a href="{}">{}</a>', url, pgettext("a link", "Open"))

    def get_readonly_fields(
        self, request: HttpRequest, obj: Channel | None = None
    ) -> list[str]:
        """Which account it is never changes: its history hangs on it."""
        fixed = ["kind_label", "external_id"] if obj else []
        return [*fixed, *self.readonly_fields]

    def get_fieldsets(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        if obj is None:
            return self.fieldsets
        (title, options), *others = self.fieldsets
        names = ["kind_label", *options["fields"][1:]]
        return ((title, {"fields": names}), *others)

    def has_delete_permission(
        self, request: HttpRequest, obj: Channel | None = None
    ) -> bool:
        return False


@admin.register(Tag)
class TagAdmin(admin.ModelAdmin[Tag]):
    list_display = ["name", "dot", "in_inbox"]
    search_fields = ["name"]

    @admin.display(description=_("colour"), ordering="colour")
    def dot(self, tag: Tag) -> SafeString:
        return format_html('<span class="dx-dot dx-c-{}"></span>', tag.colour)

    @admin.display(description=_("inbox"))
    def in_inbox(self, tag: Tag) -> SafeString:
        url = reverse("inbox:list", args=[f"tag-{tag.pk}"])
        return format_html('<a href="{}">{}</a>', url, pgettext("a link", "Open"))
