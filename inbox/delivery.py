"""Give queued messages to their channel, one at a time per conversation, in order."""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta

from celery import shared_task
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import Least, RowNumber
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox import live
from inbox.attempts import attempt, forget_upload, reference_of
from inbox.bell import ring, ring_after_commit
from inbox.channels import (
    Accepted,
    ErrorClass,
    Scope,
    SendError,
    WindowKind,
)
from inbox.conversations import Touch, notify, refresh, touch
from inbox.events import Event, EventName, emit, erase
from inbox.identity import join_identity
from inbox.models import (
    IN_FLIGHT,
    Channel,
    ChannelIdentity,
    Conversation,
    Message,
    NotificationKind,
    Reaction,
    Status,
)
from inbox.models.conversations import ANOTHER_APP

__all__ = ["reference_of"]

logger = logging.getLogger(__name__)

# How often a send is tried in all, where the channel's error does not say.
MAX_ATTEMPTS = {
    # About an hour: the platform is away, and who waits for an answer still wants it.
    ErrorClass.NOT_TAKEN: 10,
    ErrorClass.TRANSIENT: 3,
    ErrorClass.STALE_FILE: 2,
}
LONGEST_BACKOFF = timedelta(minutes=10)
# How long a send may be under way before we take its worker for dead.
SENDING_LIMIT = timedelta(seconds=60)
# How long an uncertain send waits for its echo before a person is asked.
ECHO_PATIENCE = timedelta(seconds=60)
# How often we ask whether a conversation that another app holds is free again: such a hold may
# end without a word.
HELD_PATIENCE = timedelta(minutes=15)
# How long a channel that asks for it without a number is left alone; and automations after a
# restriction.
DEFAULT_PAUSE = timedelta(minutes=1)
DEFAULT_REST = timedelta(hours=4)
# Messages one task sends of one conversation before it rings for itself again.
MAX_RUN = 20
# Bells of one sweep; of one channel, so that none waits for another's thousands; of a channel
# that refuses everything, where one message at a time finds out whether it still does.
MAX_RINGS = 500
MAX_RINGS_OF_CHANNEL = 100
# What a platform says of the account by itself is no answer to a send, and no send lifts it.
ALERT_PREFIX = "policy_"

MAY_HAVE_BEEN_SENT = _("This may have been sent: the channel did not answer in time.")
NO_ANSWER = _("The channel does not answer. Replies go out once it does.")
GAVE_UP = _("The channel could not be reached, in several attempts.")
GROUP_STOPPED = _("A part before it could not be sent.")


def backoff(attempts: int) -> timedelta:
    """4 s, 16 s, 64 s, ... 10 min with up to a quarter more: the same second for nobody."""
    wait = min(timedelta(seconds=4 ** min(attempts, 9)), LONGEST_BACKOFF)
    return wait * (1 + random.random() / 4)  # noqa: S311 - jitter


@shared_task(name="inbox.delivery.deliver_next")
def deliver_next(conversation_id: int) -> None:
    """Send what one conversation has queued, in order. Ringing twice sends once."""
    for _turn in range(MAX_RUN):
        message = claim_next(conversation_id, at=now())
        if message is None:
            return
        tried = attempt(message)
        if isinstance(tried.outcome, Accepted) and message.is_private_reply:
            join_identity(message.conversation.identity, tried.outcome.recipient_id)
        record_outcome(message.pk, tried.outcome, window=tried.window)
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
            "channel",
            "conversation__identity",
            "conversation__channel",
            "reply_to__channel",
        )
        .prefetch_related("attachments")
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
    if _is_trouble(channel.last_error_code) and _is_being_tried(channel):
        return False
    due_at = message.next_attempt_at or at
    if message.conversation.held_by:
        due_at += HELD_PATIENCE
    return due_at <= at


def _is_trouble(code: str) -> bool:
    """Whether the last thing a channel said was a refusal that meets every message."""
    return bool(code) and not code.startswith(ALERT_PREFIX)


def _is_being_tried(channel: Channel) -> bool:
    """One message finds out for all, so that no worker waits for a channel that is away."""
    return Message.objects.filter(channel=channel, status=Status.SENDING).exists()


def message_of(reference: str) -> int | None:
    """The message id in our mark; None for anybody else's."""
    number = reference.removeprefix("dx:")
    return (
        int(number)
        if number != reference and number.isascii() and number.isdigit()
        else None
    )


