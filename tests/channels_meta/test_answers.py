"""Recorded answers of the Graph API that no other test reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import responses

from channels_meta.connect.discovery import _read_page
from channels_meta.graph import GraphClient, is_success
from channels_meta.models import Credential
from channels_meta.payloads.apps import holder_of
from inbox.models import Channel

ANSWERS = Path(__file__).parent / "samples" / "answers"


def recorded(name: str) -> Any:
    return json.loads((ANSWERS / f"{name}.json").read_text())


def test_a_listed_page_comes_with_its_token_and_tasks() -> None:
    (entry,) = recorded("page-me-accounts")["data"]

    page = _read_page(entry)

    assert (page.id, page.name, page.token) == (
        "4225...",
        "Marc Lefevre",
        "oEHsFYYdwnH",
    )
    assert {"MESSAGING", "MODERATE"} <= set(page.tasks)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (recorded("page-subscribe-success-string"), True),
        ({"success": True}, True),
        ({"success": "false"}, False),
        ({"success": False}, False),
    ],
)
def test_success_may_be_a_word(answer: dict[str, Any], expected: bool) -> None:
    assert is_success(answer) is expected


@pytest.mark.parametrize(
    ("name", "holder"),
    [("messenger-thread-owner", "17246263719"), ("messenger-thread-owner-2", "APP-ID")],
)
def test_the_owner_of_a_thread_is_named_as_in_events(name: str, holder: str) -> None:
    (entry,) = recorded(name)["data"]

    assert holder_of(entry["thread_owner"]["app_id"]) == holder


@responses.activate
@pytest.mark.django_db
def test_what_was_made_is_told_by_its_id_alone(messenger: Channel) -> None:
    url = "https://graph.facebook.com/v26.0/1055501/personas"
    responses.post(url, json=recorded("persona-created"))
    client = GraphClient(Credential.objects.get(channel=messenger))

    assert client.post("1055501/personas", {"name": "Nadia"}) == {"id": "<PERSONA_ID>"}
