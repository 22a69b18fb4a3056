"""Give queued messages to their channel, one at a time per conversation, in order."""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta

from celery import shared_task
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox import live
from inbox.bell import ring, ring_after_commit
from inbox.channels import (
    Accepted,
    ErrorClass,
    OutgoingMedia,
    OutgoingMessage,
    SendError,
)
from inbox.conversations import refresh
from inbox.events import Event, EventName, emit, erase
from inbox.models import (
    IN_FLIGHT,
    Channel,
    Conversation,
    Message,
    Reaction,
    Status,
)

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
# How long a send may be under way before we take its worker for dead.
SENDING_LIMIT = timedelta(seconds=60)
# How long an uncertain send waits for its echo before a person is asked.
ECHO_PATIENCE = timedelta(seconds=60)
# Messages one task sends of one conversation before it rings for itself again.
MAX_RUN = 20
MAX_RINGS = 500

MAY_HAVE_BEEN_SENT = _("This may have been sent: the channel did not answer in time.")
WINDOW_CLOSED = _("The reply window closed before this could be sent.")
GAVE_UP = _("The channel could not be reached, in several attempts.")
GROUP_STOPPED = _("Not sent, because a part before it was not.")

_RETRIED = {ErrorClass.NOT_TAKEN, ErrorClass.TRANSIENT}


def backoff(attempts: int) -> timedelta:
    """4 s, 16 s, 64 s, 256 s with up to a quarter more: the same second for nobody."""
    return timedelta(seconds=4**attempts * (1 + random.random() / 4))  # noqa: S311 - jitter


@shared_task(name="inbox.delivery.deliver_next")
def deliver_next(conversation_id: int) -> None:
    """Send what one conversation has queued, in order. Ringing twice sends once."""
    for _turn in range(MAX_RUN):
        message = claim_next(conversation_id, at=now())
        if message is None:
            return
        outcome = attempt(message)
        record_outcome(message.pk, outcome)
    ring(deliver_next, conversation_id)


@transaction.atomic
def claim_next(conversation_id: int, *, at: datetime) -> Message | None:
    """Set the oldest queued message to sending, if its turn has come and nothing is in flight."""
    locked = Conversation.objects.select_for_update().filter(pk=conversation_id)
    if not locked.exists():
        return None
    messages = Message.objects.filter(conversation_id=conversation_id)
    if messages.filter(status__in=IN_FLIGHT).exists():
        return None
    message = (
        messages.filter(status=Status.QUEUED)
        .select_related(
            "channel", "conversation__identity", "conversation__channel", "reply_to"
        )
        .order_by("pk")
        .first()
    )
    if message is None or not _is_due(message, at):
        return None
    message.status = Status.SENDING
    message.sending_since = at
    message.attempts += 1
    message.save(update_fields=["status", "sending_since", "attempts"])
    refresh([conversation_id])
    return message


def _is_due(message: Message, at: datetime) -> bool:
    channel = message.channel
    if channel.status != Channel.Status.ACTIVE:
        return False
    if channel.blocked_until and channel.blocked_until > at:
        return False
    return message.next_attempt_at is None or message.next_attempt_at <= at


def attempt(message: Message) -> Accepted | SendError:
    """One call of the channel, with no transaction open."""
    conversation = message.conversation
    window = conversation.reply_window_at(now(), source=message.source)
    if not window.is_open:
        return SendError(ErrorClass.WINDOW_CLOSED, WINDOW_CLOSED, code="window_closed")
    attachment = message.attachments.first()
    outgoing = OutgoingMessage(
        recipient_id=conversation.identity.external_id,
        window=window.kind,
        reference=reference_of(message.pk),
        text=message.content,
        media=OutgoingMedia(attachment.kind, attachment.remote_url)
        if attachment
        else None,
        reply_to=(message.reply_to.external_id or "") if message.reply_to else "",
    )
    try:
        return message.channel.adapter.send(message.channel, outgoing)
    except SendError as error:
        return error


def reference_of(message_id: int) -> str:
    """Our mark on a send, by which its echo finds it where the channel reports it."""
    return f"dx:{message_id}"


def message_of(reference: str) -> int | None:
    """The message id in our mark; None for anybody else's."""
    number = reference.removeprefix("dx:")
    return (
        int(number)
        if number != reference and number.isascii() and number.isdigit()
        else None
    )


