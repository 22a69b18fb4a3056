"""Queue a reply: the same door for agent, automation and API."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.bell import ring_after_commit
from inbox.channels import (
    Ability,
    Card,
    OutgoingMedia,
    QuickReply,
    SendError,
    TemplateUse,
)
from inbox.comment_rules import CommentAct, check_act
from inbox.composed import read_content
from inbox.content import Content, LocalFile, Medium, check_content, check_text
from inbox.conversations import lock, refresh
from inbox.delivery import deliver_next
from inbox.errors import (
    ChannelUnavailable,
    ContentInvalid,
    KeyReused,
    NotPossible,
    ReplyWindowClosed,
    StateForbids,
    ThreadHeld,
)
from inbox.media import drop_attachments, store_upload
from inbox.models import (
    Actor,
    Agent,
    Attachment,
    Channel,
    Conversation,
    Direction,
    Message,
    MessageType,
    Source,
    StagedFile,
    Status,
)
from inbox.search import fold
from inbox.templates import fill, find_template

AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes for us. source: as in Message.source. name: of a key or a rule."""

    source: str
    agent: Agent | None = None
    name: str = ""

    @property
    def display_name(self) -> str:
        return self.name or (self.agent.name if self.agent else "")


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a reply."""

    type: str
    content: str = ""
    medium: Medium | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@transaction.atomic
def queue_reply(
    *,
    conversation: Conversation,
    source: str,
    author: Agent | None = None,
    author_name: str = "",
    content: str = "",
    media: Sequence[Medium] = (),
    quick_replies: Sequence[QuickReply] = (),
    cards: Sequence[Card] = (),
    template: TemplateUse | None = None,
    client_key: str = "",
    reply_to: Message | None = None,
    is_split: bool = False,
    delay: timedelta = AT_ONCE,
) -> list[Message]:
    """Store a reply and hand it to the channel once the transaction commits.

    Files, text and cards are messages of their own, one group, sent in that order; the quick
    replies hang on the last. A template goes alone, at any time. The same client key gives the
    messages of the first call.

    is_split: a text that is too long becomes several messages. delay: how long it may be taken
    back; what is written after it waits behind it.

    Raises ContentInvalid for what the channel cannot take, ChannelUnavailable if the channel
    is disconnected, ThreadHeld if another app has the conversation, ReplyWindowClosed if
    nothing may be sent now, KeyReused if the client key came with another content before.
    """
    current = lock(conversation)
    reply = Content(
        content, tuple(media), tuple(cards), tuple(quick_replies), template, is_split
    )
    parts = split_into_parts(reply, current.channel)
    if stored := stored_under(client_key, current, parts):
        return stored
    check_reply(current, source=source, reply=reply, reply_to=reply_to, at=now())
    return store_parts(
        current,
        Writer(source, author, author_name),
        parts,
        client_key=client_key,
        reply_to=reply_to,
        delay=delay,
    )


def check_reply(
    conversation: Conversation,
    *,
    source: str,
    reply: Content,
    at: datetime,
    reply_to: Message | None = None,
) -> None:
    """Refuse what the channel would refuse. Raises as queue_reply does."""
    channel = conversation.channel
    check_channel(channel)
    check_content(reply, channel)
    if reply_to is not None:
        _check_quoted(conversation, reply_to)
    if conversation.held_by:
        raise ThreadHeld(
            _("%(app)s holds this conversation at %(channel)s. Take it over first.")
            % {"app": conversation.held_by, "channel": channel.adapter.label}
        )
    if reply.template is not None:
        find_template(channel, reply.template)
    elif not conversation.reply_window_at(at, source=source).is_open:
        raise ReplyWindowClosed(
            _("The reply window is closed: the customer has to write first.")
        )


def check_channel(channel: Channel) -> None:
    """What only waits (for a new token, for a pause to end) may be queued; nothing else."""
    if channel.status == Channel.Status.DISCONNECTED:
        raise ChannelUnavailable(
            _("%(channel)s is disconnected. An admin has to connect it again.")
            % {"channel": channel.name}
        )


def can_quote(message: Message, abilities: frozenset[Ability]) -> bool:
    """Whether a reply may refer to it: the channel has the message, and it is no comment."""
    return bool(
        Ability.QUOTE in abilities
        and message.direction in {Direction.IN, Direction.OUT}
        and message.type != MessageType.COMMENT
        and message.external_id
        and not message.deleted_at
    )


def _check_quoted(conversation: Conversation, quoted: Message) -> None:
    abilities = conversation.channel.adapter.abilities(conversation.channel)
    is_here = quoted.conversation_id == conversation.pk
    if not is_here or not can_quote(quoted, abilities):
        raise ContentInvalid(
            _("This message cannot be quoted. Send the reply without it."),
            param="reply_to",
        )


# --- parts ---------------------------------------------------------------------------------------


def split_into_parts(reply: Content, channel: Channel) -> list[Part]:
    """Raises ContentInvalid for a template that is not there."""
    if reply.template is not None:
        template = find_template(channel, reply.template)
        words = fill(template, reply.template.parameters)
        return [
            Part(MessageType.TEMPLATE, words, extra=_template_extra(reply.template))
        ]
    parts = [Part(medium.kind, medium=medium) for medium in reply.media]
    texts = reply.texts(channel.adapter.limits.text)
    parts += [Part(MessageType.TEXT, text) for text in texts]
    if reply.cards:
        cards = [_card_as_json(card) for card in reply.cards]
        parts.append(Part(MessageType.TEMPLATE, extra={"cards": cards}))
    if parts and reply.quick_replies:
        replies = [asdict(one) for one in reply.quick_replies]
        parts[-1].extra["quick_replies"] = replies
    return parts


def _template_extra(use: TemplateUse) -> dict[str, Any]:
    values = {part: list(given) for part, given in use.parameters.items()}
    told = {"name": use.name, "language": use.language, "parameters": values}
    return {"template": told}


def _card_as_json(card: Card) -> dict[str, Any]:
    return asdict(card) | {"buttons": [asdict(button) for button in card.buttons]}


def store_parts(
    conversation: Conversation,
    writer: Writer,
    parts: Sequence[Part],
    *,
    client_key: str = "",
    reply_to: Message | None = None,
    is_private_reply: bool = False,
    delay: timedelta = AT_ONCE,
) -> list[Message]:
    """Queue the parts, in order, as one group; the conversation is locked and comes back to life."""
    group = uuid.uuid4() if len(parts) > 1 else None
    moment = now()
    undo = {"undo_until": (moment + delay).isoformat()} if delay else {}
    messages = []
    for number, part in enumerate(parts):
        message = Message.objects.create(
            conversation=conversation,
            channel_id=conversation.channel_id,
            direction=Direction.OUT,
            source=writer.source,
            author=writer.agent,
            author_name=writer.display_name,
            type=part.type,
            content=part.content,
            client_key=_part_key(client_key, number),
            group=group,
            status=Status.QUEUED,
            next_attempt_at=moment + delay,
            reply_to=reply_to if number == 0 else None,
            is_private_reply=is_private_reply,
            extra=part.extra | undo,
            sent_at=moment,
            received_at=moment,
            search_text=fold(part.content),
        )
        if part.medium:
            _store_medium(message, part.medium)
        messages.append(message)
    _reopen(conversation)
    refresh([conversation.pk])
    ring_after_commit(deliver_next, conversation.pk, countdown=delay.total_seconds())
    return messages


def _reopen(conversation: Conversation) -> None:
    if conversation.status != Conversation.Status.OPEN:
        Conversation.objects.filter(pk=conversation.pk).update(
            status=Conversation.Status.OPEN, closed_at=None, snoozed_until=None
        )


def _store_medium(message: Message, medium: Medium) -> None:
    """Raises ContentInvalid for a file that goes to nobody, StateForbids while the storage is away."""
    if isinstance(medium, OutgoingMedia):
        Attachment.objects.create(
            message=message, kind=medium.kind, remote_url=medium.url, title=medium.name
        )
        return
    if isinstance(medium, StagedFile):
        _take_staged(message, medium)
        return
    try:
        stored = store_upload(medium.file)
    except SendError as error:
        raise StateForbids(error.detail, param="attachments") from error
    known = {"kind": medium.kind, "title": medium.name}
    Attachment.objects.create(message=message, **stored.fields() | known)


def _take_staged(message: Message, staged: StagedFile) -> None:
    """The file is the message's from now on. Raises ContentInvalid if it is another's already."""
    free = StagedFile.objects.filter(pk=staged.pk, message=None)
    if not free.update(message=message):
        raise ContentInvalid(
            _("%(name)s is not there any more. Attach it again.")
            % {"name": staged.name},
            param="attachments",
        )
    Attachment.objects.create(
        message=message,
        kind=staged.kind,
        title=staged.name,
        file=staged.file.name,
        thumbnail=staged.thumbnail.name,
        mime_type=staged.mime_type,
        size=staged.size,
        width=staged.width,
        height=staged.height,
        state=Attachment.State.STORED,
    )


def _part_key(client_key: str, number: int) -> str | None:
    """The first part carries the key itself, the others the key and their number."""
    if not client_key:
        return None
    return client_key if number == 0 else f"{client_key}#{number}"


# --- the same key is the same reply --------------------------------------------------------------


def stored_under(
    client_key: str, conversation: Conversation, parts: Sequence[Part]
) -> list[Message]:
    """What was stored under a client key before, in order; nothing if nothing was.

    Raises KeyReused if that was something else.
    """
    first = (
        Message.objects.filter(client_key=client_key).first() if client_key else None
    )
    if first is None:
        return []
    stored = [first]
    if first.group is not None:
        group = first.conversation.messages.filter(group=first.group)
        stored = list(group.prefetch_related("attachments").order_by("pk"))
    same = first.conversation_id == conversation.pk and [
        _outline_of_stored(message) for message in stored
    ] == [_outline(part) for part in parts]
    if not same:
        raise KeyReused(
            _("This key was used for another message before. Use a new one.")
        )
    return stored


_COMPOSED = ("cards", "quick_replies", "template")


def _outline(part: Part) -> tuple[Any, ...]:
    file: Any = None
    if isinstance(part.medium, LocalFile | StagedFile):
        file = (part.medium.name, part.medium.size)
    elif part.medium:
        file = part.medium.url
    composed = {key: part.extra[key] for key in _COMPOSED if key in part.extra}
    return part.type, part.content, file, composed


def _outline_of_stored(message: Message) -> tuple[Any, ...]:
    file: Any = None
    for one in message.attachments.all():
        file = (one.title, one.size) if one.file else one.remote_url
    composed = {key: message.extra[key] for key in _COMPOSED if key in message.extra}
    return message.type, message.content, file, composed


# --- after a failure -----------------------------------------------------------------------------


@transaction.atomic
def retry_message(*, message: Message, by: Actor) -> Message:
    """Send a failed message again, as a person's decision and record.

    Raises StateForbids if it has not failed, and whatever queue_reply raises.
    """
    conversation = lock(message.conversation)
    current = Message.objects.select_for_update().get(pk=message.pk)
    if current.status != Status.FAILED:
        raise StateForbids(
            _("This message has not failed: there is nothing to send again.")
        )
    _check_again(conversation, current)
    current.extra = {
        **current.extra,
        "retries": [
            *current.extra.get("retries", []),
            {"by": by.name, "at": now().isoformat(), "after": current.error_code},
        ],
    }
    current.status = Status.QUEUED
    current.attempts = 0
    current.next_attempt_at = now()
    current.error_class = current.error_code = current.error_detail = ""
    current.save()
    refresh([conversation.pk])
    ring_after_commit(deliver_next, conversation.pk)
    return current


def _check_again(conversation: Conversation, message: Message) -> None:
    """What was right when it was written may be wrong by now."""
    content = read_content(message)
    if message.type == MessageType.COMMENT or message.is_private_reply:
        act = (
            CommentAct.REPLY_PRIVATELY if message.is_private_reply else CommentAct.REPLY
        )
        check_comment_reply(conversation.channel, content, message.reply_to, act)
        return
    check_reply(conversation, source=message.source, reply=content, at=now())


def check_comment_reply(
    channel: Channel, reply: Content, comment: Message | None, act: CommentAct
) -> None:
    """Refuse an answer to a comment that the channel would refuse.

    Raises ContentInvalid, ChannelUnavailable, and NotPossible with the reason.
    """
    check_channel(channel)
    if act is CommentAct.REPLY_PRIVATELY:
        check_content(reply, channel)
    else:
        if not reply.has_text:
            raise ContentInvalid(_("Write something first."), param="content")
        check_text(
            reply.text, channel.adapter.limits.comment_text, str(channel.adapter.label)
        )
    if comment is None or comment.deleted_at:
        raise NotPossible(_("The comment is not there any more."))
    check_act(comment, act)


@transaction.atomic
def discard_message(*, message: Message, by: Agent) -> None:
    """Remove a message that never left. Raises StateForbids if it may have been sent."""
    conversation = lock(message.conversation)
    current = Message.objects.select_for_update().get(pk=message.pk)
    never_left = current.status == Status.FAILED and current.external_id is None
    if not never_left or current.error_class == "uncertain":
        raise StateForbids(
            _("This message may have been sent: it stays in the history.")
        )
    drop_attachments([current.pk])
    current.delete()
    refresh([conversation.pk])


# --- back into the composer ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a reply was made of. about: what it quoted, or the comment it answered."""

    text: str
    about: Message | None
    is_private_reply: bool
    is_public_reply: bool


