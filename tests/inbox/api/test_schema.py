"""The OpenAPI document: what is committed is what is served, and it tells all there is."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return told


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_committed_document_is_the_one_of_the_code() -> None:
    """`make schema` writes it anew."""
    out = StringIO()

    call_command(
        "spectacular",
        "--format",
        "openapi-json",
        "--validate",
        "--fail-on-warn",
        stdout=out,
    )

    assert json.loads(out.getvalue()) == json.loads(DOCUMENT.read_text())


@pytest.mark.django_db
def test_the_document_is_served_to_everybody(client: Client) -> None:
    answer = client.get("/v1/schema?format=json")

    assert answer.status_code == 200
    assert json.loads(answer.content)["openapi"].startswith("3.1")


def test_every_operation_tells_its_scope_and_its_refusals(
    document: dict[str, Any],
) -> None:
    for name, operation in operations(document):
        assert "Scope: `" in operation["description"], name
        assert {"401", "403", "429"} <= operation["responses"].keys(), name
        assert operation["security"] == [{"key": []}], name


def test_names_of_operations_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]

    assert len(names) == len(set(names)) > 30


def test_every_post_tells_of_its_idempotency_key(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if name.startswith("post"):
            parameters = {one["name"] for one in operation["parameters"]}
            assert "Idempotency-Key" in parameters, name


# --- the page ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_shows_every_operation_to_everybody(
    client: Client, document: dict[str, Any]
) -> None:
    answer = client.get("/v1/docs")

    page = answer.content.decode()
    assert answer.status_code == 200
    for name, _ in operations(document):
        method, path = name.split(" ")
        assert f"<code>{method.upper()} {path}</code>" in page


@pytest.mark.django_db
def test_every_link_inside_the_page_leads_somewhere(client: Client) -> None:
    page = client.get("/v1/docs").content.decode()

    targets = set(re.findall(r'id="([^"]+)"', page))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert len(links) > 40
    assert links <= targets


@pytest.mark.django_db
def test_the_page_keeps_the_strict_policy(client: Client) -> None:
    answer = client.get("/v1/docs")

    page = answer.content.decode()
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert " style=" not in page
    assert "<style" not in page
    assert re.findall(r"<script(?![^>]* src=)", page) == []
