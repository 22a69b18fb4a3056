"""A real Chromium on the running product, which reports every violation of the policy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from inbox.models import Agent
from tests.conftest import CHROMIUM, wait_until_answered
from tests.inbox.pages.conftest import say

__all__ = ["say"]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WATCH_POLICY = """
addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""

OpenPage = Callable[..., Page]


def one_of(first: object, *others: object) -> list[Any]:
    """Looks of a page: one in every run, all in `make proof`."""
    return [first, *(pytest.param(one, marks=pytest.mark.proof) for one in others)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a file.

    Playwright's event loop lives in this thread for as long as it does; Django would
    otherwise take the whole test for asynchronous code.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def open_page(browser: Browser, asgi_server: str) -> Iterator[OpenPage]:
    """Open a path as somebody who is signed in; keyword arguments are the browser context's.

    A page that breaks the policy, or whose script raises, fails its test.
    """
    contexts = []
    troubles: list[str] = []

    def open_as(who: Agent | None, path: str, **options: Any) -> Page:
        options = {
            "viewport": {"width": 1440, "height": 900},
            "reduced_motion": "reduce",
        } | options
        context = browser.new_context(base_url=asgi_server, **options)
        contexts.append(context)
        if who is not None:
            context.add_cookies([session_cookie(who, asgi_server)])
        context.add_init_script(WATCH_POLICY)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: _notice(line.text, troubles))
        page.goto(path)
        return page

    yield open_as
    for context in contexts:
        # A page that is left says what it has not said yet.
        for page in context.pages:
            page.goto("about:blank")
        context.close()
    wait_until_answered()
    assert troubles == []


def _notice(line: str, troubles: list[str]) -> None:
    if line.startswith("policy: ") or "Content Security Policy" in line:
        troubles.append(line)


def session_cookie(who: Agent, url: str) -> Any:
    client = Client()
    client.force_login(who)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}
