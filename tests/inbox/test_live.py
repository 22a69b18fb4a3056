"""Open pages are told of what changes, and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import requests
from django.conf import settings
from django.test import Client

from channels_meta.processing import drain
from inbox import live
from inbox.conversations import republish
from inbox.models import Agent, Channel, Conversation
from tests.conftest import Meta, said

pytestmark = pytest.mark.django_db(transaction=True)


class Page:
    """An open stream."""

    def __init__(self, base: str, client: Client, query: str = "") -> None:
        cookies = {
            settings.SESSION_COOKIE_NAME: client.cookies[
                settings.SESSION_COOKIE_NAME
            ].value
        }
        self._response = requests.get(
            f"{base}/live/stream{query}", cookies=cookies, stream=True, timeout=10
        )
        assert self._response.status_code == 200, self._response.text
        self._lines = self._response.iter_lines(decode_unicode=True)
        assert next(self._lines) == "retry: 1000"

    def next(self, name: str) -> Any:
        """The data of the next event of this name."""
        event = ""
        for line in self._lines:
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == name:
                return json.loads(line.removeprefix("data: "))
        raise AssertionError(f"the stream ended without {name}")

    def next_name(self) -> str:
        """Which event comes next."""
        line = next(line for line in self._lines if line.startswith("event: "))
        return str(line.removeprefix("event: "))

    def close(self) -> None:
        self._response.close()


@pytest.fixture
def page(asgi_server: str, agent_client: Client) -> Iterator[Page]:
    page = Page(asgi_server, agent_client)
    yield page
    page.close()


def test_a_customers_message_reaches_an_open_page(
    page: Page, meta: Meta, messenger: Channel
) -> None:
    meta.messaging(said("Salam", "m_1"))
    drain()

    conversation = Conversation.objects.get()
    assert page.next("conversation") == {
        "id": conversation.pk,
        "rev": conversation.revision,
    }
    assert page.next("counts")["all"] == "1"


def test_a_page_that_comes_back_gets_what_it_missed(
    asgi_server: str, agent_client: Client, meta: Meta, messenger: Channel
) -> None:
    meta.messaging(said("Salam", "m_1"))
    drain()
    position = live.position()
    meta.messaging(said("Still there?", "m_2"))
    drain()

    page = Page(asgi_server, agent_client, f"?since={position}")

    assert page.next("thread")["rev"] == Conversation.objects.get().revision
    page.close()


@pytest.mark.parametrize("cursor", ["nonsense", "1-1"])
def test_a_cursor_from_too_long_ago_starts_over(
    asgi_server: str, agent_client: Client, cursor: str
) -> None:
    live.publish([live.Change("conversation", 1, 1)])

    page = Page(asgi_server, agent_client, f"?since={cursor}")

    assert page.next("reset") == {}
    page.close()


def test_the_sweeper_repeats_what_a_crash_left_unsaid(
    page: Page, meta: Meta, messenger: Channel
) -> None:
    meta.messaging(said("Salam", "m_1"))
    drain()
    page.next("counts")
    Conversation.objects.update(revision=99)  # committed, and then the process died

    republish()

    assert page.next("conversation")["rev"] == 99


def test_a_stranger_hears_nothing(asgi_server: str) -> None:
    assert requests.get(f"{asgi_server}/live/stream", timeout=5).status_code == 403


def test_an_agent_without_the_right_hears_nothing(
    asgi_server: str, agent: Agent, agent_client: Client
) -> None:
    agent.user_permissions.clear()
    cookie = agent_client.cookies[settings.SESSION_COOKIE_NAME].value

    answer = requests.get(
        f"{asgi_server}/live/stream",
        cookies={settings.SESSION_COOKIE_NAME: cookie},
        timeout=5,
    )

    assert answer.status_code == 403


def test_the_stream_carries_ids_and_no_words(meta: Meta, messenger: Channel) -> None:
    meta.messaging(said("my card number", "m_1"))
    drain()

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        entries = str(client.xrange(live.STREAM))
    assert "conversation" in entries
    assert "card" not in entries
