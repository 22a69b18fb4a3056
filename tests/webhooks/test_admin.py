"""Endpoints, events and deliveries in the admin."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from inbox.models import Agent, AuditEntry, Conversation
from tests.webhooks.conftest import MOMENT, say
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Event

pytestmark = pytest.mark.django_db

ENDPOINTS = "/admin/webhooks/endpoint/"
DELIVERIES = "/admin/webhooks/delivery/"
EVENTS = "/admin/webhooks/event/"


@pytest.fixture
def admin_client(db: None) -> Client:
    client = Client()
    client.force_login(
        Agent.objects.create_superuser("root", password="secret-of-tests")
    )
    return client


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    return Endpoint.objects.create(url="https://hooks.example/dexra", description="CRM")


@pytest.fixture
def delivery(endpoint: Endpoint, conversation: Conversation) -> Delivery:
    """Failed, after one attempt."""
    say(conversation, "Is this available?")
    Delivery.objects.update(
        state="failed", attempts=1, last_status=500, last_error="status"
    )
    owed = Delivery.objects.get()
    DeliveryAttempt.objects.create(
        delivery=owed,
        number=1,
        started_at=MOMENT,
        duration_ms=12,
        status=500,
        error="status",
        response="<script>oops</script>",
    )
    return owed


def act(client: Client, address: str, action: str, *rows: Any) -> Any:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(address, chosen, follow=True)


def test_a_new_endpoint_shows_its_secret_once(admin_client: Client) -> None:
    fields = {
        "url": "https://hooks.example/dexra",
        "description": "CRM",
        "events": ["message_in", "message_out"],
    }

    page = admin_client.post(f"{ENDPOINTS}add/", fields)

    endpoint = Endpoint.objects.get()
    assert endpoint.events == ["message_in", "message_out"]
    assert endpoint.secret in page.content.decode().replace("&#x27;", "'")
    assert "no-store" in page.headers["Cache-Control"]
    for address in (ENDPOINTS, f"{ENDPOINTS}{endpoint.pk}/change/"):
        assert endpoint.secret not in admin_client.get(address).content.decode()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [("http://hooks.example/", "Use https"), ("https://10.0.0.1/", "not a public")],
)
def test_an_address_that_will_not_work_is_explained(
    admin_client: Client, url: str, sentence: str
) -> None:
    page = admin_client.post(f"{ENDPOINTS}add/", {"url": url})

    assert sentence in page.content.decode()
    assert not Endpoint.objects.exists()


def test_a_secret_is_exchanged_with_an_overlap(
    admin_client: Client, endpoint: Endpoint
) -> None:
    before = endpoint.secret

    page = act(admin_client, ENDPOINTS, "rotate_secret", endpoint).content.decode()

    endpoint.refresh_from_db()
    assert endpoint.secret != before
    assert endpoint.secret in page
    assert before not in page
    assert endpoint.previous_secret == before
    assert endpoint.previous_secret_until is not None


@pytest.mark.parametrize(
    ("action", "days"), [("rotate_secret_in_a_week", 7), ("rotate_secret_at_once", 0)]
)
def test_the_overlap_may_be_longer_or_none(
    admin_client: Client, endpoint: Endpoint, action: str, days: int
) -> None:
    before = endpoint.secret

    act(admin_client, ENDPOINTS, action, endpoint)

    endpoint.refresh_from_db()
    assert endpoint.previous_secret == (before if days else "")
    until = endpoint.previous_secret_until
    assert (until is not None) == bool(days)
    assert until is None or timedelta(days=6) < until - now() <= timedelta(days=7)


def test_a_secret_is_shown_again_and_that_is_written_down(
    admin_client: Client, endpoint: Endpoint
) -> None:
    answer = act(admin_client, ENDPOINTS, "reveal_secret", endpoint)

    assert endpoint.secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    entry = AuditEntry.objects.get(action="endpoint_secret_revealed")
    assert (entry.subject_id, entry.agent is not None) == (endpoint.public_id, True)


def test_the_secret_in_the_database_is_not_legible(endpoint: Endpoint) -> None:
    stored = Endpoint.objects.extra(select={"raw": "secret"}).values_list(
        "raw", flat=True
    )

    assert "whsec_" not in stored.get()


def test_secrets_are_exchanged_one_at_a_time(
    admin_client: Client, endpoint: Endpoint
) -> None:
    other = Endpoint.objects.create(url="https://hooks.example/2")

    page = act(admin_client, ENDPOINTS, "rotate_secret", endpoint, other)

    assert "Choose one endpoint" in page.content.decode()
    before = endpoint.secret
    endpoint.refresh_from_db()
    assert endpoint.secret == before


def test_a_ping_goes_to_that_endpoint_alone(
    admin_client: Client, endpoint: Endpoint
) -> None:
    Endpoint.objects.create(url="https://hooks.example/2")

    act(admin_client, ENDPOINTS, "send_ping", endpoint)

    delivery = Delivery.objects.get()
    assert delivery.endpoint == endpoint
    assert delivery.event.name == "ping"


def test_what_waited_is_sent_on_resuming_or_skipped(
    admin_client: Client, endpoint: Endpoint, conversation: Conversation
) -> None:
    act(admin_client, ENDPOINTS, "pause", endpoint)
    endpoint.refresh_from_db()
    assert endpoint.status == "paused"
    say(conversation, "Hello")
    Endpoint.objects.update(failures=12, failing_since=MOMENT, breaker_until=MOMENT)

    act(admin_client, ENDPOINTS, "resume", endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.failures, endpoint.failing_since) == (
        "active",
        0,
        None,
    )
    assert Delivery.objects.get().state == "pending"

    act(admin_client, ENDPOINTS, "resume_from_now", endpoint)
    assert Delivery.objects.get().state == "skipped"

    act(admin_client, ENDPOINTS, "recover", endpoint)
    assert Delivery.objects.get().state == "pending"


def test_deleting_an_endpoint_deletes_what_it_was_owed(
    admin_client: Client, delivery: Delivery
) -> None:
    address = f"{ENDPOINTS}{delivery.endpoint_id}/delete/"
    assert "CRM" in admin_client.get(address).content.decode()

    admin_client.post(address, {"post": "yes"})

    assert not Endpoint.objects.exists()
    assert not Delivery.objects.exists()
    assert not DeliveryAttempt.objects.exists()
    assert Event.objects.exists()


def test_a_delivery_shows_its_attempts_and_leads_to_the_conversation(
    admin_client: Client, delivery: Delivery, conversation: Conversation
) -> None:
    page = admin_client.get(f"{DELIVERIES}{delivery.pk}/change/").content.decode()

    assert "Answered with an error" in page
    assert "&lt;script&gt;oops" in page
    assert reverse("inbox:conversation", args=["all", conversation.pk]) in page
    assert f"{EVENTS}{delivery.event_id}/change/" in page


def test_deliveries_are_found_and_sent_again(
    admin_client: Client, delivery: Delivery
) -> None:
    found = admin_client.get(DELIVERIES, {"q": delivery.event_id, "state": "failed"})
    assert re.search(r"1 delivery", found.content.decode())

    page = act(admin_client, DELIVERIES, "resend", delivery)

    assert "1 delivery is sent again" in page.content.decode()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.settled_at) == (
        "pending",
        0,
        None,
    )


def test_an_event_shows_its_body_and_leads_to_its_deliveries(
    admin_client: Client, delivery: Delivery
) -> None:
    page = admin_client.get(f"{EVENTS}{delivery.event_id}/change/").content.decode()

    assert "Is this available?" in page
    link = f"{DELIVERIES}?event__id__exact={delivery.event_id}"
    assert link in page
    assert admin_client.get(link).status_code == 200


@pytest.mark.parametrize("address", [EVENTS, DELIVERIES, ENDPOINTS])
def test_nothing_is_shown_to_who_may_not_see_it(
    agent_client: Client, delivery: Delivery, address: str
) -> None:
    assert agent_client.get(address).status_code == 403


@pytest.mark.parametrize("address", [EVENTS, DELIVERIES])
def test_nobody_writes_events_or_deliveries_by_hand(
    admin_client: Client, delivery: Delivery, address: str
) -> None:
    assert admin_client.get(f"{address}add/").status_code == 403
    row = delivery.event_id if address == EVENTS else delivery.pk
    assert (
        admin_client.post(f"{address}{row}/delete/", {"post": "yes"}).status_code == 403
    )


def test_lists_take_the_same_statements_for_many_rows(
    admin_client: Client,
    delivery: Delivery,
    conversation: Conversation,
) -> None:
    def statements(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(address).status_code == 200
        return sum('"webhooks_' in query["sql"] for query in captured)

    addresses = [EVENTS, DELIVERIES, ENDPOINTS]
    before = [statements(address) for address in addresses]
    say(conversation, *(str(number) for number in range(10)))
    Endpoint.objects.create(url="https://hooks.example/2")

    assert [statements(address) for address in addresses] == before
