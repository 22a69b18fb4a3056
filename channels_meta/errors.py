"""Meta's error codes as data: what each means for us, and the sentence people read.

Source: Meta's error tables of 2026-06-25, Graph API v26.0. Messages are translated by Meta and
say nothing stable: code and subcode decide, never text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from inbox.channels import ErrorClass

TRY_LATER = _("Meta had a problem. Dexra tries again by itself.")
THROTTLED = _("Meta asked this account to slow down. Replies go out a little later.")
WINDOW = _("The reply window is closed: the customer has to write first.")
UNAVAILABLE = _("This person cannot receive messages from you right now.")
RECONNECT = _("The connection to this account has ended. An admin has to reconnect it.")
PERMISSION = _(
    "This account lacks a permission for this. An admin can grant it at Meta."
)
REFUSED = _("Meta did not accept this message.")
ATTACHMENT = _("Meta could not use this file. Try a smaller one or another format.")
POLICY = _("Meta has restricted this account for now. Look into its Support Inbox.")
GONE = _("What this refers to no longer exists.")
UNCERTAIN = _("Meta did not say whether this was sent.")
OTHER_APP = _(
    "Another app holds this conversation at Meta. Take it over, then send again."
)


@dataclass(frozen=True, slots=True)
class ErrorRow:
    error_class: ErrorClass
    sentence: str | Promise


def _rows(
    error_class: ErrorClass, sentence: str | Promise, *codes: tuple[int, int | None]
) -> dict[tuple[int, int | None], ErrorRow]:
    return dict.fromkeys(codes, ErrorRow(error_class, sentence))


# (code, subcode) -> row; subcode None: no subcode, or one that has no row of its own.
ERRORS: dict[tuple[int, int | None], ErrorRow] = {
    **_rows(
        ErrorClass.TRANSIENT, TRY_LATER, (-1, None), (1, None), (2, None), (1200, None)
    ),
    **_rows(ErrorClass.UNCERTAIN, UNCERTAIN, (1, 1357046)),
    **_rows(
        ErrorClass.THROTTLED,
        THROTTLED,
        *((code, None) for code in (4, 9, 17, 32, 341, 613, *range(80000, 80015))),
    ),
    **_rows(
        ErrorClass.WINDOW_CLOSED, WINDOW, (10, 2018278), (10, 2018065), (10, 2534022)
    ),
    **_rows(
        ErrorClass.UNAVAILABLE,
        UNAVAILABLE,
        (10, 2018108),
        (10, 1893015),
        (100, 2018001),
        (100, 2534014),
        (100, 2534001),
        (200, 1545041),
        (551, None),
    ),
    **_rows(
        ErrorClass.RECONNECT,
        RECONNECT,
        (10, 2534077),
        (100, 2534013),
        (102, None),
        (190, None),
        (200, 2534041),
    ),
    **_rows(
        ErrorClass.PERMISSION,
        PERMISSION,
        (1, 99),
        (2, 2018344),
        (3, None),
        (10, None),
        *((code, None) for code in range(200, 300)),
        (36103, None),
    ),
    **_rows(
        ErrorClass.POLICY,
        POLICY,
        (10, 1893063),
        (10, 1404170),
        (100, 2534029),
        (368, None),
        (613, 2018338),
        (2022, None),
    ),
    **_rows(
        ErrorClass.BAD_REQUEST,
        ATTACHMENT,
        *((100, subcode) for subcode in (2018008, 2018047, 2018109, 2018294, 2018074)),
    ),
    **_rows(
        ErrorClass.POLICY, OTHER_APP, (100, 2534037), (2018300, None), (2018321, None)
    ),
    **_rows(
        ErrorClass.GONE,
        GONE,
        (100, 33),
        (100, 2534025),
        (9000001, None),
        (10900, None),
        (10903, None),
    ),
    **_rows(
        ErrorClass.BAD_REQUEST,
        REFUSED,
        (1, 2018382),
        (100, None),
        (506, None),
        (803, None),
        (2500, None),
        (10303, None),
        (1609005, None),
        (2108006, None),
    ),
}

UNKNOWN = ErrorRow(ErrorClass.BAD_REQUEST, REFUSED)


@dataclass(frozen=True, slots=True)
class MetaError:
    """An error of either of Meta's envelopes, with unknown parts empty."""

    code: int | None
    subcode: int | None
    is_transient: bool
    message: str
    trace_id: str

    @property
    def label(self) -> str:
        return "/".join(
            str(part) for part in (self.code, self.subcode) if part is not None
        )

    def row(self, http_status: int) -> ErrorRow:
        """By code and subcode, then by code; an answer without any code by its HTTP status."""
        if self.code is None:
            return _row_of_status(http_status)
        row = ERRORS.get((self.code, self.subcode)) or ERRORS.get((self.code, None))
        if row is None and self.is_transient:
            return ErrorRow(ErrorClass.TRANSIENT, TRY_LATER)
        return row or UNKNOWN


def _row_of_status(http_status: int) -> ErrorRow:
    if http_status == 429:
        return ErrorRow(ErrorClass.THROTTLED, THROTTLED)
    if http_status == 401:
        return ErrorRow(ErrorClass.RECONNECT, RECONNECT)
    if http_status >= 500:
        return ErrorRow(ErrorClass.UNCERTAIN, UNCERTAIN)
    return UNKNOWN


def parse_error(body: Any) -> MetaError | None:
    """Read `{"error": {...}}` or the flat `{"error_type", "code", "error_message"}`."""
    if not isinstance(body, Mapping):
        return None
    error = body.get("error")
    if isinstance(error, Mapping):
        return MetaError(
            code=_whole(error.get("code")),
            subcode=_whole(error.get("error_subcode")),
            is_transient=error.get("is_transient") is True,
            message=str(error.get("message", "")),
            trace_id=str(error.get("fbtrace_id", "")),
        )
    if "error_type" in body or "error_message" in body:
        message = str(body.get("error_message", ""))
        return MetaError(_whole(body.get("code")), None, False, message, "")
    return None


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def regain_access_after(usage: Any) -> timedelta | None:
    """The longest `estimated_time_to_regain_access` (minutes) of X-Business-Use-Case-Usage."""
    if not isinstance(usage, Mapping):
        return None
    minutes = [
        _whole(use.get("estimated_time_to_regain_access")) or 0
        for uses in usage.values()
        if isinstance(uses, list)
        for use in uses
        if isinstance(use, Mapping)
    ]
    longest = max(minutes, default=0)
    return timedelta(minutes=longest) if longest > 0 else None
