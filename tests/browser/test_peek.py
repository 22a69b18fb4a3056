"""The conversation that comes next is there before it is asked for, and unread until it is opened."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Request, expect

from inbox.models import Agent, Channel, Conversation
from tests.browser.conftest import OpenPage
from tests.inbox.pages.conftest import Say
from tests.inbox.pages.test_conversations import make_many

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def three(channel: Channel, say: Say) -> list[Conversation]:
    """Newest first, each unread."""
    made = make_many(channel, 3)
    for conversation in made:
        say(conversation, f"Hello from {conversation.pk}")
        Conversation.objects.filter(pk=conversation.pk).update(unread=1)
    return list(Conversation.objects.newest_first())


def peeked(pk: int) -> re.Pattern[str]:
    return re.compile(rf"/c/{pk}/\?.*peek=1")


def opened(page: Page, conversation: Conversation) -> None:
    expect(page.locator("#msgs")).to_contain_text(f"Hello from {conversation.pk}")
    expect(page).to_have_url(re.compile(rf"/inbox/all/c/{conversation.pk}/$"))


def test_the_next_conversation_opens_without_being_asked_for_again(
    open_page: OpenPage, agent: Agent, three: list[Conversation]
) -> None:
    first, second, _third = three
    page = open_page(agent, "/inbox/all/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_response(peeked(second.pk)):
        page.locator(f"#row-{first.pk}").click()
    second.refresh_from_db()
    assert second.unread == 1
    asked.clear()
    with page.expect_response(re.compile(rf"/c/{second.pk}/read/")):
        page.keyboard.press("j")

    opened(page, second)
    assert not [url for url in asked if url.endswith(f"/inbox/all/c/{second.pk}/")]
    expect(page.locator(f"#row-{second.pk}")).to_have_attribute("aria-current", "true")
    expect(page.locator(f"#row-{second.pk}")).not_to_have_class(
        re.compile("dx-row-unread")
    )
    second.refresh_from_db()
    assert second.unread == 0
    page.go_back()
    opened(page, first)


def test_what_has_changed_since_is_asked_for_anew(
    open_page: OpenPage, agent: Agent, three: list[Conversation], say: Say
) -> None:
    first, second, _third = three
    page = open_page(agent, "/inbox/all/")
    with page.expect_response(peeked(second.pk)):
        page.locator(f"#row-{first.pk}").press("Enter")
    say(second, "Are you there?")
    expect(page.locator(f"#row-{second.pk}")).to_contain_text("Are you there?")
    page.locator(f"#row-{second.pk}").click()

    opened(page, second)
    expect(page.locator("#msgs")).to_contain_text("Are you there?")


def test_what_could_not_be_fetched_ahead_is_fetched_when_it_is_opened(
    open_page: OpenPage, agent: Agent, three: list[Conversation]
) -> None:
    first, second, _third = three
    page = open_page(agent, "/inbox/all/")
    lost: list[Request] = []

    def lose(route: object) -> None:
        lost.append(route.request)  # type: ignore[attr-defined]
        route.abort()  # type: ignore[attr-defined]

    page.route(peeked(second.pk), lose)
    with page.expect_event("requestfailed"):
        page.locator(f"#row-{first.pk}").press("Enter")
    page.locator(f"#row-{second.pk}").click()

    opened(page, second)
    assert lost


def test_a_draft_never_follows_into_the_conversation_that_was_fetched_ahead(
    open_page: OpenPage, agent: Agent, three: list[Conversation]
) -> None:
    first, second, _third = three
    page = open_page(agent, f"/inbox/all/c/{first.pk}/")
    expect(page.locator("#msgs")).to_be_visible()
    with page.expect_response(peeked(second.pk)):
        page.locator(f"#row-{second.pk}").hover()
    page.locator("#composer-text").fill("For the first only")
    page.locator(f"#row-{second.pk}").click()
    opened(page, second)
    expect(page.locator("#composer-text")).to_have_value("")
    page.locator(f"#row-{first.pk}").click()

    opened(page, first)
    expect(page.locator("#composer-text")).to_have_value("For the first only")
