"""Cases 28-52 as an agent meets them in the composer."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, Route, expect

from inbox.models import Agent, Channel, Conversation, Draft
from inbox.outbound import queue_reply
from tests.browser.conftest import OpenPage, browser, open_page
from tests.conftest import make_agent, make_conversation
from tests.inbox.pages.conftest import Say, failed, htmx, say

__all__ = ["browser", "htmx", "open_page", "say"]

in_browser = pytest.mark.browser
pytestmark = [pytest.mark.django_db(transaction=True)]


def show(open_page: OpenPage, agent: Agent, conversation: Conversation) -> Page:
    return open_page(agent, f"/inbox/all/c/{conversation.pk}/")


def send(client: Client, conversation: Conversation, **fields: Any) -> Any:
    return client.post(reverse("inbox:messages", args=[conversation.pk]), fields)


@in_browser
def test_case_34_a_failed_send_keeps_its_text_says_why_and_offers_the_fix(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    say(conversation, "Yes, in 38 too", **failed())
    page = show(open_page, agent, conversation)
    bubble = page.locator("#msgs .dx-msg-out", has_text="Yes, in 38 too")

    expect(bubble).to_contain_text("Not sent. Meta did not accept this message.")
    expect(bubble.get_by_role("button", name="Retry")).to_be_visible()
    bubble.get_by_role("button", name="Edit").click()

    expect(page.locator("#composer-text")).to_have_value("Yes, in 38 too")
    expect(bubble).to_have_count(0)
    assert not conversation.messages.outbound().exists()


@in_browser
def test_case_38_one_click_on_a_weak_line_never_sends_twice(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = show(open_page, agent, conversation)
    lost: list[Route] = []

    def lose_first_answer(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/messages/?**", lose_first_answer)
    page.locator("#composer-text").fill("Once")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#banner")).to_contain_text("You are offline.")
    # The page goes, and comes again, before anybody knows whether it was sent.
    page.reload()

    expect(page.locator("#msgs .dx-msg-out", has_text="Once")).to_have_count(1)
    expect(page.locator("#composer-text")).to_have_value("")
    assert conversation.messages.outbound().count() == 1


@in_browser
def test_case_38_what_the_stream_brought_is_not_offered_again_when_its_answer_is_lost(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = show(open_page, agent, conversation)
    held: list[Route] = []

    def hold_answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()
            held.append(route)
        else:
            route.continue_()

    page.route("**/messages/?**", hold_answer)
    page.locator("#composer-text").fill("Once")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#msgs .dx-msg-out[data-key]", has_text="Once")).to_have_count(
        1
    )
    held[0].abort()

    expect(page.locator("#banner")).to_contain_text("You are offline.")
    expect(page.locator("#composer-text")).to_have_value("")
    expect(page.locator("[data-pending]")).to_have_count(0)
    assert conversation.messages.outbound().count() == 1


@in_browser
def test_case_38_what_never_got_through_survives_the_page_and_is_not_sent_by_itself(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = show(open_page, agent, conversation)
    page.route(
        "**/messages/?**",
        lambda route: (
            route.abort() if route.request.method == "POST" else route.continue_()
        ),
    )
    page.locator("#composer-text").fill("Not yet")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-pending]")).to_contain_text("Not sent")
    page.unroute("**/messages/?**")
    page.reload()

    bubble = page.locator("[data-pending]", has_text="Not yet")
    expect(bubble).to_contain_text("Not sent: no connection to Dexra.")
    expect(page.locator("#composer-text")).to_have_value("")
    assert not conversation.messages.outbound().exists()
    bubble.get_by_role("button", name="Retry").click()
    expect(page.locator("[data-pending]")).to_have_count(0)
    assert conversation.messages.outbound().count() == 1
    assert not Draft.objects.exists()


def test_case_48_whoever_has_not_seen_a_colleagues_answer_is_warned(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    seen = say(conversation, "Is this available?")
    queue_reply(
        conversation=conversation,
        source="agent",
        author=make_agent("yassine", first_name="Yassine"),
        content="It is sold out",
    )

    answer = send(htmx, conversation, content="Yes!", key="k", seen=seen.pk)

    assert answer.status_code == 409
    assert "It is sold out" in answer.content.decode()
    assert not conversation.messages.filter(content="Yes!").exists()


@in_browser
def test_case_51_a_draft_never_lands_in_another_conversation(
    open_page: OpenPage, agent: Agent, conversation: Conversation, channel: Channel
) -> None:
    other = make_conversation(channel, name="Karim", person_id="person-2")
    page = show(open_page, agent, conversation)
    held: list[Route] = []
    # The first save is under way for as long as it takes to be elsewhere.
    page.route(
        "**/draft/",
        lambda route: route.continue_() if held else held.append(route),
    )

    with page.expect_request("**/draft/"):
        page.locator("#composer-text").press_sequentially("For Salma")
    page.locator(".dx-row", has_text="Karim").click()
    expect(page.locator("#main")).to_have_attribute("data-conversation", str(other.pk))
    expect(page.locator("#composer-text")).to_have_value("")
    held[0].continue_()
    page.locator("#composer-text").fill("For Karim")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-pending]")).to_have_count(0)

    page.locator(".dx-row", has_text="Salma").click()
    expect(page.locator("#composer-text")).to_have_value("For Salma")
    assert Draft.objects.get().conversation == conversation
    assert other.messages.outbound().get().content == "For Karim"


@in_browser
def test_case_51_a_draft_survives_reload_and_a_server_that_is_away(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = show(open_page, agent, conversation)
    page.locator("#composer-text").fill("Half a word")
    expect(page.locator("#draft-kept")).to_be_visible()
    assert (
        page.evaluate("Object.keys(localStorage).filter((k) => k.startsWith('dexra:'))")
        == []
    )
    page.reload()
    expect(page.locator("#composer-text")).to_have_value("Half a word")

    page.route("**/draft/", lambda route: route.abort())
    page.locator("#composer-text").fill("Half a word, and more")
    page.reload()

    expect(page.locator("#composer-text")).to_have_value("Half a word, and more")


@in_browser
def test_case_51_at_sign_out_the_browser_keeps_nothing(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = show(open_page, agent, conversation)
    page.route("**/draft/", lambda route: route.abort())
    page.locator("#composer-text").fill("A secret")

    page.evaluate("document.querySelector('[action$=\"/logout/\"]').requestSubmit()")
    page.wait_for_url("**/logout/")

    assert "secret" not in page.evaluate("JSON.stringify(localStorage)")


@in_browser
def test_case_52_two_agents_answering_at_once_are_warned(
    open_page: OpenPage, agent: Agent, conversation: Conversation, say: Say
) -> None:
    say(conversation, "Is this available?")
    page = show(open_page, agent, conversation)
    colleague = make_agent("yassine", first_name="Yassine")

    def answer_first(route: Route) -> None:
        if route.request.method == "POST" and not conversation.messages.outbound():
            queue_reply(
                conversation=conversation,
                source="agent",
                author=colleague,
                content="It is sold out",
            )
        route.continue_()

    page.route("**/messages/?**", answer_first)
    page.locator("#composer-text").fill("Yes, it is")
    page.keyboard.press("Control+Enter")

    dialog = page.get_by_role("dialog", name="Something newer came while you wrote")
    expect(dialog).to_contain_text("It is sold out")
    dialog.get_by_role("button", name="Edit").click()
    expect(page.locator("#composer-text")).to_have_value("Yes, it is")
    page.locator("#composer-text").fill("In red it is there")
    expect(page.locator("#msgs")).to_contain_text("It is sold out")
    page.keyboard.press("Control+Enter")

    expect(page.locator("[data-pending]")).to_have_count(0)
    sent = conversation.messages.outbound().order_by("pk")
    assert [one.content for one in sent] == ["It is sold out", "In red it is there"]
