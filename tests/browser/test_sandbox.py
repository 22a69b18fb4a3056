"""The phone page in a real browser: the chat moves by itself, and everybody can use it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from channels_meta.processing import drain
from channels_meta.sandbox.accounts import create_accounts
from channels_meta.sandbox.models import SandboxFault, SandboxPerson
from inbox.models import Agent, Message
from tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def lina(asgi_server: str) -> SandboxPerson:
    instagram, _messenger = create_accounts()
    return SandboxPerson.objects.of(instagram)[0]


def write(page: Page, text: str) -> None:
    page.locator("#phone-text").fill(text)
    page.keyboard.press("Enter")


def test_what_is_written_stands_at_the_end_and_leaves_the_field(
    open_page: OpenPage, agent: Agent, lina: SandboxPerson
) -> None:
    page = open_page(agent, f"/sandbox/?person={lina.pk}")
    phone = page.locator("#phone-messages")

    for number in range(12):
        write(page, f"Message {number}")
        expect(phone.get_by_text(f"Message {number}", exact=True)).to_be_in_viewport()
        expect(page.locator("#phone-text")).to_have_value("")
    page.get_by_role("button", name="Send a photo").click()

    picture = phone.locator("img")
    expect(picture).to_be_in_viewport(ratio=0.9)
    assert picture.evaluate("image => image.naturalWidth") > 0
    expect(phone.get_by_text("Message 0", exact=True)).not_to_be_in_viewport()


def test_the_log_says_by_itself_when_the_inbox_has_it(
    open_page: OpenPage, agent: Agent, lina: SandboxPerson
) -> None:
    page = open_page(agent, f"/sandbox/?person={lina.pk}")
    log = page.locator("#log")

    write(page, "Salam")
    expect(log).to_contain_text("Stored. It is in the inbox in a moment.")
    drain()

    expect(log).to_contain_text("The reply window is open until")
    link = log.get_by_role("link", name="Open in inbox")
    expect(link).to_have_attribute(
        "href", Message.objects.get().conversation.get_absolute_url()
    )


def test_a_fault_is_chosen_from_a_list_and_taken_back(
    open_page: OpenPage, agent: Agent, lina: SandboxPerson
) -> None:
    page = open_page(agent, f"/sandbox/?person={lina.pk}")

    page.get_by_text("Fail next send").click()
    page.get_by_role("button", name="Person cannot be reached").click()
    expect(page.locator("#trouble")).to_contain_text("The next reply fails.")
    chosen = SandboxFault.objects.count()
    page.get_by_role("button", name="Never mind").click()

    expect(page.locator("#trouble")).not_to_contain_text("The next reply fails.")
    assert (chosen, SandboxFault.objects.count()) == (1, 0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "ar"])
def test_everybody_can_use_it_on_a_phone_too(
    open_page: OpenPage, agent: Agent, lina: SandboxPerson, theme: str, locale: str
) -> None:
    page = open_page(
        agent,
        f"/sandbox/?person={lina.pk}",
        viewport={"width": 390, "height": 800},
        color_scheme=theme,
        locale=locale,
    )
    write(page, "سلام، شحال الثمن؟")
    expect(page.locator("#phone-messages")).to_contain_text("شحال")

    results = Axe().run(page)

    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
