"""Traps 2 and 30 of Meta's contract: a comment's time, and profiles that are not told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import responses
from django.test import Client
from django.utils.timezone import now

from channels_meta.processing import drain
from inbox.fetching import fetch_due
from inbox.models import Channel, ChannelIdentity, Fetch, Message
from tests.conftest import INSTAGRAM_ID, PAGE_ID, Meta, said

FACEBOOK = "https://graph.facebook.com/v26.0"
INSTAGRAM = "https://graph.instagram.com/v26.0"
CONSENT = {"error": {"message": "?", "type": "OAuthException", "code": 230}}
NO_FEATURE = {"error": {"message": "?", "code": 100, "error_subcode": 33}}


def commented(comment_id: str = "17990000001") -> dict[str, Any]:
    """As Meta says it: when it was written is not told, only when the notice was sent."""
    value = {
        "id": comment_id,
        "text": "price?",
        "from": {"id": "6612", "username": "ana"},
        "media": {"id": "17970000001", "media_product_type": "FEED"},
    }
    change = {"field": "comments", "value": value}
    entry = {
        "id": INSTAGRAM_ID,
        "time": int(now().timestamp()),
        "changes": [change],
    }
    return {"object": "instagram", "entry": [entry]}


def test_trap_02_a_comments_own_time_decides_how_long_it_may_be_answered_in_private(
    meta: Meta, instagram: Channel, agent_client: Client
) -> None:
    meta.post(commented())
    drain()
    message = Message.objects.get()
    assert now() - message.sent_at < timedelta(minutes=1)
    written_at = (now() - timedelta(days=8)).replace(microsecond=0)

    with responses.RequestsMock(assert_all_requests_are_fired=False) as graph:
        graph.get(
            f"{INSTAGRAM}/17990000001",
            json={
                "id": "17990000001",
                "text": "price?",
                "timestamp": written_at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
                "from": {"id": "6612", "username": "ana"},
            },
        )
        graph.get(f"{INSTAGRAM}/6612", json=CONSENT, status=400)
        graph.get(f"{INSTAGRAM}/{INSTAGRAM_ID}/conversations", json={"data": []})
        fetch_due()

    message.refresh_from_db()
    assert message.sent_at == written_at
    page = agent_client.get(f"/inbox/all/c/{message.conversation_id}/")
    assert "7 days" in page.content.decode()


def test_trap_30_a_commenter_who_has_not_consented_is_shown_by_handle(
    meta: Meta, instagram: Channel
) -> None:
    meta.post(commented())
    drain()

    with responses.RequestsMock(assert_all_requests_are_fired=False) as graph:
        graph.get(f"{INSTAGRAM}/6612", json=CONSENT, status=400)
        graph.get(f"{INSTAGRAM}/17990000001", json={"id": "17990000001"})
        graph.get(f"{INSTAGRAM}/{INSTAGRAM_ID}/conversations", json={"data": []})
        fetch_due()

    identity = ChannelIdentity.objects.get()
    assert identity.display_name == "@ana"
    assert identity.profile_checked_at is not None
    assert not Fetch.objects.exists()


@pytest.mark.parametrize("status", [400, 500])
def test_trap_30_a_page_without_the_feature_receives_all_the_same(
    meta: Meta, messenger: Channel, status: int
) -> None:
    meta.messaging(said("Is it open?", "m_1"))
    drain()

    with responses.RequestsMock(assert_all_requests_are_fired=False) as graph:
        body = NO_FEATURE if status == 400 else {}
        graph.get(f"{FACEBOOK}/7701", json=body, status=status)
        graph.get(f"{FACEBOOK}/{PAGE_ID}/conversations", json=body, status=status)
        fetch_due()

    message = Message.objects.get()
    assert message.content == "Is it open?"
    assert message.conversation.identity.display_name == "Messenger user ..7701"
