"""/healthz and /readyz, and what pages say without a database."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings

from inbox.health import QUEUES, beat, heard

pytestmark = pytest.mark.django_db


def test_the_process_is_alive(client: Client) -> None:
    assert client.get("/healthz").content == b"ok"


def test_all_parts_heard_is_ready(client: Client) -> None:
    heard("beat")
    for queue in QUEUES:
        beat(queue)

    assert client.get("/readyz").json() == {"status": "ok", "missing": []}


def test_a_silent_worker_is_named_and_ingest_stays(client: Client) -> None:
    heard("beat")
    beat("drain")

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "degraded",
        "missing": ["worker:send", "worker:dispatch", "worker:fetch"],
    }


@override_settings(REDIS_URL="unix:///nowhere/redis.sock")
def test_without_redis_the_product_is_degraded_not_down(client: Client) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["missing"]) == (200, ["redis"])
