"""What an agent may do with each message of a thread: answer it, react, manage a comment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inbox.actions import can_react
from inbox.channels import Ability, ActionKind
from inbox.comment_rules import (
    CommentAct,
    Standing,
    is_offered,
    private_replies,
    why_not,
)
from inbox.errors import retell
from inbox.models import ChannelAction, Conversation, Message, MessageType
from inbox.outbound import can_quote
from inbox.pages.composer import PRIVATE, PUBLIC

# What an agent reacts with in one click.
REACTIONS = ("❤️", "👍", "😂", "😮", "😢", "🙏")
_COMPOSER_MODES: Mapping[str, str] = {
    CommentAct.REPLY: PUBLIC,
    CommentAct.REPLY_PRIVATELY: PRIVATE,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing a comment's card names. reason: why it is not possible now, "" if it is."""

    act: str
    label: str | Promise
    icon: str
    reason: str = ""

    @property
    def composer_mode(self) -> str:
        """In which the composer opens to do it; "" for what is done at once."""
        return _COMPOSER_MODES.get(self.act, "")


@dataclass(frozen=True, slots=True)
class CommentCard:
    """hint: the rule of the private reply. answered: the message that was one. pending: what
    is under way, as a word."""

    offers: tuple[Offer, ...]
    hint: str = ""
    answered: int | None = None
    pending: str = ""
    is_hidden: bool = False
    is_liked: bool = False


@dataclass(frozen=True, slots=True)
class Acts:
    """mine: the account's own reaction to the message."""

    quotes: bool = False
    reacts: bool = False
    mine: str = ""
    card: CommentCard | None = None
    is_ours: bool = False

    @property
    def is_shown(self) -> bool:
        """Beside the message; what is done with a customer's comment stands on its card."""
        return self.quotes or self.reacts or (self.is_ours and self.card is not None)


def read_acts(
    conversation: Conversation, messages: Sequence[Message], *, at: datetime
) -> dict[int, Acts]:
    """By message; two statements if there are comments among them, none if not."""
    channel = conversation.channel
    abilities = channel.adapter.abilities(channel)
    cards = _read_cards(conversation, messages, abilities, at)
    acts = {}
    for message in messages:
        mine = [
            reaction.emoji
            for reaction in message.reactions.all()
            if reaction.actor == channel.external_id and reaction.emoji
        ]
        one = Acts(
            quotes=can_quote(message, abilities),
            reacts=can_react(message, abilities),
            mine=mine[0] if mine else "",
            card=cards.get(message.pk),
            is_ours=message.is_outbound,
        )
        if one.is_shown or one.card:
            acts[message.pk] = one
    return acts


# --- comments ------------------------------------------------------------------------------------

_OFFERS: tuple[tuple[CommentAct, str | Promise, str], ...] = (
    (CommentAct.REPLY, gettext_lazy("Reply publicly"), "comment"),
    (CommentAct.REPLY_PRIVATELY, gettext_lazy("Reply privately"), "lock"),
    (CommentAct.HIDE, gettext_lazy("Hide"), "eye-off"),
    (CommentAct.UNHIDE, gettext_lazy("Show again"), "eye"),
    (CommentAct.LIKE, gettext_lazy("Like"), "heart"),
    (CommentAct.UNLIKE, gettext_lazy("Unlike"), "heart"),
    (CommentAct.DELETE, gettext_lazy("Delete"), "trash"),
)
_UNDER_WAY = {
    ActionKind.HIDE: gettext_lazy("Hiding…"),
    ActionKind.UNHIDE: gettext_lazy("Showing…"),
    ActionKind.LIKE: gettext_lazy("Liking…"),
    ActionKind.UNLIKE: gettext_lazy("Unliking…"),
    ActionKind.DELETE: gettext_lazy("Deleting…"),
}