@transaction.atomic
def record_outcome(message_id: int, outcome: Accepted | SendError) -> None:
    """Write down what became of one attempt, and tell whom it concerns."""
    conversation_id = lock_conversation_of(message_id)
    message = (
        Message.objects.select_for_update(of=("self",))
        .select_related("channel", "conversation")
        .get(pk=message_id)
    )
    if isinstance(outcome, Accepted):
        settle_sent(message, external_id=outcome.external_id)
    elif message.status == Status.SENDING:
        _record_error(message, outcome)
    refresh([conversation_id])


def lock_conversation_of(message_id: int) -> int:
    """Everything that touches a conversation locks its row first."""
    conversation = Conversation.objects.select_for_update(of=("self",)).get(
        messages=message_id
    )
    return conversation.pk


def settle_sent(
    message: Message, *, external_id: str, sent_at: datetime | None = None
) -> None:
    """The channel has it: by its answer, or by its echo. Whichever comes second changes nothing.

    sent_at: the channel's own time, which only an echo knows.
    """
    was_sent = message.status in {Status.SENT, Status.DELIVERED, Status.READ}
    _absorb_row_of(message, external_id)
    message.external_id = external_id
    if not was_sent and message.status != Status.READ:
        message.status = Status.SENT
    message.sent_at = sent_at or message.sent_at
    message.sending_since = message.next_attempt_at = None
    message.error_class = message.error_code = message.error_detail = ""
    message.save()
    if was_sent:
        return
    Conversation.objects.filter(pk=message.conversation.pk).update(waiting_since=None)
    emit([_event_about(message, EventName.MESSAGE_OUT)])


def _absorb_row_of(message: Message, external_id: str) -> None:
    """If the channel's id already has a row (a stub, or an echo we did not know), make the two one."""
    other = (
        Message.objects.select_for_update()
        .filter(channel_id=message.channel_id, external_id=external_id)
        .exclude(pk=message.pk)
        .first()
    )
    if other is None:
        return
    if not other.is_stub:
        message.sent_at = other.sent_at
    if other.status == Status.READ:
        message.status = Status.READ
    if other.deleted_at:
        message.deleted_at, message.content, message.search_text = (
            other.deleted_at,
            "",
            "",
        )
    Reaction.objects.filter(message=other).update(message=message)
    Message.objects.filter(reply_to=other).update(reply_to=message)
    erase([other.pk])  # its events keep no copy that a later unsend could not find
    other.delete()


def _record_error(message: Message, error: SendError) -> None:
    if error.error_class is ErrorClass.THROTTLED:
        _pause_channel(message, error)
    elif error.error_class is ErrorClass.RECONNECT:
        _stop_channel(message, error)
    elif error.error_class is ErrorClass.UNCERTAIN:
        message.status = Status.UNCERTAIN
        message.sending_since = now()
        _explain(message, error)
    elif error.error_class not in _RETRIED:
        fail(message, error)
    elif message.attempts < MAX_ATTEMPTS:
        _requeue(message, at=now() + backoff(message.attempts))
        _explain(message, error)
    else:
        fail(message, SendError(error.error_class, GAVE_UP, code=error.code))
    message.save()


def _explain(message: Message, error: SendError) -> None:
    message.error_class = error.error_class
    message.error_code = error.code[:40]
    message.error_detail = str(error.detail)[:300]


def _requeue(message: Message, *, at: datetime) -> None:
    message.status = Status.QUEUED
    message.sending_since = None
    message.next_attempt_at = at
    if at - now() < timedelta(seconds=60):
        ring_after_commit(
            deliver_next,
            message.conversation.pk,
            countdown=max(0.0, (at - now()).total_seconds()),
        )


def _pause_channel(message: Message, error: SendError) -> None:
    """Nobody's attempt is spent."""
    until = pause_channel(message.channel_id, error)
    message.attempts -= 1
    _requeue(message, at=until)


def pause_channel(channel_id: int, error: SendError) -> datetime:
    """The whole channel waits: until when."""
    until = now() + (error.retry_after or timedelta(minutes=1))
    Channel.objects.filter(pk=channel_id).update(blocked_until=until)
    live.publish_after_commit([live.Change("channel", channel_id)])
    return until


