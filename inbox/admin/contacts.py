"""People, and who they are on each channel."""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from inbox.admin.kept import Kept
from inbox.models import ChannelIdentity, Contact


class IdentityInline(Kept, admin.TabularInline[ChannelIdentity, Contact]):
    model = ChannelIdentity
    fields = readonly_fields = (
        "channel",
        "username",
        "name",
        "external_id",
        "last_inbound_at",
        "window_expires_at",
    )
    extra = 0
    show_change_link = True
    verbose_name_plural = _("identities")


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin[Contact]):
    list_display = [
        "__str__",
        "email",
        "is_email_verified",
        "phone",
        "chats",
        "created_at",
    ]
    list_filter = [
        ("email_verified_at", admin.EmptyFieldListFilter),
        ("site_user_id", admin.EmptyFieldListFilter),
    ]
    search_fields = [
        "name",
        "=email",
        "=phone",
        "=site_user_id",
        "identities__username",
    ]
    search_help_text = _(
        "Name or handle; or a whole email address, phone number or website id"
    )
    date_hierarchy = "created_at"
    show_full_result_count = False
    raw_id_fields = ["merged_into"]
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    readonly_fields = ["created_at", "in_inbox"]
    inlines = [IdentityInline]
    fieldsets = (
        (None, {"fields": ["name", "in_inbox"]}),
        (
            _("Reachable at"),
            {"fields": ["email", "email_verified_at", "phone", "phone_verified_at"]},
        ),
        (_("Website"), {"fields": ["site_user_id", "attributes", "avatar_url"]}),
        (_("History"), {"fields": ["merged_into", "created_at"]}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        return (
            super()
            .get_queryset(request)
            .annotate(chat_count=Count("identities__conversations"))
        )

    def has_delete_permission(
        self, request: HttpRequest, obj: Contact | None = None
    ) -> bool:
        return False

    @admin.display(description=_("verified"), boolean=True)
    def is_email_verified(self, contact: Contact) -> bool:
        return contact.email_verified_at is not None

    @admin.display(description=_("conversations"))
    def chats(self, contact: Contact) -> SafeString:
        url = reverse("admin:inbox_conversation_changelist")
        count: int = contact.chat_count  # type: ignore[attr-defined]  # annotated above
        return format_html(
            '<a href="{}?identity__contact={}">{}</a>', url, contact.pk, count
        )

    @admin.display(description=_("in the inbox"))
    def in_inbox(self, contact: Contact) -> SafeString | str:
        conversation = (
            contact.identities.exclude(conversations=None)
            .order_by("-conversations__last_message_at")
            .values_list("conversations", flat=True)
            .first()
        )
        if conversation is None:
            return "-"
        url = reverse("inbox:conversation", args=["all", conversation])
        return format_html(
            '<a href="{}">{}</a>', url, _("Open the latest conversation")
        )


@admin.register(ChannelIdentity)
class IdentityAdmin(Kept, admin.ModelAdmin[ChannelIdentity]):
    list_display = [
        "__str__",
        "channel",
        "username",
        "external_id",
        "contact",
        "last_inbound_at",
    ]
    list_display_links = ["__str__"]
    list_select_related = ["channel", "contact"]
    list_filter = ["channel"]
    search_fields = ["username", "name", "=external_id"]
    show_full_result_count = False
