"""The pretend dialogs and token endpoints, walked through as a browser and a server would."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from django.conf import settings
from django.test import Client
from django.utils.timezone import now

from channels_meta.hosts import sandbox_hosts
from channels_meta.sandbox import accounts, clock
from channels_meta.sandbox.login import tokens
from channels_meta.sandbox.models import SandboxAccount, SandboxToken

pytestmark = pytest.mark.django_db(transaction=True)

APP_ID = tokens.PRETEND_APP_ID
BACK = f"{settings.PUBLIC_URL}/meta/connect/back"
FACEBOOK = "/sandbox/login/facebook/v26.0/dialog/oauth"
INSTAGRAM = "/sandbox/login/instagram/oauth/authorize"
LONG = 5183944


def dialog(path: str, **more: str) -> str:
    asked = {
        "client_id": APP_ID,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "pages_messaging",
        "state": "once-only",
    }
    return f"{path}?{urlencode(asked | more)}"


def walk(client: Client, path: str, case: str = "owner", **more: str) -> dict[str, Any]:
    """Continue as somebody. Returns what the way back says."""
    answer = client.post(dialog(path, **more), {"case": case})
    assert answer.status_code == 302, answer.content
    address = urlsplit(answer["Location"])
    said: dict[str, Any] = {
        key: values[0] for key, values in parse_qs(address.query).items()
    }
    return said | {"fragment": address.fragment}


def get(url: str, **params: str) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, params=params, timeout=10)


def post(url: str, **data: str) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, data=data, timeout=10)


def graph(path: str, token: str, method: str = "GET", **params: str) -> Any:
    """A call of graph.facebook.com with a token and its proof."""
    proof = hmac.new(b"app-secret", token.encode(), hashlib.sha256).hexdigest()
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method,
            f"{sandbox_hosts().facebook_graph}/v26.0/{path}",
            params={**params, "appsecret_proof": proof},
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )


def instagram_graph(path: str, token: str, method: str = "GET", **params: str) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method,
            f"{sandbox_hosts().instagram_graph}/{path}",
            params=params,
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )


def facebook_user(client: Client, case: str = "owner") -> str:
    """A long-lived token of whoever signed in."""
    code = walk(client, FACEBOOK, case)["code"]
    short = exchange(code).json()["access_token"]
    url = f"{sandbox_hosts().facebook_graph}/v26.0/oauth/access_token"
    long = get(
        url,
        grant_type="fb_exchange_token",
        client_id=APP_ID,
        client_secret="app-secret",
        fb_exchange_token=short,
    ).json()
    assert long["expires_in"] == LONG
    return str(long["access_token"])


def exchange(given_code: str, **more: str) -> Any:
    url = f"{sandbox_hosts().facebook_graph}/v26.0/oauth/access_token"
    given = {
        "client_id": APP_ID,
        "client_secret": "app-secret",
        "redirect_uri": BACK,
        "code": given_code,
    }
    return get(url, **(given | more))


def instagram_exchange(code: str, **more: str) -> Any:
    given = {
        "client_id": APP_ID,
        "client_secret": "instagram-app-secret",
        "grant_type": "authorization_code",
        "redirect_uri": BACK,
        "code": code,
    }
    url = f"{sandbox_hosts().instagram_tokens}/oauth/access_token"
    return post(url, **(given | more))


def instagram_user(client: Client, case: str = "owner") -> str:
    """A long-lived token of whoever signed in."""
    code = walk(client, INSTAGRAM, case)["code"]
    short = instagram_exchange(code).json()["access_token"]
    answer = get(
        f"{sandbox_hosts().instagram_graph}/access_token",
        grant_type="ig_exchange_token",
        client_secret="instagram-app-secret",
        access_token=short,
    )
    return str(answer.json()["access_token"])


# --- the dialogs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [FACEBOOK, INSTAGRAM])
def test_the_dialog_offers_everybody_and_goes_back_with_code_and_state(
    agent_client: Client, path: str
) -> None:
    page = agent_client.get(dialog(path)).content.decode()

    names = ("owner", "no_moderate", "no_role", "not_professional", "messages_off")
    assert all(f'value="{name}"' in page for name in (*names, "declined"))
    back = walk(agent_client, path)
    assert back["state"] == "once-only"
    assert back["fragment"] == ("_" if path == INSTAGRAM else "")
    assert SandboxToken.objects.get(kind="code").redirect_uri == BACK


@pytest.mark.parametrize("path", [FACEBOOK, INSTAGRAM])
def test_cancelling_goes_back_with_access_denied(
    agent_client: Client, path: str
) -> None:
    answer = agent_client.post(dialog(path), {"cancel": "1", "case": "owner"})

    said = parse_qs(urlsplit(answer["Location"]).query)
    assert said["error"] == ["access_denied"]
    assert said["error_reason"] == ["user_denied"]
    assert said["state"] == ["once-only"]
    assert not SandboxToken.objects.exists()


@pytest.mark.parametrize(
    "more",
    [
        {"redirect_uri": "https://elsewhere.example/back"},
        {"redirect_uri": f"{settings.PUBLIC_URL}.elsewhere.example/"},
        {"client_id": "1"},
        {"response_type": "token"},
        {"scope": ""},
    ],
)
def test_nobody_else_gets_a_code(agent_client: Client, more: dict[str, str]) -> None:
    for path in (FACEBOOK, INSTAGRAM):
        answer = agent_client.post(dialog(path, **more), {"case": "owner"})

        assert answer.status_code == 400
    assert not SandboxToken.objects.exists()


def test_the_dialogs_are_behind_the_sign_in(client: Client, db: None) -> None:
    for path in (FACEBOOK, INSTAGRAM):
        assert client.get(dialog(path)).status_code == 302
        assert client.post(dialog(path), {"case": "owner"}).status_code == 302
    assert not SandboxToken.objects.exists()


def test_whoever_is_not_on_the_list_cannot_sign_in(agent_client: Client) -> None:
    answer = agent_client.post(dialog(FACEBOOK), {"case": "stranger"})

    assert answer.status_code == 422


# --- codes -------------------------------------------------------------------------------------------


def test_a_code_is_good_once(asgi_server: str, agent_client: Client) -> None:
    code = walk(agent_client, FACEBOOK)["code"]

    first, second = exchange(code), exchange(code)

    assert first.json()["token_type"] == "bearer"
    error = second.json()["error"]
    assert (second.status_code, error["code"], error["error_subcode"]) == (
        400,
        100,
        36009,
    )


def test_a_code_is_good_for_an_hour(asgi_server: str, agent_client: Client) -> None:
    code = walk(agent_client, FACEBOOK)["code"]
    SandboxToken.objects.update(issued_at=now() - timedelta(hours=1))

    assert exchange(code).json()["error"]["error_subcode"] == 36009


@pytest.mark.parametrize(
    "more",
    [
        {"redirect_uri": f"{BACK}/elsewhere"},
        {"client_secret": "wrong"},
        {"client_id": "1"},
        {"code": "made-up"},
    ],
)
def test_a_code_needs_what_it_was_given_for(
    asgi_server: str, agent_client: Client, more: dict[str, str]
) -> None:
    code = walk(agent_client, FACEBOOK)["code"]

    assert exchange(code, **more).status_code == 400
    assert exchange(code).status_code == 200


def test_instagram_answers_and_refuses_flat(
    asgi_server: str, agent_client: Client
) -> None:
    code = walk(agent_client, INSTAGRAM)["code"]

    given, refused = instagram_exchange(code), instagram_exchange(code)

    answer = given.json()
    assert set(answer) == {"access_token", "user_id", "permissions"}
    assert answer["user_id"] == 26010000000000001
    assert "instagram_business_manage_messages" in answer["permissions"]
    assert refused.status_code == 400
    assert refused.json() == {
        "error_type": "OAuthException",
        "code": 400,
        "error_message": "Matching code was not found or was already used",
    }


# --- Facebook: Pages ---------------------------------------------------------------------------------


def test_the_owner_sees_both_pages_and_the_accounts_linked_to_them(
    asgi_server: str, agent_client: Client
) -> None:
    user = facebook_user(agent_client)

    pages = graph("me/accounts", user, fields="id,name,access_token,tasks").json()

    first, second = pages["data"]
    assert (first["id"], second["id"]) == ("1055501", "1055502")
    assert {"MESSAGING", "MODERATE"} <= set(first["tasks"])
    linked = graph(
        second["id"], second["access_token"], fields="instagram_business_account{id}"
    ).json()
    assert linked["instagram_business_account"] == {"id": "17841400002"}


def test_pages_come_in_pages(asgi_server: str, agent_client: Client) -> None:
    user = facebook_user(agent_client)

    first = graph("me/accounts", user, limit="1", fields="id").json()
    after = first["paging"]["cursors"]["after"]
    second = graph("me/accounts", user, limit="1", fields="id", after=after).json()

    assert "next" in first["paging"]
    assert "next" not in second["paging"]
    ids = [page["id"] for page in (*first["data"], *second["data"])]
    assert ids == ["1055501", "1055502"]


def test_a_short_list_is_told_in_full_by_debug_token(
    asgi_server: str, agent_client: Client
) -> None:
    user = facebook_user(agent_client, "granular")

    listed = graph("me/accounts", user).json()["data"]
    facts = debug(user)

    assert [page["id"] for page in listed] == ["1055501"]
    granular = {one["scope"]: one.get("target_ids") for one in facts["granular_scopes"]}
    assert granular["pages_messaging"] == ["1055501", "1055502"]
    page = graph("1055502", user, fields="access_token").json()
    assert graph("me", page["access_token"]).json()["id"] == "1055502"


def debug(token: str) -> Any:
    url = f"{sandbox_hosts().facebook_graph}/v26.0/debug_token"
    answer = get(url, input_token=token, access_token=f"{APP_ID}|app-secret")
    return answer.json()["data"]


def test_debug_token_knows_what_a_token_is(
    asgi_server: str, agent_client: Client
) -> None:
    user = facebook_user(agent_client)
    page = graph("1055501", user, fields="access_token").json()["access_token"]

    facts = debug(page)

    assert (facts["type"], facts["profile_id"], facts["expires_at"]) == (
        "PAGE",
        "1055501",
        0,
    )
    assert facts["is_valid"] is True
    assert facts["user_id"] == "10150000000000001"
    tokens.kill(accounts.get_account("messenger", "1055501"), 460)
    killed = debug(page)
    assert killed["is_valid"] is False
    assert (killed["error"]["code"], killed["error"]["subcode"]) == (190, 460)


def test_debug_token_asks_for_the_app(asgi_server: str, agent_client: Client) -> None:
    user = facebook_user(agent_client)
    url = f"{sandbox_hosts().facebook_graph}/v26.0/debug_token"

    assert get(url, input_token=user, access_token=user).status_code == 401
    assert get(url, input_token=user, access_token=f"{APP_ID}|wrong").status_code == 401


def test_who_has_no_role_sees_no_page(asgi_server: str, agent_client: Client) -> None:
    user = facebook_user(agent_client, "no_role")

    assert graph("me/accounts", user).json() == {"data": []}
    assert graph("1055501", user, fields="name").json()["error"]["code"] == 100


def test_what_was_declined_is_not_granted(
    asgi_server: str, agent_client: Client
) -> None:
    user = facebook_user(agent_client, "declined")
    page = graph("1055501", user, fields="access_token").json()["access_token"]

    assert "pages_messaging" not in debug(user)["scopes"]
    permissions = graph("me/permissions", user).json()["data"]
    assert {"permission": "pages_messaging", "status": "declined"} in permissions
    answer = graph("me/conversations", page)
    assert answer.json()["error"]["code"] == 10


def test_without_moderate_nothing_is_subscribed(
    asgi_server: str, agent_client: Client
) -> None:
    user = facebook_user(agent_client, "no_moderate")
    page = graph("1055501", user, fields="access_token").json()["access_token"]

    answer = graph(
        "1055501/subscribed_apps", page, "POST", subscribed_fields="messages"
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 200)
    assert SandboxAccount.objects.get(external_id="1055501").subscribed_fields == []


def test_a_page_without_instagram_says_so(
    asgi_server: str, agent_client: Client
) -> None:
    user = facebook_user(agent_client, "not_professional")
    page = graph("1055503", user, fields="access_token").json()["access_token"]

    linked = graph("1055503", page, fields="instagram_business_account").json()
    refused = graph("1055503/conversations", page, platform="instagram").json()

    assert linked == {"id": "1055503"}
    assert refused["error"]["error_subcode"] == 2534013


def test_access_to_messages_may_be_switched_off(
    asgi_server: str, agent_client: Client
) -> None:
    user = facebook_user(agent_client, "messages_off")
    page = graph("1055501", user, fields="access_token").json()["access_token"]

    refused = graph("1055501/conversations", page, platform="instagram")
    allowed = graph("1055501/conversations", page, platform="messenger")

    error = refused.json()["error"]
    assert (error["code"], error["error_subcode"]) == (200, 2534041)
    assert allowed.status_code == 200


# --- subscriptions -----------------------------------------------------------------------------------


def test_a_page_subscribes_and_unsubscribes(
    asgi_server: str, agent_client: Client
) -> None:
    user = facebook_user(agent_client)
    page = graph("1055501", user, fields="access_token").json()["access_token"]
    path = "1055501/subscribed_apps"

    before = graph(path, page).json()
    made = graph(path, page, "POST", subscribed_fields='["messages","feed"]').json()
    there = graph(path, page).json()["data"]
    ended = graph(path, page, "DELETE").json()

    assert before == {"data": []}
    assert made == {"success": "true"}  # as a word, as one of Meta's pages has it
    assert (there[0]["id"], there[0]["subscribed_fields"]) == (
        APP_ID,
        ["feed", "messages"],
    )
    assert ended == {"success": True}
    assert graph(path, page).json() == {"data": []}


def test_one_unknown_field_fails_the_whole_subscription(
    asgi_server: str, agent_client: Client
) -> None:
    token = instagram_user(agent_client)
    path = "v26.0/17841400001/subscribed_apps"

    refused = instagram_graph(path, token, "POST", subscribed_fields="messages,likes")

    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (400, 100)
    assert "subscribed_fields[1]" in error["message"]
    assert instagram_graph(path, token).json() == {"data": []}


def test_instagram_subscribes_by_its_number_alone(
    asgi_server: str, agent_client: Client
) -> None:
    token = instagram_user(agent_client)

    by_me = instagram_graph("v26.0/me/subscribed_apps", token, "POST", subscribed_fields="messages")  # fmt: skip
    by_number = instagram_graph("v26.0/17841400001/subscribed_apps", token, "POST", subscribed_fields="messages")  # fmt: skip

    assert by_me.json()["error"]["message"] == "Unsupported request - method type: post"
    assert by_number.json() == {"success": True}


# --- Instagram Login ---------------------------------------------------------------------------------


def test_an_account_has_two_numbers_at_instagram(
    asgi_server: str, agent_client: Client
) -> None:
    token = instagram_user(agent_client)

    me = instagram_graph("me", token, fields="user_id,username,name,account_type")

    assert me.json() == {
        "id": "26010000000000001",
        "user_id": "17841400001",
        "username": "maison.tilila",
        "name": "Maison Tilila",
        "account_type": "BUSINESS",
    }


def test_a_personal_account_is_none_to_connect(
    asgi_server: str, agent_client: Client
) -> None:
    token = instagram_user(agent_client, "not_professional")

    me = instagram_graph("me", token, fields="account_type").json()
    refused = instagram_graph("v26.0/me/conversations", token).json()

    assert me["account_type"] == "PERSONAL"
    assert refused["error"]["code"] == 36103


def refresh(token: str) -> Any:
    url = f"{sandbox_hosts().instagram_graph}/refresh_access_token"
    return get(url, grant_type="ig_refresh_token", access_token=token)


def age_tokens(by: timedelta) -> None:
    clock.shift_account(account=accounts.get_account("instagram", "17841400001"), by=by)


def test_an_instagram_token_is_refreshed_after_a_day_and_before_sixty(
    asgi_server: str, agent_client: Client
) -> None:
    token = instagram_user(agent_client)

    too_early = refresh(token)
    age_tokens(timedelta(hours=24))
    in_time = refresh(token).json()
    age_tokens(timedelta(days=60))
    too_late = refresh(token).json()

    assert too_early.json()["error"]["code"] == 100
    assert in_time["token_type"] == "bearer"
    assert in_time["expires_in"] == LONG
    error = too_late["error"]
    assert (error["code"], error["error_subcode"]) == (190, 463)


def test_a_faster_clock_ends_a_token_sooner(
    asgi_server: str, agent_client: Client
) -> None:
    token = instagram_user(agent_client)
    age_tokens(timedelta(seconds=60))

    clock.run_at(LONG / 30)

    assert instagram_graph("me", token).json()["error"]["error_subcode"] == 463
