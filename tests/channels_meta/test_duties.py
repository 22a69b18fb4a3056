"""What Meta asks of every app: data deletion and deauthorisation, really signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils.timezone import now

from channels_meta.duties import CALLS_PER_MINUTE, MAX_FORM_BYTES
from channels_meta.models import Credential, DataDeletion, Incident, LoginAttempt
from inbox.delivery import deliver_next
from inbox.models import Agent, Channel, Message, Source
from inbox.outbound import queue_reply
from inbox.retention import purge
from tests.conftest import make_conversation
from tests.webhooks.conftest import Receiver
from webhooks.models import Endpoint
from webhooks.sending import dispatch

pytestmark = pytest.mark.django_db

USER = "10158000000000001"
DELETION, DEAUTHORIZE = "/meta/data-deletion", "/meta/deauthorize"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(
    payload: Any, *, secret: str = "app-secret", algorithm: str = "HMAC-SHA256"
) -> str:
    """As Meta's own sample does: over the second part as it is sent."""
    if isinstance(payload, dict):
        payload = json.dumps(
            {"algorithm": algorithm, "issued_at": 1795330000, **payload}
        )
    second = encode(payload.encode())
    digest = hmac.new(secret.encode(), second.encode(), hashlib.sha256).digest()
    return f"{encode(digest)}.{second}"


def ask(client: Client, address: str, signed_request: str) -> Any:
    return client.post(address, {"signed_request": signed_request})


@pytest.fixture
def connected(instagram: Channel) -> Channel:
    """An account that the person connected."""
    Credential.objects.filter(channel=instagram).update(user_id=USER)
    return instagram


# --- the signature -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret", ["app-secret", "old-app-secret", "instagram-app-secret"]
)
def test_every_secret_of_ours_signs(
    secret: str, client: Client, connected: Channel
) -> None:
    answer = ask(client, DEAUTHORIZE, sign({"user_id": USER}, secret=secret))

    assert answer.status_code == 200
    assert not Credential.objects.exists()


def _tampered() -> str:
    signature, _, _ = sign({"user_id": USER}).partition(".")
    _, _, other = sign({"user_id": "1"}).partition(".")
    return f"{signature}.{other}"


@pytest.mark.parametrize(
    "signed_request",
    [
        "",
        "nothing",
        ".",
        "a.b.c",
        sign({"user_id": USER}, secret="somebody-elses"),
        sign({"user_id": USER}, algorithm="PLAIN"),
        sign({"user_id": USER}) + "x",
        _tampered(),
        sign("not JSON"),
        sign("[1]"),
        "%%%." + sign({"user_id": USER}).partition(".")[2],
        "é." + sign({"user_id": USER}).partition(".")[2],
    ],
)
@pytest.mark.parametrize("address", [DELETION, DEAUTHORIZE])
def test_what_is_not_signed_by_meta_changes_nothing(
    address: str, signed_request: str, client: Client, connected: Channel
) -> None:
    answer = ask(client, address, signed_request)

    assert answer.status_code == 403
    assert Credential.objects.exists()
    assert not DataDeletion.objects.exists()


@pytest.mark.parametrize("user_id", ["", None, [], True, "9" * 101, "9" * 300])
def test_a_signed_request_without_a_person_is_refused(
    user_id: Any, client: Client, connected: Channel
) -> None:
    assert ask(client, DELETION, sign({"user_id": user_id})).status_code == 400
    assert not DataDeletion.objects.exists()


def test_a_number_is_an_id_too(client: Client, connected: Channel) -> None:
    ask(client, DEAUTHORIZE, sign({"user_id": int(USER)}))

    assert not Credential.objects.exists()


def test_a_form_that_is_too_large_is_not_read(client: Client) -> None:
    assert ask(client, DELETION, "x" * (MAX_FORM_BYTES + 1)).status_code == 413


def test_who_calls_too_often_waits_a_minute(client: Client) -> None:
    answers = {ask(client, DELETION, "x").status_code for _ in range(CALLS_PER_MINUTE)}
    refused = ask(client, DELETION, sign({"user_id": USER}))

    assert answers == {403}
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0


@pytest.mark.parametrize("address", [DELETION, DEAUTHORIZE])
def test_only_forms_are_taken_and_no_csrf_token_is_needed(
    address: str, connected: Channel
) -> None:
    strict = Client(enforce_csrf_checks=True)

    assert strict.get(address).status_code == 405
    assert ask(strict, address, sign({"user_id": USER})).status_code == 200


