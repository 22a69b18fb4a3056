"""Twenty everyday tasks of an agent, one after the other: by keyboard alone, and by touch on a phone.

Each says how many keys it may take; text that is written (a reply, a name to find) is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import Locator, Page, expect

from inbox.models import (
    Agent,
    CannedReply,
    Channel,
    Conversation,
    Mention,
    Message,
    Tag,
)
from tests.browser.conftest import OpenPage
from tests.conftest import make_agent, make_conversation, wait_until
from tests.inbox.pages.conftest import Say

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True}


@dataclass
class Desk:
    """Nadia's page, her hands, and what she has before her. pressed: keys of the task at hand."""

    page: Page
    nadia: Agent
    yassine: Agent
    salma: Conversation
    omar: Conversation
    lina: Conversation
    vip: Tag
    pressed: int = 0
    typed: list[str] = field(default_factory=list)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.pressed += len(keys)

    def write(self, text: str) -> None:
        self.page.keyboard.type(text)

    def tap(self, name: str, inside: str = "body", role: str = "button") -> None:
        place = self.page.locator(inside)
        place.get_by_role(role, name=name).first.tap()  # type: ignore[arg-type]

    def more(self, line: str) -> None:
        """A line of the menu in the head of the thread."""
        self.page.locator("#more").tap()
        self.page.locator("#menu .dx-menu-item", has_text=line).tap()

    def open(self, conversation: Conversation) -> None:
        if self.page.locator(f"#row-{conversation.pk}:visible").count() == 0:
            self.page.locator(".dx-back").tap()
        self.page.locator(f"#row-{conversation.pk}").tap()
        expect(self.page.locator("#thread-head")).to_contain_text(
            conversation.identity.name
        )

    @property
    def field(self) -> Locator:
        return self.page.locator("#composer-text")

    @property
    def menu(self) -> Locator:
        return self.page.locator("#menu")

    def now(self, conversation: Conversation) -> Conversation:
        return Conversation.objects.get(pk=conversation.pk)

    def said(self, conversation: Conversation, direction: str) -> list[str]:
        found = conversation.messages.filter(direction=direction).order_by("pk")
        return [message.content for message in found]

    def waits_for(self, text: str) -> None:
        expect(self.page.locator("#msgs")).to_contain_text(text)
        expect(self.page.locator("[data-pending]")).to_have_count(0)

    def hears(self, toast: str) -> None:
        expect(self.page.locator("#toasts")).to_contain_text(toast)


@pytest.fixture
def desk(agent: Agent, channel: Channel, say: Say, open_page: OpenPage) -> Desk:
    """Salma, Omar and Lina wait, in this order; Omar asked about an invoice last year."""
    people = [
        make_conversation(channel, person_id=name, name=name)
        for name in ("Lina", "Omar", "Salma")
    ]
    lina, omar, salma = people
    for minutes, one in zip((30, 20, 10), people, strict=True):
        say(one, f"Salam from {one.identity.name}", ago=timedelta(minutes=minutes))
        Conversation.objects.filter(pk=one.pk).update(unread=1)
    say(omar, "Where is invoice 4411?", ago=timedelta(days=400))
    CannedReply.objects.create(title="Hours", shortcut="hours", content="We open at 9.")
    yassine = make_agent("yassine", first_name="Yassine")
    agent.user_permissions.add(Permission.objects.get(codename="add_tag"))
    vip = Tag.objects.create(name="VIP")
    page = open_page(agent, "about:blank")
    return Desk(page, agent, yassine, salma, omar, lina, vip)


# --- by keyboard -------------------------------------------------------------------------------------


def open_first(desk: Desk) -> None:
    desk.press("j")
    desk.waits_for("Salam from Salma")


def answer(desk: Desk) -> None:
    desk.press("r")
    expect(desk.field).to_be_focused()
    desk.write("Yes, in blue.")
    desk.press("Control+Enter")
    desk.waits_for("Yes, in blue.")
    assert desk.said(desk.salma, "out") == ["Yes, in blue."]


def note(desk: Desk) -> None:
    desk.press("n")
    expect(desk.page.locator("#composer.dx-comp-note #composer-text")).to_be_focused()
    desk.write("A regular.")
    desk.press("Control+Enter")
    desk.waits_for("A regular.")
    assert desk.said(desk.salma, "note") == ["A regular."]


def take(desk: Desk) -> None:
    desk.press("i")
    desk.hears("It is yours now.")
    assert desk.now(desk.salma).assignee == desk.nadia


