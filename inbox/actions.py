"""What an agent does at the channel that is no message: queued, tried, written into the thread.

The row is the queue, as with messages. Every one of these acts may be done twice without harm,
so one whose answer was lost is simply tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from celery import shared_task
from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox.bell import ring, ring_after_commit
from inbox.channels import Ability, ActionKind, ErrorClass, Scope, SendError, Signal
from inbox.conversations import lock, refresh
from inbox.delivery import GAVE_UP, backoff, pause_channel, stop_channel
from inbox.errors import NotPossible
from inbox.events import Event, EventName, emit, erase
from inbox.media import drop_attachments
from inbox.models import (
    Agent,
    Channel,
    ChannelAction,
    Conversation,
    Direction,
    Message,
    MessageType,
    Reaction,
    Source,
    Status,
)

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
# How long an attempt may take before its worker is taken for dead, and the act is tried again.
LEASE = timedelta(seconds=90)
MAX_RINGS = 500
# A signal that was not sent by then tells the customer something that is no longer so.
SIGNAL_SECONDS = 15

# The same act on the same thing is not queued twice; what was asked first is done first.
_RETRIED = frozenset({ErrorClass.NOT_TAKEN, ErrorClass.TRANSIENT, ErrorClass.UNCERTAIN})
# What an act that succeeded is called in the event and in the thread.
DONE_WORDS = {
    ActionKind.HIDE: "comment_hidden",
    ActionKind.UNHIDE: "comment_shown",
    ActionKind.LIKE: "comment_liked",
    ActionKind.UNLIKE: "comment_unliked",
    ActionKind.DELETE: "comment_deleted",
    ActionKind.TAKE_OVER: "taken_over",
    ActionKind.HAND_BACK: "handed_back",
}


# --- queueing ------------------------------------------------------------------------------------


@transaction.atomic
def queue_action(
    *,
    conversation: Conversation,
    kind: ActionKind,
    message: Message | None = None,
    value: str = "",
    author: Agent | None = None,
    author_name: str = "",
) -> ChannelAction:
    """Have the channel do something once the transaction commits.

    The same act that still waits is not queued again.
    """
    current = lock(conversation)
    newest = _queued(current, message).order_by("-pk").first()
    if newest and (newest.kind, newest.value) == (kind, value):
        return newest
    action = ChannelAction.objects.create(
        channel_id=current.channel_id,
        conversation=current,
        message=message,
        kind=kind,
        value=value,
        author=author,
        author_name=author_name or (author.name if author else ""),
        next_attempt_at=now(),
    )
    refresh([current.pk])
    ring_after_commit(perform, action.pk)
    return action


def _queued(
    conversation: Conversation, message: Message | None
) -> models.QuerySet[ChannelAction]:
    return ChannelAction.objects.filter(
        conversation=conversation, message=message, status=ChannelAction.Status.QUEUED
    )


def react(
    *,
    message: Message,
    emoji: str,
    author: Agent | None = None,
    author_name: str = "",
) -> ChannelAction:
    """React to a customer's message; with no emoji, take the reaction back.

    Raises NotPossible where the account cannot, or this message is none to react to.
    """
    channel = message.channel
    if not can_react(message, channel.adapter.abilities(channel)):
        raise NotPossible(_("It is not possible to react to this message."))
    return queue_action(
        conversation=message.conversation,
        message=message,
        kind=ActionKind.REACT if emoji else ActionKind.UNREACT,
        value=emoji,
        author=author,
        author_name=author_name,
    )


def can_react(message: Message, abilities: frozenset[Ability]) -> bool:
    """Whether it is a customer's message that the channel has, and no comment."""
    return bool(
        Ability.REACT in abilities
        and message.direction == Direction.IN
        and message.type != MessageType.COMMENT
        and message.external_id
        and not message.deleted_at
    )


def take_over(*, conversation: Conversation, author: Agent) -> ChannelAction:
    """Take a conversation that another app holds. Raises NotPossible if none does."""
    channel = conversation.channel
    if not conversation.held_by:
        raise NotPossible(_("Nobody else holds this conversation."))
    if Ability.TAKE_OVER not in channel.adapter.abilities(channel):
        raise NotPossible(
            _("This account cannot take conversations over. Answer where it is held.")
        )
    return queue_action(
        conversation=conversation,
        kind=ActionKind.TAKE_OVER,
        value=conversation.held_by[:40],
        author=author,
    )


def hand_back(*, conversation: Conversation, author: Agent) -> ChannelAction:
    """Give a conversation back that we took over. Raises NotPossible if we did not."""
    taken_from = held_before(conversation)
    if not taken_from:
        raise NotPossible(_("This conversation was not taken over."))
    return queue_action(
        conversation=conversation,
        kind=ActionKind.HAND_BACK,
        value=taken_from,
        author=author,
    )


def held_before(conversation: Conversation) -> str:
    """Whom we took this conversation over from and may give it back to; "" for nobody."""
    if conversation.held_by:
        return ""
    control = (ActionKind.TAKE_OVER, ActionKind.HAND_BACK)
    last = (
        conversation.actions.filter(kind__in=control, status=ChannelAction.Status.DONE)
        .order_by("-pk")
        .first()
    )
    return last.value if last and last.kind == ActionKind.TAKE_OVER else ""


