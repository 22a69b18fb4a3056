"""Connecting accounts through the pretend dialogs, and mending them, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from channels_meta.models import Credential
from channels_meta.processing import drain
from channels_meta.sandbox import faults
from channels_meta.sandbox.accounts import account_of, create_accounts, disconnect
from channels_meta.sandbox.customers import write as customer_writes
from channels_meta.sandbox.models import SandboxFault, SandboxPerson
from inbox.delivery import deliver_next
from inbox.models import Agent, Channel, Conversation, Message
from inbox.outbound import queue_reply
from tests.browser.conftest import OpenPage
from tests.channels_meta.connect.conftest import make_admin

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True}
FAULT = SandboxFault.Kind


@pytest.fixture
def admin(transactional_db: None) -> Agent:
    return make_admin("omar", first_name="Omar", email="omar@example.com")


def sign_in(page: Page, login: str, case: str) -> None:
    """Through the dialog as somebody; "" cancels."""
    page.get_by_role("button", name=f"Continue with {login}").click()
    expect(page.get_by_role("heading", name=f"Pretend {login} Login")).to_be_visible()
    if not case:
        page.get_by_role("button", name="Cancel").click()
        return
    page.locator(f'input[name="case"][value="{case}"]').check()
    page.get_by_role("button", name="Continue").click()


@pytest.fixture
def connect_page(open_page: OpenPage, admin: Agent) -> Page:
    return open_page(admin, "/meta/connect/")


# --- connecting ----------------------------------------------------------------------------------


def test_pages_and_instagram_accounts_are_connected_and_the_first_message_is_seen(
    connect_page: Page,
) -> None:
    page = connect_page
    sign_in(page, "Facebook", "owner")
    expect(page.get_by_role("heading", name="Choose what to connect")).to_be_visible()
    for box in page.locator('input[name="account"]').all():
        box.set_checked(box.get_attribute("value") == "messenger:1055502")

    page.get_by_role("button", name="Connect what is ticked").click()
    expect(page.get_by_role("heading", name="Connected", exact=True)).to_be_visible()
    expect(page.get_by_text("18 of 18 kinds of events.")).to_be_visible()
    watch = page.locator(".dx-watch")
    expect(watch).to_contain_text("Now try it")
    channel = Channel.objects.get()
    account = account_of(channel)
    assert account is not None
    customer_writes(SandboxPerson.objects.filter(account=account)[0], "Salam").tell()
    drain()

    expect(watch).to_contain_text("It has arrived.")
    assert Message.objects.get().content == "Salam"


def test_an_instagram_account_is_connected_without_a_page(connect_page: Page) -> None:
    sign_in(connect_page, "Instagram", "owner")
    connect_page.get_by_role("button", name="Connect what is ticked").click()

    expect(connect_page.get_by_text("12 of 12 kinds of events.")).to_be_visible()
    assert Credential.objects.get().flavour == "instagram"


@pytest.mark.parametrize(
    ("login", "case", "sentence", "way_out"),
    [
        ("Facebook", "", "You cancelled the login", "Start again whenever you like."),
        ("Instagram", "", "You cancelled the login", "Start again whenever you like."),
        ("Facebook", "no_role", "This login offers no Facebook Page", "Ask the Page's owner for access"),
        ("Facebook", "no_moderate", "You may not handle the messages of this Page", "MODERATE"),
        ("Facebook", "not_professional", "No Instagram account is linked to this Page", "Linked accounts, Instagram"),
        ("Facebook", "messages_off", "Access to messages is switched off in Instagram", "Allow access to messages"),
        ("Facebook", "declined", "A permission was declined", "pages_messaging"),
        ("Instagram", "not_professional", "This is a personal Instagram account", "Switch to professional account"),
        ("Instagram", "messages_off", "Access to messages is switched off in Instagram", "Allow access to messages"),
        ("Instagram", "declined", "A permission was declined", "instagram_business_manage_messages"),
    ],
)  # fmt: skip
def test_whatever_fails_says_why_and_leads_on(
    connect_page: Page, login: str, case: str, sentence: str, way_out: str
) -> None:
    sign_in(connect_page, login, case)

    main = connect_page.locator("main")
    expect(main).to_contain_text(sentence)
    expect(main).to_contain_text(way_out)
    connect_page.get_by_role("button", name="Start again").first.click()
    expect(
        connect_page.get_by_role("heading", name=f"Pretend {login} Login")
    ).to_be_visible()


def test_a_short_list_of_pages_is_made_whole(connect_page: Page) -> None:
    sign_in(connect_page, "Facebook", "granular")

    expect(connect_page.locator('input[value="messenger:1055501"]')).to_be_visible()
    expect(connect_page.locator('input[value="messenger:1055502"]')).to_be_visible()


def test_going_back_after_a_login_does_no_harm(connect_page: Page) -> None:
    sign_in(connect_page, "Facebook", "owner")
    expect(
        connect_page.get_by_role("heading", name="Choose what to connect")
    ).to_be_visible()
    state = Credential.objects.count()

    connect_page.go_back()
    connect_page.go_forward()

    expect(
        connect_page.get_by_role("heading", name="Choose what to connect")
    ).to_be_visible()
    assert Credential.objects.count() == state


def test_moving_an_account_to_the_other_login_asks_first(
    open_page: OpenPage, admin: Agent
) -> None:
    instagram, _messenger = create_accounts()
    page = open_page(admin, "/meta/connect/")
    sign_in(page, "Facebook", "owner")
    for box in page.locator('input[name="account"]').all():
        box.set_checked(box.get_attribute("value") == "instagram:17841400001")
    page.get_by_role("button", name="Connect what is ticked").click()

    expect(page.get_by_role("heading", name="Move an account?")).to_be_visible()
    expect(page.locator("main")).to_contain_text(
        "Conversations, contacts and notes stay"
    )
    page.get_by_role("button", name="Move it").click()

    expect(page.get_by_role("heading", name="Connected", exact=True)).to_be_visible()
    assert Channel.objects.get(kind="instagram").pk == instagram.pk
    assert Credential.objects.get(channel=instagram).flavour == "facebook"


# --- trouble, its sentence and its way out -------------------------------------------------------


@pytest.fixture
def thread(transactional_db: None, asgi_server: str) -> Conversation:
    """Somebody wrote on Messenger."""
    _instagram, messenger = create_accounts()
    person = SandboxPerson.objects.filter(account=account_of(messenger))[0]
    customer_writes(person, "Is it still open?").tell()
    drain()
    return Conversation.objects.get(channel=messenger)


def answer(conversation: Conversation, text: str) -> Message:
    [reply] = queue_reply(conversation=conversation, content=text, source="agent")
    deliver_next(conversation.pk)
    reply.refresh_from_db()
    return reply


def test_token_death_is_told_and_mended_in_place(
    open_page: OpenPage, admin: Agent, thread: Conversation
) -> None:
    disconnect(thread.channel, 460)
    reply = answer(thread, "Until nine.")
    assert reply.status == "queued"

    page = open_page(admin, f"/inbox/all/c/{thread.pk}/")
    banner = page.get_by_role("alert").filter(has_text="needs to be reconnected")
    expect(banner).to_contain_text(
        "Maison Tilila on Messenger needs to be reconnected."
    )
    banner.get_by_role("link", name="Reconnect").click()
    expect(page.locator(".dx-finding").first).to_contain_text("Broken")
    expect(page.locator("main")).to_contain_text("1 reply waits")
    page.get_by_role("button", name="Reconnect").first.click()
    page.locator('input[name="case"][value="owner"]').check()
    page.get_by_role("button", name="Continue").click()

    expect(page.get_by_role("heading", name="Connected", exact=True)).to_be_visible()
    deliver_next(thread.pk)
    reply.refresh_from_db()
    assert reply.status == "sent"
    assert Conversation.objects.get().pk == thread.pk
    page.goto("/inbox/all/")
    expect(page.locator("#banner > :not([data-local=notify])")).to_have_count(0)


def test_permission_loss_is_told_and_found_by_the_self_test(
    open_page: OpenPage, admin: Agent, thread: Conversation
) -> None:
    account: Any = account_of(thread.channel)
    faults.cause(account, FAULT.PERMISSION, times=None)
    reply = answer(thread, "Until nine.")
    assert reply.status == "failed"

    page = open_page(admin, "/inbox/all/")
    page.locator("#banner").get_by_role("link", name="Look into it").click()
    expect(page.locator("main")).to_contain_text("Last refusal")
    page.get_by_role("button", name="Run the self-test").first.click()
    expect(page.locator("main")).to_contain_text(
        "Meta does not let your app do this for this account yet"
    )
    expect(page.locator("main")).to_contain_text("Publish the app")

    faults.stop(account)
    answer(thread, "Until nine.")
    page.goto("/inbox/all/")
    expect(page.locator("#banner > :not([data-local=notify])")).to_have_count(0)


def test_an_account_switched_off_is_told_and_comes_back_with_the_self_test(
    open_page: OpenPage, admin: Agent, thread: Conversation
) -> None:
    """The owner switches messages on again: nobody has to log in anew."""
    account: Any = account_of(thread.channel)
    faults.cause(account, FAULT.SWITCHED_OFF, times=None)
    reply = answer(thread, "Until nine.")
    assert reply.status == "queued"

    page = open_page(admin, f"/meta/connect/channels/{thread.channel_id}/")
    page.get_by_role("button", name="Run the self-test").first.click()
    expect(page.locator("main")).to_contain_text("Access to messages is switched off")
    expect(page.locator("main")).to_contain_text("Allow access to messages")
    faults.stop(account)
    page.get_by_role("button", name="Run the self-test").first.click()

    expect(page.locator("main")).to_contain_text("Nothing is broken")
    expect(page.locator("main")).to_contain_text("Meta posts to http://127.0.0.1")
    assert Channel.objects.get(pk=thread.channel_id).status == "active"
    deliver_next(thread.pk)
    reply.refresh_from_db()
    assert reply.status == "sent"


def test_disconnecting_asks_first_and_keeps_what_was_said(
    open_page: OpenPage, admin: Agent, thread: Conversation
) -> None:
    page = open_page(admin, f"/meta/connect/channels/{thread.channel_id}/")
    page.get_by_role("link", name="Disconnect").click()
    expect(page.locator("main")).to_contain_text(
        "Conversations, contacts and notes are kept."
    )
    page.get_by_role("button", name="Disconnect").click()

    expect(page.locator("main")).to_contain_text("Disconnected by Omar")
    assert Message.objects.filter(conversation=thread).exists()
    assert not Credential.objects.filter(channel=thread.channel_id).exists()


# --- for everybody -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_pages(
    open_page: OpenPage, admin: Agent, thread: Conversation, scheme: str
) -> None:
    page = open_page(admin, "/meta/connect/", color_scheme=scheme)
    paths = [
        "/meta/connect/",
        "/meta/connect/by-hand/",
        f"/meta/connect/channels/{thread.channel_id}/",
        f"/meta/connect/channels/{thread.channel_id}/disconnect/",
    ]
    for path in paths:
        page.goto(path)
        assert Axe().run(page).response["violations"] == []
    sign_in_again = page.goto("/meta/connect/")
    assert sign_in_again is not None
    sign_in(page, "Facebook", "messages_off")
    expect(page.locator("main")).to_contain_text("Allow access to messages")
    assert Axe().run(page).response["violations"] == []


@pytest.mark.parametrize("language", ["en", "ar"])
def test_nothing_is_wider_than_a_phone(
    open_page: OpenPage, admin: Agent, thread: Conversation, language: str
) -> None:
    Agent.objects.filter(pk=admin.pk).update(language=language)
    page = open_page(admin, "/meta/connect/", **PHONE)

    for path in ("/meta/connect/", f"/meta/connect/channels/{thread.channel_id}/"):
        page.goto(path)
        widths = page.evaluate(
            "[document.documentElement.scrollWidth, document.querySelector('main').scrollWidth]"
        )
        assert max(widths) <= 390
