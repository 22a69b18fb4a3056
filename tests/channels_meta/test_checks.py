"""The self-test, as the page and `manage.py check_channel` show it."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
import requests
import responses
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.asserts import assertContains, assertRedirects

from channels_meta.models import Credential, RawEvent
from channels_meta.subscriptions import INSTAGRAM_FIELDS, PAGE_FIELDS
from inbox.models import Channel
from tests.channels_meta.connect.conftest import SWITCHED_OFF, make_admin, token_facts
from tests.conftest import INSTAGRAM_ID, PAGE_ID, make_meta_channel

pytestmark = pytest.mark.django_db
FACEBOOK = "https://graph.facebook.com/v26.0"
INSTAGRAM = "https://graph.instagram.com/v26.0"
CALLBACK = "https://dexra.example/meta/webhook"


@pytest.fixture
def meta(settings: Any) -> Any:
    settings.SANDBOX = False
    settings.META_APP_ID = "990001"
    settings.PUBLIC_URL = "https://dexra.example"
    settings.PUBLIC_IS_LOCAL = False
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_callback(responses.GET, CALLBACK, callback=shake_hands)
        yield mock


def shake_hands(request: Any) -> tuple[int, dict[str, str], str]:
    assert request.params["hub.verify_token"] == "verify-me"
    return 200, {}, request.params["hub.challenge"]


def all_well(meta: Any, *, kind: str = "messenger") -> None:
    is_page = kind == "messenger"
    node = f"{FACEBOOK}/{PAGE_ID}" if is_page else f"{INSTAGRAM}/{INSTAGRAM_ID}"
    fields = PAGE_FIELDS if is_page else INSTAGRAM_FIELDS
    meta.get(f"{FACEBOOK}/{PAGE_ID}", json={"id": PAGE_ID, "name": "Maison Tilila"})
    meta.get(f"{INSTAGRAM}/me", json={"user_id": INSTAGRAM_ID, "id": "2600001"})
    meta.get(f"{FACEBOOK}/debug_token", json=token_facts(type="PAGE"))
    meta.get(f"{node}/conversations", json={"data": []})
    entry = {"id": "990001", "subscribed_fields": list(fields)}
    meta.get(f"{node}/subscribed_apps", json={"data": [entry]})
    meta.get(f"{FACEBOOK}/990001/subscriptions", json=callback())


def callback(**more: Any) -> dict[str, Any]:
    entry = {
        "object": "page",
        "callback_url": CALLBACK,
        "active": True,
        "fields": [{"name": "messages", "version": "v26.0"}],
    } | more
    return {"data": [entry, entry | {"object": "instagram"}]}


def check(account: str) -> str:
    out = StringIO()
    call_command("check_channel", account, stdout=out, no_color=True)
    return out.getvalue()


def refused(account: str) -> tuple[str, str]:
    """What it printed before it ended with 1."""
    out = StringIO()
    with pytest.raises(CommandError) as ended:
        call_command("check_channel", account, stdout=out, no_color=True)
    assert ended.value.returncode == 1
    return out.getvalue(), str(ended.value)


@pytest.mark.parametrize("kind", ["messenger", "instagram"])
def test_a_healthy_account_passes_every_step(meta: Any, kind: str) -> None:
    account = PAGE_ID if kind == "messenger" else INSTAGRAM_ID
    make_meta_channel(kind, account)
    all_well(meta, kind=kind)

    said = check(account)

    assert "Nothing is broken." in said
    for step in (
        "The app's settings",
        "Dexra's address",
        "The account at Meta",
        "Access token",
        "Permissions",
        "Reading messages",
        "What Meta reports",
        "Where Meta posts to",
    ):
        assert step in said


def test_an_account_is_found_by_whatever_people_call_it(
    meta: Any, messenger: Channel
) -> None:
    all_well(meta)
    Channel.objects.update(username="maison.tilila")

    for name in (messenger.public_id, PAGE_ID, "@maison.tilila", "maison tilila"):
        assert "Nothing is broken." in check(name)


def test_a_name_of_two_accounts_is_asked_back(
    messenger: Channel, instagram: Channel
) -> None:
    said, reason = refused("Maison Tilila")

    assert said == ""
    assert messenger.public_id in reason
    assert instagram.public_id in reason


def test_an_unknown_account_is_answered_with_those_there_are(
    messenger: Channel,
) -> None:
    assert f"{messenger.public_id}  Messenger  {PAGE_ID}" in refused("4711")[1]


def test_a_dead_token_is_told_and_nothing_more_is_asked(
    meta: Any, messenger: Channel
) -> None:
    error = {"error": {"message": "…", "code": 190, "error_subcode": 460}}
    meta.get(f"{FACEBOOK}/{PAGE_ID}", json=error, status=400)

    said, reason = refused(PAGE_ID)

    assert "BAD   The account at Meta: The login has already ended" in said
    assert "[190/460]" in said
    assert said.count("Not tried: see above.") == 5
    assert reason.startswith("1 of ")
    messenger.refresh_from_db()
    assert messenger.status == "needs_reauth"


def test_switched_off_messages_are_told_with_the_way_to_the_switch(
    meta: Any, instagram: Channel
) -> None:
    all_well(meta, kind="instagram")
    url = f"{INSTAGRAM}/{INSTAGRAM_ID}/conversations"
    meta.remove("GET", url)
    meta.get(url, json=SWITCHED_OFF, status=403)

    said, _reason = refused(INSTAGRAM_ID)

    assert "Access to messages is switched off in Instagram" in said
    assert "Allow access to messages" in said


def test_an_account_that_proves_well_works_again(meta: Any, messenger: Channel) -> None:
    """The owner has switched messages on again: nobody has to log in for that."""
    all_well(meta)
    Channel.objects.update(status="needs_reauth", status_reason="Switched off.")

    check(PAGE_ID)

    messenger.refresh_from_db()
    assert (messenger.status, messenger.status_reason) == ("active", "")


def test_a_token_of_another_account_is_told(meta: Any, messenger: Channel) -> None:
    all_well(meta)
    meta.replace("GET", f"{FACEBOOK}/{PAGE_ID}", json={"id": "4711"})

    assert "The token belongs to another account (4711)." in refused(PAGE_ID)[0]


def test_an_instagram_account_unlinked_from_its_page_is_told(meta: Any) -> None:
    make_meta_channel("instagram", INSTAGRAM_ID)
    Credential.objects.update(flavour="facebook", node_id=PAGE_ID)
    all_well(meta)

    said, _reason = refused(INSTAGRAM_ID)

    assert "Instagram and the Facebook Page have come apart" in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"data": []}, "The app has no address for “page” at Meta."),
        (
            callback(callback_url="https://old.example/hook"),
            "Meta posts to another address",
        ),
        (callback(fields=[{"name": "feed"}]), "“messages” is not ticked for the app"),
    ],
)
def test_where_meta_posts_to_is_compared_with_where_we_are(
    meta: Any, messenger: Channel, answer: Any, words: str
) -> None:
    all_well(meta)
    meta.replace("GET", f"{FACEBOOK}/990001/subscriptions", json=answer)

    said, _reason = refused(PAGE_ID)

    assert words in said
    assert CALLBACK in said


def test_what_meta_does_not_tell_is_not_called_broken(
    meta: Any, messenger: Channel
) -> None:
    all_well(meta)
    meta.replace("GET", f"{FACEBOOK}/990001/subscriptions", status=404, json={})

    assert "?     Where Meta posts to: Meta does not tell where it posts to." in check(
        PAGE_ID
    )


def test_missing_fields_are_named(meta: Any, messenger: Channel) -> None:
    all_well(meta)
    url = f"{FACEBOOK}/{PAGE_ID}/subscribed_apps"
    entry = {"id": "990001", "subscribed_fields": ["feed"]}
    meta.replace("GET", url, json={"data": [entry]})

    said, _reason = refused(PAGE_ID)

    assert "Missing: messages, messaging_postbacks" in said


def test_an_address_of_this_machine_alone_is_told(
    meta: Any, messenger: Channel, settings: Any
) -> None:
    all_well(meta)
    settings.PUBLIC_IS_LOCAL = True

    assert "Meta cannot reach it" in refused(PAGE_ID)[0]


def test_a_tunnel_that_is_down_is_worth_a_look(meta: Any, messenger: Channel) -> None:
    all_well(meta)
    meta.replace("GET", CALLBACK, body=requests.exceptions.SSLError())

    assert "look  Dexra's address" in check(PAGE_ID)


def test_a_proxy_that_sends_meta_elsewhere_is_told(
    meta: Any, messenger: Channel
) -> None:
    all_well(meta)
    meta.replace("GET", CALLBACK, status=302, body="")

    assert "answers with 302" in refused(PAGE_ID)[0]


def test_a_missing_app_secret_is_told_first(
    meta: Any, messenger: Channel, settings: Any
) -> None:
    all_well(meta)
    settings.META_APP_SECRET = settings.META_INSTAGRAM_APP_SECRET = []

    said, _reason = refused(PAGE_ID)

    assert said.splitlines()[1].startswith("BAD   The app's settings")


def test_an_account_without_a_token_is_told_what_to_do(
    meta: Any, messenger: Channel
) -> None:
    Credential.objects.all().delete()

    assert "-> Connect it again." in refused(PAGE_ID)[0]


# --- the page ------------------------------------------------------------------------------------


def test_the_page_shows_the_same_steps(meta: Any, messenger: Channel) -> None:
    all_well(meta)
    client = Client()
    client.force_login(make_admin("omar"))

    shown = client.post(f"/meta/connect/channels/{messenger.pk}/test/")

    assertContains(shown, "Nothing is broken")
    assertContains(shown, "answers Meta&#x27;s handshake.")


def test_opening_the_results_address_again_leads_back_to_the_account(
    messenger: Channel,
) -> None:
    client = Client()
    client.force_login(make_admin("omar"))
    path = f"/meta/connect/channels/{messenger.pk}/"

    assertRedirects(client.get(f"{path}test/"), path)


def test_a_refused_subscription_says_why(meta: Any, messenger: Channel) -> None:
    url = f"{FACEBOOK}/{PAGE_ID}/subscribed_apps"
    meta.post(url, json={"error": {"message": "…", "code": 200}}, status=403)
    client = Client()
    client.force_login(make_admin("omar"))

    path = f"/meta/connect/channels/{messenger.pk}/subscribe/"
    shown = client.post(path, follow=True)

    assertContains(shown, "Meta does not let your app do this for this account yet")
    assert not RawEvent.objects.exists()
