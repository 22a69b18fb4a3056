"""Assign, snooze, tag, prioritise, block: over HTTP, with and without script."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from inbox.models import Agent, Channel, Conversation, Tag, Team
from tests.conftest import make_agent, make_conversation

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def yassine(db: None) -> Agent:
    return make_agent("yassine", first_name="Yassine", last_name="Alaoui")


def path(conversation: Conversation, act: str) -> str:
    return f"/inbox/c/{conversation.pk}/{act}/?view=all"


def now_of(conversation: Conversation) -> Conversation:
    return Conversation.objects.get(pk=conversation.pk)


MENUS = ["assign", "snooze", "tags", "priority", "more"]


@pytest.mark.parametrize("menu", MENUS)
def test_every_menu_is_a_page_and_a_fragment(
    agent_client: Client, conversation: Conversation, menu: str
) -> None:
    page = agent_client.get(path(conversation, menu))
    fragment = agent_client.get(path(conversation, menu), headers=HTMX)

    assertContains(page, "<!doctype html>")
    assertContains(page, f"/inbox/all/c/{conversation.pk}/")
    assertNotContains(fragment, "<!doctype html>")


@pytest.mark.parametrize(
    "act", ["assign", "snooze", "tags", "priority", "unread", "block", "unblock"]
)
def test_who_may_not_change_conversations_may_do_none_of_it(
    agent: Agent, agent_client: Client, conversation: Conversation, act: str
) -> None:
    agent.user_permissions.remove(
        Permission.objects.get(codename="change_conversation")
    )

    assert agent_client.post(path(conversation, act)).status_code == 403


@pytest.mark.parametrize("act", [*MENUS, "unread", "block", "unblock"])
def test_a_conversation_that_is_not_there_is_not_found(
    agent_client: Client, act: str
) -> None:
    method = agent_client.get if act in MENUS else agent_client.post

    assert method(f"/inbox/c/4711/{act}/").status_code == 404


def test_it_is_given_to_a_colleague_and_taken_back(
    agent_client: Client, conversation: Conversation, yassine: Agent
) -> None:
    answer = agent_client.post(
        path(conversation, "assign"), {"to": f"agent-{yassine.pk}"}, headers=HTMX
    )

    assertContains(answer, "Given to Yassine Alaoui.")
    assertContains(answer, '<input type="hidden" name="to" value="nobody">')
    assert now_of(conversation).assignee == yassine

    agent_client.post(path(conversation, "assign"), {"to": "nobody"})
    assert now_of(conversation).assignee is None


def test_the_menu_knows_who_is_there_and_how_much_they_have(
    agent_client: Client, conversation: Conversation, yassine: Agent
) -> None:
    Conversation.objects.update(assignee=yassine)
    Agent.objects.create_user("stranger")

    menu = agent_client.get(path(conversation, "assign"), headers=HTMX)

    assertContains(menu, "Nadia Berrada (you)")
    assertContains(menu, "1 open")
    assertNotContains(menu, "stranger")


def test_the_menu_costs_the_same_however_many_there_are(
    agent_client: Client,
    conversation: Conversation,
    django_assert_max_num_queries: object,
) -> None:
    for number in range(12):
        make_agent(f"agent-{number}")

    with django_assert_max_num_queries(12):  # type: ignore[operator]
        agent_client.get(path(conversation, "assign"), headers=HTMX)


@pytest.mark.parametrize("to", ["agent-4711", "agent-x", "team-4711", "team-x", "who"])
def test_nobody_is_given_it_who_is_not_there(
    agent_client: Client, conversation: Conversation, to: str
) -> None:
    assert (
        agent_client.post(path(conversation, "assign"), {"to": to}).status_code == 404
    )


def test_a_team_has_it_beside_its_agent(
    agent_client: Client, conversation: Conversation
) -> None:
    team = Team.objects.create(name="Wholesale")

    agent_client.post(path(conversation, "assign"), {"to": f"team-{team.pk}"})
    assert now_of(conversation).team == team

    agent_client.post(path(conversation, "assign"), {"to": "team-"})
    assert now_of(conversation).team is None


def test_it_is_put_away_in_plain_words(
    agent_client: Client, conversation: Conversation
) -> None:
    answer = agent_client.post(
        path(conversation, "snooze"), {"words": "in 2 hours"}, headers=HTMX
    )

    assertContains(answer, "Put away until")
    after = now_of(conversation)
    assert after.snoozed_until is not None
    assert abs(after.snoozed_until - now() - timedelta(hours=2)) < timedelta(minutes=1)


def test_it_is_put_away_until_the_customer_writes(
    agent_client: Client, conversation: Conversation
) -> None:
    agent_client.post(path(conversation, "snooze"), {"until": "reply"})

    after = now_of(conversation)
    assert (after.status, after.snoozed_until) == ("snoozed", None)


@pytest.mark.parametrize("words", ["", "soonish", "yesterday"])
def test_words_that_do_not_help_are_refused_and_change_nothing(
    agent_client: Client, conversation: Conversation, words: str
) -> None:
    answer = agent_client.post(
        path(conversation, "snooze"), {"words": words}, headers=HTMX
    )

    assert answer.status_code == 422
    assert now_of(conversation).status == "open"


def test_a_tag_is_given_and_taken_by_the_same_click(
    agent_client: Client, conversation: Conversation
) -> None:
    tag = Tag.objects.create(name="VIP")

    for expected in ([tag.pk], []):
        agent_client.post(path(conversation, "tags"), {"tag": tag.pk})
        assert now_of(conversation).tags == expected


def test_a_new_tag_is_named_by_who_may_add_tags(
    agent: Agent, agent_client: Client, conversation: Conversation
) -> None:
    assert (
        agent_client.post(path(conversation, "tags"), {"name": "New"}).status_code
        == 404
    )
    agent.user_permissions.add(Permission.objects.get(codename="add_tag"))

    agent_client.post(path(conversation, "tags"), {"name": "  Back   order "})
    agent_client.post(path(conversation, "tags"), {"name": "back ORDER"})

    assert [tag.name for tag in Tag.objects.all()] == ["Back order"]
    assert now_of(conversation).tags == []


def test_priority_shows_in_the_head(
    agent_client: Client, conversation: Conversation
) -> None:
    answer = agent_client.post(
        path(conversation, "priority"), {"to": "4"}, headers=HTMX
    )

    assertContains(answer, "Urgent")
    assert now_of(conversation).priority == 4
    assert (
        agent_client.post(path(conversation, "priority"), {"to": "9"}).status_code
        == 404
    )


def test_unread_leads_back_to_the_list(
    agent_client: Client, conversation: Conversation
) -> None:
    answer = agent_client.post(path(conversation, "unread"))
    assertRedirects(answer, "/inbox/all/")

    answer = agent_client.post(path(conversation, "unread"), headers=HTMX)
    assert answer.headers["HX-Redirect"] == "/inbox/all/"
    assert now_of(conversation).unread == 1


def test_spam_is_closed_and_can_be_taken_back(
    agent_client: Client, conversation: Conversation
) -> None:
    answer = agent_client.post(
        path(conversation, "block"), {"as": "spam"}, headers=HTMX
    )
    assertContains(answer, "Spam")
    assert now_of(conversation).status == "closed"

    agent_client.post(path(conversation, "unblock"))
    after = now_of(conversation)
    assert (after.status, after.identity.blocked_at) == ("open", None)


def test_what_is_neither_spam_nor_block_is_refused(
    agent_client: Client, conversation: Conversation
) -> None:
    answer = agent_client.post(path(conversation, "block"), {"as": "x"}, headers=HTMX)

    assert answer.status_code == 400
    assert now_of(conversation).identity.blocked_at is None


def test_undo_after_moving_on_leaves_the_open_conversation_alone(
    agent_client: Client, channel: Channel, conversation: Conversation
) -> None:
    other = make_conversation(channel, name="Hajar", person_id="person-2")
    agent_client.post(path(conversation, "close"))

    answer = agent_client.post(
        path(conversation, "reopen"),
        headers={
            **HTMX,
            "HX-Current-URL": f"http://testserver/inbox/all/c/{other.pk}/",
        },
    )

    assertNotContains(answer, 'id="thread-head"')
    assertContains(answer, f'id="row-{conversation.pk}"')
    assert answer.headers["HX-Reswap"] == "none"
