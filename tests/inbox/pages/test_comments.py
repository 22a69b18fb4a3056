"""Comment cards, the composer that answers them, reactions, quotes, files, control: as pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from inbox.actions import perform, queue_action
from inbox.channels import Ability, ActionKind, TextLimit
from inbox.models import (
    Agent,
    Channel,
    ChannelAction,
    ChannelIdentity,
    Conversation,
    Message,
    MessageTemplate,
)
from tests.conftest import make_comment, make_commenter, make_conversation
from tests.fakes import FakeAdapter
from tests.files import picture
from tests.inbox.pages.conftest import Say

pytestmark = pytest.mark.django_db


@pytest.fixture
def comment(channel: Channel) -> Message:
    return make_commenter(channel)


def page(client: Client, conversation: Conversation, query: str = "") -> str:
    response = client.get(f"/inbox/all/c/{conversation.pk}/{query}")
    assert response.status_code == 200
    return response.content.decode()


def composer(client: Client, conversation: Conversation, query: str = "") -> str:
    response = client.get(f"/inbox/c/{conversation.pk}/composer/?view=all{query}")
    assert response.status_code == 200
    return response.content.decode()


def close_window(conversation: Conversation) -> None:
    at = now() - timedelta(days=14)
    ChannelIdentity.objects.filter(pk=conversation.identity_id).update(
        last_inbound_at=at, window_expires_at=at + timedelta(hours=24)
    )


# --- the card ------------------------------------------------------------------------------------


def test_a_comments_card_offers_what_is_possible_and_names_the_rule(
    agent_client: Client, comment: Message
) -> None:
    html = page(agent_client, comment.conversation)

    for words in ("Reply publicly", "Reply privately", "Hide", "Like", "Delete"):
        assert words in html
    assert "One private reply per comment, until" in html
    assert f"?mode=private&amp;about={comment.pk}" in html
    assert "Show again" not in html


def test_a_card_names_nothing_that_the_account_cannot_do(
    agent_client: Client, comment: Message, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.abilities = lambda channel: frozenset({Ability.PUBLIC_REPLY})  # type: ignore[method-assign]

    html = page(agent_client, comment.conversation)

    assert "Reply publicly" in html
    for words in ("Reply privately", "One private reply", "/hide/", "/like/"):
        assert words not in html


def test_a_card_says_why_something_is_not_possible_any_more(
    agent_client: Client, comment: Message
) -> None:
    Message.objects.update(sent_at=now() - timedelta(days=8))

    html = page(agent_client, comment.conversation)

    assert "Older than 7 days" in html
    assert "mode=private" not in html


def test_an_answered_comment_leads_to_its_answer(
    agent_client: Client, comment: Message, htmx: Client
) -> None:
    url = f"/inbox/comments/{comment.pk}/reply/private/?view=all"
    answer = htmx.post(url, {"content": "Here you are", "key": "k"})
    assert answer.status_code == 200
    reply = Message.objects.get(is_private_reply=True)

    html = page(agent_client, comment.conversation)

    assert "Answered in private on" in html
    assert f'href="#m-{reply.pk}"' in html
    assert "Private reply to a comment" in html


def test_who_may_only_read_is_offered_nothing(
    agent: Agent, agent_client: Client, comment: Message
) -> None:
    agent.user_permissions.remove(
        *agent.user_permissions.filter(codename="add_message")
    )

    html = page(agent_client, comment.conversation)

    assert "Reply publicly" not in html
    for url in ("reply/private/", "reply/public/", "hide/"):
        path = f"/inbox/comments/{comment.pk}/{url}"
        assert agent_client.post(path, {"content": "x"}).status_code == 403


def test_what_is_under_way_is_said_and_what_was_done_stays_written(
    agent_client: Client, htmx: Client, comment: Message
) -> None:
    answer = htmx.post(f"/inbox/comments/{comment.pk}/hide/?view=all")
    assert "Hiding…" in answer.content.decode()

    perform(ChannelAction.objects.get().pk)

    html = page(agent_client, comment.conversation)
    assert "Hidden from the public" in html
    assert "Nadia Berrada hid a comment" in html
    assert "Show again" in html


def test_a_thread_of_many_comments_costs_no_more_queries_than_one_of_two(
    agent_client: Client, conversation: Conversation
) -> None:
    def fill(first: int, last: int) -> None:
        for number in range(first, last):
            made = make_comment(conversation, external_id=f"c{number}")
            Message.objects.create(
                conversation=conversation,
                channel=conversation.channel,
                direction="out",
                source="agent",
                status="sent",
                content="Here",
                reply_to=made,
                is_private_reply=True,
                external_id=f"r{number}",
                sent_at=now(),
            )
            queue_action(conversation=conversation, message=made, kind=ActionKind.HIDE)

    fill(0, 2)
    page(agent_client, conversation)
    cache.clear()  # the rail's counts are kept for two seconds
    with CaptureQueriesContext(connection) as few:
        page(agent_client, conversation)
    fill(2, 15)
    cache.clear()
    with CaptureQueriesContext(connection) as many:
        page(agent_client, conversation)

    assert len(many) == len(few)


@pytest.mark.parametrize(
    "path",
    [
        "comments/999999/reply/public/",
        "comments/999999/hide/",
        "messages/999999/react/",
        "c/999999/typing/",
        "c/999999/take-over/",
        "c/999999/hand-back/",
    ],
)
def test_what_is_not_there_is_not_found(agent_client: Client, path: str) -> None:
    assert agent_client.post(f"/inbox/{path}", {"content": "x"}).status_code == 404
    assert agent_client.get(f"/inbox/{path}").status_code == 405


def test_odd_acts_are_not_found(agent_client: Client, comment: Message) -> None:
    for path in ("reply/loudly/", "shout/", "reply/"):
        url = f"/inbox/comments/{comment.pk}/{path}"
        assert agent_client.post(url, {"content": "x"}).status_code == 404


# --- the composer about a comment ----------------------------------------------------------------


def test_a_public_answer_is_counted_as_a_comment(
    htmx: Client, comment: Message, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.limits = type(fake_adapter.limits)(
        text=TextLimit(1000, "bytes"),
        comment_text=TextLimit(2200, "characters"),
        media={},
    )

    html = composer(htmx, comment.conversation, f"&mode=public&about={comment.pk}")

    for words in (
        "Everybody can read this",
        "How much is it?",
        'data-limit="2200"',
        f"/inbox/comments/{comment.pk}/reply/public/",
    ):
        assert words in html
    assert 'type="file"' not in html


def test_a_thread_of_a_comment_alone_offers_the_private_reply(
    htmx: Client, comment: Message
) -> None:
    html = composer(htmx, comment.conversation)

    for words in (
        "One private reply to this comment is possible until",
        "Private reply",
        "6 d 21 h",
        f"/inbox/comments/{comment.pk}/reply/private/",
    ):
        assert words in html


def test_an_open_window_goes_before_the_private_reply(
    htmx: Client, conversation: Conversation
) -> None:
    make_comment(conversation)

    assert "Window open" in composer(htmx, conversation)


def test_a_comment_that_is_answered_is_refused_in_words(
    htmx: Client, comment: Message
) -> None:
    url = f"/inbox/comments/{comment.pk}/reply/private/?view=all"
    htmx.post(url, {"content": "One", "key": "k1"})

    answer = htmx.post(url, {"content": "Two", "key": "k2"})

    assert answer.status_code == 422
    html = answer.content.decode()
    assert "Answered in private on" in html
    assert "Two" in html
    assert Message.objects.filter(is_private_reply=True).count() == 1


@pytest.mark.parametrize("about", ["", "999999", "x"])
def test_a_comment_that_is_not_there_cannot_be_answered(
    htmx: Client, conversation: Conversation, about: str
) -> None:
    url = f"/inbox/c/{conversation.pk}/composer/?mode=private&about={about}"

    assert htmx.get(url).status_code == 404


def test_a_plain_form_answers_a_comment_and_goes_back(
    agent_client: Client, comment: Message
) -> None:
    answer = agent_client.post(
        f"/inbox/comments/{comment.pk}/reply/public/?view=all",
        {"content": "640 dirhams", "key": "k"},
    )

    assert answer.status_code == 302
    assert Message.objects.filter(type="comment", direction="out").count() == 1


def test_the_rows_chip_counts_down_the_private_reply(
    agent_client: Client, comment: Message
) -> None:
    assert "Private reply · 6 d" in agent_client.get("/inbox/all/").content.decode()

    Message.objects.update(sent_at=now() - timedelta(days=8))
    Conversation.objects.update(last_message_at=now() - timedelta(days=8))

    assert "Private reply ·" not in agent_client.get("/inbox/all/").content.decode()


# --- other states --------------------------------------------------------------------------------


def test_a_window_that_may_be_open_says_that_dexra_tries(
    htmx: Client, conversation: Conversation
) -> None:
    close_window(conversation)
    ChannelIdentity.objects.update(probable_until=now() + timedelta(days=3))

    html = composer(htmx, conversation)

    assert "The window may still be open." in html
    assert "<textarea" in html


def test_a_held_conversation_names_who_holds_it_and_is_taken_over(
    htmx: Client, conversation: Conversation
) -> None:
    Conversation.objects.update(held_by="Business Suite")
    html = composer(htmx, conversation)
    assert "Business Suite holds this conversation" in html
    assert "<textarea" not in html

    url = f"/inbox/c/{conversation.pk}/take-over/?view=all"
    assert htmx.post(url).status_code == 200
    assert "Taking over…" in composer(htmx, conversation)
    perform(ChannelAction.objects.get().pk)

    html = composer(htmx, conversation)
    assert "Give back to Business Suite" in html
    assert "<textarea" in html


def test_a_reply_to_a_held_conversation_is_refused_in_words(
    htmx: Client, conversation: Conversation
) -> None:
    Conversation.objects.update(held_by="Business Suite")

    answer = htmx.post(
        f"/inbox/c/{conversation.pk}/messages/?view=all", {"content": "Hello"}
    )

    assert answer.status_code == 422
    assert "Take it over first" in answer.content.decode()


def test_an_account_that_cannot_take_over_is_not_offered_to(
    htmx: Client, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    Conversation.objects.update(held_by="Business Suite")
    fake_adapter.abilities = lambda channel: frozenset()  # type: ignore[method-assign]

    assert "Take over" not in composer(htmx, conversation)


# --- templates -----------------------------------------------------------------------------------


@pytest.fixture
def template(channel: Channel) -> MessageTemplate:
    return MessageTemplate.objects.create(
        channel=channel,
        external_id="t1",
        name="order_shipped",
        language="en_US",
        status="approved",
        body="Hello {{1}}, order {{2}} is on its way.",
        variables={"body": 2},
    )


def test_a_closed_window_offers_the_approved_templates(
    htmx: Client, conversation: Conversation, template: MessageTemplate
) -> None:
    close_window(conversation)
    MessageTemplate.objects.create(
        channel=conversation.channel, external_id="t2", name="unready", status="pending"
    )

    html = composer(htmx, conversation)

    assert "An approved template may still be sent" in html
    assert "order_shipped" in html
    assert "unready" not in html


def test_a_template_is_filled_and_sent(
    htmx: Client, conversation: Conversation, template: MessageTemplate
) -> None:
    close_window(conversation)
    html = composer(htmx, conversation, f"&template={template.pk}")
    assert html.count('name="value-body-') == 2
    assert "Hello {{1}}, order {{2}} is on its way." in html

    values = {"template": template.pk, "value-body-1": "Salma", "value-body-2": "#1047"}
    url = f"/inbox/c/{conversation.pk}/messages/?view=all"
    answer = htmx.post(url, values | {"key": "k"})

    assert answer.status_code == 200
    assert "Hello Salma, order #1047 is on its way." in answer.content.decode()


def test_a_template_with_a_gap_comes_back_with_what_was_filled(
    htmx: Client, conversation: Conversation, template: MessageTemplate
) -> None:
    close_window(conversation)
    values = {"template": template.pk, "value-body-1": "Salma", "value-body-2": ""}

    answer = htmx.post(f"/inbox/c/{conversation.pk}/messages/?view=all", values)

    assert answer.status_code == 422
    html = answer.content.decode()
    assert "Fill in every variable" in html
    assert 'value="Salma"' in html
    assert not Message.objects.exists()


# --- files, quotes, reactions, signals -----------------------------------------------------------


def test_a_plain_form_sends_files_and_words(
    agent_client: Client, conversation: Conversation
) -> None:
    files = [
        SimpleUploadedFile(f"{name}.png", picture(size=(8, 8)))
        for name in ("red", "blue")
    ]

    answer = agent_client.post(
        f"/inbox/c/{conversation.pk}/messages/?view=all",
        {"content": "Both colours", "key": "k", "files": files},
    )

    assert answer.status_code == 302
    sent = conversation.messages.order_by("pk")
    assert [message.type for message in sent] == ["image", "image", "text"]
    assert [one.title for m in sent for one in m.attachments.all()] == [
        "red.png",
        "blue.png",
    ]


def test_a_file_that_is_not_taken_comes_back_as_a_sentence(
    htmx: Client, conversation: Conversation
) -> None:
    answer = htmx.post(
        f"/inbox/c/{conversation.pk}/messages/?view=all",
        {
            "content": "Look",
            "key": "k",
            "files": [SimpleUploadedFile("big.png", picture(size=(900, 900)))],
        },
    )

    assert answer.status_code == 422
    html = answer.content.decode()
    assert "big.png is too large: Fake takes pictures up to 1 kB" in html
    assert "Look" in html


def test_a_reply_quotes_a_message(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    asked = say(conversation, "In blue?", external_id="mid-1")
    html = composer(htmx, conversation, f"&quote={asked.pk}")
    assert f'name="reply_to" value="{asked.pk}"' in html
    assert "In blue?" in html

    htmx.post(
        f"/inbox/c/{conversation.pk}/messages/?view=all",
        {"content": "Yes", "key": "k", "reply_to": asked.pk},
    )

    assert conversation.messages.get(direction="out").reply_to == asked


def test_a_message_of_somebody_else_is_not_quoted(
    htmx: Client, channel: Channel, conversation: Conversation, say: Say
) -> None:
    other = make_conversation(channel, person_id="person-2")
    foreign = say(other, "Not yours", external_id="mid-9")

    assert "Not yours" not in composer(htmx, conversation, f"&quote={foreign.pk}")
    answer = htmx.post(
        f"/inbox/c/{conversation.pk}/messages/?view=all",
        {"content": "Yes", "reply_to": foreign.pk},
    )
    assert answer.status_code == 422


def test_a_reaction_is_chosen_from_a_few(
    htmx: Client, conversation: Conversation, say: Say, fake_adapter: FakeAdapter
) -> None:
    message = say(conversation, "Thank you!", external_id="mid-1")
    url = f"/inbox/messages/{message.pk}/react/?view=all"

    assert htmx.post(url, {"emoji": "🍕"}).status_code == 422
    assert htmx.post(url, {"emoji": "👍"}).status_code == 200
    perform(ChannelAction.objects.get().pk)

    html = page(htmx, conversation)
    assert 'data-mine="👍"' in html


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("eager")
def test_opening_what_is_new_shows_the_customer_that_it_was_seen(
    agent_client: Client, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    page(agent_client, conversation)
    assert not fake_adapter.signals

    Conversation.objects.update(unread=2)
    page(agent_client, conversation)
    page(agent_client, conversation)

    assert [signal for _, signal in fake_adapter.signals] == ["seen"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("eager")
def test_typing_is_passed_on(
    agent_client: Client, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    answer = agent_client.post(f"/inbox/c/{conversation.pk}/typing/")

    assert answer.status_code == 204
    assert [signal for _, signal in fake_adapter.signals] == ["typing"]


def test_a_switch_keeps_typing_to_ourselves(
    htmx: Client, conversation: Conversation
) -> None:
    assert "data-typing-url" in composer(htmx, conversation)

    Channel.objects.update(shows_typing=False)

    assert "data-typing-url" not in composer(htmx, conversation)
