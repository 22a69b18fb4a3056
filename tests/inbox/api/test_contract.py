"""The committed document against the product: no server error, no answer that it does not tell of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import (
    not_a_server_error,
)
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from inbox.models import Agent, ApiKey, Conversation, Scope
from tests.webhooks.conftest import say
from webhooks.models import Delivery, Endpoint, Event

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENT = json.loads((Path(__file__).parents[3] / "docs/openapi.json").read_text())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture
def known(agent: Agent, conversation: Conversation) -> dict[str, Any]:
    """Of every parameter of an address, one that leads somewhere."""
    endpoint = Endpoint.objects.create(url="https://hooks.example/dexra")
    (message,) = say(conversation, "Salam")
    return {
        "agent_id": agent.public_id,
        "channel_id": conversation.channel.public_id,
        "contact_id": conversation.identity.contact.public_id,
        "conversation_id": conversation.pk,
        "delivery_id": Delivery.objects.latest("pk").public_id,
        "endpoint_id": endpoint.public_id,
        "event_id": Event.objects.latest("pk").pk,
        "merge_id": "MERGE_1",
        "message_id": message.public_id,
    }


@pytest.fixture
def authorization(transactional_db: None) -> dict[str, str]:
    _row, key = ApiKey.issue("Fuzzer", scopes=Scope.values)
    return {"Authorization": f"Bearer {key}"}


def examine(
    operation: Any,
    base_url: str,
    known: dict[str, Any],
    headers: dict[str, str],
    examples: int,
) -> None:
    """Calls with whatever the document allows; every second one leads somewhere."""
    turns: Iterator[bool] = cycle([True, False])

    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def call(case: Any) -> None:
        if case.path_parameters and next(turns):
            case.path_parameters = {name: known[name] for name in case.path_parameters}
        answer = case.call(base_url=base_url, headers=headers)
        case.validate_response(answer, checks=CHECKS)

    call()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_nothing_surprises_whoever_has_a_key(
    operation: Any,
    asgi_server: str,
    known: dict[str, Any],
    authorization: dict[str, str],
) -> None:
    examine(operation, asgi_server, known, authorization, 4)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_nothing_surprises_whoever_has_none(
    operation: Any, asgi_server: str, known: dict[str, Any]
) -> None:
    examine(operation, asgi_server, known, {}, 2)


@pytest.mark.proof
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_nothing_surprises_in_hundreds_of_calls(
    operation: Any,
    asgi_server: str,
    known: dict[str, Any],
    authorization: dict[str, str],
) -> None:
    examine(operation, asgi_server, known, authorization, 150)
