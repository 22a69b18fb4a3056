"""Our own messages, reported back: settle the send they belong to, or learn of a native reply."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from inbox.delivery import message_of, reference_of, settle_sent
from inbox.events import Event, EventName
from inbox.identity import join_identity
from inbox.inbound.batch import Batch, Key, Known, OpenSend, columns, execute
from inbox.inbound.items import Arrival, Echo, InboundMessage
from inbox.models import ChannelIdentity, Message, MessageType

# By how much the channel's clock may be behind ours.
CLOCKS_DIFFER = timedelta(minutes=1)

# Sends that an echo may still be about, oldest first: to these people, or with these marks of
# ours (an answer in private to a comment goes to a person whom only its echo names).
FIND_OPEN_SENDS = """
select m.id, m.channel_id, m.conversation_id, c.identity_id, '', m.content, m.type, m.source,
       m.sent_at
  from inbox_conversation c
  join inbox_message m on m.conversation_id = c.id
 where c.identity_id = any(%s)
   and m.direction = 'out' and m.external_id is null
   and (m.status in ('sending', 'uncertain') or (m.status = 'failed' and m.error_class = 'uncertain'))
union
select m.id, m.channel_id, m.conversation_id, c.identity_id, '', m.content, m.type, m.source,
       m.sent_at
  from inbox_message m
  join inbox_conversation c on c.id = m.conversation_id
 where m.id = any(%s) and m.channel_id = any(%s)
   and m.direction = 'out' and m.external_id is null
   and (m.status in ('sending', 'uncertain') or (m.status = 'failed' and m.error_class = 'uncertain'))
 order by 1
"""

# Public answers that a comment of ours may be: under way, or to one of these comments. The
# channel files an answer to an answer under the comment that both are about.
FIND_OPEN_ANSWERS = """
with open as (
    select m.id, m.reply_to_id from inbox_message m
     where m.status in ('sending', 'uncertain') and m.channel_id = any(%s)
       and m.type = 'comment' and m.external_id is null
    union
    select m.id, m.reply_to_id
      from unnest(%s::bigint[], %s::text[]) k(channel_id, external_id)
      join inbox_message p using (channel_id, external_id)
      join inbox_message m on m.reply_to_id = p.id
     where m.type = 'comment' and m.external_id is null
       and m.status = 'failed' and m.error_class = 'uncertain')
select m.id, m.channel_id, m.conversation_id, c.identity_id, i.external_id, m.content, m.type,
       m.source, array[p.external_id, p.extra->'comment'->>'parent_id']
  from open
  join inbox_message m on m.id = open.id
  join inbox_message p on p.id = open.reply_to_id
  join inbox_conversation c on c.id = m.conversation_id
  join inbox_channelidentity i on i.id = c.identity_id
 order by m.id
"""

STILL_OPEN = """
select id from inbox_message where id = any(%s) and external_id is null
"""

FIND_PERSONS = "select id, external_id from inbox_channelidentity where id = any(%s)"

# The echo knows the channel's time; ours was a guess.
LEARN_TIMES = """
update inbox_message m
   set sent_at = k.sent_at, raw_event_id = coalesce(m.raw_event_id, k.raw_event_id)
  from unnest(%s::bigint[], %s::timestamptz[], %s::bigint[]) k(id, sent_at, raw_event_id)
 where m.id = k.id and m.direction = 'out'
returning m.conversation_id
"""

SETTLE = """
update inbox_message m
   set status = 'sent', external_id = k.external_id, sent_at = k.sent_at,
       sending_since = null, next_attempt_at = null,
       error_class = '', error_code = '', error_detail = '', raw_event_id = k.raw_event_id
  from unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::bigint[])
       k(id, external_id, sent_at, raw_event_id)
 where m.id = k.id
