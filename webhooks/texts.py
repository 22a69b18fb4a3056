"""The whole text of a message whose event had to be cut, at a signed address."""

from __future__ import annotations

import math

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from inbox.models import Message
from inbox.throttle import may_call, seconds_left
from webhooks.fitting import read_token

# Of one text in a minute.
CALLS = 60


@require_safe
def show_text(request: HttpRequest, token: str) -> HttpResponse:
    """Plain text; 404 when the address has run out or the message was taken back."""
    message_id = read_token(token)
    if message_id is None:
        raise Http404
    message = Message.objects.filter(pk=message_id, deleted_at=None).first()
    if message is None:
        raise Http404
    if not may_call(f"text-{message.pk}", calls=CALLS):
        wait = math.ceil(seconds_left())
        return HttpResponse(status=429, headers={"Retry-After": str(wait)})
    headers = {"Cache-Control": "private, no-store"}
    return HttpResponse(
        message.content, content_type="text/plain; charset=utf-8", headers=headers
    )
