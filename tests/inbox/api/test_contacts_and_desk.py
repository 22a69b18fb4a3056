"""Contacts, and what a conversation is given: tags, agents, teams, canned replies, channels."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries

from inbox.models import (
    Agent,
    AuditEntry,
    CannedReply,
    Channel,
    Contact,
    Conversation,
    Tag,
    Team,
)
from tests.conftest import make_conversation

pytestmark = pytest.mark.django_db


def names(answer: Any) -> list[str]:
    return [row["name"] for row in answer.json()["data"]]


def change(api: Client, contact: Contact, **body: Any) -> Any:
    url = f"/v1/contacts/{contact.public_id}"
    return api.patch(url, body, content_type="application/json")


# --- contacts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    ["q=idris", "q=sal%20el", "email=salma@example.com", "phone=%2B212612345678"],
)
def test_a_contact_is_found(
    api: Client, conversation: Conversation, query: str
) -> None:
    contact = conversation.identity.contact
    contact.email, contact.phone = "salma@example.com", "+212612345678"
    contact.save()
    Contact.objects.create(name="Karim")

    assert names(api.get(f"/v1/contacts?{query}")) == ["Salma El Idrissi"]


def test_contacts_are_found_by_their_handle(
    api: Client, conversation: Conversation
) -> None:
    conversation.identity.username = "salma.knits"
    conversation.identity.save()

    assert names(api.get("/v1/contacts?q=knits")) == ["Salma El Idrissi"]


def test_who_became_somebody_else_is_not_listed(
    api: Client, conversation: Conversation
) -> None:
    Contact.objects.create(name="Copy", merged_into=conversation.identity.contact)

    assert names(api.get("/v1/contacts")) == ["Salma El Idrissi"]


@pytest.mark.parametrize("count", [1, 12])
def test_contacts_take_as_many_statements_however_many_they_are(
    api: Client,
    channel: Channel,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(count):
        make_conversation(channel, person_id=f"p{number}")
    api.get("/v1/contacts")

    # The key, the page, identities, their channels.
    with django_assert_num_queries(4):
        assert len(names(api.get("/v1/contacts"))) == count


def test_a_contact_is_written_down(api: Client) -> None:
    body = {
        "name": "Amina",
        "email": "amina@example.com",
        "phone": "+212 6 12 34 56 78",
        "attributes": {"size": "38"},
    }

    answer = api.post("/v1/contacts", body, "application/json")

    contact = Contact.objects.get()
    assert answer.status_code == 201
    assert answer.json()["data"] == {
        "id": f"USER_{contact.pk}",
        "name": "Amina",
        "email": "amina@example.com",
        "email_verified_at": None,
        "phone": "+212612345678",
        "phone_verified_at": None,
        "site_user_id": None,
        "attributes": {"size": "38"},
        "identities": [],
        "created_at": contact.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "erased_at": None,
    }
    assert AuditEntry.objects.get().agent_name == "Shop website"


def test_what_is_not_given_stays(api: Client, conversation: Conversation) -> None:
    contact = conversation.identity.contact
    contact.email, contact.email_verified_at = "old@example.com", now()
    contact.save()

    row = change(api, contact, phone="+212612345678").json()["data"]
    other = change(api, contact, email="new@example.com").json()["data"]

    assert (row["name"], row["email"]) == ("Salma El Idrissi", "old@example.com")
    assert row["email_verified_at"] is not None
    assert (other["email"], other["email_verified_at"]) == ("new@example.com", None)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"email": "odd"}, "email"),
        ({"phone": "odd"}, "phone"),
        ({"name": "x" * 201}, "name"),
        ({"attributes": {"size": "x" * 501}}, "attributes"),
        ({"attributes": "odd"}, "attributes"),
    ],
)
def test_bad_details_are_named(
    api: Client, conversation: Conversation, body: dict[str, Any], param: str
) -> None:
    answer = change(api, conversation.identity.contact, **body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == param


def test_an_export_leaves_a_trail(api: Client, conversation: Conversation) -> None:
    contact = conversation.identity.contact

    answer = api.get(f"/v1/contacts/{contact.public_id}/export")

    assert answer.status_code == 200
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject_id) == ("contact_exported", contact.public_id)


@pytest.mark.parametrize("pk", ["USER_99999", "MSG_1", "odd"])
def test_a_contact_that_is_none_is_a_404(api: Client, pk: str) -> None:
    assert api.get(f"/v1/contacts/{pk}").status_code == 404


# --- desk ----------------------------------------------------------------------------------------


def test_tags_are_made_once(api: Client) -> None:
    made = api.post("/v1/tags", {"name": "vip", "colour": 3}, "application/json")
    again = api.post("/v1/tags", {"name": "vip"}, "application/json")

    tag = Tag.objects.get()
    shown = {"id": f"TAG_{tag.pk}", "name": "vip", "colour": 3}
    assert (made.status_code, made.json()["data"]) == (201, shown)
    assert (again.status_code, again.json()["code"]) == (409, "already_exists")
    assert api.get("/v1/tags").json()["data"] == [shown]


def test_agents_are_listed_with_their_teams(
    api: Client, agent: Agent, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    team = Team.objects.create(name="Sales")
    agent.teams.add(team)
    api.get("/v1/agents")

    with django_assert_num_queries(3):
        (row,) = api.get("/v1/agents").json()["data"]

    assert row == {
        "id": agent.public_id,
        "name": "Nadia Berrada",
        "email": "",
        "presence": "offline",
        "is_active": True,
        "team_ids": [team.public_id],
    }
    assert api.get(f"/v1/agents/{agent.public_id}").json()["data"] == row
    assert names(api.get("/v1/teams")) == ["Sales"]


def test_shared_canned_replies_are_listed(api: Client, agent: Agent) -> None:
    CannedReply.objects.create(shortcut="hi", title="Greeting", content="Hello {name}")
    CannedReply.objects.create(shortcut="own", title="Own", owner=agent)

    (row,) = api.get("/v1/canned-replies").json()["data"]

    assert (row["shortcut"], row["content"]) == ("hi", "Hello {name}")


def test_a_channel_tells_how_it_is(api: Client, channel: Channel) -> None:
    well = api.get(f"/v1/channels/{channel.public_id}").json()["data"]
    channel.status, channel.status_reason = "needs_reauth", "The token has expired."
    channel.last_error, channel.last_error_code = "Token expired", "190"
    channel.last_error_at = now()
    channel.save()

    (ill,) = api.get("/v1/channels").json()["data"]

    assert (well["status"], well["error"]) == ("active", None)
    assert (ill["status"], ill["error"]["code"]) == ("needs_reauth", "190")


def test_short_lists_are_paged_too(api: Client) -> None:
    for number in range(5):
        Tag.objects.create(name=f"tag {number}")
    seen: list[str] = []
    url = "/v1/tags?limit=2&include_total=true"

    cursor = ""
    while True:
        answer = api.get(f"{url}&cursor={cursor}" if cursor else url).json()
        assert answer["meta"]["total"] == 5
        seen += [row["name"] for row in answer["data"]]
        cursor = answer["meta"]["next_cursor"]
        if not cursor:
            break

    assert seen == [f"tag {number}" for number in range(5)]


@pytest.mark.parametrize(
    "attributes",
    [{"size\ud800": "XL"}, {"size": "X\x00L"}, {"size": [{"\udfff": 1}]}],
    ids=["name", "value", "nested"],
)
def test_what_cannot_be_stored_is_refused(
    api: Client, attributes: dict[str, Any]
) -> None:
    answer = api.post(
        "/v1/contacts",
        json.dumps({"attributes": attributes}),
        content_type="application/json",
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == "attributes"


def test_a_body_without_bottom_is_malformed(api: Client) -> None:
    deep = '{"attributes": {"size": ' + "[" * 200_000 + "]" * 200_000 + "}}"

    answer = api.post("/v1/contacts", deep, content_type="application/json")

    assert answer.status_code == 400
