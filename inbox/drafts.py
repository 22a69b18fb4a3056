"""What agents have begun to write: kept as they type, gone when it is sent."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from inbox.conversations import lock, refresh
from inbox.models import Agent, Conversation, Draft, Message

# More than any composer takes: what is beyond it is not a draft but an accident.
MAX_DRAFT_CHARACTERS = 50_000


@dataclass(frozen=True, slots=True)
class Written:
    """A composer as it stands. key: the client key it will be sent under. version: of its saves.

    about: the message that is quoted, or the comment that is answered.
    """

    mode: str
    content: str
    key: str = ""
    version: int = 0
    about: Message | None = None


@transaction.atomic
def save_draft(*, agent: Agent, conversation: Conversation, written: Written) -> None:
    """Keep it in place of what was there; nothing written is no draft.

    A save that comes after its own send, or was overtaken by a later one, changes nothing.
    """
    current = lock(conversation)
    draft = drafts_of(agent, current).filter(mode=written.mode).first()
    if _is_late(draft, written):
        return
    if not written.content.strip():
        if draft is not None:
            draft.delete()
            refresh([current.pk])
        return
    values = {
        "content": written.content[:MAX_DRAFT_CHARACTERS],
        "key": written.key,
        "version": written.version,
        "about": written.about,
    }
    Draft.objects.update_or_create(
        agent=agent, conversation=current, mode=written.mode, defaults=values
    )
    # The row tells of a draft, not of its words.
    if draft is None:
        refresh([current.pk])


def _is_late(draft: Draft | None, written: Written) -> bool:
    if not written.key:
        return False
    if draft and draft.key == written.key and draft.version > written.version:
        return True
    return Message.objects.filter(client_key=written.key).exists()


def drop_sent(agent: Agent, conversation: Conversation, keys: set[str]) -> None:
    """In the transaction that queues the reply: the drafts that it was. What the agent has begun
    meanwhile, elsewhere, stays."""
    sent = drafts_of(agent, conversation).filter(key__in=keys - {""})
    if sent.delete()[0]:
        refresh([conversation.pk])


def drafts_of(agent: Agent, conversation: Conversation) -> QuerySet[Draft]:
    return Draft.objects.filter(agent=agent, conversation=conversation)


@transaction.atomic
def put_back(*, agent: Agent, conversation: Conversation, written: Written) -> None:
    """Words that come back stand before what was written since."""
    draft = drafts_of(agent, conversation).filter(mode=written.mode).first()
    texts = [written.content, draft.content if draft else ""]
    Draft.objects.update_or_create(
        agent=agent,
        conversation=conversation,
        mode=written.mode,
        defaults={
            "content": "\n".join(text for text in texts if text),
            "about": written.about or (draft.about if draft else None),
            "key": "",
            "version": 0,
        },
    )
    refresh([conversation.pk])
