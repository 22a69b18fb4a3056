"""What the composer offers, and what it says when it offers nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from inbox.models import Channel, ChannelIdentity, Conversation
from tests.conftest import make_conversation


def composer_of(client: Client, conversation: Conversation, mode: str = "reply") -> str:
    response = client.get(f"/inbox/c/{conversation.pk}/composer/?mode={mode}&view=all")
    assert response.status_code == 200
    return response.content.decode()


def test_an_open_window_shows_how_long(
    htmx: Client, conversation: Conversation
) -> None:
    html = composer_of(htmx, conversation)

    for words in (
        "Window open",
        "22 h 59",
        "Reply on Fake",
        'data-limit="1000"',
        'data-unit="bytes"',
        'stroke-dasharray="96 100"',
    ):
        assert words in html


def test_a_window_that_closes_soon_says_when(htmx: Client, channel: Channel) -> None:
    conversation = make_conversation(channel, wrote=timedelta(hours=21))

    html = composer_of(htmx, conversation)

    assert "Window closes at" in html
    assert "dx-window-warn" in html


def test_the_human_agents_window_explains_itself(
    htmx: Client, channel: Channel
) -> None:
    conversation = make_conversation(channel, wrote=timedelta(days=2))

    html = composer_of(htmx, conversation)

    assert "A person may still answer until" in html
    assert "Automations and offers are not allowed here." in html
    assert '<textarea class="dx-comp-text" id="composer-text"' in html


def test_a_closed_window_explains_the_rules_that_have_passed(
    htmx: Client, channel: Channel
) -> None:
    conversation = make_conversation(channel, wrote=timedelta(days=8))
    contact = conversation.identity.contact
    contact.email, contact.email_verified_at = "salma@example.com", now()
    contact.save()

    html = composer_of(htmx, conversation)

    assert (
        "for 24 hours after a customer&#x27;s message and up to 7 days when a person"
        in html
    )
    assert 'href="mailto:salma@example.com"' in html
    assert 'href="https://fake.example/inbox"' in html
    assert "<textarea" not in html


def test_a_rule_that_the_channel_was_not_granted_is_not_named(
    htmx: Client, channel: Channel
) -> None:
    conversation = make_conversation(channel, wrote=timedelta(days=2))
    Channel.objects.update(features=[])

    html = composer_of(htmx, conversation)

    assert "for 24 hours after" in html
    assert "up to 7 days" not in html


def test_an_unproven_email_address_is_no_way_on(htmx: Client, channel: Channel) -> None:
    conversation = make_conversation(channel, wrote=timedelta(days=8))
    conversation.identity.contact.email = "somebody@example.com"
    conversation.identity.contact.save()

    assert "mailto:" not in composer_of(htmx, conversation)


def test_somebody_who_never_wrote_a_message_cannot_be_written_to(
    htmx: Client, conversation: Conversation
) -> None:
    ChannelIdentity.objects.update(last_inbound_at=None, window_expires_at=None)

    assert "has not sent you a message yet" in composer_of(htmx, conversation)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("needs_reauth", "needs to be reconnected before anything can be sent"),
        ("disconnected", "is disconnected: nothing can be sent"),
        ("paused", "Sending from Maison Tilila is paused"),
    ],
)
def test_a_channel_that_cannot_send_says_so_and_leaves_notes(
    htmx: Client, conversation: Conversation, status: str, words: str
) -> None:
    Channel.objects.update(status=status)

    html = composer_of(htmx, conversation)

    assert words in html
    assert "<textarea" not in html
    assert "<textarea" in composer_of(htmx, conversation, "note")


def test_a_note_looks_like_nothing_else(
    htmx: Client, conversation: Conversation
) -> None:
    html = composer_of(htmx, conversation, "note")

    for words in (
        "dx-comp-note",
        "Only your team sees this",
        "Add note",
        f"/inbox/c/{conversation.pk}/notes/",
    ):
        assert words in html
    assert "data-limit" not in html


def test_the_composer_of_a_plain_page_is_chosen_by_its_address(
    agent_client: Client, conversation: Conversation
) -> None:
    page = f"/inbox/all/c/{conversation.pk}/"

    assertContains(agent_client.get(f"{page}?mode=note"), "Only your team sees this")
    assertNotContains(agent_client.get(page), "Only your team sees this")
    assert agent_client.get(f"{page}?mode=nonsense").status_code == 404


def test_each_composer_carries_a_key_of_its_own(
    htmx: Client, conversation: Conversation
) -> None:
    assert composer_of(htmx, conversation) != composer_of(htmx, conversation)


def test_the_composer_of_a_conversation_that_is_not_there_is_not_found(
    htmx: Client, db: None
) -> None:
    assert htmx.get("/inbox/c/999/composer/").status_code == 404
    assert htmx.post("/inbox/c/999/composer/").status_code == 405
