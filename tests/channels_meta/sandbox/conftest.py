"""The two pretend accounts, the people behind their phones, and Dexra's way to answer them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
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


class Graph:
    """Calls of the pretend API as some other client would make them, for one account."""

    def __init__(self, channel: Channel) -> None:
        credential = channel.meta
        self._base = f"{credential.graph_base_url}/v26.0"
        self._token = credential.access_token

    def get(self, path: str, **params: str) -> requests.Response:
        return self._call("GET", path, params)

    def post(self, path: str, payload: Any = None, **params: str) -> requests.Response:
        return self._call("POST", path, params, json=payload)

    def delete(self, path: str) -> requests.Response:
        return self._call("DELETE", path, {})

    def upload(
        self, path: str, kind: str, name: str, body: bytes, mime_type: str
    ) -> requests.Response:
        message = {"attachment": {"type": kind, "payload": {"is_reusable": True}}}
        return self._call(
            "POST",
            path,
            {},
            data={"message": json.dumps(message)},
            files={"filedata": (name, body, mime_type)},
        )

    def say(self, person: SandboxPerson, **message: Any) -> requests.Response:
        """Send a message to somebody, as an answer."""
        payload = {
            "recipient": {"id": person.external_id},
            "messaging_type": "RESPONSE",
            "message": message,
        }
        return self.post("me/messages", payload)

    def _call(
        self, method: str, path: str, params: dict[str, str], **more: Any
    ) -> requests.Response:
        proof = hmac.new(b"app-secret", self._token.encode(), hashlib.sha256)
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                f"{self._base}/{path}",
                params={**params, "appsecret_proof": proof.hexdigest()},
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=10,
                **more,
            )


def label(answer: requests.Response) -> str:
    """`code/subcode` of a refusal, "" of anything else."""
    error = answer.json().get("error", {})
    parts = [error.get("code"), error.get("error_subcode")]
    return "/".join(str(part) for part in parts if part is not None)


@pytest.fixture
def graph(person: SandboxPerson) -> Graph:
    return Graph(person.channel)


@pytest.fixture
def instagram_person(accounts: dict[str, Channel]) -> SandboxPerson:
    return first_person(accounts["instagram"])


@pytest.fixture
def messenger_person(accounts: dict[str, Channel]) -> SandboxPerson:
    return first_person(accounts["messenger"])
