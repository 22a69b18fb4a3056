"""How often a key may call, and what it is told of it."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

import pytest
from django.test import Client

from inbox.api import throttling
from inbox.api.throttling import QUOTA, WINDOW_SECONDS, count_call
from inbox.models import ApiKey
from inbox.redis import redis_client
from tests.inbox.api.conftest import client_of

pytestmark = pytest.mark.django_db


def use_up(who: str) -> None:
    """As after so many calls that no slow machine gets one back while the test runs."""
    redis_client().set(f"dexra:rate:{who}", str(time.time() + 2 * WINDOW_SECONDS))


def test_a_quota_of_calls_comes_through_at_once_and_no_more() -> None:
    began = time.monotonic()
    rates = [count_call("somebody") for _call in range(2 * QUOTA)]
    came_back = (time.monotonic() - began) * QUOTA / WINDOW_SECONDS

    passed = sum(1 for rate in rates if rate and rate.is_allowed)
    assert QUOTA <= passed <= QUOTA + came_back + 1


def test_every_answer_tells_what_is_left(api: Client) -> None:
    first, second = api.get("/v1/tags"), api.get("/v1/nothing-of/it/tags")
    again = api.get("/v1/tags")

    assert first["RateLimit-Policy"] == f'"default";q={QUOTA};w={WINDOW_SECONDS}'
    assert first["RateLimit"] == f'"default";r={QUOTA - 1};t=1'
    assert re.fullmatch(rf'"default";r={QUOTA - 2};t=1', again["RateLimit"])
    assert second.status_code == 404


def test_a_refusal_tells_it_too(api: Client) -> None:
    answer = api.get("/v1/conversations/99999")

    assert (answer.status_code, answer.has_header("RateLimit")) == (404, True)


def test_too_many_calls_are_told_when_to_come_back(api: Client) -> None:
    use_up(f"key-{ApiKey.objects.get().pk}")

    answer = api.get("/v1/tags")

    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(answer["Retry-After"]) <= WINDOW_SECONDS + 1
    assert answer["RateLimit"].startswith('"default";r=0;t=')


def test_one_key_does_not_use_up_the_calls_of_another(api: Client) -> None:
    use_up(f"key-{ApiKey.objects.get().pk}")

    assert client_of("CRM", ["tags:read"]).get("/v1/tags").status_code == 200


def test_guessing_keys_has_its_limit(client: Client) -> None:
    use_up("ip-127.0.0.1")
    wrong = {"Authorization": "Bearer dxr_wrong"}

    answer = client.get("/v1/tags", headers=wrong)

    assert answer.status_code == 429


def test_an_address_that_a_stranger_makes_up_is_not_believed(client: Client) -> None:
    use_up("ip-127.0.0.1")
    headers = {"X-Forwarded-For": "203.0.113.7"}

    answer = client.get("/v1/tags", headers=headers)

    assert answer.status_code == 429


def test_without_redis_nobody_is_refused_and_the_log_alarms_once(
    api: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    throttling.forget_alarm()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    with caplog.at_level(logging.ERROR, logger="inbox.api.throttling"):
        answers = [api.get("/v1/tags") for _twice in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert not answers[0].has_header("RateLimit")
    assert [record.getMessage() for record in caplog.records] == [
        "ratelimit.open error=ConnectionError"
    ]
