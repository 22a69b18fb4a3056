"""Standard Webhooks 1.0.0: the signature of an outgoing event, and its check.

Signed are the id, the moment of the attempt and the very bytes that are sent, with a full stop
between them. Several signatures (two secrets during a rotation) stand side by side.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
SECRET_BYTES = 32
# How far the clocks of sender and receiver may be apart, in seconds.
TOLERANCE = 300


def generate_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """The signing key within a secret. Raises ValueError if it is none."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def sign(*, event_id: str, timestamp: int, body: bytes, keys: Iterable[bytes]) -> str:
    """The `webhook-signature` header.

    timestamp: whole Unix seconds, sent unchanged as `webhook-timestamp`.
    """
    signed = f"{event_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        for key in keys
    )


def headers(
    *, event_id: str, timestamp: int, body: bytes, keys: Iterable[bytes]
) -> dict[str, str]:
    """What proves to the receiver who sends, what and when."""
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(
            event_id=event_id, timestamp=timestamp, body=body, keys=keys
        ),
    }


def is_signed(
    body: bytes, given: Mapping[str, str], *, keys: Iterable[bytes], at: float
) -> bool:
    """Whether one of these keys signed the body lately. Whatever the headers hold, no error.

    given: headers by lower-case name. at: the receiver's clock in Unix seconds.
    """
    try:
        timestamp = int(given["webhook-timestamp"])
        event_id = given["webhook-id"]
        offered = [
            base64.b64decode(signature[3:], validate=True)
            for signature in given["webhook-signature"].split()
            if signature.startswith("v1,")
        ]
    except (KeyError, ValueError, binascii.Error):
        return False
    if abs(at - timestamp) > TOLERANCE:
        return False
    signed = f"{event_id}.{timestamp}.".encode() + body
    expected = [hmac.digest(key, signed, "sha256") for key in keys]
    return any(hmac.compare_digest(a, b) for a in offered for b in expected)
