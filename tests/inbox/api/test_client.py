"""A Python client that a generator makes of the document, as integrators use it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from inbox.models import ApiKey, Conversation, Scope

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of the client, which can be imported."""
    name = "client_of_dexra"
    subprocess.run(
        [
            PROGRAMS / "openapi-python-client",
            *("generate", "--path", DOCUMENT, "--meta", "none", "--fail-on-warning"),
            *("--output-path", tmp_path / name),
        ],
        check=True,
        env={**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [one for one in sys.modules if one.partition(".")[0] == name]:
        del sys.modules[module]


@pytest.mark.django_db(transaction=True)
def test_a_generated_client_lists_gets_sends_and_is_refused(
    package: str, asgi_server: str, conversation: Conversation
) -> None:
    def operation(name: str) -> Any:
        return import_module(f"{package}.api.{name}").sync

    models = import_module(f"{package}.models")
    _row, key = ApiKey.issue("Client", scopes=Scope.values)
    client = import_module(package).AuthenticatedClient(base_url=asgi_server, token=key)

    page = operation("conversations.conversations_list")(client=client, limit=5)
    one = operation("conversations.conversations_retrieve")(
        conversation.pk, client=client
    )
    sent = operation("conversations.conversations_messages_create")(
        conversation.pk,
        client=client,
        body=models.ReplyRequest(content="From the client"),
        idempotency_key="k-1",
    )
    refused = operation("conversations.conversations_retrieve")(10**9, client=client)

    assert [found.id for found in page.data] == [str(conversation.pk)]
    assert one.data.user.name == conversation.identity.name
    assert sent.data[0].content == "From the client"
    assert conversation.messages.filter(content="From the client").count() == 1
    assert isinstance(refused, models.Problem)
    assert (refused.status, refused.code) == (404, "not_found")
