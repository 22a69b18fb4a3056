"""An agent's reply as one act: nothing newer unseen, queued, its draft gone, what follows done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.canned import NO_ACTIONS, Actions, check_filled, perform_actions
from inbox.conversations import lock
from inbox.drafts import drop_sent
from inbox.errors import StateForbids
from inbox.models import Agent, Conversation, Direction, Message

# As much of what is new as the question whether to send shows.
MAX_NEWER = 20


class NewerMessages(StateForbids):
    """Something came that the page had not shown. messages: that, oldest first."""

    code = "newer_messages"

    def __init__(self, messages: Sequence[Message]) -> None:
        super().__init__(
            _(
                "Something newer came meanwhile. Read it, then send again if it still fits."
            )
        )
        self.messages = messages


@dataclass(frozen=True, slots=True)
class Sending:
    """What a composer posts beside the content. key: the client key. draft: the key of the draft
    that it was opened with. seen: the newest message that the page showed, None: not told."""

    key: str = ""
    draft: str = ""
    seen: int | None = None
    actions: Actions = NO_ACTIONS


@transaction.atomic
def write_reply(
    *,
    conversation: Conversation,
    agent: Agent,
    sending: Sending,
    content: str,
    queue: Callable[[], object],
) -> None:
    """Write by `queue`, and all that goes with it, or nothing at all. The same key again does
    nothing again.

    Raises NewerMessages, ContentInvalid for a text with blanks, and whatever queue and the
    actions raise.
    """
    current = lock(conversation)
    is_repeated = (
        bool(sending.key) and Message.objects.filter(client_key=sending.key).exists()
    )
    if not is_repeated:
        check_seen(current, agent, sending.seen)
        check_filled(content, agent)
    queue()
    if is_repeated:
        return
    drop_sent(agent, current, {sending.key, sending.draft})
    perform_actions(conversation=current, actions=sending.actions, by=agent, at=now())


def check_seen(conversation: Conversation, agent: Agent, seen: int | None) -> None:
    """Raises NewerMessages if the customer or a colleague has written since `seen`."""
    if seen is None:
        return
    spoken = (Direction.IN, Direction.OUT, Direction.NOTE)
    newer = (
        conversation.messages.filter(
            pk__gt=seen, direction__in=spoken, is_stub=False, deleted_at=None
        )
        .exclude(author=agent)
        .with_parts()
        .order_by("-pk")[:MAX_NEWER]
    )
    if messages := list(newer)[::-1]:
        raise NewerMessages(messages)
