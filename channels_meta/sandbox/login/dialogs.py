"""The pretend login dialogs: who signs in is chosen from a list, and so how it turns out."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from channels_meta.sandbox import accounts
from channels_meta.sandbox.login import grants, tokens
from channels_meta.sandbox.login.cases import (
    BY_NAME,
    CASES,
    FACEBOOK_SCOPES,
    INSTAGRAM_SCOPES,
    Case,
)
from channels_meta.sandbox.login.tokens import App
from channels_meta.sandbox.models import SandboxToken
from inbox.pages.http import AgentRequest, agent_page

TEMPLATE = "channels_meta/sandbox/dialog.html"
DENIED = {
    "error": "access_denied",
    "error_reason": "user_denied",
    "error_description": "The user denied your request.",
}


@agent_page
@require_http_methods(["GET", "POST"])
def facebook(request: AgentRequest, version: str = "") -> HttpResponse:
    """GET /{version}/dialog/oauth; with config_id it is Facebook Login for Business."""
    return _dialog(request, "facebook", tokens.facebook_app())


@agent_page
@require_http_methods(["GET", "POST"])
def instagram(request: AgentRequest) -> HttpResponse:
    """GET /oauth/authorize; the way back ends in `#_`."""
    return _dialog(request, "instagram", tokens.instagram_app())


def _dialog(request: HttpRequest, login: str, app: App) -> HttpResponse:
    asked = request.GET
    problem = _problem(asked.dict(), app)
    context = {"login": login, "cases": CASES, "problem": problem, "chosen": "owner"}
    if problem:
        return render(request, TEMPLATE, context, status=400)
    accounts.create_world()
    if request.method == "GET":
        return render(request, TEMPLATE, context)
    if request.POST.get("cancel"):
        return _back(asked["redirect_uri"], asked.get("state", ""), DENIED)
    case = BY_NAME.get(request.POST.get("case", ""))
    if case is None:
        problem = _("Choose who signs in.")
        return render(request, TEMPLATE, context | {"problem": problem}, status=422)
    code = _issue_code(case, login, asked["redirect_uri"])
    fragment = "#_" if login == "instagram" else ""
    state = asked.get("state", "")
    return _back(asked["redirect_uri"], state, {"code": code}, fragment)


def _problem(asked: dict[str, str], app: App) -> str:
    """Why the dialog cannot be shown, as Meta's own page says; "" if it can."""
    if asked.get("client_id") != app.id:
        return _("Invalid app ID: the ID that was given does not look like a valid app ID.")  # fmt: skip
    if asked.get("response_type", "code") != "code":
        return _("Only the response type “code” is possible.")
    if not _is_ours(asked.get("redirect_uri", "")):
        return _("URL blocked: this address is not listed among the app's valid redirect URIs.")  # fmt: skip
    if not asked.get("scope") and not asked.get("config_id"):
        return _("Invalid scopes: none were asked for.")
    return ""


def _is_ours(redirect_uri: str) -> bool:
    """Nobody but this installation gets a code."""
    given, ours = urlsplit(redirect_uri), urlsplit(settings.PUBLIC_URL)
    return (given.scheme, given.netloc) == (ours.scheme, ours.netloc)


def _issue_code(case: Case, login: str, redirect_uri: str) -> str:
    if login == "facebook":
        return tokens.issue(
            SandboxToken.Kind.CODE,
            case=case.name,
            user_id=case.user_id,
            scopes=grants.granted(case, FACEBOOK_SCOPES),
            lasts=tokens.CODE_LASTS,
            redirect_uri=redirect_uri,
        )
    account = accounts.get_account("instagram", case.instagram)
    return tokens.issue(
        SandboxToken.Kind.CODE,
        account=account,
        case=case.name,
        user_id=account.scoped_id,
        scopes=grants.granted(case, INSTAGRAM_SCOPES),
        lasts=tokens.CODE_LASTS,
        redirect_uri=redirect_uri,
    )


def _back(
    redirect_uri: str, state: str, said: dict[str, str], fragment: str = ""
) -> HttpResponse:
    """Back to where the walk began, by a link of its own: forms may only lead to ourselves."""
    query = urlencode(said | ({"state": state} if state else {}))
    joint = "&" if urlsplit(redirect_uri).query else "?"
    response = HttpResponse(status=302)
    response["Location"] = f"{redirect_uri}{joint}{query}{fragment}"
    return response
