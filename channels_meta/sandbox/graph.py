"""A pretend Graph API: both hosts, as far as Dexra calls them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.timezone import now
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from channels_meta.payloads import load
from channels_meta.sandbox import errors, webhooks
from channels_meta.sandbox.errors import HOSTS, GraphError, Host
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxCall,
    SandboxFault,
    SandboxMessage,
    SandboxPerson,
)
from inbox.models import Channel

HOUR_24 = timedelta(hours=24)
DAYS_7 = timedelta(days=7)
MEDIA_KINDS = {"image", "video", "audio", "file"}
# By the address alone: nothing is fetched. A kind that is not named here takes anything.
MEDIA_ENDINGS = {
    "facebook": {"image": {".png", ".jpg", ".jpeg", ".gif"}},
    "instagram": {
        "image": {".png", ".jpg", ".jpeg", ".gif"},
        "video": {".mp4", ".ogg", ".avi", ".mov", ".webm"},
        "audio": {".aac", ".m4a", ".wav", ".mp4"},
        "file": {".pdf"},
    },
}
PROFILE_FIELDS = {
    "facebook": ("first_name", "last_name", "profile_pic", "name", "id"),
    "instagram": (
        "name",
        "username",
        "profile_pic",
        "follower_count",
        "is_user_follow_business",
        "is_business_follow_user",
        "is_verified_user",
        "id",
    ),
}

Fault = SandboxFault.Kind


@dataclass(frozen=True, slots=True)
class Call:
    """One call that named a valid token, and the account that is its."""

    host: Host
    channel: Channel
    request: HttpRequest

    def is_own(self, node: str) -> bool:
        return node in {"me", self.channel.external_id}

    def person(self, external_id: Any) -> SandboxPerson | None:
        people = SandboxPerson.objects.select_related("channel")
        return people.filter(channel=self.channel, external_id=str(external_id)).first()


# --- the door ------------------------------------------------------------------------------------


def graph_view(
    view: Callable[[Call, str], HttpResponse],
) -> Callable[[HttpRequest, str, str, str], HttpResponse]:
    """Checks token and proof as the named host does; errors and headers are that host's too."""

    @csrf_exempt
    @wraps(view)
    def answer(
        request: HttpRequest, host: str, version: str, node: str
    ) -> HttpResponse:
        dialect = HOSTS[host]
        try:
            response = view(_authorized(request, dialect), node)
        except GraphError as error:
            response = error.response(dialect)
        response.headers[dialect.version_header] = version
        response.headers["x-app-usage"] = json.dumps(dialect.app_usage)
        return response

    return answer


def _authorized(request: HttpRequest, host: Host) -> Call:
    """Raises GraphError for a token that no account has, and for a wrong proof of it."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    accounts = SandboxAccount.objects.filter(
        channel__kind=host.kind, channel__is_sandbox=True
    ).select_related("channel")
    for account in accounts:
        token = account.access_token
        if token and hmac.compare_digest(token.encode(), given.encode()):
            _check_proof(request, host, token)
            return Call(host, account.channel, request)
    raise errors.token_invalid()


def _check_proof(request: HttpRequest, host: Host, token: str) -> None:
    """graph.facebook.com wants `appsecret_proof` once an app requires it; Instagram's knows none."""
    if host.name != "facebook" or not settings.META_APP_SECRET:
        return
    secret = settings.META_APP_SECRET[0].encode()
    expected = hmac.new(secret, token.encode(), "sha256").hexdigest()
    given = request.GET.get("appsecret_proof", "")
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise GraphError(100, "Invalid appsecret_proof provided in the API argument")


# --- sending -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """What a call asks to be sent, checked."""

    person: SandboxPerson
    text: str
    kind: str
    media_url: str
    reply_to: str
    metadata: str


@require_POST
@graph_view
def send_message(call: Call, node: str) -> HttpResponse:
    """POST /{node}/messages: the limits and the window are checked, then the phone has it."""
    payload = _json(call.request)
    person = call.person(_dict(payload.get("recipient")).get("id"))
    try:
        response = _answer_send(call, node, payload, person)
    except GraphError as error:
        _record(call, person, payload, error.response(call.host), error.label)
        raise
    return response


