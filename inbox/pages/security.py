"""One content security policy for inbox and admin (design.md 9): no `unsafe-*` anywhere."""

from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from inbox.media import PLATFORM_DOMAINS

# Where pictures of stories and media that we do not store are shown from.
_MEDIA_SOURCES = " ".join(f"https://*.{domain}" for domain in PLATFORM_DOMAINS)


def build_policy() -> str:
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' blob: data: {_MEDIA_SOURCES}",
        "media-src": f"'self' blob: {_MEDIA_SOURCES}",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def safe_link(url: str) -> str:
    """An address that a click may open: https, or a path of our own; "" for anything else."""
    if path := _own_path(url):
        return path
    parts = _split(url)
    return url if parts and parts.scheme == "https" and parts.hostname else ""


def shown_here(url: str) -> str:
    """An address that the policy lets a page show; "" where only a link is possible."""
    if path := _own_path(url):
        return path
    parts = _split(url)
    if not parts or parts.scheme != "https" or not parts.hostname:
        return ""
    is_allowed = any(
        parts.hostname == domain or parts.hostname.endswith(f".{domain}")
        for domain in PLATFORM_DOMAINS
    )
    return url if is_allowed else ""


def _own_path(url: str) -> str:
    """The path of an address on our own origin, by whatever name the reader knows us."""
    path = url.removeprefix(settings.PUBLIC_URL)
    return path if path.startswith("/") and path[1:2] not in {"/", "\\"} else ""


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


class ContentSecurityPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policy = build_policy()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        return response
