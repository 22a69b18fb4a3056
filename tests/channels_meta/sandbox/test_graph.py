"""The pretend Graph API as our own client meets it, over real HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import runpy
from datetime import timedelta
from typing import Any

import pytest
import redis
import requests
from django.conf import settings
from django.urls import Resolver404, resolve

from channels_meta.models import RawEvent
from channels_meta.processing import drain
from channels_meta.sandbox import faults
from channels_meta.sandbox.accounts import disconnect, reconnect
from channels_meta.sandbox.models import SandboxCall, SandboxFault, SandboxPerson
from inbox.channels import (
    ErrorClass,
    OutgoingMedia,
    OutgoingMessage,
    SendError,
    WindowKind,
)
from inbox.delivery import deliver_next
from inbox.models import Channel, Conversation, Source, Status
from inbox.outbound import queue_reply
from tests.channels_meta.sandbox.conftest import first_person, send, wrote

pytestmark = pytest.mark.django_db(transaction=True)

DAY_AND_MORE = timedelta(hours=25)


def test_a_reply_lands_on_the_phone_and_its_echo_in_the_same_row(
    person: SandboxPerson,
) -> None:
    wrote(person)
    conversation = Conversation.objects.get()
    (message,) = queue_reply(
        conversation=conversation, source=Source.AGENT, content="Marhaba 👋 é"
    )

    deliver_next(conversation.pk)
    drain()

    shown = person.messages.get(direction="out")
    message.refresh_from_db()
    assert (shown.text, shown.mid) == ("Marhaba 👋 é", message.external_id)
    assert conversation.messages.filter(direction="out").count() == 1
    is_instagram = person.channel.kind == "instagram"
    expected = Status.SENT if is_instagram else Status.DELIVERED
    assert message.status == expected
    assert set(RawEvent.objects.values_list("state", flat=True)) == {"processed"}


def test_message_ids_have_the_shape_of_their_channel(person: SandboxPerson) -> None:
    wrote(person)

    accepted = send(person)

    is_instagram = person.channel.kind == "instagram"
    assert accepted.external_id.startswith("aWdfZAG1" if is_instagram else "m_")


def test_only_messenger_names_app_and_mark_in_the_echo(person: SandboxPerson) -> None:
    wrote(person)

    send(person)

    echo = person.calls.get(kind=SandboxCall.Kind.ECHO).payload
    message = echo["entry"][0]["messaging"][0]["message"]
    has_both = {"app_id", "metadata"} <= set(message)
    has_none = not {"app_id", "metadata"} & set(message)
    assert has_none if person.channel.kind == "instagram" else has_both


def forget_pace() -> None:
    """Our own client waits after a refusal; what the pretend Meta does next is the subject."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()


FAULTS = [
    (SandboxFault.Kind.TOKEN, ErrorClass.RECONNECT, 0),
    (SandboxFault.Kind.THROTTLE, ErrorClass.THROTTLED, 0),
    (SandboxFault.Kind.UNAVAILABLE, ErrorClass.UNAVAILABLE, 0),
    (SandboxFault.Kind.REFUSED, ErrorClass.BAD_REQUEST, 0),
    (SandboxFault.Kind.SENT_BUT_ERROR, ErrorClass.UNCERTAIN, 1),
    (SandboxFault.Kind.TIMEOUT_AFTER_SEND, ErrorClass.UNCERTAIN, 1),
    (SandboxFault.Kind.CONNECTION_LOST, ErrorClass.UNCERTAIN, 0),
]


@pytest.mark.parametrize(("fault", "error_class", "arrived"), FAULTS)
def test_each_fault_fails_one_send_in_its_own_way(
    person: SandboxPerson, fault: str, error_class: ErrorClass, arrived: int
) -> None:
    wrote(person)
    faults.cause(person.account, fault)

    with pytest.raises(SendError) as refusal:
        send(person)
    on_phone = person.messages.filter(direction="out").count()
    forget_pace()
    send(person, "Again")

    assert (refusal.value.error_class, on_phone) == (error_class, arrived)


def test_sent_but_error_is_echoed_and_a_lost_answer_is_not(
    person: SandboxPerson,
) -> None:
    wrote(person)
    echoes = person.calls.filter(kind=SandboxCall.Kind.ECHO)

    for fault, expected in (("timeout_after_send", 0), ("sent_but_error", 1)):
        faults.cause(person.account, fault)
        with pytest.raises(SendError):
            send(person)

        assert echoes.count() == expected


