"""The inbox's models in the admin: found, read, linked to the inbox, changed only where that is safe."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains

from inbox.merging import merge
from inbox.models import (
    Agent,
    ApiKey,
    Channel,
    Contact,
    Conversation,
    Merge,
    Message,
    Tag,
    Team,
)
from inbox.models.api_keys import hash_key
from tests.conftest import make_agent, make_conversation
from tests.inbox.pages.conftest import Say

MODELS = [
    "agent",
    "team",
    "channel",
    "tag",
    "contact",
    "channelidentity",
    "conversation",
    "message",
    "merge",
    "apikey",
]
KEPT = ["channelidentity", "conversation", "merge", "message"]


@pytest.fixture
def boss(client: Client, db: None) -> Client:
    client.force_login(make_agent("boss", is_superuser=True))
    return client


@pytest.fixture
def filled(conversation: Conversation, agent: Agent, say: Say) -> Conversation:
    """One of everything."""
    say(conversation, "Is this available?").attachments.create(
        kind="image", remote_url="https://x.fbcdn.net/a"
    )
    tag = Tag.objects.create(name="VIP")
    agent.teams.add(Team.objects.create(name="Wholesale"))
    ApiKey.issue("Shop", created_by=agent)
    kept, gone = (Contact.objects.create(name=name) for name in ("Amina", "Copy"))
    merge(kept=kept, gone=gone, by=agent)
    conversation.tags, conversation.assignee = [tag.pk], agent
    conversation.save(update_fields=["tags", "assignee"])
    return conversation


def first_page_of(model: str) -> str:
    from django.apps import apps

    pk = apps.get_model("inbox", model).objects.values_list("pk", flat=True).first()
    return f"/admin/inbox/{model}/{pk}/change/"


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_its_list_its_search_and_its_page(
    boss: Client, filled: Conversation, model: str
) -> None:
    assert boss.get(f"/admin/inbox/{model}/").status_code == 200
    assert boss.get(f"/admin/inbox/{model}/?q=salma").status_code == 200
    assert boss.get(first_page_of(model)).status_code == 200


@pytest.mark.parametrize("model", KEPT)
def test_what_people_and_channels_wrote_is_only_read(
    boss: Client, filled: Conversation, model: str
) -> None:
    page = first_page_of(model)

    assert boss.get(f"/admin/inbox/{model}/add/").status_code == 403
    assert boss.post(page, {"status": "closed", "content": "forged"}).status_code == 403
    assert (
        boss.post(page.replace("change", "delete"), {"post": "yes"}).status_code == 403
    )
    assertNotContains(boss.get(page), 'name="_save"')


@pytest.mark.parametrize(
    "model", ["conversation", "message", "contact", "channelidentity"]
)
def test_a_long_list_costs_no_more_queries_than_a_short_one(
    boss: Client,
    channel: Channel,
    agent: Agent,
    say: Say,
    model: str,
) -> None:
    def fill(start: int, count: int) -> None:
        for n in range(start, start + count):
            conversation = make_conversation(
                channel, person_id=f"p-{n}", wrote=timedelta(hours=n + 1)
            )
            say(conversation, f"Nr {n}")
        Conversation.objects.update(assignee=agent)

    def queries() -> int:
        cache.clear()  # the rail's counts are kept for two seconds
        with CaptureQueriesContext(connection) as captured:
            assert boss.get(f"/admin/inbox/{model}/").status_code == 200
        return len(captured)

    fill(0, 3)
    queries()
    few = queries()
    fill(10, 30)

    assert queries() == few


def test_a_conversations_page_shows_its_thread_and_leads_to_the_inbox(
    boss: Client, filled: Conversation
) -> None:
    response = boss.get(f"/admin/inbox/conversation/{filled.pk}/change/")

    assertContains(response, '<p dir="auto" hx-disable>Is this available?</p>')
    assertContains(response, f'href="/inbox/all/c/{filled.pk}/"')
    assertContains(response, "css/inbox.css")
    assertNotContains(response, "/static/css/base.css")


def test_a_conversation_that_is_not_there_leads_back_to_the_index(boss: Client) -> None:
    assert boss.get("/admin/inbox/conversation/999/change/").status_code == 302


def test_a_failed_reply_is_shown_there_without_its_buttons(
    boss: Client,
    filled: Conversation,
    say: Say,
) -> None:
    say(
        filled,
        "Hello",
        direction="out",
        source="agent",
        status="failed",
        error_detail="Refused.",
    )

    response = boss.get(f"/admin/inbox/conversation/{filled.pk}/change/")

    assertContains(response, "Not sent. Refused.")
    assertNotContains(response, "/retry/")


def test_lists_lead_into_the_inbox(boss: Client, filled: Conversation) -> None:
    message = Message.objects.get()

    assertContains(
        boss.get("/admin/inbox/conversation/"), f'href="/inbox/all/c/{filled.pk}/"'
    )
    assertContains(
        boss.get("/admin/inbox/message/"),
        f'href="/inbox/all/c/{filled.pk}/#m-{message.pk}"',
    )
    assertContains(
        boss.get("/admin/inbox/channel/"), f'href="/inbox/channel-{filled.channel_id}/"'
    )
    assertContains(
        boss.get(first_page_of("contact")), f'href="/inbox/all/c/{filled.pk}/"'
    )


@pytest.mark.parametrize(
    ("words", "found"),
    [("available", 1), ("avail", 1), ("mid.1", 1), ("nothing", 0), ("' & |", 0)],
)
def test_messages_are_found_by_word_and_by_their_id(
    boss: Client, filled: Conversation, words: str, found: int
) -> None:
    Message.objects.update(external_id="mid.1")

    response = boss.get("/admin/inbox/message/", {"q": words})

    assert response.context["cl"].result_count == found


def test_a_new_key_is_shown_once_and_stored_as_a_hash(boss: Client) -> None:
    response = boss.post(
        "/admin/inbox/apikey/add/",
        {
            "name": "Shop",
            "scopes": ["messages:read"],
            "expires_at_0": "",
            "expires_at_1": "",
        },
    )

    row = ApiKey.objects.get()
    key = response.context["key"]
    assertContains(response, key)
    assert "no-store" in response["Cache-Control"]
    assert (row.name, row.key_hash, row.created_by.username) == (
        "Shop",
        hash_key(key),
        "boss",
    )
    for page in ("/admin/inbox/apikey/", first_page_of("apikey"), "/admin/"):
        assertNotContains(boss.get(page), key)


def test_keys_are_revoked_and_stay_listed(boss: Client) -> None:
    row, _key = ApiKey.issue("Shop")

    boss.post(
        "/admin/inbox/apikey/", {"action": "revoke", "_selected_action": [row.pk]}
    )

    assert not ApiKey.objects.usable().exists()
    assert ApiKey.objects.exists()


def test_a_channel_is_made_by_hand_and_its_account_never_changes(
    boss: Client, channel: Channel
) -> None:
    fields = {
        "name": "Renamed",
        "username": "",
        "status": "active",
        "features": "",
        "reopening": "reopen",
    }

    made = boss.post(
        "/admin/inbox/channel/add/", fields | {"kind": "messenger", "external_id": "42"}
    )
    changed = boss.post(
        f"/admin/inbox/channel/{channel.pk}/change/",
        fields | {"kind": "instagram", "external_id": "43"},
    )

    channel.refresh_from_db()
    assert made.status_code == changed.status_code == 302
    assert (channel.name, channel.kind, channel.external_id) == (
        "Renamed",
        "fake",
        "acc-1",
    )
    assert Channel.objects.filter(kind="messenger", external_id="42").exists()
    assert (
        boss.post(
            f"/admin/inbox/channel/{channel.pk}/delete/", {"post": "yes"}
        ).status_code
        == 403
    )


def test_an_agent_is_made_with_what_the_inbox_needs(boss: Client) -> None:
    made = boss.post(
        "/admin/inbox/agent/add/",
        {
            "username": "yassine",
            "usable_password": "true",
            "password1": "a-long-secret-1",
            "password2": "a-long-secret-1",
        },
    )

    agent = Agent.objects.get(username="yassine")
    assert made.status_code == 302
    assert agent.is_staff
    assertContains(
        boss.get(f"/admin/inbox/agent/{agent.pk}/change/"), 'name="language"'
    )


def test_agents_who_may_only_use_the_inbox_see_nothing_else(
    agent_client: Client, db: None
) -> None:
    assert agent_client.get("/admin/inbox/agent/").status_code == 403
    assert agent_client.get("/admin/inbox/apikey/").status_code == 403


def test_the_page_of_who_was_merged_leads_to_whom_they_became(
    boss: Client, filled: Conversation
) -> None:
    row = Merge.objects.get()

    answer = boss.get(f"/admin/inbox/contact/{row.gone_id}/change/", follow=True)

    assert answer.redirect_chain == [
        (f"/admin/inbox/contact/{row.kept_id}/change/", 302)
    ]
    assertContains(answer, f"USER_{row.gone_id} was merged into this contact.")
