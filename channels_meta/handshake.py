"""Meta's handshake: it asks for our verify token and wants its challenge back."""

import hmac
import re

from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseForbidden,
)
from django.views.decorators.http import require_GET

# A challenge is digits; nothing that a browser could read as HTML is echoed.
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,256}")


@require_GET
def verify(request: HttpRequest) -> HttpResponse:
    """GET /meta/webhook: 200 with the bare challenge, 403 for a wrong token, 400 otherwise."""
    token = request.GET.get("hub.verify_token", "")
    challenge = request.GET.get("hub.challenge", "")
    if request.GET.get("hub.mode") != "subscribe" or not token or not challenge:
        return HttpResponseBadRequest(
            "hub.mode, hub.verify_token and hub.challenge are needed"
        )
    ours = settings.META_VERIFY_TOKEN
    if not ours or not hmac.compare_digest(token.encode(), ours.encode()):
        return HttpResponseForbidden("wrong verify token")
    if not _CHALLENGE.fullmatch(challenge):
        return HttpResponseBadRequest("not a challenge")
    return HttpResponse(challenge, content_type="text/plain")
