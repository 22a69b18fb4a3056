"""Our own pace: ahead of the published limits, slower when Meta says so, alone without Redis."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from channels_meta.pacing import (
    LONGEST_WAIT,
    Lane,
    note_usage,
    pace_of,
    read_usage,
    require_turn,
)
from inbox.channels import ErrorClass, Scope, SendError

SAMPLES = Path(__file__).parent / "samples"
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
# What Meta publishes (contract 7.1): so many in so long.
LIMITS = [
    (Lane.MESSENGER, 300, SECOND),
    (Lane.INSTAGRAM, 100, SECOND),
    (Lane.MEDIA, 10, SECOND),
    (Lane.PRIVATE_REPLIES, 750, HOUR),
    (Lane.CONVERSATIONS, 1, SECOND),  # 2 together
    (Lane.ONE_CONVERSATION, 1, SECOND),
    (Lane.MESSENGER_PROFILE, 10, timedelta(minutes=10)),
]
# A lane so slow that nothing comes back while a test runs.
SLOW = Lane.PRIVATE_REPLIES
CHANNEL, OTHER_CHANNEL = 71, 72
_channels = count(1000)


def refused(lane: Lane = SLOW, channel_id: int = CHANNEL) -> SendError:
    with pytest.raises(SendError) as caught:
        require_turn(channel_id, lane)
    return caught.value


def use_up(lane: Lane = SLOW, channel_id: int = CHANNEL) -> int:
    """Take turns until there is none; how many there were."""
    for taken in count():
        try:
            require_turn(channel_id, lane)
        except SendError:
            return taken
    raise AssertionError


def used(percent: int, kind: str = "messenger", **more: int) -> dict[str, Any]:
    return {"1": [{"type": kind, "call_count": percent, **more}]}


@pytest.mark.parametrize(("lane", "limit", "per"), LIMITS)
def test_no_lane_can_go_beyond_what_meta_publishes(
    lane: Lane, limit: int, per: timedelta
) -> None:
    pace = pace_of(lane)
    # Half-open: a call at the very end of the span belongs to the next one.
    in_the_span = pace.burst + -(-per // pace.interval) - 1

    assert in_the_span <= limit


def test_an_account_has_its_burst_and_then_waits() -> None:
    assert use_up() == pace_of(SLOW).burst

    error = refused()

    assert (error.error_class, error.scope) == (ErrorClass.THROTTLED, Scope.MESSAGE)
    assert error.retry_after is not None
    assert timedelta(0) < error.retry_after <= 2 * pace_of(SLOW).interval


def test_those_who_wait_are_sent_away_to_one_turn_each() -> None:
    use_up()

    waits = [refused().retry_after or timedelta(0) for _ in range(4)]

    steps = [later - before for before, later in pairwise(waits)]
    assert all(step > pace_of(SLOW).interval / 2 for step in steps[:2])
    assert max(waits) <= LONGEST_WAIT


def test_one_account_never_waits_for_another() -> None:
    use_up(channel_id=CHANNEL)

    require_turn(OTHER_CHANNEL, SLOW)


def test_one_kind_of_call_never_waits_for_another() -> None:
    use_up(SLOW)

    require_turn(CHANNEL, Lane.MESSENGER)


@pytest.mark.parametrize(
    "headers",
    [
        ({"call_count": 97, "total_time": 2, "total_cputime": 1}, None),
        ({"call_volume": 97, "cpu_time": 1}, None),
        (None, used(97)),
        (None, used(97, "instagram")),
        (None, used(97, "something new")),
        (None, used(3, estimated_time_to_regain_access=5)),
    ],
    ids=["facebook", "instagram", "messenger", "ig type", "unknown", "regain"],
)
def test_an_account_near_its_limit_stops_sending(headers: tuple[Any, Any]) -> None:
    note_usage(CHANNEL, *headers)

    error = refused(Lane.MESSENGER)

    assert (error.error_class, error.scope) == (ErrorClass.THROTTLED, Scope.CHANNEL)
    require_turn(OTHER_CHANNEL, Lane.MESSENGER)


def test_meta_says_how_long_an_account_rests() -> None:
    note_usage(CHANNEL, None, used(100, estimated_time_to_regain_access=19))

    wait = refused(Lane.MESSENGER).retry_after

    assert wait is not None
    assert timedelta(minutes=18) < wait <= timedelta(minutes=19)


def test_reading_much_does_not_stop_sending() -> None:
    note_usage(CHANNEL, None, used(99, "pages"))

    require_turn(CHANNEL, Lane.MESSENGER)
    assert refused(Lane.OTHER).scope is Scope.MESSAGE


def test_an_account_goes_slower_before_it_stops() -> None:
    note_usage(CHANNEL, None, used(90))
    use_up(channel_id=CHANNEL)
    use_up(channel_id=OTHER_CHANNEL)

    slowed = refused(channel_id=CHANNEL).retry_after
    usual = refused(channel_id=OTHER_CHANNEL).retry_after

    assert slowed is not None
    assert usual is not None
    assert slowed > 1.5 * usual


def test_little_use_changes_nothing() -> None:
    note_usage(CHANNEL, {"call_count": 79}, used(79))

    assert use_up() == pace_of(SLOW).burst


@pytest.mark.parametrize(
    "header", [None, "", [1], {"1": "x"}, {"1": [{"type": None}]}, {"1": [7]}]
)
def test_usage_of_any_shape_breaks_nothing(header: Any) -> None:
    note_usage(CHANNEL, header, header)

    require_turn(CHANNEL, Lane.OTHER)


def test_recorded_headers_are_read() -> None:
    headers = {}
    for name in ("x-app-usage", "x-app-usage-instagram-host"):
        headers[name] = json.loads((SAMPLES / f"header-{name}.json").read_text())
    business = json.loads(
        (SAMPLES / "header-x-business-use-case-usage.json").read_text()
    )

    ours, _ = read_usage(headers["x-app-usage"]["x-app-usage"], None)
    theirs, _ = read_usage(headers["x-app-usage-instagram-host"]["x-app-usage"], None)
    pages, _ = read_usage(None, business["x-business-use-case-usage"])

    assert ours == {"send": 28, "other": 28}
    assert theirs == {"send": 0, "other": 0}
    assert pages == {"other": 97}


def test_without_redis_an_account_goes_on_at_a_safe_pace(
    settings: Any,
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    channel_id = next(_channels)

    taken = use_up(channel_id=channel_id)
    note_usage(channel_id, {"call_count": 99}, None)

    assert 1 <= taken <= pace_of(SLOW).burst / 5
    assert refused(channel_id=channel_id).retry_after


def test_a_lane_has_the_pace_that_the_installation_assumes(
    settings: Any,
) -> None:
    settings.META_ASSUMPTIONS = {"META_ASSUME_MESSENGER_SENDS_PER_SECOND": "40"}

    assert pace_of(Lane.MESSENGER).burst == 8
