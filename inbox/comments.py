"""What agents, automations and integrators do with a comment: answer it, hide, like, delete it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from inbox.actions import queue_action
from inbox.channels import Card, QuickReply
from inbox.comment_rules import ACTION_KINDS, CommentAct, check_act
from inbox.content import Content, Medium
from inbox.conversations import lock
from inbox.errors import ContentInvalid
from inbox.models import ChannelAction, Message, MessageType
from inbox.outbound import (
    AT_ONCE,
    Part,
    Writer,
    check_comment_reply,
    split_into_parts,
    store_parts,
    stored_under,
)


@transaction.atomic
def reply_publicly(
    *,
    comment: Message,
    by: Writer,
    content: str,
    client_key: str = "",
    delay: timedelta = AT_ONCE,
) -> Message:
    """Queue an answer under the comment, for everybody to see. delay: how long it may be undone.

    Raises ContentInvalid, ChannelUnavailable, KeyReused, and NotPossible with the reason.
    """
    conversation = lock(comment.conversation)
    parts = [Part(MessageType.COMMENT, content)]
    if stored := stored_under(client_key, conversation, parts):
        return stored[0]
    reply = Content(text=content)
    check_comment_reply(conversation.channel, reply, comment, CommentAct.REPLY)
    (message,) = store_parts(
        conversation,
        by,
        parts,
        client_key=client_key,
        reply_to=comment,
        delay=delay,
    )
    return message


@transaction.atomic
def reply_privately(
    *,
    comment: Message,
    by: Writer,
    content: str = "",
    media: Sequence[Medium] = (),
    quick_replies: Sequence[QuickReply] = (),
    cards: Sequence[Card] = (),
    client_key: str = "",
    delay: timedelta = AT_ONCE,
) -> Message:
    """Queue the one answer that goes from a comment into the person's inbox.

    Raises ContentInvalid, ChannelUnavailable, KeyReused, and NotPossible with the reason: it
    was answered in private before, or is too old.
    """
    conversation = lock(comment.conversation)
    reply = Content(content, tuple(media), tuple(cards), tuple(quick_replies))
    parts = split_into_parts(reply, conversation.channel)
    if stored := stored_under(client_key, conversation, parts):
        return stored[0]
    check_comment_reply(
        conversation.channel, reply, comment, CommentAct.REPLY_PRIVATELY
    )
    if len(parts) > 1:
        raise ContentInvalid(
            _(
                "A private answer to a comment is one message: text or one file. "
                "The rest can follow once the person has answered."
            ),
            param="content",
        )
    (message,) = store_parts(
        conversation,
        by,
        parts,
        client_key=client_key,
        reply_to=comment,
        is_private_reply=True,
        delay=delay,
    )
    return message


@transaction.atomic
def manage_comment(*, comment: Message, act: CommentAct, by: Writer) -> ChannelAction:
    """Queue hiding, showing, liking, unliking or deleting it. Raises NotPossible."""
    conversation = lock(comment.conversation)
    check_act(comment, act)
    return queue_action(
        conversation=conversation,
        message=comment,
        kind=ACTION_KINDS[act],
        author=by.agent,
        author_name=by.display_name,
    )
