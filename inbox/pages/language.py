"""Each agent reads in a language and a time zone of their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

# Written by static/js/zone.js: the browser knows the zone, the server writes the times.
ZONE_COOKIE = "dexra_zone"


class AgentLocaleMiddleware:
    """Stands after authentication: an agent's own language wins over the browser's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with ExitStack() as stack:
            if zone := read_zone(request):
                stack.enter_context(timezone.override(zone))
            if language := getattr(request.user, "language", ""):
                stack.enter_context(translation.override(language))
                request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language())
        return response


def read_zone(request: HttpRequest) -> ZoneInfo | None:
    """The browser's zone; None for one that nobody knows."""
    name = unquote(request.COOKIES.get(ZONE_COOKIE, ""))
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
