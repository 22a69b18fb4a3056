"""Dexra's own AdminSite: Django admin and the inbox pages are one product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Fixed addresses (product.md 6) of pages that other apps serve.
SANDBOX_URL = "/sandbox/"


@dataclass(frozen=True, slots=True)
class RailItem:
    """One place to go, on the rail and on the phone's tab bar."""

    label: str | Promise
    icon: str
    url: str
    is_current: bool
    is_below: bool = False


class DexraAdminSite(AdminSite):
    site_header = "Dexra"
    site_title = "Dexra"
    index_title = _("Settings")
    site_url = "/inbox/"

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | {"rail_items": self.rail_items(request)}

    def rail_items(self, request: HttpRequest) -> list[RailItem]:
        """Where this person may go. What is not there, or not allowed, is not shown."""
        if not self.has_permission(request):
            return []
        user, path = request.user, request.path
        items = []
        if user.has_perm("inbox.view_conversation"):
            items.append(self._item(path, _("Inbox"), "inbox", reverse("inbox:home")))
            if settings.SANDBOX:
                items.append(self._item(path, _("Sandbox"), "phone", SANDBOX_URL))
        settings_url = reverse("admin:index")
        items.append(
            self._item(path, _("Settings"), "gear", settings_url, is_below=True)
        )
        return items

    def _item(
        self,
        path: str,
        label: str | Promise,
        icon: str,
        url: str,
        *,
        is_below: bool = False,
    ) -> RailItem:
        return RailItem(label, icon, url, path.startswith(url), is_below)
