"""Messages to look at, and requests as htmx makes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now

from inbox.conversations import refresh
from inbox.models import Agent, Conversation, Message
from inbox.search import fold

HTMX = {"HX-Request": "true"}

Say = Callable[..., Message]


@pytest.fixture
def say() -> Say:
    """Put a message into a conversation, as if it had come or gone."""

    def put(
        conversation: Conversation,
        content: str = "Salam",
        *,
        ago: timedelta = timedelta(minutes=30),
        **fields: Any,
    ) -> Message:
        values = {
            "direction": "in",
            "source": "customer",
            "status": "received",
        } | fields
        message = Message.objects.create(
            conversation=conversation,
            channel=conversation.channel,
            content=content,
            sent_at=now() - ago,
            search_text=fold(content),
            **values,
        )
        refresh([conversation.pk])
        return message

    return put


@pytest.fixture
def htmx(agent: Agent) -> Client:
    """Nadia's page asking for fragments."""
    client = Client(headers=HTMX)
    client.force_login(agent)
    return client


def failed(**fields: Any) -> dict[str, Any]:
    """The fields of a reply of ours that was refused."""
    return {
        "direction": "out",
        "source": "agent",
        "status": "failed",
        "error_class": "bad_request",
        "error_code": "100",
        "error_detail": "Meta did not accept this message.",
        **fields,
    }
