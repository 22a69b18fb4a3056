"""One attempt at giving a message to its channel: judged by its rule, put together, sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from inbox.channels import (
    PERSON,
    Accepted,
    ErrorClass,
    OutgoingMedia,
    OutgoingMessage,
    Scope,
    SendError,
    WindowKind,
)
from inbox.comment_rules import CommentAct, is_offered, standing_of, why_not
from inbox.composed import read_content
from inbox.content import check_content, check_text
from inbox.errors import ContentInvalid
from inbox.media import public_url
from inbox.models import Attachment, Channel, Message, MessageType, Status

WINDOW_CLOSED = _("The reply window closed before this could be sent.")
NO_COMMENT = _("The comment is not there any more.")
AUTOMATIONS_REST = _(
    "The channel restricts this account for writing too much: automations rest for some hours."
)
UPLOAD_TOO_SLOW = _("The channel did not take the file in time.")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it, and by what right it was made."""

    outcome: Accepted | SendError
    window: WindowKind


def attempt(message: Message) -> Attempt:
    """Ask the channel once, with no transaction open. Needs the parties and `reply_to`."""
    window = WindowKind.CLOSED
    try:
        window = judge(message, at=now())
        return Attempt(_send(message, window), window)
    except SendError as error:
        return Attempt(error, window)


def reference_of(message_id: int) -> str:
    """Our mark on a send, by which its echo finds it where the channel reports it."""
    return f"dx:{message_id}"


# --- by what right -------------------------------------------------------------------------------


def judge(message: Message, *, at: datetime) -> WindowKind:
    """By what right it may go out now: what was right when it was queued may be wrong by now.

    Raises SendError for what may not go out any more.
    """
    _require_unrestricted(message, at)
    _require_fit(message)
    if message.is_private_reply:
        _require_comment(message, CommentAct.REPLY_PRIVATELY, at)
        return WindowKind.PRIVATE_REPLY
    if message.type == MessageType.COMMENT:
        _require_comment(message, CommentAct.REPLY, at)
        return WindowKind.OPEN
    if "template" in message.extra:
        return WindowKind.TEMPLATE
    window = message.conversation.reply_window_at(at, source=message.source)
    if not window.is_open:
        raise SendError(ErrorClass.WINDOW_CLOSED, WINDOW_CLOSED, code="window_closed")
    return window.kind


def _require_unrestricted(message: Message, at: datetime) -> None:
    until = message.channel.automation_blocked_until
    if until and at < until and message.source not in PERSON:
        raise SendError(
            ErrorClass.POLICY,
            AUTOMATIONS_REST,
            code="automations_rest",
            scope=Scope.MESSAGE,
        )


def _require_fit(message: Message) -> None:
    """The table of limits that composer and API ask: what is stored may be older than it."""
    channel = message.channel
    limits, name = channel.adapter.limits, str(channel.adapter.label)
    try:
        if message.type == MessageType.COMMENT:
            check_text(message.content, limits.comment_text, name)
        else:
            check_content(read_content(message), channel)
    except ContentInvalid as error:
        raise SendError(
            ErrorClass.BAD_REQUEST, error.detail, code=error.code
        ) from error


def _require_comment(message: Message, act: CommentAct, at: datetime) -> None:
    comment = message.reply_to
    if comment is None or comment.deleted_at:
        raise SendError(ErrorClass.GONE, NO_COMMENT, code="no_comment")
    standing = standing_of(comment)
    reason = why_not(standing, act, at=at)
    if reason or not is_offered(standing, act):
        raise SendError(ErrorClass.GONE, reason or NO_COMMENT, code="not_answerable")


# --- the call ------------------------------------------------------------------------------------


def _send(message: Message, window: WindowKind) -> Accepted:
    channel = message.channel
    target = message.reply_to.external_id if message.reply_to else None
    if message.type == MessageType.COMMENT and message.reply_to:
        return channel.adapter.reply_publicly(
            channel, target or "", message.content, message.reply_to.extra
        )
    return channel.adapter.send(channel, _outgoing(message, window, target or ""))


def _outgoing(message: Message, window: WindowKind, target: str) -> OutgoingMessage:
    content = read_content(message)
    is_private = window is WindowKind.PRIVATE_REPLY
    return OutgoingMessage(
        recipient_id=message.conversation.identity.external_id,
        window=window,
        reference=reference_of(message.pk),
        text=content.text,
        media=_media(message),
        reply_to="" if is_private else target,
        comment_id=target if is_private else "",
        is_post=is_private and _is_post(message.reply_to),
        quick_replies=content.quick_replies,
        cards=content.cards,
        template=content.template,
    )


def _is_post(comment: Message | None) -> bool:
    facts = comment.extra.get("comment") if comment else None
    return isinstance(facts, Mapping) and bool(facts.get("is_post"))


def _media(message: Message) -> OutgoingMedia | None:
    """The file of the message, given to the channel ahead of it where the channel wants that."""
    attachment = next(iter(message.attachments.all()), None)
    if attachment is None:
        return None
    media = OutgoingMedia(
        kind=attachment.kind,
        url=public_url(attachment),
        path=attachment.file.name or "",
        name=attachment.title,
        mime_type=attachment.mime_type,
        size=attachment.size or 0,
    )
    media = replace(media, upload_id=_upload_id(message, attachment, media))
    if not media.upload_id:
        _require_fetchable(message.channel, media)
    return media


def _require_fetchable(channel: Channel, media: OutgoingMedia) -> None:
    """What the channel takes as an upload may be more than what it fetches."""
    limit = channel.adapter.limits.media.get(media.kind)
    most = limit and (limit.max_url_bytes or limit.max_bytes)
    if most and media.size > most:
        raise SendError(
            ErrorClass.BAD_REQUEST,
            _("This file is too large to be fetched by the channel."),
            code="too_large",
        )


# --- uploads -------------------------------------------------------------------------------------
# An attachment's extra["upload"] is {"id", "expires_at"}: the channel's id of the file.


def _upload_id(message: Message, attachment: Attachment, media: OutgoingMedia) -> str:
    if known := _known_upload(attachment.extra.get("upload"), at=now()):
        return known
    upload = message.channel.adapter.upload(message.channel, media)
    if upload is None:
        return ""
    remembered = {"id": upload.id, "expires_at": upload.expires_at.isoformat()}
    attachment.extra = {**attachment.extra, "upload": remembered}
    attachment.save(update_fields=["extra"])
    _still_ours(message)
    return upload.id


def _known_upload(remembered: Any, *, at: datetime) -> str:
    if not isinstance(remembered, Mapping):
        return ""
    expires_at = parse_datetime(str(remembered.get("expires_at", "")))
    return str(remembered["id"]) if expires_at and at < expires_at else ""


def _still_ours(message: Message) -> None:
    """A long upload starts the clock of the send anew; if somebody has taken this worker for dead
    meanwhile, the message is theirs and is not sent here. Nothing was sent yet."""
    ours = Message.objects.filter(pk=message.pk, status=Status.SENDING)
    if not ours.update(sending_since=now()):
        raise SendError(ErrorClass.NOT_TAKEN, UPLOAD_TOO_SLOW, code="upload_too_slow")


def forget_upload(message: Message) -> None:
    """The channel does not know it any more."""
    for attachment in message.attachments.all():
        if attachment.extra.pop("upload", None):
            attachment.save(update_fields=["extra"])
