"""Cases 9, 15, 20 and 44: nobody is lost for want of a profile, and what events miss is found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import responses
from django.test import Client
from django.utils.timezone import now

from channels_meta.processing import drain
from channels_meta.subscriptions import wanted_fields
from channels_meta.tokens import app_ids
from channels_meta.upkeep import restore_subscription
from inbox.fetching import fetch_due
from inbox.history import check_channels, run_imports
from inbox.models import Channel, ChannelIdentity, Conversation, Import, Message
from tests.conftest import INSTAGRAM_ID, PAGE_ID, Meta, make_meta_channel, said

FACEBOOK = "https://graph.facebook.com/v26.0"
INSTAGRAM = "https://graph.instagram.com/v26.0"
SALMA = {"id": "7701", "name": "Salma El Idrissi"}
PAGE = {"id": PAGE_ID, "name": "Maison Tilila"}


def refusal(code: int) -> dict[str, Any]:
    return {"error": {"message": "?", "type": "OAuthException", "code": code}}


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+0000")


def remembered(*messages: tuple[str, dict[str, str], str, datetime]) -> dict[str, Any]:
    """A page of the Conversations API, newest first: (mid, sender, text, when)."""
    newest = max(messages, key=lambda one: one[3])
    nodes = [
        {"id": mid, "from": sender, "message": text, "created_time": stamp(at)}
        for mid, sender, text, at in sorted(messages, key=lambda m: m[3], reverse=True)
    ]
    thread = {
        "id": "t_1",
        "updated_time": stamp(newest[3]),
        "participants": {"data": [SALMA, PAGE]},
        "messages": {"data": nodes},
    }
    return {"data": [thread]}


@pytest.fixture
def connected(messenger: Channel) -> Channel:
    """For a month, and checked yesterday."""
    Channel.objects.update(created_at=now() - timedelta(days=30))
    run = Import.objects.create(channel=messenger, reason="schedule", state="done")
    Import.objects.filter(pk=run.pk).update(started_at=now() - timedelta(hours=20))
    return messenger


@pytest.mark.parametrize("code", [230, 9010])
def test_case_09_a_refused_profile_loses_neither_contact_nor_message(
    meta: Meta, instagram: Channel, code: int
) -> None:
    item = said("Is it open?", "aWdf1", person="6612", account=INSTAGRAM_ID)
    meta.messaging(item, kind="instagram")
    drain()

    with responses.RequestsMock() as graph:
        graph.get(f"{INSTAGRAM}/6612", json=refusal(code), status=400)
        graph.get(f"{INSTAGRAM}/{INSTAGRAM_ID}/conversations", json={"data": []})
        fetch_due()

    message = Message.objects.get()
    assert message.content == "Is it open?"
    assert message.conversation.identity.external_id == "6612"
    assert message.conversation.identity.contact_id


def test_case_15_a_thread_that_is_first_seen_late_gets_its_beginning(
    meta: Meta, connected: Channel, agent_client: Client
) -> None:
    meta.messaging(said("Hello? Anybody?", "m_3"))
    drain()

    with responses.RequestsMock() as graph:
        graph.get(f"{FACEBOOK}/7701", json={**SALMA, "profile_pic": None})
        graph.get(
            f"{FACEBOOK}/{PAGE_ID}/conversations",
            json=remembered(
                ("m_1", SALMA, "Is the bag still there?", now() - timedelta(hours=5)),
                ("m_2", SALMA, "In blue?", now() - timedelta(hours=4)),
                ("m_3", SALMA, "Hello? Anybody?", now()),
            ),
        )
        fetch_due()

    conversation = Conversation.objects.get()
    thread = conversation.messages.exclude(direction="event").in_thread_order()
    assert [message.content for message in thread] == [
        "Is the bag still there?",
        "In blue?",
        "Hello? Anybody?",
    ]
    page = agent_client.get(f"/inbox/all/c/{conversation.pk}/")
    assert "2 messages recovered that had not been reported" in page.content.decode()


def test_case_15_the_daily_check_finds_what_events_missed(
    meta: Meta, connected: Channel
) -> None:
    Import.objects.update(started_at=now() - timedelta(hours=25))
    answers = remembered(
        ("m_1", SALMA, "Is the bag still there?", now() - timedelta(hours=5)),
        ("m_2", PAGE, "Yes, come by!", now() - timedelta(hours=4)),
    )

    with responses.RequestsMock() as graph:
        graph.get(f"{FACEBOOK}/{PAGE_ID}/conversations", json=answers)
        check_channels()
        run_imports()

    run = Import.objects.order_by("-id")[0]
    assert (run.reason, run.state, run.recovered) == ("schedule", "done", 2)
    directions = Message.objects.filter(external_id__startswith="m_").values_list(
        "direction", "source", "extra"
    )
    assert sorted(directions, key=str) == [
        ("in", "customer", {"recovered": True}),
        ("out", "native_app", {"recovered": True}),
    ]


def test_case_15_events_that_come_late_double_nothing(
    meta: Meta, connected: Channel
) -> None:
    at = now() - timedelta(hours=5)
    Import.objects.update(started_at=now() - timedelta(hours=25))
    with responses.RequestsMock() as graph:
        graph.get(
            f"{FACEBOOK}/{PAGE_ID}/conversations",
            json=remembered(("m_1", SALMA, "Is the bag still there?", at)),
        )
        check_channels()
        run_imports()

    meta.messaging(said("Is the bag still there?", "m_1", at=at))
    drain()

    assert Message.objects.filter(external_id="m_1").count() == 1
    assert Conversation.objects.get().unread == 1


def test_case_20_a_page_that_stopped_receiving_is_compared_and_the_others_are_not(
    meta: Meta, connected: Channel
) -> None:
    lively = make_meta_channel("messenger", "1055502")
    Import.objects.create(channel=lively, reason="schedule", state="done")
    Channel.objects.filter(pk=lively.pk).update(last_event_at=now())
    for number in range(5):
        at = now() - timedelta(hours=9, minutes=5 * number)
        meta.messaging(said("hi", f"m_{number}", person=f"77{number}", at=at))
    drain()
    Channel.objects.filter(pk=connected.pk).update(
        last_event_at=now() - timedelta(hours=9)
    )

    with responses.RequestsMock() as graph:
        graph.get(
            f"{FACEBOOK}/{PAGE_ID}/conversations",
            json=remembered(("m_9", SALMA, "Still there?", now() - timedelta(hours=2))),
        )
        check_channels()
        run_imports()

    run = Import.objects.get(reason="silence")
    assert (run.channel, run.recovered) == (connected, 1)
    assert Message.objects.get(external_id="m_9").conversation.unread == 1


def test_case_44_names_are_the_profiles_else_the_handle_else_no_invention(
    meta: Meta, instagram: Channel
) -> None:
    told = {"1001": {"name": "Ana B."}, "1002": {"username": "omar.k"}, "1003": {}}
    for person in told:
        item = said("hi", f"mid-{person}", person=person, account=INSTAGRAM_ID)
        meta.messaging(item, kind="instagram")
    drain()

    with responses.RequestsMock(assert_all_requests_are_fired=False) as graph:
        for person, profile in told.items():
            graph.get(f"{INSTAGRAM}/{person}", json={"id": person, **profile})
        graph.get(f"{INSTAGRAM}/{INSTAGRAM_ID}/conversations", json={"data": []})
        fetch_due()

    names = {one.external_id: one.display_name for one in ChannelIdentity.objects.all()}
    assert names == {
        "1001": "Ana B.",
        "1002": "@omar.k",
        "1003": "Instagram user ..1003",
    }


def test_case_20_a_page_that_meta_had_unsubscribed_is_compared_once_it_is_subscribed(
    connected: Channel,
) -> None:
    """An hour of failed deliveries ends a subscription, and nothing is reported afterwards."""
    (app_id,) = app_ids()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as graph:
        subscribed = {"id": app_id, "subscribed_fields": wanted_fields(connected.meta)}
        url = f"{FACEBOOK}/{PAGE_ID}/subscribed_apps"
        graph.get(url, json={"data": []})
        graph.get(url, json={"data": [subscribed]})
        graph.post(url, json={"success": True})
        restore_subscription(connected.meta)

    assert Import.objects.get(state="running").reason == "outage"
