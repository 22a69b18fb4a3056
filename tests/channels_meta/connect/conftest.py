"""Meta's side of a login, as its documentation and captures show it; an admin on our side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from django.contrib.auth.models import Permission
from django.test import Client

from channels_meta.scopes import FACEBOOK_SCOPES, INSTAGRAM_SCOPES
from inbox.models import Agent
from tests.conftest import INSTAGRAM_ID, PAGE_ID, make_agent

FACEBOOK = "https://graph.facebook.com/v26.0"
INSTAGRAM = "https://graph.instagram.com"
TOKENS = "https://api.instagram.com"
APP_ID, INSTAGRAM_APP_ID = "990001", "880001"
FACEBOOK_USER = "10150000000000001"
PAGE_TOKEN = "EAAG-page-token"
USER_TOKEN = "EAAG-user-token"
INSTAGRAM_TOKEN = "IGAA-long-token"
TASKS = ["ADVERTISE", "ANALYZE", "CREATE_CONTENT", "MESSAGING", "MODERATE", "MANAGE"]
ALL_SCOPES = [scope.name for scope in FACEBOOK_SCOPES]
ALL_INSTAGRAM_SCOPES = [scope.name for scope in INSTAGRAM_SCOPES]
SWITCHED_OFF = {"error": {"message": "…", "type": "IGApiException", "code": 200, "error_subcode": 2534041}}  # fmt: skip


@pytest.fixture
def meta_itself(settings: Any) -> Iterator[responses.RequestsMock]:
    """Not the sandbox but Meta's own hosts, none of which answers unless a test says what."""
    settings.SANDBOX = False
    settings.META_APP_ID = APP_ID
    settings.META_INSTAGRAM_APP_ID = INSTAGRAM_APP_ID
    settings.PUBLIC_URL = "https://dexra.example"
    settings.PUBLIC_IS_LOCAL = False
    with responses.RequestsMock(assert_all_requests_are_fired=False) as meta:
        yield meta


@pytest.fixture
def admin(db: None) -> Agent:
    """Omar, who may connect accounts."""
    return make_admin("omar", email="omar@example.com")


def make_admin(username: str, **fields: Any) -> Agent:
    person = make_agent(username, **fields)
    person.user_permissions.add(
        *Permission.objects.filter(codename__in=["change_channel", "change_credential"])
    )
    return person


@pytest.fixture
def admin_client(admin: Agent) -> Client:
    client = Client()
    client.force_login(admin)
    return client


class Walk:
    """A walk through a login: out by the button, back by Meta's redirect."""

    def __init__(self, client: Client, flavour: str) -> None:
        self.client, self.flavour = client, flavour
        self.dialog = ""
        self.state = ""

    def begin(self, **posted: Any) -> Walk:
        page = self.client.post(f"/meta/connect/{self.flavour}/start/", posted)
        assert page.status_code == 200, page.status_code
        self.dialog = page.context["url"]
        self.state = self.asked["state"]
        return self

    @property
    def asked(self) -> dict[str, str]:
        """What the dialog's address asks for."""
        query = parse_qs(urlsplit(self.dialog).query)
        return {name: values[0] for name, values in query.items()}

    def come_back(self, **said: str) -> Any:
        said = {"state": self.state, "code": "code-of-tests"} | said
        path = f"/meta/connect/{self.flavour}/return/"
        return self.client.get(path, said, follow=True)


def answer_facebook_login(
    meta: responses.RequestsMock,
    *,
    pages: list[dict[str, Any]] | None = None,
    scopes: list[str] | None = None,
    granular: list[dict[str, Any]] | None = None,
) -> None:
    """The exchange of a code, debug_token and /me/accounts."""
    meta.get(
        f"{FACEBOOK}/oauth/access_token",
        json={
            "access_token": USER_TOKEN,
            "token_type": "bearer",
            "expires_in": 5183944,
        },
    )
    meta.get(
        f"{FACEBOOK}/debug_token",
        json=token_facts(scopes=scopes, granular_scopes=granular or []),
    )
    meta.get(f"{FACEBOOK}/me/accounts", json={"data": pages or []})


