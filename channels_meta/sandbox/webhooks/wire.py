"""How Meta posts: its escaping, its signatures, and one POST."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Mapping
from typing import Any

import requests
from django.conf import settings

from channels_meta.sandbox.models import SandboxAccount

logger = logging.getLogger(__name__)

# Meta waits this long (seconds) for the answer.
TIMEOUT = 5


def encode(data: Mapping[str, Any]) -> bytes:
    r"""JSON as Meta writes it: ASCII, \u with lower-case digits, every / as \/."""
    return json.dumps(data, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def sign(account: SandboxAccount, body: bytes) -> dict[str, str]:
    """Both of Meta's signature headers over these exact bytes."""
    secret = _secret(account)
    return {
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, "sha256").hexdigest(),
        "X-Hub-Signature": "sha1=" + hmac.new(secret, body, "sha1").hexdigest(),
    }


def _secret(account: SandboxAccount) -> bytes:
    """Of the app that subscribed: Instagram Login has one of its own."""
    source = account.subscription or account
    by_instagram = source.is_instagram and source.subscribed_by != "facebook"
    own = settings.META_INSTAGRAM_APP_SECRET if by_instagram else []
    # Without any secret the product refuses what we sign, as it would refuse Meta.
    return str(next(iter((*own, *settings.META_APP_SECRET)), "")).encode()


def post(account: SandboxAccount, data: Mapping[str, Any]) -> int:
    """POST one body to Dexra's own address. Returns the HTTP status, 0 where none came."""
    body = encode(data)
    headers = {"Content-Type": "application/json", **sign(account, body)}
    url = f"http://127.0.0.1:{settings.PORT}/meta/webhook"
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.post(
                url, data=body, headers=headers, timeout=TIMEOUT
            ).status_code
    except requests.RequestException as error:
        logger.warning("sandbox.not_posted error=%s", type(error).__name__)
        return 0
