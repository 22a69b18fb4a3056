"""How far an import has come, on the page of an account."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from inbox.models import Agent, Channel, Conversation, Import
from tests.inbox.pages.conftest import HTMX, Say


@pytest.fixture
def admin(agent: Agent) -> Client:
    agent.user_permissions.add(Permission.objects.get(codename="change_channel"))
    client = Client(headers=HTMX)
    client.force_login(agent)
    return client


def url(channel: Channel) -> str:
    return f"/inbox/channels/{channel.pk}/import/"


def walk(channel: Channel, **fields: object) -> Import:
    since = now() - timedelta(days=90)
    values = {"reason": "connected", "since": since} | fields
    return Import.objects.create(channel=channel, **values)


def test_a_running_import_shows_its_bar_and_asks_again(
    admin: Client, channel: Channel
) -> None:
    walk(channel, conversations=1, messages=20, reached=now() - timedelta(days=45))

    response = admin.get(url(channel))

    assertContains(response, "Earlier conversations are being imported.")
    assertContains(response, "So far: 1 conversation, 20 new messages.")
    assertContains(response, 'hx-trigger="every 2s"')
    assertContains(response, '<progress class="dx-progress" max="100" value="')


def test_a_bar_without_an_end_has_no_value(admin: Client, channel: Channel) -> None:
    walk(channel)

    assertContains(admin.get(url(channel)), 'max="100" aria-label="Import"')


def test_a_finished_import_says_what_it_brought(
    admin: Client, channel: Channel
) -> None:
    walk(channel, state="done", conversations=2, messages=31)

    response = admin.get(url(channel))

    assertContains(response, "imported: 2 conversations, 31 new messages.")
    assertNotContains(response, "hx-get")


@pytest.mark.parametrize(
    ("recovered", "words"),
    [(0, "Nothing was missing."), (3, "3 messages were missing and are here now.")],
)
def test_a_comparison_says_what_was_missing(
    admin: Client, channel: Channel, recovered: int, words: str
) -> None:
    walk(
        channel, reason="silence", state="done", recovered=recovered, finished_at=now()
    )

    assertContains(admin.get(url(channel)), words)


def test_a_failed_one_says_why(admin: Client, channel: Channel) -> None:
    walk(channel, state="failed", error="Meta had a problem.")

    assertContains(
        admin.get(url(channel)),
        "The import of earlier conversations stopped. Meta had a problem.",
    )


def test_without_any_there_is_nothing_to_show(admin: Client, channel: Channel) -> None:
    assert admin.get(url(channel)).content.strip() == b""


def test_it_is_shown_to_those_who_manage_accounts(
    htmx: Client, channel: Channel
) -> None:
    assert htmx.get(url(channel)).status_code == 404


def test_an_account_that_does_not_exist(admin: Client) -> None:
    assert admin.get("/inbox/channels/4711/import/").status_code == 404


def test_a_stranger_is_told_to_sign_in(client: Client, channel: Channel) -> None:
    assert client.get(url(channel), headers=HTMX).status_code == 401


def test_it_is_only_read(admin: Client, channel: Channel) -> None:
    assert admin.post(url(channel)).status_code == 405


def test_a_thread_says_how_many_messages_were_recovered(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    say(
        conversation,
        "",
        direction="event",
        source="system",
        status="sent",
        type="event",
        extra={"event": "recovered", "count": 3},
    )

    response = htmx.get(f"/inbox/c/{conversation.pk}/messages/")

    assertContains(response, "3 messages recovered that had not been reported")
