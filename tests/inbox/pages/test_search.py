"""Search: whom and what it finds, marked, to the end of all history."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from inbox.models import Agent, Channel, Conversation, Message, Tag
from inbox.pages import searching
from inbox.pages.marking import excerpt, mark
from tests.conftest import make_agent, make_conversation
from tests.inbox.pages.conftest import Say
from tests.inbox.pages.test_conversations import make_many, rows_of


def search(client: Client, words: str, view: str = "all", **filters: str) -> str:
    return client.get(f"/inbox/{view}/", {"q": words, **filters}).content.decode()


def people(html: str) -> list[int]:
    return rows_of(html.encode())


def hits(html: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'id="hit-(\d+)"', html)]


@pytest.fixture
def salma(channel: Channel) -> Conversation:
    """Known by everything a person can be known by, beside somebody else."""
    make_conversation(channel, name="Somebody Else", person_id="other")
    conversation = make_conversation(channel, name="Salma Benaïssa-أحمد")
    identity, contact = conversation.identity, conversation.identity.contact
    identity.username = "salma_shop.example"
    identity.save()
    contact.name, contact.email = "Große Freundin", "s.benaissa@example.com"
    contact.phone = "+212612345678"
    contact.save()
    return conversation


@pytest.mark.parametrize(
    "words",
    [
        "salma",
        "SALM",
        "benaissa salma",
        "احمد",
        "@salma_sh",
        "shop.example",
        "grosse",
        "Große",
        "s.benaissa@example.com",
        "benaissa@ex",
        "+212612345678",
        "0612 34 56 78",
        "612345678",
        "+212 612",
    ],
)
def test_people_are_found_by_all_they_are_known_by(
    agent_client: Client, salma: Conversation, words: str
) -> None:
    assert people(search(agent_client, words)) == [salma.pk]


@pytest.mark.parametrize("words", ["alma", "salma else", "0699999999"])
def test_people_are_not_found_by_what_they_are_not(
    agent_client: Client, salma: Conversation, words: str
) -> None:
    assert people(search(agent_client, words)) == []


@pytest.mark.parametrize(
    "words", ["café", "cafe creme", "CAF", "الأخضر", "اخضر", "crème cafe"]
)
def test_messages_are_found_by_words_and_their_beginnings(
    agent_client: Client, conversation: Conversation, say: Say, words: str
) -> None:
    say(conversation, "Something else")
    message = say(conversation, "Un CAFÉ crème, الأخضر اخضر")

    assert hits(search(agent_client, words)) == [message.pk]


def test_a_tag_finds_its_conversations(agent_client: Client, channel: Channel) -> None:
    tag = Tag.objects.create(name="Réclamation")
    tagged, _other = make_many(channel, 2)
    Conversation.objects.filter(pk=tagged.pk).update(tags=[tag.pk])

    html = search(agent_client, "reclam")

    assert people(html) == [tagged.pk]
    assert "<mark>Réclam</mark>ation" in html


def test_notes_of_colleagues_are_found_and_say_whose_they_are(
    agent_client: Client, agent: Agent, conversation: Conversation, say: Say
) -> None:
    say(
        conversation,
        "Parcel TR-88213",
        direction="note",
        source="agent",
        author_name="Yassine",
    )

    page = search(agent_client, "tr-88213")
    assert "Note by Yassine:" in page
    assert "Parcel <mark>TR</mark>-<mark>88213</mark>" in page


def test_a_hit_leads_to_its_message_in_its_thread(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Is this in blue?")

    html = search(agent_client, "blue", view="unassigned")

    url = f"/inbox/unassigned/c/{conversation.pk}/?q=blue&amp;message={message.pk}"
    assert f'href="{url}"' in html
    assert agent_client.get(url.replace("&amp;", "&")).status_code == 200


def test_what_was_found_is_marked_and_everything_is_escaped(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    say(conversation, "<script>blue</script> & <b>Bluebell</b>")

    html = search(agent_client, "<blue>")

    assert (
        "&lt;script&gt;<mark>blue</mark>&lt;/script&gt; &amp; &lt;b&gt;<mark>Blue</mark>bell"
        in html
    )


@pytest.mark.parametrize(
    ("text", "words", "marked"),
    [
        ("Un CAFÉ crème", "cafe", ["CAFÉ"]),
        ("الأخضر هنا", "الاخ", ["الأخ"]),
        ("Große Straße", "gros strasse", ["Große", "Straße"]),
        ("a b a", "a", ["a", "a"]),
        ("مُحَمَّد", "محمد", ["مُحَمَّد"]),
        ("nothing", "", []),
    ],
)
def test_words_are_marked_as_they_stand_in_the_text(
    text: str, words: str, marked: list[str]
) -> None:
    pieces = mark(text, words)

    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, is_match in pieces if is_match] == marked


def test_a_long_message_is_cut_around_what_was_found() -> None:
    cut = excerpt("word " * 100 + "needle here " + "word " * 100, "needle")

    assert cut.startswith("…word word")
    assert "needle here" in cut
    assert len(cut) <= 130


def test_a_search_looks_through_all_states_and_can_be_narrowed(
    agent_client: Client, agent: Agent, channel: Channel, say: Say
) -> None:
    open_one, done, mine = make_many(channel, 3)
    said = {one.pk: say(one, "blue").pk for one in (open_one, done, mine)}
    Conversation.objects.filter(pk=done.pk).update(status="closed")
    Conversation.objects.filter(pk=mine.pk).update(assignee=agent)

    assert sorted(hits(search(agent_client, "blue"))) == sorted(said.values())
    assert hits(search(agent_client, "blue", show="done")) == [said[done.pk]]
    assert hits(search(agent_client, "blue", assignee="me")) == [said[mine.pk]]
    assert hits(search(agent_client, "blue", view="mine")) == [said[mine.pk]]
    assertContains(agent_client.get("/inbox/mine/?q=blue"), 'href="/inbox/all/?q=blue"')


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_search_reads_on_to_the_very_first_message(
    agent_client: Client,
    conversation: Conversation,
    say: Say,
    settings: object,
    order: str,
) -> None:
    at = now() - timedelta(days=700)
    Message.objects.bulk_create(
        (
            Message(
                conversation=conversation,
                channel=conversation.channel,
                direction="in",
                source="customer",
                status="received",
                content="blue",
                search_text="blue" if n % 200 else "red",
                sent_at=at + timedelta(minutes=n // 3),
            )
            for n in range(searching.MESSAGES_WALKED + 600)
        ),
        batch_size=2000,
    )
    # Rare: only the index of words reaches it, beyond the messages that are walked.
    old, path, seen = [], f"/inbox/all/?q=red&sort={order}", 0
    while path:
        html = agent_client.get(path).content.decode()
        old += hits(html)
        seen += 1
        link = re.search(r'class="dx-more" href="([^"]+)"', html)
        path = link[1].replace("&amp;", "&") if link else ""

    sign = "-" if order == "newest" else ""
    expected = Message.objects.filter(search_text="red")
    assert old == list(
        expected.order_by(f"{sign}sent_at", f"{sign}pk").values_list("pk", flat=True)
    )
    assert seen == 2


def test_people_come_before_messages_and_both_are_read_to_the_end(
    agent_client: Client, channel: Channel, say: Say
) -> None:
    for n, conversation in enumerate(make_many(channel, 40)):
        say(conversation, f"Blue person {n}", ago=timedelta(minutes=n))
    found_people, found_hits, path = [], [], "/inbox/all/?q=person"
    while path:
        html = agent_client.get(path).content.decode()
        found_people += people(html)
        found_hits += hits(html)
        link = re.search(r'class="dx-more" href="([^"]+)"', html)
        path = link[1].replace("&amp;", "&") if link else ""

    assert len(found_people) == len(set(found_people)) == 40
    assert len(found_hits) == len(set(found_hits)) == 40


def test_what_was_unsent_is_taken_from_an_open_search(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    message, other = say(conversation, "A blue secret"), say(conversation, "blue")
    Message.objects.filter(pk=message.pk).update(content="", search_text="")

    html = htmx.get(
        f"/inbox/all/rows/?q=blue&ids={conversation.pk}&hits={message.pk},{other.pk}"
    ).content.decode()

    assert hits(html) == [other.pk]
    assert "secret" not in html


def test_search_shows_nothing_to_whoever_may_see_nothing(
    client: Client, conversation: Conversation, say: Say
) -> None:
    say(conversation, "blue")
    stranger = make_agent("stranger")
    stranger.user_permissions.clear()
    client.force_login(stranger)

    assertNotContains(client.get("/inbox/all/?q=blue"), "<mark>blue", status_code=403)


FILL = """
insert into inbox_contact (name, email, phone, attributes, avatar_url, created_at)
select 'Contact ' || n, 'c' || n || '@example.com', '', '{}', '', now() from generate_series(1, 20000) n;
insert into inbox_channelidentity (channel_id, external_id, contact_id, username, name, avatar_url,
    profile, window_reason, is_spam, created_at)
select %(channel)s, 'p' || id, id, 'handle' || id, 'Person ' || id, '', '{}', '', false, now()
  from inbox_contact;
insert into inbox_conversation (channel_id, identity_id, status, tags, priority, subject, held_by,
    referral, unread, failed, last_message, last_message_at, revision, sequence, created_at, updated_at)
select channel_id, id, 'open', '{}', 0, '', '', '{}', 0, 0, '{}', now(), 0, 0, now(), now()
  from inbox_channelidentity;
analyze inbox_contact, inbox_channelidentity, inbox_conversation"""


def test_names_are_found_by_an_index(agent_client: Client, channel: Channel) -> None:
    with connection.cursor() as cursor:
        for statement in FILL.split(";\n"):
            named = {"channel": channel.pk}
            cursor.execute(statement, named if "%(" in statement else None)

    with CaptureQueriesContext(connection) as queries:
        agent_client.get("/inbox/all/?q=c19999@example.com")

    (sql,) = [
        q["sql"] for q in queries if "LIMIT 31" in q["sql"] and "UNION" in q["sql"]
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"explain {sql}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "identity_search" in plan, plan
    assert "contact_search" in plan, plan
    assert "Seq Scan on inbox_conversation" not in plan, plan
