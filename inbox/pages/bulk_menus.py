"""What may be done with many conversations at once, as the bar above the list offers it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from inbox.models import Priority
from inbox.moments import presets_for
from inbox.pages.clock import moment_label
from inbox.pages.filters import Desk
from inbox.pages.menus import Choice, Group, Menu


def build_bulk_menu(name: str, desk: Desk, selected: Sequence[int]) -> Menu:
    """One of the bar's menus; its values are what the bar posts as `act`. Raises KeyError."""
    title, groups, search = _MENUS[name](desk)
    return Menu(title, reverse("inbox:bulk"), "act", groups, search, selected=selected)


_Parts = tuple[str, list[Group], str]


def _assign(desk: Desk) -> _Parts:
    others = [one for one in desk.agents if one != desk.agent]
    choices = [
        Choice("assign:me", _("Me"), agent=desk.agent),
        Choice("assign:nobody", _("Nobody"), "user-off"),
        *(Choice(f"assign:{one.pk}", one.name, agent=one) for one in others),
    ]
    return _("Assign"), [Group("", choices)], _("Find a person")


def _tag(desk: Desk) -> _Parts:
    choices = [Choice(f"tag:{tag.pk}", tag.name, dot=tag.colour) for tag in desk.tags]
    return _("Tag"), [Group("", choices)], _("Find a tag")


def _snooze(desk: Desk) -> _Parts:
    choices = [
        Choice(
            f"snooze:{one.slug}",
            one.label,
            "moon" if one.until else "reply",
            hint=moment_label(one.until, at=desk.at) if one.until else "",
        )
        for one in presets_for(desk.at, closes=None)
    ]
    return _("Snooze"), [Group("", choices)], ""


def _more(_desk: Desk) -> _Parts:
    states = [
        Choice("reopen", _("Reopen"), "undo"),
        Choice("read", _("Mark as read"), "check"),
        Choice("unread", _("Mark as unread"), "mail"),
    ]
    priorities = [
        Choice(f"priority:{one.value}", one.label, "flag" if one else "x")
        for one in reversed(Priority)
    ]
    return _("More"), [Group("", states), Group(_("Priority"), priorities)], ""


_MENUS = {"assign": _assign, "tag": _tag, "snooze": _snooze, "more": _more}


def snooze_moment(slug: str, at: datetime) -> datetime | None:
    """When it comes back, None for when the customer writes. Raises KeyError for another word."""
    return {one.slug: one.until for one in presets_for(at, closes=None)}[slug]
