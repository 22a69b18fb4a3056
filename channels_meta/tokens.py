"""What Meta gives for a login, how long it lasts, and how to make it last longer.

Shapes: Facebook Login (Graph API v26.0, "Access Tokens"), Instagram Login ("Business Login for
Instagram", 2026). Tokens are never logged and never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.timezone import now

from channels_meta.errors import TRY_LATER
from channels_meta.graph import GraphClient
from channels_meta.hosts import META, login_hosts
from channels_meta.models import Credential
from channels_meta.sandbox.webhooks import PRETEND_APP_ID
from channels_meta.scopes import INSTAGRAM
from inbox.channels import ErrorClass, SendError

# Meta refreshes an Instagram token that is at least this old and has not expired.
REFRESHABLE_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class App:
    """The Meta app as one login knows it; either is "" where it was not set."""

    id: str
    secret: str

    @property
    def is_known(self) -> bool:
        return bool(self.id and self.secret)

    @property
    def token(self) -> str:
        return f"{self.id}|{self.secret}"


def app_of(flavour: str) -> App:
    """Instagram Login has an app id and a secret of its own, on a page of its own."""
    app_id, secret = settings.META_APP_ID, settings.META_APP_SECRET
    if flavour == INSTAGRAM:
        app_id = settings.META_INSTAGRAM_APP_ID or app_id
        secret = settings.META_INSTAGRAM_APP_SECRET or secret
    if settings.SANDBOX:
        app_id = app_id or str(PRETEND_APP_ID)
    return App(app_id, secret[0] if secret else "")


def app_ids() -> frozenset[str]:
    """Every id by which Meta may name our app."""
    return frozenset(app_of(flavour).id for flavour in Credential.Flavour.values) - {""}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login gave: its token, whose it is (app-scoped), what it may do, until when.

    expires_at: None for never by time. pages: ids of the Pages that were ticked, where Meta
    says so (granular_scopes).
    """

    token: str
    user_id: str = ""
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    data_access_expires_at: datetime | None = None
    pages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What debug_token tells of a token. kind: USER, PAGE, SYSTEM_USER or what Meta adds.

    error_code: of the error that ended it, as "190/460".
    """

    is_valid: bool
    kind: str
    user_id: str
    profile_id: str
    scopes: tuple[str, ...]
    pages: tuple[str, ...]
    expires_at: datetime | None
    data_access_expires_at: datetime | None
    error_code: str


# --- from the code of a login to a token that lasts ----------------------------------------------


def exchange_code(flavour: str, code: str, redirect_uri: str) -> Grant:
    """The code of a login for a token of about 60 days. Raises SendError."""
    exchange = _exchange_instagram if flavour == INSTAGRAM else _exchange_facebook
    return exchange(code, redirect_uri)


def _exchange_facebook(code: str, redirect_uri: str) -> Grant:
    app = app_of(Credential.Flavour.FACEBOOK_LOGIN)
    client = GraphClient.for_token(login_hosts().facebook_graph)
    credentials = {"client_id": app.id, "client_secret": app.secret}
    short = client.get(
        "oauth/access_token", redirect_uri=redirect_uri, code=code, **credentials
    )
    long = client.get(
        "oauth/access_token",
        grant_type="fb_exchange_token",
        fb_exchange_token=_token_of(short),
        **credentials,
    )
    token = _token_of(long)
    facts = inspect(token)
    return Grant(
        token=token,
        user_id=facts.user_id,
        scopes=facts.scopes,
        expires_at=facts.expires_at or _in_seconds(long.get("expires_in")),
        data_access_expires_at=facts.data_access_expires_at,
        pages=facts.pages,
    )


def _exchange_instagram(code: str, redirect_uri: str) -> Grant:
    app = app_of(INSTAGRAM)
    hosts = login_hosts()
    tokens = GraphClient.for_token(hosts.instagram_tokens, version="", with_proof=False)
    answer = tokens.post_form(
        "oauth/access_token",
        client_id=app.id,
        client_secret=app.secret,
        grant_type="authorization_code",
        redirect_uri=redirect_uri,
        code=code,
    )
    short, user_id, scopes = read_instagram_exchange(answer)
    graph = GraphClient.for_token(hosts.instagram_graph, version="", with_proof=False)
    long = graph.get(
        "access_token",
        grant_type="ig_exchange_token",
        client_secret=app.secret,
        access_token=short,
    )
    return Grant(
        token=_token_of(long),
        user_id=user_id,
        scopes=scopes,
        expires_at=_in_seconds(long.get("expires_in")),
    )


def read_instagram_exchange(
    answer: Mapping[str, Any],
) -> tuple[str, str, tuple[str, ...]]:
    """Token, user id and permissions, from either shape: the pages of 2026 wrap them in
    `{"data": [{... "permissions": "a,b"}]}`, the live host answers flat with a list."""
    data = answer.get("data")
    if isinstance(data, list) and data and isinstance(data[0], Mapping):
        answer = data[0]
    permissions = answer.get("permissions") or ()
    if isinstance(permissions, str):
        permissions = permissions.split(",")
    scopes = tuple(str(one).strip() for one in permissions if str(one).strip())
    return str(answer.get("access_token", "")), str(answer.get("user_id", "")), scopes


def refresh(credential: Credential) -> tuple[str, datetime | None]:
    """A new token for an Instagram one, and when that ends. Raises SendError.

    Source: "Business Login for Instagram", Refresh a long-lived token.
    """
    host = credential.graph_base_url or META.instagram_graph
    client = GraphClient.for_token(host, version="", with_proof=False)
    answer = client.get(
        "refresh_access_token",
        grant_type="ig_refresh_token",
        access_token=credential.access_token,
    )
    return _token_of(answer), _in_seconds(answer.get("expires_in"))


def _token_of(answer: Mapping[str, Any]) -> str:
    """Raises SendError for an answer that should hold a token and does not."""
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise SendError(ErrorClass.NOT_TAKEN, TRY_LATER, code="no_token")
    return token


# --- what a token is -----------------------------------------------------------------------------


def inspect(token: str, *, base_url: str = "") -> TokenFacts:
    """GET /debug_token of graph.facebook.com; Instagram's host has no such call. Raises SendError."""
    app = app_of(Credential.Flavour.FACEBOOK_LOGIN)
    host = base_url or login_hosts().facebook_graph
    client = GraphClient.for_token(host, app.token, with_proof=False)
    return read_facts(client.get("debug_token", input_token=token))


