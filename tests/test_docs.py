"""What the documents say is so."""

from __future__ import annotations

import re
import shlex
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import call_command, get_commands
from django.test import Client

from channels_meta.assumptions import ASSUMPTIONS, PREFIX

ROOT = Path(__file__).parent.parent
# They look like settings.
WORDS_OF_META = {"HUMAN_AGENT", "MESSAGE_TAG", "MEDIA_SHARE"}
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
    local = [link for link in links if "://" not in link]

    assert not [link for link in local if not (path.parent / link).exists()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_command_exists(path: Path) -> None:
    targets = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    named = re.findall(
        r"(?:`|^    |=\S+ )make ([a-z]+)", path.read_text(), re.MULTILINE
    )

    assert set(named) <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_is_in_the_example(path: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    known = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    # `NAME`, `NAME/below` or NAME=value: a name has an underscore or is known without one.
    named = re.findall(
        r"`([A-Z]+(?:_[A-Z]+)+)[`/=]|\b([A-Z]+(?:_[A-Z]+)*)=", path.read_text()
    )

    # Answers to what Meta leaves open have a table of their own, in go-live.md.
    known |= {PREFIX + name for name in ASSUMPTIONS}
    assert {one or other for one, other in named} <= known | {"KEY"} | WORDS_OF_META | {
        "WEBHOOK_SECRET"  # the listener's, which has no settings
    }


def test_what_meta_leaves_open_is_explained_where_settings_are() -> None:
    example = (ROOT / ".env.example").read_text()

    assert f"# {PREFIX}<NAME>:" in example
    assert "docs/go-live.md" in example


def test_every_answer_to_what_meta_leaves_open_stands_in_the_documents() -> None:
    go_live = (ROOT / "docs" / "go-live.md").read_text()

    assert not [name for name in ASSUMPTIONS if f"`{PREFIX}{name}`" not in go_live]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_management_command_exists(path: Path) -> None:
    named = re.findall(r"manage\.py ([a-z_]+)", path.read_text())

    assert set(named) <= get_commands().keys()


@pytest.mark.django_db(transaction=True)
def test_the_handshake_of_going_live_works_as_it_is_written(asgi_server: str) -> None:
    text = (ROOT / "docs" / "go-live.md").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("curl ")]
    address = shlex.split(line)[-1].replace("https://inbox.example.com", asgi_server)
    word = re.search(r"META_VERIFY_TOKEN=(\S+)", text)
    assert word is not None

    answer = requests.get(address.replace(word[1], "verify-me"), timeout=10)

    assert (answer.status_code, answer.text) == (200, "1158")
    assert "It prints `1158`" in text


@pytest.mark.django_db
def test_every_address_of_going_live_is_one_of_ours(client: Client) -> None:
    text = (ROOT / "docs" / "go-live.md").read_text()
    addresses = set(re.findall(r"https://inbox\.example\.com(/\S+?)[\s?]", text))

    assert len(addresses) == 5
    assert not [one for one in addresses if client.get(one).status_code == 404]


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs" / "screenshots").glob("*.webp"))

    assert len(pictures) >= 12
    assert not [path.name for path in pictures if path.stat().st_size > 200_000]


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_the_three_lines_of_the_readme_work_on_a_fresh_demo(
    asgi_server: str, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path / "data"
    call_command("seed_demo", stdout=StringIO())
    readme = (ROOT / "README.md").read_text()
    calls = [
        shlex.split(line) for line in readme.splitlines() if line.startswith("curl ")
    ]
    key = StringIO()
    call_command("create_api_key", "My backend", stdout=key)

    statuses = []
    for call in calls:
        address = next(word for word in call if word.startswith("http"))
        address = address.replace("http://127.0.0.1:8000", asgi_server)
        headers = dict(
            call[n + 1].replace("$KEY", key.getvalue().strip()).split(": ", 1)
            for n, word in enumerate(call)
            if word == "-H"
        )
        body = call[call.index("-d") + 1] if "-d" in call else None
        method = "POST" if body else "GET"
        statuses.append(
            requests.request(
                method, address, headers=headers, data=body, timeout=10
            ).status_code
        )

    assert statuses == [200, 201]