"""

# States in which the channel's word that it has the message is news.
UNSETTLED = {"queued", "sending", "uncertain", "failed"}


def place_answers(batch: Batch) -> None:
    """A comment of ours belongs to whoever it answers; one that answers nobody is dropped.

    The channel names no person: we know them by the row we have of it, by the send that it
    reports, or by the comment above it. (What is dropped stays in the journal.)
    """
    own = [(a, echo) for a, echo in batch.of(Echo) if not echo.person_id]
    if not own:
        return
    _find_answers(batch, own)
    person_of = _persons_known(batch)
    placed: list[Arrival] = []
    for arrival in batch.arrivals:
        item = arrival.item
        if isinstance(item, Echo) and not item.person_id:
            person = person_of(arrival.channel_id, item)
            if not person:
                continue
            arrival = replace(arrival, item=replace(item, person_id=person))
        placed.append(arrival)
    batch.arrivals = placed


def _find_answers(batch: Batch, own: list[tuple[Arrival, Echo]]) -> None:
    """Match comments of ours to the answers that are under way, by words and by what they answer."""
    keys: dict[Key, Echo] = {}
    for arrival, echo in own:
        key = (arrival.channel_id, echo.external_id)
        if batch.is_new(key):
            keys.setdefault(key, echo)
    if not keys:
        return
    parents = sorted({(channel, echo.reply_to) for (channel, _), echo in keys.items()})
    rows = execute(FIND_OPEN_ANSWERS, [c for c, _ in parents], *columns(parents, 2))
    sends = [replace(OpenSend(*row[:8]), answers=tuple(row[8])) for row in rows]
    for key, echo in keys.items():
        match = next((s for s in sends if _is_answer(s, key[0], echo)), None)
        if match:
            sends.remove(match)
            batch.answers[key] = match


def _is_answer(send: OpenSend, channel_id: int, echo: Echo) -> bool:
    return (
        send.channel_id == channel_id
        and echo.reply_to in send.answers
        and send.content.strip() == echo.content.strip()
    )


def _persons_known(batch: Batch) -> Callable[[int, Echo], str]:
    """A way from a comment of ours to the channel's id of the person it belongs to."""
    here = {
        (a.channel_id, message.external_id): message.person_id
        for a, message in batch.of(InboundMessage)
    }
    ids = {known.identity_id for known in batch.known.values() if known.identity_id}
    persons = dict(execute(FIND_PERSONS, sorted(ids)))

    def person_of(channel_id: int, echo: Echo) -> str:
        send = batch.answers.get((channel_id, echo.external_id))
        if send:
            return send.person_id
        for external_id in (echo.external_id, echo.reply_to):
            known = batch.known.get((channel_id, external_id))
            if known and known.identity_id:
                return str(persons[known.identity_id])
        return here.get((channel_id, echo.reply_to), "")

    return person_of


def find_open_sends(batch: Batch) -> list[OpenSend]:
    """All that an echo without a known id could be about."""
    people, marks, channels = set(), set(), set()
    for arrival, echo in batch.of(Echo):
        if batch.is_new((arrival.channel_id, echo.external_id)):
            people.add(batch.identities[arrival.channel_id, echo.person_id])
            channels.add(arrival.channel_id)
            marks.add(message_of(echo.reference) or 0)
    if not people:
        return []
    rows = execute(FIND_OPEN_SENDS, sorted(people), sorted(marks), sorted(channels))
    return [replace(OpenSend(*row[:8]), written_at=row[8]) for row in rows]


def find_answered_elsewhere(batch: Batch, sends: Iterable[OpenSend]) -> None:
    """Note the echoes whose mark is that of a send to another identity: a private answer."""
    identity_of = {(send.channel_id, send.id): send.identity_id for send in sends}
    for arrival, echo in batch.of(Echo):
        marked = identity_of.get(
            (arrival.channel_id, message_of(echo.reference) or 0), 0
        )
        key = (arrival.channel_id, echo.person_id)
        if marked and marked != batch.identities.get(key):
            batch.elsewhere.add((arrival.channel_id, echo.external_id))


class OpenSends:
    """What echoes may still be about: by our mark, and by person in the order of writing."""

    def __init__(self, sends: Iterable[OpenSend]) -> None:
        self.by_mark: dict[Key, OpenSend] = {}
        self.by_person: dict[int, list[OpenSend]] = defaultdict(list)
        for send in sends:
            self.by_mark[send.channel_id, reference_of(send.id)] = send
            self.by_person[send.identity_id].append(send)

    def take(self, arrival: Arrival, identity_id: int, echo: Echo) -> OpenSend | None:
        """The send that an echo reports; it reports no other."""
        channel_id = arrival.channel_id
        if message_of(echo.reference) is not None:
            match = self.by_mark.get((channel_id, echo.reference))
        else:
            sends = self.by_person[identity_id]
            sends = [s for s in sends if not _is_earlier(arrival, echo, s)]
            match = next((send for send in sends if _same_content(send, echo)), None)
        if match:
            del self.by_mark[match.channel_id, reference_of(match.id)]
            self.by_person[match.identity_id].remove(match)
        return match


