"""One content security policy for inbox and admin (design.md 9): no `unsafe-*` anywhere."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

META_MEDIA = "https://*.fbcdn.net https://*.fbsbx.com https://*.cdninstagram.com"


def build_policy(media_host: str = "") -> str:
    """media_host: where our own media lies, if not on our origin."""
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' blob: data: {META_MEDIA} {media_host}".strip(),
        "media-src": f"'self' blob: {META_MEDIA} {media_host}".strip(),
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


class ContentSecurityPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        media = settings.MEDIA_URL
        self.policy = build_policy(media if media.startswith("https://") else "")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        return response
