"""What templates of the shell need: icons, avatars, the rail."""

from __future__ import annotations

from typing import Any

from django import template
from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

AVATAR_COLOURS = 8


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """A symbol of the sprite: `{% icon "reply" "dx-i-s dx-flip" %}`. Decoration, never content."""
    return format_html(
        '<svg class="dx-i{}" aria-hidden="true"><use href="{}#i-{}"/></svg>',
        f" {css}" if css else "",
        static("img/icons.svg"),
        name,
    )


@register.filter
def initials(name: str) -> str:
    """Two letters of a name: "Salma El Idrissi" is SE, "نورة" is ن, "@lina" is L."""
    words = [word for word in name.replace("@", " ").split() if word[0].isalnum()]
    letters = [word[0] for word in words[:2]]
    return "".join(letters).upper() or "?"


@register.filter
def colour(key: int) -> int:
    """One of the eight avatar colours, always the same for the same person."""
    return key % AVATAR_COLOURS + 1


@register.inclusion_tag("dexra/_rail.html", takes_context=True)
def rail(context: template.Context) -> dict[str, Any]:
    return _places(context)


@register.inclusion_tag("dexra/_tabbar.html", takes_context=True)
def tabbar(context: template.Context) -> dict[str, Any]:
    return _places(context)


@register.inclusion_tag("dexra/_account.html", takes_context=True)
def account_menu(context: template.Context) -> dict[str, Any]:
    return {"user": context["request"].user}


def _places(context: template.Context) -> dict[str, Any]:
    request: HttpRequest = context["request"]
    items = context.get("rail_items")
    if items is None:
        items = admin.site.rail_items(request)  # type: ignore[attr-defined]  # ours
    return {
        "request": request,
        "user": request.user,
        "items": items,
        "unread": context.get("unread", 0),
    }
