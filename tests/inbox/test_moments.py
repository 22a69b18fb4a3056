"""Moments as people say them, in our three languages."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from inbox.errors import ContentInvalid
from inbox.moments import parse_moment, presets_for

CASABLANCA = ZoneInfo("Africa/Casablanca")
# A Sunday.
AT = datetime(2026, 11, 22, 16, 10, tzinfo=CASABLANCA)


@pytest.fixture(autouse=True)
def _in_casablanca() -> None:
    timezone.activate(CASABLANCA)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("tomorrow 9", "2026-11-23 09:00"),
        ("tomorrow", "2026-11-23 09:00"),
        ("tomorrow 9:30", "2026-11-23 09:30"),
        ("tomorrow at 2pm", "2026-11-23 14:00"),
        ("in 2 hours", "2026-11-22 18:10"),
        ("30 min", "2026-11-22 16:40"),
        ("in 24 hours", "2026-11-23 16:10"),
        ("Monday", "2026-11-23 09:00"),
        ("monday 10:30", "2026-11-23 10:30"),
        ("in 3 days", "2026-11-25 09:00"),
        ("27 nov", "2026-11-27 09:00"),
        ("demain 9h", "2026-11-23 09:00"),
        ("demain à 9h30", "2026-11-23 09:30"),
        ("dans 3 heures", "2026-11-22 19:10"),
        ("lundi", "2026-11-23 09:00"),
        ("غدا", "2026-11-23 09:00"),
        ("الاثنين", "2026-11-23 09:00"),
        ("18:00", "2026-11-22 18:00"),
        ("2026-12-01T08:00", "2026-12-01 08:00"),
    ],
)
def test_what_is_meant(words: str, meant: str) -> None:
    moment = parse_moment(words, at=AT)

    assert moment.tzinfo is not None
    assert moment.astimezone(CASABLANCA).strftime("%Y-%m-%d %H:%M") == meant


@pytest.mark.parametrize("words", ["", "soonish perhaps", "x" * 200, "\x00"])
def test_what_says_no_moment_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(ContentInvalid) as refusal:
        parse_moment(words, at=AT)

    assert "tomorrow 9" in str(refusal.value.detail)


def test_presets_know_the_working_day_and_the_window() -> None:
    presets = presets_for(AT, closes=AT + timedelta(hours=10))

    assert {one.slug: one.until for one in presets} == {
        "later": AT.replace(hour=19, minute=30),
        "tomorrow": datetime(2026, 11, 23, 9, tzinfo=CASABLANCA),
        "window": AT + timedelta(hours=9),
        "reply": None,
    }


def test_at_night_nothing_is_later_today() -> None:
    late = AT.replace(hour=20)

    assert "later" not in {one.slug for one in presets_for(late, closes=None)}


def test_a_window_that_closes_at_once_is_no_time_to_wait_for() -> None:
    soon = AT + timedelta(minutes=30)

    assert "window" not in {one.slug for one in presets_for(AT, closes=soon)}
