"""Every message, to be found and read."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.postgres.search import SearchQuery
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from inbox.admin.kept import Kept
from inbox.models import Attachment, Message, Reaction
from inbox.search import prefix_query


class AttachmentInline(Kept, admin.TabularInline[Attachment, Message]):
    model = Attachment
    fields = readonly_fields = (
        "kind",
        "title",
        "remote_url",
        "remote_url_expires_at",
        "state",
        "size",
    )
    extra = 0


class ReactionInline(Kept, admin.TabularInline[Reaction, Message]):
    model = Reaction
    fields = readonly_fields = ("emoji", "actor", "reacted_at")
    extra = 0


@admin.register(Message)
class MessageAdmin(Kept, admin.ModelAdmin[Message]):
    list_display = [
        "public_id",
        "text",
        "direction",
        "source",
        "type",
        "status",
        "sent_at",
        "in_conversation",
    ]
    list_select_related = ["conversation"]
    list_filter = ["direction", "source", "type", "status", "channel"]
    # Anything here makes the admin show the field; get_search_results does the work.
    search_fields = ["id"]
    search_help_text = _("Words of the text, or the channel's id of the message")
    date_hierarchy = "sent_at"
    ordering = ["-sent_at", "-id"]
    show_full_result_count = False
    list_per_page = 50
    inlines = [AttachmentInline, ReactionInline]
    exclude = ["search_text", "client_key", "group"]
    readonly_fields = ["public_id", "in_conversation"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        """Words by the index; a single odd word may as well be the channel's id."""
        if not search_term:
            return queryset, False
        by_id = queryset.filter(external_id=search_term.strip())
        words = prefix_query(search_term)
        if not words or by_id.exists():
            return by_id, False
        query = SearchQuery(words, config="simple", search_type="raw")
        return queryset.filter(search_vector=query), False

    @admin.display(description=_("message"), ordering="id")
    def public_id(self, message: Message) -> str:
        return message.public_id

    @admin.display(description=_("content"))
    def text(self, message: Message) -> str:
        return Truncator(message.content).chars(80) or "-"

    @admin.display(description=_("conversation"))
    def in_conversation(self, message: Message) -> SafeString | str:
        if message.conversation_id is None:
            return "-"
        url = reverse("inbox:conversation", args=["all", message.conversation_id])
        return format_html(
            '<a href="{}#m-{}">{}</a>', url, message.pk, pgettext("a link", "Open")
        )
