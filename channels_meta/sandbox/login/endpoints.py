"""The token endpoints of both logins: codes to tokens, short to long, old to new (contract 4.1, 5)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from functools import wraps
from urllib.parse import unquote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from channels_meta.sandbox import clock, errors
from channels_meta.sandbox.errors import HOSTS, FlatError, GraphError
from channels_meta.sandbox.graph.door import given_token
from channels_meta.sandbox.login import grants, tokens
from channels_meta.sandbox.login.tokens import App
from channels_meta.sandbox.models import SandboxToken

Kind = SandboxToken.Kind
FACEBOOK, INSTAGRAM = HOSTS["facebook"], HOSTS["instagram"]


def _answers_errors(
    view: Callable[..., HttpResponse],
) -> Callable[..., HttpResponse]:
    @wraps(view)
    def answer(
        request: HttpRequest, host: str = "facebook", version: str = "", **named: str
    ) -> HttpResponse:
        dialect = HOSTS[host]
        try:
            response = view(request, **named)
        except GraphError as error:
            response = error.response(dialect)
        except FlatError as error:
            return error.response()
        response.headers[dialect.version_header] = version or "v26.0"
        return response

    return answer


# --- Facebook Login ----------------------------------------------------------------------------------


@require_GET
@_answers_errors
def facebook_token(request: HttpRequest) -> HttpResponse:
    """GET /oauth/access_token: a code, or with fb_exchange_token a short token, for a token."""
    data = request.GET
    _check_app(tokens.facebook_app(), data)
    if data.get("grant_type") == "fb_exchange_token":
        short = _alive(data.get("fb_exchange_token", ""), Kind.USER)
        return _token_answer(short, Kind.USER, lasts_long=True)
    code = _take_code(data, Kind.CODE)
    if code is None or code.account is not None:
        raise GraphError(100, "Invalid verification code format.", 36008)
    if code.redirect_uri != data.get("redirect_uri"):
        raise GraphError(
            100,
            "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request",
            36008,
        )
    if _is_spent(code):
        raise GraphError(100, "This authorization code has been used.", 36009)
    return _token_answer(code, Kind.USER, lasts_long=False)


def _token_answer(source: SandboxToken, kind: str, *, lasts_long: bool) -> HttpResponse:
    lasts = tokens.LONG_LASTS if lasts_long else tokens.SHORT_LASTS
    secret = tokens.issue(
        kind,
        account=source.account,
        case=source.case,
        user_id=source.user_id,
        scopes=source.scopes,
        lasts=lasts,
    )
    seconds = int(clock.span_of(lasts).total_seconds())
    answer = {"access_token": secret, "token_type": "bearer", "expires_in": seconds}
    return JsonResponse(answer)


@require_GET
@_answers_errors
def debug_token(request: HttpRequest) -> HttpResponse:
    """GET /debug_token, asked with the app's own token: `id|secret`."""
    _require_app_token(request)
    asked = request.GET.get("input_token", "")
    token = tokens.find(asked, Kind.USER, Kind.PAGE, Kind.INSTAGRAM)
    if token is None:
        message = "Invalid OAuth access token - Cannot parse access token"
        error = {"code": 190, "message": message}
        return JsonResponse({"data": {"is_valid": False, "scopes": [], "error": error}})
    return JsonResponse({"data": grants.facts_of(token)})


@require_GET
@_answers_errors
def app_subscriptions(request: HttpRequest, app: str) -> HttpResponse:
    """GET /{app-id}/subscriptions: where the app wants events of each object, and which."""
    _require_app_token(request)
    if app != tokens.facebook_app().id:
        raise errors.no_such_object(app)
    callback = settings.PUBLIC_URL + reverse("channels_meta:webhook")
    fields = [{"name": name, "version": "v26.0"} for name in ("messages", "comments")]
    return JsonResponse(
        {
            "data": [
                {
                    "object": name,
                    "callback_url": callback,
                    "active": True,
                    "fields": fields,
                }
                for name in ("page", "instagram")
            ]
        }
    )


