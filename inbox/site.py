"""Dexra's own AdminSite: Django admin and the inbox pages are one product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from inbox.pages.queues import count_queues
from inbox.rights import tell_pages_of

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


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to go that another app serves. route: its name for `reverse`.

    invites: what an inbox without any channel says to lead there; "" if it does not.
    """

    label: str | Promise
    icon: str
    route: str
    permissions: tuple[str, ...]
    invites: str | Promise = ""


_places: list[Place] = []


def add_place(place: Place) -> None:
    """Show it on the rail, and in the admin's index, to whoever may go there."""
    _places.append(place)


class DexraAdminSite(AdminSite):
    site_header = "Dexra"
    site_title = "Dexra"
    index_title = _("Settings")
    site_url = "/inbox/"

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | self.rail_context(request)

    def logout(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Signing out closes the streams of the session's pages: it is gone by then."""
        agent_id = request.user.pk
        response = super().logout(request, extra_context)
        if agent_id:
            tell_pages_of(agent_id)
        return response

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """The inbox stands in the index, first among what belongs to it."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            if app["app_label"] == "inbox" and request.user.has_perm(
                "inbox.view_conversation"
            ):
                url = reverse("inbox:list", args=["mine"])
                places = [
                    self._entry(place.label, reverse(place.route))
                    for place in self.places_of(request)
                ]
                app["models"][:0] = [self._entry(_("Open the inbox"), url), *places]
        return apps

    def _entry(self, name: str | Promise, url: str) -> dict[str, Any]:
        return {
            "model": None,
            "name": name,
            "object_name": "Inbox",
            "perms": {"add": False, "change": False, "delete": False, "view": True},
            "admin_url": url,
            "add_url": None,
            "view_only": True,
        }

    def places_of(self, request: HttpRequest) -> list[Place]:
        """Of what other apps serve, where this person may go."""
        return [p for p in _places if request.user.has_perms(p.permissions)]

    def rail_context(self, request: HttpRequest) -> dict[str, Any]:
        """What the rail shows, on the pages of the inbox and of the admin alike."""
        user = request.user
        reads = self.has_permission(request) and user.has_perm(
            "inbox.view_conversation"
        )
        return {
            "rail_items": self.rail_items(request),
            "unread": count_queues(user)["unread"] if reads else 0,  # type: ignore[arg-type]  # signed in
        }

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
        for place in self.places_of(request):
            url = reverse(place.route)
            items.append(self._item(path, place.label, place.icon, url, is_below=True))
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