def token_facts(*, scopes: list[str] | None = None, **facts: Any) -> dict[str, Any]:
    """What debug_token says of a user's token."""
    data = {
        "app_id": APP_ID,
        "type": "USER",
        "is_valid": True,
        "expires_at": 0,
        "data_access_expires_at": 1803106000,
        "scopes": ALL_SCOPES if scopes is None else scopes,
        "user_id": FACEBOOK_USER,
    }
    return {"data": data | facts}


def page(page_id: str = PAGE_ID, **more: Any) -> dict[str, Any]:
    """One entry of /me/accounts."""
    return {
        "id": page_id,
        "name": "Maison Tilila",
        "access_token": PAGE_TOKEN,
        "category": "Clothing store",
        "tasks": TASKS,
    } | more


def answer_page(
    meta: responses.RequestsMock,
    *,
    page_id: str = PAGE_ID,
    instagram: str | None = INSTAGRAM_ID,
    switched_off: bool = False,
) -> None:
    """A Page that may be asked for its token, its Instagram account and its conversations."""
    answer: dict[str, Any] = {
        "id": page_id,
        "name": "Maison Tilila",
        "access_token": PAGE_TOKEN,
    }
    if instagram:
        answer["instagram_business_account"] = {
            "id": instagram,
            "username": "maison.tilila",
        }
    meta.get(f"{FACEBOOK}/{page_id}", json=answer)
    if switched_off:
        meta.get(f"{FACEBOOK}/{page_id}/conversations", json=SWITCHED_OFF, status=403)
    else:
        meta.get(f"{FACEBOOK}/{page_id}/conversations", json={"data": []})
    answer_subscription(meta, f"{FACEBOOK}/{page_id}", APP_ID)


def answer_subscription(
    meta: responses.RequestsMock,
    node_url: str,
    app_id: str,
    fields: list[str] | None = None,
) -> None:
    """POST is taken; GET tells what was asked for last, or `fields`."""
    told: list[str] = list(fields or [])

    def take(request: Any) -> tuple[int, dict[str, str], str]:
        asked = parse_qs(urlsplit(request.url).query)["subscribed_fields"][0]
        if fields is None:
            told[:] = asked.split(",")
        return 200, {}, '{"success": true}'

    def tell(request: Any) -> tuple[int, dict[str, str], str]:
        ours = [{"id": app_id, "name": "Dexra", "subscribed_fields": told}]
        return 200, {}, json.dumps({"data": ours if told else []})

    url = f"{node_url}/subscribed_apps"
    meta.add_callback(responses.POST, url, callback=take)
    meta.add_callback(responses.GET, url, callback=tell)


def answer_instagram_login(
    meta: responses.RequestsMock, *, exchange: dict[str, Any] | None = None, **me: Any
) -> None:
    """The exchange of a code in the live host's flat shape, then /me of the account."""
    meta.post(
        f"{TOKENS}/oauth/access_token",
        json=exchange
        or {
            "access_token": "IGAA-short-token",
            "user_id": 26000000000001,
            "permissions": ALL_INSTAGRAM_SCOPES,
        },
    )
    meta.get(
        f"{INSTAGRAM}/access_token",
        json={
            "access_token": INSTAGRAM_TOKEN,
            "token_type": "bearer",
            "expires_in": 5183944,
        },
    )
    answer = {
        "user_id": INSTAGRAM_ID,
        "id": "26000000000001",
        "username": "maison.tilila",
        "name": "Maison Tilila",
        "account_type": "BUSINESS",
    }
    meta.get(f"{INSTAGRAM}/v26.0/me", json=answer | me)
    meta.get(f"{INSTAGRAM}/v26.0/{INSTAGRAM_ID}/conversations", json={"data": []})
    answer_subscription(meta, f"{INSTAGRAM}/v26.0/{INSTAGRAM_ID}", INSTAGRAM_APP_ID)
