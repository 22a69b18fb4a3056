"""The whole main job: a customer writes, an agent answers, an integrator hears of both."""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import expect

from channels_meta.sandbox.models import SandboxPerson
from inbox.models import Agent, Conversation, Message
from tests.browser.conftest import OpenPage
from tests.journeys.conftest import Integrator, work

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "سلام، الطلب ديالي مازال ما وصل 🙏"
ANSWER = "Salam! It arrives today before 14:00."


def check_webhooks(integrator: Integrator, customer: SandboxPerson) -> None:
    """Both messages, once each, numbered in order, signed."""
    (came,) = integrator.events("message_in")
    (left,) = integrator.events("message_out")
    assert (came["channel"], came["source"]) == (customer.channel.kind, "customer")
    assert came["data"]["message"]["content"] == QUESTION
    assert came["data"]["user"]["id"].endswith(customer.external_id)
    assert (left["source"], left["data"]["message"]["content"]) == ("agent", ANSWER)
    assert left["data"]["conversation_id"] == came["data"]["conversation_id"]
    assert left["data"]["sequence"] > came["data"]["sequence"]


def test_a_customer_writes_and_is_answered_over_plain_http(
    agent_client: Client, agent: Agent, customer: SandboxPerson, integrator: Integrator
) -> None:
    phone = f"/sandbox/?person={customer.pk}"
    agent_client.post(f"/sandbox/people/{customer.pk}/write/", {"text": QUESTION})
    work()

    listing = agent_client.get("/inbox/all/").content.decode()
    conversation = Conversation.objects.get()
    assert QUESTION in listing
    thread = agent_client.get(f"/inbox/all/c/{conversation.pk}/").content.decode()
    assert QUESTION in thread

    answered = agent_client.post(
        f"/inbox/c/{conversation.pk}/messages/",
        {"content": ANSWER, "key": "journey-key-1"},
    )
    assert answered.status_code in {200, 302}
    work()

    assert ANSWER in agent_client.get(phone).content.decode()
    assert Message.objects.outbound().get().status in {"sent", "delivered"}
    check_webhooks(integrator, customer)


@pytest.mark.browser
def test_a_customer_writes_and_is_answered_in_a_browser(
    open_page: OpenPage, agent: Agent, customer: SandboxPerson, integrator: Integrator
) -> None:
    inbox = open_page(agent, "/inbox/all/")
    phone = open_page(agent, f"/sandbox/?person={customer.pk}")

    phone.locator("#phone-text").fill(QUESTION)
    phone.keyboard.press("Enter")
    expect(phone.locator(".dx-ph-me", has_text=QUESTION)).to_be_visible()
    work()
    row = inbox.locator(".dx-row", has_text=QUESTION)
    expect(row).to_be_visible()  # without a reload

    row.click()
    inbox.locator("#composer-text").fill(ANSWER)
    inbox.keyboard.press("Control+Enter")
    expect(inbox.locator("#msgs .dx-msg-out", has_text=ANSWER)).to_be_visible()
    expect(inbox.locator("[data-pending]")).to_have_count(0)
    work()

    expect(phone.locator(".dx-ph-b", has_text=ANSWER)).to_be_visible()
    check_webhooks(integrator, customer)