# --- deletion ------------------------------------------------------------------------------------


def test_a_deletion_deletes_tokens_and_stops_the_account(
    client: Client, connected: Channel, agent: Agent, messenger: Channel
) -> None:
    LoginAttempt.objects.create(
        state="s", flavour="instagram", agent=agent, user_id=USER, access_token="secret"
    )
    conversation = make_conversation(connected)

    answer = ask(client, DELETION, sign({"user_id": USER}))

    deletion = DataDeletion.objects.get()
    told = answer.json()
    assert told["confirmation_code"] == deletion.confirmation_code
    assert told["url"].endswith(f"/meta/data-deletion/{deletion.confirmation_code}")
    assert deletion.credentials == 1
    assert deletion.finished_at is not None
    assert list(Credential.objects.values_list("channel", flat=True)) == [messenger.pk]
    assert not LoginAttempt.objects.exists()
    connected.refresh_from_db()
    assert connected.status == Channel.Status.DISCONNECTED
    assert "permission back" in connected.status_reason
    messenger.refresh_from_db()
    assert messenger.status == Channel.Status.ACTIVE
    conversation.refresh_from_db()  # what customers wrote is the business's


def test_somebody_unknown_is_answered_alike(client: Client, connected: Channel) -> None:
    answer = ask(client, DELETION, sign({"user_id": "1"}))

    assert answer.status_code == 200
    assert set(answer.json()) == {"url", "confirmation_code"}
    assert Credential.objects.exists()


def test_asking_twice_is_answered_twice(client: Client, connected: Channel) -> None:
    codes = {
        ask(client, DELETION, sign({"user_id": USER})).json()["confirmation_code"]
        for _ in range(2)
    }

    assert len(codes) == 2


def test_the_status_page_tells_the_person_and_nobody_else_anything(
    client: Client, connected: Channel
) -> None:
    url = ask(client, DELETION, sign({"user_id": USER})).json()["url"]

    page = client.get(urlsplit(url).path)

    text = page.content.decode()
    assert page.status_code == 200
    assert "Your data is deleted" in text
    assert DataDeletion.objects.get().confirmation_code in text
    assert USER not in text
    assert connected.name not in text
    assert "no-store" in page["Cache-Control"]


def test_there_is_no_page_for_a_code_nobody_got(client: Client) -> None:
    assert client.get("/meta/data-deletion/0123456789").status_code == 404


def test_the_page_stands_in_the_readers_language(client: Client) -> None:
    deletion = DataDeletion.objects.create(confirmation_code="abc", user_id=USER)

    page = client.get(
        f"/meta/data-deletion/{deletion.confirmation_code}",
        headers={"Accept-Language": "ar"},
    )

    assert re.search(r'<html lang="ar" dir="rtl"', page.content.decode())


# --- deauthorisation -----------------------------------------------------------------------------


@pytest.fixture
def listener(transactional_db: None) -> Iterator[Receiver]:
    receiver = Receiver()
    Endpoint.objects.create(url=receiver.url, events=["channel_status"])
    yield receiver
    receiver.close()


@pytest.mark.django_db(transaction=True)
def test_a_deauthorised_account_sends_nothing_and_says_so(
    client: Client, connected: Channel, listener: Receiver
) -> None:
    conversation = make_conversation(connected)
    queue_reply(conversation=conversation, source=Source.API, content="Too late")

    answer = ask(client, DEAUTHORIZE, sign({"user_id": USER}))
    deliver_next(conversation.pk)
    dispatch()

    assert (answer.status_code, answer.content) == (200, b"")
    assert Message.objects.get().status == "queued"
    (event,) = listener.events
    assert event["data"] == {"status": "disconnected", "reason": "deauthorized"}
    incident = Incident.objects.get(channel=connected)
    assert incident.kind == Incident.Kind.DISCONNECTED


def test_what_was_proved_goes_after_its_time(settings: Any) -> None:
    settings.KEEP_PROOFS_DAYS = 30
    for code, age in (("old", 31), ("new", 29)):
        row = DataDeletion.objects.create(
            confirmation_code=code, user_id=USER, finished_at=now()
        )
        DataDeletion.objects.filter(pk=row.pk).update(
            requested_at=now() - timedelta(days=age)
        )

    purge()

    assert DataDeletion.objects.get().confirmation_code == "new"
