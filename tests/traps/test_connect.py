"""Traps of connecting accounts and keeping them connected."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains

from channels_meta import upkeep
from channels_meta.models import Credential, RawEvent
from channels_meta.processing import drain
from channels_meta.subscriptions import PAGE_FIELDS
from inbox.models import Channel, Import, Message
from tests.channels_meta.connect.conftest import (
    ALL_INSTAGRAM_SCOPES,
    FACEBOOK,
    INSTAGRAM_TOKEN,
    Walk,
    admin,
    admin_client,
    answer_instagram_login,
    meta_itself,
)
from tests.conftest import INSTAGRAM_ID, PAGE_ID, envelope, meta_json, said

__all__ = ["admin", "admin_client", "meta_itself"]
pytestmark = pytest.mark.django_db

EXCHANGED = {"access_token": "IGAA-short-token", "user_id": "26000000000001"}


@pytest.fixture
def instagram_login(admin_client: Client, meta_itself: Any) -> Walk:
    return Walk(admin_client, "instagram")


def connect_instagram(walk: Walk) -> Channel:
    shown = walk.begin().come_back()
    path = shown.redirect_chain[-1][0]
    walk.client.post(path, {"account": f"instagram:{INSTAGRAM_ID}"})
    return Channel.objects.get()


def test_trap_20_an_hour_of_refusals_ends_a_subscription_and_nobody_says_so(
    messenger: Channel, meta_itself: responses.RequestsMock
) -> None:
    """The upkeep finds out, subscribes again and looks for what was not reported meanwhile."""
    Credential.objects.update(
        subscribed_fields=list(PAGE_FIELDS), token_checked_at=now(), due_at=now()
    )
    url = f"{FACEBOOK}/{PAGE_ID}/subscribed_apps"
    entry = {"id": "990001", "subscribed_fields": list(PAGE_FIELDS)}
    meta_itself.get(url, json={"data": []})
    again = meta_itself.post(url, json={"success": True})
    meta_itself.get(url, json={"data": [entry]})

    upkeep.look_after(messenger.meta.pk)

    assert again.call_count == 1
    assert Credential.objects.get().subscribed_fields == list(PAGE_FIELDS)
    assert Import.objects.get().reason == "outage"


@pytest.mark.parametrize(
    "exchange",
    [
        {**EXCHANGED, "permissions": ALL_INSTAGRAM_SCOPES},
        {"data": [{**EXCHANGED, "permissions": ",".join(ALL_INSTAGRAM_SCOPES)}]},
    ],
    ids=["live", "documented"],
)
def test_trap_28_both_shapes_of_the_exchanged_code_are_read(
    instagram_login: Walk, meta_itself: responses.RequestsMock, exchange: dict[str, Any]
) -> None:
    answer_instagram_login(meta_itself, exchange=exchange)

    channel = connect_instagram(instagram_login)

    assert channel.meta.access_token == INSTAGRAM_TOKEN
    assert channel.meta.scopes == ALL_INSTAGRAM_SCOPES


def test_trap_28_flat_errors_of_the_exchange_are_understood(
    instagram_login: Walk, meta_itself: responses.RequestsMock, samples: Any
) -> None:
    flat = (samples / "error-oauth-code-exchange.json").read_text()
    meta_itself.post(
        "https://api.instagram.com/oauth/access_token", body=flat, status=400
    )

    shown = instagram_login.begin().come_back()

    assertContains(shown, "Meta did not accept its own answer")


def test_trap_29_events_are_routed_by_the_number_that_me_calls_user_id(
    instagram_login: Walk, meta_itself: responses.RequestsMock
) -> None:
    """Neither the exchange's `user_id` nor the `id` of /me is what events are addressed to."""
    answer_instagram_login(meta_itself)

    channel = connect_instagram(instagram_login)
    body = meta_json(
        envelope(said("Salam", "aWdf1", account=INSTAGRAM_ID), kind="instagram")
    )
    RawEvent.objects.create(body=body, sha256=b"1" * 32, day=now().date())
    drain()

    assert channel.external_id == INSTAGRAM_ID
    assert channel.meta.user_id == "26000000000001"
    assert Message.objects.get().channel == channel
