"""The phone page in a real browser: the chat moves by itself, and everybody can use it."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Page, expect

from channels_meta.processing import drain
from channels_meta.sandbox import customers
from channels_meta.sandbox.accounts import create_accounts
from channels_meta.sandbox.models import SandboxFault, SandboxPerson
from channels_meta.sandbox.webhooks import PRETEND_APP_ID
from inbox.models import Agent, Message
from tests.browser.conftest import OpenPage, one_of
from tests.channels_meta.sandbox.conftest import Graph

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
    picture.evaluate("image => image.decode()")  # raises for one that cannot be shown
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


@pytest.mark.parametrize("theme", one_of("dark", "light"))
@pytest.mark.parametrize("locale", one_of("ar", "en"))
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


def test_what_lasts_stays_unfolded_while_it_is_switched(
    open_page: OpenPage, agent: Agent, lina: SandboxPerson
) -> None:
    page = open_page(agent, f"/sandbox/?person={lina.pk}")
    page.get_by_text("Until switched off").click()

    switch = page.get_by_role("switch", name="Events come twice")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(page.locator("#trouble")).to_contain_text(
        "Meta posts every event two times."
    )
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")

    expect(page.locator("#lasting")).to_have_attribute("open", "")
    assert not SandboxFault.objects.exists()


def test_a_new_customer_is_named_at_once(
    open_page: OpenPage, agent: Agent, lina: SandboxPerson
) -> None:
    page = open_page(agent, f"/sandbox/?person={lina.pk}")

    page.get_by_text("New pretend customer").click()
    expect(page.locator("#new-name")).to_be_focused()
    page.keyboard.type("Aya Idrissi")
    page.keyboard.press("Enter")

    expect(page.locator("#phone-text")).to_have_attribute(
        "placeholder", "Message as Aya Idrissi"
    )


def test_quick_replies_and_buttons_are_tapped_on_the_phone(
    open_page: OpenPage, agent: Agent, lina: SandboxPerson
) -> None:
    write_to(lina)
    graph = Graph(lina.channel)
    button = {"type": "postback", "title": "Order it", "payload": "ORDER"}
    card = {"title": "Green bag", "subtitle": "480 DH", "buttons": [button]}
    payload = {"template_type": "generic", "elements": [card]}
    graph.say(lina, attachment={"type": "template", "payload": payload})
    reply = {"content_type": "text", "title": "In blue", "payload": "BLUE"}
    graph.say(lina, text="Which colour?", quick_replies=[reply])
    page = open_page(agent, f"/sandbox/?person={lina.pk}")
    phone = page.locator("#phone-messages")

    phone.get_by_role("button", name="In blue").click()
    expect(phone.locator(".dx-ph-me", has_text="In blue")).to_be_visible()
    expect(phone.get_by_role("button", name="In blue")).to_have_count(0)
    phone.get_by_role("button", name="Order it").click()

    expect(phone).to_contain_text("You tapped a button")
    told = [call.payload for call in lina.calls.filter(kind="message")]
    items = [body["entry"][0]["messaging"][0] for body in told]
    assert items[0]["postback"]["payload"] == "ORDER"
    assert items[1]["message"]["quick_reply"] == {"payload": "BLUE"}


def write_to(person: SandboxPerson) -> None:
    customers.write(person, "Salam").tell()
    drain()


@pytest.mark.parametrize("login", ["facebook", "instagram"])
def test_everybody_can_use_the_pretend_logins(
    open_page: OpenPage, agent: Agent, lina: SandboxPerson, login: str
) -> None:
    paths = {
        "facebook": "/sandbox/login/facebook/v26.0/dialog/oauth",
        "instagram": "/sandbox/login/instagram/oauth/authorize",
    }
    back = f"{settings.PUBLIC_URL}/healthz"
    asked = urlencode(
        {"client_id": PRETEND_APP_ID, "redirect_uri": back, "scope": "x", "state": "s"}
    )
    page = open_page(
        agent, f"{paths[login]}?{asked}", viewport={"width": 390, "height": 800}
    )

    results = Axe().run(page)
    page.get_by_text("declines the permission for messages").click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{back}?code=*")

    assert results.violations_count == 0, results.generate_report()
    assert "state=s" in page.url
