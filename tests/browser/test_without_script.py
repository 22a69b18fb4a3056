"""An agent whose browser runs no script still reads, finds, answers and puts away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from inbox.models import Agent, Channel, Conversation, Message
from tests.browser.conftest import OpenPage
from tests.conftest import make_agent, make_conversation
from tests.inbox.pages.conftest import Say

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def salma(channel: Channel, say: Say) -> Conversation:
    make_conversation(channel, name="Hajar Amrani", person_id="hajar")
    conversation = make_conversation(channel, name="Salma El Idrissi")
    for number in range(60):
        say(
            conversation, f"Message {number}.", ago=timedelta(hours=20, minutes=-number)
        )
    return conversation


@pytest.fixture
def page(open_page: OpenPage, agent: Agent, salma: Conversation) -> Page:
    return open_page(agent, "/inbox/all/", java_script_enabled=False)


@pytest.fixture
def thread(page: Page, salma: Conversation) -> Page:
    page.goto(f"/inbox/all/c/{salma.pk}/")
    return page


def stored(salma: Conversation) -> Conversation:
    return Conversation.objects.get(pk=salma.pk)


def test_the_list_is_filtered_and_a_thread_opened(page: Page) -> None:
    expect(page.locator(".dx-row")).to_have_count(2)

    page.locator("#filter-button").click()
    page.locator("#filter-menu").get_by_label("Assigned to").select_option(
        label="Nobody"
    )
    page.locator("#filter-menu").get_by_role("button", name="Show").click()
    expect(page.locator(".dx-row")).to_have_count(2)
    page.locator(".dx-row", has_text="Salma El Idrissi").click()

    expect(page.locator("#thread-head h1")).to_have_text("Salma El Idrissi")
    expect(page.locator("#msgs")).to_contain_text("Message 59.")


def test_earlier_messages_are_a_page_further(thread: Page) -> None:
    expect(thread.get_by_text("Message 0.", exact=True)).to_have_count(0)

    thread.get_by_role("link", name="Show earlier messages").click()

    expect(thread.get_by_text("Message 0.", exact=True)).to_be_visible()


def test_a_reply_is_sent(thread: Page, salma: Conversation) -> None:
    thread.locator("#composer-text").fill("Yes, in blue")
    thread.locator("#composer").get_by_role(
        "button", name="Send", exact=False
    ).first.click()

    expect(thread.locator("#msgs")).to_contain_text("Yes, in blue")
    assert Message.objects.filter(conversation=salma, direction="out").count() == 1


def test_a_note_is_written(thread: Page, salma: Conversation) -> None:
    thread.locator("#composer").get_by_role("link", name="Note").click()
    thread.locator("#composer-text").fill("Is she a regular?")
    thread.get_by_role("button", name="Add note").click()

    expect(thread.locator("#msgs")).to_contain_text("Is she a regular?")
    assert Message.objects.get(conversation=salma, direction="note")


def test_it_is_given_to_a_colleague(thread: Page, salma: Conversation) -> None:
    yassine = make_agent("yassine", first_name="Yassine", last_name="Alaoui")

    thread.locator("#thread-head").get_by_role("link", name="Assign").click()
    thread.get_by_role("button", name="Yassine Alaoui").click()

    expect(thread.locator("#thread-head")).to_contain_text("Yassine")
    assert stored(salma).assignee == yassine


def test_it_is_put_away_until_tomorrow(thread: Page, salma: Conversation) -> None:
    thread.locator("#thread-head").get_by_role("link", name="Snooze").click()
    thread.get_by_role("button", name="Tomorrow morning").click()

    expect(thread.locator("body")).to_contain_text("Put away until")
    assert stored(salma).status == "snoozed"


def test_it_is_done_and_opened_again(thread: Page, salma: Conversation) -> None:
    thread.locator("#thread-head").get_by_role("button", name="Done").click()
    expect(thread.locator("body")).to_contain_text("Marked as done.")
    assert stored(salma).status == "closed"

    thread.goto(f"/inbox/all/c/{salma.pk}/")
    thread.locator("#thread-head").get_by_role("button", name="Reopen").click()

    expect(thread.locator("#thread-head")).to_contain_text("Done")
    assert stored(salma).status == "open"


def test_people_are_found_by_a_search(page: Page) -> None:
    page.locator("#search").fill("hajar")
    page.locator("#search").press("Enter")

    expect(page.locator(".dx-row")).to_have_count(1)
    expect(page.locator(".dx-row")).to_contain_text("Hajar Amrani")