def can_take_back(message: Message, agent: Agent | None = None) -> bool:
    """Whether it may be written anew: an agent's words or files that certainly never left.

    agent: who asks; what has not failed is only its author's to take back.
    """
    is_made_of_words = not {"template", "cards"} & message.extra.keys()
    if message.source != Source.AGENT or message.external_id or not is_made_of_words:
        return False
    if message.status == Status.FAILED:
        return message.error_class != "uncertain"
    return is_undoable(message) and message.author_id == (agent and agent.pk)


def is_undoable(message: Message) -> bool:
    """It waits, so that its author may think again."""
    return (
        message.status == Status.QUEUED
        and message.attempts == 0
        and "undo_until" in message.extra
    )


@transaction.atomic
def take_back(*, message: Message, by: Agent) -> TakenBack:
    """Remove a reply that never left, all its parts; its files wait in the composer of `by`.

    Raises StateForbids if it may have been sent.
    """
    conversation = lock(message.conversation)
    parts = [
        part for part in _parts_of(conversation, message) if can_take_back(part, by)
    ]
    if not parts:
        raise StateForbids(
            _("It is on its way already and cannot be taken back any more.")
        )
    ids = [part.pk for part in parts]
    StagedFile.objects.filter(message__in=ids).delete()
    for attachment in Attachment.objects.filter(message__in=ids).exclude(file=""):
        _stage_again(attachment, conversation, by)
    # The rows go, the files stay: they are the composer's.
    Attachment.objects.filter(message__in=ids).delete()
    first = parts[0]
    taken = TakenBack(
        text="\n".join(part.content for part in parts if part.content),
        about=next((part.reply_to for part in parts if part.reply_to), None),
        is_private_reply=first.is_private_reply,
        is_public_reply=first.type == MessageType.COMMENT,
    )
    Message.objects.filter(pk__in=ids).delete()
    refresh([conversation.pk])
    # What waited behind it need not wait any more.
    ring_after_commit(deliver_next, conversation.pk)
    return taken


def _parts_of(conversation: Conversation, message: Message) -> list[Message]:
    """The message with the other parts of its reply, locked, in order."""
    of_reply = conversation.messages.filter(pk=message.pk)
    if message.group is not None:
        of_reply = conversation.messages.filter(group=message.group)
    locked = of_reply.select_for_update(of=("self",)).select_related("reply_to")
    return list(locked.order_by("pk"))


def _stage_again(
    attachment: Attachment, conversation: Conversation, agent: Agent
) -> None:
    StagedFile.objects.create(
        agent=agent,
        conversation=conversation,
        kind=attachment.kind,
        file=attachment.file.name,
        thumbnail=attachment.thumbnail.name,
        name=attachment.title[-150:],
        mime_type=attachment.mime_type,
        size=attachment.size or 0,
        width=attachment.width,
        height=attachment.height,
    )
