"""People, and who they are on each channel; forgotten and handed out here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from inbox.admin.kept import Kept
from inbox.contacts import erase_contact
from inbox.exports import download
from inbox.merging import survivor_of
from inbox.models import ChannelIdentity, Contact, Erasure, Merge

logger = logging.getLogger(__name__)

# More than this is done by API: every one of them is looked at on the page that asks.
MAX_ERASED_AT_ONCE = 50


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
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    readonly_fields = ["merged_into", "created_at", "in_inbox"]
    inlines = [IdentityInline]
    actions = ["erase"]
    change_form_template = "admin/inbox/contact/change_form.html"
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

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A contact that was merged is found on the page of the one it became."""
        contact = self.get_object(request, object_id)
        if contact is None or contact.merged_into_id is None:
            return super().change_view(request, object_id, form_url, extra_context)
        told = _("%(id)s was merged into this contact.") % {"id": contact.public_id}
        self.message_user(request, told)
        return redirect("admin:inbox_contact_change", survivor_of(contact).pk)

    # --- forget, and hand out ---

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/erase/", view(self.ask_to_erase), name="contact_erase"),
            path("<int:pk>/export/", view(self.export), name="contact_export"),
            *super().get_urls(),
        ]

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inbox.delete_contact")

    def has_export_permission(self, request: HttpRequest) -> bool:
        needed = ["inbox.view_contact", "inbox.view_conversation"]
        return request.user.has_perms(needed)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["may_erase"] = self.has_erase_permission(request)
        context["may_export"] = self.has_export_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=_("Erase for good…"), permissions=["erase"])
    def erase(
        self, request: HttpRequest, queryset: QuerySet[Contact]
    ) -> HttpResponse | None:
        """Asked once more on a page of its own, then done."""
        contacts = list(queryset.order_by("pk")[: MAX_ERASED_AT_ONCE + 1])
        if len(contacts) > MAX_ERASED_AT_ONCE:
            sentence = _("Choose at most %(count)d people at a time.")
            told = sentence % {"count": MAX_ERASED_AT_ONCE}
            self.message_user(request, told, messages.ERROR)
            return None
        if "confirmed" in request.POST:
            self._erase(request, contacts)
            return None
        return self._ask(request, contacts)

    def ask_to_erase(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The same for the one whose page this is."""
        if not self.has_erase_permission(request):
            raise PermissionDenied
        contact = self._contact(pk)
        if request.method != "POST":
            return self._ask(request, [contact])
        self._erase(request, [contact])
        return redirect("admin:inbox_contact_change", pk)

    def export(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        if not self.has_export_permission(request):
            raise PermissionDenied
        contact = self._contact(pk)
        logger.info("contact.export contact=%s by=%s", pk, request.user.pk)
        return download(contact)

    def _contact(self, pk: int) -> Contact:
        contact = Contact.objects.filter(pk=pk).first()
        if contact is None:
            raise Http404
        return contact

    def _ask(self, request: HttpRequest, contacts: Sequence[Contact]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Erase for good"),
            "opts": self.opts,
            "contacts": contacts,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "is_action": request.method == "POST",
        }
        return TemplateResponse(request, "admin/inbox/contact/erase.html", context)

    def _erase(self, request: HttpRequest, contacts: Sequence[Contact]) -> None:
        agent = request.user
        erasures = [erase_contact(contact, agent) for contact in contacts]  # type: ignore[arg-type]  # signed in
        left = sum(erasure.finished_at is None for erasure in erasures)
        done = len(erasures) - left
        if done:
            sentence = ngettext(
                "%(count)d person is erased.", "%(count)d people are erased.", done
            )
            self.message_user(request, sentence % {"count": done})
        if left:
            sentence = ngettext(
                "%(count)d person is being erased. It goes on by itself.",
                "%(count)d people are being erased. It goes on by itself.",
                left,
            )
            self.message_user(request, sentence % {"count": left})

    # --- what the lists show ---

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


@admin.register(Erasure)
class ErasureAdmin(Kept, admin.ModelAdmin[Erasure]):
    """Who was forgotten when, and who asked for it: the proof that it was done."""

    list_display = [
        "__str__",
        "requested_at",
        "requested_by_name",
        "messages",
        "finished_at",
    ]
    list_filter = [("finished_at", admin.EmptyFieldListFilter)]
    search_fields = ["=contact__id"]
    show_full_result_count = False


@admin.register(Merge)
class MergeAdmin(Kept, admin.ModelAdmin[Merge]):
    """Who was merged with whom, by whose word, and what was separated again."""

    fields = [
        "kept",
        "gone",
        "merged_at",
        "proof",
        "by_name",
        "reason",
        "undone_at",
        "undone_by_name",
        "erased_at",
    ]
    list_display = ["__str__", "merged_at", "proof", "by_name", "reason", "undone_at"]
    list_filter = ["proof", ("undone_at", admin.EmptyFieldListFilter)]
    search_fields = ["=kept__id", "=gone__id"]
    show_full_result_count = False
