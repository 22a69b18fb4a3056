"""Queue a reply: the same door for agent, automation and API."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.bell import ring_after_commit
from inbox.channels import OutgoingMedia
from inbox.conversations import lock, refresh
from inbox.delivery import deliver_next
from inbox.errors import (
    ChannelUnavailable,
    ContentInvalid,
    KeyReused,
    ReplyWindowClosed,
    StateForbids,
)
from inbox.models import (
    Agent,
    Attachment,
    Channel,
    Conversation,
    Direction,
    Message,
    MessageType,
    Status,
)
from inbox.search import fold

MAX_PARTS = 10


@transaction.atomic
def queue_reply(
    *,
    conversation: Conversation,
    source: str,
    author: Agent | None = None,
    author_name: str = "",
    content: str = "",
    media: Sequence[OutgoingMedia] = (),
    client_key: str = "",
    reply_to: Message | None = None,
) -> list[Message]:
    """Store a reply and hand it to the channel once the transaction commits.

    Media and text are messages of their own, one group, sent in order. The same client key
    gives the messages of the first call.

    Raises ContentInvalid for what the channel cannot take, ChannelUnavailable if the channel
    is disconnected, ReplyWindowClosed if nothing may be sent now, KeyReused if the client
    key came with another content before.
    """
    current = lock(conversation)
    if client_key and (stored := _stored(client_key)):
        _require_same(stored, current, content, media)
        return stored
    check_reply(current, source=source, content=content, media=media, at=now())
    messages = _create_parts(
        current, source, author, author_name, content, media, client_key, reply_to
    )
    if current.status != Conversation.Status.OPEN:
        Conversation.objects.filter(pk=current.pk).update(
            status=Conversation.Status.OPEN, closed_at=None, snoozed_until=None
        )
    refresh([current.pk])
    ring_after_commit(deliver_next, current.pk)
    return messages


def check_reply(
    conversation: Conversation,
    *,
    source: str,
    content: str,
    media: Sequence[OutgoingMedia],
    at: datetime,
) -> None:
    """Refuse what the channel would refuse. Raises as queue_reply does."""
    channel = conversation.channel
    if channel.status == Channel.Status.DISCONNECTED:
        raise ChannelUnavailable(
            _("%(channel)s is disconnected. An admin has to connect it again.")
            % {"channel": channel.name}
        )
    if not content.strip() and not media:
        raise ContentInvalid(_("Write something first."), param="content")
    limit = channel.adapter.limits.text
    if limit.measure(content) > limit.maximum:
        sentence = (
            _("This is longer than the %(maximum)d bytes that %(channel)s takes.")
            if limit.unit == "bytes"
            else _(
                "This is longer than the %(maximum)d characters that %(channel)s takes."
            )
        )
        values = {"maximum": limit.maximum, "channel": channel.adapter.label}
        raise ContentInvalid(sentence % values, param="content")
    _check_media(channel, media)
    if not conversation.reply_window_at(at, source=source).is_open:
        raise ReplyWindowClosed(
            _("The reply window is closed: the customer has to write first.")
        )


def _check_media(channel: Channel, media: Sequence[OutgoingMedia]) -> None:
    if len(media) > MAX_PARTS:
        raise ContentInvalid(
            _("At most %(limit)d files at once.") % {"limit": MAX_PARTS},
            param="attachments",
        )
    for part in media:
        if part.kind not in channel.adapter.limits.media:
            raise ContentInvalid(
                _("%(channel)s does not take this kind of file: %(kind)s.")
                % {"channel": channel.adapter.label, "kind": part.kind},
                param="attachments",
            )
        if not part.url.startswith(("https://", "http://")):
            raise ContentInvalid(
                _("A file needs an https:// address that the channel can fetch."),
                param="attachments",
            )


def _create_parts(
    conversation: Conversation,
    source: str,
    author: Agent | None,
    author_name: str,
    content: str,
    media: Sequence[OutgoingMedia],
    client_key: str,
    reply_to: Message | None,
) -> list[Message]:
    parts: list[OutgoingMedia | None] = [*media, *([None] if content.strip() else [])]
    group = uuid.uuid4() if len(parts) > 1 else None
    moment = now()
    messages = []
    for number, part in enumerate(parts):
        message = Message.objects.create(
            conversation=conversation,
            channel_id=conversation.channel_id,
            direction=Direction.OUT,
            source=source,
            author=author,
            author_name=author_name or (author.name if author else ""),
            type=part.kind if part else MessageType.TEXT,
            content="" if part else content,
            client_key=_part_key(client_key, number),
            group=group,
            status=Status.QUEUED,
            next_attempt_at=moment,
            reply_to=reply_to if number == 0 else None,
            sent_at=moment,
            received_at=moment,
            search_text="" if part else fold(content),
        )
        if part:
            Attachment.objects.create(
                message=message, kind=part.kind, remote_url=part.url
            )
        messages.append(message)
    return messages


def _part_key(client_key: str, number: int) -> str | None:
    """The first part carries the key itself, the others the key and their number."""
    if not client_key:
        return None
    return client_key if number == 0 else f"{client_key}#{number}"


def _stored(client_key: str) -> list[Message]:
    """All that was stored under a client key, in order."""
    first = Message.objects.filter(client_key=client_key).first()
    if first is None or first.group is None:
        return [first] if first else []
    return list(first.conversation.messages.filter(group=first.group).order_by("pk"))


def _require_same(
    stored: Sequence[Message],
    conversation: Conversation,
    content: str,
    media: Sequence[OutgoingMedia],
) -> None:
    text = "".join(message.content for message in stored)
    same_parts = len(stored) == len(media) + bool(content.strip())
    if (
        stored[0].conversation_id != conversation.pk
        or text != content
        or not same_parts
    ):
        raise KeyReused(
            _("This key was used for another message before. Use a new one.")
        )


@transaction.atomic
def retry_message(*, message: Message, by: Agent) -> Message:
    """Send a failed message again, as a person's decision and record.

    Raises StateForbids if it has not failed, and whatever queue_reply raises.
    """
    conversation = lock(message.conversation)
    current = Message.objects.select_for_update().get(pk=message.pk)
    if current.status != Status.FAILED:
        raise StateForbids(
            _("This message has not failed: there is nothing to send again.")
        )
    media = [
        OutgoingMedia(part.kind, part.remote_url) for part in current.attachments.all()
    ]
    check_reply(
        conversation,
        source=current.source,
        content=current.content,
        media=media,
        at=now(),
    )
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
    current.delete()
    refresh([conversation.pk])
