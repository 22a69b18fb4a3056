"""Menus, keys and the command bar, as an agent's hands know them."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Permission
from playwright.sync_api import Page, expect

from inbox.models import Agent, Channel, Conversation, Tag
from tests.browser.conftest import OpenPage, one_of
from tests.conftest import make_agent, make_conversation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def thread(channel: Channel) -> Conversation:
    return make_conversation(channel, name="Salma El Idrissi")


@pytest.fixture
def page(open_page: OpenPage, agent: Agent, thread: Conversation) -> Page:
    page = open_page(agent, f"/inbox/all/c/{thread.pk}/")
    page.locator("#thread-head h1").click()
    return page


def violations(page: Page, context: str) -> list[str]:
    found = Axe().run(page, context=context).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def now_of(thread: Conversation) -> Conversation:
    return Conversation.objects.get(pk=thread.pk)


def test_it_is_assigned_by_a_key_a_name_and_enter(
    agent: Agent, page: Page, thread: Conversation
) -> None:
    yassine = make_agent("yassine", first_name="Yassine", last_name="Alaoui")

    page.keyboard.press("a")
    expect(page.locator("#menu [data-menu-search]")).to_be_focused()
    page.keyboard.type("yas")
    expect(page.locator("#menu .dx-menu-item:visible")).to_have_count(1)
    page.keyboard.press("Enter")

    expect(page.locator("#thread-head")).to_contain_text("Assigned to Yassine")
    expect(page.locator("#menu")).to_be_hidden()
    assert now_of(thread).assignee == yassine


def test_what_was_done_is_taken_back_by_z(page: Page, thread: Conversation) -> None:
    page.keyboard.press("i")
    expect(page.locator("#thread-head")).to_contain_text("Assigned to Nadia")

    page.keyboard.press("z")

    expect(page.locator("#thread-head")).not_to_contain_text("Assigned to Nadia")
    assert now_of(thread).assignee is None


def test_it_is_put_away_in_plain_words(page: Page, thread: Conversation) -> None:
    page.keyboard.press("h")
    expect(page.locator("#menu [data-menu-search]")).to_be_focused()
    page.keyboard.type("tomorrow 9")
    page.keyboard.press("Enter")

    expect(page.locator("#toasts")).to_contain_text("Put away until 9:00 tomorrow")
    assert now_of(thread).status == "snoozed"


def test_several_tags_are_given_without_leaving_the_menu(
    agent: Agent, page: Page, thread: Conversation
) -> None:
    vip, refund = Tag.objects.create(name="VIP"), Tag.objects.create(name="Refund")
    agent.user_permissions.add(Permission.objects.get(codename="add_tag"))

    page.keyboard.press("t")
    for tag in (vip, refund):
        button = page.locator("#menu").get_by_role("button", name=tag.name)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")

    expect(page.locator("#panel")).to_contain_text("Refund")
    assert sorted(now_of(thread).tags) == sorted([vip.pk, refund.pk])


def test_a_menu_gives_the_focus_back(page: Page) -> None:
    more = page.locator("#more")
    more.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#menu .dx-menu-item").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#menu .dx-menu-item").nth(1)).to_be_focused()

    page.keyboard.press("Escape")

    expect(more).to_be_focused()


def test_unread_goes_back_to_the_list(page: Page, thread: Conversation) -> None:
    page.keyboard.press("u")

    expect(
        page.locator(f"#row-{thread.pk} .dx-unread, #row-{thread.pk}")
    ).to_be_visible()
    expect(page).to_have_url("http://" + page.url.split("/")[2] + "/inbox/all/")
    assert now_of(thread).unread == 1


def test_the_command_bar_finds_an_action_and_teaches_its_key(
    page: Page, thread: Conversation
) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("done")
    line = page.locator("#commands-list [role=option]").first
    expect(line).to_contain_text("Mark as done")
    expect(line.locator(".dx-kbd")).to_have_text("E")

    page.keyboard.press("Enter")

    expect(page.locator("#toasts")).to_contain_text("Marked as done.")
    assert now_of(thread).status == "closed"


def test_the_command_bar_searches_what_it_does_not_know(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("blue bag")
    page.locator("#commands-list").get_by_text("Search for “blue bag”").click()

    expect(page.locator("#search")).to_have_value("blue bag")
    expect(page).to_have_url(re.compile(r"q=blue(\+|%20)bag"))


@pytest.mark.parametrize(
    ("letter", "view"),
    [("m", "mine"), ("u", "unassigned"), ("a", "all"), ("s", "snoozed")],
)
def test_g_and_a_letter_lead_to_a_view(page: Page, letter: str, view: str) -> None:
    page.keyboard.press("g")
    page.keyboard.press(letter)

    expect(page.locator(f'#views .dx-view[data-view="{view}"]')).to_have_attribute(
        "aria-current", "page"
    )


@pytest.mark.parametrize(
    "look",
    one_of(
        {"locale": "ar"},
        {},
        {"color_scheme": "dark"},
        {"viewport": {"width": 390, "height": 844}},
    ),
    ids=["arabic", "light", "dark", "phone"],
)
def test_menus_are_for_everybody_and_stand_inside_the_window(
    open_page: OpenPage, agent: Agent, thread: Conversation, look: dict[str, object]
) -> None:
    Tag.objects.create(name="VIP")
    page = open_page(agent, f"/inbox/all/c/{thread.pk}/", **look)
    page.locator("#more").click()
    expect(page.locator("#menu")).to_be_visible()
    box, size = page.locator("#menu").bounding_box(), page.viewport_size
    assert box
    assert size
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert violations(page, "#menu") == []
    page.locator('#menu a[href*="/tags/"]').click()
    expect(page.locator("#menu [data-menu-search]")).to_be_focused()
    assert violations(page, "#menu") == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.locator("#commands")).to_be_visible()
    assert violations(page, "#commands") == []
