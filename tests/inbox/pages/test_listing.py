"""Views, filters and orders of the list, what its rows say, and what it asks of the database."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from inbox.blocking import block_person
from inbox.conversations import add_note
from inbox.models import (
    Agent,
    Channel,
    Conversation,
    Draft,
    Mention,
    Tag,
    Team,
)
from tests.conftest import make_agent
from tests.inbox.pages.conftest import Say, failed
from tests.inbox.pages.test_conversations import make_many, rows_of


def put(conversation: Conversation, **fields: Any) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(**fields)


def shown(client: Client, path: str) -> list[int]:
    return rows_of(client.get(path).content)


def scroll(client: Client, path: str) -> list[int]:
    """Every row of a list, page after page."""
    seen: list[int] = []
    while path:
        html = client.get(path).content
        seen += rows_of(html)
        link = re.search(r'class="dx-more" href="([^"]+)"', html.decode())
        path = link[1].replace("&amp;", "&") if link else ""
    return seen


def counts_of(client: Client) -> dict[str, str]:
    html = client.get("/inbox/all/").content.decode()
    links = re.findall(r'data-view="([^"]+)".*?dx-count">([^<]*)<', html)
    return {view: count for view, count in links if count}


# --- views -----------------------------------------------------------------------------------------


def test_each_further_view_holds_what_it_says_and_counts_it(
    agent_client: Client, agent: Agent, channel: Channel, say: Say
) -> None:
    team = Team.objects.create(name="Returns")
    plain, refused, urgent, comment, story, named, teams, blocked = make_many(
        channel, 8
    )
    say(refused, **failed())
    put(urgent, priority=4)
    say(comment, type="comment", ago=timedelta(0))
    say(story, type="story_reply", ago=timedelta(0))
    add_note(conversation=named, author=make_agent("yassine"), content="@nadia look")
    put(teams, team=team)
    block_person(conversation=blocked, by=agent, is_spam=True)

    views = {
        "failed": [refused.pk],
        "priority": [urgent.pk],
        "comments": [comment.pk],
        "stories": [story.pk],
        "mentions": [named.pk],
        f"team-{team.pk}": [teams.pk],
        "blocked": [blocked.pk],
    }
    counts = counts_of(agent_client)

    assert {view: shown(agent_client, f"/inbox/{view}/") for view in views} == views
    assert {view: counts[view] for view in views} == dict.fromkeys(views, "1")
    assert plain.pk in shown(agent_client, "/inbox/all/")


def test_a_mention_is_counted_until_it_is_seen_and_listed_until_it_is_done(
    agent_client: Client, agent: Agent, conversation: Conversation
) -> None:
    add_note(
        conversation=conversation, author=make_agent("omar"), content="@nadia look"
    )
    assertContains(agent_client.get("/inbox/all/"), "you are mentioned")
    assert counts_of(agent_client)["mentions"] == "1"

    Mention.objects.update(seen_at=now())
    assert shown(agent_client, "/inbox/mentions/") == [conversation.pk]
    assertNotContains(agent_client.get("/inbox/all/"), "you are mentioned")

    put(conversation, status="closed")
    assert shown(agent_client, "/inbox/mentions/") == []


def test_mentions_of_somebody_else_are_not_mine(
    agent_client: Client, conversation: Conversation, db: None
) -> None:
    make_agent("omar")
    add_note(
        conversation=conversation, author=make_agent("yassine"), content="@omar look"
    )

    assert shown(agent_client, "/inbox/mentions/") == []


@pytest.mark.parametrize(
    ("view", "field", "values"),
    [
        ("snoozed", "snoozed_until", [30, 10, 20]),
        ("waiting", "waiting_since", [-10, -30, -20]),
    ],
)
def test_a_view_by_time_begins_with_the_most_urgent(
    agent_client: Client, channel: Channel, view: str, field: str, values: list[int]
) -> None:
    made = make_many(channel, 3)
    for conversation, minutes in zip(made, values, strict=True):
        status = "snoozed" if view == "snoozed" else "open"
        moment = now() + timedelta(minutes=minutes)
        put(conversation, status=status, **{field: moment})

    order = [made[1].pk, made[2].pk, made[0].pk]
    assert shown(agent_client, f"/inbox/{view}/") == order


def test_the_most_urgent_stand_first_and_among_equals_the_newest(
    agent_client: Client, channel: Channel
) -> None:
    low, urgent, older_urgent = make_many(channel, 3)
    for conversation, priority in [(low, 1), (urgent, 4), (older_urgent, 4)]:
        put(conversation, priority=priority)

    assert shown(agent_client, "/inbox/priority/") == [
        urgent.pk,
        older_urgent.pk,
        low.pk,
    ]


# --- filters -----------------------------------------------------------------------------------------


def test_every_filter_narrows_the_list(
    agent_client: Client, agent: Agent, channel: Channel, say: Say
) -> None:
    other, team = make_agent("omar"), Team.objects.create(name="Returns")
    tag = Tag.objects.create(name="VIP")
    mine, his, teams, tagged, comment, new, refused, urgent = make_many(channel, 8)
    put(mine, assignee=agent)
    put(his, assignee=other)
    put(teams, team=team)
    put(tagged, tags=[tag.pk])
    say(comment, type="comment", ago=timedelta(hours=5))
    put(new, unread=2)
    say(refused, **failed(), ago=timedelta(hours=7))
    put(urgent, priority=4)
    every = shown(agent_client, "/inbox/all/")

    for query, expected in {
        "assignee=me": [mine.pk],
        f"assignee={other.pk}": [his.pk],
        "assignee=nobody": [one for one in every if one not in {mine.pk, his.pk}],
        f"team={team.pk}": [teams.pk],
        "team=none": [one for one in every if one != teams.pk],
        f"tag={tag.pk}": [tagged.pk],
        "kind=comment": [comment.pk],
        f"kind={channel.kind}": every,
        f"channel={channel.pk}": every,
        "unread=1": [new.pk],
        "failed=1": [refused.pk],
        "priority=4": [urgent.pk],
        f"assignee=nobody&tag={tag.pk}": [tagged.pk],
        f"assignee=me&tag={tag.pk}": [],
    }.items():
        assert shown(agent_client, f"/inbox/all/?{query}") == expected, query


@pytest.mark.parametrize(
    "query",
    ["tag=999", "tag=x", "assignee=999", "kind=fax", "priority=9"],
)
def test_a_filter_by_what_is_gone_holds_nothing_and_says_so(
    agent_client: Client, conversation: Conversation, query: str
) -> None:
    response = agent_client.get(f"/inbox/all/?{query}")

    assert rows_of(response.content) == []
    assertContains(response, "Nothing matches")
    assertContains(response, "not there any more")


def test_what_is_on_is_named_and_can_be_taken_off(
    agent_client: Client, channel: Channel
) -> None:
    tag = Tag.objects.create(name="VIP")

    html = agent_client.get(
        f"/inbox/all/?tag={tag.pk}&assignee=me&sort=waiting&show=done"
    ).content.decode()

    chips = re.findall(r'dx-tag-x" href="([^"]+)".*?<bdi>([^<]+)</bdi>', html)
    assert [(words, url.replace("&amp;", "&")) for url, words in chips] == [
        ("Assigned to: Me", f"/inbox/all/?show=done&sort=waiting&tag={tag.pk}"),
        ("Tag: VIP", "/inbox/all/?show=done&sort=waiting&assignee=me"),
        ("Waiting longest", f"/inbox/all/?show=done&assignee=me&tag={tag.pk}"),
    ]


def test_the_address_says_only_what_is_on(htmx: Client, channel: Channel) -> None:
    response = htmx.get("/inbox/all/?channel=&assignee=me&team=&unread=&sort=newest")

    assert response["HX-Push-Url"] == "/inbox/all/?assignee=me"


# --- orders ------------------------------------------------------------------------------------------

ORDERS = {
    "newest": ["-last_message_at", "-pk"],
    "oldest": ["last_message_at", "pk"],
    "waiting": ["waiting_since", "pk"],
    "closing": ["window_expires_at", "pk"],
}


@pytest.mark.parametrize(
    ("path", "order"),
    [(f"/inbox/all/?sort={name}", order) for name, order in ORDERS.items()]
    + [
        ("/inbox/priority/", ["-priority", "-last_message_at", "-pk"]),
        ("/inbox/snoozed/", ["snoozed_until", "pk"]),
    ],
)
def test_every_order_is_read_to_its_end_with_each_row_once(
    agent_client: Client, channel: Channel, path: str, order: list[str]
) -> None:
    moment = now()
    for n, conversation in enumerate(make_many(channel, 65)):
        put(
            conversation,
            last_message_at=moment - timedelta(minutes=n // 3),
            waiting_since=moment - timedelta(minutes=n // 4),
            window_expires_at=moment + timedelta(minutes=60 + n // 5),
            snoozed_until=moment + timedelta(minutes=60 + n // 5),
            priority=1 + n % 4,
            status="snoozed" if "snoozed" in path else "open",
        )

    assert scroll(agent_client, path) == list(
        Conversation.objects.order_by(*order).values_list("pk", flat=True)
    )


def test_a_cursor_of_one_order_is_refused_by_another(
    agent_client: Client, channel: Channel
) -> None:
    make_many(channel, 31)
    html = agent_client.get("/inbox/all/?sort=oldest").content.decode()
    link = re.search(r'class="dx-more" href="([^"]+)"', html)
    assert link
    other = link[1].replace("&amp;", "&").replace("sort=oldest", "sort=newest")

    assert agent_client.get(other).status_code == 400


# --- rows --------------------------------------------------------------------------------------------


def test_a_draft_of_mine_stands_in_my_list_alone(
    agent_client: Client, agent: Agent, conversation: Conversation, say: Say
) -> None:
    say(conversation, "Is this available?")
    Draft.objects.create(
        agent=agent, conversation=conversation, mode="note", content="older"
    )
    Draft.objects.create(
        agent=agent, conversation=conversation, mode="reply", content="Yes,\nin blue"
    )
    other = Client()
    other.force_login(make_agent("omar"))

    page = agent_client.get("/inbox/all/")
    assertContains(page, "Draft:")
    assertContains(page, "Yes, in blue")
    assertContains(other.get("/inbox/all/"), "Is this available?")
    assertNotContains(other.get("/inbox/all/"), "Draft:")


def test_a_row_says_until_when_it_sleeps_how_urgent_it_is_and_what_was_not_sent(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    say(conversation, **failed())
    say(conversation, "Hello?", ago=timedelta(0))
    until = now() + timedelta(minutes=1)
    put(conversation, status="snoozed", snoozed_until=until, priority=4)

    response = agent_client.get("/inbox/snoozed/")

    for words in ("Snoozed until", "Priority: Urgent", "A reply was not sent"):
        assertContains(response, words)


def test_drafts_and_mentions_of_all_rows_are_one_statement(
    agent_client: Client, agent: Agent, channel: Channel
) -> None:
    for conversation in make_many(channel, 20):
        Draft.objects.create(
            agent=agent, conversation=conversation, mode="reply", content="Yes"
        )

    with CaptureQueriesContext(connection) as queries:
        agent_client.get("/inbox/all/")

    assert len([q for q in queries if "from inbox_draft" in q["sql"]]) == 1


# --- nothing to show ---------------------------------------------------------------------------------


def test_an_empty_view_leads_on_to_where_there_is_work(
    agent_client: Client, conversation: Conversation
) -> None:
    response = agent_client.get("/inbox/mentions/")

    assertContains(response, "1 conversation is waiting for someone")
    assertContains(response, "Go to Unassigned")


def test_nothing_matches_names_the_filters_and_clears_them(
    agent_client: Client, conversation: Conversation
) -> None:
    response = agent_client.get("/inbox/all/?unread=1&assignee=me&q=salma")

    assertContains(response, "No results for “salma”")
    assertContains(response, "<bdi>Assigned to: Me</bdi>, <bdi>Unread</bdi>")
    assertContains(response, 'href="/inbox/all/?q=salma">Clear filters')


# --- at any size -------------------------------------------------------------------------------------

FILL = """
insert into inbox_contact (name, email, phone, attributes, avatar_url, created_at)
select 'Person ' || n, '', '', '{}', '', now() from generate_series(1, %(count)s) n;
insert into inbox_channelidentity (channel_id, external_id, contact_id, username, name, avatar_url,
    profile, window_reason, is_spam, created_at, blocked_at)
