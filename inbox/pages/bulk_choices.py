"""What may be done with many conversations at once, as the bar above the list offers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from inbox.models import Agent, Priority, Tag
from inbox.pages.clock import clock_time
from inbox.pages.filters import Choice
from inbox.pages.listing import Listing

WORK_BEGINS = time(9)
SOON = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class BulkChoices:
    """The values are what the form posts as `act`."""

    agents: list[Agent]
    tags: list[Tag]
    snoozes: list[Choice]
    priorities: list[Choice]


def bulk_choices(listing: Listing) -> BulkChoices:
    return BulkChoices(
        agents=[one for one in listing.desk.agents if one != listing.desk.agent],
        tags=listing.desk.tags,
        snoozes=[
            Choice(f"snooze:{name}", label)
            for name, label in _snooze_labels(listing.desk.at)
        ],
        priorities=[
            Choice(f"priority:{value}", str(label))
            for value, label in reversed(Priority.choices)
        ],
    )


def snooze_moment(name: str, at: datetime) -> datetime:
    """When `soon`, `tomorrow` or `week` is, by the clock on the agent's wall.

    Raises KeyError for another word.
    """
    local = localtime(at)
    days = {"tomorrow": 1, "week": 7 - local.weekday()}
    if name == "soon":
        return at + SOON
    day = local.date() + timedelta(days=days[name])
    return datetime.combine(day, WORK_BEGINS, tzinfo=local.tzinfo)


def _snooze_labels(at: datetime) -> list[tuple[str, str]]:
    times = {
        name: clock_time(snooze_moment(name, at))
        for name in ("soon", "tomorrow", "week")
    }
    return [
        ("soon", _("For three hours, until %(time)s") % {"time": times["soon"]}),
        ("tomorrow", _("Until tomorrow at %(time)s") % {"time": times["tomorrow"]}),
        ("week", _("Until Monday at %(time)s") % {"time": times["week"]}),
    ]
