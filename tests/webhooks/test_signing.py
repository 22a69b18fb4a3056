"""Standard Webhooks 1.0.0, with the reference implementation as the oracle."""

from __future__ import annotations

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from webhooks.signing import generate_secret, headers, is_signed, key_of

BODY = '{"event":"message_in","text":"مرحبا"}'.encode()


def signed(
    body: bytes = BODY, *, secret: str, at: float | None = None
) -> dict[str, str]:
    return headers(
        event_id="evt_1",
        timestamp=int(at or time.time()),
        body=body,
        keys=[key_of(secret)],
    )


def test_the_published_example_is_signed_as_published() -> None:
    """Test vector of the specification's reference libraries."""
    made = headers(
        event_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
        keys=[key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
    )

    assert (
        made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_reference_implementation_accepts_our_signature() -> None:
    secret = generate_secret()

    Webhook(secret).verify(BODY, signed(secret=secret))


def test_the_reference_implementation_refuses_another_body() -> None:
    secret = generate_secret()

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", signed(secret=secret))


def test_secrets_are_new_each_time_and_long_enough() -> None:
    one, other = generate_secret(), generate_secret()

    assert one != other
    assert one.startswith("whsec_")
    assert 24 <= len(key_of(one)) <= 64


def test_our_own_check_accepts_what_is_signed_and_nothing_else() -> None:
    secret, moment = generate_secret(), time.time()
    keys = [key_of(generate_secret()), key_of(secret)]
    given = signed(secret=secret, at=moment)

    assert is_signed(BODY, given, keys=keys, at=moment)
    assert is_signed(BODY, given, keys=keys, at=moment + 299)
    assert not is_signed(BODY, given, keys=keys, at=moment + 302)
    assert not is_signed(BODY, given, keys=keys[:1], at=moment)
    assert not is_signed(BODY + b" ", given, keys=keys, at=moment)
    assert not is_signed(BODY, {**given, "webhook-id": "evt_2"}, keys=keys, at=moment)


@pytest.mark.parametrize(
    "garbage",
    [
        {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v2," + base64.b64encode(b"x" * 32).decode()},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,é"},
    ],
)
def test_garbage_in_the_headers_is_a_plain_no(garbage: dict[str, str]) -> None:
    secret = generate_secret()
    given = signed(secret=secret) | garbage

    assert not is_signed(BODY, given, keys=[key_of(secret)], at=time.time())
    assert not is_signed(BODY, {}, keys=[key_of(secret)], at=time.time())