def test_too_many_calls_say_when_to_come_back(person: SandboxPerson) -> None:
    wrote(person)
    faults.cause(person.account, "throttle")

    with pytest.raises(SendError) as refusal:
        send(person)

    assert refusal.value.retry_after == timedelta(minutes=1)


def test_a_cut_off_account_refuses_until_it_is_connected_again(
    person: SandboxPerson,
) -> None:
    wrote(person)
    disconnect(person.channel)

    with pytest.raises(SendError) as refusal:
        send(person)
    reconnect(person.channel)

    assert (refusal.value.error_class, refusal.value.code) == (
        ErrorClass.RECONNECT,
        "190/463",
    )
    assert send(person).external_id


def test_after_a_day_only_the_human_agent_tag_goes_through(
    person: SandboxPerson,
) -> None:
    wrote(person, ago=DAY_AND_MORE)

    with pytest.raises(SendError) as refusal:
        send(person)

    assert refusal.value.error_class is ErrorClass.WINDOW_CLOSED
    assert send(person, window=WindowKind.HUMAN_AGENT).external_id


def test_after_a_week_nothing_goes_through(person: SandboxPerson) -> None:
    wrote(person, ago=timedelta(days=7, minutes=1))

    with pytest.raises(SendError) as refusal:
        send(person, window=WindowKind.HUMAN_AGENT)

    assert refusal.value.error_class is ErrorClass.WINDOW_CLOSED


def test_a_person_of_the_other_account_is_not_known(
    accounts: dict[str, Channel],
) -> None:
    person = first_person(accounts["instagram"])
    person.external_id = first_person(accounts["messenger"]).external_id

    with pytest.raises(SendError) as refusal:
        send(person)

    assert refusal.value.code == "100/2534014"


LIMITS = [
    ("instagram", "é" * 500, True),
    ("instagram", "é" * 500 + "x", False),
    ("messenger", "é" * 2000, True),
    ("messenger", "é" * 2001, False),
]


@pytest.mark.parametrize(("kind", "text", "fits"), LIMITS)
def test_instagram_counts_bytes_and_messenger_characters(
    accounts: dict[str, Channel], kind: str, text: str, fits: bool
) -> None:
    person = first_person(accounts[kind])
    wrote(person)

    if fits:
        assert send(person, text).external_id
        return
    with pytest.raises(SendError) as refusal:
        send(person, text)
    assert refusal.value.error_class is ErrorClass.BAD_REQUEST


FILES = [
    ("instagram", "image", "https://shop.example/bag.png?v=2", True),
    ("instagram", "file", "https://shop.example/prices.PDF", True),
    ("instagram", "file", "https://shop.example/prices.docx", False),
    ("instagram", "video", "https://shop.example/tour.mkv", False),
    ("messenger", "file", "https://shop.example/prices.docx", True),
    ("messenger", "image", "https://shop.example/bag.tiff", False),
    ("messenger", "image", "https://shop.example/bag", True),
]


@pytest.mark.parametrize(("kind", "media", "url", "fits"), FILES)
def test_each_channel_takes_its_own_kinds_of_file(
    accounts: dict[str, Channel], kind: str, media: str, url: str, fits: bool
) -> None:
    person = first_person(accounts[kind])
    wrote(person)
    message = OutgoingMessage(
        recipient_id=person.external_id,
        window=WindowKind.OPEN,
        reference="dx:0",
        media=OutgoingMedia(media, url),
    )

    if fits:
        assert person.channel.adapter.send(person.channel, message).external_id
        return
    with pytest.raises(SendError) as refusal:
        person.channel.adapter.send(person.channel, message)
    assert refusal.value.code == "100/2018047"


# --- the answers themselves ------------------------------------------------------------------


def call(
    channel: Channel,
    path: str,
    *,
    token: str = "",
    proof: str | None = None,
    **more: Any,
) -> requests.Response:
    """One call of the pretend API as some other client would make it."""
    token = token or channel.meta.access_token
    secret = settings.META_APP_SECRET[0].encode()
    if proof is None:
        proof = hmac.new(secret, token.encode(), hashlib.sha256).hexdigest()
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            "POST" if more else "GET",
            f"{channel.meta.graph_base_url}/v26.0/{path}",
            headers={"Authorization": f"Bearer {token}"},
            params={"appsecret_proof": proof},
            timeout=10,
            **more,
        )


