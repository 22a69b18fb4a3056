"""The inbox in a real browser: writing, live changes, keys, widths, and nobody left out."""

from __future__ import annotations

import re
import socket
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils.timezone import now
from playwright.sync_api import Browser, Page, Route, expect

from inbox.channels import Accepted, ErrorClass, OutgoingMessage, SendError
from inbox.delivery import deliver_next
from inbox.models import (
    Agent,
    Attachment,
    Channel,
    Conversation,
    Message,
    Reaction,
    Tag,
)
from tests.browser.conftest import OpenPage, one_of, session_cookie
from tests.conftest import make_conversation, serving
from tests.fakes import FakeAdapter
from tests.inbox.pages.conftest import Say, failed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True}


@pytest.fixture
def thread(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> Page:
    """Salma's conversation, open before Nadia."""
    say(conversation, "Is this available?")
    return open_page(agent, f"/inbox/all/c/{conversation.pk}/")


def write(page: Page, text: str) -> None:
    page.locator("#composer-text").fill(text)
    page.keyboard.press("Control+Enter")


def bubbles(page: Page, text: str) -> Any:
    return page.locator("#msgs .dx-msg", has_text=text)


# --- writing -------------------------------------------------------------------------------------


def test_a_reply_stands_there_at_once_and_is_sent_once(
    thread: Page, conversation: Conversation
) -> None:
    held: list[Route] = []
    thread.route(
        "**/messages/?**",
        lambda route: (
            held.append(route) if route.request.method == "POST" else route.continue_()
        ),
    )

    write(thread, "Yes, in blue too")
    expect(bubbles(thread, "Yes, in blue too")).to_contain_text("Sending…")
    expect(thread.locator("#composer-text")).to_have_value("")
    expect(thread.locator("#composer-text")).to_be_focused()
    expect(thread.locator("[data-pending]")).to_have_count(1)
    held[0].continue_()

    expect(thread.locator("[data-pending]")).to_have_count(0)
    expect(bubbles(thread, "Yes, in blue too")).to_have_count(1)
    assert conversation.messages.outbound().count() == 1


def test_replies_leave_in_the_order_in_which_they_were_written(
    thread: Page, conversation: Conversation
) -> None:
    for n in range(4):
        write(thread, f"Part {n}")

    expect(thread.locator("[data-pending]")).to_have_count(0)
    sent = (
        conversation.messages.outbound()
        .in_thread_order()
        .values_list("content", flat=True)
    )
    assert list(sent) == [f"Part {n}" for n in range(4)]


@pytest.mark.parametrize("lost", ["question", "answer"])
def test_a_lost_connection_keeps_the_text_and_trying_again_sends_once(
    thread: Page, conversation: Conversation, lost: str
) -> None:
    def lose(route: Route) -> None:
        if route.request.method == "POST" and lost == "answer":
            route.fetch()
        if route.request.method == "POST":
            route.abort()
        else:
            route.continue_()

    thread.route("**/messages/?**", lose)
    write(thread, "Yes")
    bubble = bubbles(thread, "Yes")
    # A lost answer may be settled by the stream before anybody presses Retry.
    if lost == "question":
        expect(bubble).to_contain_text("Not sent: no connection to Dexra.")
        expect(thread.locator("#banner")).to_contain_text("You are offline.")
        thread.unroute("**/messages/?**")
        bubble.get_by_role("button", name="Retry").click()

    expect(thread.locator("[data-pending]")).to_have_count(0)
    expect(bubble).to_have_count(1)
    expect(bubble).to_contain_text("Sending…")
    assert conversation.messages.outbound().count() == 1


def test_a_refused_reply_comes_back_into_the_field(
    thread: Page, conversation: Conversation
) -> None:
    # Too long even for ten messages; what is only too long for one is split.
    text = "ا" * 5001
    write(thread, text)

    expect(thread.locator("#composer-error")).to_contain_text(
        "too long, even for 10 messages"
    )
    expect(thread.locator("#composer-text")).to_have_value(text)
    expect(thread.locator("[data-pending]")).to_have_count(0)
    assert not conversation.messages.outbound().exists()


def test_the_counter_counts_what_the_channel_counts(thread: Page) -> None:
    field, counter = thread.locator("#composer-text"), thread.locator("#counter")

    field.fill("a" * 699)
    expect(counter).to_have_text("")
    field.fill("ا" * 350)
    expect(counter).to_have_text("700 / 1000 bytes")
    field.fill("ا" * 501)
    expect(counter).to_have_class(re.compile("dx-counter-bad"))


def test_a_note_is_written_beside_the_reply_and_the_text_goes_along(
    thread: Page, conversation: Conversation
) -> None:
    thread.locator("#composer-text").fill("Ask the courier")
    thread.locator("#tab-note").click()

    expect(thread.locator("#composer")).to_have_class(re.compile("dx-comp-note"))
    expect(thread.locator("#composer-text")).to_have_value("Ask the courier")
    thread.keyboard.press("Control+Enter")
    expect(thread.locator(".dx-note")).to_contain_text("Ask the courier")
    assert conversation.messages.filter(direction="note").count() == 1


def test_without_script_a_plain_form_sends(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = open_page(
        agent, f"/inbox/all/c/{conversation.pk}/", java_script_enabled=False
    )

    page.locator("#composer-text").fill("Yes")
    page.get_by_role("button", name="Send").click()

    expect(bubbles(page, "Yes")).to_contain_text("Sending…")
    assert conversation.messages.outbound().count() == 1


# --- live ----------------------------------------------------------------------------------------


def test_a_message_appears_is_spoken_and_is_read(
    thread: Page, conversation: Conversation, say: Say
) -> None:
    Conversation.objects.update(unread=1)
    say(conversation, "And in green?", ago=timedelta(0))

    expect(bubbles(thread, "And in green?")).to_be_in_viewport()
    expect(thread.locator("#say")).to_have_text("Salma El Idrissi wrote: And in green?")
    expect(thread.locator(f"#row-{conversation.pk}")).not_to_have_class(
        re.compile("dx-row-unread")
    )


def test_what_is_unsent_vanishes_from_an_open_page(
    thread: Page, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "My secret", ago=timedelta(0))
    expect(bubbles(thread, "My secret")).to_have_count(1)

    Message.objects.filter(pk=message.pk).update(content="", deleted_at=message.sent_at)
    say(conversation, "Sorry", ago=timedelta(0))

    expect(thread.locator(f"#m-{message.pk}")).to_contain_text("unsent this message")
    expect(thread.locator("body")).not_to_contain_text("My secret")


def test_a_refused_reply_says_why_and_is_sent_again(
    thread: Page, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    def refuse(message: OutgoingMessage) -> Accepted:
        raise SendError(ErrorClass.BAD_REQUEST, "They do not take this.", code="100")

    accept, fake_adapter.answer = fake_adapter.answer, refuse
    write(thread, "Follow it here")
    expect(thread.locator("[data-pending]")).to_have_count(0)
    deliver_next(conversation.pk)
    bubble = bubbles(thread, "Follow it here")
    expect(bubble).to_contain_text("Not sent. They do not take this.")
    expect(thread.locator("#say-now")).to_contain_text("They do not take this.")

    fake_adapter.answer = accept
    bubble.get_by_role("button", name="Retry").click()
    expect(bubble).to_contain_text("Sending…")
    deliver_next(conversation.pk)

    expect(bubble).to_contain_text("Sent")
    assert len(fake_adapter.sent) == 2


def test_a_failed_reply_is_deleted_in_place(
    thread: Page, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Never mind", ago=timedelta(0), **failed())
    bubble = thread.locator(f"#m-{message.pk}")

    bubble.get_by_role("button", name="Delete").click()

    expect(bubble).to_have_count(0)
    assert not Message.objects.filter(pk=message.pk).exists()


def test_a_new_conversation_stands_first_without_a_reload(
    open_page: OpenPage,
    agent: Agent,
    channel: Channel,
    conversation: Conversation,
    say: Say,
) -> None:
    page = open_page(agent, "/inbox/all/")
    expect(page.locator(".dx-row")).to_have_count(1)

    newer = make_conversation(
        channel, name="Hajar Amrani", person_id="hajar", wrote=timedelta(0)
    )
    say(newer, "Where is this bag from?", ago=timedelta(0))

    expect(page.locator(".dx-row").first).to_contain_text("Where is this bag from?")
    expect(page.locator('#views [data-view="all"] .dx-count')).to_have_text("2")


def test_the_list_does_not_move_under_somebody_who_is_in_it(
    open_page: OpenPage,
    agent: Agent,
    channel: Channel,
    conversation: Conversation,
    say: Say,
) -> None:
    page = open_page(agent, "/inbox/all/")
    page.locator(f"#row-{conversation.pk}").focus()
    newer = make_conversation(
        channel, name="Hajar Amrani", person_id="hajar", wrote=timedelta(0)
    )
    say(newer, "Hello", ago=timedelta(0))

    expect(page.locator("#new-pill")).to_have_text("1 new")
    expect(page.locator(".dx-row").first).to_have_id(f"row-{conversation.pk}")
    page.locator("#new-pill").click()

    expect(page.locator(".dx-row").first).to_have_id(f"row-{newer.pk}")
    expect(page.locator("#new-pill")).to_be_hidden()


def test_after_a_break_a_page_catches_up(
    browser: Browser,
    transactional_db: None,
    agent: Agent,
    conversation: Conversation,
    say: Say,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    with serving(port) as url:
        context.add_cookies([session_cookie(agent, url)])
        page.goto(f"{url}/inbox/all/c/{conversation.pk}/")
        say(conversation, "Before", ago=timedelta(0))
        expect(bubbles(page, "Before")).to_have_count(1)

    say(conversation, "Meanwhile", ago=timedelta(0))

    with serving(port):
        expect(bubbles(page, "Meanwhile")).to_have_count(1)
    context.close()


def test_a_reader_who_scrolled_back_stays_there_and_is_told(
    thread: Page, conversation: Conversation, say: Say
) -> None:
    for n in range(50):
        say(conversation, f"Line {n}", ago=timedelta(minutes=29))
    thread.reload()
    log = thread.locator("#msgs")
    log.evaluate("element => { element.scrollTop = 100 }")
    expect(bubbles(thread, "Is this available?")).to_have_count(1)

    say(conversation, "Are you there?", ago=timedelta(0))

    expect(thread.locator("#jump")).to_be_visible()
    thread.locator("#jump").click()
    expect(bubbles(thread, "Are you there?")).to_be_in_viewport()


def test_whoever_is_signed_out_is_told_and_loses_no_text(
    thread: Page, agent: Agent
) -> None:
    thread.locator("#composer-text").fill("Half a sentence")
    thread.context.clear_cookies()
    thread.locator('#views [data-view="mine"]').click()

    expect(thread.locator("#banner")).to_contain_text("You are signed out.")
    expect(thread.locator("#composer-text")).to_have_value("Half a sentence")


def test_a_closed_window_opens_when_the_customer_writes(
    open_page: OpenPage, agent: Agent, channel: Channel, say: Say
) -> None:
    conversation = make_conversation(channel, wrote=timedelta(days=9))
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/")
    expect(page.locator("#composer")).to_contain_text("The reply window is closed")

    moment = now()
    conversation.identity.last_inbound_at = moment
    conversation.identity.window_expires_at = moment + timedelta(hours=24)
    conversation.identity.save()
    say(conversation, "I am back", ago=timedelta(0))

    expect(page.locator("#composer")).to_contain_text("Window open")
    expect(page.locator("#composer-text")).to_be_editable()


def test_somebody_who_is_typing_is_left_alone_by_what_comes(
    thread: Page, conversation: Conversation, say: Say
) -> None:
    field = thread.locator("#composer-text")
    field.press_sequentially("Half a sen")
    field.evaluate(
        "element => { element.selectionEnd = element.selectionStart = 4; element.dataset.mine = 1 }"
    )

    say(conversation, "Hello?", ago=timedelta(0))
    expect(bubbles(thread, "Hello?")).to_have_count(1)
    thread.keyboard.type("!")

    expect(field).to_have_value("Half! a sen")
    expect(field).to_have_attribute("data-mine", "1")


def test_a_search_stays_a_search_when_something_happens_elsewhere(
    open_page: OpenPage,
    agent: Agent,
    channel: Channel,
    conversation: Conversation,
    say: Say,
) -> None:
    page = open_page(agent, "/inbox/all/")
    page.locator("#search").press_sequentially("salma")
    expect(page).to_have_url(re.compile("q=salma"))
    other = make_conversation(channel, name="Hajar", person_id="hajar")

    with page.expect_response(re.compile("/rows/.*q=salma")):
        say(other, "Hello", ago=timedelta(0))

    expect(page.locator(".dx-row")).to_have_count(1)


def test_a_channel_that_needs_an_admin_is_told_on_open_pages(
    thread: Page, channel: Channel
) -> None:
    from inbox import live

    Channel.objects.update(status="needs_reauth")
    live.publish([live.Change("channel", channel.pk)])

    expect(thread.locator("#banner")).to_contain_text("needs to be reconnected")
    expect(thread.locator("#composer")).to_contain_text("Nothing can be sent here now")


# --- hands -------------------------------------------------------------------------------------------


@pytest.fixture
def three(channel: Channel, say: Say) -> list[Conversation]:
    made = [
        make_conversation(channel, name=name, person_id=name, wrote=timedelta(hours=n))
        for n, name in enumerate(["Salma", "Hajar", "Claire"], start=1)
    ]
    for n, conversation in enumerate(made, start=1):
        say(conversation, f"I am {conversation.identity.name}", ago=timedelta(hours=n))
    return made


def test_the_whole_work_is_done_by_keys(
    open_page: OpenPage, agent: Agent, three: list[Conversation]
) -> None:
    salma, hajar, _claire = three
    page = open_page(agent, "/inbox/all/")

    page.keyboard.press("j")
    expect(page.locator("#msgs")).to_contain_text("I am Salma")
    page.keyboard.press("j")
    expect(page.locator("#msgs")).to_contain_text("I am Hajar")
    expect(page).to_have_url(re.compile(rf"/inbox/all/c/{hajar.pk}/$"))
    expect(page.locator(f"#row-{hajar.pk}")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#msgs")).to_contain_text("I am Salma")

    page.keyboard.press("r")
    expect(page.locator("#composer-text")).to_be_focused()
    page.keyboard.type("jkenr?")
    expect(page.locator("#composer-text")).to_have_value("jkenr?")
    page.keyboard.press("Escape")
    expect(page.locator(f"#row-{salma.pk}")).to_be_focused()

    page.keyboard.press("n")
    expect(page.locator("#composer")).to_have_class(re.compile("dx-comp-note"))
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    expect(page.locator("#thread-head")).to_contain_text("Assigned to Nadia")
    page.keyboard.press("e")
    expect(page.locator("#toasts")).to_contain_text("Marked as done.")
    expect(page.locator(f"#row-{salma.pk}")).to_have_count(0)
    expect(page.locator(f"#row-{hajar.pk}")).to_be_focused()

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    salma.refresh_from_db()
    assert (salma.status, salma.assignee) == ("closed", agent)


def test_enter_opens_a_row_to_answer_it(
    open_page: OpenPage, agent: Agent, three: list[Conversation]
) -> None:
    page = open_page(agent, "/inbox/all/")

    page.locator(f"#row-{three[1].pk}").focus()
    page.keyboard.press("Enter")

    expect(page.locator("#msgs")).to_contain_text("I am Hajar")
    expect(page.locator("#composer-text")).to_be_focused()


def test_done_is_undone_by_its_toast(thread: Page, conversation: Conversation) -> None:
    thread.locator("#done").click()
    thread.get_by_role("button", name="Undo").click()

    expect(thread.locator("#done")).to_have_text("Done")
    expect(thread.locator("#msgs")).to_contain_text("opened this again")
    conversation.refresh_from_db()
    assert conversation.status == "open"


def test_choosing_a_view_and_searching_change_only_the_list(
    open_page: OpenPage, agent: Agent, three: list[Conversation]
) -> None:
    Conversation.objects.filter(pk=three[0].pk).update(assignee=agent)
    page = open_page(agent, "/inbox/all/")

    page.locator('#views [data-view="mine"]').click()
    expect(page.locator(".dx-row")).to_have_count(1)
    expect(page).to_have_url(re.compile("/inbox/mine/$"))
    expect(page.locator('#views [data-view="mine"]')).to_have_attribute(
        "aria-current", "page"
    )

    page.locator('#views [data-view="all"]').click()
    expect(page.locator(".dx-row")).to_have_count(3)
    page.locator("#search").press_sequentially("hajar")
    # Herself, and what she said.
    expect(page.locator(".dx-row")).to_have_count(2)
    expect(page.locator("#search")).to_be_focused()
    expect(page).to_have_url(re.compile("q=hajar"))
    page.go_back()
    expect(page.locator(".dx-row")).to_have_count(3)


def test_rows_and_messages_are_fetched_by_scrolling(
    open_page: OpenPage, agent: Agent, channel: Channel, say: Say
) -> None:
    for n in range(70):
        make_conversation(
            channel, name=f"Person {n}", person_id=f"p{n}", wrote=timedelta(minutes=n)
        )
    page = open_page(agent, "/inbox/all/")
    expect(page.locator(".dx-row")).to_have_count(30)

    for count in (60, 70):
        page.locator("#rows").evaluate(
            "element => { element.scrollTop = element.scrollHeight }"
        )
        expect(page.locator(".dx-row")).to_have_count(count)


def test_the_theme_of_the_admin_is_the_theme_of_the_inbox(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = open_page(agent, "/inbox/all/", color_scheme="light")
    page.get_by_role("button", name="Your account").click()
    page.locator(".dx-theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    page.goto("/admin/")

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


# --- widths and directions -------------------------------------------------------------------------


def test_a_phone_shows_one_pane_at_a_time(
    open_page: OpenPage, agent: Agent, three: list[Conversation]
) -> None:
    page = open_page(agent, "/inbox/all/", **PHONE)
    # Only its place among the landmarks is left of it: every page has a main.
    assert (page.locator("#main").bounding_box() or {})["width"] == 1
    expect(page.locator(".dx-tabbar")).to_be_visible()

    page.locator(f"#row-{three[0].pk}").tap()
    expect(page.locator("#msgs")).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()
    expect(page.locator(".dx-tabbar")).to_be_hidden()
    page.locator(".dx-back").tap()

    expect(page.locator("#list")).to_be_visible()
    expect(page).to_have_url(re.compile("/inbox/all/$"))


@pytest.mark.parametrize("width", one_of(390, 1000, 1280, 1440))
@pytest.mark.parametrize("language", ["en", "ar"])
def test_no_width_and_no_direction_makes_the_page_itself_scroll(
    open_page: OpenPage,
    agent: Agent,
    three: list[Conversation],
    width: int,
    language: str,
) -> None:
    agent.language = language
    agent.save()

    page = open_page(
        agent, f"/inbox/all/c/{three[0].pk}/", viewport={"width": width, "height": 800}
    )

    overflow = page.evaluate(
        "[document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"
    )
    assert max(overflow) <= 0
    rail, head = (
        page.locator(".dx-rail").bounding_box(),
        page.locator("#thread-head").bounding_box(),
    )
    assert head
    if rail:
        assert (rail["x"] > head["x"]) == (language == "ar")


def test_the_contact_is_a_drawer_where_there_is_no_room(thread: Page) -> None:
    thread.set_viewport_size({"width": 1000, "height": 800})
    expect(thread.locator("#panel")).to_be_hidden()
    thread.locator("#panel-toggle").click()

    expect(thread.locator("#panel")).to_be_visible()
    thread.keyboard.press("Escape")
    expect(thread.locator("#panel")).to_be_hidden()


# --- nobody left out -------------------------------------------------------------------------------


@pytest.fixture
def everything(channel: Channel, agent: Agent, say: Say) -> Conversation:
    """A conversation with one message of each kind."""
    tag = Tag.objects.create(name="VIP", colour=5)
    conversation = make_conversation(channel)
    ours = {"direction": "out", "author": agent, "author_name": "Nadia Berrada"}
    first = say(conversation, "Is this available?", ago=timedelta(days=1, hours=2))
    Reaction.objects.create(
        message=first, actor="us", emoji="❤️", reacted_at=first.sent_at
    )
    for kind in (
        "story_mention",
        "story_reply",
        "comment",
        "postback",
        "unsupported",
        "image",
    ):
        say(
            conversation,
            "" if kind == "image" else "Salam",
            type=kind,
            ago=timedelta(hours=3),
        )
    for part in (
        {
            "kind": "file",
            "title": "invoice.pdf",
            "remote_url": "https://x.fbcdn.net/a.pdf",
        },
        {"kind": "location", "extra": {"coordinates": {"lat": 33.5, "long": -7.6}}},
        {
            "kind": "template",
            "extra": {
                "raw": {"elements": [{"title": "Babouche", "subtitle": "640 MAD"}]}
            },
        },
        {"kind": "image", "state": "expired"},
    ):
        Attachment.objects.create(
            message=say(conversation, "", type=part["kind"]), **part
        )
    for source in ("agent", "automation", "api", "ai", "native_app"):
        say(conversation, f"From {source}", **ours, source=source, status="read")
    say(
        conversation,
        "Reply to it",
        reply_to=first,
        **ours,
        source="agent",
        status="sent",
    )
    say(conversation, "Not sent", **failed(author=agent, author_name="Nadia Berrada"))
    say(
        conversation,
        "For us",
        **ours | {"direction": "note"},
        source="agent",
        status="sent",
    )
    say(
        conversation,
        "",
        **ours | {"direction": "event"},
        source="agent",
        status="sent",
        type="event",
        extra={"event": "closed"},
    )
    Conversation.objects.update(tags=[tag.pk], assignee=agent, unread=1)
    return conversation


@pytest.mark.parametrize("scheme", one_of("light", "dark"))
@pytest.mark.parametrize(
    "path",
    [
        "/inbox/all/",
        "/inbox/all/c/{pk}/",
        "/inbox/all/c/{pk}/?mode=note",
        "/inbox/mine/?q=nobody",
        "/inbox/nothing/",
        "/admin/login/",
    ],
)
def test_axe_finds_nothing(
    open_page: OpenPage,
    agent: Agent,
    everything: Conversation,
    scheme: str,
    path: str,
) -> None:
    who = None if "login" in path else agent
    page = open_page(who, path.format(pk=everything.pk), color_scheme=scheme)

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(
    "wrote", [timedelta(hours=22), timedelta(days=3), timedelta(days=9)]
)
def test_axe_finds_nothing_in_any_state_of_the_composer(
    open_page: OpenPage, agent: Agent, channel: Channel, wrote: timedelta
) -> None:
    conversation = make_conversation(channel, wrote=wrote)
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/", **PHONE)

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
