"""The sandbox's own endpoint, and the page that shows what it received."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client

from inbox.models import Agent
from webhooks.echo import KEPT, MAX_BODY_BYTES, create_echo_endpoint
from webhooks.models import EchoedRequest, Endpoint
from webhooks.signing import headers, key_of

pytestmark = pytest.mark.django_db

BODY = json.dumps({"id": "evt_1", "event": "message_in", "data": {"a": "<b>é</b>"}})


@pytest.fixture
def endpoint() -> Endpoint:
    return create_echo_endpoint()


def deliver(body: bytes, given: dict[str, str]) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(
        "/sandbox/echo/hook", body, content_type="application/json", headers=given
    )


def signed(body: bytes, endpoint: Endpoint) -> dict[str, str]:
    return headers(
        event_id="evt_1",
        timestamp=int(time.time()),
        body=body,
        keys=[key_of(endpoint.secret)],
    )


def test_the_endpoint_is_made_once(endpoint: Endpoint) -> None:
    assert create_echo_endpoint() == endpoint
    assert endpoint.url.endswith("/sandbox/echo/hook")


def test_a_signed_delivery_is_shown_as_verified(
    endpoint: Endpoint, agent_client: Client
) -> None:
    assert deliver(BODY.encode(), signed(BODY.encode(), endpoint)).status_code == 204

    page = agent_client.get("/sandbox/echo/").content.decode()

    assert "message_in" in page
    assert "signature verified" in page
    assert "&lt;b&gt;é&lt;/b&gt;" in page


@pytest.mark.parametrize(
    "given", [{}, {"webhook-id": "evt_1\x00", "webhook-timestamp": "1"}]
)
def test_an_unsigned_delivery_is_shown_as_not_valid(
    endpoint: Endpoint, agent_client: Client, given: dict[str, str]
) -> None:
    assert deliver(b"no json \x00 \xff", given).status_code == 204

    assert "signature not valid" in agent_client.get("/sandbox/echo/").content.decode()
    assert EchoedRequest.objects.get().is_verified is False


def test_a_body_that_is_too_large_is_refused(endpoint: Endpoint) -> None:
    assert deliver(b"x" * (MAX_BODY_BYTES + 1), {}).status_code == 413
    assert not EchoedRequest.objects.exists()


def test_only_the_newest_are_kept(endpoint: Endpoint) -> None:
    EchoedRequest.objects.bulk_create(
        EchoedRequest(event_id=f"evt_{number}", is_verified=True, body="{}")
        for number in range(KEPT)
    )

    deliver(BODY.encode(), signed(BODY.encode(), endpoint))

    assert EchoedRequest.objects.count() == KEPT
    assert not EchoedRequest.objects.filter(event_id="evt_0").exists()


def test_the_page_asks_again_and_is_left_alone_while_nothing_is_new(
    endpoint: Endpoint, agent_client: Client
) -> None:
    deliver(BODY.encode(), signed(BODY.encode(), endpoint))
    newest = EchoedRequest.objects.get().pk
    polled = {"HX-Request": "true"}

    assert f"?seen={newest}" in agent_client.get("/sandbox/echo/").content.decode()
    same = agent_client.get(f"/sandbox/echo/?seen={newest}", headers=polled)
    assert same.status_code == 204
    fragment = agent_client.get("/sandbox/echo/?seen=", headers=polled)
    assert fragment.status_code == 200
    assert b"<html" not in fragment.content


def test_the_page_is_for_those_who_may_read_the_inbox(
    client: Client, agent: Agent, agent_client: Client
) -> None:
    assert client.get("/sandbox/echo/").status_code == 302
    assert agent_client.post("/sandbox/echo/").status_code == 405
    agent.user_permissions.clear()
    assert agent_client.get("/sandbox/echo/").status_code == 403


def test_the_hook_takes_posts_only(client: Client) -> None:
    assert client.get("/sandbox/echo/hook").status_code == 405
