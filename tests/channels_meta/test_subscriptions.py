"""What Meta is asked to report of an account, and whether it agreed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from channels_meta import subscriptions
from channels_meta.models import Credential
from channels_meta.subscriptions import INSTAGRAM_FIELDS, PAGE_FIELDS
from inbox.channels import SendError
from inbox.models import Channel
from tests.conftest import INSTAGRAM_ID, PAGE_ID, make_meta_channel

pytestmark = pytest.mark.django_db
PAGE_URL = f"https://graph.facebook.com/v26.0/{PAGE_ID}/subscribed_apps"
INSTAGRAM_URL = f"https://graph.instagram.com/v26.0/{INSTAGRAM_ID}/subscribed_apps"
UNKNOWN_NAME = {"error": {"message": "Param subscribed_fields…", "code": 100}}


@pytest.fixture(autouse=True)
def _our_app(settings: Any) -> None:
    settings.META_APP_ID = "4711"


def fields_of(call: Any) -> list[str]:
    query = parse_qs(urlsplit(call.request.url).query)
    return query["subscribed_fields"][0].split(",")


def ours(*fields: str) -> dict[str, Any]:
    return {
        "data": [{"id": "4711", "name": "Dexra", "subscribed_fields": list(fields)}]
    }


@responses.activate
def test_a_page_is_subscribed_to_everything_an_inbox_shows(messenger: Channel) -> None:
    asked = responses.post(PAGE_URL, json={"success": True})
    responses.get(PAGE_URL, json=ours(*PAGE_FIELDS))

    found = subscriptions.subscribe(messenger.meta)

    assert fields_of(asked.calls[0]) == list(PAGE_FIELDS)
    assert found.missing == []
    credential = Credential.objects.get()
    assert credential.subscribed_fields == list(PAGE_FIELDS)
    assert credential.subscription_checked_at is not None


@responses.activate
def test_an_instagram_account_is_named_by_its_number_never_as_me(
    instagram: Channel,
) -> None:
    asked = responses.post(INSTAGRAM_URL, json={"success": "true"})
    responses.get(INSTAGRAM_URL, json=ours(*INSTAGRAM_FIELDS))

    subscriptions.subscribe(instagram.meta)

    assert fields_of(asked.calls[0]) == list(INSTAGRAM_FIELDS)


@responses.activate
def test_a_name_that_meta_does_not_know_costs_only_itself(messenger: Channel) -> None:
    def take(request: Any) -> tuple[int, dict[str, str], str]:
        is_refused = "mention" in request.url
        return (
            (400, {}, json.dumps(UNKNOWN_NAME))
            if is_refused
            else (200, {}, '{"success": true}')
        )

    responses.add_callback(responses.POST, PAGE_URL, callback=take)
    responses.get(PAGE_URL, json=ours(*PAGE_FIELDS[:-1]))

    found = subscriptions.subscribe(messenger.meta)

    assert PAGE_FIELDS[-1] == "mention"
    last = [call for call in responses.calls if call.request.method == "POST"][-1]
    assert fields_of(last) == list(PAGE_FIELDS[:-1])
    assert (found.missing, found.lacks_needed) == (["mention"], False)


@responses.activate
def test_a_refusal_that_is_not_about_a_name_is_not_tried_again(
    messenger: Channel,
) -> None:
    error = {"error": {"message": "…", "code": 190, "error_subcode": 460}}
    asked = responses.post(PAGE_URL, json=error, status=400)

    with pytest.raises(SendError) as refused:
        subscriptions.subscribe(messenger.meta)

    assert refused.value.code == "190/460"
    assert asked.call_count == 1


@responses.activate
def test_an_account_on_the_same_page_loses_nothing(messenger: Channel) -> None:
    """A Page has one subscription: the later call must not take away from the earlier."""
    instagram = make_meta_channel("instagram", INSTAGRAM_ID)
    Credential.objects.filter(channel=instagram).update(
        flavour="facebook", node_id=PAGE_ID
    )
    instagram.meta.refresh_from_db()
    asked = responses.post(PAGE_URL, json={"success": True})
    responses.get(PAGE_URL, json=ours(*PAGE_FIELDS))

    subscriptions.subscribe(instagram.meta)

    assert set(fields_of(asked.calls[0])) >= set(PAGE_FIELDS)


@responses.activate
def test_letting_one_account_go_leaves_the_other_on_its_page(
    messenger: Channel,
) -> None:
    instagram = make_meta_channel("instagram", INSTAGRAM_ID)
    Credential.objects.filter(channel=instagram).update(
        flavour="facebook", node_id=PAGE_ID
    )
    instagram.meta.refresh_from_db()
    asked = responses.post(PAGE_URL, json={"success": True})
    ended = responses.delete(PAGE_URL, json={"success": True})

    subscriptions.unsubscribe(instagram.meta)
    assert (fields_of(asked.calls[0]), ended.call_count) == (list(PAGE_FIELDS), 0)
    instagram.meta.delete()
    subscriptions.unsubscribe(messenger.meta)

    assert ended.call_count == 1


@responses.activate
def test_another_apps_subscription_is_not_ours(
    messenger: Channel, settings: Any
) -> None:
    settings.META_APP_ID = "990001"
    responses.get(PAGE_URL, json=ours(*PAGE_FIELDS))

    found = subscriptions.check(messenger.meta)

    assert found.fields is None
    assert found.lacks_needed


@pytest.mark.parametrize(
    "answer",
    [{}, {"data": None}, {"data": []}, {"data": ["x", None]}, {"data": {"id": "4711"}}],
)
def test_shapes_that_say_nothing_are_no_subscription(answer: Any) -> None:
    assert subscriptions.read_fields(answer) is None


def test_two_spellings_of_a_name_are_one() -> None:
    wanted = ["messaging_referral", "message_reactions", "messages"]

    missing = subscriptions.missing_fields(
        wanted, ["messaging_referrals", "messaging_reactions"]
    )

    assert missing == ["messages"]


@responses.activate
def test_the_settings_decide_where_they_say_something(
    messenger: Channel, settings: Any
) -> None:
    settings.META_SUBSCRIBED_FIELDS = settings.META_SUBSCRIBED_FIELDS | {
        "page": ["messages"]
    }

    assert subscriptions.wanted_fields(messenger.meta) == ("messages",)