# --- performing ----------------------------------------------------------------------------------


@shared_task(name="inbox.actions.perform")
def perform(action_id: int) -> None:
    """One attempt at one act. Ringing twice does it once."""
    action = claim(action_id, at=now())
    if action is None:
        return
    record_outcome(action.pk, attempt(action))
    following = _queued(action.conversation, action.message).order_by("pk").first()
    if following and following.pk != action.pk:
        ring(perform, following.pk)


@transaction.atomic
def claim(action_id: int, *, at: datetime) -> ChannelAction | None:
    """Lease an act whose turn has come: nothing asked before it waits on the same thing."""
    action = (
        ChannelAction.objects.select_for_update(of=("self",))
        .select_related("channel", "conversation__identity", "message")
        .filter(
            _is_sendable(at),
            pk=action_id,
            status=ChannelAction.Status.QUEUED,
            next_attempt_at__lte=at,
        )
        .first()
    )
    if action is None:
        return None
    earlier = _queued(action.conversation, action.message).filter(pk__lt=action.pk)
    if earlier.exists():
        return None
    action.attempts += 1
    action.next_attempt_at = at + LEASE
    action.save(update_fields=["attempts", "next_attempt_at"])
    return action


def _is_sendable(at: datetime) -> Q:
    channel_waits = Q(channel__blocked_until__gt=at)
    return Q(channel__status=Channel.Status.ACTIVE) & ~channel_waits


def attempt(action: ChannelAction) -> SendError | None:
    """One call of the channel, with no transaction open. None if it is done."""
    message, person = action.message, action.conversation.identity.external_id
    target = (message.external_id or "") if message else person
    kind = ActionKind(action.kind)
    try:
        action.channel.adapter.perform(
            action.channel,
            kind,
            target=target,
            value=action.value,
            person_id=person,
        )
    except SendError as error:
        is_gone = error.error_class is ErrorClass.GONE
        return None if is_gone and kind is ActionKind.DELETE else error
    return None


@transaction.atomic
def record_outcome(action_id: int, error: SendError | None) -> None:
    """Write down what became of one attempt; a second answer changes nothing."""
    conversation = Conversation.objects.select_for_update(of=("self",)).get(
        actions=action_id
    )
    action = (
        ChannelAction.objects.select_for_update(of=("self",))
        .select_related("channel")
        .get(pk=action_id)
    )
    if action.status != ChannelAction.Status.QUEUED:
        return
    if error is None:
        _succeed(action, conversation)
    elif error.error_class is ErrorClass.THROTTLED:
        action.attempts -= 1
        _put_off(action, error, until=_wait_out(action, error))
    elif error.error_class is ErrorClass.RECONNECT:
        action.attempts -= 1
        stop_channel(action.channel_id, error)
        _put_off(action, error, until=now())
    elif error.error_class not in _RETRIED:
        _fail(action, conversation, error)
    elif action.attempts < (error.attempts or MAX_ATTEMPTS):
        _put_off(action, error, until=now() + backoff(action.attempts))
    else:
        gave_up = SendError(error.error_class, GAVE_UP, code=error.code)
        _fail(action, conversation, error.at_last or gave_up)
    action.save()
    refresh([conversation.pk])


def _wait_out(action: ChannelAction, error: SendError) -> datetime:
    """Until when: with the whole channel where the channel asked for it, else at our own pace."""
    if error.scope is Scope.CHANNEL:
        return pause_channel(action.channel_id, error)
    return now() + (error.retry_after or timedelta(seconds=1))


def _put_off(action: ChannelAction, error: SendError, *, until: datetime) -> None:
    action.next_attempt_at = until
    _explain(action, error)
    if timedelta(0) < until - now() < timedelta(seconds=60):
        ring_after_commit(
            perform, action.pk, countdown=max(0.0, (until - now()).total_seconds())
        )


def _explain(action: ChannelAction, error: SendError) -> None:
    action.error_class = error.error_class
    action.error_code = error.code[:40]
    action.error_detail = error.explanation[:300]


def _fail(action: ChannelAction, conversation: Conversation, error: SendError) -> None:
    """Refused for good: the thread says so."""
    action.status = ChannelAction.Status.FAILED
    _explain(action, error)
    _write_line(action, conversation, "failed")


# --- what an act changes here --------------------------------------------------------------------


def _succeed(action: ChannelAction, conversation: Conversation) -> None:
    action.status = ChannelAction.Status.DONE
    action.error_class = action.error_code = action.error_detail = ""
    kind = ActionKind(action.kind)
    if action.message and kind in {ActionKind.REACT, ActionKind.UNREACT}:
        _keep_reaction(action, action.message)
        return
    if kind is ActionKind.TAKE_OVER:
        Conversation.objects.filter(pk=conversation.pk).update(held_by="")
    elif action.message_id and kind is ActionKind.DELETE:
        _forget(action.message_id)
    elif action.message_id:
        _mark_comment(action.message_id, kind)
    _write_line(action, conversation, "done")
    if kind is ActionKind.DELETE:
        emit([_event(action, EventName.MESSAGE_DELETED)])
        erase([action.message_id] if action.message_id else [])
        return
    details = {"change": DONE_WORDS[kind]}
    if action.message_id:
        details["message_id"] = f"MSG_{action.message_id}"
    emit([_event(action, EventName.CONVERSATION_UPDATED, details)])


