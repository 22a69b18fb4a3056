"""What an agent chose takes effect, and what they are told outside the page, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from channels_meta.processing import drain
from inbox.conversations import add_note
from inbox.models import Agent, Channel, Conversation, Preferences
from inbox.triage import assign_conversation
from tests.browser.conftest import OpenPage
from tests.conftest import (
    Meta,
    make_agent,
    make_conversation,
    said,
    wait_until,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
ACCOUNT = "/inbox/account/"
# A browser whose notifications are seen by the test, and a page that can be looked away from.
RECORDER = """
window.told = [];
window.asked = 0;
window.Notification = class extends EventTarget {
  static permission = PERMISSION;
  static async requestPermission() {
    window.asked += 1;
    return (Notification.permission = "granted");
  }
  constructor(title, options) {
    super();
    Object.assign(this, options, { title });
    window.told.push(this);
  }
  close() {}
};
let isHidden = HIDDEN;
Object.defineProperty(document, "hidden", { get: () => isHidden });
window.look = (isSeen) => {
  isHidden = !isSeen;
  document.dispatchEvent(new Event("visibilitychange"));
};
"""

Watch = Callable[..., Page]


@pytest.fixture
def watch(open_page: OpenPage) -> Watch:
    """A page that nobody looks at, in a browser that may notify; beside another if given."""

    def begin(
        agent: Agent,
        path: str = "/inbox/all/",
        *,
        permission: str = "granted",
        is_hidden: bool = True,
        beside: Page | None = None,
    ) -> Page:
        page = beside.context.new_page() if beside else open_page(agent, "/healthz")
        script = RECORDER.replace("PERMISSION", f'"{permission}"')
        page.add_init_script(script.replace("HIDDEN", str(is_hidden).lower()))
        page.goto(path)
        if not beside:
            wait_until(lambda: page.evaluate(HELD, "dexra-voice"))
        return page

    return begin


# Whether a page holds a lock of this name.
HELD = """async (name) => (await navigator.locks.query()).held.some((lock) => lock.name.startsWith(name))"""


def told(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        "told.map(({ title, body, tag, silent }) => ({ title, body, tag, silent }))"
    )
    return found


def titles(page: Page) -> list[str]:
    return [one["title"] for one in told(page)]


@pytest.fixture
def salma(meta: Meta, messenger: Channel) -> Conversation:
    """Nadia's conversation with a person who has written before."""
    meta.messaging(said("Salam", "m_1"))
    drain()
    conversation = Conversation.objects.get()
    conversation.identity.name = "Salma"
    conversation.identity.save()
    Conversation.objects.update(unread=0, assignee=Agent.objects.get(username="nadia"))
    return conversation


def write(meta: Meta, number: int) -> None:
    meta.messaging(said("Are you there?", f"m_{number}"))
    drain()


# --- the page ------------------------------------------------------------------------------------


