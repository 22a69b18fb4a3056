"""The pretend Meta's time: how fast it runs, and how it is skipped ahead.

Rows keep our own moments, so that events carry times that are true here. How old something is
at Meta is asked of `age_of`, which knows how many of Meta's seconds fit into one of ours; and
time is skipped by moving what has happened back, there and in Dexra alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F
from django.utils.timezone import now

from channels_meta.models import Credential
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxCall,
    SandboxClock,
    SandboxMessage,
    SandboxPerson,
)
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


# --- how fast it runs ------------------------------------------------------------------------------


def factor() -> float:
    """How many seconds pass at Meta in one of ours."""
    found = SandboxClock.objects.values_list("factor", flat=True).first()
    return found or 1.0


def run_at(speed: float) -> None:
    """An hour at Meta in a second of ours: 3600. 1 is our own time."""
    SandboxClock.objects.update_or_create(pk=1, defaults={"factor": speed})


def age_of(moment: datetime) -> timedelta:
    """How old something of ours is at Meta."""
    return (now() - moment) * factor()


def is_over(moment: datetime, lasts: timedelta) -> bool:
    """Whether what began at this moment and lasts so long at Meta has ended."""
    return age_of(moment) >= lasts


def span_of(lasts: timedelta) -> timedelta:
    """How long we wait for so much time at Meta."""
    return lasts / factor()


# --- skipping ahead --------------------------------------------------------------------------------


@transaction.atomic
def shift_conversation(*, person: SandboxPerson, by: timedelta) -> None:
    """Move every moment of this person's conversations back, here and in Dexra.

    What a machine waits for (a retry, a send under way) keeps its time. What was told to
    others stays told.
    """
    _shift_phones([person.pk], by)
    _shift_inbox([person], by)


@transaction.atomic
def shift_account(*, account: SandboxAccount, by: timedelta) -> None:
    """Let time pass for a whole account: its conversations, tokens and uploads grow older."""
    people = list(account.people.all())
    _shift_phones([person.pk for person in people], by)
    _shift_inbox(people, by)
    _shift(account.tokens.all(), by, "issued_at", "used_at")
    _shift(account.uploads.all(), by, "uploaded_at")
    _shift(
        SandboxAccount.objects.filter(pk=account.pk),
        by,
        "failing_since",
        "alerted_at",
        "dropped_at",
    )
    credentials = Credential.objects.filter(
        channel__kind=account.kind,
        channel__external_id=account.external_id,
        channel__is_sandbox=True,
    )
    _shift(credentials, by, "token_issued_at", "token_expires_at", "data_access_expires_at")  # fmt: skip


def _shift_inbox(people: Iterable[SandboxPerson], by: timedelta) -> None:
    """Dexra's side of what these people of one account did."""
    people = list(people)
    if not people:
        return
    account = people[0].account
    identities = ChannelIdentity.objects.filter(
        channel__kind=account.kind,
        channel__external_id=account.external_id,
        external_id__in={name for person in people for name in person.ids},
    )
    conversations = Conversation.objects.filter(identity__in=identities)
    ids = list(
        conversations.select_for_update().order_by("id").values_list("id", flat=True)
    )
    _shift(identities, by, "last_inbound_at", "window_expires_at", "probable_until", "delivered_until", "read_until", "created_at")  # fmt: skip
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


def _shift_phones(people: list[int], by: timedelta) -> None:
    shown = SandboxMessage.objects.filter(person__in=people)
    _shift(shown, by, "sent_at", "delivered_at", "seen_at", "edited_at", "unsent_at", "reacted_at", "answered_privately_at")  # fmt: skip
    persons = SandboxPerson.objects.filter(pk__in=people)
    _shift(persons, by, "ad_window_until", "owned_until", "typing_since")
    _shift(SandboxCall.objects.filter(person__in=people), by, "at")


def _shift(rows: models.QuerySet[Any], by: timedelta, *moments: str) -> None:
    """One UPDATE; a moment that never was stays null."""
    rows.update(**{name: F(name) - by for name in moments})
