"""Skipping time: one conversation's past moves back, and so its windows close."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F

from channels_meta.sandbox.models import SandboxPerson
from inbox.conversations import refresh
from inbox.models import (
    Attachment,
    ChannelIdentity,
    Conversation,
    Message,
    Reaction,
)

# When the story of a message ends is a moment too, kept as text.
SHIFT_STORIES = """
update inbox_message m
   set extra = jsonb_set(m.extra, '{story,expires_at}', to_jsonb(
           to_char((m.extra #>> '{story,expires_at}')::timestamptz at time zone 'utc' - make_interval(secs => %s),
                   'YYYY-MM-DD"T"HH24:MI:SS.US+00:00')))
  from inbox_conversation c
 where c.id = m.conversation_id and c.identity_id = any(%s)
   and m.extra #>> '{story,expires_at}' is not null
"""


@transaction.atomic
def shift_conversation(*, person: SandboxPerson, by: timedelta) -> None:
    """Move every moment of this person's conversations back, here and in Dexra.

    What a machine waits for (a retry, a send under way) keeps its time. What was told to
    others stays told.
    """
    _shift_phone(person, by)
    identities = ChannelIdentity.objects.filter(
        channel_id=person.channel_id, external_id=person.external_id
    )
    conversations = Conversation.objects.filter(identity__in=identities)
    ids = list(
        conversations.select_for_update().order_by("id").values_list("id", flat=True)
    )
    _shift(identities, by, "last_inbound_at", "window_expires_at", "delivered_until", "read_until", "created_at")  # fmt: skip
    _shift(conversations, by, "last_message_at", "last_inbound_at", "window_expires_at", "waiting_since", "snoozed_until", "created_at", "closed_at")  # fmt: skip
    messages = Message.objects.filter(conversation__in=ids)
    _shift(messages, by, "sent_at", "received_at", "edited_at", "deleted_at")
    _shift(Attachment.objects.filter(message__in=messages), by, "remote_url_expires_at")
    _shift(Reaction.objects.filter(message__in=messages), by, "reacted_at")
    with connection.cursor() as cursor:
        cursor.execute(
            SHIFT_STORIES,
            [by.total_seconds(), list(identities.values_list("id", flat=True))],
        )
    refresh(ids)


def _shift_phone(person: SandboxPerson, by: timedelta) -> None:
    _shift(person.messages.all(), by, "sent_at", "delivered_at", "seen_at", "unsent_at", "reacted_at")  # fmt: skip
    _shift(person.calls.all(), by, "at")


def _shift(rows: models.QuerySet[Any], by: timedelta, *moments: str) -> None:
    """One UPDATE; a moment that never was stays null."""
    rows.update(**{name: F(name) - by for name in moments})
