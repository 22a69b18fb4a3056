"""Agents who are named in notes: `@nadia` calls nadia."""

from __future__ import annotations

import re

from django.utils.timezone import now

from inbox.models import Agent, Conversation, Mention, Message

# A name as Django's usernames are written, after an at sign that begins a word.
_NAMED = re.compile(r"(?<![\w@.])@([\w.+@-]{1,150})")


def mentioned_in(content: str) -> list[Agent]:
    """Whom a note calls: by username, whatever its case; a full stop after it is none of it."""
    names = {name.rstrip(".").casefold() for name in _NAMED.findall(content)}
    if not names:
        return []
    agents = Agent.objects.filter(is_active=True).order_by("pk")
    return [agent for agent in agents if agent.username.casefold() in names]


def note_mentions(note: Message) -> list[Agent]:
    """In the transaction that stores the note. Who names themselves is not called."""
    called = [one for one in mentioned_in(note.content) if one.pk != note.author_id]
    Mention.objects.bulk_create(
        Mention(agent=agent, note=note, conversation=note.conversation)
        for agent in called
    )
    return called


def see_mentions(agent: Agent, conversation: Conversation) -> bool:
    """The agent has the conversation before their eyes. Returns whether one was new to them."""
    unseen = Mention.objects.filter(
        agent=agent, conversation=conversation, seen_at=None
    )
    return bool(unseen.update(seen_at=now()))
