"""Logins at Meta: out with a state, back with a code, and what they offer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests
import responses
from django.db import connection
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from channels_meta.models import Credential, LoginAttempt
from inbox.models import Agent, Channel, Import
from tests.channels_meta.connect.conftest import (
    ALL_INSTAGRAM_SCOPES,
    ALL_SCOPES,
    APP_ID,
    FACEBOOK,
    FACEBOOK_USER,
    INSTAGRAM,
    INSTAGRAM_APP_ID,
    INSTAGRAM_TOKEN,
    PAGE_TOKEN,
    TOKENS,
    USER_TOKEN,
    Walk,
    answer_facebook_login,
    answer_instagram_login,
    answer_page,
    make_admin,
    page,
    token_facts,
)
from tests.conftest import INSTAGRAM_ID, PAGE_ID, make_meta_channel

pytestmark = pytest.mark.django_db
Meta = responses.RequestsMock


@pytest.fixture
def facebook(admin_client: Client, meta_itself: Meta) -> Walk:
    return Walk(admin_client, "facebook")


@pytest.fixture
def instagram_login(admin_client: Client, meta_itself: Meta) -> Walk:
    return Walk(admin_client, "instagram")


def choose(walk: Walk, *keys: str, **more: Any) -> Any:
    attempt = LoginAttempt.objects.latest("pk")
    path = f"/meta/connect/logins/{attempt.pk}/"
    return walk.client.post(path, {"account": keys, **more}, follow=True)


MESSENGER, INSTAGRAM_ACCOUNT = f"messenger:{PAGE_ID}", f"instagram:{INSTAGRAM_ID}"


# --- the door ------------------------------------------------------------------------------------

PLACES = ["/meta/connect/", "/meta/connect/by-hand/", "/meta/connect/logins/1/"]


@pytest.mark.parametrize("path", PLACES)
def test_who_may_not_connect_accounts_sees_nothing(
    agent_client: Client, path: str
) -> None:
    assert agent_client.get(path).status_code == 403


@pytest.mark.parametrize("path", PLACES)
def test_whoever_is_signed_out_is_asked_to_sign_in(client: Client, path: str) -> None:
    assertRedirects(
        client.get(path), f"/admin/login/?next={path}", fetch_redirect_response=False
    )


def test_a_login_begins_with_a_click_and_not_with_a_link(admin_client: Client) -> None:
    assert admin_client.get("/meta/connect/facebook/start/").status_code == 405
    assert not LoginAttempt.objects.exists()


def test_there_is_no_third_login(admin_client: Client) -> None:
    assert admin_client.post("/meta/connect/myspace/start/").status_code == 404
    assert admin_client.get("/meta/connect/myspace/return/").status_code == 404


@pytest.mark.parametrize("channel", ["4711", "x", "-1"])
def test_only_an_account_there_is_can_be_reconnected(
    admin_client: Client, channel: str
) -> None:
    path = "/meta/connect/facebook/start/"

    assert admin_client.post(path, {"channel": channel}).status_code == 404


def test_somebody_elses_login_is_not_to_be_found(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()
    other = Client()
    other.force_login(make_admin("hanae"))

    path = f"/meta/connect/logins/{LoginAttempt.objects.get().pk}/"

    assert other.get(path).status_code == 404


def test_without_an_app_the_page_says_what_to_set(
    admin_client: Client, meta_itself: Meta, settings: Any
) -> None:
    settings.META_APP_ID = settings.META_INSTAGRAM_APP_ID = ""

    shown = admin_client.get("/meta/connect/")

    assertContains(shown, "META_APP_ID, META_APP_SECRET")
    assertNotContains(shown, "Continue with Facebook")


# --- out -----------------------------------------------------------------------------------------


def test_facebook_is_asked_for_our_permissions_and_to_come_back_here(
    facebook: Walk,
) -> None:
    facebook.begin()

    assert facebook.dialog.startswith("https://www.facebook.com/v26.0/dialog/oauth?")
    assert facebook.asked == {
        "client_id": APP_ID,
        "redirect_uri": "https://dexra.example/meta/connect/facebook/return/",
        "response_type": "code",
        "state": LoginAttempt.objects.get().state,
        "scope": ",".join(ALL_SCOPES),
    }


def test_a_configuration_of_login_for_business_takes_the_place_of_permissions(
    facebook: Walk, settings: Any
) -> None:
    settings.META_LOGIN_CONFIG_ID = "777"

    facebook.begin()

    assert facebook.asked["config_id"] == "777"
    assert "scope" not in facebook.asked


def test_instagram_is_asked_with_its_own_app_id(instagram_login: Walk) -> None:
    instagram_login.begin()

    assert instagram_login.dialog.startswith(
        "https://www.instagram.com/oauth/authorize?"
    )
    assert instagram_login.asked["client_id"] == INSTAGRAM_APP_ID
    assert instagram_login.asked["scope"] == ",".join(ALL_INSTAGRAM_SCOPES)


def test_whoever_declined_is_asked_again(facebook: Walk, instagram_login: Walk) -> None:
    assert facebook.begin(again="1").asked["auth_type"] == "rerequest"
    assert instagram_login.begin(again="1").asked["force_reauth"] == "true"


def test_every_login_has_a_state_of_its_own(facebook: Walk) -> None:
    states = {facebook.begin().state for _ in range(3)}

    assert len(states) == 3
    assert all(len(state) >= 40 for state in states)


# --- back ----------------------------------------------------------------------------------------


def test_a_state_counts_once(facebook: Walk, meta_itself: Meta) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()

    again = facebook.come_back()

    assertContains(again, "This login was already used", status_code=400)


def test_a_state_of_another_browser_is_refused(
    facebook: Walk, admin: Agent, meta_itself: Meta
) -> None:
    facebook.begin()
    facebook.client = Client()
    facebook.client.force_login(admin)

    refused = facebook.come_back()

    assertContains(refused, "This login was not begun here", status_code=400)
    assert LoginAttempt.objects.get().used_at is None


@pytest.mark.parametrize("state", ["", "made-up", "ü"])
def test_a_made_up_state_is_refused(facebook: Walk, state: str) -> None:
    refused = facebook.begin().come_back(state=state)

    assertContains(refused, "This login was not begun here", status_code=400)


def test_a_state_of_the_other_login_is_refused(
    facebook: Walk, instagram_login: Walk
) -> None:
    instagram_login.state = facebook.begin().state

    assert instagram_login.come_back().status_code == 400


def test_a_state_lasts_a_quarter_of_an_hour(facebook: Walk) -> None:
    facebook.begin()
    LoginAttempt.objects.update(created_at=now() - timedelta(minutes=16))

    assertContains(facebook.come_back(), "This login took too long")


def test_cancelling_says_that_nothing_happened(facebook: Walk) -> None:
    shown = facebook.begin().come_back(
        code="",
        error="access_denied",
        error_reason="user_denied",
        error_description="The user denied your request.",
    )

    assertContains(shown, "You cancelled the login")
    assertContains(shown, "Nothing was connected, and nothing has changed.")
    assert not Channel.objects.exists()


def test_a_code_that_was_used_is_explained(
    instagram_login: Walk, meta_itself: Meta
) -> None:
    answer = {
        "error_type": "OAuthException",
        "code": 400,
        "error_message": "Invalid code",
    }
    meta_itself.post(f"{TOKENS}/oauth/access_token", json=answer, status=400)

    shown = instagram_login.begin().come_back()

    assertContains(shown, "Meta did not accept its own answer")


def test_a_wrong_app_secret_is_named(facebook: Walk, meta_itself: Meta) -> None:
    error = {
        "message": "Error validating client secret.",
        "type": "OAuthException",
        "code": 1,
    }
    meta_itself.get(f"{FACEBOOK}/oauth/access_token", json={"error": error}, status=400)

    shown = facebook.begin().come_back()

    assertContains(shown, "Meta does not know this app")
    assertContains(shown, "META_APP_SECRET")


def test_a_meta_that_is_away_is_not_taken_for_a_refusal(
    facebook: Walk, meta_itself: Meta
) -> None:
    meta_itself.get(
        f"{FACEBOOK}/oauth/access_token", body=requests.exceptions.ConnectTimeout()
    )

    shown = facebook.begin().come_back()

    assertContains(shown, "Meta did not answer")
    assertContains(shown, "Try again in a few minutes.")


def test_the_code_is_exchanged_for_a_token_that_lasts(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)

    facebook.begin().come_back(code="AQB-code#_")

    first, second = (call.request.params for call in list(meta_itself.calls)[:2])  # type: ignore[attr-defined]
    assert first["code"] == "AQB-code"
    assert first["redirect_uri"] == facebook.asked["redirect_uri"]
    assert second["grant_type"] == "fb_exchange_token"
    attempt = LoginAttempt.objects.get()
    assert (attempt.access_token, attempt.user_id) == (USER_TOKEN, FACEBOOK_USER)


# --- what is offered -----------------------------------------------------------------------------


def test_pages_and_their_instagram_accounts_are_offered(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)

    shown = facebook.begin().come_back()

    assertContains(shown, f'value="{MESSENGER}"')
    assertContains(shown, f'value="{INSTAGRAM_ACCOUNT}"')


def test_no_token_is_in_what_the_admin_sees(facebook: Walk, meta_itself: Meta) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)

    offered = facebook.begin().come_back()
    connected = choose(facebook, MESSENGER, INSTAGRAM_ACCOUNT)

    for shown in (offered, connected):
        for token in (USER_TOKEN, PAGE_TOKEN, "app-secret"):
            assertNotContains(shown, token)
    with connection.cursor() as cursor:
        cursor.execute("select access_token, accounts from channels_meta_loginattempt")
        assert PAGE_TOKEN not in str(cursor.fetchall())


def test_a_list_of_pages_is_read_to_its_end(facebook: Walk, meta_itself: Meta) -> None:
    answer_facebook_login(meta_itself)
    meta_itself.remove("GET", f"{FACEBOOK}/me/accounts")
    first = {
        "data": [page(str(number)) for number in range(1, 4)],
        "paging": {"cursors": {"after": "QVFI"}, "next": "https://elsewhere.example/"},
    }
    meta_itself.get(f"{FACEBOOK}/me/accounts", json=first)
    meta_itself.get(
        f"{FACEBOOK}/me/accounts",
        json={"data": [page("4")]},
        match=[
            responses.matchers.query_param_matcher(
                {"after": "QVFI"}, strict_match=False
            )
        ],
    )
    for number in range(1, 5):
        answer_page(meta_itself, page_id=str(number), instagram=None)

    shown = facebook.begin().come_back()

    for number in range(1, 5):
        assertContains(shown, f'value="messenger:{number}"')


def test_pages_that_only_the_consent_names_are_found(
    facebook: Walk, meta_itself: Meta
) -> None:
    """With granular consent /me/accounts may come back empty."""
    granular = [
        {"scope": "pages_messaging", "target_ids": [PAGE_ID]},
        {"scope": "instagram_basic", "target_ids": [INSTAGRAM_ID]},
    ]
    answer_facebook_login(meta_itself, pages=[], granular=granular)
    answer_page(meta_itself)

    shown = facebook.begin().come_back()

    assertContains(shown, f'value="{MESSENGER}"')
    assertContains(shown, f'value="{INSTAGRAM_ACCOUNT}"')


def test_who_has_no_role_on_any_page_is_told_so(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[])

    shown = facebook.begin().come_back()

    assertContains(shown, "This login offers no Facebook Page")
    assertContains(shown, "Ask the Page&#x27;s owner for access")


def test_a_missing_task_is_named_and_nothing_can_be_chosen(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page(tasks=["ANALYZE", "MESSAGING"])])
    answer_page(meta_itself)

    shown = facebook.begin().come_back()

    assertContains(shown, "You may not handle the messages of this Page")
    assertContains(shown, "<li>MODERATE</li>", html=True)
    assertNotContains(shown, 'name="account"')


def test_a_page_without_instagram_can_still_be_connected_itself(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself, instagram=None)

    shown = facebook.begin().come_back()

    assertContains(shown, f'value="{MESSENGER}"')
    assertContains(shown, "No Instagram account is linked to this Page")


def test_a_declined_permission_is_named_with_what_it_is_for(
    facebook: Walk, meta_itself: Meta
) -> None:
    granted = [scope for scope in ALL_SCOPES if scope != "pages_messaging"]
    answer_facebook_login(meta_itself, pages=[page()], scopes=granted)
    answer_page(meta_itself)

    shown = facebook.begin().come_back()

    assertContains(shown, "A permission was declined")
    assertContains(shown, "read and answer messages to your Page (pages_messaging)")
    assertNotContains(shown, f'value="{MESSENGER}"')
    assertContains(shown, f'value="{INSTAGRAM_ACCOUNT}"')


def test_switched_off_messages_are_told_with_the_way_to_the_switch(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself, switched_off=True)

    shown = facebook.begin().come_back()

    assertContains(shown, "Access to messages is switched off in Instagram")
    assertContains(shown, "Allow access to messages")
    assertContains(shown, "200/2534041")
    assertNotContains(shown, f'value="{INSTAGRAM_ACCOUNT}"')


def test_a_personal_instagram_account_is_told_how_to_become_professional(
    instagram_login: Walk, meta_itself: Meta
) -> None:
    answer_instagram_login(meta_itself, account_type="PERSONAL")

    shown = instagram_login.begin().come_back()

    assertContains(shown, "This is a personal Instagram account")
    assertContains(shown, "Switch to professional account")


@pytest.mark.parametrize(
    ("code", "subcode", "words"),
    [
        (10, 2534077, "Instagram and the Facebook Page have come apart"),
        (36103, None, "Meta does not allow this Instagram account to be connected"),
        (10, None, "Meta does not let your app do this for this account yet"),
        (2, None, "Meta did not answer"),
        (4, None, "Meta asks us to slow down"),
        (190, 460, "The login has already ended"),
    ],
)
def test_each_refusal_of_an_account_has_its_own_words(
    instagram_login: Walk, meta_itself: Meta, code: int, subcode: int | None, words: str
) -> None:
    answer_instagram_login(meta_itself)
    url = f"{INSTAGRAM}/v26.0/{INSTAGRAM_ID}/conversations"
    meta_itself.remove("GET", url)
    error = {"message": "…", "code": code} | (
        {"error_subcode": subcode} if subcode else {}
    )
    meta_itself.get(url, json={"error": error}, status=400)

    shown = instagram_login.begin().come_back()

    assertContains(shown, words)


# --- connect -------------------------------------------------------------------------------------


def test_what_is_ticked_becomes_a_channel_with_its_token_encrypted(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()

    shown = choose(facebook, MESSENGER)

    channel = Channel.objects.get()
    credential = channel.meta
    assert (channel.kind, channel.external_id, channel.status) == (
        "messenger",
        PAGE_ID,
        "active",
    )
    assert (credential.access_token, credential.user_id) == (PAGE_TOKEN, FACEBOOK_USER)
    assert (credential.tasks, credential.token_expires_at) == (
        ["ADVERTISE", "ANALYZE", "CREATE_CONTENT", "MESSAGING", "MODERATE", "MANAGE"],
        None,
    )
    with connection.cursor() as cursor:
        cursor.execute("select access_token from channels_meta_credential")
        assert PAGE_TOKEN not in cursor.fetchone()[0]
    assertContains(shown, "18 of 18 kinds of events.")
    assertContains(shown, "write a message to this account from another one")
    assert Import.objects.get().reason == "connected"


def test_an_instagram_account_behind_a_page_speaks_with_the_pages_token(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()

    choose(facebook, INSTAGRAM_ACCOUNT)

    channel = Channel.objects.get()
    assert (channel.kind, channel.external_id) == ("instagram", INSTAGRAM_ID)
    assert channel.username == "maison.tilila"
    assert (channel.meta.node_id, channel.meta.access_token) == (PAGE_ID, PAGE_TOKEN)


def test_instagram_login_keeps_a_token_of_sixty_days(
    instagram_login: Walk, meta_itself: Meta
) -> None:
    answer_instagram_login(meta_itself)
    instagram_login.begin().come_back()

    choose(instagram_login, INSTAGRAM_ACCOUNT)

    credential = Credential.objects.get()
    assert (credential.flavour, credential.access_token) == (
        "instagram",
        INSTAGRAM_TOKEN,
    )
    assert credential.token_expires_at is not None
    assert (credential.token_expires_at - now()).days == 59


def test_nothing_ticked_is_said_and_nothing_done(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()

    shown = choose(facebook)

    assertContains(shown, "Choose at least one account.", status_code=422)
    assert not Channel.objects.exists()


def test_what_was_not_offered_cannot_be_chosen(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page(tasks=["ANALYZE"])])
    answer_page(meta_itself)
    facebook.begin().come_back()

    assert choose(facebook, MESSENGER).status_code == 422
    assert choose(facebook, "messenger:4711").status_code == 422
    assert not Channel.objects.exists()


def test_a_choice_is_open_for_an_hour(facebook: Walk, meta_itself: Meta) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()
    LoginAttempt.objects.update(created_at=now() - timedelta(minutes=61))

    shown = choose(facebook, MESSENGER)

    assertContains(shown, "This login is over.")
    assert not Channel.objects.exists()


def test_the_logins_token_is_forgotten_once_everything_is_connected(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()

    choose(facebook, MESSENGER)
    assert LoginAttempt.objects.get().access_token == USER_TOKEN
    choose(facebook, INSTAGRAM_ACCOUNT)

    assert LoginAttempt.objects.get().access_token == ""


def test_an_account_that_could_not_be_subscribed_is_connected_and_says_so(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    url = f"{FACEBOOK}/{PAGE_ID}/subscribed_apps"
    meta_itself.remove("POST", url)
    meta_itself.post(url, json={"error": {"message": "…", "code": 200}}, status=403)
    facebook.begin().come_back()

    shown = choose(facebook, MESSENGER)

    assertContains(shown, "Meta reports nothing of this account to Dexra yet")
    assertContains(shown, "Subscribe again")


def test_the_human_agent_feature_is_the_admins_word(
    facebook: Walk, meta_itself: Meta
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()

    choose(facebook, MESSENGER, human_agent="1")

    assert Channel.objects.get().features == ["human_agent"]


# --- by hand -------------------------------------------------------------------------------------


def enter(client: Client, flavour: str, token: str) -> Any:
    data = {"flavour": flavour, "token": token}
    return client.post("/meta/connect/by-hand/", data, follow=True)


def test_a_pages_token_offers_that_page(
    admin_client: Client, meta_itself: Meta
) -> None:
    meta_itself.get(f"{FACEBOOK}/debug_token", json=token_facts(type="PAGE"))
    meta_itself.get(f"{FACEBOOK}/me", json={"id": PAGE_ID, "name": "Maison Tilila"})
    answer_page(meta_itself)

    shown = enter(admin_client, "facebook", "EAAG-by-hand")
    choose(Walk(admin_client, "facebook"), MESSENGER)

    assertContains(shown, f'value="{MESSENGER}"')
    assert Credential.objects.get().access_token == "EAAG-by-hand"


def test_an_instagram_token_offers_its_account(
    admin_client: Client, meta_itself: Meta
) -> None:
    answer_instagram_login(meta_itself)

    shown = enter(admin_client, "instagram", "IGAA-by-hand")
    choose(Walk(admin_client, "instagram"), INSTAGRAM_ACCOUNT)

    assertContains(shown, f'value="{INSTAGRAM_ACCOUNT}"')
    assertNotContains(shown, "IGAA-by-hand")
    assert Credential.objects.get().access_token == "IGAA-by-hand"


def test_a_dead_token_is_refused_in_words_about_tokens(
    admin_client: Client, meta_itself: Meta
) -> None:
    error = {"code": 190, "subcode": 463, "message": "…"}
    facts = token_facts(is_valid=False, error=error)
    meta_itself.get(f"{FACEBOOK}/debug_token", json=facts)

    shown = enter(admin_client, "facebook", "EAAG-expired")

    assertContains(shown, "Meta does not accept this token")
    assertContains(shown, "190/463")


def test_an_empty_token_is_asked_for_again(admin_client: Client) -> None:
    assert enter(admin_client, "facebook", " ").status_code == 422


# --- in place ------------------------------------------------------------------------------------


def test_reconnecting_connects_at_once_when_nothing_else_would_change(
    facebook: Walk, meta_itself: Meta, messenger: Channel
) -> None:
    Channel.objects.update(status="needs_reauth", status_reason="The token is dead.")
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)

    shown = facebook.begin(channel=messenger.pk).come_back()

    messenger.refresh_from_db()
    assertContains(shown, "<h1>Connected</h1>", html=True)
    assert (messenger.status, messenger.status_reason) == ("active", "")
    assert messenger.meta.access_token == PAGE_TOKEN


def test_reconnecting_with_a_login_that_lacks_the_account_says_so(
    facebook: Walk, meta_itself: Meta, messenger: Channel
) -> None:
    answer_facebook_login(meta_itself, pages=[page("4711")])
    answer_page(meta_itself, page_id="4711", instagram=None)

    shown = facebook.begin(channel=messenger.pk).come_back()

    assertContains(
        shown, "This login does not offer the account you wanted to reconnect"
    )
    assertContains(shown, 'value="messenger:4711"')


def test_a_move_waits_for_a_yes(facebook: Walk, meta_itself: Meta) -> None:
    make_meta_channel("instagram", INSTAGRAM_ID)
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()

    asked = choose(facebook, INSTAGRAM_ACCOUNT)

    assertContains(asked, "Move an account?")
    assertContains(asked, "Meta stops reporting by the old way")
    assert Credential.objects.get().flavour == "instagram"


def test_a_move_keeps_the_channel_and_lets_the_old_way_go(
    facebook: Walk, meta_itself: Meta
) -> None:
    channel = make_meta_channel("instagram", INSTAGRAM_ID)
    old = meta_itself.delete(
        f"{INSTAGRAM}/v26.0/{INSTAGRAM_ID}/subscribed_apps", json={"success": True}
    )
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()

    choose(facebook, INSTAGRAM_ACCOUNT, move=INSTAGRAM_ACCOUNT)

    moved = Channel.objects.get()
    assert moved.pk == channel.pk
    assert (moved.meta.flavour, moved.meta.node_id) == ("facebook", PAGE_ID)
    assert old.calls[0].request.headers["Authorization"] == "Bearer token-of-tests"


def test_a_token_that_cannot_be_decrypted_does_not_stand_in_the_way(
    facebook: Walk, meta_itself: Meta, messenger: Channel
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update channels_meta_credential set access_token = 'rubbish'")
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    facebook.begin().come_back()

    choose(facebook, MESSENGER)

    assert Credential.objects.get().access_token == PAGE_TOKEN


# --- the way here --------------------------------------------------------------------------------


def test_an_empty_inbox_leads_whoever_may_to_the_first_account(
    admin_client: Client, agent_client: Client
) -> None:
    link = 'href="/meta/connect/"'

    assertContains(admin_client.get("/inbox/all/"), "Connect an account")
    assertContains(admin_client.get("/admin/"), link)
    assertNotContains(agent_client.get("/inbox/all/"), link)
