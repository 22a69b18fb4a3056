"""Notes of one's own, taken back: at first to be written anew, later only to be gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.audit import note_act
from inbox.conversations import lock, refresh
from inbox.errors import StateForbids
from inbox.models import Agent, Direction, Message

# How long a note counts as just written: what colleagues have read since is not rewritten.
REWRITE_SPAN = timedelta(minutes=15)


def can_rewrite(note: Message, at: datetime) -> bool:
    return note.direction == Direction.NOTE and at - note.sent_at < REWRITE_SPAN


@transaction.atomic
def remove_note(*, message: Message, by: Agent) -> None:
    """Delete a note for everybody, and whom it called; that it was, the audit keeps.

    Raises StateForbids for a note of somebody else, and if it is gone already.
    """
    _remove(message, by, "note_deleted")


@transaction.atomic
def take_note_back(*, message: Message, by: Agent) -> str:
    """The text of a note just written, which is gone then.

    Raises StateForbids as remove_note does, and for a note that is not new any more.
    """
    if not can_rewrite(message, now()):
        raise StateForbids(
            _("Colleagues may have read it by now. Delete it, or write another one.")
        )
    return _remove(message, by, "note_taken_back")


def _remove(message: Message, by: Agent, act: str) -> str:
    conversation = lock(message.conversation)
    note = conversation.messages.filter(pk=message.pk, direction=Direction.NOTE).first()
    if note is None or note.author_id != by.pk:
        raise StateForbids(_("Only who wrote a note can take it back."))
    note_act(by, act, conversation, note=note.pk, written_at=note.sent_at.isoformat())
    note.delete()
    refresh([conversation.pk])
    return note.content
