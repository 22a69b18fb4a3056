"""Meta's error table, row by row, written by hand from the contract (section 7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels_meta.errors import (
    ERRORS,
    ON_HUMAN_AGENT,
    ON_PRIVATE_REPLIES,
    RANGES,
    ErrorRow,
    in_context,
    parse_error,
    refusal_of,
)
from inbox.channels import ErrorClass, Scope, SendError

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Row:
    """One line of the contract: the letter of its class, and what it must say of itself.

    letter: R retry, T throttle, W window, U unavailable, A reconnect, P permission, B bad request,
    M policy, ? uncertain, G gone, H held, F a file to be given again.
    """

    code: int
    subcode: int | None
    letter: str
    scope: str = ""
    attempts: int = 0
    at_last: str = ""


CLASSES = {
    "R": ErrorClass.TRANSIENT,
    "T": ErrorClass.THROTTLED,
    "W": ErrorClass.WINDOW_CLOSED,
    "U": ErrorClass.UNAVAILABLE,
    "A": ErrorClass.RECONNECT,
    "P": ErrorClass.PERMISSION,
    "B": ErrorClass.BAD_REQUEST,
    "M": ErrorClass.POLICY,
    "?": ErrorClass.UNCERTAIN,
    "G": ErrorClass.GONE,
    "H": ErrorClass.HELD,
    "F": ErrorClass.STALE_FILE,
}
USUAL_SCOPE = {
    "T": "channel",
    "A": "channel",
    "P": "channel",
    "M": "channel",
    "W": "person",
    "U": "person",
    "H": "person",
}

TABLE = [
    Row(-1, None, "R", attempts=3, at_last="R"),
    Row(1, None, "R", attempts=3, at_last="R"),
    Row(1, 99, "P"),
    Row(1, 1357046, "?"),
    Row(1, 2018382, "B"),
    Row(2, None, "R", attempts=3, at_last="U"),
    Row(2, 1545133, "R", attempts=3, at_last="U"),
    Row(2, 2018344, "P"),
    Row(3, None, "P"),
    Row(4, None, "T"),
    Row(17, None, "T"),
    Row(341, None, "T"),
    Row(4, 2018022, "T"),
    Row(4, 2018354, "T"),
    Row(9, 2018352, "T"),
    Row(10, None, "P"),
    Row(10, 2018278, "W"),
    Row(10, 2018065, "W"),
    Row(10, 2534022, "W"),
    Row(10, 2018108, "U"),
    Row(10, 1893063, "M"),
    Row(10, 1893015, "U"),
    Row(10, 2534077, "A"),
    Row(10, 1404170, "M", scope="person"),
    Row(10, 2018336, "M", scope="message"),
    Row(32, None, "T"),
    Row(100, 33, "G"),
    Row(100, None, "B"),
    Row(100, 2018001, "U"),
    Row(100, 2534014, "U"),
    Row(100, 2018008, "R", attempts=2, at_last="B"),
    Row(100, 2018047, "B"),
    Row(100, 2018109, "B"),
    Row(100, 2018294, "R", attempts=2, at_last="B"),
    Row(100, 2018074, "F", attempts=2, at_last="B"),
    Row(100, 2018014, "B"),
    Row(100, 2018164, "B"),
    Row(100, 2018320, "B"),
    Row(100, 2018328, "B"),
    Row(100, 2534013, "A"),
    Row(100, 2534015, "B"),
    Row(100, 2534025, "G", scope="comment"),
    Row(100, 2534029, "M"),
    Row(100, 2534037, "H"),
    Row(100, 2534001, "U"),
    Row(102, None, "A"),
    Row(190, None, "A"),
    Row(190, 458, "A"),
    Row(190, 459, "A"),
    Row(190, 460, "A"),
    Row(190, 463, "A"),
    Row(190, 464, "A"),
    Row(190, 467, "A"),
    Row(190, 492, "A"),
    Row(190, 9999, "A"),
    Row(200, None, "P"),
    Row(210, None, "P"),
    Row(299, None, "P"),
    Row(200, 1545041, "U"),
    Row(551, None, "U"),
    Row(551, 1545041, "U"),
    Row(200, 2018021, "P"),
    Row(200, 2018027, "P"),
    Row(200, 2018028, "P"),
    Row(200, 2534041, "A"),
    Row(230, None, "P"),
    Row(368, None, "M"),
    Row(368, 1390008, "M"),
    Row(506, None, "B"),
    Row(1609005, None, "B"),
    Row(613, None, "T"),
    Row(613, 1996, "T"),
    Row(613, 2534040, "T"),
    Row(613, 2018338, "M"),
    Row(613, 1893016, "T"),
    Row(803, None, "B"),
    Row(2500, None, "B"),
    Row(1200, None, "R", attempts=2, at_last="R"),
    Row(1200, 2018024, "R", attempts=2, at_last="R"),
    Row(2022, None, "M"),
    Row(10303, None, "B"),
    Row(10900, None, "G", scope="comment"),
    Row(10903, None, "G", scope="comment"),
    Row(36103, None, "P"),
    *(Row(code, None, "T") for code in (80000, 80001, 80002, 80003, 80004, 80005,
                                        80006, 80008, 80009, 80014)),
    Row(1893047, None, "B"),
    Row(2300000, None, "B"),
    Row(2300999, None, "B"),
    Row(2018218, None, "U"),
    Row(2018247, None, "U"),
    Row(100, 2018218, "U"),
    Row(100, 2018247, "U"),
    Row(2018300, None, "H"),
    Row(2018321, None, "H"),
    Row(10, 2018300, "H"),
    Row(100, 2018321, "H"),
    Row(2108006, None, "B"),
    Row(100, 2108006, "B"),
    Row(9000001, None, "G"),
    # Nobody has told us of these.
    Row(7_654_321, None, "B"),
    Row(10, 7_654_321, "P"),
]  # fmt: skip


def envelope(code: int, subcode: int | None = None, **more: Any) -> dict[str, Any]:
    error = {"message": "Refusé : réessayez", "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    return {"error": error | more}


def refused(code: int, subcode: int | None = None, **more: Any) -> SendError:
    return refusal_of(envelope(code, subcode, **more), 400)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.code}/{row.subcode}")
def test_every_row_of_the_contract_means_what_it_says(row: Row) -> None:
    error = refused(row.code, row.subcode)

    assert error.error_class is CLASSES[row.letter]
    assert error.scope == (row.scope or USUAL_SCOPE.get(row.letter, "message"))
    assert error.attempts == row.attempts
    at_last = error.at_last and error.at_last.error_class
    assert at_last == (CLASSES[row.at_last] if row.at_last else None)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.code}/{row.subcode}")
def test_every_row_has_words_that_fit_where_they_are_shown(row: Row) -> None:
    error = refused(row.code, row.subcode)

    assert str(error.detail).endswith(".")
    assert len(error.explanation) <= 300
    assert error.code.startswith(str(row.code))


def test_the_table_of_the_code_holds_no_row_that_is_not_tested() -> None:
    tested = {(row.code, row.subcode) for row in TABLE}
    ranges = {*range(200, 300), *range(80000, 80015), 9, 400}

    untested = {
        key
        for key in ERRORS
        if key not in tested and key[0] not in ranges and key[0] is not None
    }

    assert untested == set()
    assert [codes for codes, _row in RANGES] == [range(2_300_000, 2_301_000)]


def test_every_death_of_a_token_has_its_own_sentence() -> None:
    deaths = [None, 458, 459, 460, 463, 464, 467, 492]

    sentences = {str(refused(190, subcode).detail) for subcode in deaths}

    assert len(sentences) == len(deaths)


def test_every_dead_connection_says_what_an_admin_can_do() -> None:
    dead = [row for row in ERRORS.values() if row.error_class is ErrorClass.RECONNECT]

    assert dead
    assert all("reconnect" in str(row.advice) for row in dead)


def test_what_two_codes_share_a_subcode_for_is_told_by_both() -> None:
    assert refused(200, 1545041).error_class is ErrorClass.UNAVAILABLE
    assert refused(10, 2018108).error_class is not ErrorClass.WINDOW_CLOSED


def test_metas_own_words_change_nothing() -> None:
    told = {
        "error_user_title": "Window closed",
        "error_user_msg": "This message is sent outside of the allowed window",
    }

    assert refused(100, None, **told).error_class is ErrorClass.BAD_REQUEST


@pytest.mark.parametrize("code", [-1, 1])
def test_trouble_that_will_not_pass_is_tried_once(code: int) -> None:
    assert refused(code, is_transient=False).attempts == 1


def test_an_unknown_code_that_will_pass_is_tried_again() -> None:
    error = refused(7_654_321, is_transient=True)

    assert (error.error_class, error.attempts) == (ErrorClass.TRANSIENT, 3)


def test_codes_may_be_written_as_text() -> None:
    error = refusal_of({"error": {"code": "190", "error_subcode": "463"}}, 401)

    assert (error.error_class, error.code) == (ErrorClass.RECONNECT, "190/463")


def test_the_second_envelope_is_read() -> None:
    body = {"error_type": "OAuthException", "code": 400, "error_message": "Invalid"}

    error = refusal_of(body, 400)

    assert (error.error_class, error.code) == (ErrorClass.BAD_REQUEST, "400")


@pytest.mark.parametrize(
    ("http", "meaning", "scope"),
    [
        (500, ErrorClass.UNCERTAIN, Scope.CHANNEL),
        (504, ErrorClass.UNCERTAIN, Scope.CHANNEL),
        (429, ErrorClass.THROTTLED, Scope.CHANNEL),
        (401, ErrorClass.RECONNECT, Scope.CHANNEL),
        (302, ErrorClass.BAD_REQUEST, Scope.MESSAGE),
        (404, ErrorClass.BAD_REQUEST, Scope.MESSAGE),
    ],
)
@pytest.mark.parametrize("body", [None, "<html>", {}, [], {"error": "no"}])
def test_an_answer_without_an_envelope_is_read_by_its_status(
    body: Any, http: int, meaning: ErrorClass, scope: Scope
) -> None:
    error = refusal_of(body, http)

    assert (error.error_class, error.scope) == (meaning, scope)


@pytest.mark.parametrize("http", [429, 500])
def test_an_unknown_code_is_read_by_its_status_too(http: int) -> None:
    error = refusal_of(envelope(7_654_321), http)

    assert error.error_class in {ErrorClass.THROTTLED, ErrorClass.UNCERTAIN}


def test_a_call_that_may_be_repeated_is_never_uncertain() -> None:
    lost = refusal_of(None, 502, is_repeatable=True)
    said = refusal_of(envelope(1, 1357046), 500, is_repeatable=True)

    assert lost.error_class is ErrorClass.NOT_TAKEN
    assert said.error_class is ErrorClass.TRANSIENT


def test_a_throttle_says_how_long_to_wait() -> None:
    usage = {"1": [{"estimated_time_to_regain_access": 19}, {"type": "pages"}]}

    assert refusal_of(envelope(80006), 400, usage).retry_after == timedelta(minutes=19)
    assert refused(4).retry_after == timedelta(minutes=1)
    gap = refused(4, 2018354, error_data={"remaining_seconds": 90})
    assert gap.retry_after == timedelta(seconds=90)


def test_spam_makes_automations_rest() -> None:
    assert refused(368, 1390008).retry_after == timedelta(hours=4)


@pytest.mark.parametrize("key", sorted(ON_PRIVATE_REPLIES, key=str))
def test_a_private_answer_that_is_refused_ends_with_its_comment(
    key: tuple[int, int | None],
) -> None:
    error = in_context(refused(*key), ON_PRIVATE_REPLIES)

    assert (error.error_class, error.scope) == (ErrorClass.GONE, Scope.COMMENT)


@pytest.mark.parametrize("code", [10, 100])
def test_an_unapproved_human_agent_feature_is_a_lack_of_permission(code: int) -> None:
    error = in_context(refused(code), ON_HUMAN_AGENT)

    assert error.error_class is ErrorClass.PERMISSION
    assert "Human Agent" in str(error.detail)


def test_a_context_leaves_other_errors_alone() -> None:
    error = refused(551)

    assert in_context(error, ON_HUMAN_AGENT) is error


@pytest.mark.parametrize(
    "path", sorted(SAMPLES.glob("error-*.json")), ids=lambda path: path.stem
)
def test_every_recorded_error_is_read(path: Path) -> None:
    body = json.loads(path.read_text())

    error = parse_error(body)

    assert error is not None
    assert error.code is not None
    assert str(refusal_of(body, 400).detail)


@pytest.mark.parametrize("row", ERRORS.values(), ids=lambda row: row.error_class)
def test_no_row_promises_a_retry_that_its_class_does_not_make(row: ErrorRow) -> None:
    retried = {ErrorClass.TRANSIENT, ErrorClass.STALE_FILE}

    assert bool(row.attempts) == (row.error_class in retried)
    assert bool(row.at_last) == bool(row.attempts)
