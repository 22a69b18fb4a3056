"""Meta's error codes as data: what each means for us, and the sentences people read.

Source: Meta's error tables of 2026-06-25, Graph API v26.0 (contract 7). Messages are translated
by Meta and say nothing stable: code and subcode decide, never text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from inbox.channels import ErrorClass, Scope, SendError

# A sentence says what happened.
TRY_LATER = _("Meta had a problem. Dexra tries again by itself.")
THROTTLED = _("Meta asked this account to slow down. Replies go out a little later.")
WINDOW = _("The reply window is closed: the customer has to write first.")
UNAVAILABLE = _("This person cannot receive messages from you right now.")
RECONNECT = _("The connection to this account has ended. An admin has to reconnect it.")
PERMISSION = _("This account lacks a permission for this.")
REFUSED = _("Meta did not accept this message.")
ATTACHMENT = _("Meta could not use this file.")
POLICY = _("Meta has restricted this account for now.")
GONE = _("What this refers to no longer exists.")
UNCERTAIN = _("Meta did not say whether this was sent.")
OTHER_APP = _("Another app answers in this conversation at Meta.")
COMMENT_USED = _(
    "This comment was already answered in private, or is too old or deleted."
)

# Advice says what the reader can do.
ASK_ADMIN = _("An admin can reconnect the account: nothing that waits is lost.")
GRANT = _("An admin can grant it at Meta, then reconnect the account.")
OTHER_FILE = _("Try a smaller one or another format.")
LOOK_AT_SUPPORT_INBOX = _(
    "An admin finds the reason in the account's Support Inbox at Meta."
)
TAKE_OVER = _("Take the conversation over, then it is sent.")
TRY_AGAIN = _("Try again in a while.")
TELL_US = _("If it happens again, an admin should report the code.")
CHANGE_IT = _("Change it and send it again.")
WAIT_FOR_CUSTOMER = _("You can write again once the customer has.")
LOOK_AT_THREAD = _("Look into the conversation at Meta before you send it again.")


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """What one code means.

    scope: what it is about; None: as the class says. attempts: how often a send is tried in
    all; 0: as the class says. at_last: what it means once they are used up. rest: how long the
    channel waits (THROTTLED) or automations do (POLICY).
    """

    error_class: ErrorClass
    sentence: str | Promise
    advice: str | Promise = ""
    scope: Scope | None = None
    attempts: int = 0
    at_last: ErrorRow | None = None
    rest: timedelta | None = None
    holder: str | Promise = ""

    def as_error(self, code: str, *, retry_after: timedelta | None = None) -> SendError:
        return SendError(
            self.error_class,
            self.sentence,
            code=code,
            retry_after=retry_after or self.rest,
            advice=self.advice,
            scope=self.scope,
            attempts=self.attempts,
            at_last=self.at_last.as_error(code) if self.at_last else None,
            holder=self.holder,
        )


# (code, subcode). None as subcode: no subcode, or one without a row; None as code: a subcode that
# means the same whatever code it comes with.
Key = tuple[int | None, int | None]

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

# --- the rows, class by class --------------------------------------------------------------------

_BLOCKED_OR_BROKEN = ErrorRow(
    ErrorClass.UNAVAILABLE,
    _(
        "Meta refused this several times: this person cannot be reached, or has blocked you."
    ),
    WAIT_FOR_CUSTOMER,
)
_UNKNOWN_TROUBLE = ErrorRow(
    ErrorClass.TRANSIENT,
    TRY_LATER,
    attempts=3,
    at_last=ErrorRow(
        ErrorClass.TRANSIENT, _("Meta had a problem, several times."), TRY_AGAIN
    ),
)

# Meta's side, for a moment.
_TROUBLES: dict[Key, ErrorRow] = {
    (-1, None): _UNKNOWN_TROUBLE,
    (1, None): _UNKNOWN_TROUBLE,
    (2, None): ErrorRow(
        ErrorClass.TRANSIENT, TRY_LATER, attempts=3, at_last=_BLOCKED_OR_BROKEN
    ),
    (2, 1545133): ErrorRow(
        ErrorClass.TRANSIENT, TRY_LATER, attempts=3, at_last=_BLOCKED_OR_BROKEN
    ),
    (1, 1357046): ErrorRow(ErrorClass.UNCERTAIN, UNCERTAIN, LOOK_AT_THREAD),
    (1200, None): replace(_UNKNOWN_TROUBLE, attempts=2),
    (1200, 2018024): replace(_UNKNOWN_TROUBLE, attempts=2),
}

_SLOW = ErrorRow(ErrorClass.THROTTLED, THROTTLED, rest=MINUTE)
_THROTTLES: dict[Key, ErrorRow] = {
    **dict.fromkeys(((code, None) for code in (4, 9, 17, 32, 341, 613)), _SLOW),
    **dict.fromkeys(
        (
            (4, 2018022),
            (4, 2018354),
            (9, 2018352),
            (613, 1996),
            (613, 2534040),
            (613, 1893016),
        ),
        _SLOW,
    ),
    # Pages, Instagram, Messenger and their neighbours: limits by business use case.
    **dict.fromkeys(((code, None) for code in range(80000, 80015)), _SLOW),
}

_WINDOW = ErrorRow(ErrorClass.WINDOW_CLOSED, WINDOW, WAIT_FOR_CUSTOMER)
_WINDOWS: dict[Key, ErrorRow] = dict.fromkeys(
    ((10, 2018278), (10, 2018065), (10, 2534022)), _WINDOW
)

_PERSON = ErrorRow(ErrorClass.UNAVAILABLE, UNAVAILABLE, WAIT_FOR_CUSTOMER)
_NO_SUCH_PERSON = ErrorRow(
    ErrorClass.UNAVAILABLE,
    _("Meta does not know this person for this account: the profile may be deleted."),
)
_NO_PROFILE = ErrorRow(
    ErrorClass.UNAVAILABLE, _("Meta does not show this person's profile.")
)
_PEOPLE: dict[Key, ErrorRow] = {
    (10, 2018108): _PERSON,
    (10, 1893015): ErrorRow(
        ErrorClass.UNAVAILABLE,
        _("This person has stopped these notifications."),
        WAIT_FOR_CUSTOMER,
    ),
    (200, 1545041): _PERSON,
    (551, None): _PERSON,
    (551, 1545041): _PERSON,
    (100, 2018001): _NO_SUCH_PERSON,
    (100, 2534014): _NO_SUCH_PERSON,
    (100, 2534001): ErrorRow(
        ErrorClass.UNAVAILABLE,
        _("This conversation was archived or deleted at Instagram."),
        WAIT_FOR_CUSTOMER,
    ),
    **dict.fromkeys(
        (
            (2018218, None),
            (2018247, None),
            (None, 2018218),
            (None, 2018247),
        ),
        _NO_PROFILE,
    ),
}


def _ended(sentence: str | Promise, advice: str | Promise = ASK_ADMIN) -> ErrorRow:
    return ErrorRow(ErrorClass.RECONNECT, sentence, advice)


_CONNECTIONS: dict[Key, ErrorRow] = {
    (102, None): _ended(_("The session of this connection has ended.")),
    (190, None): _ended(_("The connection to this account has ended.")),
    (190, 458): _ended(
        _("Dexra was removed from the apps that may act for this account.")
    ),
    (190, 459): _ended(
        _("Meta wants the person who connected this account to log in there first."),
        _(
            "That person logs in at facebook.com or instagram.com, then an admin reconnects."
        ),
    ),
    (190, 460): _ended(_("The password of who connected this account was changed.")),
    (190, 463): _ended(_("The connection to this account has expired.")),
    (190, 464): _ended(
        _("The person who connected this account is not confirmed at Meta."),
        _("That person confirms their account there, then an admin reconnects."),
    ),
    (190, 467): _ended(
        _("Who connected this account has logged out everywhere, or Meta ended it.")
    ),
    (190, 492): _ended(
        _("Who connected this account has lost their role on the Page."),
        _("Someone with a role on the Page has to reconnect it."),
    ),
    (10, 2534077): _ended(
        _("The link between the Instagram account and its Page is broken."),
        _(
            "Link them again at Meta, and set up two-factor login there if it asks for that;"
            " then an admin reconnects."
        ),
    ),
    (100, 2534013): _ended(
        _("This Page is not linked to an Instagram account."),
        _("Link them in the Page's settings at Meta, then an admin reconnects."),
    ),
    (200, 2534041): _ended(
        _("The owner of this Instagram account has switched off access to messages."),
        _(
            "In the Instagram app: Settings, Messages, Connected tools, Allow access to messages;"
            " then an admin reconnects."
        ),
    ),
}

_RIGHT = ErrorRow(ErrorClass.PERMISSION, PERMISSION, GRANT)
_PERMISSIONS: dict[Key, ErrorRow] = {
    (1, 99): _RIGHT,
    (2, 2018344): ErrorRow(
        ErrorClass.PERMISSION,
        _("The Page has to accept Meta's terms first."),
        _("An admin of the Page accepts them at Meta."),
    ),
    (3, None): ErrorRow(
        ErrorClass.PERMISSION, _("The app lacks a capability for this at Meta."), GRANT
    ),
    (10, None): _RIGHT,
    **dict.fromkeys(((code, None) for code in range(200, 300)), _RIGHT),
    **dict.fromkeys(((200, 2018021), (200, 2018027), (200, 2018028)), _RIGHT),
    (36103, None): ErrorRow(
        ErrorClass.PERMISSION,
        _("Meta does not let this Instagram account use messages by API."),
        _("It has to be a professional account in good standing."),
    ),
}

_RESTRICTED = ErrorRow(ErrorClass.POLICY, POLICY, LOOK_AT_SUPPORT_INBOX)
_POLICIES: dict[Key, ErrorRow] = {
    (10, 1893063): _RESTRICTED,
    (100, 2534029): _RESTRICTED,
    (368, None): ErrorRow(
        ErrorClass.POLICY,
        _("Meta took what this account sends for spam and stops it for a while."),
        _("Automations rest for some hours. Write less and slower until then."),
        rest=4 * HOUR,
    ),
    (613, 2018338): ErrorRow(
        ErrorClass.POLICY,
        _("Meta warns of how this account behaves."),
        LOOK_AT_SUPPORT_INBOX,
        rest=4 * HOUR,
    ),
    (10, 1404170): ErrorRow(
        ErrorClass.POLICY,
        _("Meta restricts such requests to this person."),
        scope=Scope.PERSON,
    ),
    (10, 2018336): ErrorRow(
        ErrorClass.POLICY,
        _("Meta warns that this changes the menu of other apps."),
        scope=Scope.MESSAGE,
    ),
    (2022, None): ErrorRow(
        ErrorClass.POLICY,
        _("Messages about trade are switched off for this account at Meta."),
        LOOK_AT_SUPPORT_INBOX,
    ),
}

_FILE = ErrorRow(ErrorClass.BAD_REQUEST, ATTACHMENT, OTHER_FILE)


def _fetched_once_more(sentence: str | Promise) -> ErrorRow:
    return ErrorRow(
        ErrorClass.TRANSIENT,
        TRY_LATER,
        attempts=2,
        at_last=ErrorRow(ErrorClass.BAD_REQUEST, sentence, OTHER_FILE),
    )


_FILES: dict[Key, ErrorRow] = {
    (100, 2018008): _fetched_once_more(_("Meta could not fetch this file.")),
    (100, 2018294): _fetched_once_more(_("Meta needed too long for this video.")),
    (100, 2018047): ErrorRow(
        ErrorClass.BAD_REQUEST,
        _("Meta does not take a file of this type here."),
        OTHER_FILE,
    ),
    (100, 2018109): ErrorRow(
        ErrorClass.BAD_REQUEST, _("This file is too big for Meta."), OTHER_FILE
    ),
    # Uploads are forgotten after 90 days.
    (100, 2018074): ErrorRow(
        ErrorClass.STALE_FILE, TRY_LATER, attempts=2, at_last=_FILE
    ),
}

_HOLDERS: dict[Key, ErrorRow] = {
    **dict.fromkeys(
        ((100, 2534037), (2018300, None), (None, 2018300)),
        ErrorRow(ErrorClass.HELD, OTHER_APP, TAKE_OVER),
    ),
    **dict.fromkeys(
        ((2018321, None), (None, 2018321)),
        ErrorRow(
            ErrorClass.HELD,
            _("An automatic flow of Meta's answers in this conversation."),
            TAKE_OVER,
            holder=_("automatic answers of Meta's"),
        ),
    ),
}

_MISSING = ErrorRow(ErrorClass.GONE, GONE)
_COMMENT_USED = ErrorRow(ErrorClass.GONE, COMMENT_USED, scope=Scope.COMMENT)
_GONE: dict[Key, ErrorRow] = {
    (100, 33): _MISSING,
    # Also what Meta says of all but the newest 20 messages of a conversation.
    (9000001, None): _MISSING,
    **dict.fromkeys(
        ((10900, None), (None, 10900), (100, 2534025), (None, 2534025)), _COMMENT_USED
    ),
    **dict.fromkeys(
        ((10903, None), (None, 10903)),
        ErrorRow(
            ErrorClass.GONE,
            _("This person cannot be answered in private."),
            _("You can still answer the comment in public."),
            scope=Scope.COMMENT,
        ),
    ),
}

_BAD = ErrorRow(ErrorClass.BAD_REQUEST, REFUSED, TELL_US)
_BAD_PARAMETER = ErrorRow(ErrorClass.BAD_REQUEST, REFUSED, CHANGE_IT)
_MARKETING = ErrorRow(
    ErrorClass.BAD_REQUEST,
    _("This belongs to Meta's marketing messages, which Dexra does not send."),
)
_OLD_MEDIA = ErrorRow(
    ErrorClass.BAD_REQUEST,
    _("This post is from before the account became a professional one."),
)
_DUPLICATE = ErrorRow(
    ErrorClass.BAD_REQUEST, _("Meta takes this for a duplicate."), CHANGE_IT
)
_REQUESTS: dict[Key, ErrorRow] = {
    (100, None): _BAD_PARAMETER,
    (100, 2534015): _BAD_PARAMETER,
    **dict.fromkeys(
        (
            (1, 2018382),
            (100, 2018014),
            (100, 2018164),
            (100, 2018320),
            (100, 2018328),
            (803, None),
            (2500, None),
            (10303, None),
        ),
        _BAD,
    ),
    (506, None): _DUPLICATE,
    (1609005, None): ErrorRow(
        ErrorClass.BAD_REQUEST, _("Meta could not read the linked page."), CHANGE_IT
    ),
    **dict.fromkeys(((2108006, None), (None, 2108006)), _OLD_MEDIA),
    (1893047, None): _MARKETING,
    # A login's code that is wrong, used or older than an hour (the second envelope's code).
    (400, None): ErrorRow(
        ErrorClass.BAD_REQUEST,
        _("Meta did not accept this login."),
        _("Start it again."),
    ),
}

ERRORS: dict[Key, ErrorRow] = {
    **_TROUBLES,
    **_THROTTLES,
    **_WINDOWS,
    **_PEOPLE,
    **_CONNECTIONS,
    **_PERMISSIONS,
    **_POLICIES,
    **_FILES,
    **_HOLDERS,
    **_GONE,
    **_REQUESTS,
}
# Whole ranges of codes that share a row and have no end of their own.
RANGES: tuple[tuple[range, ErrorRow], ...] = (
    (range(2_300_000, 2_301_000), _MARKETING),
)

UNKNOWN = ErrorRow(ErrorClass.BAD_REQUEST, REFUSED, TELL_US)
# In an outage graph.instagram.com calls what it took yesterday an "unsupported request": 100 in its
# own envelope without a subcode, while what is wrong with a message has one.
UNSUPPORTED_FOR_NOW = ErrorRow(
    ErrorClass.TRANSIENT,
    TRY_LATER,
    scope=Scope.CHANNEL,
    attempts=5,
    at_last=_BAD_PARAMETER,
)
META_DOWN = ErrorRow(ErrorClass.NOT_TAKEN, TRY_LATER, scope=Scope.CHANNEL)
MAY_BE_SENT = ErrorRow(
    ErrorClass.UNCERTAIN, UNCERTAIN, LOOK_AT_THREAD, scope=Scope.CHANNEL
)

# --- what a call was for changes what a code means -----------------------------------------------

# A private answer to a comment: one report reads 2534013 as a refusal of this one comment, and a
# Page that has lost its Instagram account shows in every other call too.
ON_PRIVATE_REPLIES: dict[Key, ErrorRow] = {
    (100, 2534013): _COMMENT_USED,
    (100, 33): _COMMENT_USED,
    (100, 2018001): _COMMENT_USED,
    (100, 2534014): _COMMENT_USED,
}
# What the Human Agent tag meets where Meta has not approved the feature.
_NO_HUMAN_AGENT = ErrorRow(
    ErrorClass.PERMISSION,
    _("Meta did not take this as a Human Agent reply: the feature is not approved."),
    _("An admin asks Meta for the Human Agent feature, or switches it off here."),
)
ON_HUMAN_AGENT: dict[Key, ErrorRow] = {
    (10, None): _NO_HUMAN_AGENT,
    (100, None): _NO_HUMAN_AGENT,
}


def in_context(error: SendError, rows: Mapping[Key, ErrorRow]) -> SendError:
    """The same refusal, read for what the call was for."""
    row = rows.get(_key_of(error.code))
    return row.as_error(error.code, retry_after=error.retry_after) if row else error


def _key_of(label: str) -> Key:
    code, _slash, subcode = label.partition("/")
    return whole(code), whole(subcode)


# --- reading an answer ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MetaError:
    """An error of either of Meta's envelopes, with unknown parts empty."""

    code: int | None
    subcode: int | None
    is_transient: bool | None
    type: str
    trace_id: str
    remaining_seconds: int | None = None

    @property
    def label(self) -> str:
        return "/".join(
            str(part) for part in (self.code, self.subcode) if part is not None
        )

    def row(self, http_status: int) -> ErrorRow:
        """By code and subcode, by subcode, by code; without a code by the HTTP status."""
        if self.code is None:
            return _row_of_status(http_status)
        row = next((ERRORS[key] for key in self._keys() if key in ERRORS), None)
        row = row or next((r for codes, r in RANGES if self.code in codes), None)
        if row is None:
            return self._row_of_unknown(http_status)
        if row is _UNKNOWN_TROUBLE and self.is_transient is False:
            return replace(row, attempts=1)
        return row

    def _keys(self) -> Iterator[Key]:
        if self.subcode is not None:
            yield self.code, self.subcode
            yield None, self.subcode
        yield self.code, None

    def _row_of_unknown(self, http_status: int) -> ErrorRow:
        if self.is_transient:
            return _UNKNOWN_TROUBLE
        if http_status == 429 or http_status >= 500:
            return _row_of_status(http_status)
        return UNKNOWN