def test_letters_switched_off_do_nothing(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = open_page(agent, ACCOUNT)
    page.get_by_label("Single-key shortcuts").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    page.goto("/inbox/all/")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("?")

    expect(page.locator("#keys")).to_be_hidden()
    expect(page.locator(".dx-pick")).not_to_be_checked()
    assert page.url.endswith("/inbox/all/")
    page.keyboard.press("Control+k")
    expect(page.locator("#commands")).to_be_visible()


def test_enter_sends_where_it_was_chosen(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = open_page(agent, ACCOUNT)
    page.get_by_label("Enter sends").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    page.goto(f"/inbox/all/c/{conversation.pk}/")
    page.locator("#composer-text").fill("Hello Salma")
    page.locator("#composer-text").press("Enter")

    expect(page.locator("#msgs")).to_contain_text("Hello Salma")


def test_arabic_turns_the_page_at_once(open_page: OpenPage, agent: Agent) -> None:
    page = open_page(agent, "/inbox/all/")
    page.locator("[popovertarget=account-menu]").first.click()
    page.get_by_role("link", name="Your account").click()

    page.get_by_label("Language").select_option("ar")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("html")).to_have_attribute("dir", "rtl")


@pytest.mark.parametrize(
    ("language", "options"),
    [
        ("en", {"color_scheme": "light"}),
        ("en", {"color_scheme": "dark"}),
        ("en", PHONE),
        ("ar", {"color_scheme": "dark"}),
        ("ar", PHONE),
    ],
)
def test_axe_finds_nothing_on_the_account_page(
    open_page: OpenPage,
    agent: Agent,
    channel: Channel,
    language: str,
    options: dict[str, Any],
) -> None:
    agent.language = language
    agent.save()
    page = open_page(agent, ACCOUNT, **options)

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- notifications -------------------------------------------------------------------------------


def test_one_notification_per_conversation_and_a_click_opens_it(
    watch: Watch, agent: Agent, meta: Meta, salma: Conversation
) -> None:
    page = watch(agent)

    write(meta, 2)

    wait_until(lambda: told(page))
    assert told(page) == [
        {
            "title": "Salma",
            "body": "New message",
            "tag": f"dexra-conversation-{salma.pk}",
            "silent": True,
        }
    ]
    page.evaluate("told[0].onclick()")
    expect(page.locator("#thread-head")).to_contain_text("Salma")
    expect(page.locator("#msgs")).to_contain_text("Are you there?")


def test_nothing_is_shown_while_a_page_is_looked_at(
    watch: Watch, agent: Agent, meta: Meta, salma: Conversation
) -> None:
    page = watch(agent)
    other = watch(agent, is_hidden=False, beside=page)
    wait_until(lambda: other.evaluate(HELD, "dexra-seen"))

    write(meta, 2)

    expect(page).to_have_title(re.compile(r"^\(1\)"))
    assert told(page) == told(other) == []


def test_muted_channels_and_kinds_are_silent(
    watch: Watch, agent: Agent, meta: Meta, salma: Conversation, channel: Channel
) -> None:
    """What is told after them is the first that is told."""
    Preferences.objects.create(
        agent=agent, notifies_of=["mine", "mention"], muted_channels=[salma.channel_id]
    )
    other = make_conversation(channel, name="Hajar")
    yassine = make_agent("yassine")
    page = watch(agent)

    write(meta, 2)
    assign_conversation(conversation=other, assignee=agent, by=yassine)
    add_note(conversation=other, author=yassine, content="@nadia look")

    wait_until(lambda: told(page))
    assert [one["body"] for one in told(page)] == ["You are mentioned in a note"]


def test_of_two_pages_one_speaks_and_the_other_takes_over(
    watch: Watch, agent: Agent, meta: Meta, salma: Conversation
) -> None:
    first = watch(agent)
    second = watch(agent, beside=first)

    write(meta, 2)
    expect(second).to_have_title(re.compile(r"^\(1\)"))
    wait_until(lambda: told(first))
    assert (len(told(first)), told(second)) == (1, [])

    first.close()
    write(meta, 3)
    wait_until(lambda: told(second))
    assert titles(second) == ["Salma"]


def test_many_at_once_are_told_as_one(
    watch: Watch, agent: Agent, channel: Channel
) -> None:
    """As after a sleep: all that was missed comes together."""
    yassine = make_agent("yassine")
    conversations = [
        make_conversation(channel, name=f"Person {number}", person_id=f"p-{number}")
        for number in range(6)
    ]
    page = watch(agent)
    page.context.set_offline(True)
    for conversation in conversations:
        assign_conversation(conversation=conversation, assignee=agent, by=yassine)

    page.context.set_offline(False)

    wait_until(lambda: told(page))
    assert titles(page) == ["6 conversations"]


def test_a_page_long_out_of_sight_still_speaks_and_counts(
    watch: Watch, agent: Agent, meta: Meta, salma: Conversation
) -> None:
    page = watch(agent, is_hidden=False)
    page.clock.install()
    page.evaluate("look(false)")
    with page.expect_request("**/live/stream?*ear=1*"):
        page.clock.fast_forward(5 * 60 * 1000 + 1000)

    write(meta, 2)

    wait_until(lambda: told(page))
    assert titles(page) == ["Salma"]
    expect(page).to_have_title("(1) All open · Inbox · Dexra")
    page.evaluate("look(true)")
    expect(page.locator("#rows .dx-row-unread")).to_have_count(1)


def test_permission_is_asked_for_after_a_click_only(
    watch: Watch, agent: Agent, channel: Channel
) -> None:
    page = watch(agent, permission="default", is_hidden=False)

    expect(page.locator("#banner")).to_contain_text("Get told about new messages.")
    assert page.evaluate("asked") == 0
    page.get_by_role("button", name="Allow").click()

    expect(page.locator("#banner")).not_to_contain_text("Get told")
    assert page.evaluate("asked") == 1


def test_not_now_is_remembered(watch: Watch, agent: Agent, channel: Channel) -> None:
    page = watch(agent, permission="default", is_hidden=False)
    page.get_by_role("button", name="Not now").click()
    page.reload()
    wait_until(lambda: page.evaluate(HELD, "dexra-voice"))

    expect(page.locator("#banner")).not_to_contain_text("Get told")
    assert page.evaluate("asked") == 0


def test_the_account_page_asks_too(
    watch: Watch, agent: Agent, open_page: OpenPage
) -> None:
    page = open_page(agent, "/healthz")
    script = RECORDER.replace("PERMISSION", '"default"').replace("HIDDEN", "false")
    page.add_init_script(script)
    page.goto(ACCOUNT)

    page.get_by_role("button", name="Allow them in this browser").click()

    expect(page.get_by_text("Allowed in this browser")).to_be_visible()


# --- the title -----------------------------------------------------------------------------------


def test_the_title_counts_ones_own_unread_in_every_page(
    watch: Watch, agent: Agent, meta: Meta, salma: Conversation
) -> None:
    hidden = watch(agent)
    seen = watch(agent, is_hidden=False, beside=hidden)
    expect(seen).to_have_title("All open · Inbox · Dexra")

    write(meta, 2)

    for page in (hidden, seen):
        expect(page).to_have_title("(1) All open · Inbox · Dexra")
    seen.locator("#rows .dx-row").first.click()
    for page in (hidden, seen):
        expect(page).not_to_have_title("(1) All open · Inbox · Dexra")
    expect(seen).to_have_title("Salma · All open · Inbox · Dexra")
    expect(hidden).to_have_title("All open · Inbox · Dexra")


# --- rows ----------------------------------------------------------------------------------------


def test_a_row_shows_at_once_who_begins_to_answer_it(
    open_page: OpenPage, agent: Agent, channel: Channel
) -> None:
    yassine = make_agent("yassine", first_name="Yassine")
    thread = make_conversation(channel, name="Salma")
    mine = open_page(agent, "/inbox/all/")
    his = open_page(yassine, f"/inbox/all/c/{thread.pk}/")

    his.locator("#composer-text").fill("Hello Salma")
    expect(mine.locator("#rows")).to_contain_text("Yassine is on it")

    his.goto("/inbox/account/")
    expect(mine.locator("#rows")).not_to_contain_text("Yassine is on it")


# --- tell me when they write ---------------------------------------------------------------------


def test_tell_me_when_they_write_is_one_click_and_can_be_taken_back(
    open_page: OpenPage, agent: Agent, channel: Channel
) -> None:
    thread = make_conversation(channel, name="Karim", wrote=timedelta(days=9))
    page = open_page(agent, f"/inbox/all/c/{thread.pk}/")

    page.get_by_role("button", name="Tell me when Karim writes").click()
    page.get_by_role("button", name="You will be told when Karim writes").click()

    expect(page.get_by_role("button", name="Tell me when Karim writes")).to_be_visible()
