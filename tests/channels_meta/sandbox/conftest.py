"""The two pretend accounts, the people behind their phones, and Dexra's way to answer them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils.timezone import now

from channels_meta.processing import drain
from channels_meta.sandbox import webhooks
from channels_meta.sandbox.accounts import create_accounts
from channels_meta.sandbox.models import SandboxCall, SandboxMessage, SandboxPerson
from inbox.channels import Accepted, OutgoingMessage, WindowKind
from inbox.models import Channel

Say = Callable[..., SandboxMessage]


@pytest.fixture
def accounts(asgi_server: str) -> dict[str, Channel]:
    """Both accounts by their kind, with the product running beside them."""
    return {channel.kind: channel for channel in create_accounts()}


@pytest.fixture(params=["instagram", "messenger"])
def person(
    request: pytest.FixtureRequest, accounts: dict[str, Channel]
) -> SandboxPerson:
    """Somebody on each of the channels, who has not written yet."""
    return first_person(accounts[request.param])


def first_person(channel: Channel) -> SandboxPerson:
    return SandboxPerson.objects.of(channel)[0]


def wrote(
    person: SandboxPerson, text: str = "Salam", *, ago: timedelta = timedelta()
) -> SandboxMessage:
    """The person wrote so long ago, and Dexra has it."""
    at = now() - ago
    message = person.messages.create(
        mid=webhooks.make_mid(person.account), direction="in", text=text, sent_at=at
    )
    body = webhooks.build_message(person, mid=message.mid, at=at, text=text)
    assert webhooks.tell(person, SandboxCall.Kind.MESSAGE, body) == 200
    drain()
    return message


def send(
    person: SandboxPerson,
    text: str = "Hello",
    *,
    window: WindowKind = WindowKind.OPEN,
) -> Accepted:
    """One attempt by the real adapter. Raises SendError."""
    message = OutgoingMessage(
        recipient_id=person.external_id, window=window, reference="dx:0", text=text
    )
    return person.channel.adapter.send(person.channel, message)
