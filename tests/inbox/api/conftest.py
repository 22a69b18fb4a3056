"""A key that may do everything, and others that may do less."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from django.test import Client

from inbox.models import ApiKey, Scope

KeyFor = Callable[..., Client]


@pytest.fixture
def key_for(db: None) -> KeyFor:
    """key_for("messages:read"): a client whose key has these scopes alone."""

    def issue(*scopes: str, name: str = "Shop website") -> Client:
        return client_of(name, scopes)

    return issue


@pytest.fixture
def api(db: None) -> Client:
    """A client whose key may do everything, for agents too."""
    return client_of("Shop website", Scope.values)


def client_of(name: str, scopes: Sequence[str]) -> Client:
    _row, key = ApiKey.issue(name, scopes=scopes)
    return Client(headers={"Authorization": f"Bearer {key}"})
