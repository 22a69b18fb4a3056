"""How often something usually arrives for an account, and whether it has become too quiet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils.timesince import timesince
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.models import Channel, Conversation

# What is looked at: this many conversations of this time.
SAMPLE = 1000
SPAN = timedelta(days=14)
# With less than this nobody can say what is usual.
MIN_ARRIVALS = 8
# Silence is unusual beyond this many times the longest pause, and never before this time is over.
LONGEST_PAUSES = 2
MIN_SILENCE = timedelta(hours=3)
# As long as no whole week was seen, nobody knows this business's weekends.
WEEK = timedelta(days=7)
MIN_SILENCE_AT_FIRST = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Silence:
    """last_at: when something came last. usual: the longest pause lately; None if not known.

    limit: how long a pause must last to be unusual.
    """

    last_at: datetime | None
    usual: timedelta | None
    limit: timedelta | None
    lasts: timedelta

    @property
    def is_unusual(self) -> bool:
        return self.limit is not None and self.lasts > self.limit

    @property
    def sentence(self) -> str:
        """Only where the usual is known."""
        if self.usual is None or self.last_at is None:
            return ""
        words = {"since": _words(self.lasts), "usual": _words(self.usual)}
        return (
            _(
                "Nothing has arrived for %(since)s; lately the longest pause was %(usual)s."
            )
            % words
        )


def silence_of(channel: Channel) -> Silence:
    """By when customers last wrote in the account's liveliest conversations of two weeks."""
    moment = now()
    arrivals = _arrivals(channel, moment)
    last_at = max([*arrivals, *filter(None, [channel.last_event_at])], default=None)
    lasts = moment - last_at if last_at else timedelta(0)
    if len(arrivals) < MIN_ARRIVALS:
        return Silence(last_at, None, None, lasts)
    usual = max(later - earlier for earlier, later in pairwise(arrivals))
    floor = MIN_SILENCE
    if arrivals[-1] - arrivals[0] < WEEK:
        floor = MIN_SILENCE_AT_FIRST
    return Silence(last_at, usual, max(LONGEST_PAUSES * usual, floor), lasts)


def _arrivals(channel: Channel, moment: datetime) -> Sequence[datetime]:
    """In the order of time. The statuses are named so that the index knows all it asks for."""
    conversations = Conversation.objects.filter(
        channel=channel,
        status__in=Conversation.Status.values,
        last_message_at__gte=moment - SPAN,
        last_inbound_at__isnull=False,
    ).order_by("-last_message_at")
    newest = conversations.values_list("last_inbound_at", flat=True)[:SAMPLE]
    return sorted(at for at in newest if at is not None)


def _words(span: timedelta) -> str:
    """ "3 days", "5 hours": the largest unit is enough."""
    moment = now()
    return timesince(moment - span, moment, depth=1)