select %(channel)s, 'p' || n, c.id, '', 'Person ' || n, '', '{}', '', false, now(),
       case when n %% 4000 = 0 then now() end
  from (select id, row_number() over (order by id) n from inbox_contact) c;
insert into inbox_conversation (channel_id, identity_id, status, tags, priority, subject, held_by,
    referral, unread, failed, last_message, last_message_at, revision, sequence, created_at, updated_at,
    waiting_since, window_expires_at, snoozed_until, assignee_id, team_id)
select %(channel)s, i.id, case when n %% 50 = 0 then 'snoozed' when n %% 2 = 0 then 'closed' else 'open' end,
       case when n %% 401 = 0 then array[%(tag)s] else '{}'::int[] end,
       case when n %% 301 = 0 then 4 else 0 end, '', '', '{}', case when n %% 101 = 0 then 1 else 0 end,
       case when n %% 501 = 0 then 1 else 0 end,
       jsonb_build_object('type', case when n %% 701 = 0 then 'comment' when n %% 703 = 0 then 'story_reply' else 'text' end),
       now() - n * interval '1 minute', 0, 0, now(), now(),
       case when n %% 7 = 0 then now() - n * interval '1 minute' end, now() + (n - 100) * interval '1 minute',
       case when n %% 50 = 0 then now() + n * interval '1 minute' end,
       case when n %% 601 = 0 then %(agent)s end, case when n %% 801 = 0 then %(team)s end
  from (select id, row_number() over (order by id) n from inbox_channelidentity) i;