def test_the_closed_window_looks_different_on_the_two_hosts(
    accounts: dict[str, Channel],
) -> None:
    seen = {}
    for kind, channel in accounts.items():
        person = first_person(channel)
        wrote(person, ago=DAY_AND_MORE)
        payload = {"recipient": {"id": person.external_id}, "message": {"text": "Hi"}}

        answer = call(channel, f"{channel.external_id}/messages", json=payload)

        error = answer.json()["error"]
        seen[kind] = (
            answer.status_code,
            error["type"],
            error["code"],
            error["error_subcode"],
        )
    assert seen == {
        "instagram": (403, "IGApiException", 10, 2534022),
        "messenger": (400, "OAuthException", 10, 2018278),
    }


def test_the_hosts_name_their_version_and_usage_each_in_its_way(
    accounts: dict[str, Channel],
) -> None:
    instagram = call(accounts["instagram"], "me")
    messenger = call(accounts["messenger"], "me")

    assert instagram.headers["instagram-api-version"] == "v26.0"
    assert set(json.loads(instagram.headers["x-app-usage"])) == {
        "call_volume",
        "cpu_time",
    }
    assert messenger.headers["facebook-api-version"] == "v26.0"
    assert set(json.loads(messenger.headers["x-app-usage"])) == {
        "call_count",
        "total_time",
        "total_cputime",
    }


def test_me_is_the_account(accounts: dict[str, Channel]) -> None:
    assert call(accounts["instagram"], "me").json() == {
        "id": "26010000000000001",
        "user_id": "17841400001",
        "username": "maison.tilila",
        "name": "Maison Tilila",
        "account_type": "BUSINESS",
    }


def test_a_wrong_token_is_refused(accounts: dict[str, Channel]) -> None:
    answer = call(accounts["messenger"], "me", token="not-a-token")

    error = answer.json()["error"]
    assert (error["code"], error["error_subcode"]) == (190, 463)


def test_only_the_facebook_host_wants_proof_of_the_secret(
    accounts: dict[str, Channel],
) -> None:
    assert call(accounts["messenger"], "me", proof="wrong").status_code == 400
    assert call(accounts["instagram"], "me", proof="wrong").status_code == 200


def test_retired_tags_are_refused(person: SandboxPerson) -> None:
    wrote(person)
    payload = {
        "recipient": {"id": person.external_id},
        "messaging_type": "MESSAGE_TAG",
        "tag": "ACCOUNT_UPDATE",
        "message": {"text": "Hi"},
    }

    answer = call(person.channel, "me/messages", json=payload)

    assert answer.json()["error"]["code"] == 100


def test_nothing_of_it_is_there_where_the_sandbox_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "SANDBOX", False)
    patterns = tuple(
        runpy.run_path(str(settings.BASE_DIR / "dexra/urls.py"))["urlpatterns"]
    )

    for address in ("/sandbox/", "/sandbox/graph/instagram/v26.0/me"):
        with pytest.raises(Resolver404):
            resolve(address, urlconf=patterns)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"message":{}}',
        b'{"recipient":[],"message":"x"}',
        b'{"recipient":{"id":"\\u0000"}}',
        b'{"recipient":{"id":1},"message":{"text":5}}',
    ],
)
def test_whatever_is_posted_is_answered_with_an_error(
    person: SandboxPerson, body: bytes
) -> None:
    answer = call(person.channel, "me/messages", data=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


def test_a_profile_needs_consent_on_instagram_alone(person: SandboxPerson) -> None:
    path = f"{person.external_id}?fields=name"

    before = call(person.channel, path).json()
    wrote(person)
    after = call(person.channel, path).json()

    profile = {"id": person.external_id, "name": person.name}
    assert after == profile
    if person.channel.kind == "instagram":
        assert before["error"]["code"] == 230
    else:
        assert before == profile


def test_no_token_is_ever_written_down(person: SandboxPerson) -> None:
    wrote(person)
    send(person)

    token = person.channel.meta.access_token
    assert not [c for c in SandboxCall.objects.all() if token in json.dumps(c.payload)]