def _is_earlier(arrival: Arrival, echo: Echo, send: OpenSend) -> bool:
    """Whether what was found at the channel was there before we wrote this."""
    return (
        bool(arrival.recovered)
        and send.written_at is not None
        and echo.sent_at < send.written_at - CLOCKS_DIFFER
    )


def settle_echoes(batch: Batch) -> list[tuple[Arrival, Echo]]:
    """Match echoes by id, by our mark, then by content. Returns those that are nobody's here."""
    open_sends = OpenSends(find_open_sends(batch))
    _forget_settled_answers(batch)
    seen: set[Key] = set()
    learned: list[Learned] = []
    matched: list[tuple[Arrival, Echo, OpenSend]] = []
    native: list[tuple[Arrival, Echo]] = []
    for arrival, echo in batch.of(Echo):
        key = (arrival.channel_id, echo.external_id)
        if key in seen:
            continue
        seen.add(key)
        known = batch.known.get(key)
        if known and not known.is_stub:
            if known.direction == "out":
                learned.append(_learn(batch, known, arrival, echo))
            continue
        if echo.type == MessageType.COMMENT:
            match = batch.answers.get(key)
        else:
            identity_id = batch.identities[arrival.channel_id, echo.person_id]
            match = open_sends.take(arrival, identity_id, echo)
        if match is None:
            native.append((arrival, echo))
        else:
            matched.append((arrival, echo, match))
            if key in batch.elsewhere:
                batch.joins.append((match.identity_id, echo.person_id))
    if learned:
        rows = execute(LEARN_TIMES, *columns(sorted(learned), 3))
        for (conversation_id,) in rows:
            batch.touch(conversation_id)
    _settle(batch, matched)
    return native


def _forget_settled_answers(batch: Batch) -> None:
    """The channel's answer to a send may have come between our look and the lock."""
    if batch.answers:
        ids = sorted(send.id for send in batch.answers.values())
        still_open = {row[0] for row in execute(STILL_OPEN, ids)}
        batch.answers = {k: s for k, s in batch.answers.items() if s.id in still_open}


# (message, the channel's time of it, the journal row that told)
Learned = tuple[int, datetime, int | None]


def _learn(batch: Batch, known: Known, arrival: Arrival, echo: Echo) -> Learned:
    known.raw_event_id = known.raw_event_id or arrival.raw_event_id
    if known.status in UNSETTLED:
        _settle_singly(batch, known.id, echo)
    return known.id, echo.sent_at, arrival.raw_event_id


def _same_content(send: OpenSend, echo: Echo) -> bool:
    """Text as sent; media by kind, since the channel's address differs from ours."""
    if send.type == MessageType.COMMENT:
        return False
    if echo.parts:
        return send.type == echo.parts[0].kind
    return send.type == "text" and send.content.strip() == echo.content.strip()


def _settle(batch: Batch, matched: list[tuple[Arrival, Echo, OpenSend]]) -> None:
    plain: list[tuple[int, str, datetime, int | None]] = []
    for arrival, echo, send in matched:
        touch = batch.touch(send.conversation_id)
        touch.answered_at = max(touch.answered_at or echo.sent_at, echo.sent_at)
        if (arrival.channel_id, echo.external_id) in batch.known:
            _settle_singly(
                batch, send.id, echo
            )  # a stub waits under this id: the two become one
            continue
        told = (echo.external_id, echo.sent_at, arrival.raw_event_id)
        plain.append((send.id, *told))
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
        execute(SETTLE, *columns(plain, 4))


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


def join_commenters(batch: Batch) -> None:
    """The rare case in which only the echo of a private answer tells whom it went to."""
    for identity_id, person_id in batch.joins:
        join_identity(ChannelIdentity.objects.get(pk=identity_id), person_id)
