"""The list in a real browser: selecting, undoing, filters, saved views, search, and nobody left out."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils.timezone import now
from playwright.sync_api import Page, expect

from inbox.conversations import refresh
from inbox.models import (
    Agent,
    Channel,
    Conversation,
    Draft,
    Message,
    SavedView,
    Tag,
)
from inbox.triage import close_conversation
from tests.browser.conftest import OpenPage
from tests.conftest import make_agent, make_conversation
from tests.inbox.pages.conftest import Say, failed
from tests.inbox.pages.test_conversations import make_many

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True}


@pytest.fixture
def six(channel: Channel, say: Say) -> list[Conversation]:
    made = [
        make_conversation(channel, name=name, person_id=name, wrote=timedelta(hours=n))
        for n, name in enumerate(
            ["Salma", "Hajar", "Claire", "Imane", "Youssef", "Noura"], start=1
        )
    ]
    for n, conversation in enumerate(made, start=1):
        say(conversation, f"I am {conversation.identity.name}", ago=timedelta(hours=n))
    return made


def row(page: Page, conversation: Conversation) -> str:
    return f"#row-{conversation.pk}"


def statuses() -> list[str]:
    return list(Conversation.objects.order_by("pk").values_list("status", flat=True))


def test_a_range_is_selected_by_keys_done_and_undone(
    open_page: OpenPage, agent: Agent, six: list[Conversation]
) -> None:
    page = open_page(agent, "/inbox/all/")
    page.locator(row(page, six[1])).focus()
    page.keyboard.press("x")
    expect(page.locator("#bulk-count")).to_have_text("1 selected")
    page.locator(row(page, six[3])).focus()
    page.keyboard.press("Shift+X")
    expect(page.locator("#bulk-count")).to_have_text("3 selected")

    page.locator("#bulk").get_by_role("button", name="Done").click()
    expect(page.locator(".dx-row")).to_have_count(3)
    expect(page.locator("#bulk")).to_be_hidden()
    expect(page.locator(row(page, six[0]))).to_be_focused()
    assert statuses() == ["open", "closed", "closed", "closed", "open", "open"]

    page.locator(".dx-toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".dx-row")).to_have_count(6)
    expect(page.locator(".dx-row").nth(1)).to_have_id(f"row-{six[1].pk}")
    assert statuses() == ["open"] * 6


def test_all_that_is_shown_is_selected_and_let_go(
    open_page: OpenPage, agent: Agent, six: list[Conversation]
) -> None:
    page = open_page(agent, "/inbox/all/")
    page.locator(".dx-item").first.hover()
    page.locator(".dx-pick").first.check()
    page.locator("#pick-all").check()
    expect(page.locator("#bulk-count")).to_have_text("6 selected")

    page.locator("#pick-none").click()
    expect(page.locator("#bulk")).to_be_hidden()
    expect(page.locator(".dx-pick:checked")).to_have_count(0)


def test_many_are_tagged_by_the_pointer_with_a_range(
    open_page: OpenPage, agent: Agent, six: list[Conversation]
) -> None:
    Tag.objects.create(name="VIP")
    page = open_page(agent, "/inbox/all/")
    page.locator(".dx-item").first.hover()
    page.locator(".dx-pick").first.click()
    page.locator(".dx-pick").nth(2).click(modifiers=["Shift"])
    page.locator("#bulk").get_by_role("button", name="Tag").click()
    page.locator("#menu").get_by_role("button", name="VIP").click()

    expect(page.locator(".dx-row .dx-tag", has_text="VIP")).to_have_count(3)


def test_a_selection_stays_when_a_row_changes(
    open_page: OpenPage, agent: Agent, six: list[Conversation], say: Say
) -> None:
    page = open_page(agent, "/inbox/all/")
    page.locator(row(page, six[2])).focus()
    page.keyboard.press("x")

    say(six[2], "And in blue?", ago=timedelta(0))

    expect(page.locator(row(page, six[2]))).to_contain_text("And in blue?")
    expect(page.locator(".dx-pick:checked")).to_have_value(str(six[2].pk))


def test_without_script_many_are_done_by_a_plain_form(
    open_page: OpenPage, agent: Agent, six: list[Conversation]
) -> None:
    page = open_page(agent, "/inbox/all/", java_script_enabled=False)
    page.locator(".dx-pick").nth(0).check()
    page.locator(".dx-pick").nth(1).check()
    page.locator('#bulk button[value="done"]').click()

    expect(page.locator(".dx-toast")).to_contain_text("2 marked as done.")
    expect(page.locator(".dx-row")).to_have_count(4)


def test_nothing_slips_away_under_the_pointer(
    open_page: OpenPage, agent: Agent, six: list[Conversation], say: Say
) -> None:
    page = open_page(agent, "/inbox/all/")
    page.locator(row(page, six[3])).hover()
    close_conversation(conversation=six[0], by=make_agent("omar"))
    say(six[5], "First of all", ago=timedelta(0))

    expect(page.locator(f"#item-row-{six[0].pk}")).to_have_class(re.compile("gone"))
    expect(page.locator("#new-pill")).to_have_text("1 new")
    expect(page.locator(".dx-row").nth(3)).to_have_id(f"row-{six[3].pk}")
    page.locator("#main").hover()

    expect(page.locator(row(page, six[0]))).to_have_count(0)
    expect(page.locator(".dx-row").first).to_have_id(f"row-{six[5].pk}")
    expect(page.locator(".dx-row")).to_have_count(5)
    expect(page.locator("#new-pill")).to_be_hidden()


def test_a_filter_is_chosen_named_and_taken_off(
    open_page: OpenPage, agent: Agent, six: list[Conversation]
) -> None:
    Conversation.objects.filter(pk=six[2].pk).update(assignee=agent)
    page = open_page(agent, "/inbox/all/")
    page.locator("#filter-button").click()
    page.get_by_label("Assigned to").select_option("Me")
    page.locator("#filter-menu").get_by_role("button", name="Show").click()

    expect(page.locator(".dx-row")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/inbox/all/\?assignee=me$"))
    expect(page.locator("#filter-button")).to_be_focused()
    page.locator(".dx-state .dx-tag").click()

    expect(page.locator(".dx-row")).to_have_count(6)
    expect(page).to_have_url(re.compile(r"/inbox/all/$"))


def test_an_order_is_chosen_and_stays_in_the_address(
    open_page: OpenPage, agent: Agent, six: list[Conversation]
) -> None:
    page = open_page(agent, "/inbox/all/")
    page.locator("#sort-button").click()
    page.locator("#sort-menu").get_by_role("link", name="Oldest first").click()

    expect(page.locator(".dx-row").first).to_have_id(f"row-{six[5].pk}")
    page.reload()
    expect(page.locator(".dx-row").first).to_have_id(f"row-{six[5].pk}")


def test_a_view_is_saved_and_found_among_the_views(
    open_page: OpenPage, agent: Agent, six: list[Conversation]
) -> None:
    Conversation.objects.filter(pk=six[2].pk).update(unread=1)
    page = open_page(agent, "/inbox/all/?unread=1&sort=oldest")
    page.get_by_role("button", name="Save view").click()
    page.locator("#save-view").get_by_label("Name").fill("New ones")
    page.locator("#save-view").get_by_role("button", name="Save").click()

    expect(page.locator("h1").first).to_have_text("New ones")
    view = SavedView.objects.get()
    page.locator('#views [data-view="all"]').click()
    expect(page.locator(".dx-row")).to_have_count(6)
    link = page.locator(f'#views [data-view="saved-{view.pk}"]')
    expect(link.locator(".dx-count")).to_have_text("1")
    link.click()
    expect(page.locator(".dx-row")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/inbox/all/\?sort=oldest&unread=1$"))


def test_a_search_on_a_phone_opens_what_it_finds(
    open_page: OpenPage, agent: Agent, six: list[Conversation]
) -> None:
    page = open_page(agent, "/inbox/all/", **PHONE)
    page.locator("#search").fill("i am noura")
    expect(page.locator("[data-hit]")).to_have_count(1)
    expect(page.locator("[data-hit] .dx-row-2 mark")).to_have_text(["I", "am", "Noura"])
    page.locator("[data-hit]").tap()

    expect(page.locator("#msgs")).to_contain_text("I am Noura")
    expect(page).to_have_url(re.compile(rf"/c/{six[5].pk}/\?q=.*message=\d+"))


def test_what_is_unsent_vanishes_from_an_open_search(
    open_page: OpenPage, agent: Agent, six: list[Conversation], say: Say
) -> None:
    message = say(six[0], "A secret word")
    page = open_page(agent, "/inbox/all/?q=secret")
    expect(page.locator(f"#hit-{message.pk}")).to_be_visible()

    Message.objects.filter(pk=message.pk).update(
        content="", search_text="", deleted_at=now()
    )
    refresh([six[0].pk])

    expect(page.locator(f"#hit-{message.pk}")).to_have_count(0)


@pytest.fixture
def states(
    agent: Agent, channel: Channel, six: list[Conversation], say: Say
) -> list[Conversation]:
    """Every state that a row can be in, at once."""
    tag = Tag.objects.create(name="delivery")
    say(six[0], **failed())
    Draft.objects.create(
        agent=agent, conversation=six[1], mode="reply", content="Yes, in blue"
    )
    for conversation, fields in [
        (six[2], {"unread": 2, "priority": 4, "tags": [tag.pk]}),
        (six[3], {"assignee": agent, "priority": 1, "failed": 1}),
        (six[4], {"priority": 3}),
    ]:
        Conversation.objects.filter(pk=conversation.pk).update(**fields)
    Conversation.objects.filter(pk=six[5].pk).update(
        status="snoozed", snoozed_until=now() + timedelta(days=1)
    )
    SavedView.objects.create(
        owner=agent, name="New ones", parameters={"view": "all", "unread": "1"}
    )
    return six


@pytest.mark.parametrize(
    "options",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"color_scheme": "light", **PHONE},
        {"color_scheme": "dark", "locale": "ar"},
    ],
    ids=["light", "dark", "phone", "arabic"],
)
@pytest.mark.parametrize(
    "path",
    [
        "/inbox/all/",
        "/inbox/all/?q=i+am",
        "/inbox/all/?unread=1",
        "/inbox/snoozed/",
        "/inbox/mentions/",
        "/inbox/all/?assignee=me&tag=999",
    ],
)
def test_axe_finds_nothing_in_any_list(
    open_page: OpenPage,
    agent: Agent,
    states: list[Conversation],
    path: str,
    options: dict[str, str],
) -> None:
    page = open_page(agent, path, **options)

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("button", ["#filter-button", "#sort-button", "#pick-switch"])
def test_axe_finds_nothing_in_the_menus_of_the_list(
    open_page: OpenPage, agent: Agent, states: list[Conversation], button: str
) -> None:
    page = open_page(agent, "/inbox/all/")
    page.locator(button).click()
    if button == "#pick-switch":
        page.locator(".dx-pick").first.check()

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()


def test_the_first_view_is_small(
    open_page: OpenPage, agent: Agent, channel: Channel
) -> None:
    make_many(channel, 40)
    page = open_page(agent, "about:blank")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[int] = []
    session.on(
        "Network.loadingFinished", lambda one: sizes.append(one["encodedDataLength"])
    )
    with page.expect_response(lambda response: "icons.svg" in response.url):
        page.goto("/inbox/all/")
    page.wait_for_load_state("load")

    assert len(sizes) > 20
    assert sum(sizes) < 150_000