analyze inbox_contact, inbox_channelidentity, inbox_conversation"""
MANY = 20_000


@pytest.fixture
def filled(agent: Agent, channel: Channel) -> dict[str, int]:
    tag, team = Tag.objects.create(name="VIP"), Team.objects.create(name="Returns")
    ids = {
        "channel": channel.pk,
        "tag": tag.pk,
        "team": team.pk,
        "agent": agent.pk,
    }
    with connection.cursor() as cursor:
        for statement in FILL.split(";\n"):
            named = {**ids, "count": MANY}
            cursor.execute(statement, named if "%(" in statement else None)
    return ids


def explain(sql: str) -> list[dict[str, Any]]:
    """The nodes of the plan as it ran, flat."""
    with connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, format json) {sql}")
        nodes = [cursor.fetchone()[0][0]["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
    return nodes


def touched(nodes: list[dict[str, Any]]) -> int:
    """How many rows of conversations were looked at."""
    return sum(
        round(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
            * node["Actual Loops"]
        )
        for node in nodes
        if node.get("Relation Name") == "inbox_conversation"
    )


@pytest.mark.parametrize(
    "path",
    [
        "/inbox/all/",
        "/inbox/all/?sort=oldest",
        "/inbox/all/?sort=waiting",
        "/inbox/all/?sort=closing",
        "/inbox/all/?show=done",
        "/inbox/all/?unread=1",
        "/inbox/all/?failed=1",
        "/inbox/mine/",
        "/inbox/unassigned/",
        "/inbox/mentions/",
        "/inbox/snoozed/",
        "/inbox/closing/",
        "/inbox/failed/",
        "/inbox/waiting/",
        "/inbox/priority/",
        "/inbox/comments/",
        "/inbox/stories/",
        "/inbox/blocked/",
        "/inbox/done/",
        "/inbox/channel-{channel}/",
        "/inbox/tag-{tag}/",
        "/inbox/team-{team}/",
    ],
)
def test_no_view_looks_at_more_than_a_few_rows_of_many(
    agent_client: Client, filled: dict[str, int], path: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        agent_client.get(path.format(**filled))

    (rows,) = [q["sql"] for q in queries if "LIMIT 31" in q["sql"]]
    nodes = explain(rows)
    scans = [one["Node Type"] for one in nodes if "inbox_conversation" in str(one)]
    assert not [one for one in scans if one == "Seq Scan"], path
    assert touched(nodes) <= 600, path


def test_all_counts_together_look_at_a_few_rows_of_many(
    agent_client: Client, filled: dict[str, int]
) -> None:
    with CaptureQueriesContext(connection) as queries:
        agent_client.get("/inbox/all/")

    counts = [q["sql"] for q in queries if "count(*)" in q["sql"]]
    assert len(counts) == 2
    nodes = [node for sql in counts for node in explain(sql)]
    scans = [n for n in nodes if n.get("Relation Name") == "inbox_conversation"]
    assert not [n for n in scans if n["Node Type"] == "Seq Scan"]
    assert touched(nodes) <= 4000
