"""Message templates: as the channel has them, filled, and sent while the window is closed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from inbox.channels import (
    Ability,
    ErrorClass,
    OutgoingMedia,
    SendError,
    TemplateInfo,
    TemplateUse,
)
from inbox.errors import ContentInvalid
from inbox.models import Channel, ChannelIdentity, Conversation, MessageTemplate, Source
from inbox.outbound import queue_reply
from inbox.templates import fill, sync, sync_all
from tests.fakes import FakeAdapter

pytestmark = pytest.mark.django_db

SHIPPED = TemplateInfo(
    external_id="t1",
    name="order_shipped",
    language="en_US",
    status="approved",
    body="Hello {{1}}, order {{ 2 }} is on its way.",
    variables={"body": 2, "header": 0},
)


@pytest.fixture
def shipped(channel: Channel, fake_adapter: FakeAdapter) -> MessageTemplate:
    fake_adapter.templates = [SHIPPED]
    sync(channel.pk)
    return MessageTemplate.objects.get()


@pytest.fixture
def closed(conversation: Conversation) -> Conversation:
    """Salma wrote two weeks ago."""
    at = now() - timedelta(days=14)
    ChannelIdentity.objects.update(
        last_inbound_at=at, window_expires_at=at + timedelta(hours=24)
    )
    return conversation


def use(*values: str, **more: str) -> TemplateUse:
    names = {"name": "order_shipped", "language": "en_US"} | more
    return TemplateUse(**names, parameters={"body": values})


# --- what the channel has ------------------------------------------------------------------------


def test_templates_are_kept_as_the_channel_lists_them(shipped: MessageTemplate) -> None:
    assert (shipped.name, shipped.status) == ("order_shipped", "approved")
    assert shipped.variables == {"body": 2}


def test_a_later_look_changes_and_retires(
    shipped: MessageTemplate, channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.templates = [
        TemplateInfo("t2", "refund", "fr", "in_appeal", "Remboursé", {}, reason="x")
    ]
    sync(channel.pk)

    shipped.refresh_from_db()
    assert shipped.status == "gone"
    refund = MessageTemplate.objects.get(external_id="t2")
    assert (refund.status, refund.reason) == ("rejected", "x")


def test_a_channel_that_cannot_answer_now_keeps_what_is_known(
    shipped: MessageTemplate, channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.templates = SendError(ErrorClass.TRANSIENT, "later", code="2")

    sync(channel.pk)

    shipped.refresh_from_db()
    assert shipped.status == "approved"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("eager")
def test_every_channel_that_may_have_templates_is_asked(
    channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.templates = [SHIPPED]
    sync_all()
    assert MessageTemplate.objects.filter(channel=channel).exists()

    MessageTemplate.objects.all().delete()
    fake_adapter.abilities = lambda channel: frozenset(Ability) - {Ability.TEMPLATES}  # type: ignore[method-assign]
    sync_all()

    assert not MessageTemplate.objects.exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{{2}} for {{1}}", "#1047 for Salma"),
        ("{{order}} for {{ name }}, {{order}}", "Salma for #1047, Salma"),
        ("No places", "No places"),
        ("{{1}} {{2}} {{3}}", "Salma #1047 {{3}}"),
    ],
)
def test_places_are_filled_by_number_or_in_their_order(
    shipped: MessageTemplate, body: str, words: str
) -> None:
    shipped.body = body

    assert fill(shipped, {"body": ["Salma", "#1047"]}) == words


# --- sending one ---------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [Source.AGENT, Source.API, Source.AUTOMATION])
def test_a_template_may_be_sent_while_the_window_is_closed(
    closed: Conversation, shipped: MessageTemplate, source: str
) -> None:
    (message,) = queue_reply(
        conversation=closed, source=source, template=use("Salma", "#1047")
    )

    assert message.type == "template"
    assert message.content == "Hello Salma, order #1047 is on its way."
    assert message.extra["template"] == {
        "name": "order_shipped",
        "language": "en_US",
        "parameters": {"body": ["Salma", "#1047"]},
    }


def test_the_same_key_sends_a_template_once(
    closed: Conversation, shipped: MessageTemplate
) -> None:
    for _ in range(2):
        queue_reply(
            conversation=closed,
            source=Source.API,
            template=use("Salma", "#1047"),
            client_key="k",
        )

    assert closed.messages.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        use("Salma"),
        use("Salma", " "),
        use("Salma", "#1047", "more"),
        use("Salma", "x" * 1001),
        use("Salma", "#1047", language="fr"),
        use("Salma", "#1047", name="unknown"),
        TemplateUse("order_shipped", "en_US", {"footer": ("x",)}),
    ],
)
def test_a_template_that_does_not_fit_is_refused(
    closed: Conversation, shipped: MessageTemplate, wrong: TemplateUse
) -> None:
    with pytest.raises(ContentInvalid):
        queue_reply(conversation=closed, source=Source.AGENT, template=wrong)

    assert not closed.messages.exists()


@pytest.mark.parametrize("status", ["pending", "rejected", "gone"])
def test_only_an_approved_template_is_sent(
    closed: Conversation, shipped: MessageTemplate, status: str
) -> None:
    MessageTemplate.objects.update(status=status)

    with pytest.raises(ContentInvalid, match="no approved template"):
        queue_reply(
            conversation=closed, source=Source.AGENT, template=use("Salma", "#1047")
        )


def test_a_template_goes_alone(closed: Conversation, shipped: MessageTemplate) -> None:
    picture = OutgoingMedia("image", "https://shop.example.com/1.png")

    with pytest.raises(ContentInvalid, match="alone"):
        queue_reply(
            conversation=closed,
            source=Source.AGENT,
            template=use("Salma", "#1047"),
            media=[picture],
        )


def test_an_account_without_templates_sends_none(
    closed: Conversation, shipped: MessageTemplate, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.abilities = lambda channel: frozenset()  # type: ignore[method-assign]

    with pytest.raises(ContentInvalid, match="cannot send templates"):
        queue_reply(
            conversation=closed, source=Source.AGENT, template=use("Salma", "#1047")
        )
