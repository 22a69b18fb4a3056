"""Moments and spans in the few letters that a row or a chip has room for."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

DAY = timedelta(days=1)
# Under this a reply window is about to close, and is told to the minute.
CLOSING_SOON = timedelta(hours=4)


def clock_time(moment: datetime) -> str:
    return _written(moment, "G:i")


def full_moment(moment: datetime) -> str:
    """For the hover, and for people who do not see the page."""
    return _written(moment, "l j F Y, G:i")


def _written(moment: datetime, how: str) -> str:
    # Without its zone: the same instant in two zones is equal, and reads differently.
    return _write(localtime(moment).replace(tzinfo=None), how, get_language() or "")


@lru_cache(maxsize=8000)
def _write(wall_time: datetime, how: str, _language: str) -> str:
    """Formatting is slow, and a list writes the same moments again and again."""
    return date_format(wall_time, how)


def row_time(moment: datetime, *, at: datetime) -> str:
    """10:24, Yesterday, Thu, 13 Nov, 13 Nov 2025."""
    local, today = localtime(moment), localtime(at).date()
    age = (today - local.date()).days
    if age <= 0:
        return clock_time(moment)
    if age == 1:
        return _("Yesterday")
    if age < 7:
        return _written(moment, "D")
    return _written(moment, "j M" if local.year == today.year else "j M Y")


def day_label(day: date, *, at: datetime) -> str:
    """Today, Yesterday, Saturday 21 November."""
    today = localtime(at).date()
    if day == today:
        return _("Today")
    if day == today - DAY:
        return _("Yesterday")
    return date_format(day, "l j F" if day.year == today.year else "l j F Y")


def moment_label(moment: datetime, *, at: datetime) -> str:
    """When something ends or was: 13:06 today, 13:06 on 27 November."""
    local = localtime(moment)
    time, today = clock_time(moment), localtime(at).date()
    if local.date() == today:
        return _("%(time)s today") % {"time": time}
    if local.date() == today + DAY:
        return _("%(time)s tomorrow") % {"time": time}
    return _("%(time)s on %(day)s") % {"time": time, "day": date_format(local, "j F")}


# How a span is written, widest unit first; static/js/clock.js counts down with the same words.
_SPANS = {
    "days": gettext_lazy("{d} d"),
    "days-hours": gettext_lazy("{d} d {h} h"),
    "hours": gettext_lazy("{h} h"),
    "hours-minutes": gettext_lazy("{h} h {m}"),
    "minutes": gettext_lazy("{m} min"),
}


def span_formats() -> dict[str, str]:
    """The formats in the reader's language, for the page's script."""
    return {name: str(written) for name, written in _SPANS.items()}


def span_words(span: timedelta, *, is_short: bool) -> str:
    """5 d 2 h, 23 h 58, 38 min; short: 5 d, 23 h, but 3 h 10 when it is closing soon."""
    minutes = max(0, int(span.total_seconds()) // 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        name = "days" if is_short or not hours else "days-hours"
    elif hours:
        name = "hours" if is_short and span >= CLOSING_SOON else "hours-minutes"
    else:
        name = "minutes"
    minute = minutes % 60
    padded = f"{minute:02}" if name == "hours-minutes" else str(minute)
    return str(_SPANS[name]).format(d=days, h=hours, m=padded)
