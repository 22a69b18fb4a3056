"""What agents do beside writing, in a real browser: comments, templates, files, reactions, quotes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils.timezone import now
from playwright.sync_api import Page, expect

from inbox.actions import perform
from inbox.channels import (
    ErrorClass,
    Limits,
    MediaLimit,
    SendError,
    TextLimit,
)
from inbox.delivery import deliver_next
from inbox.models import (
    Agent,
    Channel,
    ChannelAction,
    ChannelIdentity,
    Conversation,
    Message,
    MessageTemplate,
)
from tests.browser.conftest import OpenPage, one_of
from tests.conftest import make_comment, make_commenter
from tests.fakes import FakeAdapter
from tests.files import PDF, picture
from tests.inbox.pages.conftest import Say

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True}


@pytest.fixture
def roomy(fake_adapter: FakeAdapter) -> FakeAdapter:
    """A channel that takes pictures and documents."""
    fake_adapter.limits = Limits(
        text=TextLimit(1000, "bytes"),
        comment_text=TextLimit(2200, "characters"),
        media={
            "image": MediaLimit(100_000, frozenset({"image/png", "image/jpeg"})),
            "file": MediaLimit(100_000, frozenset({"application/pdf"})),
        },
    )
    return fake_adapter


@pytest.fixture
def comment(channel: Channel) -> Message:
    return make_commenter(channel, ago=timedelta(hours=3))


def open_thread(
    open_page: OpenPage, agent: Agent, conversation: Conversation, **options: Any
) -> Page:
    return open_page(agent, f"/inbox/all/c/{conversation.pk}/", **options)


def card_of(page: Page, comment: Message) -> Any:
    return page.locator(f"#m-{comment.pk} .dx-card-comment")


def close_window() -> None:
    at = now() - timedelta(days=14)
    ChannelIdentity.objects.update(
        last_inbound_at=at, window_expires_at=at + timedelta(hours=24)
    )


def named(data: bytes, name: str, mime_type: str) -> Any:
    return {"name": name, "mimeType": mime_type, "buffer": data}


# --- comments ------------------------------------------------------------------------------------


def test_a_comment_is_answered_in_private_from_its_card_once(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    comment = make_comment(conversation)
    page = open_thread(open_page, agent, conversation)

    card_of(page, comment).get_by_role("link", name="Reply privately").click()
    expect(page.locator("#composer")).to_contain_text("One private reply")
    expect(page.locator("#composer .dx-comp-quote")).to_contain_text("How much is it?")
    expect(page.locator("#composer-text")).to_be_focused()
    page.keyboard.type("640 dirhams, shall I reserve it?")
    page.keyboard.press("Control+Enter")

    expect(card_of(page, comment)).to_contain_text("Answered in private on")
    expect(page.locator("#composer")).to_contain_text("Window open")
    reply = Message.objects.get(is_private_reply=True)
    assert (reply.reply_to, reply.content) == (
        comment,
        "640 dirhams, shall I reserve it?",
    )
    expect(page.locator(f"#m-{reply.pk}")).to_contain_text("Private reply to a comment")


def test_a_comment_is_answered_in_public(
    open_page: OpenPage, agent: Agent, comment: Message, fake_adapter: FakeAdapter
) -> None:
    page = open_thread(open_page, agent, comment.conversation)

    card_of(page, comment).get_by_role("link", name="Reply publicly").click()
    expect(page.locator("#composer")).to_contain_text("Everybody can read this")
    page.locator("#composer-text").fill("640 dirhams")
    page.get_by_role("button", name="Reply publicly").click()

    answer = page.locator("#msgs .dx-msg-out", has_text="640 dirhams")
    expect(answer).to_contain_text("Public reply to a comment")
    expect(page.locator("#composer")).to_contain_text("Private reply")
    assert Message.objects.filter(type="comment", direction="out").count() == 1


def test_a_comment_is_hidden_and_shown_again(
    open_page: OpenPage, agent: Agent, comment: Message
) -> None:
    page = open_thread(open_page, agent, comment.conversation)
    card = card_of(page, comment)

    card.get_by_role("button", name="Hide").click()
    expect(card).to_contain_text("Hiding…")
    perform(ChannelAction.objects.get().pk)
    expect(card).to_contain_text("Hidden from the public")
    expect(page.locator("#msgs")).to_contain_text("Nadia Berrada hid a comment")

    card.get_by_role("button", name="Show again").click()
    expect(card).to_contain_text("Showing…")
    perform(ChannelAction.objects.latest("pk").pk)

    expect(card).not_to_contain_text("Hidden from the public")


def test_deleting_a_comment_asks_first(
    open_page: OpenPage, agent: Agent, comment: Message
) -> None:
    page = open_thread(open_page, agent, comment.conversation)
    card = card_of(page, comment)

    card.locator("summary", has_text="Delete").click()
    expect(card).to_contain_text("Delete it on Fake, for everybody?")
    assert not ChannelAction.objects.exists()
    card.get_by_role("button", name="Yes, delete").click()
    expect(card).to_contain_text("Deleting…")
    perform(ChannelAction.objects.get().pk)

    expect(page.locator("#msgs")).not_to_contain_text("How much is it?")
    expect(page.locator("#msgs")).to_contain_text("Nadia Berrada deleted a comment")


def test_what_the_channel_refuses_is_written_into_the_thread(
    open_page: OpenPage, agent: Agent, comment: Message, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.refusal = SendError(
        ErrorClass.PERMISSION, "The account lacks a right.", code="200"
    )
    page = open_thread(open_page, agent, comment.conversation)

    card_of(page, comment).get_by_role("button", name="Hide").click()
    expect(card_of(page, comment)).to_contain_text("Hiding…")
    perform(ChannelAction.objects.get().pk)

    expect(page.locator("#msgs")).to_contain_text(
        "could not hide a comment: The account lacks a right."
    )
    expect(card_of(page, comment).get_by_role("button", name="Hide")).to_be_visible()


# --- templates -----------------------------------------------------------------------------------


def test_a_template_goes_out_while_the_window_is_closed(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    close_window()
    MessageTemplate.objects.create(
        channel=conversation.channel,
        external_id="t1",
        name="order_shipped",
        language="en_US",
        status="approved",
        body="Hello {{1}}, order {{2}} is on its way.",
        variables={"body": 2},
    )
    page = open_thread(open_page, agent, conversation)

    page.get_by_role("link", name="order_shipped").click()
    page.get_by_label("Value for {{1}}").fill("Salma")
    expect(page.locator("#template-preview")).to_have_text(
        "Hello Salma, order {{2}} is on its way."
    )
    page.get_by_label("Value for {{2}}").fill("$& #1047")
    page.get_by_role("button", name="Send template").click()

    sent = page.locator("#msgs .dx-msg-out")
    expect(sent).to_contain_text("Hello Salma, order $& #1047 is on its way.")
    expect(page.locator("#composer")).to_contain_text("An approved template")
    assert conversation.messages.get().type == "template"


# --- files ---------------------------------------------------------------------------------------


def test_two_files_and_words_are_three_parts_in_order(
    open_page: OpenPage, agent: Agent, conversation: Conversation, roomy: FakeAdapter
) -> None:
    page = open_thread(open_page, agent, conversation)

    page.locator("#composer-input").set_input_files(
        [named(picture(), "red.png", "image/png")]
    )
    page.locator("#composer-input").set_input_files(
        [named(PDF, "invoice.pdf", "application/pdf")]
    )
    shelf = page.locator("#composer-files .dx-attach")
    expect(shelf).to_have_count(2)
    expect(shelf.first.locator("img")).to_be_visible()
    expect(shelf.last).to_contain_text("sent as its own message")
    page.locator("#composer-text").fill("Here they are")
    page.keyboard.press("Control+Enter")

    expect(page.locator("[data-pending]")).to_have_count(0)
    expect(page.locator("#msgs .dx-msg-out")).to_have_count(3)
    expect(shelf).to_have_count(0)
    deliver_next(conversation.pk)
    assert [
        (message.media.name if message.media else message.text)
        for message in roomy.sent
    ] == ["red.png", "invoice.pdf", "Here they are"]


def test_a_file_is_refused_before_it_is_uploaded_and_others_stay(
    open_page: OpenPage, agent: Agent, conversation: Conversation, roomy: FakeAdapter
) -> None:
    page = open_thread(open_page, agent, conversation)

    page.locator("#composer-input").set_input_files(
        [
            named(bytes(200_000), "huge.png", "image/png"),
            named(b"RIFF", "voice.wav", "audio/wav"),
            named(picture(), "red.png", "image/png"),
        ]
    )

    expect(page.locator("#composer-error")).to_contain_text(
        "huge.png is too large: Fake takes pictures up to 98 kB, this is 196 kB."
    )
    expect(page.locator("#composer-error")).to_contain_text("voice.wav")
    expect(page.locator("#composer-files .dx-attach")).to_have_count(1)
    page.get_by_role("button", name="Remove red.png").click()
    expect(page.locator("#composer-files .dx-attach")).to_have_count(0)
    expect(page.locator("#composer-text")).to_be_focused()


def test_what_the_server_refuses_keeps_words_and_files(
    open_page: OpenPage, agent: Agent, conversation: Conversation, roomy: FakeAdapter
) -> None:
    page = open_thread(open_page, agent, conversation)
    page.locator("#composer-input").set_input_files(
        [named(b"no picture at all", "odd.png", "image/png")]
    )

    page.locator("#composer-text").fill("Look")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#composer-error")).to_contain_text("odd.png")
    expect(page.locator("#composer-text")).to_have_value("Look")
    expect(page.locator("#composer-files .dx-attach")).to_have_count(1)
    assert not conversation.messages.exists()


def test_files_are_dropped_and_pasted(
    open_page: OpenPage, agent: Agent, conversation: Conversation, roomy: FakeAdapter
) -> None:
    page = open_thread(open_page, agent, conversation)
    hand_over = """([name, target]) => {
        const data = new DataTransfer();
        data.items.add(new File(["%PDF-1.4"], `${name}.pdf`, { type: "application/pdf" }));
        const options = { bubbles: true, cancelable: true };
        const event = name === "pasted"
            ? new ClipboardEvent("paste", { ...options, clipboardData: data })
            : new DragEvent("drop", { ...options, dataTransfer: data });
        document.querySelector(target).dispatchEvent(event);
    }"""

    page.evaluate(hand_over, ["dropped", "#msgs"])
    page.evaluate(hand_over, ["pasted", "#composer-text"])

    names = page.locator("#composer-files .dx-attach-name")
    expect(names).to_have_text(["dropped.pdf", "pasted.pdf"])


def test_without_script_a_plain_form_sends_files(
    open_page: OpenPage, agent: Agent, conversation: Conversation, roomy: FakeAdapter
) -> None:
    page = open_thread(open_page, agent, conversation, java_script_enabled=False)

    page.locator("#composer-input").set_input_files(
        [named(picture(), "red.png", "image/png")]
    )
    page.locator("#composer-text").fill("In red")
    page.get_by_role("button", name="Send").click()

    expect(page.locator("#msgs .dx-msg-out")).to_have_count(2)


# --- reactions, quotes, control, typing ----------------------------------------------------------


def test_a_reaction_is_chosen_and_taken_back(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Thank you!", external_id="mid-1")
    page = open_thread(open_page, agent, conversation)
    bubble = page.locator(f"#m-{message.pk}")

    for shown, times in (("👍", 1), ("👍", 0)):
        bubble.hover()
        bubble.get_by_role("button", name="React to this message").click()
        page.get_by_role("button", name=f"React with {shown}").click()
        expect(page.locator("#reactions")).to_be_hidden()
        wait_for_action(page)
        perform(ChannelAction.objects.latest("pk").pk)
        expect(bubble.locator(".dx-react", has_text=shown)).to_have_count(times)

    kinds = ChannelAction.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["react", "unreact"]


def wait_for_action(page: Page) -> None:
    """Until the server has queued what was clicked."""
    for _ in range(100):
        if ChannelAction.objects.filter(status="queued").exists():
            return
        page.wait_for_timeout(20)
    raise AssertionError("nothing was queued")


def test_a_message_is_quoted_and_what_was_written_goes_along(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    asked = say(conversation, "In blue?", external_id="mid-1")
    page = open_thread(open_page, agent, conversation)
    page.locator("#composer-text").fill("Yes, ")

    page.locator(f"#m-{asked.pk}").hover()
    page.get_by_role("link", name="Reply to this message").click()
    expect(page.locator("#composer-quote")).to_contain_text("In blue?")
    expect(page.locator("#composer-text")).to_have_value("Yes, ")
    page.locator("#composer-text").press_sequentially("in blue too")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#msgs .dx-msg-out .dx-quote")).to_contain_text("In blue?")
    expect(page.locator("#composer-quote")).to_have_count(0)
    assert conversation.messages.get(direction="out").reply_to == asked


def test_a_held_conversation_is_taken_over_and_written_in(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    Conversation.objects.update(held_by="Business Suite")
    page = open_thread(open_page, agent, conversation)

    page.get_by_role("button", name="Take over").click()
    expect(page.locator("#composer")).to_contain_text("Taking over…")
    perform(ChannelAction.objects.get().pk)

    expect(page.locator("#composer-text")).to_be_visible()
    expect(page.locator("#msgs")).to_contain_text(
        "took this conversation over from Business Suite"
    )
    expect(
        page.get_by_role("button", name="Give back to Business Suite")
    ).to_be_visible()


def test_typing_is_told_once_in_a_while(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = open_thread(open_page, agent, conversation)
    told: list[str] = []
    page.on(
        "request",
        lambda request: told.append(request.url) if "/typing/" in request.url else None,
    )

    page.locator("#composer-text").press_sequentially("Hello, dear customer")
    page.locator("#tab-note").click()
    expect(page.locator("#composer")).to_have_class(re.compile("dx-comp-note"))
    page.locator("#composer-text").press_sequentially("between us")

    assert len(told) == 1


# --- for everybody -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", one_of("dark", "light"))
@pytest.mark.parametrize(
    "mode", ["", "?mode=private&about={pk}", "?mode=public&about={pk}"]
)
def test_nobody_is_left_out_of_comments(
    open_page: OpenPage, agent: Agent, comment: Message, scheme: str, mode: str
) -> None:
    make_comment(
        comment.conversation,
        external_id="comment-2",
        hidden=True,
        liked=True,
        can_reply_privately=False,
    )
    page = open_page(
        agent,
        f"/inbox/all/c/{comment.conversation.pk}/{mode.format(pk=comment.pk)}",
        color_scheme=scheme,
    )

    found = Axe().run(page).response["violations"]

    assert not [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def test_a_phone_shows_a_card_with_all_it_offers(
    open_page: OpenPage, agent: Agent, comment: Message
) -> None:
    page = open_thread(open_page, agent, comment.conversation, **PHONE)

    for name in ("Reply publicly", "Reply privately"):
        expect(
            card_of(page, comment).get_by_role("link", name=name)
        ).to_be_in_viewport()
    width = page.evaluate("document.scrollingElement.scrollWidth")
    assert width == PHONE["viewport"]["width"]  # type: ignore[index]