def give(desk: Desk) -> None:
    desk.press("a")
    expect(desk.menu.locator("[data-menu-search]")).to_be_focused()
    desk.write("yas")
    desk.press("Enter")
    desk.hears("Given to Yassine")
    assert desk.now(desk.salma).assignee == desk.yassine


def take_back(desk: Desk) -> None:
    desk.press("z")
    expect(desk.page.locator("#thread-head")).to_contain_text("Assigned to Nadia")
    assert desk.now(desk.salma).assignee == desk.nadia


def tag(desk: Desk) -> None:
    desk.press("t")
    expect(desk.menu.locator("[data-menu-search]")).to_be_focused()
    desk.write("vip")
    desk.press("Enter")
    desk.hears("Tagged VIP.")
    desk.press("Escape")
    assert desk.now(desk.salma).tags == [desk.vip.pk]


def make_urgent(desk: Desk) -> None:
    desk.press("Control+k")
    desk.write("priority")
    desk.press("Enter")
    expect(desk.menu.get_by_role("button", name="Urgent")).to_be_focused()
    desk.press("Enter")
    expect(desk.page.locator("#thread-head")).to_contain_text("Urgent")
    assert desk.now(desk.salma).priority == 4


def look_who_it_is(desk: Desk) -> None:
    desk.press("c")
    expect(desk.page.locator("#panel")).to_be_hidden()
    desk.press("c")
    expect(desk.page.locator("#panel")).to_be_visible()


def mark_done(desk: Desk) -> None:
    desk.press("e")
    desk.hears("Marked as done.")
    assert desk.now(desk.salma).status == "closed"


def reopen(desk: Desk) -> None:
    desk.press("e")
    desk.hears("Open again.")
    assert desk.now(desk.salma).status == "open"


def go_on(desk: Desk) -> None:
    desk.press("j")
    desk.waits_for("Salam from Omar")


def put_away(desk: Desk) -> None:
    desk.press("h")
    expect(desk.menu.locator("[data-menu-search]")).to_be_focused()
    desk.write("tomorrow 9")
    desk.press("Enter")
    desk.hears("Put away until 9:00 tomorrow")
    assert desk.now(desk.omar).status == "snoozed"
    desk.press("z")
    desk.hears("Open again.")


def answer_from_a_template(desk: Desk) -> None:
    desk.press("r")
    expect(desk.field).to_be_focused()
    desk.write("/hou")
    expect(desk.page.locator("#suggestions [role=option]")).to_have_count(1)
    desk.press("Tab")
    expect(desk.field).to_have_value(re.compile("We open at 9"))
    desk.press("Control+Enter")
    desk.waits_for("We open at 9.")
    assert desk.said(desk.omar, "out") == ["We open at 9."]


def call_a_colleague(desk: Desk) -> None:
    desk.press("n")
    expect(desk.page.locator("#composer.dx-comp-note #composer-text")).to_be_focused()
    desk.write("@yas")
    expect(desk.page.locator("#suggestions [role=option]")).to_have_count(1)
    desk.press("Enter")
    desk.write("can you help?")
    desk.press("Control+Enter")
    desk.waits_for("can you help?")
    assert Mention.objects.filter(agent=desk.yassine).count() == 1


def answer_and_done(desk: Desk) -> None:
    desk.press("r")
    expect(
        desk.page.locator("#composer:not(.dx-comp-note) #composer-text")
    ).to_be_focused()
    desk.write("All settled.")
    desk.press("Control+Shift+Enter")
    desk.waits_for("All settled.")
    expect(desk.page.locator("#thread-head")).to_contain_text("Reopen")
    assert desk.now(desk.omar).status == "closed"


def find_what_was_said(desk: Desk) -> None:
    desk.press("/")
    desk.write("invoice 4411")
    hit = desk.page.locator("[data-hit]")
    expect(hit).to_have_count(1)
    desk.press("ArrowDown")
    expect(hit).to_be_focused()
    desk.press("Enter")
    desk.waits_for("Where is invoice 4411?")
    expect(desk.page.locator("#msgs [data-target]")).to_be_focused()


def go_to_mine(desk: Desk) -> None:
    desk.press("g", "m")
    expect(desk.page).to_have_url(re.compile(r"/inbox/mine/$"))
    expect(desk.page.locator("#rows")).to_contain_text("Salma")


