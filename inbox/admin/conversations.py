"""Conversations: found here, looked at here, worked on in the inbox."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from inbox.admin.kept import Kept
from inbox.models import Conversation, Source, Tag
from inbox.pages import thread
from inbox.pages.clock import row_time
from inbox.pages.rows import snippet_of, window_chip


@admin.register(Conversation)
class ConversationAdmin(Kept, admin.ModelAdmin[Conversation]):
    list_display = [
        "person",
        "said_last",
        "channel",
        "status",
        "assignee",
        "reply_window",
        "last_activity",
        "in_inbox",
    ]
    list_select_related = [
        "channel",
        "identity__channel",
        "identity__contact",
        "assignee",
        "team",
    ]
    list_filter = [
        "status",
        "channel",
        ("assignee", admin.RelatedOnlyFieldListFilter),
        "team",
        ("waiting_since", admin.EmptyFieldListFilter),
    ]
    search_fields = [
        "=id",
        "identity__name",
        "identity__username",
        "identity__contact__name",
    ]
    search_help_text = _("Name, handle or number")
    date_hierarchy = "last_message_at"
    ordering = ["-last_message_at", "-id"]
    show_full_result_count = False
    list_per_page = 50
    fieldsets = (
        (
            None,
            {
                "fields": [
                    "in_inbox",
                    "identity",
                    "contact",
                    "channel",
                    "status",
                    "snoozed_until",
                ]
            },
        ),
        (
            _("Work"),
            {"fields": ["assignee", "team", "tag_names", "unread", "waiting_since"]},
        ),
        (
            _("Reply window"),
            {
                "fields": [
                    "reply_window",
                    "last_inbound_at",
                    "window_expires_at",
                    "referral",
                ]
            },
        ),
        (_("History"), {"fields": ["created_at", "last_message_at", "closed_at"]}),
    )
    readonly_fields = ["in_inbox", "contact", "tag_names", "reply_window"]
    view_on_site = False
    change_form_template = "admin/inbox/conversation/change_form.html"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The thread stands above the fields, drawn by the inbox's own fragments."""
        conversation = self.get_object(request, object_id)
        shown = thread.newest(conversation) if conversation else None
        context = {"thread": shown, "is_read_only": True, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("person"), ordering="identity__name")
    def person(self, conversation: Conversation) -> str:
        return conversation.identity.display_name

    @admin.display(description=_("last message"))
    def said_last(self, conversation: Conversation) -> str:
        return snippet_of(conversation).text[:80]

    @admin.display(description=_("last activity"), ordering="last_message_at")
    def last_activity(self, conversation: Conversation) -> str:
        return row_time(conversation.last_message_at, at=now())

    @admin.display(description=_("reply window"))
    def reply_window(self, conversation: Conversation) -> str:
        at = now()
        return window_chip(
            conversation.reply_window_at(at, source=Source.AGENT), at=at
        ).words

    @admin.display(description=_("contact"))
    def contact(self, conversation: Conversation) -> SafeString:
        contact = conversation.identity.contact
        url = reverse("admin:inbox_contact_change", args=[contact.pk])
        return format_html('<a href="{}">{}</a>', url, contact)

    @admin.display(description=_("tags"))
    def tag_names(self, conversation: Conversation) -> str:
        return (
            ", ".join(tag.name for tag in Tag.objects.filter(pk__in=conversation.tags))
            or "-"
        )

    @admin.display(description=_("inbox"))
    def in_inbox(self, conversation: Conversation) -> SafeString:
        url = conversation.get_absolute_url()
        return format_html('<a href="{}">{}</a>', url, pgettext("a link", "Open"))
