"""docs/api.md: every call in it works as it is written."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.utils.timezone import now

from inbox.models import ApiKey, Contact, Message, Scope, Tag, Team
from tests.conftest import (
    make_agent,
    make_comment,
    make_conversation,
    make_meta_channel,
)
from tests.files import picture

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def calls() -> list[tuple[int, list[str]]]:
    """(status, words) of every curl, in order; its comment says the status."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    found = re.findall(
        r"^# (\d{3})[^\n]*\n(curl .*?)(?=^# |\Z)",
        "\n".join(blocks),
        re.MULTILINE | re.DOTALL,
    )
    return [
        (int(status), shlex.split(call.replace("\\\n", " "))) for status, call in found
    ]


def ask(base: str, key: str, words: list[str]) -> requests.Response:
    options = dict.fromkeys(("-X", "-d"), "")
    headers, form, address = {}, {}, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-H":
            name, value = next(rest).split(": ", 1)
            headers[name] = value.replace("$KEY", key)
        elif word == "-F":
            name, value = next(rest).split("=", 1)
            is_file = value.startswith("@")
            form[name] = (value[1:], picture()) if is_file else (None, value)
        elif word in options:
            options[word] = next(rest)
        elif word != "-s":
            address = word.replace("http://127.0.0.1:8000", base)
    body: Any = options["-d"].encode() or None
    method = options["-X"] or ("POST" if body or form else "GET")
    session = requests.Session()
    session.trust_env = False
    return session.request(
        method, address, headers=headers, data=body, files=form or None, timeout=10
    )


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_every_call_of_the_page_works_in_its_order(asgi_server: str) -> None:
    channel = make_meta_channel("instagram", "17841400001")
    conversation = make_conversation(channel, person_id="998877")
    said = {
        "conversation": conversation,
        "channel": channel,
        "sent_at": now() - timedelta(hours=1),
    }
    Message.objects.create(
        **said,
        direction="in",
        source="customer",
        status="received",
        content="What is the price?",
        external_id="m-1",
    )
    make_comment(conversation)
    Message.objects.create(
        **said, direction="out", source="agent", status="failed", content="640 MAD"
    )
    Contact.objects.create(name="Karim")
    make_agent("nadia")
    Team.objects.create(name="Sales")
    Tag.objects.create(name="vip")
    _row, key = ApiKey.issue("Docs", scopes=Scope.values)

    told = [(status, ask(asgi_server, key, words)) for status, words in calls()]

    assert len(told) > 25
    wrong = [
        (answer.request.method, answer.url, status, answer.status_code, answer.text)
        for status, answer in told
        if answer.status_code != status
    ]
    assert wrong == []


def test_the_page_names_every_scope_that_can_be_used_and_every_address() -> None:
    later = ("automations:", "events:", "endpoints:", "deliveries:")
    scopes = [one for one in Scope.values if not one.startswith(later)]

    assert not [one for one in scopes if f"`{one}`" not in PAGE]
