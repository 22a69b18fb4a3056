"""What the documents say is so."""

from __future__ import annotations

import re
import shlex
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import call_command

ROOT = Path(__file__).parent.parent
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

    assert {one or other for one, other in named} <= known | {"KEY"}


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs" / "screenshots").glob("*.png"))

    assert pictures
    assert not [path.name for path in pictures if path.stat().st_size > 400_000]


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
