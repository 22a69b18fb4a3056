"""Acts on many conversations, and taking them back."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertRedirects

from inbox.models import Agent, Channel, Conversation, Tag
from tests.conftest import make_agent, make_conversation
from tests.inbox.pages.test_conversations import make_many

FIELDS = (
    "status",
    "assignee_id",
    "tags",
    "priority",
    "unread",
    "waiting_since",
    "snoozed_until",
)


@pytest.fixture
def five(channel: Channel) -> list[Conversation]:
    """Five that are each in another state."""
    made = make_many(channel, 5)
    tag = Tag.objects.create(name="VIP")
    for conversation, fields in zip(
        made,
        [
            {"unread": 3, "waiting_since": now() - timedelta(hours=2)},
            {"status": "snoozed", "snoozed_until": now() + timedelta(days=2)},
            {"status": "closed"},
            {"assignee": make_agent("omar"), "priority": 2},
            {"tags": [tag.pk]},
        ],
        strict=True,
    ):
        Conversation.objects.filter(pk=conversation.pk).update(**fields)
    return made


def state() -> list[dict[str, Any]]:
    return list(Conversation.objects.order_by("pk").values("pk", *FIELDS))


def act(client: Client, name: str, conversations: list[Conversation]) -> Any:
    ids = [one.pk for one in conversations]
    return client.post("/inbox/bulk/?view=all", {"act": name, "conversation": ids})


def undo(client: Client, response: Any) -> Any:
    was = re.search(r'name="was" value="([^"]+)"', response.content.decode())
    assert was
    return client.post("/inbox/bulk/undo/?view=all", {"was": html.unescape(was[1])})


ACTS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "done": lambda one: one["status"] == "closed",
    "reopen": lambda one: one["status"] == "open",
    "assign:me": lambda one: one["assignee_id"] is not None,
    "assign:nobody": lambda one: one["assignee_id"] is None,
    "tag:{tag}": lambda one: len(one["tags"]) == 1,
    "snooze:tomorrow": lambda one: one["status"] == "snoozed",
    "snooze:reply": lambda one: one["status"] == "snoozed",
    "read": lambda one: one["unread"] == 0,
    "unread": lambda one: one["unread"] > 0,
    "priority:4": lambda one: one["priority"] == 4,
    "priority:0": lambda one: one["priority"] == 0,
}


@pytest.mark.parametrize("name", ACTS)
def test_each_act_changes_all_and_its_undo_puts_each_back(
    htmx: Client, five: list[Conversation], name: str
) -> None:
    before = state()
    name_of_act = name.format(tag=Tag.objects.get().pk)

    response = act(htmx, name_of_act, five)
    assert response.status_code == 200
    assert all(ACTS[name](one) for one in state()), state()
    undo(htmx, response)

    assert state() == before


def test_one_word_tells_of_all_and_the_page_learns_which_rows(
    htmx: Client, channel: Channel
) -> None:
    three = make_many(channel, 3)

    response = act(htmx, "done", three)

    assertContains(response, "3 marked as done.")
    assert response["HX-Reswap"] == "none"
    assert json.loads(response["HX-Trigger"]) == {
        "dexra:rows": {"ids": [one.pk for one in three]}
    }
    assertContains(response, 'id="views"')


def test_what_is_refused_is_named_with_its_reason_and_the_others_are_done(
    htmx: Client, channel: Channel
) -> None:
    blocked, fine = make_many(channel, 2)
    Conversation.objects.update(status="closed")
    Conversation.objects.create(channel=channel, identity=blocked.identity)

    response = act(htmx, "reopen", [blocked, fine])

    assertContains(response, "1 opened again. Not done: Person 1: This person has a")
    fine.refresh_from_db()
    assert fine.status == "open"


def test_undo_leaves_alone_what_somebody_changed_since(
    htmx: Client, agent: Agent, channel: Channel
) -> None:
    other = make_agent("omar")
    mine, his = make_many(channel, 2)
    response = act(htmx, "assign:me", [mine, his])
    Conversation.objects.filter(pk=his.pk).update(assignee=other)

    answer = undo(htmx, response)

    assertContains(answer, "1 conversation is as it was.")
    assertContains(answer, "Not done: Person 2: It was changed since.")
    his.refresh_from_db()
    assert his.assignee == other


def test_undo_of_another_agent_or_a_made_up_one_is_refused(
    htmx: Client, conversation: Conversation
) -> None:
    response = act(htmx, "done", [conversation])
    stranger = Client(headers={"HX-Request": "true"})
    stranger.force_login(make_agent("omar"))

    assert undo(stranger, response).status_code == 400
    made_up = htmx.post("/inbox/bulk/undo/", {"was": "x:y"})
    assert made_up.status_code == 400
    conversation.refresh_from_db()
    assert conversation.status == "closed"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("", 400),
        ("erase", 400),
        ("assign:x", 400),
        ("assign:999", 404),
        ("tag:999", 404),
        ("priority:9", 400),
        ("snooze:never", 400),
    ],
)
def test_an_act_that_is_none_changes_nothing(
    htmx: Client, conversation: Conversation, name: str, status: int
) -> None:
    assert act(htmx, name, [conversation]).status_code == status


def test_more_than_a_hundred_at_once_are_refused(
    htmx: Client, conversation: Conversation
) -> None:
    response = htmx.post(
        "/inbox/bulk/", {"act": "done", "conversation": list(range(1, 102))}
    )

    assert response.status_code == 400


def test_what_is_not_there_is_left_out(
    htmx: Client, conversation: Conversation
) -> None:
    response = htmx.post(
        "/inbox/bulk/", {"act": "done", "conversation": [conversation.pk, 999, "x"]}
    )

    assertContains(response, "1 marked as done.")


def test_whoever_may_only_read_changes_none(
    client: Client, conversation: Conversation
) -> None:
    reader = make_agent("reader")
    reader.user_permissions.set([Permission.objects.get(codename="view_conversation")])
    client.force_login(reader)

    assert act(client, "done", [conversation]).status_code == 403
    assert b'id="bulk"' not in client.get("/inbox/all/").content
    conversation.refresh_from_db()
    assert conversation.status == "open"


def test_without_script_the_form_leads_back_to_the_list(
    agent_client: Client, channel: Channel
) -> None:
    conversation = make_conversation(channel)

    response = agent_client.post(
        "/inbox/bulk/?view=all&unread=1",
        {"act": "done", "conversation": [conversation.pk]},
        follow=True,
    )

    assertRedirects(response, "/inbox/all/?unread=1")
    assertContains(response, "1 marked as done.")


def test_reading_is_for_posts_alone(agent_client: Client) -> None:
    assert agent_client.get("/inbox/bulk/").status_code == 405
    assert agent_client.get("/inbox/bulk/undo/").status_code == 405


def test_nobody_who_is_signed_out_changes_many(client: Client, db: None) -> None:
    response = client.post("/inbox/bulk/", {"act": "done"})

    assertRedirects(
        response, "/admin/login/?next=/inbox/bulk/", fetch_redirect_response=False
    )