def _row_of_status(http_status: int) -> ErrorRow:
    if http_status == 429:
        return _SLOW
    if http_status == 401:
        return ERRORS[190, None]
    if http_status >= 500:
        return MAY_BE_SENT
    return UNKNOWN


def parse_error(body: Any) -> MetaError | None:
    """Read `{"error": {...}}` or the flat `{"error_type", "code", "error_message"}`."""
    if not isinstance(body, Mapping):
        return None
    error = body.get("error")
    if isinstance(error, Mapping):
        transient = error.get("is_transient")
        data = error.get("error_data")
        return MetaError(
            code=whole(error.get("code")),
            subcode=whole(error.get("error_subcode")),
            is_transient=transient if isinstance(transient, bool) else None,
            type=str(error.get("type", "")),
            trace_id=str(error.get("fbtrace_id", "")),
            remaining_seconds=whole(data.get("remaining_seconds"))
            if isinstance(data, Mapping)
            else None,
        )
    if "error_type" in body or "error_message" in body:
        kind = str(body.get("error_type", ""))
        return MetaError(whole(body.get("code")), None, None, kind, "")
    return None


def refusal_of(
    body: Any,
    http_status: int,
    business_usage: Any = None,
    *,
    is_repeatable: bool = False,
    is_send: bool = False,
) -> SendError:
    """What an answer that is no success means.

    business_usage: the X-Business-Use-Case-Usage header. is_repeatable: the call may simply be
    made again where nobody knows whether it was done. is_send: it was a message.
    """
    error = parse_error(body) or MetaError(None, None, None, "", "")
    row = error.row(http_status)
    if is_send and error.label == "100" and error.type == "IGApiException":
        row = UNSUPPORTED_FOR_NOW
    retry_after = None
    if row.error_class is ErrorClass.THROTTLED:
        asked = error.remaining_seconds
        retry_after = regain_access_after(business_usage) or (
            timedelta(seconds=asked) if asked and asked > 0 else None
        )
    if row.error_class is ErrorClass.UNCERTAIN and is_repeatable:
        row = META_DOWN if row is MAY_BE_SENT else _UNKNOWN_TROUBLE
    return row.as_error(error.label or f"http_{http_status}", retry_after=retry_after)


def whole(value: Any) -> int | None:
    """A code as Meta writes it, number or text."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def regain_access_after(business_usage: Any) -> timedelta | None:
    """The longest `estimated_time_to_regain_access` (minutes) of X-Business-Use-Case-Usage."""
    minutes = [
        whole(use.get("estimated_time_to_regain_access")) or 0
        for use in uses_of(business_usage)
    ]
    longest = max(minutes, default=0)
    return timedelta(minutes=longest) if longest > 0 else None


def uses_of(business_usage: Any) -> Iterator[Mapping[str, Any]]:
    """The entries of X-Business-Use-Case-Usage, whatever they are about."""
    if not isinstance(business_usage, Mapping):
        return
    for uses in business_usage.values():
        if isinstance(uses, list):
            yield from (use for use in uses if isinstance(use, Mapping))
