"""An agent's own page: what is saved there takes effect on the next page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from inbox.models import Agent, Channel, Conversation, Preferences
from inbox.preferences import preferences_of
from tests.conftest import make_agent
from tests.inbox.pages.conftest import Say

URL = "/inbox/account/"
CHOSEN: dict[str, Any] = {
    "first_name": "Nadia",
    "last_name": "Berrada",
    "language": "",
    "time_zone": "",
    "has_shortcuts": "on",
    "undo_seconds": "0",
    "notifies_of": ["mine", "mention"],
}


def fresh(agent: Agent) -> Agent:
    return Agent.objects.get(pk=agent.pk)


def test_the_menu_of_the_rail_leads_there(agent_client: Client) -> None:
    assertContains(agent_client.get("/inbox/all/"), f'href="{URL}"')


def test_who_never_chose_sees_the_defaults(agent_client: Client) -> None:
    page = agent_client.get(URL)

    assertContains(page, 'name="has_shortcuts" id="id_has_shortcuts" checked')
    assertContains(page, 'value="mine" id="id_notifies_of_0" checked')
    assertNotContains(page, 'value="unassigned" id="id_notifies_of_1" checked')


def test_everything_that_was_chosen_is_kept(
    agent_client: Client, agent: Agent, channel: Channel
) -> None:
    chosen = CHOSEN | {
        "first_name": "Nadia Amal",
        "language": "fr",
        "time_zone": "Africa/Casablanca",
        "enter_sends": "on",
        "undo_seconds": "10",
        "muted_channels": [channel.pk],
        "shows_preview": "on",
        "plays_sound": "on",
    }
    del chosen["has_shortcuts"]

    answer = agent_client.post(URL, chosen, follow=True)

    assertRedirects(answer, URL)
    assert answer["Content-Language"] == "fr"
    saved = fresh(agent)
    kept = preferences_of(saved)
    assert (saved.first_name, saved.language) == ("Nadia Amal", "fr")
    assert (kept.has_shortcuts, kept.enter_sends, kept.undo_seconds) == (
        False,
        True,
        10,
    )
    assert kept.time_zone == "Africa/Casablanca"
    assert (kept.notifies_of, kept.muted_channels) == (
        ["mine", "mention"],
        [channel.pk],
    )
    assert (kept.shows_preview, kept.plays_sound) == (True, True)


def test_arabic_turns_the_very_next_page(agent_client: Client) -> None:
    answer = agent_client.post(URL, CHOSEN | {"language": "ar"}, follow=True)

    assertContains(answer, '<html lang="ar" dir="rtl"')


def test_a_time_zone_wins_over_the_browsers(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation)
    message.sent_at = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
    message.save()
    agent_client.cookies["dexra_zone"] = "Africa%2FCasablanca"

    agent_client.post(URL, CHOSEN | {"time_zone": "Asia/Tokyo"})

    assertContains(agent_client.get(f"/inbox/all/c/{conversation.pk}/"), ', 17:30">')


def test_letters_that_are_switched_off_are_off_on_the_next_page(
    agent_client: Client,
) -> None:
    assertNotContains(agent_client.get("/inbox/all/"), "data-shortcuts")

    agent_client.post(URL, {**CHOSEN, "has_shortcuts": ""})

    assertContains(agent_client.get("/inbox/all/"), 'data-shortcuts="off"')


def test_enter_sends_where_it_was_chosen(
    agent_client: Client, conversation: Conversation
) -> None:
    path = f"/inbox/all/c/{conversation.pk}/"
    assertNotContains(agent_client.get(path), "data-enter-sends")

    agent_client.post(URL, CHOSEN | {"enter_sends": "on"})

    assertContains(agent_client.get(path), "data-enter-sends")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("language", "xx"),
        ("time_zone", "../../etc/passwd"),
        ("undo_seconds", "3600"),
        ("notifies_of", "everything"),
        ("muted_channels", "999999"),
        ("first_name", "N" * 151),
    ],
)
def test_what_is_not_to_be_had_is_refused_at_its_field_and_nothing_is_saved(
    agent_client: Client, agent: Agent, channel: Channel, name: str, value: str
) -> None:
    answer = agent_client.post(URL, CHOSEN | {"last_name": "Changed"} | {name: value})

    assert answer.status_code == 422
    assertContains(answer, f'id="id_{name}_error"', status_code=422)
    assert fresh(agent).last_name == "Berrada"
    assert not Preferences.objects.exists()


def test_nobody_changes_the_account_of_another(
    agent_client: Client, agent: Agent
) -> None:
    other = make_agent("yassine", first_name="Yassine")

    agent_client.post(
        URL, CHOSEN | {"agent": other.pk, "id": other.pk, "is_superuser": "on"}
    )

    assert fresh(other).first_name == "Yassine"
    assert not fresh(agent).is_superuser


def test_who_may_not_read_the_inbox_has_no_page_here(
    agent_client: Client, agent: Agent
) -> None:
    agent.user_permissions.clear()

    assert agent_client.get(URL).status_code == 403
    assert Client().get(URL).status_code == 302