@transaction.atomic
def record_outcome(
    message_id: int,
    outcome: Accepted | SendError,
    *,
    window: WindowKind = WindowKind.CLOSED,
) -> None:
    """Write down what became of one attempt, and tell whom it concerns.

    window: by what right it was made.
    """
    conversation_id = lock_conversation_of(message_id)
    message = (
        Message.objects.select_for_update(of=("self",))
        .select_related("channel", "conversation__identity", "conversation__channel")
        .get(pk=message_id)
    )
    if isinstance(outcome, Accepted):
        settle_sent(message, external_id=outcome.external_id)
        _clear_trouble(message.channel)
    elif message.status == Status.SENDING:
        _record_error(message, outcome, window)
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


# --- refusals ------------------------------------------------------------------------------------


def _record_error(message: Message, error: SendError, window: WindowKind) -> None:
    _note_trouble(message, error)
    match error.error_class:
        case ErrorClass.THROTTLED:
            _wait_out(message, error)
        case ErrorClass.RECONNECT:
            _stop_channel(message, error)
        case ErrorClass.UNCERTAIN:
            message.status = Status.UNCERTAIN
            message.sending_since = now()
            _explain(message, error)
        case ErrorClass.HELD:
            _wait_for_holder(message, error)
        case ErrorClass.WINDOW_CLOSED:
            if not _learn_window(message, window):
                fail(message, error)
        case ErrorClass.NOT_TAKEN | ErrorClass.TRANSIENT | ErrorClass.STALE_FILE:
            _try_again(message, error)
        case _:
            fail(message, error)
    if error.scope is Scope.COMMENT:
        _use_up_comment(message)
    message.save()


def _explain(message: Message, error: SendError) -> None:
    message.error_class = error.error_class
    message.error_code = error.code[:40]
    message.error_detail = error.explanation[:300]


def _try_again(message: Message, error: SendError) -> None:
    if message.attempts >= (error.attempts or MAX_ATTEMPTS[error.error_class]):
        gave_up = SendError(error.error_class, GAVE_UP, code=error.code)
        fail(message, error.at_last or gave_up)
        return
    if error.error_class is ErrorClass.STALE_FILE:
        forget_upload(message)
        _requeue(message, at=now())
    else:
        _requeue(message, at=now() + backoff(message.attempts))
    _explain(message, error)


def _learn_window(message: Message, window: WindowKind) -> bool:
    """The channel says that the window we took for open is closed: believe it, and go out by the
    next right there is. Returns whether there is one."""
    if window not in {WindowKind.OPEN, WindowKind.PROBABLE}:
        return False
    moment = now()
    conversation = message.conversation
    # Who has written since the send began has opened a new one.
    known = ChannelIdentity.objects.filter(pk=conversation.identity_id).filter(
        Q(last_inbound_at=None) | Q(last_inbound_at__lte=message.sending_since)
    )
    if known.update(
        window_expires_at=Least("window_expires_at", moment), probable_until=None
    ):
        Conversation.objects.filter(identity=conversation.identity_id).update(
            window_expires_at=Least("window_expires_at", moment)
        )
    conversation.identity.refresh_from_db()
    if not conversation.reply_window_at(moment, source=message.source).is_open:
        return False
    _requeue(message, at=moment)
    return True


def _wait_for_holder(message: Message, error: SendError) -> None:
    """It leaves once the conversation is taken over or free again, as long as its window lasts."""
    message.attempts -= 1
    _requeue(message, at=now(), rings=False)
    _explain(message, error)
    holder = str(error.holder) or ANOTHER_APP
    touch({message.conversation.pk: Touch(held_by=holder)})


def _use_up_comment(message: Message) -> None:
    """Nobody else is to try: the channel takes no private answer to this comment."""
    if message.reply_to is None:
        return
    comment = Message.objects.select_for_update().get(pk=message.reply_to.pk)
    if comment.deleted_at:
        return
    facts = dict(comment.extra.get("comment") or {}) | {"can_reply_privately": False}
    comment.extra = {**comment.extra, "comment": facts}
    comment.save(update_fields=["extra"])


