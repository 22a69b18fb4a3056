"""Complaints about lists, search and counts."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inbox.models import Agent, Channel, Conversation, Message, Tag, Team
from inbox.pages import searching
from tests.inbox.pages.conftest import say
from tests.inbox.pages.test_conversations import make_many
from tests.inbox.pages.test_listing import MANY, explain, filled, touched
from tests.inbox.pages.test_search import hits

__all__ = ["filled", "say"]
pytestmark = pytest.mark.django_db


def test_case_49_a_list_of_many_thousands_opens_as_one_of_a_hundred(
    agent_client: Client, filled: dict[str, int]
) -> None:
    def open_list() -> tuple[int, int]:
        """Its statements, and the rows of conversations that all of them look at."""
        agent_client.get("/inbox/all/")
        with CaptureQueriesContext(connection) as queries:
            assert agent_client.get("/inbox/all/").status_code == 200
        reads = [q["sql"] for q in queries if '"inbox_conversation"' in q["sql"]]
        return len(queries), sum(touched(explain(sql)) for sql in reads)

    assert Conversation.objects.count() == MANY
    statements, rows = open_list()
    newest = Conversation.objects.order_by("-last_message_at").values("pk")[:100]
    Conversation.objects.exclude(
        pk__in=list(newest.values_list("pk", flat=True))
    ).delete()

    assert open_list()[0] == statements
    assert rows <= 200


def test_case_53_search_reaches_all_history_and_pages_on(
    agent_client: Client, channel: Channel
) -> None:
    conversation = make_many(channel, 1)[0]
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into inbox_message (conversation_id, channel_id, direction, source, author_name,"
            " type, content, status, attempts, error_class, error_code, error_detail, extra, sent_at,"
            " is_stub, search_text)"
            " select %s, %s, 'in', 'customer', '', 'text', 'babouche', 'received', 0, '', '', '', '{}',"
            " now() - n * interval '3 hours', false, case when n %% 300 = 0 then 'babouche' else 'x' end"
            " from generate_series(1, %s) n",
            [conversation.pk, channel.pk, searching.MESSAGES_WALKED * 2],
        )
    found, path = [], "/inbox/all/?q=babou"
    while path:
        html = agent_client.get(path).content.decode()
        found += hits(html)
        link = re.search(r'class="dx-more" href="([^"]+)"', html)
        path = link[1].replace("&amp;", "&") if link else ""

    everything = Message.objects.filter(search_text="babouche").order_by("-sent_at")
    assert found == list(everything.values_list("pk", flat=True))
    assert len(found) == searching.MESSAGES_WALKED * 2 // 300


def test_case_54_every_queue_shows_its_count(
    agent_client: Client, agent: Agent, channel: Channel
) -> None:
    tag, team = Tag.objects.create(name="VIP"), Team.objects.create(name="Returns")
    agent_client.post("/inbox/views/?view=all&unread=1", {"name": "New ones"})
    Conversation.objects.filter(
        pk__in=[one.pk for one in make_many(channel, 3)]
    ).update(tags=[tag.pk], team=team, assignee=agent, unread=1)

    with CaptureQueriesContext(connection) as queries:
        html = agent_client.get("/inbox/all/").content.decode()

    nav = html[
        html.index('id="views"') : html.index("</nav>", html.index('id="views"'))
    ]
    shown = dict(re.findall(r'data-view="([^"]+)".*?dx-count">([^<]*)<', nav))
    for view in (
        "mine",
        "all",
        f"channel-{channel.pk}",
        f"tag-{tag.pk}",
        f"team-{team.pk}",
    ):
        assert shown[view] == "3", view
    assert [count for view, count in shown.items() if view.startswith("saved-")] == [
        "3"
    ]
    # What all see alike, and what is the agent's own.
    assert len([q for q in queries if "count(*)" in q["sql"]]) == 2
