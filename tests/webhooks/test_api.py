"""Endpoints, events and deliveries by API."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils.timezone import now

from inbox.models import AuditEntry, Channel, Conversation, Scope
from tests.inbox.api.conftest import KeyFor
from tests.webhooks.conftest import say
from webhooks import feed
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Event

pytestmark = pytest.mark.django_db
URL = "https://hooks.example/dexra"


def post(api: Client, path: str, **body: Any) -> Any:
    return api.post(f"/v1/{path}", body, content_type="application/json")


def test_an_endpoint_is_made_and_its_secret_told_once(
    api: Client, channel: Channel
) -> None:
    answer = post(
        api, "endpoints", url=URL, events=["message_in"], channels=[channel.public_id]
    )

    assert answer.status_code == 201, answer.content
    made = answer.json()["data"]
    endpoint = Endpoint.objects.get()
    assert made["secret"] == endpoint.secret
    assert made["status"] == "active"
    shown = api.get(f"/v1/endpoints/{endpoint.public_id}").json()["data"]
    del made["secret"]
    assert shown == made
    assert shown["channels"] == [channel.public_id]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "http://hooks.example/"},
        {"url": "https://127.1/"},
        {"url": "https://[::ffff:10.0.0.1]/"},
        {"url": URL, "events": ["ping"]},
        {"url": URL, "channels": ["CH_999999"]},
        {"url": URL, "channels": [{}]},
    ],
)
def test_what_will_not_work_is_refused(
    api: Client, settings: Any, body: dict[str, Any]
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []

    answer = post(api, "endpoints", **body)

    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert not Endpoint.objects.exists()


def test_an_endpoint_is_changed_paused_resumed_and_deleted(api: Client) -> None:
    pk = Endpoint.objects.create(url=URL).public_id

    changed = api.patch(
        f"/v1/endpoints/{pk}", {"description": "CRM"}, content_type="application/json"
    )
    assert changed.json()["data"]["description"] == "CRM"
    assert post(api, f"endpoints/{pk}/pause").json()["data"]["status"] == "paused"
    assert post(api, f"endpoints/{pk}/resume").json()["data"]["status"] == "active"
    assert api.delete(f"/v1/endpoints/{pk}").status_code == 204
    assert api.get(f"/v1/endpoints/{pk}").status_code == 404


@pytest.mark.parametrize("hours", [0, 24, 168])
def test_a_secret_is_exchanged_with_the_overlap_that_was_asked_for(
    api: Client, hours: int
) -> None:
    endpoint = Endpoint.objects.create(url=URL)
    before = endpoint.secret

    path = f"endpoints/{endpoint.public_id}/rotate-secret"
    told = post(api, path, overlap_hours=hours).json()["data"]

    endpoint.refresh_from_db()
    assert told["secret"] == endpoint.secret != before
    assert endpoint.previous_secret == (before if hours else "")
    assert AuditEntry.objects.filter(action="endpoint_secret_rotated").exists()
    assert post(api, path, overlap_hours=169).status_code == 422


def test_a_sample_of_any_event_may_be_asked_for(api: Client) -> None:
    endpoint = Endpoint.objects.create(url=URL)

    told = post(api, f"endpoints/{endpoint.public_id}/samples", event="reaction").json()

    assert told["data"]["event"] == "reaction"
    assert told["data"]["state"] == "pending"


def test_what_was_missed_since_then_is_sent_again(
    api: Client, conversation: Conversation
) -> None:
    endpoint = Endpoint.objects.create(url=URL)
    say(conversation, "one", "two")
    old, new = Delivery.objects.order_by("pk")
    Delivery.objects.update(state="failed")
    Delivery.objects.filter(pk=old.pk).update(created_at=now() - timedelta(days=2))

    since = (now() - timedelta(days=1)).isoformat()
    answer = post(api, f"endpoints/{endpoint.public_id}/recover", since=since)

    assert answer.json() == {"data": {"count": 1}}
    new.refresh_from_db()
    assert new.state == "pending"


def test_deliveries_are_listed_filtered_and_sent_again(
    api: Client, conversation: Conversation
) -> None:
    endpoint = Endpoint.objects.create(url=URL)
    say(conversation, "one", "two", "three")
    first = Delivery.objects.earliest("pk")
    Delivery.objects.filter(pk=first.pk).update(state="failed", attempts=1)
    DeliveryAttempt.objects.create(
        delivery=first, number=1, started_at=now(), duration_ms=7, status=500
    )

    page = api.get("/v1/deliveries?limit=2").json()
    cursor = page["meta"]["next_cursor"]
    rest = api.get(f"/v1/deliveries?limit=2&cursor={cursor}").json()
    assert [d["id"] for d in rest["data"]] == [first.public_id]
    other = api.get(f"/v1/deliveries?cursor={cursor}&state=failed")
    assert other.status_code == 422

    filters = f"endpoint_id={endpoint.public_id}&conversation_id={conversation.pk}&state=failed"
    found = api.get(f"/v1/deliveries?{filters}&event=message_in").json()["data"]
    assert [d["id"] for d in found] == [first.public_id]

    whole = api.get(f"/v1/deliveries/{first.public_id}").json()["data"]
    assert whole["attempt_log"][0]["status"] == 500
    again = post(api, f"deliveries/{first.public_id}/resend").json()["data"]
    assert (again["state"], again["attempts"]) == ("pending", 0)


def grown_older() -> None:
    """As if all events had been written an hour ago."""
    for event in Event.objects.order_by("id"):
        before = feed.first_id_at(event.created_at - timedelta(hours=1))
        new = before[:14] + event.pk[14:]
        Event.objects.filter(pk=event.pk).update(id=new)


def test_events_are_read_in_order_and_the_reader_goes_on_where_it_was(
    api: Client, conversation: Conversation
) -> None:
    say(conversation, "one", "two", "three")
    grown_older()

    page = api.get("/v1/events?limit=2").json()
    assert [e["data"]["message"]["content"] for e in page["data"]] == ["one", "two"]
    cursor = page["meta"]["next_cursor"]
    rest = api.get(f"/v1/events?cursor={cursor}").json()
    assert [e["data"]["message"]["content"] for e in rest["data"]] == ["three"]
    assert rest["meta"]["has_more"] is False
    cursor = rest["meta"]["next_cursor"]
    assert api.get(f"/v1/events?cursor={cursor}").json()["data"] == []
    only = f"/v1/events?event=message_in&conversation_id={conversation.pk}"
    assert len(api.get(only).json()["data"]) == 3
    event = Event.objects.earliest("id")
    one = api.get(f"/v1/events/{event.pk}").json()["data"]
    assert one == json.loads(bytes(event.body))


@pytest.mark.django_db(transaction=True)
def test_the_feed_ends_where_a_transaction_that_writes_is_open() -> None:
    parameters = connection.get_connection_params()
    wanted = {"dbname", "user", "password", "host", "port"}
    with psycopg.connect(
        **{k: v for k, v in parameters.items() if k in wanted}
    ) as other:
        row = other.execute("select now(), pg_current_xact_id()").fetchone()
        assert row
        open_since = feed.first_id_at(row[0].astimezone(UTC) - feed.CLOCK_MARGIN)

        assert feed.horizon() == open_since
        assert feed.horizon() == open_since

        other.rollback()
        assert feed.horizon() > open_since


@pytest.mark.parametrize("path", ["endpoints", "deliveries", "events"])
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=101", "cursor=x", "cursor=a:b:c"]
)
def test_a_bad_page_is_refused(api: Client, path: str, query: str) -> None:
    assert api.get(f"/v1/{path}?{query}").status_code == 422


@pytest.mark.parametrize(
    "query",
    ["endpoint_id=7", "endpoint_id=CH_7", "conversation_id=9" + "9" * 30, "state=x"],
)
def test_a_bad_filter_is_refused(api: Client, query: str) -> None:
    assert api.get(f"/v1/deliveries?{query}").status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "endpoints/ENDPOINT_99999999999999999999999",
        "endpoints/7",
        "deliveries/DELIVERY_7",
        "events/evt_x",
    ],
)
def test_what_is_not_there_is_a_404(api: Client, path: str) -> None:
    assert api.get(f"/v1/{path}").status_code == 404


@pytest.mark.parametrize("path", ["endpoints", "deliveries", "events", "events/evt_x"])
def test_nothing_is_told_without_a_key(client: Client, path: str) -> None:
    assert client.get(f"/v1/{path}").status_code == 401


# --- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("get", "endpoints", "endpoints:read"),
        ("post", "endpoints/ENDPOINT_1/reveal-secret", "endpoints:write"),
        ("post", "endpoints/ENDPOINT_1/recover", "deliveries:write"),
        ("get", "deliveries", "deliveries:read"),
        ("post", "deliveries/DELIVERY_1/resend", "deliveries:write"),
        ("get", "events", "events:read"),
    ],
)
def test_a_key_without_the_scope_is_refused(
    key_for: KeyFor, method: str, path: str, scope: str
) -> None:
    others = [other for other in Scope.values if other != scope]

    def ask(key: Client) -> Any:
        return post(key, path) if method == "post" else key.get(f"/v1/{path}")

    refused, let_in = ask(key_for(*others)), ask(key_for(scope))

    assert refused.status_code == 403
    assert scope in refused.json()["detail"]
    assert let_in.status_code in {200, 404}


def test_the_same_key_makes_one_endpoint_and_its_secret_is_not_kept_in_plain(
    api: Client,
) -> None:
    answers = [
        api.post(
            "/v1/endpoints",
            {"url": URL},
            content_type="application/json",
            headers={"Idempotency-Key": "once"},
        )
        for _ in range(2)
    ]

    first, second = (answer.json()["data"] for answer in answers)
    assert second == first
    assert second["secret"] == Endpoint.objects.get().secret
    with connection.cursor() as cursor:
        cursor.execute("select body from inbox_idempotentanswer")
        assert first["secret"] not in cursor.fetchone()[0]


def test_a_secret_is_told_again_and_who_asked_is_written_down(api: Client) -> None:
    endpoint = Endpoint.objects.create(url=URL)

    told = post(api, f"endpoints/{endpoint.public_id}/reveal-secret").json()["data"]

    assert told["secret"] == endpoint.secret
    entry = AuditEntry.objects.get(action="endpoint_secret_revealed")
    assert (entry.agent_name, entry.subject_id) == ("Shop website", endpoint.public_id)
