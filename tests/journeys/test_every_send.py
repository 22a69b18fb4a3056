"""Everything an account can send, over real HTTP to the pretend Meta and back as its echo."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from channels_meta.sandbox.models import SandboxPerson
from inbox.actions import perform, react
from inbox.channels import Button, Card, QuickReply, TemplateUse
from inbox.comments import reply_privately, reply_publicly
from inbox.content import read_file
from inbox.models import (
    Agent,
    Channel,
    ChannelAction,
    ChannelIdentity,
    Conversation,
    Message,
    MessageType,
    Source,
    Status,
)
from inbox.outbound import Writer, queue_reply
from inbox.templates import sync
from tests.journeys.conftest import work

pytestmark = pytest.mark.django_db(transaction=True)


def do(client: Client, person: SandboxPerson, act: str, text: str = "") -> None:
    """The customer does something, and Dexra hears of it."""
    answer = client.post(f"/sandbox/people/{person.pk}/{act}/", {"text": text})
    assert answer.status_code in {200, 302}
    work()


@pytest.fixture
def written(agent_client: Client, customer: SandboxPerson) -> Conversation:
    """The customer has asked something."""
    do(agent_client, customer, "write", "Do you have it in blue?")
    return Conversation.objects.select_related("channel").get(channel=customer.channel)


def send(conversation: Conversation, **what: Any) -> list[Message]:
    """What an agent sends, once it has left and come back."""
    messages = queue_reply(conversation=conversation, source=Source.AGENT, **what)
    work()
    for message in messages:
        message.refresh_from_db()
    return messages


def assert_sent_once(*messages: Message) -> None:
    for message in messages:
        assert message.status in {Status.SENT, Status.DELIVERED}, message.error_detail
        assert message.external_id
    ids = [message.pk for message in messages]
    ours = Message.objects.filter(direction="out").exclude(pk__in=ids)
    assert not ours.exists()  # every echo found its own


def picture() -> SimpleUploadedFile:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(content, "PNG")
    return SimpleUploadedFile("été.png", content.getvalue())


def test_words_with_answers_for_one_tap(written: Conversation) -> None:
    replies = [QuickReply("Blue", "BLUE"), QuickReply("Red", "RED")]

    assert_sent_once(*send(written, content="Which one?", quick_replies=replies))


def test_files_and_words_leave_as_parts_in_order(written: Conversation) -> None:
    limits = written.channel.adapter.limits
    media = [read_file(picture(), limits) for _ in range(2)]

    parts = send(written, content="Here they are", media=media)

    assert [part.type for part in parts] == ["image", "image", "text"]
    assert_sent_once(*parts)


def test_cards(written: Conversation) -> None:
    button = Button("Buy", "url", "https://shop.example.com/1")
    card = Card(title="Linen shirt", subtitle="Blue", buttons=(button,))

    assert_sent_once(*send(written, cards=[card, Card(title="Scarf", subtitle="Red")]))


def test_a_quote(written: Conversation) -> None:
    question = Message.objects.get()

    assert_sent_once(*send(written, content="Yes, we do", reply_to=question))


def test_a_reaction_is_shown_on_the_phone_and_here(
    written: Conversation, agent: Agent
) -> None:
    action = react(message=Message.objects.get(), emoji="❤️", author=agent)

    perform(action.pk)

    action.refresh_from_db()
    assert action.status == ChannelAction.Status.DONE, action.error_detail


@pytest.mark.parametrize("customer", ["messenger"], indirect=True)
def test_an_approved_template(written: Conversation) -> None:
    channel = written.channel
    sync(channel.pk)
    template = channel.templates.filter(status="approved").first()
    assert template is not None
    values = {part: ("A12",) * count for part, count in template.variables.items()}
    use = TemplateUse(template.name, template.language, values)

    assert_sent_once(*send(written, template=use))


@pytest.fixture
def comment(agent_client: Client, customer: SandboxPerson) -> Message:
    do(agent_client, customer, "comment", "Price?")
    return Message.objects.get(type=MessageType.COMMENT)


def test_a_public_answer_comes_back_as_our_own_comment(
    comment: Message, agent: Agent
) -> None:
    by = Writer(Source.AGENT, agent)

    answer = reply_publicly(comment=comment, by=by, content="80 dirhams")
    work()

    answer.refresh_from_db()
    assert_sent_once(answer)
    assert Message.objects.filter(type=MessageType.COMMENT).count() == 2


def test_a_private_answer_and_what_the_person_writes_then_are_one_contact(
    agent_client: Client, customer: SandboxPerson, comment: Message, agent: Agent
) -> None:
    by = Writer(Source.AGENT, agent)

    answer = reply_privately(comment=comment, by=by, content="80 dirhams")
    work()
    answer.refresh_from_db()
    assert_sent_once(answer)
    do(agent_client, customer, "write", "Thank you, I take it")

    people = ChannelIdentity.objects.filter(channel=customer.channel)
    assert len({identity.contact_id for identity in people}) == 1
    assert Channel.objects.get(pk=customer.channel.pk).last_error == ""