def _require_app_token(request: HttpRequest) -> None:
    app = tokens.facebook_app()
    expected = [f"{app.id}|{secret}" for secret in app.secrets or ("",)]
    given = given_token(request).encode()
    if not any(hmac.compare_digest(one.encode(), given) for one in expected):
        raise errors.not_a_token()


# --- Instagram Login ---------------------------------------------------------------------------------


@csrf_exempt
@_answers_errors
def instagram_code(request: HttpRequest) -> HttpResponse:
    """POST /oauth/access_token of Instagram's login host: flat answers, flat errors."""
    if request.method != "POST":
        raise FlatError("Unsupported request - method type: get")
    data = request.POST
    try:
        _check_app(tokens.instagram_app(), data)
    except GraphError as error:
        raise FlatError(error.message) from None
    if data.get("grant_type") != "authorization_code":
        raise FlatError("Invalid grant_type")
    code = _take_code(data, Kind.CODE)
    is_bound = code is not None and code.redirect_uri == data.get("redirect_uri")
    if code is None or code.account is None or not is_bound or _is_spent(code):
        raise FlatError(
            "Invalid platform app" if code is None else "Matching code was not found or was already used"
        )  # fmt: skip
    secret = tokens.issue(
        Kind.INSTAGRAM,
        account=code.account,
        case=code.case,
        user_id=code.user_id,
        scopes=code.scopes,
        lasts=tokens.SHORT_LASTS,
    )
    return JsonResponse(
        {
            "access_token": secret,
            # A number, and not the one that events name the account by.
            "user_id": int(code.user_id),
            "permissions": code.scopes,
        }
    )


@require_GET
@_answers_errors
def exchange_instagram(request: HttpRequest) -> HttpResponse:
    """GET /access_token?grant_type=ig_exchange_token: an hour's token for one of 60 days."""
    if request.GET.get("grant_type") != "ig_exchange_token":
        raise errors.bad_parameter("Unsupported grant_type")
    app = tokens.instagram_app()
    given = request.GET.get("client_secret", "")
    if not _is_secret_of(app, given):
        raise errors.bad_parameter("Error validating client secret.")
    short = _alive(request.GET.get("access_token", ""), Kind.INSTAGRAM)
    return _token_answer(short, Kind.INSTAGRAM, lasts_long=True)


@require_GET
@_answers_errors
def refresh_instagram(request: HttpRequest) -> HttpResponse:
    """GET /refresh_access_token: from an age of 24 hours on, and before it has ended."""
    if request.GET.get("grant_type") != "ig_refresh_token":
        raise errors.bad_parameter("Unsupported grant_type")
    token = _alive(given_token(request), Kind.INSTAGRAM)
    if token.scopes and "instagram_business_basic" not in token.scopes:
        raise errors.permission_missing("instagram_business_basic")
    if not clock.is_over(token.issued_at, tokens.REFRESH_AFTER):
        raise errors.bad_parameter(
            "The access token cannot be refreshed before it is 24 hours old."
        )
    return _token_answer(token, Kind.INSTAGRAM, lasts_long=True)


# --- what both share ---------------------------------------------------------------------------------


def _check_app(app: App, data: Mapping[str, str]) -> None:
    if data.get("client_id") != app.id:
        raise GraphError(101, "Error validating application. Invalid application ID.")
    if not _is_secret_of(app, data.get("client_secret", "")):
        raise GraphError(1, "Error validating client secret.")


def _is_secret_of(app: App, given: str) -> bool:
    expected = app.secrets or ("",)
    return any(hmac.compare_digest(one.encode(), given.encode()) for one in expected)


def _take_code(data: Mapping[str, str], kind: str) -> SandboxToken | None:
    return tokens.find(unquote(data.get("code", "")), kind)


def _is_spent(code: SandboxToken) -> bool:
    """Codes are good once, within an hour. Asking spends it."""
    unused = SandboxToken.objects.filter(pk=code.pk, used_at=None)
    return not unused.update(used_at=now()) or tokens.why_dead(code) is not None


def _alive(secret: str, kind: str) -> SandboxToken:
    """Raises GraphError for a token that is none, or that has ended."""
    token = tokens.find(secret, kind)
    if token is None:
        raise errors.not_a_token()
    if subcode := tokens.why_dead(token):
        raise errors.token_invalid(subcode)
    return token
