"""Meta's door: what is stored, what is refused, and that 200 means committed."""

from __future__ import annotations

import socket

import pytest
import requests

from channels_meta.models import RawEvent
from channels_meta.processing import drain
from inbox.models import Channel, Message
from tests.conftest import Meta, envelope, meta_json, said, signature

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_signed_event_is_stored_before_the_answer(meta: Meta) -> None:
    answer = meta.messaging(said("Salam", "m_1"))

    assert answer.status_code == 200
    assert bytes(RawEvent.objects.get().body) == answer.request.body


def test_a_wrong_signature_stores_nothing(meta: Meta) -> None:
    answer = meta.post(envelope(said("Salam", "m_1")), secret="not-ours")

    assert answer.status_code == 403
    assert not RawEvent.objects.exists()


def test_a_missing_signature_stores_nothing(meta: Meta) -> None:
    answer = requests.post(meta.url, data=b"{}", timeout=5)

    assert answer.status_code == 403
    assert not RawEvent.objects.exists()


@pytest.mark.parametrize(
    "secret", ["app-secret", "old-app-secret", "instagram-app-secret"]
)
def test_every_valid_app_secret_is_accepted(meta: Meta, secret: str) -> None:
    assert meta.post(envelope(said("Salam", "m_1")), secret=secret).status_code == 200


def test_the_legacy_signature_alone_is_refused(meta: Meta) -> None:
    body = meta_json(envelope(said("Salam", "m_1")))

    answer = requests.post(
        meta.url, data=body, headers={"X-Hub-Signature": signature(body)}, timeout=5
    )

    assert answer.status_code == 403


def test_a_body_over_ten_megabytes_is_refused(meta: Meta) -> None:
    assert meta.post(b"x" * (10 * 1024 * 1024 + 1)).status_code == 413
    assert not RawEvent.objects.exists()


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[]", b"{}", b'"text"', b'{"object":"page"}', b'{"object":"page","entry":[7]}',
     b"\xff\xfe\x00", b"[" * 5000, b'{"object":"page","entry":[{"id":"1","messaging":[null,5]}]}'],
)  # fmt: skip
def test_what_is_not_understood_is_kept_and_shown(meta: Meta, body: bytes) -> None:
    answer = meta.post(body)

    drain()

    assert answer.status_code == 200
    row = RawEvent.objects.get()
    assert bytes(row.body) == body
    assert row.state == RawEvent.State.FAILED
    assert row.error


def test_an_exact_repeat_is_one_row(meta: Meta) -> None:
    event = envelope(said("Salam", "m_1"))

    for _ in range(3):
        assert meta.post(event).status_code == 200

    assert RawEvent.objects.count() == 1


def test_an_unknown_account_waits_until_it_is_connected(meta: Meta) -> None:
    meta.messaging(said("Salam", "m_1"))
    drain()
    assert RawEvent.objects.get().state == RawEvent.State.UNROUTED

    Channel.objects.create(kind="messenger", external_id="1055501", name="Late")
    RawEvent.objects.update(state=RawEvent.State.PENDING)
    drain()

    assert RawEvent.objects.get().state == RawEvent.State.PROCESSED
    assert Message.objects.get().content == "Salam"


def test_an_unknown_object_is_kept(meta: Meta) -> None:
    assert (
        meta.post({"object": "whatsapp_business_account", "entry": []}).status_code
        == 200
    )

    drain()

    assert RawEvent.objects.get().outcomes == [
        "ignored: object whatsapp_business_account"
    ]


def test_a_thousand_updates_in_one_body_are_a_thousand_messages(
    meta: Meta, messenger: Channel
) -> None:
    meta.messaging(
        *[said(f"Line {n}", f"m_{n}", person=str(n % 50)) for n in range(1000)]
    )

    drain()

    assert Message.objects.count() == 1000


def test_one_bad_item_leaves_its_neighbours_unharmed(
    meta: Meta, messenger: Channel
) -> None:
    bad = said("no id", "")
    meta.messaging(said("before", "m_1"), bad, said("after", "m_2"))

    drain()

    assert set(Message.objects.values_list("content", flat=True)) == {"before", "after"}
    row = RawEvent.objects.get()
    assert row.state == RawEvent.State.FAILED
    assert row.outcomes == ["message", "unreadable", "message"] or row.outcomes[
        1
    ].startswith("failed")


def test_a_body_in_parts_that_never_ends_holds_nobody_up(asgi_server: str) -> None:
    host, port = asgi_server.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(40)]
    for connection in slow:
        connection.sendall(
            b"POST /admin/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"
        )

    answer = requests.get(f"{asgi_server}/meta/webhook", timeout=5)

    assert answer.status_code in {400, 403}
    for connection in slow:
        connection.close()