def _read_cards(
    conversation: Conversation,
    messages: Sequence[Message],
    abilities: frozenset[Ability],
    at: datetime,
) -> dict[int, CommentCard]:
    comments = [
        message
        for message in messages
        if message.type == MessageType.COMMENT and not message.deleted_at
    ]
    if not comments:
        return {}
    ids = [comment.pk for comment in comments]
    answers = private_replies(ids)
    waiting = ChannelAction.objects.filter(
        message__in=ids, status=ChannelAction.Status.QUEUED
    ).order_by("pk")
    pending = {action.message_id: ActionKind(action.kind) for action in waiting}
    return {
        comment.pk: build_card(
            Standing(comment, conversation.channel, abilities, answers.get(comment.pk)),
            pending=pending.get(comment.pk),
            at=at,
        )
        for comment in comments
    }


def build_card(
    standing: Standing, *, pending: ActionKind | None, at: datetime
) -> CommentCard:
    offers = tuple(
        Offer(act, label, icon, why_not(standing, act, at=at))
        for act, label, icon in _OFFERS
        if is_offered(standing, act)
    )
    answer = standing.private_reply
    return CommentCard(
        offers=offers,
        hint=_hint(standing, offers),
        answered=answer.pk if answer else None,
        pending=str(_UNDER_WAY[pending]) if pending else "",
        is_hidden=standing.is_hidden,
        is_liked=standing.has("liked"),
    )


def _hint(standing: Standing, offers: Sequence[Offer]) -> str:
    """The single private reply and its last day, or why there is none."""
    private = [one for one in offers if one.act == CommentAct.REPLY_PRIVATELY]
    if not private:
        return ""
    return private[0].reason or _("One private reply per comment, until %(day)s.") % {
        "day": date_format(localtime(standing.private_until), "j F")
    }


# --- what was done, as a line of the thread ------------------------------------------------------

_DONE: Mapping[str, tuple[str, str | Promise]] = {
    ActionKind.HIDE: ("eye-off", gettext_lazy("%(who)s hid a comment")),
    ActionKind.UNHIDE: ("eye", gettext_lazy("%(who)s showed a comment again")),
    ActionKind.LIKE: ("heart", gettext_lazy("%(who)s liked a comment")),
    ActionKind.UNLIKE: ("heart", gettext_lazy("%(who)s took back a like")),
    ActionKind.DELETE: ("trash", gettext_lazy("%(who)s deleted a comment")),
    ActionKind.TAKE_OVER: (
        "user-plus",
        gettext_lazy("%(who)s took this conversation over from %(value)s"),
    ),
    ActionKind.HAND_BACK: (
        "out",
        gettext_lazy("%(who)s gave this conversation back to %(value)s"),
    ),
}
_NOT_DONE: Mapping[str, str | Promise] = {
    ActionKind.HIDE: gettext_lazy("%(who)s could not hide a comment: %(reason)s"),
    ActionKind.UNHIDE: gettext_lazy("%(who)s could not show a comment: %(reason)s"),
    ActionKind.LIKE: gettext_lazy("%(who)s could not like a comment: %(reason)s"),
    ActionKind.UNLIKE: gettext_lazy("%(who)s could not take a like back: %(reason)s"),
    ActionKind.DELETE: gettext_lazy("%(who)s could not delete a comment: %(reason)s"),
    ActionKind.REACT: gettext_lazy(
        "%(who)s could not react with %(value)s: %(reason)s"
    ),
    ActionKind.UNREACT: gettext_lazy(
        "%(who)s could not take a reaction back: %(reason)s"
    ),
    ActionKind.TAKE_OVER: gettext_lazy(
        "%(who)s could not take this conversation over: %(reason)s"
    ),
    ActionKind.HAND_BACK: gettext_lazy(
        "%(who)s could not give this conversation back: %(reason)s"
    ),
}


def action_line(message: Message, who: str) -> tuple[str, str]:
    """The words and the icon of a line that inbox.actions wrote."""
    extra = message.extra
    kind = str(extra.get("kind", ""))
    told = {
        "who": who,
        "value": extra.get("value"),
        "reason": retell(str(extra.get("reason") or "")),
    }
    if extra.get("outcome") == "failed":
        return str(_NOT_DONE.get(kind, "")) % told, "warn"
    icon, sentence = _DONE.get(kind, ("info", ""))
    return str(sentence) % told, icon