def read_facts(answer: Mapping[str, Any]) -> TokenFacts:
    data = answer.get("data")
    data = data if isinstance(data, Mapping) else {}
    error = data.get("error")
    error = error if isinstance(error, Mapping) else {}
    codes = (error.get("code"), error.get("subcode"))
    return TokenFacts(
        is_valid=data.get("is_valid") is True,
        kind=str(data.get("type", "")).upper(),
        user_id=str(data.get("user_id") or ""),
        profile_id=str(data.get("profile_id") or ""),
        scopes=tuple(str(scope) for scope in data.get("scopes") or ()),
        pages=_ticked_pages(data.get("granular_scopes")),
        expires_at=_moment(data.get("expires_at")),
        data_access_expires_at=_moment(data.get("data_access_expires_at")),
        error_code="/".join(str(code) for code in codes if code),
    )


def _ticked_pages(granular: Any) -> tuple[str, ...]:
    """Targets of the Page permissions; those of Instagram ones are other accounts' ids."""
    found: dict[str, None] = {}
    for one in granular if isinstance(granular, list) else ():
        if isinstance(one, Mapping) and str(one.get("scope", "")).startswith("pages_"):
            found |= dict.fromkeys(
                str(target) for target in one.get("target_ids") or ()
            )
    return tuple(found)


def client_for(token: str, flavour: str) -> GraphClient:
    """Calls with a token that belongs to no channel yet, where logins happen."""
    if flavour == INSTAGRAM:
        host = login_hosts().instagram_graph
        return GraphClient.for_token(host, token, with_proof=False)
    return GraphClient.for_token(login_hosts().facebook_graph, token)


def facebook_host(credential: Credential) -> str:
    """Where the app itself is asked about, whichever login connected the account."""
    if credential.flavour == INSTAGRAM or not credential.graph_base_url:
        return login_hosts().facebook_graph
    return credential.graph_base_url


def _in_seconds(value: Any) -> datetime | None:
    """The end of something that lasts `expires_in` seconds; Meta leaves it out for "never"."""
    try:
        seconds = int(value)
    except (TypeError, ValueError):
        return None
    return now() + timedelta(seconds=seconds) if seconds > 0 else None


def _moment(value: Any) -> datetime | None:
    """Unix seconds; 0 is never."""
    try:
        return datetime.fromtimestamp(int(value), UTC) if int(value) > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