def _stop_channel(message: Message, error: SendError) -> None:
    """The queue waits for an admin, receiving goes on."""
    message.attempts -= 1
    message.status = Status.QUEUED
    message.sending_since = None
    _explain(message, error)
    stop_channel(message.channel_id, error)


def stop_channel(channel_id: int, error: SendError) -> None:
    """The token or link is dead."""
    changed = Channel.objects.filter(
        pk=channel_id, status=Channel.Status.ACTIVE
    ).update(status=Channel.Status.NEEDS_REAUTH, status_reason=str(error.detail)[:300])
    if not changed:
        return
    logger.error("channel.needs_reauth channel=%s code=%s", channel_id, error.code)
    details = {"status": Channel.Status.NEEDS_REAUTH.value, "reason": error.code}
    emit(
        [
            Event(
                EventName.CHANNEL_STATUS,
                channel_id=channel_id,
                occurred_at=now(),
                details=details,
            )
        ]
    )
    live.publish_after_commit([live.Change("channel", channel_id)])


def fail(message: Message, error: SendError) -> None:
    """Refused for good. The parts behind it in its group stop too; later messages may go."""
    message.status = Status.FAILED
    message.sending_since = message.next_attempt_at = None
    _explain(message, error)
    events = [_event_about(message, EventName.MESSAGE_STATUS)]
    if message.group:
        rest = Message.objects.filter(
            conversation=message.conversation, group=message.group, status=Status.QUEUED
        ).exclude(pk=message.pk)
        stopped = list(rest)
        rest.update(
            status=Status.FAILED,
            next_attempt_at=None,
            error_class=error.error_class,
            error_code="group_stopped",
            error_detail=str(GROUP_STOPPED),
        )
        events += [_event_about(part, EventName.MESSAGE_STATUS) for part in stopped]
    message.save()
    emit(events)


def _event_about(message: Message, name: EventName) -> Event:
    return Event(
        name,
        channel_id=message.channel_id,
        occurred_at=message.sent_at if name is EventName.MESSAGE_OUT else now(),
        conversation_id=message.conversation_id,
        message_id=message.pk,
        source=message.source,
    )


@shared_task(name="inbox.delivery.ring_due")
def ring_due() -> None:
    """Ring for every conversation whose next message is due: a lost bell costs seconds."""
    moment = now()
    busy = Message.objects.filter(
        conversation_id=OuterRef("conversation_id"), status__in=IN_FLIGHT
    )
    due = (
        Message.objects.filter(
            Q(channel__blocked_until__isnull=True)
            | Q(channel__blocked_until__lte=moment),
            status=Status.QUEUED,
            next_attempt_at__lte=moment,
            channel__status=Channel.Status.ACTIVE,
        )
        .exclude(Exists(busy))
        .order_by("next_attempt_at")
        .values_list("conversation_id", flat=True)
    )
    for conversation_id in dict.fromkeys(due[:MAX_RINGS]):
        ring(deliver_next, conversation_id)


@shared_task(name="inbox.delivery.settle_uncertain")
def settle_uncertain() -> None:
    """A send whose worker died is uncertain; an uncertain one without echo becomes a person's."""
    moment = now()
    orphaned = Message.objects.filter(
        status=Status.SENDING, sending_since__lt=moment - SENDING_LIMIT
    )
    died = SendError(ErrorClass.UNCERTAIN, MAY_HAVE_BEEN_SENT, code="worker_died")
    for message_id in orphaned.values_list("pk", flat=True)[:MAX_RINGS]:
        record_outcome(message_id, died)
    unheard = Message.objects.filter(
        status=Status.UNCERTAIN, sending_since__lt=moment - ECHO_PATIENCE
    )
    for message_id in unheard.values_list("pk", flat=True)[:MAX_RINGS]:
        give_up(message_id)


@transaction.atomic
def give_up(message_id: int) -> None:
    """No echo came: it may have been sent, and only a person may send it again."""
    conversation_id = lock_conversation_of(message_id)
    message = (
        Message.objects.select_for_update(of=("self",))
        .select_related("conversation")
        .get(pk=message_id)
    )
    if message.status == Status.UNCERTAIN:
        fail(
            message, SendError(ErrorClass.UNCERTAIN, MAY_HAVE_BEEN_SENT, code="no_echo")
        )
        refresh([conversation_id])
        ring_after_commit(deliver_next, conversation_id)
