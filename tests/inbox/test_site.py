"""One site: sign-in, rail and index hold the inbox and the admin together."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from inbox.models import Agent, Conversation
from tests.conftest import make_agent


@pytest.fixture
def boss(client: Client, db: None) -> Client:
    client.force_login(make_agent("boss", is_superuser=True, first_name="Omar"))
    return client


def test_signing_in_leads_back_to_the_page_that_was_wanted(
    client: Client, agent: Agent
) -> None:
    asked = client.get("/inbox/all/", follow=True)
    assertContains(asked, "Sign in to Dexra")

    response = client.post(
        asked.request["PATH_INFO"],
        {"username": "nadia", "password": "secret-of-tests", "next": "/inbox/all/"},
    )

    assertRedirects(response, "/inbox/all/")


def test_a_wrong_password_is_told(client: Client, agent: Agent) -> None:
    response = client.post("/admin/login/", {"username": "nadia", "password": "wrong"})

    assertContains(response, 'role="alert"')
    assertContains(response, 'value="nadia"')


def test_signing_out_ends_it(agent_client: Client) -> None:
    agent_client.post("/admin/logout/")

    assert agent_client.get("/inbox/all/").status_code == 302


@pytest.mark.parametrize(
    "path", ["/inbox/all/", "/admin/", "/admin/inbox/conversation/"]
)
def test_the_same_rail_stands_everywhere(
    boss: Client, conversation: Conversation, path: str
) -> None:
    Conversation.objects.update(unread=1)

    response = boss.get(path)

    assertContains(response, '<nav class="dx-rail"')
    assertContains(response, 'class="dx-rail-badge" data-count="unread"><span>1<')
    for place in ("/inbox/", "/sandbox/", "/meta/connect/", "/admin/"):
        assertContains(response, f'<a class="dx-rail-link" href="{place}"')
    assertContains(response, "Your account: Omar")


def test_the_sandbox_is_on_the_rail_only_where_it_is_on(boss: Client) -> None:
    with override_settings(SANDBOX=False):
        assertNotContains(boss.get("/inbox/all/"), "/sandbox/")


def test_the_index_of_the_admin_holds_the_inbox(boss: Client) -> None:
    assertContains(boss.get("/admin/"), '<a href="/inbox/mine/">Open the inbox</a>')


def test_whoever_may_not_read_the_inbox_is_not_led_there(
    client: Client, db: None
) -> None:
    clerk = make_agent("clerk")
    clerk.user_permissions.clear()
    client.force_login(clerk)

    response = client.get("/admin/")

    assertNotContains(response, '<a class="dx-rail-link" href="/inbox/"')
    assertNotContains(response, "Open the inbox</a></th>")


def test_a_page_that_is_not_there_says_so_to_strangers_too(
    client: Client, db: None
) -> None:
    response = client.get("/nothing/")

    assertContains(response, "This page is not here", status_code=404)
    assertNotContains(response, "dx-rail", status_code=404)
