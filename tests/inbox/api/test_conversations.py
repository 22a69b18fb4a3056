"""/v1/conversations: which are listed, how one is begun, and what may be changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries

from inbox.models import (
    Agent,
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Message,
    Tag,
    Team,
)
from tests.conftest import make_conversation
from tests.fakes import FakeAdapter
from tests.inbox.api.conftest import KeyFor

pytestmark = pytest.mark.django_db


def ids(answer: Any) -> list[str]:
    return [row["id"] for row in answer.json()["data"]]


def patch(api: Client, conversation: Conversation, **body: Any) -> Any:
    url = f"/v1/conversations/{conversation.pk}"
    return api.patch(url, body, content_type="application/json")


# --- list ----------------------------------------------------------------------------------------


@pytest.fixture
def desk(channel: Channel, agent: Agent) -> dict[str, Any]:
    """Two conversations; `mine` has all that a list can be narrowed by."""
    mine = make_conversation(channel, name="Salma", person_id="p1")
    make_conversation(channel, name="Karim", person_id="p2")
    team, tag = Team.objects.create(name="Sales"), Tag.objects.create(name="vip")
    mine.assignee, mine.team, mine.tags = agent, team, [tag.pk]
    mine.unread, mine.status = 2, "snoozed"
    mine.save()
    return {
        "mine": str(mine.pk),
        "AGENT": agent.public_id,
        "TEAM": team.public_id,
        "CONTACT": mine.identity.contact.public_id,
        "CHANNEL": channel.public_id,
    }


@pytest.mark.parametrize(
    "query",
    [
        "status=snoozed",
        "assignee_id={AGENT}",
        "team_id={TEAM}",
        "tag=vip",
        "contact_id={CONTACT}",
        "user_id=FAKE_p1",
        "unread=true",
        "unread=true&status=snoozed&channel=fake&account_id={CHANNEL}",
    ],
)
def test_the_list_is_narrowed(api: Client, desk: dict[str, Any], query: str) -> None:
    answer = api.get(f"/v1/conversations?{query.format(**desk)}")

    assert ids(answer) == [desk["mine"]]


@pytest.mark.parametrize(
    "query",
    ["assignee_id=none", "team_id=none", "unread=false", "status=open"],
)
def test_the_list_is_narrowed_to_the_others(
    api: Client, desk: dict[str, Any], query: str
) -> None:
    found = ids(api.get(f"/v1/conversations?{query}"))

    assert len(found) == 1
    assert desk["mine"] not in found


@pytest.mark.parametrize(
    "query",
    ["tag=nope", "user_id=FAKE_p9", "channel=odd", "contact_id=USER_99999999"],
)
def test_what_nobody_has_is_an_empty_list(
    api: Client, desk: dict[str, Any], query: str
) -> None:
    assert ids(api.get(f"/v1/conversations?{query}")) == []


@pytest.mark.parametrize(
    "query",
    [
        "updated_since=yesterday",
        "unread=perhaps",
        "assignee_id=7",
        "contact_id=IG_1",
        "include_total=yes",
    ],
)
def test_a_bad_filter_is_named(api: Client, query: str) -> None:
    answer = api.get(f"/v1/conversations?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == query.split("=")[0]


def test_what_changed_since_comes_in_the_order_of_its_change(
    api: Client, channel: Channel
) -> None:
    at = now().replace(microsecond=0)
    for hours, person in enumerate(["a", "b", "c"]):
        one = make_conversation(channel, person_id=person)
        Conversation.objects.filter(pk=one.pk).update(
            updated_at=at - timedelta(hours=hours)
        )
    wanted = [
        str(pk)
        for pk in Conversation.objects.order_by("updated_at").values_list(
            "pk", flat=True
        )
    ]
    since = (at - timedelta(hours=1)).isoformat().replace("+00:00", "Z")

    url = f"/v1/conversations?updated_since={since}&limit=1"
    first = api.get(url).json()
    second = api.get(f"{url}&cursor={first['meta']['next_cursor']}").json()

    assert [first["data"][0]["id"], second["data"][0]["id"]] == wanted[1:]
    assert not second["meta"]["has_more"]


def test_moments_are_utc_in_whole_seconds(
    api: Client, conversation: Conversation
) -> None:
    row = api.get(f"/v1/conversations/{conversation.pk}").json()["data"]

    moment = conversation.last_message_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert row["last_message_at"] == moment


@pytest.mark.parametrize("count", [1, 12])
def test_a_list_takes_as_many_statements_however_long_it_is(
    api: Client,
    channel: Channel,
    agent: Agent,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    tag, team = Tag.objects.create(name="vip"), Team.objects.create(name="Sales")
    for number in range(count):
        make_conversation(channel, person_id=f"p{number}")
    Conversation.objects.update(assignee=agent, team=team, tags=[tag.pk])
    api.get("/v1/conversations")  # the key's use is noted once a minute

    # The key, the page, its tags.
    with django_assert_num_queries(4):
        assert len(ids(api.get("/v1/conversations?limit=100"))) == count


def test_one_conversation_takes_three_statements(
    api: Client,
    conversation: Conversation,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    url = f"/v1/conversations/{conversation.pk}"
    Conversation.objects.update(tags=[Tag.objects.create(name="vip").pk])
    api.get(url)

    with django_assert_num_queries(3):
        assert api.get(url).status_code == 200


@pytest.mark.parametrize("count", [1, 12])
def test_messages_take_as_many_statements_however_many_they_are(
    api: Client,
    conversation: Conversation,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    url = f"/v1/conversations/{conversation.pk}/messages"
    for number in range(count):
        api.post(url, {"content": f"Hello {number}"}, "application/json")

    # The key, the conversation, the page, attachments, reactions.
    with django_assert_num_queries(5):
        assert len(ids(api.get(url))) == count


@pytest.mark.parametrize("pk", ["0", "99999", "9" * 30])
def test_a_conversation_that_is_none_is_a_404(api: Client, pk: str) -> None:
    answer = api.get(f"/v1/conversations/{pk}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


# --- begin ---------------------------------------------------------------------------------------


def begin(api: Client, **body: Any) -> Any:
    body = {"content": "Your order is ready.", **body}
    return api.post("/v1/conversations", body, "application/json")


def test_a_person_is_written_to_by_their_id(
    api: Client, conversation: Conversation
) -> None:
    answer = begin(api, user_id="FAKE_person-1")

    assert answer.status_code == 201
    data = answer.json()["data"]
    assert data["conversation"]["id"] == str(conversation.pk)
    assert [one["content"] for one in data["messages"]] == ["Your order is ready."]


def test_a_person_is_written_to_by_their_contact(
    api: Client, conversation: Conversation
) -> None:
    answer = begin(api, user_id=conversation.identity.contact.public_id)

    assert answer.status_code == 201


def test_a_closed_conversation_comes_back_to_life(
    api: Client, conversation: Conversation
) -> None:
    Conversation.objects.update(status="closed", closed_at=now())

    data = begin(api, user_id="FAKE_person-1").json()["data"]

    assert data["conversation"]["status"] == "open"
    assert Conversation.objects.count() == 1


def test_a_channel_that_wants_it_begins_anew(
    api: Client, conversation: Conversation
) -> None:
    Conversation.objects.update(status="closed", closed_at=now())
    Channel.objects.update(reopening="new")

    data = begin(api, user_id="FAKE_person-1").json()["data"]

    assert data["conversation"]["id"] != str(conversation.pk)
    assert Conversation.objects.count() == 2


def test_nothing_is_begun_while_the_window_is_closed(
    api: Client, conversation: Conversation
) -> None:
    Conversation.objects.all().delete()
    ChannelIdentity.objects.update(last_inbound_at=None, window_expires_at=None)

    answer = begin(api, user_id="FAKE_person-1")

    assert (answer.status_code, answer.json()["code"]) == (409, "window_closed")
    assert not Conversation.objects.exists()


def test_an_id_on_two_accounts_asks_for_the_account(
    api: Client, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    other = Channel.objects.create(
        kind=fake_adapter.kind, external_id="acc-2", name="Second"
    )
    make_conversation(other, person_id="person-1")

    several = begin(api, user_id="FAKE_person-1")
    answer = begin(api, user_id="FAKE_person-1", account_id=other.public_id)

    assert (several.status_code, several.json()["code"]) == (409, "ambiguous_user")
    account = answer.json()["data"]["conversation"]["account"]
    assert account["id"] == other.public_id


@pytest.mark.parametrize("user_id", ["FAKE_nobody", "USER_99999", "odd", "IG_"])
def test_nobody_is_a_422(api: Client, channel: Channel, user_id: str) -> None:
    answer = begin(api, user_id=user_id)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == "user_id"


def test_a_contact_who_never_wrote_cannot_be_written_to(
    api: Client, channel: Channel
) -> None:
    contact = Contact.objects.create(name="Amina")

    assert begin(api, user_id=contact.public_id).status_code == 422


# --- change --------------------------------------------------------------------------------------


def test_everything_is_changed_at_once(
    api: Client, conversation: Conversation, agent: Agent
) -> None:
    team, tag = Team.objects.create(name="Sales"), Tag.objects.create(name="vip")

    answer = patch(
        api,
        conversation,
        assignee_id=agent.public_id,
        team_id=team.public_id,
        tags=[tag.name],
        subject="Order #1047",
        priority="high",
        unread=True,
        status="snoozed",
        snoozed_until=(now() + timedelta(days=1)).isoformat(),
    )

    assert answer.status_code == 200
    row = answer.json()["data"]
    assert (row["assignee_id"], row["assignee"]) == (agent.public_id, "Nadia Berrada")
    assert row["team"] == "Sales"
    assert (row["tags"], row["subject"], row["priority"]) == (
        ["vip"],
        "Order #1047",
        "high",
    )
    assert (row["status"], row["unread"]) == ("snoozed", 1)


def test_what_is_changed_stands_in_the_thread_under_the_keys_name(
    api: Client, conversation: Conversation
) -> None:
    patch(api, conversation, status="closed")

    line = Message.objects.get(direction="event")
    assert (line.source, line.author_name, line.extra["event"]) == (
        "api",
        "Shop website",
        "closed",
    )


def test_what_is_changed_for_an_agent_is_theirs(
    api: Client, conversation: Conversation, agent: Agent
) -> None:
    patch(api, conversation, status="closed", agent_id=agent.public_id)

    assert Message.objects.get(direction="event").author == agent


def test_tags_are_exactly_those_that_are_given(
    api: Client, conversation: Conversation
) -> None:
    for name in ("a", "b", "c"):
        Tag.objects.create(name=name)
    patch(api, conversation, tags=["a", "b"])

    row = patch(api, conversation, tags=["b", "c"]).json()["data"]

    assert row["tags"] == ["b", "c"]


def test_null_gives_it_back(
    api: Client, conversation: Conversation, agent: Agent
) -> None:
    Conversation.objects.update(assignee=agent)

    row = patch(api, conversation, assignee_id=None, team_id=None).json()["data"]

    assert (row["assignee_id"], row["team_id"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"status": "odd"}, "status"),
        ({"assignee_id": "AGENT_99999"}, "assignee_id"),
        ({"team_id": "TEAM_99999"}, "team_id"),
        ({"tags": ["nope"]}, "tags"),
        ({"subject": "x" * 201}, "subject"),
        ({"snoozed_until": "2020-01-01T00:00:00Z"}, "until"),
        ({"status": "open", "snoozed_until": None}, "snoozed_until"),
    ],
)
def test_a_bad_change_is_named_and_changes_nothing(
    api: Client, conversation: Conversation, body: dict[str, Any], param: str
) -> None:
    answer = patch(api, conversation, priority="high", **body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == param
    conversation.refresh_from_db()
    assert (conversation.priority, conversation.status) == (0, "open")


def test_reading_is_not_changing(key_for: KeyFor, conversation: Conversation) -> None:
    api = key_for("conversations:read")

    assert patch(api, conversation, status="closed").status_code == 403