def keep_for_later(desk: Desk) -> None:
    desk.press("j")
    desk.waits_for("Salam from Salma")
    desk.press("u")
    expect(desk.page).to_have_url(re.compile(r"/inbox/mine/$"))
    expect(desk.page.locator(f"#row-{desk.salma.pk}.dx-row-unread")).to_be_visible()
    assert desk.now(desk.salma).unread == 1


def finish_several(desk: Desk) -> None:
    desk.press("g", "a")
    expect(desk.page.locator("#rows .dx-row")).to_have_count(2)
    desk.press("j", "x", "j", "x")
    expect(desk.page.locator("#bulk-count")).to_have_text("2 selected")
    desk.press("Control+k")
    desk.write("selected done")
    desk.press("Enter")
    desk.hears("2 marked as done.")
    assert not Conversation.objects.filter(status="open").exists()


# --- by touch ----------------------------------------------------------------------------------------


def tap_first(desk: Desk) -> None:
    desk.open(desk.salma)
    desk.waits_for("Salam from Salma")


def tap_answer(desk: Desk) -> None:
    desk.field.tap()
    desk.write("Yes, in blue.")
    desk.tap("Send", "#composer")
    desk.waits_for("Yes, in blue.")


def tap_note(desk: Desk) -> None:
    desk.page.locator("#tab-note").tap()
    expect(desk.page.locator("#composer.dx-comp-note")).to_be_visible()
    desk.field.tap()
    desk.write("A regular.")
    desk.tap("note", "#composer")
    desk.waits_for("A regular.")
    desk.page.locator("#tab-reply").tap()


def tap_take(desk: Desk) -> None:
    desk.more("Assign")
    desk.menu.locator(".dx-menu-item", has_text="(you)").tap()
    desk.hears("It is yours now.")
    assert desk.now(desk.salma).assignee == desk.nadia


def tap_give(desk: Desk) -> None:
    desk.more("Assign")
    desk.menu.locator(".dx-menu-item", has_text="Yassine").tap()
    desk.hears("Given to Yassine")


def tap_back(desk: Desk) -> None:
    desk.page.locator("#toasts .dx-toast", has_text="Given to").get_by_role(
        "button", name="Undo"
    ).tap()
    wait_until(lambda: desk.now(desk.salma).assignee == desk.nadia)


def tap_tag(desk: Desk) -> None:
    desk.more("Tags")
    desk.menu.locator(".dx-menu-item", has_text="VIP").tap()
    desk.hears("Tagged VIP.")
    desk.page.keyboard.press("Escape")


def tap_urgent(desk: Desk) -> None:
    desk.more("Priority")
    desk.menu.locator(".dx-menu-item", has_text="Urgent").tap()
    expect(desk.menu).to_be_hidden()
    assert desk.now(desk.salma).priority == 4


def tap_who_it_is(desk: Desk) -> None:
    desk.page.locator("#panel-toggle").tap()
    expect(desk.page.locator("#panel")).to_be_visible()
    desk.page.locator("#panel-close").tap()
    expect(desk.page.locator("#panel")).to_be_hidden()


def tap_done(desk: Desk) -> None:
    desk.page.locator("#done").tap()
    desk.hears("Marked as done.")
    assert desk.now(desk.salma).status == "closed"


def tap_reopen(desk: Desk) -> None:
    desk.page.locator("#done").tap()
    desk.hears("Open again.")
    assert desk.now(desk.salma).status == "open"


def tap_on(desk: Desk) -> None:
    desk.open(desk.omar)
    desk.waits_for("Salam from Omar")


def tap_away(desk: Desk) -> None:
    desk.more("Snooze")
    desk.menu.locator(".dx-menu-item", has_text="Tomorrow").first.tap()
    desk.hears("Put away until")
    assert desk.now(desk.omar).status == "snoozed"
    desk.page.locator("#done").tap()
    desk.hears("Open again.")


def tap_template(desk: Desk) -> None:
    desk.tap("Canned replies", "#composer")
    desk.page.locator("#suggestions [role=option]").first.tap()
    expect(desk.field).to_have_value(re.compile("We open at 9"))
    desk.tap("Send", "#composer")
    desk.waits_for("We open at 9.")


def tap_colleague(desk: Desk) -> None:
    desk.page.locator("#tab-note").tap()
    expect(desk.page.locator("#composer.dx-comp-note")).to_be_visible()
    desk.field.tap()
    desk.write("@yas")
    desk.page.locator("#suggestions [role=option]").first.tap()
    desk.write("can you help?")
    desk.tap("note", "#composer")
    desk.waits_for("can you help?")
    assert Mention.objects.filter(agent=desk.yassine).count() == 1
    desk.page.locator("#tab-reply").tap()