def _requeue(message: Message, *, at: datetime, rings: bool = True) -> None:
    message.status = Status.QUEUED
    message.sending_since = None
    message.next_attempt_at = at
    if rings and at - now() < timedelta(seconds=60):
        ring_after_commit(
            deliver_next,
            message.conversation.pk,
            countdown=max(0.0, (at - now()).total_seconds()),
        )


def _wait_out(message: Message, error: SendError) -> None:
    """Nobody's attempt is spent. With the whole channel where the channel asked for it, else alone:
    our own pace, which is no news to anybody."""
    message.attempts -= 1
    if error.scope is Scope.CHANNEL:
        _requeue(message, at=pause_channel(message.channel_id, error), rings=False)
        _explain(message, error)
    else:
        _requeue(message, at=now() + (error.retry_after or timedelta(seconds=1)))


def pause_channel(channel_id: int, error: SendError) -> datetime:
    """The whole channel waits: until when."""
    until = now() + (error.retry_after or DEFAULT_PAUSE)
    ends_sooner = Q(blocked_until=None) | Q(blocked_until__lt=until)
    if Channel.objects.filter(ends_sooner, pk=channel_id).update(blocked_until=until):
        live.publish_after_commit([live.Change("channel", channel_id)])
    return until


def _note_trouble(message: Message, error: SendError) -> None:
    """What would meet every other message too is told to admins, until something succeeds."""
    if error.scope is not Scope.CHANNEL:
        return
    channel = message.channel
    is_silent = error.error_class is ErrorClass.UNCERTAIN
    told: dict[str, object] = {
        "last_error": str(NO_ANSWER) if is_silent else error.explanation[:300],
        "last_error_code": error.code[:40],
        "last_error_at": now(),
    }
    if error.error_class is ErrorClass.POLICY and error.retry_after:
        told["automation_blocked_until"] = now() + error.retry_after
    Channel.objects.filter(pk=channel.pk).update(**told)
    if channel.last_error_code == error.code:
        return
    live.publish_after_commit([live.Change("channel", channel.pk)])
    if error.error_class in {ErrorClass.PERMISSION, ErrorClass.POLICY}:
        _emit_status(channel.pk, Channel.Status.ACTIVE, error.code)


def _clear_trouble(channel: Channel) -> None:
    if not _is_trouble(channel.last_error_code):
        return
    Channel.objects.filter(
        pk=channel.pk, last_error_code=channel.last_error_code
    ).update(last_error="", last_error_code="", last_error_at=None)
    live.publish_after_commit([live.Change("channel", channel.pk)])


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
    ).update(status=Channel.Status.NEEDS_REAUTH, status_reason=error.explanation[:300])
    if not changed:
        return
    logger.error("channel.needs_reauth channel=%s code=%s", channel_id, error.code)
    _emit_status(channel_id, Channel.Status.NEEDS_REAUTH, error.code)
    live.publish_after_commit([live.Change("channel", channel_id)])


def _emit_status(channel_id: int, status: Channel.Status, code: str) -> None:
    emit(
        [
            Event(
                EventName.CHANNEL_STATUS,
                channel_id=channel_id,
                occurred_at=now(),
                details={"status": status.value, "reason": code},
            )
        ]
    )


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
    _tell_author(message)


def _tell_author(message: Message) -> None:
    """Whoever wrote it; what no agent wrote concerns the one who has the conversation."""
    conversation = message.conversation
    agent_id = message.author_id or conversation.assignee_id
    if agent_id:
        notify(conversation, [agent_id], NotificationKind.FAILED, by=None)


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
            Q(conversation__held_by="")
            | Q(next_attempt_at__lte=moment - HELD_PATIENCE),
            status=Status.QUEUED,
            next_attempt_at__lte=moment,
            channel__status=Channel.Status.ACTIVE,
        )
        .exclude(Exists(busy))
        .annotate(
            place=Window(
                RowNumber(),
                partition_by="channel_id",
                order_by=[F("next_attempt_at"), F("id")],
            )
        )
        .filter(place__lte=MAX_RINGS_OF_CHANNEL)
        .order_by("place", "next_attempt_at")
        .values_list("conversation_id", "place", "channel__last_error_code")
    )
    wanted = (
        conversation_id
        for conversation_id, place, trouble in due[:MAX_RINGS]
        if place == 1 or not _is_trouble(trouble)
    )
    for conversation_id in dict.fromkeys(wanted):
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