def _answer_send(
    call: Call, node: str, payload: dict[str, Any], person: SandboxPerson | None
) -> HttpResponse:
    if not call.is_own(node):
        raise errors.no_such_object(node)
    fault = _take_fault(call.channel)
    _refuse_by(fault, call)
    if fault == Fault.CONNECTION_LOST:
        response = _broken_off()
        _record(call, person, payload, response, str(response.status_code))
        return response
    if person is None:
        raise errors.no_such_person(call.host)
    send = _checked(call, payload, person)
    message = _store(send)
    if fault == Fault.TIMEOUT_AFTER_SEND:
        response = HttpResponse("<html><body>Gateway Timeout</body></html>", status=504)
        _record(call, person, payload, response, "504")
        return response
    # The echo may well come before the answer: Meta promises no order.
    _report(message, send)
    if fault == Fault.SENT_BUT_ERROR:
        raise GraphError(1, "An unknown error occurred", 1357046)
    answer = {"recipient_id": person.external_id, "message_id": message.mid}
    response = JsonResponse(answer)
    _record(call, person, payload, response, message.mid)
    return response


def _refuse_by(fault: str, call: Call) -> None:
    """Raises the GraphError that a fault stands for, if it is one of those that refuse."""
    if fault == Fault.TOKEN:
        raise errors.token_invalid(460)
    if fault == Fault.THROTTLE:
        raise errors.throttled(call.host, call.channel.external_id)
    if fault == Fault.UNAVAILABLE:
        raise GraphError(551, "(#551) This person isn't available right now.")
    if fault == Fault.REFUSED:
        raise GraphError(100, "(#100) Invalid parameter")


def _broken_off() -> HttpResponse:
    """Promises a body that never comes: the server has to close the connection."""
    return HttpResponse(status=502, headers={"Content-Length": "64"})


@transaction.atomic
def _take_fault(channel: Channel) -> str:
    """The oldest fault that waits for this channel, used up; "" if there is none."""
    faults = SandboxFault.objects.select_for_update(skip_locked=True)
    fault = faults.filter(channel=channel).order_by("id").first()
    if fault is None:
        return ""
    fault.delete()
    return fault.kind


def _checked(call: Call, payload: dict[str, Any], person: SandboxPerson) -> Send:
    """Raises GraphError for what the host would not send."""
    message = _dict(payload.get("message"))
    text = message.get("text") or ""
    attachment = _dict(message.get("attachment"))
    media_url = _dict(attachment.get("payload")).get("url") or ""
    kind = attachment.get("type") or "text"
    if not isinstance(text, str) or bool(text) == bool(attachment):
        raise GraphError(100, "(#100) Message must have either text or an attachment")
    if attachment and (kind not in MEDIA_KINDS or not media_url):
        raise GraphError(100, "(#100) Unsupported attachment type")
    if attachment and not _is_fit(call.host, str(kind), str(media_url)):
        raise GraphError(100, "(#100) Upload attachment failure.", 2018047)
    if _is_too_long(call.host, text):
        raise errors.too_long(call.host)
    _check_window(call, payload, person)
    return Send(
        person=person,
        text=text,
        kind=str(kind),
        media_url=str(media_url),
        reply_to=str(_dict(payload.get("reply_to")).get("mid") or ""),
        metadata=str(message.get("metadata") or ""),
    )


def _is_fit(host: Host, kind: str, media_url: str) -> bool:
    """Whether the host takes such a file; one without an ending has yet to be looked at."""
    ending = PurePosixPath(urlsplit(media_url).path).suffix.lower()
    taken = MEDIA_ENDINGS[host.name].get(kind)
    return not ending or taken is None or ending in taken


def _is_too_long(host: Host, text: str) -> bool:
    """Messenger counts characters, Instagram bytes."""
    if host.name == "instagram":
        return len(text.encode()) > 1000
    return len(text) > 2000


def _check_window(call: Call, payload: dict[str, Any], person: SandboxPerson) -> None:
    """24 hours from the person's last act, 7 days with the Human Agent tag."""
    lasts = HOUR_24
    if payload.get("messaging_type") == "MESSAGE_TAG" or payload.get("tag"):
        if payload.get("tag") != "HUMAN_AGENT":  # the others ended on 2026-04-27
            raise GraphError(100, "(#100) Invalid tag")
        if "human_agent" not in call.channel.features:
            raise GraphError(10, "(#10) Requires the Human Agent feature")
        lasts = DAYS_7
    last_act_at = _last_act_at(person)
    if last_act_at is None or now() >= last_act_at + lasts:
        raise errors.window_closed(call.host)