def tap_answer_and_done(desk: Desk) -> None:
    expect(desk.page.locator("#composer:not(.dx-comp-note)")).to_be_visible()
    desk.field.tap()
    desk.write("All settled.")
    desk.page.locator("#send-menu summary").tap()
    desk.tap("Send and done", "#composer")
    desk.waits_for("All settled.")
    expect(desk.page.locator("#thread-head")).to_contain_text("Reopen")
    assert desk.now(desk.omar).status == "closed"


def tap_what_was_said(desk: Desk) -> None:
    desk.page.locator(".dx-back").tap()
    desk.page.locator("#search").tap()
    desk.write("invoice 4411")
    desk.page.locator("[data-hit]").tap()
    desk.waits_for("Where is invoice 4411?")


def tap_mine(desk: Desk) -> None:
    desk.page.locator(".dx-back").tap()
    desk.tap("Change view")
    desk.page.locator('#view-menu [data-view="mine"]').tap()
    expect(desk.page).to_have_url(re.compile(r"/inbox/mine/$"))
    expect(desk.page.locator("#rows")).to_contain_text("Salma")


def tap_later(desk: Desk) -> None:
    desk.open(desk.salma)
    desk.more("Mark as unread")
    expect(desk.page.locator(f"#row-{desk.salma.pk}.dx-row-unread")).to_be_visible()
    assert desk.now(desk.salma).unread == 1


def tap_several(desk: Desk) -> None:
    desk.tap("Change view")
    desk.page.locator('#view-menu [data-view="all"]').tap()
    expect(desk.page.locator("#rows .dx-row")).to_have_count(2)
    desk.page.locator("#pick-switch").tap()
    for conversation in (desk.salma, desk.lina):
        desk.page.locator(f"#item-row-{conversation.pk} .dx-pick").tap()
    desk.page.locator('#bulk button[value="done"]').tap()
    desk.hears("2 marked as done.")
    assert not Conversation.objects.filter(status="open").exists()


@dataclass(frozen=True)
class Task:
    """keys: how many it may take."""

    words: str
    keys: int
    by_keyboard: Callable[[Desk], None]
    by_touch: Callable[[Desk], None]


TASKS = [
    Task("open the first conversation", 1, open_first, tap_first),
    Task("answer it", 2, answer, tap_answer),
    Task("write a note", 2, note, tap_note),
    Task("take it", 1, take, tap_take),
    Task("give it to a colleague", 2, give, tap_give),
    Task("take that back", 1, take_back, tap_back),
    Task("give it a tag", 3, tag, tap_tag),
    Task("make it urgent", 3, make_urgent, tap_urgent),
    Task("look who it is, and put that away", 2, look_who_it_is, tap_who_it_is),
    Task("mark it as done", 1, mark_done, tap_done),
    Task("open it again", 1, reopen, tap_reopen),
    Task("go on to the next", 1, go_on, tap_on),
    Task("put it away until tomorrow, and fetch it back", 3, put_away, tap_away),
    Task("answer with a canned reply", 3, answer_from_a_template, tap_template),
    Task("call a colleague in a note", 3, call_a_colleague, tap_colleague),
    Task("answer and be done with it", 2, answer_and_done, tap_answer_and_done),
    Task("find what was said last year", 3, find_what_was_said, tap_what_was_said),
    Task("go to one's own", 2, go_to_mine, tap_mine),
    Task("keep one for later", 2, keep_for_later, tap_later),
    Task("be done with several at once", 8, finish_several, tap_several),
]


def test_twenty_tasks_take_no_more_keys_than_the_map_promises(desk: Desk) -> None:
    assert len(TASKS) == 20
    desk.page.goto("/inbox/all/")
    for task in TASKS:
        desk.pressed = 0
        task.by_keyboard(desk)
        assert desk.pressed <= task.keys, f"{task.words}: {desk.pressed} keys"
        # Hands rest: out of the composer, menus closed.
        desk.page.keyboard.press("Escape")
    sent = Message.objects.outbound().values_list("content", flat=True)
    assert len(sent) == len(set(sent))


def test_the_same_twenty_tasks_are_done_by_touch(
    desk: Desk, open_page: OpenPage
) -> None:
    desk.page = open_page(desk.nadia, "/inbox/all/", **PHONE)
    for task in TASKS:
        task.by_touch(desk)
    sent = Message.objects.outbound().values_list("content", flat=True)
    assert len(sent) == len(set(sent))
