"""A customer with a phone, an agent with a browser, an endpoint that checks every signature."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from standardwebhooks import Webhook

from channels_meta.processing import drain
from channels_meta.sandbox.accounts import create_accounts
from channels_meta.sandbox.models import SandboxPerson
from inbox.delivery import deliver_next
from inbox.models import Channel, Conversation
from tests.browser.conftest import browser, open_page
from tests.webhooks.conftest import Receiver
from webhooks.models import Endpoint
from webhooks.sending import dispatch

__all__ = ["browser", "open_page"]


def work() -> None:
    """What the workers do as soon as they are rung: elsewhere, as they would."""
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(_work).result()


def _work() -> None:
    try:
        _take_turns()
    finally:
        connection.close()


def _take_turns() -> None:
    drain()
    for conversation in Conversation.objects.all():
        deliver_next(conversation.pk)
    drain()
    dispatch()


@pytest.fixture
def accounts(asgi_server: str) -> dict[str, Channel]:
    return {channel.kind: channel for channel in create_accounts()}


@pytest.fixture(params=["instagram", "messenger"])
def customer(
    request: pytest.FixtureRequest, accounts: dict[str, Channel]
) -> SandboxPerson:
    return SandboxPerson.objects.of(accounts[request.param])[0]


class Integrator:
    """An endpoint, and what it received."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._endpoint = Endpoint.objects.create(url=receiver.url)

    def events(self, name: str) -> list[Any]:
        """The events of one name, every request's signature accepted by an independent verifier."""
        verifier = Webhook(self._endpoint.secret)
        for received in self._receiver.received:
            verifier.verify(received.body, received.headers)
        return [event for event in self._receiver.events if event["event"] == name]


@pytest.fixture
def integrator(accounts: dict[str, Channel]) -> Iterator[Integrator]:
    receiver = Receiver()
    yield Integrator(receiver)
    receiver.close()
