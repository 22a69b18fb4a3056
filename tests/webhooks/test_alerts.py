"""People are written to when we stop sending to an endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.utils.timezone import now

from inbox.models import Agent, Conversation
from tests.conftest import make_agent
from tests.webhooks.conftest import Answer, Receiver, make_due, say
from webhooks import endpoints
from webhooks.alerts import mail_disabled
from webhooks.models import Endpoint
from webhooks.sending import dispatch

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boss(transactional_db: None) -> Agent:
    return Agent.objects.create_superuser("boss", email="boss@shop.example")


@pytest.fixture
def disabled(
    endpoint: Endpoint, receiver: Receiver, live_conversation: Conversation
) -> Endpoint:
    """Its receiver has said 410 Gone."""
    receiver.answer = lambda received: Answer(status=410)
    say(live_conversation, "Is this available?")
    dispatch()
    endpoint.refresh_from_db()
    assert endpoint.status == "disabled"
    return endpoint


def test_a_disabled_endpoint_is_told_by_mail_once(
    boss: Agent, disabled: Endpoint
) -> None:
    make_agent("plain", email="plain@shop.example")

    mail_disabled()
    mail_disabled()

    (letter,) = mail.outbox
    assert letter.to == ["boss@shop.example"]
    assert disabled.url in letter.subject
    assert "It answered 410 Gone." in letter.body
    assert f"/webhooks/{disabled.pk}/" in letter.body


def test_each_reads_it_in_their_language(boss: Agent, disabled: Endpoint) -> None:
    Agent.objects.filter(pk=boss.pk).update(language="fr")

    mail_disabled()

    assert "no longer" not in mail.outbox[0].subject


def test_a_letter_that_cannot_leave_is_written_again_later(
    boss: Agent, disabled: Endpoint, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    mail_disabled()
    disabled.refresh_from_db()
    assert disabled.mail_due_at is not None
    assert disabled.mail_due_at > now()

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    Endpoint.objects.update(mail_due_at=now())
    mail_disabled()

    assert len(mail.outbox) == 1


def test_an_endpoint_that_was_resumed_meanwhile_is_not_told(
    boss: Agent, disabled: Endpoint
) -> None:
    endpoints.resume(disabled)

    mail_disabled()

    assert not mail.outbox


def test_one_that_is_disabled_again_is_told_again(
    boss: Agent, disabled: Endpoint
) -> None:
    mail_disabled()
    endpoints.resume(disabled)
    make_due()
    dispatch()

    mail_disabled()

    assert len(mail.outbox) == 2


def test_nobody_to_write_to_is_no_reason_to_try_for_ever(disabled: Endpoint) -> None:
    mail_disabled()

    disabled.refresh_from_db()
    assert disabled.mail_due_at is None
