"""Text travels compressed, whoever stands in front; pictures and films are compressed already."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware

TEXT = ("text/", "application/json", "application/problem+json", "image/svg+xml")


class CompressionMiddleware(GZipMiddleware):
    """Django's own, with its guard against guessing secrets by sizes (BREACH), for text alone."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        # A part of a file keeps its length and its place.
        if response.status_code == 206 or not is_text(response):
            return response
        return super().process_response(request, response)


def is_text(response: HttpResponseBase) -> bool:
    return response.headers.get("Content-Type", "").startswith(TEXT)
