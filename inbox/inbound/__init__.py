"""Receive messages, receipts, echoes, in batches: what channel apps call.

Set-based: a batch of any size takes the same few statements. Nothing slow happens here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.db import transaction

from inbox import live
from inbox.conversations import touch
from inbox.events import Event, emit
from inbox.inbound.accounts import change_templates, raise_alerts
from inbox.inbound.batch import Batch, Key, Known, execute, look_up, mentioned
from inbox.inbound.changes import (
    apply_edits,
    apply_hides,
    apply_reactions,
    apply_receipts,
    apply_unsends,
    forget_erased,
)
from inbox.inbound.echoes import (
    find_answered_elsewhere,
    find_open_sends,
    join_commenters,
    place_answers,
    settle_echoes,
)
from inbox.inbound.items import (
    ANOTHER_APP,
    Act,
    Alert,
    Arrival,
    Echo,
    Edit,
    Hide,
    InboundMessage,
    Item,
    Part,
    ReactionChange,
    Receipt,
    TemplateChange,
    Unsend,
)
from inbox.inbound.messages import store_messages
from inbox.inbound.people import find_conversations, find_people
from inbox.inbound.questions import ask
from inbox.inbound.windows import move_windows
from inbox.models import Channel
from inbox.pipeline import pipelined
from inbox.turns import take_turn

__all__ = [
    "ANOTHER_APP",
    "Act",
    "Alert",
    "Arrival",
    "Echo",
    "Edit",
    "Hide",
    "InboundMessage",
    "Item",
    "Part",
    "ReactionChange",
    "Receipt",
    "Received",
    "TemplateChange",
    "Unsend",
    "receive",
    "take_turn",
]

# To the second is enough for people, and spares the row an update per batch.
HEARD_FROM = """
update inbox_channel c set last_event_at = k.at
  from unnest(%s::bigint[], %s::timestamptz[]) k(id, at)
 where c.id = k.id
   and (c.last_event_at is null or k.at > c.last_event_at + interval '1 second')
"""


@dataclass(frozen=True, slots=True)
class Received:
    """What became of the arrivals.

    erased: messages whose content must not be kept anywhere any more, by (channel, id).
    stored: how many messages were new. asks: whether there is something to ask of the channels
    (Fetch rows). mentions: journal rows that tell of a message beside the one that brought it.
    """

    erased: dict[Key, Known]
    stored: int = 0
    asks: bool = False
    mentions: Sequence[tuple[Key, int]] = ()


def receive(
    arrivals: Sequence[Arrival],
    *,
    has_turn: bool = False,
    channels: Mapping[int, Channel] | None = None,
    is_last_try: bool = True,
) -> Received:
    """Store what happened, once each, in the order in which the arrivals come.

    has_turn: the caller has taken it, perhaps in another transaction, and holds it until we are
    done; nothing else of these people may be received meanwhile. channels: those of the arrivals,
    if they were read already. is_last_try: unless it is, what cannot be stored costs the caller's
    transaction, and all that stores well costs less.

    Raises django.db.DataError, IntegrityError or ValueError if an item cannot be stored: then
    nothing of this batch is, and the caller finds out which.
    """
    if not arrivals:
        return Received({})
    with transaction.atomic(savepoint=is_last_try):
        if not has_turn:
            take_turn()
        return _receive(arrivals, channels)


def _receive(
    arrivals: Sequence[Arrival], channels: Mapping[int, Channel] | None
) -> Received:
    batch = Batch([part for arrival in arrivals for part in _told_by(arrival)])
    batch.channels = channels or Channel.objects.in_bulk(
        {arrival.channel_id for arrival in arrivals}
    )
    batch.known = look_up(mentioned(batch))
    _note_repeats_of_erased(batch)
    place_answers(batch)
    find_people(batch)
    find_conversations(batch, also_lock=_spoken_of(batch))
    store_messages(batch, native_echoes=settle_echoes(batch))
    apply_edits(batch)
    apply_hides(batch)
    apply_reactions(batch)
    apply_receipts(batch)
    apply_unsends(batch)
    raise_alerts(batch)
    change_templates(batch)
    with pipelined():
        move_windows(batch)
        _note_last_event(batch)
        asks = ask(batch)
        events = _touch_and_number(batch)
    emit(events)
    join_commenters(batch)
    forget_erased(batch)
    live.publish_after_commit(
        live.Change("channel", pk) for pk in sorted(batch.changed_channels)
    )
    return Received(batch.erased, batch.stored, asks, _mentions(batch))


def _told_by(arrival: Arrival) -> list[Arrival]:
    """A notice about a comment may be the first we hear of the comment."""
    if isinstance(arrival.item, Hide | Edit) and arrival.item.comment:
        return [replace(arrival, item=arrival.item.comment), arrival]
    return [arrival]


def _note_repeats_of_erased(batch: Batch) -> None:
    """What was unsent may come again, from Meta or by replay: it is erased where it came."""
    for arrival in batch.arrivals:
        if isinstance(arrival.item, InboundMessage | Echo | Edit):
            key = (arrival.channel_id, arrival.item.external_id)
            if key in batch.known and batch.known[key].is_deleted:
                batch.erased[key] = batch.known[key]


def _mentions(batch: Batch) -> list[tuple[Key, int]]:
    """Repeats, edits and late echoes: what is forgotten one day is to be found there too."""
    return [
        (key, arrival.raw_event_id)
        for arrival in batch.arrivals
        if arrival.raw_event_id is not None
        and isinstance(arrival.item, InboundMessage | Echo | Edit)
        and (key := (arrival.channel_id, arrival.item.external_id)) in batch.known
        and batch.known[key].raw_event_id != arrival.raw_event_id
    ]


def _spoken_of(batch: Batch) -> set[int]:
    """Conversations of messages that the batch may change: locked with the others, in order."""
    ids = {
        known.conversation_id for known in batch.known.values() if known.conversation_id
    }
    sends = [*find_open_sends(batch), *batch.answers.values()]
    find_answered_elsewhere(batch, sends)
    return ids | {send.conversation_id for send in sends}


def _touch_and_number(batch: Batch) -> list[Event]:
    """Bring the conversations up to date; their events, each with its number, in order."""
    for event in batch.events:
        if event.conversation_id is not None:
            batch.touch(event.conversation_id).events += 1
    last = touch(batch.touches)
    next_number = {
        pk: last[pk] - one.events + 1 for pk, one in batch.touches.items() if one.events
    }
    numbered = []
    for event in batch.events:
        if event.conversation_id is not None:
            number = next_number[event.conversation_id]
            next_number[event.conversation_id] = number + 1
            event = replace(event, sequence=number)
        numbered.append(event)
    return numbered


def _note_last_event(batch: Batch) -> None:
    """What we had to look for ourselves is no sign of life."""
    newest = {a.channel_id: a.received_at for a in batch.arrivals if not a.recovered}
    ids = sorted(newest)
    if ids:
        execute(HEARD_FROM, ids, [newest[channel_id] for channel_id in ids])
