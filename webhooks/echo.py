"""The sandbox's own endpoint: receives what an integrator would, and shows it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from inbox.pages.http import AgentRequest, agent_page, is_fragment, render_page
from webhooks.models import EchoedRequest, Endpoint
from webhooks.signing import is_signed, key_of

MAX_BODY_BYTES = 256 * 1024
# Requests that are kept, and of these those that the page shows.
KEPT = 200
SHOWN = 50


@dataclass(frozen=True)
class Shown:
    """One request as the page shows it."""

    request: EchoedRequest

    @cached_property
    def event(self) -> dict[str, object]:
        try:
            event = json.loads(self.request.body)
        except ValueError:
            return {}
        return event if isinstance(event, dict) else {}

    @property
    def name(self) -> str:
        return str(self.event.get("event", ""))

    @property
    def text(self) -> str:
        if not self.event:
            return self.request.body
        return json.dumps(self.event, ensure_ascii=False, indent=2)


HOOK_PATH = "/sandbox/echo/hook"


def hook_url() -> str:
    return f"http://127.0.0.1:{settings.PORT}{HOOK_PATH}"


def find_echo_endpoint() -> Endpoint | None:
    return Endpoint.objects.filter(url__endswith=HOOK_PATH).first()


def create_echo_endpoint() -> Endpoint:
    """The endpoint that leads to the echo page, on the port we run on now.

    Asked twice, it is the same one.
    """
    endpoint = find_echo_endpoint() or Endpoint(
        description=_("Echo page of the sandbox")
    )
    if endpoint.url != hook_url():
        endpoint.url = hook_url()
        endpoint.save()
    return endpoint


@agent_page
@require_GET
def show_requests(request: AgentRequest) -> HttpResponse:
    """The newest requests; the page asks for the list again every two seconds."""
    requests = [Shown(row) for row in EchoedRequest.objects.order_by("-pk")[:SHOWN]]
    newest = str(requests[0].request.pk) if requests else ""
    if is_fragment(request) and request.GET.get("seen") == newest:
        return HttpResponse(status=204)  # htmx leaves the page as it is
    context = {"requests": requests, "newest": newest}
    return render_page(
        request,
        "webhooks/echo/list.html",
        context,
        fragments=["webhooks/echo/_requests.html"],
    )


@csrf_exempt
@require_POST
def receive_request(request: HttpRequest) -> HttpResponse:
    """Take a delivery as an integrator would: check the signature over the raw bytes, keep, 204."""
    body = request.body
    if len(body) > MAX_BODY_BYTES:
        return HttpResponse(status=413)
    given = {name.lower(): value for name, value in request.headers.items()}
    with transaction.atomic():
        received = EchoedRequest.objects.create(
            event_id=given.get("webhook-id", "")[:64].replace("\x00", ""),
            is_verified=is_signed(body, given, keys=_keys(), at=time.time()),
            body=body.decode("utf-8", "replace").replace("\x00", ""),
        )
        EchoedRequest.objects.filter(pk__lte=received.pk - KEPT).delete()
    return HttpResponse(status=204)


def _keys() -> list[bytes]:
    """The signing keys of the endpoint that leads here."""
    endpoints = Endpoint.objects.filter(url=hook_url())
    secrets = [s for e in endpoints for s in (e.secret, e.previous_secret) if s]
    return [key_of(secret) for secret in secrets]
