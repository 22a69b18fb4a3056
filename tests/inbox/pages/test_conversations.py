"""The list and the conversation pages, and what an agent does with a conversation."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from inbox.models import (
    Agent,
    Attachment,
    Channel,
    Conversation,
    Reaction,
    Tag,
)
from tests.conftest import make_agent, make_conversation
from tests.inbox.pages.conftest import HTMX, Say, failed


def rows_of(html: bytes) -> list[int]:
    return [
        int(pk)
        for pk in re.findall(r'<a class="dx-row[^"]*" id="row-(\d+)"', html.decode())
    ]


def make_many(channel: Channel, count: int) -> list[Conversation]:
    return [
        make_conversation(
            channel, name=f"Person {n}", person_id=f"many-{n}", wrote=timedelta(hours=n)
        )
        for n in range(1, count + 1)
    ]


# --- the door ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/inbox/",
        "/inbox/mine/",
        "/inbox/all/c/1/",
        "/inbox/counts/",
        "/inbox/all/rows/",
    ],
)
def test_somebody_who_is_not_signed_in_is_asked_to(
    client: Client, db: None, path: str
) -> None:
    response = client.get(path)

    assertRedirects(
        response, f"/admin/login/?next={path}", fetch_redirect_response=False
    )


def test_a_fragment_for_somebody_who_is_signed_out_is_answered_401(
    client: Client, db: None
) -> None:
    response = client.get("/inbox/mine/", headers=HTMX)

    assert (response.status_code, response.content) == (401, b"")


def test_an_agent_without_the_permission_may_not_look(client: Client, db: None) -> None:
    stranger = make_agent("stranger")
    stranger.user_permissions.clear()
    client.force_login(stranger)

    response = client.get("/inbox/all/")

    assertContains(response, "You may not open this page", status_code=403)


def test_somebody_who_is_not_staff_is_asked_to_sign_in_as_somebody_else(
    client: Client, db: None
) -> None:
    client.force_login(make_agent("customer", is_staff=False))

    response = client.get("/inbox/all/", follow=True)

    assertContains(response, "who may not open this page")


def test_the_inbox_begins_with_what_is_mine(agent_client: Client) -> None:
    assertRedirects(agent_client.get("/inbox/"), "/inbox/mine/")


@pytest.mark.parametrize(
    "path", ["/inbox/all/", "/inbox/all/c/{pk}/", "/inbox/counts/", "/inbox/all/rows/"]
)
def test_pages_are_read_not_posted_to(
    agent_client: Client, conversation: Conversation, path: str
) -> None:
    assert agent_client.post(path.format(pk=conversation.pk)).status_code == 405


@pytest.mark.parametrize("act", ["close", "reopen", "read", "notes", "unread", "block"])
def test_acts_are_posted_not_read(
    agent_client: Client, conversation: Conversation, act: str
) -> None:
    assert agent_client.get(f"/inbox/c/{conversation.pk}/{act}/").status_code == 405


@pytest.mark.parametrize(
    "act", ["assign", "close", "reopen", "read", "notes", "messages"]
)
@pytest.mark.parametrize("pk", [999_999, 2**70])
def test_acts_on_a_conversation_that_is_not_there_are_not_found(
    agent_client: Client, act: str, pk: int
) -> None:
    assert agent_client.post(f"/inbox/c/{pk}/{act}/").status_code == 404


@pytest.mark.parametrize("act", ["assign", "close", "reopen"])
def test_whoever_may_only_read_changes_nothing(
    client: Client, conversation: Conversation, act: str
) -> None:
    reader = make_agent("reader")
    reader.user_permissions.set([Permission.objects.get(codename="view_conversation")])
    client.force_login(reader)

    response = client.post(f"/inbox/c/{conversation.pk}/{act}/", {"to": "me"})

    conversation.refresh_from_db()
    assert response.status_code == 403
    assert (conversation.assignee, conversation.status) == (None, "open")


def test_a_form_without_its_token_is_refused(
    agent: Agent, conversation: Conversation
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(agent)

    response = client.post(f"/inbox/c/{conversation.pk}/close/")

    assertContains(response, "This form is too old", status_code=403)


# --- the list ------------------------------------------------------------------------------------


def test_a_row_tells_who_what_and_until_when(
    agent_client: Client, agent: Agent, conversation: Conversation, say: Say
) -> None:
    tag = Tag.objects.create(name="delivery")
    say(conversation, "Is this   available?\nIn blue?")
    Conversation.objects.update(tags=[tag.pk], unread=2, assignee=agent)

    response = agent_client.get("/inbox/mine/")

    for words in (
        "Salma El Idrissi",
        "Is this available? In blue?",
        "22 h",
        "delivery",
        "unread",
        "Nadia Berrada",
    ):
        assertContains(response, words)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"direction": "out", "source": "agent", "status": "sent"}, "You: Salam"),
        (failed(), "Not sent: Meta did not accept this message."),
        ({"deleted_at": now()}, "Message unsent"),
        ({"type": "story_mention", "content": ""}, "Mentioned you in a story"),
        ({"type": "story_reply"}, "Replied to your story: Salam"),
        ({"type": "image", "content": ""}, "Photo"),
    ],
)
def test_a_row_says_what_the_newest_message_is(
    agent_client: Client,
    conversation: Conversation,
    say: Say,
    fields: dict[str, object],
    words: str,
) -> None:
    say(conversation, **fields)

    page = agent_client.get("/inbox/all/").content.decode()
    assert words in " ".join(strip_tags(page).split())


@pytest.mark.parametrize(
    ("wrote", "chip"),
    [
        (timedelta(minutes=1), "23 h"),
        (timedelta(hours=21, minutes=30), "2 h 29"),
        (timedelta(hours=23, minutes=20), "39 min"),
        (timedelta(days=2, minutes=1), "Human agent · 4 d"),
        (timedelta(days=8), "Closed"),
    ],
)
def test_a_row_shows_how_long_a_reply_is_possible(
    agent_client: Client, channel: Channel, wrote: timedelta, chip: str
) -> None:
    make_conversation(channel, wrote=wrote)

    assertContains(agent_client.get("/inbox/all/"), f"<span>{chip}</span>")


def test_each_view_holds_what_it_says(
    agent_client: Client, agent: Agent, channel: Channel
) -> None:
    tag = Tag.objects.create(name="VIP")
    mine, nobodys, waiting, closing, snoozed, done, tagged = make_many(channel, 7)
    for conversation, fields in [
        (mine, {"assignee": agent}),
        (nobodys, {}),
        (waiting, {"waiting_since": now()}),
        (closing, {"window_expires_at": now() + timedelta(hours=1)}),
        (
            snoozed,
            {"status": "snoozed", "snoozed_until": now() + timedelta(hours=1)},
        ),
        (done, {"status": "closed"}),
        (tagged, {"tags": [tag.pk]}),
    ]:
        Conversation.objects.filter(pk=conversation.pk).update(**fields)

    shown = {
        view: rows_of(agent_client.get(f"/inbox/{view}").content)
        for view in [
            "mine/",
            "unassigned/",
            "all/",
            "waiting/",
            "closing/",
            "snoozed/",
            "done/",
            f"channel-{channel.pk}/",
            f"tag-{tag.pk}/",
            "unassigned/?show=waiting",
            "all/?show=done",
        ]
    }

    unassigned = [nobodys.pk, waiting.pk, closing.pk, tagged.pk]
    assert shown == {
        "mine/": [mine.pk],
        "unassigned/": unassigned,
        "all/": [mine.pk, *unassigned],
        "waiting/": [waiting.pk],
        "closing/": [closing.pk],
        "snoozed/": [snoozed.pk],
        "done/": [done.pk],
        f"channel-{channel.pk}/": [mine.pk, *unassigned],
        f"tag-{tag.pk}/": [tagged.pk],
        "unassigned/?show=waiting": [waiting.pk],
        "all/?show=done": [done.pk],
    }


def test_what_closes_soonest_stands_first(
    agent_client: Client, channel: Channel
) -> None:
    soon, sooner, later = make_many(channel, 3)
    for conversation, minutes in [(soon, 60), (sooner, 5), (later, 300)]:
        end = now() + timedelta(minutes=minutes)
        Conversation.objects.filter(pk=conversation.pk).update(window_expires_at=end)

    assert rows_of(agent_client.get("/inbox/closing/").content) == [sooner.pk, soon.pk]


@pytest.mark.parametrize(
    "path",
    [
        "/inbox/nothing/",
        "/inbox/tag-999/",
        "/inbox/all/?show=nothing",
        "/inbox/done/?show=open2",
    ],
)
def test_a_view_that_is_not_there_is_not_found(agent_client: Client, path: str) -> None:
    assertContains(agent_client.get(path), "This page is not here", status_code=404)


@pytest.mark.parametrize("view", ["all", "closing"])
def test_scrolling_shows_every_row_once_in_order(
    agent_client: Client, channel: Channel, view: str
) -> None:
    moment = now()
    for n, conversation in enumerate(make_many(channel, 65)):
        Conversation.objects.filter(pk=conversation.pk).update(
            last_message_at=moment - timedelta(minutes=n // 3),
            window_expires_at=moment + timedelta(minutes=60 + n // 3),
        )

    seen, path = [], f"/inbox/{view}/"
    while path:
        html = agent_client.get(path).content
        seen += rows_of(html)
        link = re.search(r'class="dx-more" href="([^"]+)"', html.decode())
        path = link[1].replace("&amp;", "&") if link else ""

    assert len(seen) == len(set(seen)) == 65
    order = (
        ["window_expires_at", "pk"]
        if view == "closing"
        else ["-last_message_at", "-pk"]
    )
    assert seen == list(
        Conversation.objects.order_by(*order).values_list("pk", flat=True)
    )


@pytest.mark.parametrize(
    "cursor", ["x", "eA", "bm93IDE", "%00", "MjAyNi0wMS0wMVQwMDowMDowMCAx"]
)
def test_a_cursor_that_we_did_not_write_is_refused(
    agent_client: Client, channel: Channel, cursor: str
) -> None:
    assert agent_client.get(f"/inbox/all/?cursor={cursor}").status_code == 400


def test_the_next_rows_come_alone_when_htmx_asks(
    htmx: Client, channel: Channel
) -> None:
    make_many(channel, 31)
    first = htmx.get("/inbox/all/").content.decode()
    link = re.search(r'hx-get="([^"]+cursor[^"]+)"', first)
    assert link

    html = htmx.get(link[1].replace("&amp;", "&")).content

    assert len(rows_of(html)) == 1
    assert b"dx-list-head" not in html


def test_a_page_and_its_fragments_are_told_apart(
    agent_client: Client, htmx: Client, conversation: Conversation
) -> None:
    page = agent_client.get(f"/inbox/all/c/{conversation.pk}/")
    fragment = htmx.get(f"/inbox/all/c/{conversation.pk}/")

    assert page.content.startswith(b"<!doctype html>")
    assert b"<!doctype" not in fragment.content
    assert 'id="main"' in fragment.content.decode()
    assert 'id="panel"' in fragment.content.decode()
    for response in (page, fragment):
        assert "HX-Request" in response["Vary"]
        assert "no-store" in response["Cache-Control"]


def test_a_page_restored_from_history_comes_whole(
    htmx: Client, conversation: Conversation
) -> None:
    response = htmx.get("/inbox/all/", headers={"HX-History-Restore-Request": "true"})

    assert response.content.startswith(b"<!doctype html>")


@pytest.mark.parametrize("words", ["' | !", "\x00", "a" * 500, "%%%", "nobody"])
def test_a_search_without_result_says_so(
    agent_client: Client, conversation: Conversation, words: str
) -> None:
    response = agent_client.get("/inbox/all/", {"q": words})

    assert response.status_code == 200
    if words.strip("\x00"):
        assertContains(response, "No results for")


def test_without_any_channel_the_list_says_what_is_missing(
    agent_client: Client,
) -> None:
    assertContains(agent_client.get("/inbox/all/"), "No channel is connected yet")


def test_an_empty_view_says_who_waits_elsewhere(
    agent_client: Client, conversation: Conversation
) -> None:
    assertContains(
        agent_client.get("/inbox/mine/"), "1 conversation is waiting for someone"
    )


def test_rows_are_asked_for_by_id(htmx: Client, channel: Channel) -> None:
    open_one, closed_one, other = make_many(channel, 3)
    Conversation.objects.filter(pk=closed_one.pk).update(status="closed")

    response = htmx.get(
        f"/inbox/all/rows/?ids={open_one.pk},{closed_one.pk},x,,{2**70},999"
    )

    assert rows_of(response.content) == [open_one.pk]
    assert other.pk not in rows_of(response.content)


# --- a conversation ------------------------------------------------------------------------------


def test_opening_a_conversation_reads_it(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    say(conversation, "Is this available?")
    Conversation.objects.update(unread=1)

    response = agent_client.get(f"/inbox/all/c/{conversation.pk}/")

    conversation.refresh_from_db()
    assertContains(response, "Is this available?")
    assertNotContains(response, "dx-row-unread")
    assert conversation.unread == 0


def test_a_conversation_that_is_not_there_is_not_found(
    agent_client: Client, db: None
) -> None:
    assert agent_client.get("/inbox/all/c/999/").status_code == 404


def test_the_panel_tells_who_somebody_is_and_how_we_know(
    agent_client: Client, channel: Channel, conversation: Conversation
) -> None:
    contact = conversation.identity.contact
    contact.email, contact.email_verified_at = "salma@example.com", now()
    contact.phone, contact.attributes = (
        "+212600000000",
        {"Shoe size": 38, "Languages": ["ar", "fr"]},
    )
    contact.save()
    before = make_conversation(
        channel, name="Salma", person_id="before", wrote=timedelta(days=9)
    )
    before.identity.contact = contact
    before.identity.save()

    response = agent_client.get(f"/inbox/all/c/{conversation.pk}/")

    for words in (
        "salma@example.com",
        "Verified email",
        "+212600000000",
        "Not verified",
        "Shoe size",
        "ar, fr",
    ):
        assertContains(response, words)
    assertContains(response, f'href="/inbox/all/c/{before.pk}/"')


def test_links_into_the_admin_are_for_those_who_may_look_there(
    client: Client, agent_client: Client, conversation: Conversation
) -> None:
    client.force_login(make_agent("boss", is_superuser=True))
    path = f"/inbox/all/c/{conversation.pk}/"

    contact_page = f"/admin/inbox/contact/{conversation.identity.contact_id}/change/"
    assertContains(client.get(path), contact_page)
    assertNotContains(agent_client.get(path), contact_page)


@pytest.mark.parametrize(
    ("status", "words"),
    [("needs_reauth", "needs to be reconnected"), ("disconnected", "is disconnected")],
)
def test_a_troubled_channel_is_told_above_everything(
    agent_client: Client,
    htmx: Client,
    conversation: Conversation,
    status: str,
    words: str,
) -> None:
    Channel.objects.update(status=status)

    assertContains(agent_client.get("/inbox/all/"), words)
    assertContains(htmx.get("/inbox/banner/"), words)


def count_queries(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


def test_a_list_of_sixty_costs_no_more_queries_than_one_of_three(
    agent_client: Client, agent: Agent, channel: Channel
) -> None:
    tag = Tag.objects.create(name="VIP")
    make_many(channel, 3)
    Conversation.objects.update(tags=[tag.pk], assignee=agent)
    few = count_queries(agent_client, "/inbox/all/")
    for n in range(60):
        make_conversation(channel, name=f"More {n}", person_id=f"more-{n}")
    Conversation.objects.update(tags=[tag.pk], assignee=agent)

    assert count_queries(agent_client, "/inbox/all/") == few <= 12


def test_a_thread_of_sixty_costs_no_more_queries_than_one_of_three(
    agent_client: Client, agent: Agent, conversation: Conversation, say: Say
) -> None:
    def fill(count: int) -> None:
        for n in range(count):
            first = say(conversation, f"Question {n}", ago=timedelta(minutes=n))
            Attachment.objects.create(
                message=first, kind="image", remote_url="https://x.fbcdn.net/a.jpg"
            )
            Reaction.objects.create(
                message=first, actor="us", emoji="❤️", reacted_at=now()
            )
            say(
                conversation,
                "Answer",
                reply_to=first,
                direction="out",
                source="agent",
                status="read",
                author=agent,
            )

    fill(2)
    path = f"/inbox/all/c/{conversation.pk}/"
    few = count_queries(agent_client, path)
    fill(30)

    # The composer asks for the draft, the files that wait, how the agent writes, what is newest.
    assert count_queries(agent_client, path) == few <= 23


# --- counts ----------------------------------------------------------------------------------------


def test_views_are_counted_to_ninety_nine_and_no_further(
    agent_client: Client, channel: Channel
) -> None:
    make_many(channel, 101)

    assertContains(agent_client.get("/inbox/all/"), '<span class="dx-count">99+</span>')


def test_what_all_agents_see_alike_is_counted_once_for_all_of_them(
    htmx: Client, channel: Channel
) -> None:
    for n in range(5):
        Tag.objects.create(name=f"tag {n}")
    colleague = Client()
    colleague.force_login(make_agent("yassine"))

    with CaptureQueriesContext(connection) as queries:
        htmx.get("/inbox/counts/")
        colleague.get("/inbox/counts/", headers={"HX-Request": "true"})

    # What is shared, and what is each agent's own.
    assert len([q for q in queries if "count(*)" in q["sql"].lower()]) == 3


def test_unread_conversations_of_mine_and_of_nobody_stand_on_the_badge(
    htmx: Client, agent: Agent, channel: Channel
) -> None:
    mine, nobodys, others, _read = make_many(channel, 4)
    Conversation.objects.filter(pk=mine.pk).update(unread=3, assignee=agent)
    Conversation.objects.filter(pk=nobodys.pk).update(unread=1)
    Conversation.objects.filter(pk=others.pk).update(
        unread=1, assignee=make_agent("yassine")
    )

    html = htmx.get("/inbox/counts/").content.decode()

    badge = html.partition('id="rail-unread"')[2].partition("</span>")[0]
    assert badge.endswith("<span>2")


# --- acts ----------------------------------------------------------------------------------------


def test_an_agent_takes_a_conversation_and_gives_it_back(
    agent_client: Client, agent: Agent, conversation: Conversation
) -> None:
    url = f"/inbox/c/{conversation.pk}/assign/?view=all"

    response = agent_client.post(url, {"to": "me"}, follow=True)
    conversation.refresh_from_db()
    assert conversation.assignee == agent
    assertRedirects(response, f"/inbox/all/c/{conversation.pk}/")
    assertContains(response, "It is yours now.")
    assertContains(response, "Nadia Berrada took this conversation")

    agent_client.post(url, {"to": ""})
    conversation.refresh_from_db()
    assert conversation.assignee is None


def test_done_and_open_again(agent_client: Client, conversation: Conversation) -> None:
    agent_client.post(f"/inbox/c/{conversation.pk}/close/")
    conversation.refresh_from_db()
    assert conversation.status == "closed"

    response = agent_client.post(f"/inbox/c/{conversation.pk}/reopen/", follow=True)
    conversation.refresh_from_db()
    assert conversation.status == "open"
    assertContains(response, "Nadia Berrada marked this as done")
    assertContains(response, "Nadia Berrada opened this again")


def test_an_act_answers_with_what_it_changed(
    htmx: Client, conversation: Conversation
) -> None:
    response = htmx.post(f"/inbox/c/{conversation.pk}/close/?view=all")

    html = response.content.decode()
    assert 'id="thread-head"' in html
    assert f'<div id="item-row-{conversation.pk}" hx-swap-oob="delete">' in html
    assert 'id="views"' in html
    assert "Marked as done." in html
    assert f'action="/inbox/c/{conversation.pk}/reopen/"' in html
    assert response["HX-Trigger-After-Swap"] == "dexra:thread"


def test_opening_again_is_refused_while_a_newer_one_is_open(
    htmx: Client, agent_client: Client, conversation: Conversation
) -> None:
    Conversation.objects.update(status="closed")
    newer = Conversation.objects.create(
        channel=conversation.channel, identity=conversation.identity
    )

    response = htmx.post(f"/inbox/c/{conversation.pk}/reopen/")
    page = agent_client.post(f"/inbox/c/{conversation.pk}/reopen/", follow=True)

    assert response.status_code == 409
    for answer in (response.content.decode(), page.content.decode()):
        assert "This person has a newer conversation that is open." in answer
    assert newer.status == "open"


def test_reading_by_an_open_page_is_told(
    htmx: Client, conversation: Conversation
) -> None:
    Conversation.objects.update(unread=1)

    response = htmx.post(f"/inbox/c/{conversation.pk}/read/")

    conversation.refresh_from_db()
    assert (response.status_code, conversation.unread) == (204, 0)


def test_links_of_the_list_keep_what_it_shows(
    agent_client: Client, channel: Channel
) -> None:
    conversation = make_conversation(channel)
    Conversation.objects.update(status="closed")

    html = agent_client.get("/inbox/all/?show=done&q=salma").content.decode()

    row = re.search(rf'id="row-{conversation.pk}"[^>]*href="([^"]+)"', html)
    assert row
    assert urlsplit(row[1].replace("&amp;", "&")).query == "show=done&q=salma"
