"""The content security policy, and what templates and sheets must not contain for it to hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from inbox.models import Agent, Conversation
from inbox.pages.security import safe_link, shown_here

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SHEETS = sorted((ROOT / "static" / "css").glob("*.css"))
SCRIPTS = sorted((ROOT / "static" / "js").glob("*.js"))

PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border|inset|scroll-(?:margin|padding))-(?:left|right|top|bottom)[\w-]*"
    r"|border-(?:top|bottom)-(?:left|right)-radius|left|right|top|bottom"
    r"|(?:min-|max-)?(?:width|height))\s*:"
    r"|(?:text-align|float|clear)\s*:\s*(?:left|right)"
)
FOUR_SIDES = re.compile(
    r"(?:padding|margin|inset):\s*[^\s;]+ (?P<end>[^\s;]+) [^\s;]+ (?P<start>[^\s;]+)\s*[;}]"
)


@pytest.mark.parametrize(
    "path",
    [
        "/inbox/all/",
        "/inbox/all/c/{pk}/",
        "/admin/",
        "/admin/login/",
        "/inbox/nothing/",
    ],
)
def test_every_page_carries_one_strict_policy(
    agent_client: Client, conversation: Conversation, path: str
) -> None:
    response = agent_client.get(path.format(pk=conversation.pk), follow=True)

    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT))
)
def test_templates_hold_nothing_inline_and_nothing_foreign(template: Path) -> None:
    text = template.read_text()

    for forbidden in (
        r"\sstyle\s*=",
        r"<style",
        r"<script(?![^>]*\ssrc=)",
        r"\son[a-z]+\s*=",
        r"javascript:",
        r"hx-on",
        r"hx-vars",
    ):
        assert not re.search(forbidden, text), forbidden
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=\"https?:", text)


def test_rendered_pages_hold_nothing_inline(
    client: Client, agent: Agent, conversation: Conversation
) -> None:
    agent.is_superuser = True
    agent.save()
    client.force_login(agent)

    for path in (
        f"/inbox/all/c/{conversation.pk}/",
        "/admin/",
        f"/admin/inbox/conversation/{conversation.pk}/change/",
    ):
        html = client.get(path).content.decode()
        assert not re.search(
            r"<style|\sstyle=|<script(?![^>]*\ssrc=)(?![^>]*type=\"application/json\")",
            html,
        ), path


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_sheets_know_start_and_end_never_left_and_right(sheet: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.S)
    text = re.sub(r"@media[^{]*", "", text)

    assert not PHYSICAL.search(text), PHYSICAL.search(text)
    for sides in FOUR_SIDES.finditer(text):
        assert sides["start"] == sides["end"], sides[0]


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_sheets_load_nothing(sheet: Path) -> None:
    assert not re.search(r"@import|url\(", sheet.read_text())


def test_shared_sheets_hold_classes_only() -> None:
    """Admin pages load these two beside Django's own sheet."""
    for name in ("components.css", "inbox.css"):
        text = re.sub(
            r"/\*.*?\*/", "", (ROOT / "static" / "css" / name).read_text(), flags=re.S
        )
        for selector in re.findall(r"(?:^|})\s*([^@{}]+)\{", text):
            for one in re.split(r",(?![^(]*\))", selector):
                assert re.match(
                    r"\s*[a-z]*(?:\.dx-|:where\(|html\[data-theme|\d+%|from|to)", one
                ), one


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_evaluate_nothing(script: Path) -> None:
    assert not re.search(
        r"\beval\(|new Function|document\.write|https?://", script.read_text()
    )


def test_icons_that_templates_name_exist() -> None:
    drawn = set(
        re.findall(
            r'id="i-([a-z-]+)"', (ROOT / "static" / "img" / "icons.svg").read_text()
        )
    )

    named = {
        name
        for path in TEMPLATES
        for name in re.findall(r'{% icon "([a-z-]+)"', path.read_text())
    }

    assert named <= drawn


@pytest.mark.parametrize(
    ("address", "link", "shown"),
    [
        (
            "https://x.fbcdn.net/a.jpg",
            "https://x.fbcdn.net/a.jpg",
            "https://x.fbcdn.net/a.jpg",
        ),
        ("https://fbcdn.net.evil.example/a", "https://fbcdn.net.evil.example/a", ""),
        ("https://evilfbcdn.net/a", "https://evilfbcdn.net/a", ""),
        pytest.param(
            f"{settings.PUBLIC_URL}/sandbox/a", *["/sandbox/a"] * 2, id="ours"
        ),
        pytest.param(f"{settings.PUBLIC_URL}.evil.example/a", "", "", id="like ours"),
        ("/media/a.jpg", "/media/a.jpg", "/media/a.jpg"),
        ("//evil.example/a", "", ""),
        ("/\\evil.example", "", ""),
        ("http://x.fbcdn.net/a", "", ""),
        ("javascript:alert(1)", "", ""),
        ("data:text/html,x", "", ""),
        ("https://[", "", ""),
        ("", "", ""),
    ],
)
def test_addresses_of_others_are_judged(address: str, link: str, shown: str) -> None:
    assert (safe_link(address), shown_here(address)) == (link, shown)
