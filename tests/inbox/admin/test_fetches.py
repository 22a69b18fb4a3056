"""What is still to be asked of channels, as an admin sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains

from inbox.models import Agent, Channel, Fetch, Import
from tests.conftest import make_agent


@pytest.fixture
def boss(client: Client, db: None) -> Client:
    client.force_login(make_agent("boss", is_superuser=True))
    return client


@pytest.fixture
def fetch(channel: Channel) -> Fetch:
    return Fetch.objects.create(
        channel=channel,
        kind="profile",
        subject_id=1,
        due_at=now() + timedelta(hours=2),
        attempts=4,
        error_code="190",
    )


def test_what_waits_is_listed_with_its_reason(boss: Client, fetch: Fetch) -> None:
    assertContains(boss.get("/admin/inbox/fetch/"), "190")


def test_a_question_can_be_asked_at_once(boss: Client, fetch: Fetch) -> None:
    boss.post(
        "/admin/inbox/fetch/", {"action": "ask_now", "_selected_action": fetch.pk}
    )

    fetch.refresh_from_db()
    assert fetch.attempts == 0
    assert fetch.due_at <= now()


def test_a_question_can_be_given_up(boss: Client, fetch: Fetch) -> None:
    boss.post(f"/admin/inbox/fetch/{fetch.pk}/delete/", {"post": "yes"})

    assert not Fetch.objects.exists()


def test_nobody_invents_one(boss: Client, fetch: Fetch) -> None:
    assert boss.get("/admin/inbox/fetch/add/").status_code == 403
    assert boss.get("/admin/inbox/import/add/").status_code == 403


def test_walks_are_listed_with_what_they_found(boss: Client, channel: Channel) -> None:
    Import.objects.create(channel=channel, reason="silence", recovered=17)

    response = boss.get("/admin/inbox/import/")

    assertContains(response, "Nothing came for a while")
    assertContains(response, "17")


@pytest.mark.parametrize("model", ["fetch", "import"])
def test_agents_without_the_right_see_neither(
    client: Client, agent: Agent, model: str
) -> None:
    client.force_login(agent)

    assert client.get(f"/admin/inbox/{model}/").status_code == 403
