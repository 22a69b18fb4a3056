"""Writing in a conversation, and looking at it again."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from inbox.models import Agent, Channel, ChannelIdentity, Conversation, Message
from tests.conftest import make_agent
from tests.inbox.pages.conftest import Say, failed


def close_window(*, days: int = 30) -> None:
    past = now() - timedelta(days=days)
    ChannelIdentity.objects.update(
        last_inbound_at=past, window_expires_at=past + timedelta(hours=24)
    )


def ids_of(html: bytes) -> list[int]:
    return [int(pk) for pk in re.findall(r'id="m-(\d+)"', html.decode())]


# --- a reply -------------------------------------------------------------------------------------


def test_a_reply_by_a_plain_form_is_queued_and_shown(
    agent_client: Client, agent: Agent, conversation: Conversation
) -> None:
    response = agent_client.post(
        f"/inbox/c/{conversation.pk}/messages/?view=all",
        {"content": "It left this morning.\r\nTomorrow at yours!", "key": "k-1"},
        follow=True,
    )

    message = conversation.messages.get()
    assertRedirects(response, f"/inbox/all/c/{conversation.pk}/")
    assertContains(response, "It left this morning.")
    assertContains(response, "Sending…")
    assert (
        message.content,
        message.author,
        message.client_key,
        message.source,
        message.status,
    ) == (
        "It left this morning.\nTomorrow at yours!",
        agent,
        "k-1",
        "agent",
        "queued",
    )


def test_a_reply_by_the_page_is_answered_with_the_thread(
    htmx: Client, conversation: Conversation
) -> None:
    response = htmx.post(
        f"/inbox/c/{conversation.pk}/messages/", {"content": "Yes", "key": "k-1"}
    )

    message = conversation.messages.get()
    assert ids_of(response.content) == [message.pk]
    assertContains(response, 'data-key="k-1"')


def test_the_same_key_is_the_same_message(
    htmx: Client, conversation: Conversation
) -> None:
    for _ in range(3):
        htmx.post(
            f"/inbox/c/{conversation.pk}/messages/", {"content": "Yes", "key": "k-1"}
        )

    assert conversation.messages.count() == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "Write something first."),
        (" \r\n\t ", "Write something first."),
        ("ا" * 501, "This is longer than the 1000 bytes that Fake takes."),
        ("with a \x00 in it", "characters that nobody can read"),
    ],
)
def test_a_reply_that_cannot_be_sent_says_why_and_keeps_its_text(
    htmx: Client,
    agent_client: Client,
    conversation: Conversation,
    content: str,
    reason: str,
) -> None:
    path = f"/inbox/c/{conversation.pk}/messages/?view=all"

    fragment = htmx.post(path, {"content": content, "key": "k-1"})
    page = agent_client.post(path, {"content": content, "key": "k-1"})

    for response in (fragment, page):
        assertContains(response, reason, status_code=422)
        assertContains(
            response, content.strip().replace("\x00", ""), status_code=422
        ) if len(content) > 500 else None
    assert fragment.content.lstrip().startswith(b"<form")
    assert page.content.startswith(b"<!doctype html>")
    assert not conversation.messages.exists()


def test_a_key_that_is_too_long_is_refused(
    htmx: Client, conversation: Conversation
) -> None:
    response = htmx.post(
        f"/inbox/c/{conversation.pk}/messages/", {"content": "Yes", "key": "k" * 200}
    )

    assert response.status_code == 422
    assert not conversation.messages.exists()


def test_a_key_that_was_used_for_something_else_is_refused(
    htmx: Client, conversation: Conversation
) -> None:
    htmx.post(f"/inbox/c/{conversation.pk}/messages/", {"content": "Yes", "key": "k-1"})

    response = htmx.post(
        f"/inbox/c/{conversation.pk}/messages/", {"content": "No", "key": "k-1"}
    )

    assertContains(
        response, "This key was used for another message before.", status_code=422
    )
    assertContains(response, ">No</textarea>", status_code=422)


def test_a_reply_after_the_window_is_refused_with_its_text(
    htmx: Client, conversation: Conversation
) -> None:
    close_window()

    response = htmx.post(
        f"/inbox/c/{conversation.pk}/messages/", {"content": "Too late", "key": "k-1"}
    )

    assertContains(response, "The reply window is closed", status_code=422)
    assertContains(response, ">Too late</textarea>", status_code=422)
    assert not conversation.messages.exists()


@pytest.mark.parametrize("path", ["c/{pk}/messages/", "c/{pk}/notes/"])
def test_whoever_may_only_read_writes_nothing(
    client: Client, conversation: Conversation, path: str
) -> None:
    reader = make_agent("reader")
    reader.user_permissions.set([Permission.objects.get(codename="view_conversation")])
    client.force_login(reader)

    response = client.post(
        f"/inbox/{path.format(pk=conversation.pk)}", {"content": "Hello", "key": "k"}
    )

    assert response.status_code == 403
    assert not conversation.messages.exists()
    assertContains(
        client.get(f"/inbox/all/c/{conversation.pk}/"), "You may read this conversation"
    )


def test_a_reply_costs_the_same_in_a_long_conversation(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    def queries_of_a_reply(key: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            htmx.post(
                f"/inbox/c/{conversation.pk}/messages/", {"content": "Yes", "key": key}
            )
        return len(queries)

    for n in range(3):
        say(conversation, f"Question {n}")
    queries_of_a_reply("first")
    few = queries_of_a_reply("k-1")
    for n in range(60):
        say(conversation, f"Question {n}")

    assert queries_of_a_reply("k-2") == few


# --- a note --------------------------------------------------------------------------------------


def test_a_note_is_for_the_team_even_when_nothing_can_be_sent(
    agent_client: Client, conversation: Conversation
) -> None:
    close_window()

    response = agent_client.post(
        f"/inbox/c/{conversation.pk}/notes/",
        {"content": "Call her on Monday", "key": "n-1"},
        follow=True,
    )

    assertContains(response, "Internal note")
    assertContains(response, "Call her on Monday")
    assert conversation.messages.get().direction == "note"


def test_an_empty_note_is_refused(htmx: Client, conversation: Conversation) -> None:
    response = htmx.post(
        f"/inbox/c/{conversation.pk}/notes/", {"content": " ", "key": "n-1"}
    )

    assertContains(response, "Write something first.", status_code=422)
    assertContains(response, 'data-mode="note"', status_code=422)


# --- looking again -------------------------------------------------------------------------------


def test_nothing_new_is_told_without_a_word(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    say(conversation)
    conversation.refresh_from_db()

    response = htmx.get(
        f"/inbox/c/{conversation.pk}/messages/?since={conversation.revision}"
    )

    assert (response.status_code, response.content) == (204, b"")


def test_a_change_brings_everything_from_the_first_message_shown(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    messages = [
        say(conversation, f"Nr {n}", ago=timedelta(minutes=90 - n)) for n in range(60)
    ]

    first = messages[3].pk
    response = htmx.get(f"/inbox/c/{conversation.pk}/messages/?since=0&from={first}")

    conversation.refresh_from_db()
    assert ids_of(response.content) == [message.pk for message in messages[3:]]
    assertContains(response, f'data-rev="{conversation.revision}"')


@pytest.mark.parametrize("query", ["from=x", "from=1.5", "before=x", "before=eA"])
def test_a_stretch_that_makes_no_sense_is_refused(
    htmx: Client, conversation: Conversation, query: str
) -> None:
    assert htmx.get(f"/inbox/c/{conversation.pk}/messages/?{query}").status_code == 400


@pytest.mark.parametrize("first", [999_999, 2**70])
def test_a_first_message_that_is_gone_brings_the_end_of_the_thread(
    htmx: Client, conversation: Conversation, say: Say, first: int
) -> None:
    message = say(conversation)

    response = htmx.get(f"/inbox/c/{conversation.pk}/messages/?from={first}")

    assert ids_of(response.content) == [message.pk]


def test_scrolling_back_shows_every_message_once(
    htmx: Client, agent_client: Client, conversation: Conversation, say: Say
) -> None:
    messages = [
        say(conversation, f"Nr {n}", ago=timedelta(minutes=200 - n // 3))
        for n in range(100)
    ]
    page = agent_client.get(f"/inbox/all/c/{conversation.pk}/").content
    seen, html = ids_of(page), page.decode()

    while link := re.search(r'id="older"[^>]*data-url="([^"]+)"', html):
        older = htmx.get(link[1]).content
        seen, html = ids_of(older) + seen, older.decode()

    assert seen == [message.pk for message in messages]


def test_earlier_messages_are_a_page_of_their_own(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    first = say(conversation, "The very first", ago=timedelta(days=3))
    for n in range(45):
        say(conversation, f"Nr {n}")
    html = agent_client.get(f"/inbox/all/c/{conversation.pk}/").content.decode()
    link = re.search(r'id="older" href="([^"]+)"', html)
    assert link
    assert first.pk not in ids_of(html.encode())

    response = agent_client.get(link[1])

    assertContains(response, "The very first")
    assertContains(response, "Show the newest messages")


# --- a reply that failed -------------------------------------------------------------------------


def test_a_failed_reply_says_why_and_can_be_sent_again(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Follow it here", **failed())
    page = agent_client.get(f"/inbox/all/c/{conversation.pk}/")
    assertContains(page, "Not sent. Meta did not accept this message.")
    assertContains(page, f'action="/inbox/messages/{message.pk}/retry/?view=all"')

    agent_client.post(f"/inbox/messages/{message.pk}/retry/")

    message.refresh_from_db()
    assert (message.status, message.error_detail) == ("queued", "")


def test_a_failed_reply_that_never_left_can_be_deleted(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Follow it here", **failed())

    response = htmx.post(f"/inbox/messages/{message.pk}/discard/")

    assert response.status_code == 200
    assert ids_of(response.content) == []
    assert not Message.objects.exists()


def test_a_reply_that_may_have_been_sent_stays(
    htmx: Client, agent_client: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Hello?", **failed(error_class="uncertain"))
    page = agent_client.get(f"/inbox/all/c/{conversation.pk}/")
    assertContains(page, "Send again")
    assertNotContains(page, f"/messages/{message.pk}/discard/")

    response = htmx.post(f"/inbox/messages/{message.pk}/discard/")
    plain = agent_client.post(f"/inbox/messages/{message.pk}/discard/", follow=True)

    assertContains(response, "it stays in the history", status_code=409)
    assertContains(plain, "it stays in the history")
    assert Message.objects.exists()


def test_sending_again_after_the_window_is_refused(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Follow it here", **failed())
    close_window()

    response = htmx.post(f"/inbox/messages/{message.pk}/retry/")

    message.refresh_from_db()
    assertContains(response, "The reply window is closed", status_code=409)
    assert message.status == "failed"


@pytest.mark.parametrize("act", ["retry", "discard"])
def test_a_message_that_is_not_there_is_not_found(
    agent_client: Client, act: str
) -> None:
    assert agent_client.post(f"/inbox/messages/999/{act}/").status_code == 404
    assert agent_client.get(f"/inbox/messages/999/{act}/").status_code == 405


# --- how messages look ----------------------------------------------------------------------------


def show(client: Client, conversation: Conversation) -> Any:
    return client.get(f"/inbox/all/c/{conversation.pk}/")


def test_customer_text_is_text(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    say(
        conversation,
        '<script>alert(1)</script> <b onclick="x">https://a.example/?x=1&y="><img></b>',
    )

    html = show(agent_client, conversation).content.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    for danger in ("<script>alert", "<b onclick", "<img>"):
        assert danger not in html


def test_web_addresses_become_links_that_tell_nothing(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    say(conversation, "See https://example.com/a?b=1&c=2, or javascript:alert(1)")

    assertContains(
        show(agent_client, conversation),
        '<a href="https://example.com/a?b=1&amp;c=2" dir="ltr" target="_blank" '
        'rel="noopener noreferrer nofollow">https://example.com/a?b=1&amp;c=2</a>, or javascript:alert(1)',
    )


OURS = {"direction": "out", "source": "agent", "author_name": "Nadia Berrada"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (OURS | {"status": "sent"}, ["Sent", "i-check"]),
        (OURS | {"status": "delivered"}, ["Delivered", "i-checks"]),
        (OURS | {"status": "read"}, ["Read", "dx-read"]),
        (OURS | {"status": "queued"}, ["Sending…"]),
        (OURS | {"status": "uncertain"}, ["Waiting to hear whether it was sent"]),
        (
            OURS | {"source": "automation", "author_name": "Story thank-you"},
            ["Automation", "Story thank-you", "i-bolt"],
        ),
        (OURS | {"source": "api", "author_name": "Shop"}, ["API", "Shop", "i-code"]),
        (OURS | {"source": "ai"}, ["AI", "i-spark"]),
        (OURS | {"source": "native_app", "author_name": ""}, ["Fake app"]),
        ({"edited_at": now()}, ["edited"]),
        ({"deleted_at": now()}, ["unsent this message"]),
        (
            {"type": "unsupported", "content": ""},
            [
                "This message cannot be shown here",
                "Open in Fake",
                "https://fake.example/inbox",
            ],
        ),
        ({"type": "postback"}, ["Chose"]),
        (
            {
                "type": "comment",
                "extra": {"comment": {"permalink": "https://fake.example/p/1"}},
            },
            ["Comment", "Your post", "https://fake.example/p/1"],
        ),
        (
            {
                "type": "comment",
                "extra": {
                    "comment": {"permalink": "javascript:alert(1)", "parent_id": "9"}
                },
            },
            ["Reply to a comment"],
        ),
        ({"type": "comment", "extra": {}}, ["Your post"]),
        (
            {
                "type": "story_reply",
                "extra": {
                    "story": {
                        "url": "https://x.fbsbx.com/s",
                        "expires_at": "2000-01-01T00:00:00+00:00",
                    }
                },
            },
            ["replied to your story", "The story has expired"],
        ),
        (
            {"type": "story_mention", "content": "", "extra": {"story": "nonsense"}},
            ["mentioned you in a story", "The story has expired"],
        ),
        (
            {
                "direction": "event",
                "source": "agent",
                "type": "event",
                "content": "",
                "author_name": "Yassine",
                "extra": {"event": "assigned", "to": "Nadia"},
            },
            ["Yassine assigned this conversation to Nadia"],
        ),
        (
            {
                "direction": "event",
                "source": "system",
                "type": "event",
                "content": "",
                "extra": {"event": "referral", "raw": {"ref": "winter"}},
            },
            ["Came by the link “winter”"],
        ),
        (
            {
                "direction": "event",
                "source": "system",
                "type": "event",
                "content": "",
                "extra": {
                    "event": "referral",
                    "raw": {"ads_context_data": {"ad_title": "Sale"}},
                },
            },
            ["Came from the ad “Sale”"],
        ),
        (
            {
                "direction": "event",
                "source": "system",
                "type": "event",
                "content": "",
                "extra": {"event": "policy_enforcement"},
            },
            ["policy enforcement"],
        ),
    ],
)
def test_each_message_shows_what_it_is(
    agent_client: Client,
    conversation: Conversation,
    say: Say,
    fields: dict[str, Any],
    words: list[str],
) -> None:
    say(conversation, **fields)

    html = show(agent_client, conversation).content.decode()

    for word in words:
        assert word in html
    assert "javascript:" not in html


def test_a_living_story_is_shown_until_it_ends(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    end = now() + timedelta(hours=3)
    say(
        conversation,
        "",
        type="story_mention",
        extra={
            "story": {"url": "https://x.fbsbx.com/s", "expires_at": end.isoformat()}
        },
    )

    response = show(agent_client, conversation)

    assertContains(
        response,
        '<img src="https://x.fbsbx.com/s" alt="" loading="lazy" referrerpolicy="no-referrer"',
    )
    assertContains(response, "Visible until")


@pytest.mark.parametrize(
    ("part", "shown", "hidden"),
    [
        (
            {"kind": "image", "remote_url": "https://x.fbcdn.net/a.jpg"},
            '<img src="https://x.fbcdn.net/a.jpg"',
            "",
        ),
        (
            {"kind": "image", "remote_url": f"{settings.PUBLIC_URL}/sandbox/a.svg"},
            '<img src="/sandbox/a.svg"',
            "",
        ),
        (
            {"kind": "image", "remote_url": "https://elsewhere.example/a.jpg"},
            'href="https://elsewhere.example/a.jpg"',
            "<img",
        ),
        (
            {"kind": "image", "remote_url": "http://x.fbcdn.net/a.jpg"},
            "Photo",
            "http://x.fbcdn.net",
        ),
        (
            {"kind": "image", "remote_url": "javascript:alert(1)"},
            "Photo",
            "javascript:",
        ),
        (
            {"kind": "image", "remote_url": "//evil.example/a.jpg"},
            "Photo",
            "evil.example",
        ),
        (
            {
                "kind": "image",
                "remote_url": "https://x.fbcdn.net/a.jpg",
                "state": "expired",
            },
            "no longer available",
            "fbcdn.net/a.jpg",
        ),
        (
            {
                "kind": "image",
                "remote_url": "https://x.fbcdn.net/a.jpg",
                "remote_url_expires_at": now(),
            },
            "no longer available",
            "fbcdn.net/a.jpg",
        ),
        (
            {"kind": "video", "remote_url": "https://x.fbcdn.net/a.mp4"},
            '<video class="dx-video" src="https://x.fbcdn.net/a.mp4" controls',
            "",
        ),
        (
            {"kind": "audio", "remote_url": "https://x.fbcdn.net/a.mp4"},
            '<audio class="dx-audio"',
            "",
        ),
        (
            {
                "kind": "file",
                "remote_url": "https://x.fbcdn.net/a.pdf",
                "title": "a.pdf",
            },
            ">a.pdf<",
            "",
        ),
        ({"kind": "sticker", "extra": {"emoji": "❤️"}}, "❤️", ""),
        (
            {
                "kind": "location",
                "extra": {"coordinates": {"lat": 33.58, "long": -7.62}},
            },
            "33.58000, -7.62000",
            "",
        ),
        (
            {"kind": "location", "extra": {"coordinates": {"lat": "x"}}},
            "Location",
            "openstreetmap",
        ),
        (
            {
                "kind": "template",
                "extra": {
                    "raw": {
                        "elements": [
                            {
                                "title": "Babouche",
                                "subtitle": "640 MAD",
                                "buttons": [{"title": "Buy"}, 3],
                            },
                            "x",
                        ]
                    }
                },
            },
            "Babouche",
            "",
        ),
        (
            {
                "kind": "template",
                "extra": {"raw": {"product": {"elements": [{"title": "Babouche"}]}}},
            },
            "Babouche",
            "",
        ),
        (
            {
                "kind": "template",
                "extra": {"raw": {"text": "Choose", "buttons": [{"title": "Yes"}]}},
            },
            "Choose",
            "",
        ),
        ({"kind": "template", "extra": {"raw": None}}, "Card", ""),
        (
            {
                "kind": "share",
                "remote_url": "https://fake.example/p/1",
                "title": "A post",
            },
            "A post",
            "",
        ),
    ],
)
def test_attachments_are_shown_only_from_where_the_policy_allows(
    agent_client: Client,
    conversation: Conversation,
    say: Say,
    part: dict[str, Any],
    shown: str,
    hidden: str,
) -> None:
    message = say(conversation, "", type=part["kind"])
    message.attachments.create(**part)

    html = show(agent_client, conversation).content.decode()

    thread = html[html.index('id="msgs"') : html.index('id="composer"')]
    assert shown in thread
    assert not hidden or hidden not in thread


def test_reactions_and_quotes_stand_by_their_message(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    first = say(conversation, "Which colour?")
    first.reactions.create(actor="us", emoji="❤️", reacted_at=now())
    first.reactions.create(actor="them", emoji="", reacted_at=now())
    say(conversation, "Blue", reply_to=first)

    response = show(agent_client, conversation)

    assertContains(response, 'aria-label="Reactions: ❤️"')
    assertContains(response, f'<a class="dx-quote" href="#m-{first.pk}">')


def test_messages_are_grouped_by_voice_and_parted_by_day(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    say(conversation, "Yesterday", ago=timedelta(days=1, minutes=5))
    noon = now().replace(hour=12, minute=0)
    for n, (minutes, fields) in enumerate([(0, {}), (1, {}), (2, OURS), (9, OURS)]):
        message = say(conversation, f"Nr {n}", **fields)
        Message.objects.filter(pk=message.pk).update(
            sent_at=noon + timedelta(minutes=minutes)
        )

    html = show(agent_client, conversation).content.decode()

    assert html.count('class="dx-day"') == 2
    starts = re.findall(r'<article class="dx-msg([^"]*)" id="m-', html)
    assert [("dx-msg-next" in css) for css in starts] == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_a_stub_of_a_message_that_has_not_come_is_not_shown(
    agent_client: Client, channel: Channel, conversation: Conversation, say: Say
) -> None:
    say(conversation, "", is_stub=True)

    assertNotContains(show(agent_client, conversation), 'id="m-')
