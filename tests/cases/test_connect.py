"""Complaints about connecting accounts and keeping them connected."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import responses
from django.core import mail
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains

from channels_meta import upkeep
from channels_meta.models import Credential
from channels_meta.processing import drain
from channels_meta.subscriptions import PAGE_FIELDS
from inbox.delivery import deliver_next
from inbox.models import Channel, Message
from inbox.outbound import queue_reply
from tests.channels_meta.connect.conftest import (
    FACEBOOK,
    INSTAGRAM,
    PAGE_TOKEN,
    Walk,
    admin,
    admin_client,
    answer_facebook_login,
    answer_instagram_login,
    answer_page,
    meta_itself,
    page,
    token_facts,
)
from tests.conftest import (
    INSTAGRAM_ID,
    PAGE_ID,
    Meta,
    make_conversation,
    make_meta_channel,
    said,
)

__all__ = ["admin", "admin_client", "meta_itself"]
pytestmark = pytest.mark.django_db

MESSAGES = f"{FACEBOOK}/{PAGE_ID}/messages"
DEAD = {"error": {"message": "…", "type": "OAuthException", "code": 190, "error_subcode": 463}}  # fmt: skip


def connect(walk: Walk, *keys: str, **more: Any) -> Any:
    shown = walk.begin().come_back()
    path = shown.redirect_chain[-1][0]
    return walk.client.post(path, {"account": keys, **more}, follow=True)


@pytest.mark.django_db(transaction=True)
def test_case_13_what_customers_write_is_stored_while_the_account_is_cut_off(
    messenger: Channel, meta: Meta
) -> None:
    Channel.objects.update(status="needs_reauth")
    Credential.objects.all().delete()

    answer = meta.messaging(said("Is it still open?", "m_A1"))
    drain()

    assert answer.status_code == 200
    assert Message.objects.get().content == "Is it still open?"


def test_case_17_connecting_subscribes_the_page_and_verifies_every_field(
    admin_client: Client, meta_itself: responses.RequestsMock
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)

    connect(Walk(admin_client, "facebook"), f"messenger:{PAGE_ID}")

    credential = Credential.objects.get()
    assert credential.subscribed_fields == list(PAGE_FIELDS)
    health = admin_client.get(f"/meta/connect/channels/{credential.channel_id}/")
    for field in PAGE_FIELDS:
        assertContains(health, f'<code dir="ltr">{field}</code>')
    assertContains(health, "Subscribe again")


def test_case_17_what_meta_did_not_take_is_shown_with_a_button_to_try_again(
    admin_client: Client, meta_itself: responses.RequestsMock
) -> None:
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    url = f"{FACEBOOK}/{PAGE_ID}/subscribed_apps"
    meta_itself.remove("GET", url)
    meta_itself.get(url, json={"data": []})

    shown = connect(Walk(admin_client, "facebook"), f"messenger:{PAGE_ID}")

    assertContains(shown, "Nothing: new messages do not arrive.")
    assertContains(shown, "Subscribe again")


def test_case_19_one_account_is_one_channel_whichever_login_brings_it(
    admin_client: Client, meta_itself: responses.RequestsMock
) -> None:
    channel = make_meta_channel("instagram", INSTAGRAM_ID)
    make_conversation(channel)
    old = meta_itself.delete(
        f"{INSTAGRAM}/v26.0/{INSTAGRAM_ID}/subscribed_apps", json={"success": True}
    )
    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    key = f"instagram:{INSTAGRAM_ID}"

    asked = connect(Walk(admin_client, "facebook"), key)
    assertContains(asked, "Move an account?")
    connect(Walk(admin_client, "facebook"), key, move=key)

    assert Channel.objects.get().pk == channel.pk
    assert channel.conversations.count() == 1
    assert Credential.objects.get().flavour == "facebook"
    assert old.call_count == 1


def test_case_19_connecting_brand_b_leaves_brand_a_alone(
    admin_client: Client, meta_itself: responses.RequestsMock
) -> None:
    make_meta_channel("messenger", PAGE_ID)
    before = Credential.objects.values().get()
    answer_facebook_login(meta_itself, pages=[page(), page("1055502", name="Brand B")])
    answer_page(meta_itself)
    answer_page(meta_itself, page_id="1055502", instagram=None)

    connect(Walk(admin_client, "facebook"), "messenger:1055502")

    assert Channel.objects.filter(status="active").count() == 2
    assert Credential.objects.values().get(node_id=PAGE_ID) == before


def test_case_20_one_of_nine_pages_that_falls_silent_is_told_to_admins(
    admin_client: Client, meta_itself: responses.RequestsMock
) -> None:
    pages = [make_meta_channel("messenger", str(number)) for number in range(1, 10)]
    for number, one in enumerate(pages, start=1):
        Channel.objects.filter(pk=one.pk).update(name=f"Shop {number}")
        entry = {"id": "990001", "subscribed_fields": list(PAGE_FIELDS)}
        meta_itself.get(f"{FACEBOOK}/{number}/subscribed_apps", json={"data": [entry]})
        quiet = timedelta(hours=20 if number == 7 else 1)
        for step in range(40):
            wrote = quiet + step * timedelta(hours=6)
            make_conversation(one, person_id=f"person-{step}", wrote=wrote)
    Credential.objects.update(token_checked_at=now(), due_at=now())

    for credential in Credential.objects.all():
        upkeep.look_after(credential.pk)
    upkeep.mail_incidents()

    assert [letter.subject for letter in mail.outbox] == [
        "Shop 7 (Messenger) is unusually silent"
    ]
    page_of_shop = admin_client.get(f"/meta/connect/channels/{pages[6].pk}/")
    assertContains(page_of_shop, "Nothing has arrived for 20")
    assertContains(
        admin_client.get("/inbox/all/"), "Shop 7 on Messenger needs attention."
    )


def test_case_60_a_token_is_renewed_long_before_it_ends(
    meta_itself: responses.RequestsMock,
) -> None:
    channel = make_meta_channel("instagram", INSTAGRAM_ID)
    answer_instagram_login(meta_itself)
    meta_itself.get(
        f"{INSTAGRAM}/refresh_access_token",
        json={"access_token": "IGAA-new", "expires_in": 5183944},
    )
    Credential.objects.update(
        token_issued_at=now() - timedelta(days=8),
        token_expires_at=now() + timedelta(days=52),
        due_at=now(),
    )

    upkeep.look_after(channel.meta.pk)

    assert Credential.objects.get().access_token == "IGAA-new"


def test_case_60_a_dead_token_is_mended_in_place_and_the_queue_goes_on(
    admin_client: Client, meta_itself: responses.RequestsMock
) -> None:
    channel = make_meta_channel("messenger", PAGE_ID)
    conversation = make_conversation(channel)
    refused = meta_itself.post(MESSAGES, json=DEAD, status=400)
    [reply] = queue_reply(
        conversation=conversation, content="We open at nine.", source="agent"
    )
    deliver_next(conversation.pk)
    upkeep.mail_incidents()

    inbox = admin_client.get("/inbox/all/")
    assertContains(inbox, "Maison Tilila on Messenger needs to be reconnected.")
    assertContains(inbox, f'href="/meta/connect/channels/{channel.pk}/"')
    assert "needs to be reconnected" in mail.outbox[0].subject

    answer_facebook_login(meta_itself, pages=[page()])
    answer_page(meta_itself)
    meta_itself.remove(refused)
    sent = meta_itself.post(
        MESSAGES, json={"recipient_id": "7701", "message_id": "m_1"}
    )
    Walk(admin_client, "facebook").begin(channel=channel.pk).come_back()
    deliver_next(conversation.pk)

    reply.refresh_from_db()
    assert reply.status == "sent"
    assert sent.calls[0].request.headers["Authorization"] == f"Bearer {PAGE_TOKEN}"
    assert Channel.objects.get().pk == channel.pk
    assert channel.conversations.get() == conversation


def test_case_60_the_daily_look_finds_a_dead_token_before_an_agent_does(
    admin_client: Client, meta_itself: responses.RequestsMock
) -> None:
    channel = make_meta_channel("messenger", PAGE_ID)
    error = {"code": 190, "subcode": 492, "message": "…"}
    facts = token_facts(type="PAGE", is_valid=False, error=error)
    meta_itself.get(f"{FACEBOOK}/debug_token", json=facts)

    upkeep.look_after(channel.meta.pk)
    upkeep.mail_incidents()

    channel.refresh_from_db()
    assert channel.status == "needs_reauth"
    assert len(mail.outbox) == 1
