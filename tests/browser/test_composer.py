"""The composer in a real browser: what it offers, splits, keeps and takes back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from inbox.channels import Limits, MediaLimit, TextLimit
from inbox.models import Agent, CannedReply, Conversation, Preferences, Tag
from tests.browser.conftest import OpenPage, one_of
from tests.conftest import make_agent
from tests.fakes import FakeAdapter
from tests.files import picture
from tests.inbox.pages.conftest import Say

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True}
LONG = (
    "This is the first sentence of it. " + "And a second one follows here at once. " * 3
)


@pytest.fixture
def roomy(fake_adapter: FakeAdapter) -> FakeAdapter:
    fake_adapter.limits = Limits(
        text=TextLimit(100, "characters"),
        comment_text=TextLimit(100, "characters"),
        media={"image": MediaLimit(100_000, frozenset({"image/png"}))},
    )
    return fake_adapter


@pytest.fixture
def thread(
    open_page: OpenPage,
    agent: Agent,
    conversation: Conversation,
    say: Say,
    roomy: FakeAdapter,
) -> Page:
    say(conversation, "Is this available?")
    return open_page(agent, f"/inbox/all/c/{conversation.pk}/")


def field(page: Page) -> Any:
    return page.locator("#composer-text")


def sent(conversation: Conversation) -> list[str]:
    messages = conversation.messages.outbound().order_by("pk")
    return [message.content for message in messages]


def test_a_long_reply_says_how_many_it_will_be_and_shows_them(
    thread: Page, conversation: Conversation
) -> None:
    field(thread).fill(LONG)

    button = thread.get_by_role("button", name="Send as 2 messages")
    expect(button).to_be_visible()
    thread.get_by_text("it goes as 2").click()
    expect(thread.locator("#composer-parts li")).to_have_count(2)
    button.click()

    expect(thread.locator("[data-pending]")).to_have_count(0)
    expect(thread.locator("#msgs .dx-msg-out")).to_have_count(2)
    expect(thread.get_by_role("button", name="Send", exact=False).first).to_have_text(
        re.compile("^Send ")
    )
    assert " ".join(sent(conversation)) == LONG.strip()


def test_a_slash_finds_a_canned_reply_and_its_acts_go_with_the_send(
    thread: Page, conversation: Conversation
) -> None:
    tag = Tag.objects.create(name="Sizes", colour=1)
    CannedReply.objects.create(
        shortcut="size",
        title="Sizes",
        content="Hi {first_name}, we have {size}.",
        actions={"close": True, "tags": [tag.pk]},
    )
    CannedReply.objects.create(shortcut="hours", title="Hours", content="From nine")

    field(thread).press_sequentially("/")
    expect(thread.get_by_role("option")).to_have_count(2)
    thread.keyboard.type("siz")
    expect(thread.get_by_role("option")).to_have_count(1)
    expect(thread.locator(".dx-slash-preview")).to_have_text(
        "Hi Salma, we have {size}."
    )
    thread.keyboard.press("Tab")

    expect(field(thread)).to_have_value("Hi Salma, we have {size}.")
    expect(thread.locator("#composer-blanks")).to_contain_text("{size}")
    expect(thread.locator("#composer-steps .dx-chip")).to_have_count(2)
    thread.get_by_role("button", name="Leave out: Sizes").click()
    thread.locator("#composer-blanks button").click()
    thread.keyboard.type("38")
    expect(thread.locator("#composer-blanks")).to_be_hidden()
    thread.keyboard.press("Control+Enter")

    expect(thread.locator("#thread-head #done")).to_contain_text("Reopen")
    conversation.refresh_from_db()
    assert (conversation.status, conversation.tags) == ("closed", [])
    assert sent(conversation) == ["Hi Salma, we have 38."]


def test_escape_closes_the_list_and_leaves_the_composer_open(thread: Page) -> None:
    CannedReply.objects.create(shortcut="size", title="Sizes", content="38")
    field(thread).press_sequentially("and/or /s")
    expect(thread.get_by_role("option")).to_have_count(1)

    thread.keyboard.press("Escape")

    expect(thread.locator("#suggestions")).to_be_hidden()
    expect(field(thread)).to_be_focused()
    expect(field(thread)).to_have_value("and/or /s")


def test_an_at_sign_makes_a_note_of_a_reply_and_calls_a_colleague(
    thread: Page, conversation: Conversation
) -> None:
    colleague = make_agent("yassine", first_name="Yassine")
    field(thread).press_sequentially("@")
    expect(thread.get_by_role("option")).to_have_text(
        "Make this a note, to call a colleague"
    )
    thread.keyboard.press("Enter")

    expect(thread.locator("#composer")).to_have_class(re.compile("dx-comp-note"))
    expect(field(thread)).to_have_value("@")
    thread.keyboard.press("End")
    thread.keyboard.type("ya")
    expect(thread.get_by_role("option")).to_contain_text("@yassine")
    thread.keyboard.press("Enter")
    thread.keyboard.type("can you look?")
    thread.keyboard.press("Control+Enter")

    expect(thread.locator("#msgs .dx-note")).to_contain_text("@yassine can you look?")
    assert conversation.mentions.get().agent == colleague


def test_an_emoji_is_found_by_its_name(thread: Page) -> None:
    field(thread).fill("Thanks ")
    thread.get_by_role("button", name="Emoji").click()
    thread.get_by_role("searchbox", name="Search emoji").fill("folded")
    thread.keyboard.press("Enter")

    expect(field(thread)).to_have_value("Thanks 🙏")
    expect(field(thread)).to_be_focused()


def test_answers_are_offered_with_the_reply(
    thread: Page, conversation: Conversation
) -> None:
    thread.get_by_role("button", name="Offer answers").click()
    for size in ("38", "40", "41"):
        thread.keyboard.type(size)
        thread.keyboard.press("Enter")
    thread.get_by_role("button", name="Remove 40").click()
    field(thread).fill("Which size?")
    thread.keyboard.press("Control+Enter")

    expect(thread.locator("#msgs .dx-choices")).to_contain_text("38")
    message = conversation.messages.outbound().get()
    assert [one["title"] for one in message.extra["quick_replies"]] == ["38", "41"]


def test_a_reply_is_taken_back_while_it_waits(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    Preferences.objects.create(agent=agent, undo_seconds=20)
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/")
    field(page).fill("Too quick")
    page.keyboard.press("Control+Enter")

    undo = page.locator("#msgs .dx-undo")
    expect(undo).to_contain_text(re.compile(r"\d+ s"))
    undo.get_by_role("button", name="Undo").click()

    expect(field(page)).to_have_value("Too quick")
    expect(page.locator("#msgs .dx-msg-out")).to_have_count(0)
    assert not conversation.messages.outbound().exists()


def test_enter_sends_for_who_wants_it(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    Preferences.objects.create(agent=agent, enter_sends=True)
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/")
    field(page).press_sequentially("One")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Two")
    page.keyboard.press("Enter")

    expect(page.locator("#msgs .dx-msg-out")).to_have_count(1)
    expect(page.locator("[data-pending]")).to_have_count(0)
    assert sent(conversation) == ["One\nTwo"]


def test_send_and_done_by_key(thread: Page, conversation: Conversation) -> None:
    field(thread).fill("Bye")
    thread.keyboard.press("Control+Shift+Enter")

    expect(thread.locator("#thread-head #done")).to_contain_text("Reopen")
    conversation.refresh_from_db()
    assert conversation.status == "closed"


def test_send_and_snooze_from_the_menu(
    thread: Page, conversation: Conversation
) -> None:
    field(thread).fill("I will ask")
    thread.locator("#send-menu summary").click()
    thread.get_by_role("button", name="Send and snooze: Tomorrow at 9:00").click()

    expect(thread.locator("[data-pending]")).to_have_count(0)
    expect(thread.locator("#msgs")).to_contain_text("put this away until")
    conversation.refresh_from_db()
    assert conversation.status == "snoozed"


def test_a_lost_upload_is_tried_again_and_the_file_survives_a_reload(
    thread: Page, conversation: Conversation
) -> None:
    lost: list[Route] = []

    def lose_once(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route)
            route.abort()

    thread.route("**/uploads/**", lose_once)
    thread.locator("#composer-input").set_input_files(
        [{"name": "red.png", "mimeType": "image/png", "buffer": picture()}]
    )
    expect(thread.locator("#composer-error")).to_contain_text("did not get through")
    thread.get_by_role("button", name="Try again").click()
    expect(thread.locator("#composer-files [name=upload]")).to_have_count(1)
    thread.reload()

    expect(thread.locator("#composer-files .dx-attach")).to_contain_text("red.png")
    thread.get_by_role("button", name="Send").first.click()
    expect(thread.locator("#msgs .dx-photo")).to_have_count(1)
    expect(thread.locator("#composer-files .dx-attach")).to_have_count(0)


def test_a_reply_and_a_note_have_a_draft_each(
    thread: Page, conversation: Conversation
) -> None:
    field(thread).fill("To Salma")
    expect(thread.locator("#draft-kept")).to_be_visible()
    thread.locator("#tab-note").click()
    expect(thread.locator("#composer")).to_have_class(re.compile("dx-comp-note"))
    # Alone it goes along; where there is another, each stays where it was written.
    expect(field(thread)).to_have_value("To Salma")
    field(thread).fill("To the team")
    expect(thread.locator("#draft-kept")).to_be_visible()
    thread.locator("#tab-reply").click()
    expect(field(thread)).to_have_value("To the team")


@pytest.mark.parametrize("scheme", one_of("dark", "light"))
@pytest.mark.parametrize("size", one_of(PHONE, {}), ids=["phone", "desk"])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_nobody_is_left_out(
    open_page: OpenPage,
    agent: Agent,
    conversation: Conversation,
    say: Say,
    roomy: FakeAdapter,
    scheme: str,
    size: dict[str, Any],
    language: str,
) -> None:
    agent.language = language
    agent.save()
    say(conversation, "Is this available?")
    CannedReply.objects.create(
        shortcut="size", title="Sizes", content="{size} " * 9, actions={"close": True}
    )
    page = open_page(
        agent, f"/inbox/all/c/{conversation.pk}/", color_scheme=scheme, **size
    )
    page.locator("#composer-input").set_input_files(
        [{"name": "red.png", "mimeType": "image/png", "buffer": picture()}]
    )
    expect(page.locator("#composer-files [name=upload]")).to_have_count(1)
    field(page).press_sequentially("/size")
    expect(page.get_by_role("option")).to_have_count(1)
    check(page)
    page.keyboard.press("Enter")
    field(page).fill(LONG + "{size}")
    expect(page.locator("#composer-parts li")).to_have_count(2)
    page.locator("#send-menu summary").click()
    check(page)
    page.goto("/inbox/canned/")
    check(page)
    page.goto("/inbox/canned/new/")
    check(page)


def check(page: Page) -> None:
    findings = Axe().run(page).response["violations"]
    assert [one["id"] for one in findings] == []
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
