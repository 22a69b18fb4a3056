"""What the phone page shows: the chat, the log, the state of the account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.timezone import now

from channels_meta.sandbox import clock
from channels_meta.sandbox.log import entries_of
from channels_meta.sandbox.login import tokens
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxMessage,
    SandboxPerson,
)
from channels_meta.sandbox.pages.acts import DEATHS, LASTING, NEXT_SEND
from inbox.models import Channel, Conversation
from inbox.pages.clock import clock_time, row_time, span_words
from inbox.pages.security import shown_here

# What the phone keeps on its screen, and how many people the page lists.
SHOWN_MESSAGES = 60
SHOWN_PEOPLE = 30
# A pause after which the phone names the time again.
PAUSE = timedelta(hours=1)
# Meta's typing indicator goes out by itself.
TYPING_LASTS = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Bubble:
    """One entry on the phone.

    time: told above it, after a pause. urls: of its files, where a page may show them.
    seen: when we saw it, under the newest one. quoted: the words that it answers.
    """

    message: SandboxMessage
    time: str
    urls: list[str]
    seen: str
    quoted: str

    @property
    def url(self) -> str:
        return self.urls[0] if self.urls else ""


def context_of(person: SandboxPerson) -> dict[str, Any]:
    """All that the moving parts of the page show."""
    account = person.account
    channel = account.channel
    conversation = _conversation_of(person, channel)
    identity = conversation.identity if conversation else None
    bubbles = bubbles_of(person)
    faults = list(account.faults.all())
    on = {fault.kind for fault in faults if fault.probability >= 1}
    is_random = any(fault.probability < 1 for fault in faults)
    return {
        "person": person,
        "channel": channel,
        "adapter": channel.adapter,
        "bubbles": bubbles,
        "passed": _time_passed(bubbles),
        "quick_replies": _quick_replies(bubbles),
        "is_typing": _is_typing(person),
        "entries": entries_of(person, identity),
        "conversation": conversation,
        "is_token_dead": not tokens.is_alive(account),
        "needs_reauth": channel.status == Channel.Status.NEEDS_REAUTH,
        "is_unsubscribed": not account.is_subscribed,
        "waiting": account.notices.count(),
        "fault": next(
            (f for f in faults if f.kind in _NEXT_KINDS and f.probability >= 1), None
        ),
        "next_faults": NEXT_SEND,
        "lasting_faults": [
            (trouble, trouble.kind in on)
            for trouble in LASTING
            if account.kind in trouble.kinds
        ],
        "lasting_count": sum(trouble.kind in on for trouble in LASTING) + is_random,
        "is_random": is_random,
        "deaths": DEATHS,
        "owner": person.held_by if account.has_routing else "",
    }


_NEXT_KINDS = {trouble.kind for trouble in NEXT_SEND}


def _conversation_of(person: SandboxPerson, channel: Channel) -> Conversation | None:
    """The newest of whoever they are in Dexra: in the chat, or in comments."""
    return (
        Conversation.objects.filter(
            channel=channel, identity__external_id__in=person.ids
        )
        .select_related("identity")
        .order_by("-last_message_at", "-id")
        .first()
    )


def connected_accounts() -> list[tuple[SandboxAccount, Channel]]:
    """The pretend accounts that Dexra has a channel for, with that."""
    channels = Channel.objects.filter(kind__in=("instagram", "messenger"))
    known = {(one.kind, one.external_id): one for one in channels}
    accounts = SandboxAccount.objects.select_related("page").order_by("kind", "id")
    return [
        (one, known[one.kind, one.external_id])
        for one in accounts
        if (one.kind, one.external_id) in known
    ]


# --- the chat ----------------------------------------------------------------------------------------


def bubbles_of(person: SandboxPerson) -> list[Bubble]:
    newest = person.messages.order_by("-sent_at", "-id")[:SHOWN_MESSAGES]
    shown = list(reversed(newest))
    words = {message.mid: message.text for message in shown}
    return [
        Bubble(
            message=message,
            time=_time(message) if _is_after_pause(before, message) else "",
            urls=[shown_here(str(part["url"])) for part in message.parts],
            seen=_seen(message) if message is shown[-1] else "",
            quoted=words.get(message.reply_to_mid or message.parent_id, ""),
        )
        for before, message in zip([None, *shown], shown, strict=False)
    ]


def _quick_replies(bubbles: Sequence[Bubble]) -> list[dict[str, Any]]:
    """They are offered below the newest message alone."""
    if not bubbles:
        return []
    last = bubbles[-1].message
    offered = last.extra.get("quick_replies", [])
    return offered if isinstance(offered, list) else []


def _is_typing(person: SandboxPerson) -> bool:
    since = person.typing_since
    return since is not None and not clock.is_over(since, TYPING_LASTS)


def _time_passed(bubbles: Sequence[Bubble]) -> str:
    """How long ago the newest message is, once that is a while; "" before."""
    span = now() - bubbles[-1].message.sent_at if bubbles else PAUSE
    return span_words(span, is_short=True) if span > PAUSE else ""


def _is_after_pause(before: SandboxMessage | None, message: SandboxMessage) -> bool:
    return before is None or message.sent_at - before.sent_at > PAUSE


def _time(message: SandboxMessage) -> str:
    day, time = row_time(message.sent_at, at=now()), clock_time(message.sent_at)
    return time if day == time else f"{day} {time}"


def _seen(message: SandboxMessage) -> str:
    """When we saw what the customer wrote, as the customer's phone tells it."""
    is_mine = message.direction == SandboxMessage.Direction.IN
    return clock_time(message.seen_at) if is_mine and message.seen_at else ""