def _last_act_at(person: SandboxPerson) -> datetime | None:
    """When the person last did what opens the reply window; a comment alone does not."""
    moments = person.messages.aggregate(
        wrote=Max("sent_at", filter=Q(direction="in") & ~Q(kind="comment")),
        reacted=Max("reacted_at"),
    )
    return max(filter(None, moments.values()), default=None)


@transaction.atomic
def _store(send: Send) -> SandboxMessage:
    """Put it on the phone. A reply also marks what the person wrote as seen."""
    at = _whole_milliseconds(now())
    send.person.messages.filter(direction="in", seen_at=None).update(seen_at=at)
    is_delivered = not webhooks.is_instagram(send.person.channel)
    return SandboxMessage.objects.create(
        person=send.person,
        mid=webhooks.make_mid(send.person.channel),
        direction=SandboxMessage.Direction.OUT,
        text=send.text,
        kind=send.kind,
        media_url=send.media_url,
        reply_to_mid=send.reply_to,
        sent_at=at,
        delivered_at=at if is_delivered else None,
    )


def _report(message: SandboxMessage, send: Send) -> None:
    """The echo; and on Messenger, that the phone has it."""
    echo = webhooks.build_echo(
        send.person,
        mid=message.mid,
        at=message.sent_at,
        text=message.text,
        media=webhooks.media_of(message),
        reply_to=message.reply_to_mid,
        metadata=send.metadata,
    )
    webhooks.tell(send.person, SandboxCall.Kind.ECHO, echo, summary=message.mid)
    if message.delivered_at:
        delivery = webhooks.build_delivery(
            send.person, mids=[message.mid], at=message.delivered_at
        )
        webhooks.tell(
            send.person, SandboxCall.Kind.DELIVERY, delivery, summary=message.mid
        )


def _whole_milliseconds(moment: datetime) -> datetime:
    """Meta's clock has no more, and a receipt must not be older than its message."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _record(
    call: Call,
    person: SandboxPerson | None,
    payload: dict[str, Any],
    response: HttpResponse,
    summary: str,
) -> None:
    is_json = isinstance(response, JsonResponse)
    answer = json.loads(response.content) if is_json else response.content.decode()
    SandboxCall.objects.create(
        channel=call.channel,
        person=person,
        at=now(),
        kind=SandboxCall.Kind.SEND,
        summary=summary,
        payload={"request": payload, "answer": answer},
        status=response.status_code,
    )


# --- reading -------------------------------------------------------------------------------------


@require_GET
@graph_view
def read_node(call: Call, node: str) -> HttpResponse:
    """GET /me, or a person's profile."""
    if call.is_own(node):
        return JsonResponse(_account(call))
    person = call.person(node)
    if person is None:
        raise errors.no_such_object(node)
    if call.host.name == "instagram" and _last_act_at(person) is None:
        # Who only commented has not consented (Instagram, user profile).
        raise GraphError(230, "User consent is required to access user profile")
    fields = call.request.GET.get("fields", "name,id").split(",")
    profile = _profile(call.host, person)
    if unknown := [name for name in fields if name not in profile]:
        raise GraphError(
            100, f"(#100) Tried accessing nonexisting field ({unknown[0]})"
        )
    answer = {name: profile[name] for name in {*fields, "id"}}
    _note_profile(call, person, answer)
    return JsonResponse(answer)


def _account(call: Call) -> dict[str, str]:
    channel = call.channel
    account = {"id": channel.external_id, "name": channel.name}
    if call.host.name == "instagram":
        account |= {
            "user_id": channel.external_id,
            "username": channel.username,
            "account_type": "BUSINESS",
        }
    return account


def _profile(host: Host, person: SandboxPerson) -> dict[str, Any]:
    first, _space, last = person.name.partition(" ")
    known: dict[str, Any] = {
        "id": person.external_id,
        "name": person.name,
        "first_name": first,
        "last_name": last,
        "username": person.username,
        "profile_pic": "",
        "follower_count": 120,
        "is_user_follow_business": True,
        "is_business_follow_user": False,
        "is_verified_user": False,
    }
    return {name: known[name] for name in PROFILE_FIELDS[host.name]}


def _note_profile(call: Call, person: SandboxPerson, answer: dict[str, Any]) -> None:
    SandboxCall.objects.create(
        channel=call.channel,
        person=person,
        at=now(),
        kind=SandboxCall.Kind.PROFILE,
        payload=answer,
        status=200,
    )


def _json(request: HttpRequest) -> dict[str, Any]:
    try:
        payload = load(request.body)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise GraphError(100, "(#100) The request body is not a JSON object")
    return payload


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
