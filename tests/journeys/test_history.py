"""A customer whose first messages were never reported; who they are, and what they had written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils.timezone import now

from channels_meta.processing import drain
from channels_meta.sandbox import customers
from channels_meta.sandbox.models import SandboxMessage, SandboxPerson
from inbox.fetching import fetch_due
from inbox.history import run_imports, start_import
from inbox.models import Conversation, Fetch, Import
from tests.conftest import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def work() -> None:
    """What the workers do, elsewhere, until nothing is left to ask."""
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(_work).result()


def _work() -> None:
    try:
        drain()
        wait_until(_asked)
        wait_until(_walked)
    finally:
        connection.close()


def _asked() -> bool:
    """The API takes two lists a second: what has to wait its turn is asked again."""
    fetch_due()
    return not Fetch.objects.exists()


def _walked() -> bool:
    run_imports()
    return not Import.objects.filter(state="running").exists()


def write_unheard(person: SandboxPerson, text: str, ago: timedelta) -> None:
    """The customer wrote; Meta never told."""
    told = customers.write(person, text)
    SandboxMessage.objects.filter(mid=told.mid).update(sent_at=now() - ago)


def test_a_customer_whose_beginning_was_lost(customer: SandboxPerson) -> None:
    write_unheard(customer, "Is the bag still there?", timedelta(hours=3))
    write_unheard(customer, "In blue?", timedelta(hours=2))
    customers.write(customer, "Hello?").tell()

    work()

    conversation = Conversation.objects.get()
    thread = conversation.messages.exclude(direction="event").in_thread_order()
    assert [message.content for message in thread] == [
        "Is the bag still there?",
        "In blue?",
        "Hello?",
    ]
    assert conversation.identity.name == customer.name


def test_a_comparison_finds_what_was_lost_and_nothing_twice(
    customer: SandboxPerson,
) -> None:
    customers.write(customer, "Salam").tell()
    work()
    conversation = Conversation.objects.get()
    SandboxMessage.objects.update(sent_at=now() - timedelta(hours=4))
    write_unheard(customer, "Are you open on Sunday?", timedelta(hours=2))

    start_import(
        conversation.channel, Import.Reason.ASKED, since=now() - timedelta(hours=9)
    )
    work()

    run = Import.objects.order_by("-id")[0]
    assert (run.state, run.recovered) == ("done", 1)
    thread = conversation.messages.exclude(direction="event").in_thread_order()
    assert sorted(message.content for message in thread) == [
        "Are you open on Sunday?",
        "Salam",
    ]
