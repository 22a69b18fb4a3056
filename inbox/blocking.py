"""People we do not want to hear from: what they write is stored, and disturbs nobody.

The platform is not told: they can still write, and never learn of it.
"""

from __future__ import annotations

from django.db import transaction
from django.utils.timezone import now

from inbox.audit import note_act
from inbox.conversations import lock, record
from inbox.models import Agent, ChannelIdentity, Conversation
from inbox.triage import close_conversation, reopen_conversation


@transaction.atomic
def block_person(
    *, conversation: Conversation, by: Agent | None, is_spam: bool = False
) -> None:
    """Close the conversation, and let nothing that this person writes open one again."""
    lock(conversation)
    identity = ChannelIdentity.objects.select_for_update(no_key=True).get(
        pk=conversation.identity_id
    )
    if identity.blocked_at and identity.is_spam == is_spam:
        return
    identity.blocked_at, identity.is_spam = now(), is_spam
    identity.save(update_fields=["blocked_at", "is_spam"])
    close_conversation(conversation=conversation, by=by)
    what = "spam" if is_spam else "blocked"
    record(conversation, by, what)
    note_act(by, what, identity)


@transaction.atomic
def unblock_person(*, conversation: Conversation, by: Agent | None) -> None:
    """Hear from them again, and see what they wrote meanwhile."""
    lock(conversation)
    identity = ChannelIdentity.objects.select_for_update(no_key=True).get(
        pk=conversation.identity_id
    )
    if identity.blocked_at is None:
        return
    identity.blocked_at, identity.is_spam = None, False
    identity.save(update_fields=["blocked_at", "is_spam"])
    record(conversation, by, "unblocked")
    reopen_conversation(conversation=conversation, by=by)
    note_act(by, "unblocked", identity)
