"""Each agent reads in a language and a time zone of their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from inbox.models import Agent
from inbox.preferences import preferences_of

# Written by static/js/zone.js: the browser knows the zone, the server writes the times.
ZONE_COOKIE = "dexra_zone"


class AgentLocaleMiddleware:
    """Stands after authentication: an agent's own language wins over the browser's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with ExitStack() as stack:
            if zone := chosen_zone(request) or read_zone(request):
                stack.enter_context(timezone.override(zone))
            if language := getattr(request.user, "language", ""):
                stack.enter_context(translation.override(language))
                request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language())
        return response


def chosen_zone(request: HttpRequest) -> ZoneInfo | None:
    """The zone that the agent chose, wherever their browser is; None if they chose none."""
    if not isinstance(request.user, Agent):
        return None
    return zone_of(preferences_of(request.user).time_zone)


def read_zone(request: HttpRequest) -> ZoneInfo | None:
    """The browser's zone; None for one that nobody knows."""
    return zone_of(unquote(request.COOKIES.get(ZONE_COOKIE, "")))


def zone_of(name: str) -> ZoneInfo | None:
    """None for a name that nobody knows."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
