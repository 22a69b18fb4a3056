"""What may be done with a comment now, and why not: for the card, the act and the send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from inbox.channels import Ability, ActionKind, ChannelAdapter
from inbox.errors import NotPossible
from inbox.models import (
    Channel,
    Conversation,
    Direction,
    Message,
    MessageType,
    Status,
)


class CommentAct(StrEnum):
    REPLY = "reply"
    REPLY_PRIVATELY = "reply_privately"
    HIDE = "hide"
    UNHIDE = "unhide"
    LIKE = "like"
    UNLIKE = "unlike"
    DELETE = "delete"


ABILITY_FOR = {
    CommentAct.REPLY: Ability.PUBLIC_REPLY,
    CommentAct.REPLY_PRIVATELY: Ability.PRIVATE_REPLY,
    CommentAct.HIDE: Ability.HIDE,
    CommentAct.UNHIDE: Ability.HIDE,
    CommentAct.LIKE: Ability.LIKE,
    CommentAct.UNLIKE: Ability.LIKE,
    CommentAct.DELETE: Ability.DELETE,
}
ACTION_KINDS = {
    CommentAct.HIDE: ActionKind.HIDE,
    CommentAct.UNHIDE: ActionKind.UNHIDE,
    CommentAct.LIKE: ActionKind.LIKE,
    CommentAct.UNLIKE: ActionKind.UNLIKE,
    CommentAct.DELETE: ActionKind.DELETE,
}
# What the channel itself said of this comment, where it said anything.
_SAID = {
    CommentAct.REPLY: "can_reply",
    CommentAct.REPLY_PRIVATELY: "can_reply_privately",
    CommentAct.HIDE: "can_hide",
    CommentAct.LIKE: "can_like",
    CommentAct.DELETE: "can_delete",
}
# Acts that a comment's state makes the right one of two.
_NEEDS_STATE = {
    CommentAct.HIDE: ("hidden", False),
    CommentAct.UNHIDE: ("hidden", True),
    CommentAct.LIKE: ("liked", False),
    CommentAct.UNLIKE: ("liked", True),
}
# Of our own comments only this: the platforms hide nobody's own, and we need no answer to us.
_ON_OURS = frozenset({CommentAct.DELETE})
# Where we were mentioned under somebody else's post, the comment is not ours to manage.
_ON_MENTIONS = frozenset({CommentAct.REPLY})


@dataclass(frozen=True, slots=True)
class Standing:
    """A comment, and what bears on what may be done with it.

    private_reply: the private answer it has or is about to have.
    """

    comment: Message
    channel: Channel
    abilities: frozenset[Ability]
    private_reply: Message | None = None

    @property
    def adapter(self) -> ChannelAdapter:
        return self.channel.adapter

    @property
    def private_until(self) -> datetime:
        """The end of the time in which it may be answered in private."""
        return self.comment.sent_at + self.adapter.private_reply_window

    @property
    def facts(self) -> Mapping[str, Any]:
        facts = self.comment.extra.get("comment")
        return facts if isinstance(facts, Mapping) else {}

    @property
    def is_hidden(self) -> bool:
        """Notices write it beside the comment's facts, the details among them."""
        return bool(self.comment.extra.get("hidden", self.facts.get("hidden")))

    def has(self, name: str) -> bool:
        return self.is_hidden if name == "hidden" else bool(self.facts.get(name))


def standing_of(comment: Message, *, private_reply: Message | None = None) -> Standing:
    channel = comment.channel
    return Standing(comment, channel, channel.adapter.abilities(channel), private_reply)


def is_offered(standing: Standing, act: CommentAct) -> bool:
    """Whether a card names this act at all: the account can do it, and it fits the comment."""
    comment = standing.comment
    if comment.type != MessageType.COMMENT or comment.deleted_at:
        return False
    if not comment.external_id or ABILITY_FOR[act] not in standing.abilities:
        return False
    if comment.is_outbound and act not in _ON_OURS:
        return False
    if comment.extra.get("mention") and act not in _ON_MENTIONS:
        return False
    if act in _NEEDS_STATE:
        name, wanted = _NEEDS_STATE[act]
        return standing.has(name) is wanted
    return True


def why_not(standing: Standing, act: CommentAct, *, at: datetime) -> str:
    """Why an act that is offered is not possible now, as a sentence; "" if it is."""
    if act is CommentAct.REPLY_PRIVATELY:
        return _why_not_privately(standing, at)
    if standing.facts.get(_SAID.get(act, "")) is False:
        return _("%(channel)s does not allow this for this comment.") % {
            "channel": standing.adapter.label
        }
    if act is CommentAct.REPLY:
        return _why_not_publicly(standing)
    return ""


def _why_not_publicly(standing: Standing) -> str:
    if standing.facts.get("is_live"):
        return _("Comments on a live video can only be answered in private.")
    if standing.is_hidden:
        return _("A hidden comment cannot be answered in public. Show it first.")
    return ""


def _why_not_privately(standing: Standing, at: datetime) -> str:
    reply = standing.private_reply
    if reply is not None:
        return _("Answered in private on %(day)s.") % {"day": _day(reply.sent_at)}
    if standing.facts.get("can_reply_privately") is False:
        return _("%(channel)s does not allow a private answer to this comment.") % {
            "channel": standing.adapter.label
        }
    if at >= standing.private_until:
        return _("Older than %(days)d days: too late for a private answer.") % {
            "days": standing.adapter.private_reply_window.days
        }
    return ""


def _day(moment: datetime) -> str:
    return date_format(localtime(moment), "j F")


def private_replies(comment_ids: Iterable[int]) -> dict[int, Message]:
    """The private answer of each of these comments that has one, or is about to: one statement."""
    ids = list(comment_ids)
    if not ids:
        return {}
    found = Message.objects.filter(reply_to__in=ids, is_private_reply=True).exclude(
        status=Status.FAILED
    )
    return {message.reply_to_id: message for message in found if message.reply_to_id}


def check_act(comment: Message, act: CommentAct) -> None:
    """Raises NotPossible, with the reason, if this cannot be done with the comment now."""
    reply = (
        private_replies([comment.pk]).get(comment.pk)
        if act is CommentAct.REPLY_PRIVATELY
        else None
    )
    standing = standing_of(comment, private_reply=reply)
    if not is_offered(standing, act):
        raise NotPossible(
            _("%(channel)s does not allow this for this comment.")
            % {"channel": standing.adapter.label}
        )
    if reason := why_not(standing, act, at=now()):
        raise NotPossible(reason)


# Of a conversation's comments this many of the newest are looked at for one to answer.
MAX_LOOKED_AT = 5


def newest_answerable(conversation: Conversation, *, at: datetime) -> Message | None:
    """The newest comment of a conversation that may still be answered in private, if any."""
    channel = conversation.channel
    abilities = channel.adapter.abilities(channel)
    if Ability.PRIVATE_REPLY not in abilities:
        return None
    comments = list(
        conversation.messages.filter(
            type=MessageType.COMMENT,
            direction=Direction.IN,
            sent_at__gt=at - channel.adapter.private_reply_window,
        ).order_by("-sent_at", "-id")[:MAX_LOOKED_AT]
    )
    answers = private_replies(comment.pk for comment in comments)
    for comment in comments:
        standing = Standing(comment, channel, abilities, answers.get(comment.pk))
        act = CommentAct.REPLY_PRIVATELY
        if is_offered(standing, act) and not why_not(standing, act, at=at):
            return comment
    return None
