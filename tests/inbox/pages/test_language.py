"""Pages in the reader's language, direction and time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django.asserts import assertContains

from inbox.models import Agent, Conversation
from tests.inbox.pages.conftest import Say


def test_an_agents_own_language_wins_over_the_browsers(
    agent_client: Client, agent: Agent
) -> None:
    agent.language = "ar"
    agent.save()

    response = agent_client.get("/inbox/all/", headers={"Accept-Language": "fr"})

    assertContains(response, '<html lang="ar" dir="rtl"')
    assert response["Content-Language"] == "ar"


def test_without_a_choice_the_browsers_language_is_used(agent_client: Client) -> None:
    response = agent_client.get("/inbox/all/", headers={"Accept-Language": "fr"})

    assertContains(response, '<html lang="fr" dir="ltr"')


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Africa%2FCasablanca", "9:30"),
        ("Asia/Tokyo", "17:30"),
        ("../../etc/passwd", "8:30"),
        ("Nowhere", "8:30"),
        ("", "8:30"),
    ],
)
def test_times_are_written_in_the_readers_zone(
    agent_client: Client, conversation: Conversation, say: Say, zone: str, shown: str
) -> None:
    message = say(conversation)
    message.sent_at = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
    message.save()
    agent_client.cookies["dexra_zone"] = zone

    response = agent_client.get(f"/inbox/all/c/{conversation.pk}/")

    assertContains(response, f', {shown}">{shown}</time>')


def test_one_readers_language_and_zone_stay_with_that_reader(
    agent_client: Client, agent: Agent
) -> None:
    agent.language = "ar"
    agent.save()
    agent_client.cookies["dexra_zone"] = "Asia/Tokyo"
    agent_client.get("/inbox/all/")

    assertContains(Client().get("/admin/login/"), '<html lang="en" dir="ltr"')
