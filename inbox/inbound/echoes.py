"""Our own messages, reported back: settle the send they belong to, or learn of a native reply."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from inbox.delivery import message_of, settle_sent
from inbox.events import Event, EventName
from inbox.inbound.batch import Batch, Known, columns, execute
from inbox.inbound.items import Arrival, Echo
from inbox.models import Message

# Sends of these people that an echo may still be about, oldest first.
FIND_OPEN_SENDS = """
select m.id, m.conversation_id, c.identity_id, m.content, m.type, m.source
  from inbox_conversation c
  join inbox_message m on m.conversation_id = c.id
 where c.identity_id = any(%s)
   and m.direction = 'out' and m.external_id is null
   and (m.status in ('sending', 'uncertain') or (m.status = 'failed' and m.error_class = 'uncertain'))
 order by m.id
"""

# The echo knows the channel's time; ours was a guess.
LEARN_TIMES = """
update inbox_message m set sent_at = k.sent_at
  from unnest(%s::bigint[], %s::timestamptz[]) k(id, sent_at)
 where m.id = k.id and m.direction = 'out'
returning m.conversation_id
"""

SETTLE = """
update inbox_message m
   set status = 'sent', external_id = k.external_id, sent_at = k.sent_at,
       sending_since = null, next_attempt_at = null,
       error_class = '', error_code = '', error_detail = ''
  from unnest(%s::bigint[], %s::text[], %s::timestamptz[]) k(id, external_id, sent_at)
 where m.id = k.id
"""

# States in which the channel's word that it has the message is news.
UNSETTLED = {"queued", "sending", "uncertain", "failed"}


@dataclass(slots=True)
class OpenSend:
    id: int
    conversation_id: int
    identity_id: int
    content: str
    type: str
    source: str


def find_open_sends(batch: Batch) -> list[OpenSend]:
    """All that an echo without a known id could be about."""
    people = {
        batch.identities[arrival.channel_id, echo.person_id]
        for arrival, echo in batch.of(Echo)
        if batch.is_new((arrival.channel_id, echo.external_id))
    }
    if not people:
        return []
    return [OpenSend(*row) for row in execute(FIND_OPEN_SENDS, sorted(people))]


def settle_echoes(batch: Batch) -> list[tuple[Arrival, Echo]]:
    """Match echoes by id, by our mark, then by content. Returns those that are nobody's here."""
    open_sends = defaultdict(list)
    for send in find_open_sends(batch):
        open_sends[send.identity_id].append(send)
    seen: set[tuple[int, str]] = set()
    times: dict[int, datetime] = {}
    matched: list[tuple[Arrival, Echo, OpenSend]] = []
    native: list[tuple[Arrival, Echo]] = []
    for arrival, echo in batch.of(Echo):
        key = (arrival.channel_id, echo.external_id)
        if key in seen:
            continue
        seen.add(key)
        known = batch.known.get(key)
        if known and not known.is_stub:
            _learn(batch, known, echo, times)
            continue
        sends = open_sends[batch.identities[arrival.channel_id, echo.person_id]]
        match = _match(sends, echo)
        if match is None:
            native.append((arrival, echo))
        else:
            sends.remove(match)
            matched.append((arrival, echo, match))
    if times:
        rows = execute(LEARN_TIMES, *columns(sorted(times.items()), 2))
        for (conversation_id,) in rows:
            batch.touch(conversation_id)
    _settle(batch, matched)
    return native


def _learn(batch: Batch, known: Known, echo: Echo, times: dict[int, datetime]) -> None:
    if known.direction == "out":
        times[known.id] = echo.sent_at
    if known.status in UNSETTLED and known.direction == "out":
        _settle_singly(batch, known.id, echo)


def _match(sends: Iterable[OpenSend], echo: Echo) -> OpenSend | None:
    marked = message_of(echo.reference)
    for send in sends:
        if send.id == marked:
            return send
    if marked is not None:
        return None
    return next((send for send in sends if _same_content(send, echo)), None)


def _same_content(send: OpenSend, echo: Echo) -> bool:
    """Text as sent; media by kind, since the channel's address differs from ours."""
    if echo.parts:
        return send.type == echo.parts[0].kind
    return send.type == "text" and send.content.strip() == echo.content.strip()


def _settle(batch: Batch, matched: list[tuple[Arrival, Echo, OpenSend]]) -> None:
    plain: list[tuple[int, str, datetime]] = []
    for arrival, echo, send in matched:
        touch = batch.touch(send.conversation_id)
        touch.answered_at = max(touch.answered_at or echo.sent_at, echo.sent_at)
        if (arrival.channel_id, echo.external_id) in batch.known:
            _settle_singly(
                batch, send.id, echo
            )  # a stub waits under this id: the two become one
            continue
        plain.append((send.id, echo.external_id, echo.sent_at))
        batch.known[arrival.channel_id, echo.external_id] = Known(
            id=send.id,
            conversation_id=send.conversation_id,
            identity_id=send.identity_id,
            direction="out",
            status="sent",
            error_class="",
            sent_at=echo.sent_at,
            is_stub=False,
            is_deleted=False,
            raw_event_id=arrival.raw_event_id,
        )
        batch.events.append(
            Event(
                EventName.MESSAGE_OUT,
                channel_id=arrival.channel_id,
                occurred_at=echo.sent_at,
                conversation_id=send.conversation_id,
                message_id=send.id,
                source=send.source,
            )
        )
    if plain:
        execute(SETTLE, *columns(plain, 3))


def _settle_singly(batch: Batch, message_id: int, echo: Echo) -> None:
    """The rare case in which two rows become one: not worth a set-based statement."""
    message = (
        Message.objects.select_for_update(of=("self",))
        .select_related("conversation", "channel")
        .get(pk=message_id)
    )
    settle_sent(message, external_id=echo.external_id, sent_at=echo.sent_at)
    batch.touch(message.conversation.pk)
    key = (message.channel_id, echo.external_id)
    batch.known[key] = Known(
        id=message.pk,
        conversation_id=message.conversation.pk,
        identity_id=message.conversation.identity_id,
        direction="out",
        status=message.status,
        error_class="",
        sent_at=echo.sent_at,
        is_stub=False,
        is_deleted=message.deleted_at is not None,
        raw_event_id=message.raw_event_id,
    )
