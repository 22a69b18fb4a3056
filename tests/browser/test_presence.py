"""Two agents, one conversation: each sees what the other does."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from inbox.models import Agent, Channel
from tests.browser.conftest import OpenPage
from tests.conftest import make_agent, make_conversation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_two_agents_see_each_other_look_write_and_leave(
    open_page: OpenPage, agent: Agent, channel: Channel
) -> None:
    yassine = make_agent("yassine", first_name="Yassine", last_name="Alaoui")
    thread = make_conversation(channel, name="Salma")
    make_conversation(channel, name="Hajar", person_id="person-2")
    path = f"/inbox/all/c/{thread.pk}/"
    mine, his = open_page(agent, path), open_page(yassine, path)

    expect(mine.locator("#presence")).to_contain_text("Yassine is looking at this too")
    expect(his.locator("#presence")).to_contain_text("Nadia is looking at this too")

    his.locator("#composer-text").fill("Hello Salma")
    expect(mine.locator("#presence")).to_contain_text("Yassine is writing a reply too")

    his.locator("#rows .dx-row", has_text="Hajar").click()
    expect(his.locator("#thread-head")).to_contain_text("Hajar")
    expect(mine.locator("#presence")).to_have_text("")


def test_a_note_is_no_reply(
    open_page: OpenPage, agent: Agent, channel: Channel
) -> None:
    yassine = make_agent("yassine", first_name="Yassine")
    thread = make_conversation(channel, name="Salma")
    mine = open_page(agent, f"/inbox/all/c/{thread.pk}/")
    his = open_page(yassine, f"/inbox/all/c/{thread.pk}/?mode=note")

    his.locator("#composer-text").fill("For colleagues")
    his.reload()

    expect(mine.locator("#presence")).to_contain_text("Yassine is looking at this too")
