"""What is still to be asked of the channels, and the walks through what they remember."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from inbox.admin.kept import Kept
from inbox.bell import ring
from inbox.fetching import fetch_due
from inbox.models import Fetch, Import


@admin.register(Fetch)
class FetchAdmin(Kept, admin.ModelAdmin[Fetch]):
    """Mostly empty: a row is gone once it is answered. Deleting one gives it up."""

    list_display = ["kind", "subject_id", "channel", "due_at", "attempts", "error_code"]
    list_filter = ["kind", "channel"]
    list_select_related = ["channel"]
    ordering = ["due_at"]
    show_full_result_count = False
    actions = ["ask_now"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("inbox.delete_fetch")

    @admin.action(description=_("Ask now"), permissions=["delete"])
    def ask_now(self, request: HttpRequest, fetches: QuerySet[Fetch]) -> None:
        count = fetches.update(due_at=now(), attempts=0)
        ring(fetch_due)
        words = ngettext(
            "%(count)d question is asked again.",
            "%(count)d questions are asked again.",
            count,
        )
        self.message_user(request, words % {"count": count})


@admin.register(Import)
class ImportAdmin(Kept, admin.ModelAdmin[Import]):
    """The page of an account starts one."""

    list_display = [
        "channel",
        "reason",
        "state",
        "started_at",
        "finished_at",
        "conversations",
        "messages",
        "recovered",
    ]
    list_filter = ["state", "reason", "channel"]
    list_select_related = ["channel"]
    show_full_result_count = False
