"""Rows of the list that a page shows come with the stream: drawn once for all who show the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inbox import live, presence
from inbox.conversations import refresh
from inbox.models import Agent, Channel, Conversation, Draft, Mention, Message
from inbox.pages import pushing
from inbox.stream.boards import Shown
from tests.conftest import make_agent, make_conversation
from tests.inbox.pages.conftest import Say
from tests.inbox.test_live import Page

pytestmark = pytest.mark.django_db(transaction=True)

Opened = Callable[..., Page]


@pytest.fixture
def opened(asgi_server: str) -> Iterator[Opened]:
    """Open pages: opened(client, address, ...) shows the list at that address."""
    pages: list[Page] = []

    def show(client: Client, address: str = "/inbox/all/", **more: str) -> Page:
        asked = urlencode({"list": address, "since": live.position(), **more})
        pages.append(Page(asgi_server, client, f"?{asked}"))
        return pages[-1]

    yield show
    for page in pages:
        page.close()


def colleague_client(username: str = "yassine") -> tuple[Agent, Client]:
    colleague, client = make_agent(username), Client()
    client.force_login(colleague)
    return colleague, client


def test_a_row_comes_as_it_changes(
    opened: Opened, agent_client: Client, conversation: Conversation, say: Say
) -> None:
    page = opened(agent_client)

    say(conversation, "Salam")

    shown = page.next("rows")
    assert shown["ids"] == [conversation.pk]
    assert "Salam" in shown["html"]
    assert f"/inbox/all/c/{conversation.pk}/" in shown["html"]


def test_what_the_list_does_not_hold_any_more_comes_without_a_row(
    opened: Opened, agent_client: Client, conversation: Conversation
) -> None:
    page = opened(agent_client)

    agent_client.post(f"/inbox/c/{conversation.pk}/close/")

    assert page.next("rows") == {"ids": [conversation.pk], "html": ""}


def test_rows_are_written_in_the_language_and_the_zone_of_their_page(
    opened: Opened, agent_client: Client, conversation: Conversation, say: Say
) -> None:
    page = opened(agent_client, language="fr", zone="Asia/Tokyo")

    say(conversation, "Salam")

    moment = Message.objects.get().sent_at + timedelta(hours=9)
    html = page.next("rows")["html"]
    assert "Non attribuées" in html
    assert moment.strftime("%H:%M") in html


@pytest.mark.parametrize("words", [{"language": "xx"}, {"zone": "../../etc/passwd"}])
def test_a_language_or_a_zone_that_nobody_knows_does_no_harm(
    opened: Opened,
    agent_client: Client,
    conversation: Conversation,
    say: Say,
    words: dict[str, str],
) -> None:
    page = opened(agent_client, **words)

    say(conversation, "Salam")

    assert "Salam" in page.next("rows")["html"]


@pytest.mark.parametrize(
    "address",
    ["/inbox/nothing/", "/admin/", "nonsense", "https://elsewhere.example/inbox/all/"],
)
def test_an_address_that_is_no_list_has_no_rows(
    opened: Opened,
    agent_client: Client,
    conversation: Conversation,
    say: Say,
    address: str,
) -> None:
    shown = pushing.draw_rows(Shown(address), [], [conversation.pk])
    assert shown.html == ""

    page = opened(agent_client, address)
    say(conversation, "Salam")

    if "elsewhere" not in address:  # only its path counts
        assert page.next("rows")["html"] == ""


def test_each_agent_sees_their_own_draft_and_nobody_elses(
    opened: Opened,
    agent: Agent,
    agent_client: Client,
    conversation: Conversation,
    say: Say,
) -> None:
    _colleague, client = colleague_client()
    Draft.objects.create(
        agent=agent, conversation=conversation, mode="reply", content="Mine alone"
    )
    own, other = opened(agent_client), opened(client)

    say(conversation, "Salam")

    assert "Mine alone" in own.next("rows")["html"]
    assert "Mine alone" not in other.next("rows")["html"]


def test_a_row_says_who_is_on_it_to_all_but_them(
    opened: Opened, agent_client: Client, conversation: Conversation
) -> None:
    colleague, client = colleague_client()
    colleague.first_name = "Yassine"
    colleague.save()
    own, other = opened(client), opened(agent_client)

    presence.note(conversation, colleague, presence.State.WRITING)

    assert "is on it" in other.next("rows")["html"]
    assert "is on it" not in own.next("rows")["html"]


def test_in_mine_a_row_comes_to_its_agent_alone(
    opened: Opened,
    agent: Agent,
    agent_client: Client,
    conversation: Conversation,
    say: Say,
) -> None:
    _colleague, client = colleague_client()
    Conversation.objects.update(assignee=agent)
    conversation.refresh_from_db()
    own, other = opened(agent_client, "/inbox/mine/"), opened(client, "/inbox/mine/")

    say(conversation, "Salam")

    assert "Salam" in own.next("rows")["html"]
    assert other.next("rows") == {"ids": [conversation.pk], "html": ""}


def test_in_mentions_a_row_comes_to_whoever_is_mentioned(
    opened: Opened,
    agent: Agent,
    agent_client: Client,
    conversation: Conversation,
    say: Say,
) -> None:
    _colleague, client = colleague_client()
    note = say(conversation, "@nadia look", direction="note")
    note = say(conversation, "@nadia look", direction="note")
    Mention.objects.create(agent=agent, conversation=conversation, note=note)
    address = "/inbox/mentions/"
    own, other = opened(agent_client, address), opened(client, address)

    say(conversation, "Salam")

    assert "Salam" in own.next("rows")["html"]
    assert other.next("rows")["html"] == ""


def test_many_pages_of_one_list_cost_the_statements_of_one(
    agent: Agent, channel: Channel
) -> None:
    ids = [make_conversation(channel, person_id=f"p{n}").pk for n in range(10)]
    agents = [agent.pk, *(make_agent(f"agent{n}").pk for n in range(20))]

    def statements(agent_ids: list[int]) -> int:
        with CaptureQueriesContext(connection) as queries:
            drawn = pushing.draw_rows(Shown("/inbox/all/"), agent_ids, ids)
        assert drawn.html.count("dx-item") == 10
        return len(queries)

    assert statements(agents) == statements(agents[:1]) <= 4


def test_a_page_goes_on_only_from_where_its_rows_were_drawn(
    asgi_server: str, agent_client: Client, conversation: Conversation, say: Say
) -> None:
    cookies = {
        settings.SESSION_COOKIE_NAME: agent_client.cookies[
            settings.SESSION_COOKIE_NAME
        ].value
    }
    address = f"{asgi_server}/live/stream?list=/inbox/all/&since={live.position()}"
    with requests.get(address, cookies=cookies, stream=True, timeout=10) as response:
        lines = response.iter_lines(decode_unicode=True)
        say(conversation, "Salam")
        heard: dict[str, Any] = {}
        place = ""
        for line in lines:
            name, _colon, value = line.partition(": ")
            if name == "id":
                place = value
            elif name == "event":
                heard[value] = place
            elif name == "data" and "rows" in heard:
                break

    assert (
        heard["thread"] == ""
    )  # with an id, a page cut off here would never see the row
    assert heard["rows"] == live.position()


def test_a_page_that_comes_back_is_sent_the_rows_it_missed(
    opened: Opened, agent_client: Client, conversation: Conversation, say: Say
) -> None:
    since = live.position()
    say(conversation, "While it was away")

    page = opened(agent_client, since=since)

    assert "While it was away" in page.next("rows")["html"]


def test_numbers_come_when_they_change_and_only_then(
    opened: Opened, agent_client: Client, agent: Agent, conversation: Conversation
) -> None:
    page = opened(agent_client, "/inbox/mine/")
    refresh([conversation.pk])
    assert page.next("counts")["all"] == "1"

    refresh([conversation.pk])
    Conversation.objects.update(assignee=agent)
    refresh([conversation.pk])

    told = page.next("counts")
    assert (told["mine"], told["unassigned"]) == ("1", "")
