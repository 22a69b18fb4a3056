"""Two contacts become one in the panel, and two again, by an agent's hands."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Permission
from playwright.sync_api import Page, expect

from inbox.models import Agent, Channel, Contact, Conversation, Merge
from tests.browser.conftest import OpenPage
from tests.conftest import make_conversation

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def thread(channel: Channel) -> Conversation:
    return make_conversation(channel, name="Salma El Idrissi")


@pytest.fixture
def other(channel: Channel) -> Conversation:
    row = make_conversation(channel, name="Salma Knits", person_id="p-2")
    Contact.objects.filter(pk=row.identity.contact_id).update(email="s@example.com")
    return row


@pytest.fixture
def editor(agent: Agent) -> Agent:
    agent.user_permissions.add(Permission.objects.get(codename="change_contact"))
    return agent


def violations(page: Page) -> list[str]:
    found = Axe().run(page, context="#panel").response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contacts_are_merged_and_taken_apart_in_the_panel(
    open_page: OpenPage, editor: Agent, thread: Conversation, other: Conversation,
    scheme: str,
) -> None:  # fmt: skip
    page = open_page(editor, f"/inbox/all/c/{thread.pk}/", color_scheme=scheme)
    panel = page.locator("#panel")

    panel.get_by_role("link", name="Merge with another contact…").click()
    expect(panel.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("knits")
    found = panel.get_by_role("link", name="Salma Knits")
    expect(found).to_be_visible()
    assert violations(page) == []
    found.click()
    panel.get_by_label("Salma Knits", exact=True).check()
    assert violations(page) == []
    panel.get_by_label("How do you know?").fill("Same parcel")
    panel.get_by_role("button", name="Merge").click()

    expect(page.locator("#toasts")).to_contain_text("one person now")
    expect(panel.get_by_role("heading", level=2)).to_have_text("Salma Knits")
    expect(panel).to_contain_text("Merged by Nadia Berrada on")
    expect(panel).to_contain_text("s@example.com")
    expect(page.locator("#main")).to_contain_text("Nadia Berrada merged the contact")
    assert violations(page) == []

    panel.get_by_role("link", name="Separate…").click()
    assert violations(page) == []
    panel.get_by_role("button", name="Separate").click()
    expect(page.locator("#toasts")).to_contain_text("two people again")
    expect(panel.get_by_role("heading", level=2)).to_have_text("Salma El Idrissi")
    expect(panel).not_to_contain_text("s@example.com")


def test_a_merge_is_taken_back_by_z(
    open_page: OpenPage, editor: Agent, thread: Conversation, other: Conversation
) -> None:
    page = open_page(editor, f"/inbox/all/c/{thread.pk}/")
    panel = page.locator("#panel")
    panel.get_by_role("link", name="Merge with another contact…").click()
    panel.get_by_role("searchbox").fill("knits")
    panel.get_by_role("link", name="Salma Knits").click()
    panel.get_by_role("button", name="Merge").click()
    expect(page.locator("#toasts")).to_contain_text("one person now")

    page.locator("#thread-head h1").click()
    page.keyboard.press("z")

    expect(page.locator("#toasts")).to_contain_text("two people again")
    assert Merge.objects.get().undone_at is not None


def test_open_pages_of_both_people_hear_of_it(
    open_page: OpenPage, editor: Agent, thread: Conversation, other: Conversation
) -> None:
    colleague = open_page(editor, f"/inbox/all/c/{other.pk}/")
    third = open_page(editor, f"/inbox/all/c/{thread.pk}/")
    page = open_page(editor, f"/inbox/c/{thread.pk}/merge/{other.identity.contact_id}/")

    page.get_by_role("button", name="Merge").click()

    expect(page.locator("#panel")).to_contain_text("Merged by Nadia Berrada")
    for one in (colleague, third):
        expect(one.locator("#main")).to_contain_text("merged the contact")
        expect(one.locator("#panel")).to_contain_text("Merged by Nadia Berrada")
