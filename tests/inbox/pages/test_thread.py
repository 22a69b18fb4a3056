"""A thread from any place in it: what an address shows, what is asked for again, notes of one's own."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from inbox.models import (
    Agent,
    AuditEntry,
    Channel,
    Conversation,
    Mention,
    Message,
    Preferences,
)
from inbox.pages import thread
from tests.conftest import make_agent, make_commenter, make_conversation
from tests.fakes import FakeAdapter
from tests.inbox.pages.conftest import HTMX, Say
from tests.inbox.pages.test_messages import ids_of

pytestmark = pytest.mark.django_db


def fill(conversation: Conversation, count: int) -> list[Message]:
    """So many messages, a minute apart, oldest first."""
    start = now() - timedelta(minutes=count + 1)
    return Message.objects.bulk_create(
        (
            Message(
                conversation=conversation,
                channel=conversation.channel,
                direction="in",
                source="customer",
                status="received",
                content=f"Nr {n}",
                sent_at=start + timedelta(minutes=n),
            )
            for n in range(count)
        ),
        batch_size=1000,
    )


def statements(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


# --- an address of a message -----------------------------------------------------------------------


def test_an_address_opens_the_thread_around_its_message(
    agent_client: Client, conversation: Conversation
) -> None:
    messages = [one.pk for one in fill(conversation, 100)]

    html = agent_client.get(
        f"/inbox/all/c/{conversation.pk}/?message={messages[50]}"
    ).content

    assert ids_of(html) == messages[30:71]
    assert re.findall(rb'id="m-(\d+)"[^>]* data-target', html) == [
        str(messages[50]).encode()
    ]
    assert b"data-is-old" in html


@pytest.mark.parametrize("at", [0, -1])
def test_the_first_and_the_last_message_have_an_address_too(
    agent_client: Client, conversation: Conversation, at: int
) -> None:
    messages = [one.pk for one in fill(conversation, 100)]

    html = agent_client.get(
        f"/inbox/all/c/{conversation.pk}/?message={messages[at]}"
    ).content

    shown = messages[:21] if at == 0 else messages[-21:]
    assert ids_of(html) == shown
    assert (b"data-is-old" in html) == (at == 0)


@pytest.mark.parametrize("wrong", ["0", "x", "-1", str(2**70), "٣"])
def test_an_address_of_nothing_says_so_and_shows_the_end(
    agent_client: Client, conversation: Conversation, wrong: str
) -> None:
    last = fill(conversation, 60)[-1]

    response = agent_client.get(f"/inbox/all/c/{conversation.pk}/?message={wrong}")

    assertContains(response, "The message you were led to is not in this conversation")
    assert ids_of(response.content)[-1] == last.pk


def test_a_message_of_somebody_else_is_not_shown_by_its_address(
    agent_client: Client, conversation: Conversation, channel: Channel, say: Say
) -> None:
    other = make_conversation(channel, name="Hajar", person_id="person-2")
    foreign = say(other, "Nobody else's business")

    page = agent_client.get(f"/inbox/all/c/{conversation.pk}/?message={foreign.pk}")
    part = agent_client.get(
        f"/inbox/c/{conversation.pk}/messages/?around={foreign.pk}", headers=HTMX
    )

    assertContains(page, "is not in this conversation")
    thread_html = page.content.decode().split('id="msgs"')[1].split("</main>")[0]
    assert "Nobody else" not in thread_html
    assert part.status_code == 404


def test_a_place_in_a_long_thread_costs_no_more_than_in_a_short_one(
    htmx: Client, conversation: Conversation
) -> None:
    path = f"/inbox/c/{conversation.pk}/messages/?around="
    few = fill(conversation, 45)
    short = statements(htmx, f"{path}{few[22].pk}")
    many = fill(conversation, 3000)

    for message in (many[10], many[1500], many[-100]):
        assert statements(htmx, f"{path}{message.pk}") == short
    # What has nothing behind it needs nothing read for that.
    assert statements(htmx, f"{path}{many[-1].pk}") <= short


@pytest.mark.parametrize("query", ["before={}", "after={}"])
def test_what_lies_beside_a_message_is_read_by_its_index_alone(
    htmx: Client, conversation: Conversation, query: str
) -> None:
    messages = fill(conversation, 4000)
    with connection.cursor() as cursor:
        cursor.execute("analyze inbox_message")

    with CaptureQueriesContext(connection) as queries:
        htmx.get(
            f"/inbox/c/{conversation.pk}/messages/?{query.format(messages[2000].pk)}"
        )

    (read,) = [q["sql"] for q in queries if "LIMIT 41" in q["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, format json) {read}")
        nodes = [cursor.fetchone()[0][0]["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
    rows = [
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        for node in nodes
        if node.get("Relation Name") == "inbox_message"
    ]
    assert max(rows) <= 45


def test_newer_messages_follow_to_the_end_each_once(
    htmx: Client, agent_client: Client, conversation: Conversation
) -> None:
    messages = [one.pk for one in fill(conversation, 130)]
    html = agent_client.get(
        f"/inbox/all/c/{conversation.pk}/?message={messages[0]}"
    ).content.decode()
    seen = ids_of(html.encode())

    while link := re.search(r'id="newer"[^>]*data-url="([^"]+)"', html):
        html = htmx.get(link[1]).content.decode()
        seen += ids_of(html.encode())

    assert seen == messages


def test_a_message_that_is_gone_leads_nowhere(
    htmx: Client, conversation: Conversation
) -> None:
    path = f"/inbox/c/{conversation.pk}/messages/?before=999999"

    assert htmx.get(path).status_code == 404


# --- what is drawn again --------------------------------------------------------------------------


def test_a_refresh_is_bounded_without_gaps_however_far_back_the_page_begins(
    htmx: Client, conversation: Conversation
) -> None:
    messages = [one.pk for one in fill(conversation, 1000)]
    path = f"/inbox/c/{conversation.pk}/messages/?from="

    html = htmx.get(f"{path}{messages[0]}").content

    assert ids_of(html) == messages[: thread.MAX_REFRESHED]
    assert re.search(rb'id="newer" href', html)
    assert statements(htmx, f"{path}{messages[0]}") == statements(
        htmx, f"{path}{messages[-3]}"
    )


def test_a_refresh_from_a_message_that_is_gone_says_which(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    say(conversation)

    response = htmx.get(f"/inbox/c/{conversation.pk}/messages/?from=999999")

    assertContains(response, 'data-gone="999999"')


# --- notes ----------------------------------------------------------------------------------------


@pytest.fixture
def note(htmx: Client, agent: Agent, conversation: Conversation) -> Message:
    make_agent("yassine", first_name="Yassine")
    htmx.post(
        f"/inbox/c/{conversation.pk}/notes/",
        {"content": "@yassine and @nobody: <b>see</b> https://x.example/a", "key": "n"},
    )
    return conversation.messages.get(direction="note")


def test_who_a_note_calls_is_marked_and_whoever_reads_it_stronger(
    agent_client: Client, note: Message
) -> None:
    yassine = Client()
    yassine.force_login(Agent.objects.get(username="yassine"))
    path = f"/inbox/all/c/{note.conversation.pk}/"

    mine, his = (one.get(path).content.decode() for one in (agent_client, yassine))

    assert '<mark class="dx-mention"><bdi>@yassine</bdi></mark>' in mine
    assert '<mark class="dx-mention dx-mention-me"><bdi>@yassine</bdi></mark>' in his
    assert "and @nobody: &lt;b&gt;see&lt;/b&gt; <a href=" in mine


def test_a_note_is_deleted_by_its_author_and_the_audit_knows(
    htmx: Client, agent: Agent, note: Message
) -> None:
    conversation = note.conversation
    html = htmx.get(f"/inbox/c/{conversation.pk}/messages/").content.decode()
    assert f"/inbox/messages/{note.pk}/discard/" in html

    response = htmx.post(f"/inbox/messages/{note.pk}/discard/")

    assertNotContains(response, "yassine")
    assert not conversation.messages.exists()
    assert not Mention.objects.exists()
    entry = AuditEntry.objects.get(action="note_deleted")
    assert (entry.agent, entry.details["note"]) == (agent, note.pk)
    assert "yassine" not in str(entry.details)


def test_nobody_deletes_or_rewrites_the_note_of_somebody_else(note: Message) -> None:
    yassine = Client(headers=HTMX)
    yassine.force_login(Agent.objects.get(username="yassine"))

    for act in ("discard", "edit"):
        response = yassine.post(f"/inbox/messages/{note.pk}/{act}/")
        assert response.status_code == 409
        assertContains(response, "Only who wrote a note", status_code=409)
    assert Message.objects.filter(pk=note.pk).exists()


def test_a_note_just_written_is_written_anew(htmx: Client, note: Message) -> None:
    response = htmx.post(f"/inbox/messages/{note.pk}/edit/")

    assertContains(response, 'data-mode="note"')
    assertContains(response, "@yassine and @nobody")
    assert not Message.objects.filter(pk=note.pk).exists()


def test_a_note_that_colleagues_have_read_is_not_rewritten(
    htmx: Client, note: Message
) -> None:
    Message.objects.filter(pk=note.pk).update(sent_at=now() - timedelta(hours=1))

    response = htmx.post(f"/inbox/messages/{note.pk}/edit/")

    assertContains(response, "Colleagues may have read it", status_code=409)
    assertNotContains(
        htmx.get(f"/inbox/c/{note.conversation.pk}/messages/"), "Undo and edit"
    )


# --- answers to comments wait too -----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["public", "private"])
def test_an_answer_to_a_comment_can_be_taken_back_while_it_waits(
    htmx: Client, agent: Agent, channel: Channel, fake_adapter: FakeAdapter, mode: str
) -> None:
    Preferences.objects.create(agent=agent, undo_seconds=10)
    comment = make_commenter(channel)
    htmx.post(
        f"/inbox/comments/{comment.pk}/reply/{mode}/", {"content": "Hello", "key": "k"}
    )
    answer = comment.conversation.messages.outbound().get()
    assert answer.next_attempt_at is not None
    assert answer.next_attempt_at > now() + timedelta(seconds=5)

    html = htmx.post(f"/inbox/messages/{answer.pk}/edit/").content.decode()

    assert not comment.conversation.messages.outbound().exists()
    assert f'data-mode="{mode}"' in html
    assert ">Hello</textarea>" in html
    assert fake_adapter.sent == []


# --- on to the administration ---------------------------------------------------------------------


def test_more_leads_to_the_administration_only_those_who_may_see_it(
    agent: Agent, agent_client: Client, conversation: Conversation
) -> None:
    path = f"/inbox/c/{conversation.pk}/more/"
    url = f"/admin/inbox/conversation/{conversation.pk}/change/"
    assertContains(agent_client.get(path), url)
    assert agent_client.get(url).status_code == 200

    # Whoever may work in the inbox may look there; nobody else sees either.
    agent.user_permissions.remove(Permission.objects.get(codename="view_conversation"))

    assert agent_client.get(path).status_code in {302, 403}
