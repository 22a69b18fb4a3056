"""Moments as people say them: "tomorrow 9", "in 2 hours", "lundi", "غدا"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import dateparser
from django.utils.functional import Promise
from django.utils.timezone import get_current_timezone, localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inbox.errors import ContentInvalid

LANGUAGES = ["en", "fr", "ar"]
MAX_CHARACTERS = 60
# When nobody says an hour, a working day begins.
MORNING = time(9)
LATER = timedelta(hours=3)
# "Later today" is not at night.
LATEST_HOUR = 21
BEFORE_WINDOW_CLOSES = timedelta(hours=1)
SOON = timedelta(minutes=5)

# "tomorrow 9", "demain 9h", "9h30": an hour that a parser takes for a day of the month.
_BARE_HOUR = re.compile(r"(?<![\d:.])([01]?\d|2[0-3])\s?h?$")
_HOUR = re.compile(r"(?<![\d:.])([01]?\d|2[0-3])\s?h\s?([0-5]\d)?(?!\w)")
_SPAN = re.compile(r"^(in|dans|بعد|خلال)\s|^\d+\s?(h|m|min)$", re.IGNORECASE)
_SAYS_HOURS = re.compile(
    r"\d\s?(h|m|hours?|min\w*|heures?)\b|ساع|دقيق|\d:\d", re.IGNORECASE
)


def parse_moment(words: str, *, at: datetime) -> datetime:
    """The moment that is meant, in the current time zone; a day without an hour is its morning.

    words: also ISO 8601. at: from when "in an hour" counts. Raises ContentInvalid for words that
    say none.
    """
    words = " ".join(words.replace("\x00", "").split())
    if not words or len(words) > MAX_CHARACTERS:
        raise ContentInvalid(
            _("Say when: “tomorrow 9”, “in 2 hours”, “Monday”."), param="until"
        )
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        return _understand(words, at)
    return moment if moment.tzinfo else moment.replace(tzinfo=get_current_timezone())


def _understand(words: str, at: datetime) -> datetime:
    base = localtime(at).replace(tzinfo=None)
    found = dateparser.parse(
        _with_clock(words),
        languages=LANGUAGES,
        settings={"PREFER_DATES_FROM": "future", "RELATIVE_BASE": base},
    )
    if found is None:
        raise ContentInvalid(
            _(
                "“%(words)s” says no moment that we know. Try “tomorrow 9” or “in 2 hours”."
            )
            % {"words": words},
            param="until",
        )
    names_day_only = found.time() in {base.time(), time(0)}
    if names_day_only and not _SAYS_HOURS.search(words):
        found = datetime.combine(found.date(), MORNING)
    return found.replace(tzinfo=get_current_timezone())


def _with_clock(words: str) -> str:
    """Hours as a clock shows them."""
    if _SPAN.search(words):
        return words
    words = _HOUR.sub(lambda hour: f"{hour[1]}:{hour[2] or '00'}", words)
    return _BARE_HOUR.sub(lambda hour: f"{hour[1]}:00", words)


@dataclass(frozen=True, slots=True)
class Preset:
    """A moment in one click. until: None for when the customer writes."""

    slug: str
    label: str | Promise
    until: datetime | None


def presets_for(at: datetime, *, closes: datetime | None) -> list[Preset]:
    """closes: when the reply window does."""
    local = localtime(at)
    presets = []
    later = _half_hour_after(local + LATER)
    if later.date() == local.date() and later.hour <= LATEST_HOUR:
        presets.append(Preset("later", gettext_lazy("Later today"), later))
    tomorrow = _morning_of(local + timedelta(days=1))
    presets.append(Preset("tomorrow", gettext_lazy("Tomorrow morning"), tomorrow))
    monday = _morning_of(local + timedelta(days=7 - local.weekday()))
    if monday != tomorrow:
        presets.append(Preset("week", gettext_lazy("Next week"), monday))
    if closes and closes - BEFORE_WINDOW_CLOSES > at + SOON:
        label = gettext_lazy("One hour before the window closes")
        presets.append(Preset("window", label, closes - BEFORE_WINDOW_CLOSES))
    presets.append(Preset("reply", gettext_lazy("Until the customer writes"), None))
    return presets


def _half_hour_after(moment: datetime) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour + timedelta(minutes=30 if moment.minute < 30 else 60)


def _morning_of(moment: datetime) -> datetime:
    """In wall time: a day on which clocks change has its morning too."""
    zone = get_current_timezone()
    return datetime.combine(moment.date(), MORNING, tzinfo=zone)
