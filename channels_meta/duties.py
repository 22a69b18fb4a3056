"""What Meta asks of every app: forget whoever takes their permission back, and say that it was done.

Source: Meta's data deletion callback page and its samples. Both callbacks come as a form with one
field, `signed_request`. The person in it is whoever connected an account (an app-scoped id), never
a customer: those are forgotten by `inbox.contacts`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseForbidden,
    JsonResponse,
)
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from channels_meta.models import Credential, DataDeletion, Incident, LoginAttempt
from channels_meta.payloads.values import read_id
from inbox import live
from inbox.events import Event, EventName, emit
from inbox.models import Channel
from inbox.retention import Rule, days
from inbox.throttle import may_call, seconds_left

logger = logging.getLogger(__name__)

MAX_FORM_BYTES = 16 * 1024
# As the columns that hold one.
MAX_USER_ID_CHARACTERS = 100
ALGORITHM = "HMAC-SHA256"
CALLS_PER_MINUTE = 60

# What is kept of duties done, and of what was wrong with accounts.
RETENTION = (
    Rule(
        DataDeletion,
        "requested_at",
        days("KEEP_PROOFS_DAYS"),
        Q(finished_at__isnull=False),
    ),
    Rule(Incident, "opened_at", days("KEEP_RECORDS_DAYS"), Q(closed_at__isnull=False)),
)


class NotSigned(Exception):
    """What came is no signed request of our app. Its text says why, for Meta's developers."""


def read_signed_request(text: str) -> dict[str, Any]:
    """The payload of a signed request. Raises NotSigned.

    text: base64url(signature) "." base64url(JSON), both without padding. The signature is
    HMAC-SHA256 over the second part as it came, with the secret of the app, or of its Instagram
    side; secrets that are being replaced count too.
    """
    signature, dot, encoded = text.partition(".")
    if not dot or "." in encoded:
        raise NotSigned("two parts with a dot between them are needed")
    given = _decode(signature)
    app_secrets = [*settings.META_APP_SECRET, *settings.META_INSTAGRAM_APP_SECRET]
    # Every secret is tried whatever came of the one before: time tells nothing.
    matches = [
        hmac.compare_digest(given, _sign(encoded, secret)) for secret in app_secrets
    ]
    if not any(matches):
        raise NotSigned("the signature is not of this app")
    try:
        payload = json.loads(_decode(encoded))
    except (ValueError, RecursionError) as error:
        raise NotSigned("the second part is not JSON") from error
    if not isinstance(payload, dict):
        raise NotSigned("the second part is not an object")
    if str(payload.get("algorithm", "")).upper() != ALGORITHM:
        raise NotSigned(f"the algorithm is not {ALGORITHM}")
    return payload


def _sign(encoded: str, secret: str) -> bytes:
    return hmac.new(secret.encode(), encoded.encode(), hashlib.sha256).digest()


def _decode(part: str) -> bytes:
    padded = part + "=" * (-len(part) % 4)
    try:
        return base64.b64decode(padded.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotSigned("not base64url") from error


# --- the callbacks -------------------------------------------------------------------------------

Callback = Callable[[HttpRequest, str], HttpResponse]


def _called_by_meta(view: Callback) -> Callable[[HttpRequest], HttpResponse]:
    """The door: a signed form that names a person; the view gets the person's app-scoped id."""

    @csrf_exempt
    @require_POST
    @never_cache
    @wraps(view)
    def callback(request: HttpRequest) -> HttpResponse:
        if not may_call(
            f"duties:{request.META['REMOTE_ADDR']}", calls=CALLS_PER_MINUTE
        ):
            headers = {"Retry-After": str(int(seconds_left()) + 1)}
            return HttpResponse("too many calls", status=429, headers=headers)
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_FORM_BYTES:
            return HttpResponse("too large", status=413)
        try:
            payload = read_signed_request(request.POST.get("signed_request", ""))
        except NotSigned as error:
            logger.warning("duties.refused reason=%s", error)
            return HttpResponseForbidden(str(error))
        user_id = read_id(payload.get("user_id"))
        if not 0 < len(user_id) <= MAX_USER_ID_CHARACTERS:
            return HttpResponseBadRequest("no user_id")
        return view(request, user_id)

    return callback


@_called_by_meta
def delete_data(request: HttpRequest, user_id: str) -> HttpResponse:
    """POST /meta/data-deletion. Whom we do not know is answered alike: there is nothing left."""
    code = secrets.token_hex(10)
    with transaction.atomic():
        deletion = DataDeletion.objects.create(confirmation_code=code, user_id=user_id)
        deletion.credentials = take_back(user_id)
        deletion.finished_at = now()
        deletion.save()
    logger.info(
        "duties.deleted deletion=%s credentials=%s", deletion.pk, deletion.credentials
    )
    url = settings.PUBLIC_URL + reverse("channels_meta:deletion", args=[code])
    return JsonResponse({"url": url, "confirmation_code": code})


@_called_by_meta
def deauthorize(request: HttpRequest, user_id: str) -> HttpResponse:
    """POST /meta/deauthorize."""
    count = take_back(user_id)
    logger.info("duties.deauthorized credentials=%s", count)
    return HttpResponse("", content_type="text/plain")


@require_GET
@never_cache
def show_deletion(request: HttpRequest, code: str) -> HttpResponse:
    """GET /meta/data-deletion/<code>: for the person who asked; it says nothing about them."""
    deletion = get_object_or_404(DataDeletion, confirmation_code=code)
    return render(request, "channels_meta/duties/deletion.html", {"deletion": deletion})


# --- what is done --------------------------------------------------------------------------------


@transaction.atomic
def take_back(user_id: str) -> int:
    """Delete every token that this person gave us, and stop the accounts that lived by them.

    What customers wrote is the business's and stays. Returns how many accounts it were.
    """
    credentials = (
        Credential.objects.select_for_update(of=("self",))
        .defer("access_token")
        .select_related("channel")
        .filter(user_id=user_id)
        .order_by("pk")
    )
    channels = [credential.channel for credential in credentials]
    Credential.objects.filter(channel__in=channels).delete()
    LoginAttempt.objects.filter(user_id=user_id).delete()
    for channel in channels:
        _disconnect(channel)
    return len(channels)


def _disconnect(channel: Channel) -> None:
    """Nothing more is sent for it; an admin can connect it again, and its history goes on."""
    channel.status = Channel.Status.DISCONNECTED
    channel.status_reason = _(
        "Whoever connected this account has taken Dexra's permission back at Meta."
    )
    channel.save(update_fields=["status", "status_reason"])
    logger.error("channel.disconnected channel=%s reason=deauthorized", channel.pk)
    status = Event(
        EventName.CHANNEL_STATUS,
        channel_id=channel.pk,
        occurred_at=now(),
        details={"status": channel.status, "reason": "deauthorized"},
    )
    emit([status])
    live.publish_after_commit([live.Change("channel", channel.pk)])
