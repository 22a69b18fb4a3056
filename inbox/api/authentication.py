"""Who calls: an API key in the Authorization header."""

from __future__ import annotations

import hmac
from datetime import timedelta

from django.utils.timezone import now
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from inbox.models import ApiKey
from inbox.models.api_keys import PREFIX_LENGTH, hash_key

# `last_used_at` is written at most this often.
USE_NOTED_EVERY = timedelta(minutes=1)


class KeyHolder:
    """The program behind a key. Whatever an agent can do in the inbox, a key can."""

    is_active = True
    is_authenticated = True
    is_anonymous = False

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.pk = f"key-{key.pk}"

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return perm.startswith("inbox.")


def holder_of(request: Request) -> KeyHolder:
    """Who calls. Every view of the API requires a key, so there is one."""
    holder = request.user
    assert isinstance(holder, KeyHolder)  # noqa: S101 - the default permission lets no other in
    return holder


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        scheme, _, key = (
            get_authorization_header(request).decode("latin-1").partition(" ")
        )
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not key.strip():
            raise AuthenticationFailed(
                "Send your key as `Authorization: Bearer <key>`."
            )
        row = self._find(key.strip())
        if row is None:
            raise AuthenticationFailed(
                "This key is not known, has expired or was revoked."
            )
        self._note_use(row)
        return KeyHolder(row), row

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def _find(self, key: str) -> ApiKey | None:
        """By the public prefix, then by the hash in constant time."""
        row = ApiKey.objects.usable().filter(prefix=key[:PREFIX_LENGTH]).first()
        stored = row.key_hash if row else ""
        return row if hmac.compare_digest(stored, hash_key(key)) else None

    def _note_use(self, row: ApiKey) -> None:
        moment = now()
        if row.last_used_at is None or moment - row.last_used_at > USE_NOTED_EVERY:
            ApiKey.objects.filter(pk=row.pk).update(last_used_at=moment)
