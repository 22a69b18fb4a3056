"""When a conversation comes back: the moments that agents choose from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta

from django.utils.functional import Promise
from django.utils.timezone import localtime, now
from django.utils.translation import gettext_lazy as _

# By the words that forms and canned replies keep.
PRESETS: Mapping[str, str | Promise] = {
    "in 1 hour": _("In an hour"),
    "in 3 hours": _("In three hours"),
    "tomorrow 9": _("Tomorrow at 9:00"),
    "monday 9": _("Monday at 9:00"),
    "in 1 week": _("In a week"),
}
MORNING = time(9)


def read_moment(words: str, *, at: datetime | None = None) -> datetime | None:
    """The moment that a preset means, in the agent's own zone; None for other words."""
    here = localtime(at or now())
    match words:
        case "in 1 hour":
            return here + timedelta(hours=1)
        case "in 3 hours":
            return here + timedelta(hours=3)
        case "tomorrow 9":
            return _morning(here, 1)
        case "monday 9":
            return _morning(here, 7 - here.weekday())
        case "in 1 week":
            return _morning(here, 7)
        case _:
            return None


def _morning(here: datetime, days: int) -> datetime:
    day = here.date() + timedelta(days=days)
    return datetime.combine(day, MORNING, tzinfo=here.tzinfo)
