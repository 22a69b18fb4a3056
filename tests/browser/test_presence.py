"""Two agents, one conversation: each sees what the other does."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import expect

from inbox.models import Agent, Channel, Conversation, Tag
from inbox.triage import assign_conversation, change_tags
from tests.browser.conftest import OpenPage
from tests.conftest import make_agent, make_conversation
from tests.inbox.pages.conftest import Say, say

__all__ = ["say"]

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


def test_what_a_colleague_does_shows_in_the_head_and_the_panel(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    say(conversation, "Is this available?")
    yassine, vip = (
        make_agent("yassine", first_name="Yassine"),
        Tag.objects.create(name="VIP"),
    )
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/")
    expect(page.locator("#thread-head")).not_to_contain_text("Yassine")

    assign_conversation(conversation=conversation, assignee=yassine, by=yassine)
    change_tags(conversation=conversation, add=[vip], remove=[], by=yassine)

    expect(page.locator("#thread-head")).to_contain_text("Assigned to Yassine")
    expect(page.locator("#panel")).to_contain_text("VIP")


def test_what_a_colleague_does_takes_nothing_from_who_writes_down_details(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    say(conversation, "Is this available?")
    agent.user_permissions.add(Permission.objects.get(codename="change_contact"))
    yassine = make_agent("yassine", first_name="Yassine")
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/")
    page.get_by_role("link", name="Edit contact details").click()
    page.locator("#panel [name=name]").fill("Salma, not saved yet")

    assign_conversation(conversation=conversation, assignee=yassine, by=yassine)

    expect(page.locator("#thread-head")).to_contain_text("Assigned to Yassine")
    expect(page.locator("#panel [name=name]")).to_have_value("Salma, not saved yet")


def test_a_tap_on_a_message_shows_what_may_be_done_with_it(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Is this available?")
    page = open_page(
        agent,
        f"/inbox/all/c/{conversation.pk}/",
        viewport={"width": 390, "height": 800},
        has_touch=True,
        is_mobile=True,
    )
    acts = page.locator(f"#m-{message.pk} .dx-acts")
    expect(acts).to_have_css("opacity", "0")
    page.locator(f"#m-{message.pk} .dx-bubble").tap()
    expect(acts).to_have_css("opacity", "1")
    acts.get_by_role("link", name="Copy a link to this message").tap()

    expect(page.locator("#toasts")).to_contain_text("link")
