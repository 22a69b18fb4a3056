"""Agents who are named in notes: `@nadia` calls nadia."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from django.utils.timezone import now

from inbox.models import Agent, Conversation, Direction, Mention, Message

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


def called_in(messages: Sequence[Message]) -> dict[int, list[str]]:
    """Whom these notes called, by username: no statement where no note names anybody."""
    naming = [
        message.pk
        for message in messages
        if message.direction == Direction.NOTE and _NAMED.search(message.content)
    ]
    called: dict[int, list[str]] = {}
    if naming:
        rows = Mention.objects.filter(note__in=naming).order_by("pk")
        for note_id, name in rows.values_list("note_id", "agent__username"):
            called.setdefault(note_id, []).append(name)
    return called


def names_in(content: str) -> Iterator[tuple[str, str]]:
    """A note in pieces: the words before a name, and the username that is named, "" at the end."""
    done = 0
    for found in _NAMED.finditer(content):
        name = found[1].rstrip(".")
        yield content[done : found.start()], name
        done = found.start() + 1 + len(name)
    yield content[done:], ""


def see_mentions(agent: Agent, conversation: Conversation) -> bool:
    """The agent has the conversation before their eyes. Returns whether one was new to them."""
    unseen = Mention.objects.filter(
        agent=agent, conversation=conversation, seen_at=None
    )
    return bool(unseen.update(seen_at=now()))
