"""What Meta refuses for a while, as an agent sees it: the sentence, and how it ends.

Token death, permission loss and an account that was switched off are in test_connect.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils.timezone import now
from playwright.sync_api import Page, expect

from channels_meta.processing import drain
from channels_meta.sandbox import clock, faults
from channels_meta.sandbox.accounts import account_of, create_accounts
from channels_meta.sandbox.customers import write as customer_writes
from channels_meta.sandbox.models import SandboxFault, SandboxPerson
from inbox.delivery import deliver_next, give_up
from inbox.models import Agent, Channel, Conversation, Message
from inbox.outbound import queue_reply
from tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FAULT = SandboxFault.Kind


@pytest.fixture
def person(asgi_server: str) -> SandboxPerson:
    """Somebody who has just written to the pretend Page."""
    _instagram, messenger = create_accounts()
    person = SandboxPerson.objects.filter(account=account_of(messenger))[0]
    customer_writes(person, "Is it still open?").tell()
    drain()
    return person


@pytest.fixture
def thread(person: SandboxPerson) -> Conversation:
    return Conversation.objects.get(identity__external_id=person.external_id)


def answer(thread: Conversation, agent: Agent, text: str) -> Message:
    [reply] = queue_reply(
        conversation=thread, content=text, source="agent", author=agent
    )
    deliver_next(thread.pk)
    reply.refresh_from_db()
    return reply


def let_time_pass(thread: Conversation) -> None:
    """The waits are over: the channel's, the message's, and what Meta said of its limits."""
    Channel.objects.update(blocked_until=None)
    Message.objects.filter(status="queued").update(next_attempt_at=now())
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
    deliver_next(thread.pk)
    drain()


def bubble(page: Page, text: str) -> Any:
    return page.get_by_role("article").filter(has_text=text)


def test_a_throttled_account_says_so_until_replies_go_out_again(
    open_page: OpenPage, agent: Agent, thread: Conversation
) -> None:
    account: Any = account_of(thread.channel)
    faults.cause(account, FAULT.THROTTLE, times=None)
    assert answer(thread, agent, "Until nine.").status == "queued"

    page = open_page(agent, f"/inbox/all/c/{thread.pk}/")

    expect(page.locator("#banner")).to_contain_text(
        "Meta asked this account to slow down"
    )
    expect(bubble(page, "Until nine.")).to_contain_text("Replies go out a little later")
    faults.stop(account)
    let_time_pass(thread)
    expect(bubble(page, "Until nine.")).to_contain_text("Delivered")
    expect(page.locator("#banner > :not([data-local=notify])")).to_have_count(0)


def test_while_meta_is_down_nobody_resends_and_a_person_decides(
    open_page: OpenPage, agent: Agent, thread: Conversation
) -> None:
    account: Any = account_of(thread.channel)
    faults.cause(account, FAULT.DOWN, times=None)
    reply = answer(thread, agent, "Until nine.")
    assert reply.status == "uncertain"

    page = open_page(agent, f"/inbox/all/c/{thread.pk}/")

    expect(page.locator("#banner")).to_contain_text("The channel does not answer.")
    faults.stop(account)
    give_up(reply.pk)
    expect(bubble(page, "Until nine.")).to_contain_text("This may have been sent")
    bubble(page, "Until nine.").get_by_role("button", name="Send again").click()
    expect(bubble(page, "Until nine.")).to_contain_text("Sending")
    let_time_pass(thread)
    expect(bubble(page, "Until nine.")).to_contain_text("Delivered")
    expect(page.locator("#banner > :not([data-local=notify])")).to_have_count(0)


def test_a_window_that_closed_on_the_way_says_so_and_what_is_left(
    open_page: OpenPage, agent: Agent, person: SandboxPerson, thread: Conversation
) -> None:
    queue_reply(
        conversation=thread, content="Until nine.", source="agent", author=agent
    )
    clock.shift_conversation(person=person, by=timedelta(days=8))
    deliver_next(thread.pk)

    page = open_page(agent, f"/inbox/all/c/{thread.pk}/")

    expect(bubble(page, "Until nine.")).to_contain_text("The reply window closed")
    expect(page.locator("#composer")).to_contain_text("until")
    expect(page.locator("#composer")).to_contain_text("writes again")
    customer_writes(person, "Hello?").tell()
    drain()
    expect(page.locator("#composer textarea")).to_be_visible()
