"""`Idempotency-Key`: once, and the same answer, whatever becomes of the connection."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import connection
from django.test import Client
from django.utils.timezone import now

from inbox.contacts import erase_contact, forget_messages
from inbox.models import (
    ApiKey,
    ChannelIdentity,
    Contact,
    Conversation,
    IdempotentAnswer,
    Message,
    Tag,
)
from inbox.retention import purge
from tests.inbox.api.conftest import client_of

pytestmark = pytest.mark.django_db


def post(api: Client, url: str, body: Any, key: str = "k1") -> Any:
    return api.post(
        f"/v1/{url}", body, "application/json", headers={"Idempotency-Key": key}
    )


def test_the_same_key_and_body_are_answered_the_same(
    api: Client, conversation: Conversation
) -> None:
    url = f"conversations/{conversation.pk}/messages"
    first = post(api, url, {"content": "Once"})
    Message.objects.update(status="failed")

    second = post(api, url, {"content": "Once"})

    assert second.json() == first.json()
    assert (first.status_code, second.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert Message.objects.count() == 1


def test_spaces_and_order_of_the_json_are_no_other_body(
    api: Client, conversation: Conversation
) -> None:
    url = f"conversations/{conversation.pk}/messages"
    post(api, url, '{"content": "Once", "attachments": []}')

    second = post(api, url, '{ "attachments" : [], "content":"Once" }')

    assert second["Idempotent-Replayed"] == "true"


def test_another_body_with_the_same_key_is_refused(
    api: Client, conversation: Conversation
) -> None:
    url = f"conversations/{conversation.pk}/notes"
    post(api, url, {"content": "One"})

    answer = post(api, url, {"content": "Two"})

    assert (answer.status_code, answer.json()["code"]) == (
        422,
        "idempotency_key_reused",
    )
    assert Message.objects.count() == 1


def test_another_address_with_the_same_key_is_refused(
    api: Client, conversation: Conversation
) -> None:
    post(api, f"conversations/{conversation.pk}/notes", {"content": "One"})

    answer = post(api, f"conversations/{conversation.pk}/messages", {"content": "One"})

    assert answer.status_code == 422


def test_keys_of_two_programs_have_nothing_to_do_with_each_other(api: Client) -> None:
    other = client_of("CRM", ["tags:write"])

    post(api, "tags", {"name": "vip"})
    answer = post(other, "tags", {"name": "press"})

    assert answer.status_code == 201
    assert Tag.objects.count() == 2


def test_a_refusal_leaves_the_key_free(api: Client, conversation: Conversation) -> None:
    url = f"conversations/{conversation.pk}/messages"
    ChannelIdentity.objects.update(last_inbound_at=None, window_expires_at=None)
    refused = post(api, url, {"content": "Hello"})
    at = now()
    ChannelIdentity.objects.update(
        last_inbound_at=at, window_expires_at=at + timedelta(hours=24)
    )

    answer = post(api, url, {"content": "Hello"})

    assert (refused.status_code, answer.status_code) == (409, 201)
    assert not answer.has_header("Idempotent-Replayed")


def test_a_key_that_is_too_long_is_refused(api: Client) -> None:
    answer = post(api, "tags", {"name": "vip"}, key="k" * 256)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == "Idempotency-Key"


@pytest.mark.django_db(transaction=True)
def test_a_key_whose_first_request_is_under_way_is_a_409(api: Client) -> None:
    pk = ApiKey.objects.get().pk
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_hold, f"idempotency {pk} k2").result()

        held = post(api, "tags", {"name": "press"}, key="k2")

        pool.submit(_release).result()
    assert (held.status_code, held.json()["code"]) == (409, "idempotency_key_in_use")


def _hold(name: str) -> None:
    """As a request that is under way in another process holds it."""
    digest = hashlib.sha256(name.encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", [number])


def _release() -> None:
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_parallel_identical_posts_make_one_message(
    asgi_server: str, conversation: Conversation
) -> None:
    _race(asgi_server, conversation, rounds=20)


@pytest.mark.proof
@pytest.mark.django_db(transaction=True)
def test_a_thousand_parallel_pairs_make_a_thousand_messages(
    asgi_server: str, conversation: Conversation
) -> None:
    for _key in range(20):  # each with a key of its own: one may call so often a minute
        _race(asgi_server, conversation, rounds=50)


def _race(base: str, conversation: Conversation, *, rounds: int) -> None:
    """Each round two identical POSTs at once; whoever comes second waits, and asks again."""
    _row, key = ApiKey.issue("Racer")
    url = f"{base}/v1/conversations/{conversation.pk}/notes"
    sessions = [requests.Session(), requests.Session()]
    for session in sessions:
        session.trust_env = False
    before = Message.objects.count()

    def ask(session: requests.Session, name: str) -> Any:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": name}
        while True:
            answer = session.post(
                url, json={"content": name}, headers=headers, timeout=10
            )
            if answer.status_code != 409:
                return answer

    with ThreadPoolExecutor(2) as pool:
        for _round in range(rounds):
            name = uuid.uuid4().hex
            one, two = pool.map(ask, sessions, [name, name])
            assert (one.status_code, two.status_code) == (201, 201)
            assert one.json() == two.json()
            replayed = Counter("Idempotent-Replayed" in a.headers for a in (one, two))
            assert replayed == {True: 1, False: 1}

    assert Message.objects.count() - before == rounds


def test_an_answer_is_forgotten_with_what_it_told_of(
    api: Client, conversation: Conversation
) -> None:
    url = f"conversations/{conversation.pk}/messages"
    (message,) = post(api, url, {"content": "Secret"}).json()["data"]

    forget_messages([int(message["id"].removeprefix("MSG_"))])
    answer = post(api, url, {"content": "Secret"})

    assert IdempotentAnswer.objects.get().body == ""
    assert (answer.status_code, answer.json()["code"]) == (410, "erased")


def test_answers_that_name_a_person_are_forgotten_with_them(api: Client) -> None:
    body = {"name": "Salma", "email": "salma@example.com"}
    made = post(api, "contacts", body).json()["data"]

    erase_contact(Contact.objects.get(), None)

    stored = IdempotentAnswer.objects.get()
    assert stored.body == ""
    assert stored.subjects == [made["id"]]


def test_answers_are_kept_for_a_day(api: Client) -> None:
    post(api, "tags", {"name": "vip"}, key="old")
    IdempotentAnswer.objects.update(created_at=now() - timedelta(hours=25))
    post(api, "tags", {"name": "press"}, key="new")

    purge()

    assert [one.key for one in IdempotentAnswer.objects.all()] == ["new"]


def test_what_is_stored_is_what_was_answered(api: Client) -> None:
    answer = post(api, "tags", {"name": "vip"})

    assert json.loads(IdempotentAnswer.objects.get().body) == answer.json()