def _keep_reaction(action: ChannelAction, message: Message) -> None:
    """Ours: the actor is the account itself."""
    moment = now()
    Reaction.objects.update_or_create(
        message=message,
        actor=action.channel.external_id,
        defaults={"emoji": action.value, "reacted_at": moment},
    )
    done = "react" if action.value else "unreact"
    details = {"emoji": action.value, "action": done}
    emit([_event(action, EventName.REACTION, details)])


def _mark_comment(message_id: int, kind: ActionKind) -> None:
    message = Message.objects.select_for_update().get(pk=message_id)
    facts = dict(message.extra.get("comment") or {})
    if kind in {ActionKind.HIDE, ActionKind.UNHIDE}:
        facts["hidden"] = kind is ActionKind.HIDE
        message.extra = {**message.extra, "hidden": facts["hidden"]}
    else:
        facts["liked"] = kind is ActionKind.LIKE
        step = 1 if facts["liked"] else -1
        if isinstance(facts.get("like_count"), int):
            facts["like_count"] = max(0, facts["like_count"] + step)
    message.extra = {**message.extra, "comment": facts}
    message.save(update_fields=["extra"])


def _forget(message_id: int) -> None:
    """A deleted comment leaves its place, and nothing of what it said."""
    Message.objects.filter(pk=message_id, deleted_at__isnull=True).update(
        deleted_at=now(),
        content="",
        search_text="",
        extra={},
        edited_at=None,
        error_detail="",
    )
    drop_attachments([message_id])
    Reaction.objects.filter(message_id=message_id).delete()


def _write_line(
    action: ChannelAction, conversation: Conversation, outcome: str
) -> None:
    """Who did what, in the thread. extra: {event: "action", kind, outcome, value, reason}."""
    moment = now()
    Message.objects.create(
        conversation=conversation,
        channel_id=action.channel_id,
        direction=Direction.EVENT,
        source=Source.AGENT if action.author_id else Source.API,
        author_id=action.author_id,
        author_name=action.author_name,
        type=MessageType.EVENT,
        status=Status.SENT,
        extra={
            "event": "action",
            "kind": action.kind,
            "outcome": outcome,
            "value": action.value,
            "reason": action.error_detail,
        },
        sent_at=moment,
        received_at=moment,
    )


def _event(
    action: ChannelAction, name: EventName, details: Mapping[str, str] | None = None
) -> Event:
    about_message = name in {EventName.MESSAGE_DELETED, EventName.REACTION}
    return Event(
        name,
        channel_id=action.channel_id,
        occurred_at=now(),
        conversation_id=action.conversation_id,
        message_id=action.message_id if about_message else None,
        source=Source.AGENT if action.author_id else Source.API,
        details=details or {},
    )


@shared_task(name="inbox.actions.ring_due")
def ring_due() -> None:
    """Ring for every act that is due: a lost bell costs seconds."""
    moment = now()
    due = (
        ChannelAction.objects.filter(
            _is_sendable(moment),
            status=ChannelAction.Status.QUEUED,
            next_attempt_at__lte=moment,
        )
        .order_by("next_attempt_at", "pk")
        .values_list("pk", flat=True)
    )
    for action_id in due[:MAX_RINGS]:
        ring(perform, action_id)


# --- signals -------------------------------------------------------------------------------------


@shared_task(name="inbox.actions.show_seen", expires=SIGNAL_SECONDS)
def show_seen(conversation_id: int) -> None:
    """Let the customer's app show that we have seen the messages, where that is wanted."""
    _show(conversation_id, Signal.SEEN, Ability.SEEN, switch="shows_seen")


@shared_task(name="inbox.actions.show_typing", expires=SIGNAL_SECONDS)
def show_typing(conversation_id: int) -> None:
    """Let the customer's app show that somebody is writing, where that is wanted."""
    _show(conversation_id, Signal.TYPING, Ability.TYPING, switch="shows_typing")


def _show(
    conversation_id: int, signal: Signal, ability: Ability, *, switch: str
) -> None:
    """Now or never: nobody waits for a signal, and nobody is told when one is refused."""
    moment = now()
    conversation = (
        Conversation.objects.select_related("channel", "identity")
        .filter(_is_sendable(moment), pk=conversation_id, held_by="")
        .first()
    )
    if conversation is None:
        return
    channel = conversation.channel
    may_show = getattr(channel, switch) and ability in channel.adapter.abilities(
        channel
    )
    window = conversation.reply_window_at(moment, source=Source.AGENT)
    if not may_show or not window.is_open:
        return
    try:
        channel.adapter.signal(channel, conversation.identity.external_id, signal)
    except SendError as error:
        logger.info("signal.refused channel=%s code=%s", channel.pk, error.code)
