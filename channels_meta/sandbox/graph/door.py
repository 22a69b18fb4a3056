"""The door of both pretend hosts: tokens, proofs, what goes wrong with any call, and the headers."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.timezone import now
from django.views.decorators.csrf import csrf_exempt

from channels_meta.sandbox import errors, faults, rates
from channels_meta.sandbox.errors import HOSTS, GraphError, Host, MetaDown
from channels_meta.sandbox.faults import Fault
from channels_meta.sandbox.graph import parameters
from channels_meta.sandbox.login import tokens
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxCall,
    SandboxFault,
    SandboxPerson,
    SandboxToken,
)

USED_PERCENT = 3
# By how much each call brings an account nearer to its limit while usage rises.
RISING_STEP = 20

Kind = SandboxToken.Kind
View = Callable[["Call", str], HttpResponse]


@dataclass(slots=True)
class Call:
    """One call that named a good token.

    account: whose token it is; None for a Facebook user's. percent: of its limit, for the headers.
    """

    host: Host
    token: SandboxToken
    account: SandboxAccount | None
    request: HttpRequest
    data: dict[str, Any]
    percent: int = USED_PERCENT

    def own(self, node: str) -> SandboxAccount:
        """The account that a node names: the token's own, or an Instagram account of its Page.

        Raises GraphError for anybody else's.
        """
        account = self.account
        if account is None:
            raise errors.no_such_object(node)
        if node in {"me", account.external_id, account.scoped_id or "me"}:
            return account
        for linked in account.linked.all():
            if linked.external_id == node:
                linked.page = account
                return linked
        raise errors.no_such_object(node)

    def accounts(self) -> list[SandboxAccount]:
        """All that this token speaks for: a Page's token also for its Instagram accounts."""
        if self.account is None:
            return []
        return [self.account, *self.account.linked.all()]

    def person(self, external_id: Any) -> SandboxPerson | None:
        """Whoever one of these accounts knows by this id."""
        people = SandboxPerson.objects.select_related("account__page")
        name = parameters.as_text(external_id)
        return people.filter(account__in=self.accounts(), external_id=name).first()

    def needs(self, facebook: str, instagram: str = "") -> None:
        """Raises GraphError for a permission that was not granted. No list at all grants all."""
        name = instagram if self.host.name == "instagram" and instagram else facebook
        if self.token.scopes and name not in self.token.scopes:
            raise errors.permission_missing(name)


# --- the door ----------------------------------------------------------------------------------------


def graph_view(*methods: str) -> Callable[[View], Callable[..., HttpResponse]]:
    """Checks token and proof as the named host does; errors and headers are that host's too."""

    def decorate(view: View) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @wraps(view)
        def answer(
            request: HttpRequest, host: str, node: str = "me", version: str = ""
        ) -> HttpResponse:
            return _answer(request, HOSTS[host], node, version, view, methods)

        return answer

    return decorate


def _answer(
    request: HttpRequest,
    host: Host,
    node: str,
    version: str,
    view: View,
    methods: tuple[str, ...],
) -> HttpResponse:
    language, account, percent = "", None, USED_PERCENT
    try:
        if request.method not in methods:
            raise errors.unsupported_method(str(request.method))
        call = _authorized(request, host)
        account = call.account
        language = account.language if account else ""
        _let_fail(call)
        response = view(call, node)
        percent = call.percent
    except GraphError as error:
        response = error.response(host, language)
        percent = 100 if "X-Business-Use-Case-Usage" in error.headers else percent
    except MetaDown as error:
        return error.response()
    response.headers[host.version_header] = version or "v26.0"
    _tell_usage(response, host, account, percent)
    return response


def _tell_usage(
    response: HttpResponse, host: Host, account: SandboxAccount | None, percent: int
) -> None:
    usage = {name: max(1, percent - at) for at, name in enumerate(host.usage)}
    response.headers["x-app-usage"] = json.dumps(usage)
    if account is not None and "X-Business-Use-Case-Usage" not in response.headers:
        of_business = errors.usage_of_business(host, percent=percent)
        response.headers["X-Business-Use-Case-Usage"] = json.dumps(
            {account.external_id: [of_business]}
        )


def _authorized(request: HttpRequest, host: Host) -> Call:
    """Raises GraphError for a token that nobody has, that is dead, and for a wrong proof of it."""
    given = given_token(request)
    kinds = (Kind.INSTAGRAM,) if host.name == "instagram" else (Kind.USER, Kind.PAGE)
    token = tokens.find(given, *kinds)
    if token is None:
        raise errors.not_a_token()
    if subcode := tokens.why_dead(token):
        raise errors.token_invalid(subcode)
    check_proof(request, host, given)
    return Call(host, token, token.account, request, parameters.read(request))


def given_token(request: HttpRequest) -> str:
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        return header.removeprefix("Bearer ")
    return str(request.GET.get("access_token", ""))


def check_proof(request: HttpRequest, host: Host, token: str) -> None:
    """graph.facebook.com wants `appsecret_proof` once an app requires it; Instagram's knows none."""
    secrets = tokens.facebook_app().secrets
    if host.name != "facebook" or not secrets:
        return
    expected = hmac.new(secrets[0].encode(), token.encode(), "sha256").hexdigest()
    given = request.GET.get("appsecret_proof", "")
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise GraphError(100, "Invalid appsecret_proof provided in the API argument")


def check_switch(call: Call, account: SandboxAccount) -> None:
    """The owner of an Instagram account may have switched off access to its messages."""
    is_off = not account.allows_messages or call.token.case == "messages_off"
    if account.is_instagram and is_off:
        raise errors.messages_switched_off()


def check_rate(
    call: Call, account: SandboxAccount, what: str, *, limit: int, seconds: int = 1
) -> None:
    """Raises GraphError above a limit of Meta's own."""
    if not rates.is_within(what, account.external_id, limit=limit, seconds=seconds):
        code = 80002 if account.is_instagram else 80006
        raise errors.throttled(call.host, account.external_id, code=code)


def _let_fail(call: Call) -> None:
    """Raises what strikes any call of this account."""
    account = call.account
    if account is None:
        return
    fault = faults.strike(account, *faults.OF_CALLS)
    if fault is None:
        return
    if fault.kind == Fault.DOWN:
        raise MetaDown(int(fault.value or 503))
    if fault.kind == Fault.PERMISSION:
        raise errors.permission_missing("pages_messaging", code=int(fault.value or 200))
    if fault.kind == Fault.SWITCHED_OFF:
        raise errors.messages_switched_off()
    _rise(call, account, fault)


def _rise(call: Call, account: SandboxAccount, fault: SandboxFault) -> None:
    """Nearer to the limit with each call; at the limit Meta refuses."""
    call.percent = min(100, USED_PERCENT + RISING_STEP * fault.uses)
    if call.percent >= 100:
        code = int(fault.value) if fault.value else None
        raise errors.throttled(call.host, account.external_id, code=code)


# --- the log -----------------------------------------------------------------------------------------


def note(
    call: Call,
    account: SandboxAccount,
    kind: SandboxCall.Kind,
    response: HttpResponse,
    *,
    person: SandboxPerson | None = None,
    summary: str = "",
    asked: Any = None,
) -> None:
    """Write down what Dexra asked and what it was answered. Tokens are in neither."""
    is_json = isinstance(response, JsonResponse)
    answer = json.loads(response.content) if is_json else ""
    SandboxCall.objects.create(
        account=account,
        person=person,
        at=now(),
        kind=kind,
        summary=summary[:600],
        payload={"request": call.data if asked is None else asked, "answer": answer},
        status=response.status_code,
    )
