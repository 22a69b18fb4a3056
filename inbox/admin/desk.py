"""What agents keep for their work, and the trail of what was done."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from inbox.admin.kept import Kept
from inbox.canned import as_json, read_actions
from inbox.errors import ContentInvalid
from inbox.models import AuditEntry, CannedReply, SavedView


class CannedReplyForm(forms.ModelForm[CannedReply]):
    def clean_actions(self) -> dict[str, Any]:
        """Judged where the agents' own pages have it judged."""
        try:
            return as_json(read_actions(self.cleaned_data["actions"] or {}))
        except ContentInvalid as refusal:
            raise forms.ValidationError(str(refusal.detail)) from refusal


@admin.register(CannedReply)
class CannedReplyAdmin(admin.ModelAdmin[CannedReply]):
    form = CannedReplyForm
    list_display = ["shortcut", "title", "owner", "team", "updated_at"]
    list_filter = [("owner", admin.EmptyFieldListFilter), "team"]
    search_fields = ["shortcut", "title", "content"]
    autocomplete_fields = ["owner", "team"]


@admin.register(SavedView)
class SavedViewAdmin(admin.ModelAdmin[SavedView]):
    list_display = ["name", "owner", "is_shared", "created_at"]
    list_filter = ["is_shared"]
    search_fields = ["name", "owner__username"]
    autocomplete_fields = ["owner"]


@admin.register(AuditEntry)
class AuditEntryAdmin(Kept, admin.ModelAdmin[AuditEntry]):
    """To read: nobody writes history."""

    list_display = ["at", "agent_name", "action", "subject_type", "subject_id"]
    list_filter = ["action"]
    search_fields = ["agent_name", "=subject_id"]
    search_help_text = _("Who, or the id of what it was done to")
    show_full_result_count = False
    ordering = ["-at", "-id"]
