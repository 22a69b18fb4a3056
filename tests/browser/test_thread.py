"""A long thread in a real browser: read from any place, never too much of it at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.files.base import ContentFile
from django.utils.timezone import now
from playwright.sync_api import Page, Route, expect

from inbox.conversations import refresh
from inbox.models import Agent, Attachment, Channel, Conversation, Message
from tests.browser.conftest import OpenPage
from tests.conftest import make_agent, make_conversation
from tests.files import picture
from tests.inbox.pages.conftest import Say

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MANY = 10_000
# More than the page ever keeps: what it shows, and one page on its way.
MOST_IN_PAGE = 200
TOP_MESSAGE = """
log => {
    const edge = log.getBoundingClientRect().top;
    const first = [...log.querySelectorAll("[data-id]")].find(
        (one) => one.getBoundingClientRect().bottom > edge);
    return { id: first.id, offset: first.getBoundingClientRect().top - edge };
}
"""


def fill(conversation: Conversation, count: int = MANY) -> list[Message]:
    """So many messages, a minute apart, the last one of just now."""
    start = now() - timedelta(minutes=count)
    messages = Message.objects.bulk_create(
        (
            Message(
                conversation=conversation,
                channel=conversation.channel,
                direction="in" if n % 3 else "out",
                source="customer" if n % 3 else "agent",
                status="received" if n % 3 else "sent",
                content=f"Line {n} " + "word " * (n % 40),
                sent_at=start + timedelta(minutes=n),
            )
            for n in range(count)
        ),
        batch_size=1000,
    )
    refresh([conversation.pk])
    return messages


def held(page: Page) -> int:
    return page.locator("#msgs [data-id]").count()


def test_a_thread_of_ten_thousand_messages_is_read_backwards_without_growing(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    messages = fill(conversation)
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/")
    log = page.locator("#msgs")

    for _step in range(8):
        first = str(page.locator("#msgs [data-id]").first.get_attribute("id"))
        log.evaluate("log => { log.scrollTop = 590 }")
        before = log.evaluate(TOP_MESSAGE)
        expect(page.locator("#msgs [data-id]").first).not_to_have_attribute("id", first)
        after = log.evaluate(TOP_MESSAGE)

        assert after["id"] == before["id"]
        assert abs(after["offset"] - before["offset"]) < 1
        assert held(page) <= MOST_IN_PAGE

    assert page.locator(f"#m-{messages[-1].pk}").count() == 0
    page.locator("#jump").click()

    expect(page.locator(f"#m-{messages[-1].pk}")).to_be_in_viewport()
    assert held(page) <= MOST_IN_PAGE
    expect(page.locator("#jump")).to_be_hidden()


def test_what_was_dropped_below_comes_again_by_scrolling_down(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    messages = fill(conversation, 400)
    page = open_page(
        agent, f"/inbox/all/c/{conversation.pk}/?message={messages[20].pk}"
    )
    log = page.locator("#msgs")
    last = page.locator(f"#m-{messages[-1].pk}")

    for _step in range(60):
        if last.count():
            break
        log.evaluate("log => { log.scrollTop += 1500 }")
        page.wait_for_timeout(40)
        assert held(page) <= MOST_IN_PAGE

    expect(last).to_have_count(1)
    shown = page.locator("#msgs [data-id]").evaluate_all(
        "all => all.map((one) => Number(one.dataset.id))"
    )
    everything = [message.pk for message in messages]
    assert shown == everything[-len(shown) :]


def test_a_message_is_opened_by_its_address_marked_and_focused(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    messages = fill(conversation, 300)
    wanted = messages[120]
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/?message={wanted.pk}")

    found = page.locator(f"#m-{wanted.pk}")
    expect(found).to_be_in_viewport()
    expect(found).to_be_focused()
    expect(found).to_have_attribute("data-target", "")
    before = page.locator("#msgs").evaluate(TOP_MESSAGE)
    looked = Axe().run(page)
    assert looked.violations_count == 0, looked.generate_report()

    say(conversation, "Something new", ago=timedelta(0))
    expect(page.locator("#jump")).to_contain_text("New messages")

    assert page.locator("#msgs").evaluate(TOP_MESSAGE) == before
    page.locator("#jump").click()
    expect(page.locator("#msgs").get_by_text("Something new")).to_be_in_viewport()
    assert "message=" not in page.url


def test_what_is_unsent_vanishes_before_who_reads_old_messages(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    messages = fill(conversation, 300)
    wanted = messages[120]
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/?message={wanted.pk}")
    expect(page.locator(f"#m-{wanted.pk}")).to_contain_text("Line 120")

    Message.objects.filter(pk=wanted.pk).update(content="", deleted_at=now())
    refresh([conversation.pk])

    expect(page.locator(f"#m-{wanted.pk}")).not_to_contain_text("Line 120")


def test_a_message_that_is_not_here_is_said_to_be_missing(
    open_page: OpenPage, agent: Agent, channel: Channel, say: Say
) -> None:
    thread = make_conversation(channel)
    other = make_conversation(channel, name="Hajar", person_id="person-2")
    say(thread, "The end")
    foreign = say(other, "Somebody else's")

    page = open_page(agent, f"/inbox/all/c/{thread.pk}/?message={foreign.pk}")

    expect(page.locator(".dx-missing")).to_contain_text("not in this conversation")
    expect(page.locator("#msgs")).to_contain_text("The end")
    expect(page.locator("#msgs")).not_to_contain_text("Somebody else's")


def test_without_script_old_messages_are_read_by_links(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    messages = fill(conversation, 120)
    page = open_page(
        agent,
        f"/inbox/all/c/{conversation.pk}/?message={messages[60].pk}",
        java_script_enabled=False,
    )
    expect(page.locator(f"#m-{messages[60].pk}")).to_have_count(1)

    page.get_by_text("Show later messages").click()
    expect(page.locator(f"#m-{messages[-1].pk}")).to_have_count(1)
    page.get_by_text("Show earlier messages").click()
    expect(page.locator(f"#m-{messages[60].pk}")).to_have_count(1)
    page.get_by_text("Show the newest messages").click()
    expect(page.locator(f"#m-{messages[-1].pk}")).to_have_count(1)


def test_a_link_to_a_message_is_copied_and_leads_to_it(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Is it available?")
    page = open_page(
        agent,
        f"/inbox/mine/c/{conversation.pk}/",
        permissions=["clipboard-read", "clipboard-write"],
    )

    bubble = page.locator(f"#m-{message.pk}")
    bubble.hover()
    bubble.get_by_label("Copy a link to this message").click()

    expect(page.locator("#toasts")).to_contain_text(
        "The link to this message is copied"
    )
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(
        rf"http://.+/inbox/all/c/{conversation.pk}/\?message={message.pk}", copied
    )
    page.goto(copied)
    expect(page.locator(f"#m-{message.pk}")).to_be_focused()


# --- pictures --------------------------------------------------------------------------------


def with_picture(say: Say, conversation: Conversation, minutes: int) -> Message:
    message = say(conversation, "", type="image", ago=timedelta(minutes=minutes))
    part = Attachment(
        message=message,
        kind="image",
        title=f"Bag {minutes}",
        mime_type="image/png",
        state="stored",
        width=40,
        height=30,
    )
    part.file.save("bag.png", ContentFile(picture()))
    refresh([conversation.pk])
    return message


def test_pictures_open_in_place_and_are_leafed_through_by_keys(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    older, newer = (with_picture(say, conversation, minutes) for minutes in (30, 20))
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/")
    opener = page.locator(f"#m-{newer.pk} a[data-picture]")

    opener.focus()
    page.keyboard.press("Enter")

    viewer = page.locator("#viewer")
    expect(viewer).to_be_visible()
    expect(viewer.locator("img")).to_have_attribute("alt", "Bag 20")
    expect(viewer).to_contain_text("2 of 2")
    expect(viewer.get_by_label("Next picture")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    expect(viewer.locator("img")).to_have_attribute("alt", "Bag 30")
    assert viewer.get_by_label("Download").get_attribute("href")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.keyboard.press("Escape")

    expect(viewer).to_be_hidden()
    expect(opener).to_be_focused()
    assert page.locator(f"#m-{older.pk} a[data-picture]").get_attribute("target")


# --- notes -----------------------------------------------------------------------------------


def test_a_note_just_written_comes_back_into_the_composer(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/?mode=note")
    page.locator("#composer-text").fill("Call her at five")
    page.keyboard.press("Control+Enter")
    note = page.locator(".dx-note", has_text="Call her at five")
    expect(note).to_have_count(1)

    note.hover()
    note.get_by_text("Undo and edit").click()

    expect(page.locator("#composer-text")).to_have_value("Call her at five")
    expect(page.locator(".dx-note")).to_have_count(0)
    assert not conversation.messages.filter(direction="note").exists()


# --- two of them, and a line that breaks -----------------------------------------------------------


def test_a_laptop_that_slept_an_hour_catches_up_without_a_reload(
    open_page: OpenPage, agent: Agent, channel: Channel, say: Say
) -> None:
    yassine = make_agent("yassine", first_name="Yassine")
    thread = make_conversation(channel, wrote=timedelta(hours=25))
    make_conversation(channel, name="Hajar", person_id="person-2")
    say(thread, "Before the nap", ago=timedelta(hours=25))
    laptop = open_page(agent, f"/inbox/all/c/{thread.pk}/")
    expect(laptop.locator("#msgs")).to_contain_text("Before the nap")
    laptop.evaluate("window.wasNotReloaded = true")
    laptop.context.set_offline(True)
    expect(laptop.locator("#banner")).to_contain_text("You are offline")

    for n in range(250):
        Message.objects.create(
            conversation=thread,
            channel=channel,
            direction="in",
            source="customer",
            status="received",
            content=f"During {n}",
            sent_at=now() - timedelta(seconds=250 - n),
        )
    at = now()
    thread.identity.last_inbound_at = at
    thread.identity.window_expires_at = at + timedelta(hours=24)
    thread.identity.save()
    refresh([thread.pk])
    other = open_page(yassine, f"/inbox/all/c/{thread.pk}/?mode=note")
    other.locator("#composer-text").fill("I will call her")
    other.keyboard.press("Control+Enter")
    expect(other.locator(".dx-note")).to_have_count(1)

    laptop.context.set_offline(False)

    expect(laptop.locator(".dx-note")).to_contain_text("I will call her")
    expect(laptop.locator("#msgs").get_by_text("During 249")).to_be_in_viewport()
    shown = laptop.locator("#msgs [data-id]").evaluate_all(
        "all => all.map((one) => Number(one.dataset.id))"
    )
    everything = list(thread.messages.in_thread_order().values_list("pk", flat=True))
    assert shown == everything[-len(shown) :]
    assert laptop.evaluate("window.wasNotReloaded") is True
    row = laptop.locator("#rows .dx-row").first
    expect(row).to_contain_text("During 249")


def test_while_the_server_restarts_a_banner_says_so_and_typing_is_kept(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/")
    url = page.url

    def refuse(route: Route) -> None:
        route.abort("connectionrefused")

    page.route("**/*", refuse)
    page.locator("#composer-text").press_sequentially("Typed while it was away")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#banner")).not_to_be_empty()
    expect(page.locator("[data-pending] .dx-fail")).to_be_visible()
    page.locator("#composer-text").press_sequentially("And this one as well")

    page.unroute("**/*", refuse)
    page.locator("[data-pending] [data-act=retry]").click()

    expect(page.locator("#msgs [data-id]", has_text="Typed while")).to_have_count(1)
    expect(page.locator("#composer-text")).to_have_value("And this one as well")
    assert page.url == url
    assert conversation.messages.filter(direction="out").count() == 1
