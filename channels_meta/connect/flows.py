"""A walk through a login at Meta: out with a state, back with a code, on to what it offers.

The state is good for one return, within minutes, in the browser session that began it. Meta's
dialogs know no PKCE.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict
from django.urls import reverse
from django.utils.timezone import now

from channels_meta import tokens
from channels_meta.assumptions import assume
from channels_meta.connect.accounts import Connected, Login, connect_account
from channels_meta.connect.discovery import (
    Offer,
    find_accounts,
    find_accounts_of_page,
)
from channels_meta.connect.problems import problem_of
from channels_meta.errors import RECONNECT
from channels_meta.hosts import login_hosts
from channels_meta.models import LoginAttempt
from channels_meta.scopes import FACEBOOK, INSTAGRAM, scopes_of
from channels_meta.tokens import Grant
from inbox.channels import ErrorClass, SendError
from inbox.models import Agent, Channel

LOGIN_LASTS = timedelta(minutes=15)
# How long what a login offered may be chosen from.
CHOICE_LASTS = timedelta(hours=1)
# One page's worth of waiting, for somebody who connects many accounts at once.
CONNECTING_SECONDS = 25
SESSION_KEY = "meta_logins"
# Logins that one browser may have under way: tabs.
MAX_LOGINS = 5


class LoginRefused(Exception):
    """The return of a login that we do not go on with. problem: a key of PROBLEMS."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


# --- out -----------------------------------------------------------------------------------------


def begin_login(
    flavour: str,
    *,
    agent: Agent,
    session: SessionBase,
    channel: Channel | None = None,
    asks_again: bool = False,
) -> str:
    """Remember a new state and return the dialog's address for it.

    channel: to be reconnected in place. asks_again: for permissions that were declined.
    """
    attempt = LoginAttempt.objects.create(
        state=secrets.token_urlsafe(32), flavour=flavour, agent=agent, channel=channel
    )
    states = [*session.get(SESSION_KEY, []), attempt.state]
    session[SESSION_KEY] = states[-MAX_LOGINS:]
    return dialog_url(flavour, attempt.state, asks_again=asks_again)


def dialog_url(flavour: str, state: str, *, asks_again: bool) -> str:
    hosts = login_hosts()
    query = {
        "client_id": tokens.app_of(flavour).id,
        "redirect_uri": redirect_uri(flavour),
        "response_type": "code",
        "state": state,
    }
    scopes = ",".join(scope.name for scope in scopes_of(flavour))
    if flavour == INSTAGRAM:
        query["scope"] = scopes
        if asks_again:
            query["force_reauth"] = "true"
        return f"{hosts.instagram_dialog}/oauth/authorize?{urlencode(query)}"
    if settings.META_LOGIN_CONFIG_ID:
        query[assume("LOGIN_CONFIG_PARAMETER")] = settings.META_LOGIN_CONFIG_ID
        query["override_default_response_type"] = "true"
    else:
        query["scope"] = ",".join([scopes, *settings.META_EXTRA_SCOPES])
    if asks_again:
        query["auth_type"] = "rerequest"
    version = settings.META_GRAPH_VERSION
    return f"{hosts.facebook_dialog}/{version}/dialog/oauth?{urlencode(query)}"


def redirect_uri(flavour: str) -> str:
    """Where Meta sends people back to: has to be entered in the App Dashboard, letter by letter."""
    path = reverse("channels_meta:returned", args=[flavour])
    return f"{settings.PUBLIC_URL}{path}"


# --- back ----------------------------------------------------------------------------------------


def take_return(
    flavour: str, query: QueryDict, *, agent: Agent, session: SessionBase
) -> LoginAttempt:
    """The login that comes back: it never will again. What it offers is stored with it, or why
    it offers nothing. Raises LoginRefused for a state that is not this browser's to use."""
    attempt = _attempt_of(flavour, query.get("state", ""), agent, session)
    moment = now()
    unused = LoginAttempt.objects.filter(pk=attempt.pk, used_at=None)
    if not unused.update(used_at=moment):
        raise LoginRefused("state_used")
    attempt.used_at = moment
    if attempt.created_at < moment - LOGIN_LASTS:
        return _failed(attempt, "state_expired")
    if query.get("error") or query.get("error_code"):
        is_refusal = query.get("error") == "access_denied"
        code = query.get("error_code") or query.get("error", "")
        if is_refusal:
            return _failed(attempt, "cancelled")
        return _failed(attempt, "other", code)
    # Instagram appends this to what it sends back.
    code = query.get("code", "").removesuffix("#_")
    if not code:
        return _failed(attempt, "cancelled")
    return _exchange(attempt, code)


def _attempt_of(
    flavour: str, state: str, agent: Agent, session: SessionBase
) -> LoginAttempt:
    given = state.encode()
    ours = [
        known
        for known in session.get(SESSION_KEY, [])
        if hmac.compare_digest(known.encode(), given)
    ]
    attempt = LoginAttempt.objects.filter(
        state__in=ours, flavour=flavour, agent=agent
    ).first()
    if attempt is None:
        raise LoginRefused("state_unknown")
    return attempt


def _exchange(attempt: LoginAttempt, code: str) -> LoginAttempt:
    try:
        grant = tokens.exchange_code(
            attempt.flavour, code, redirect_uri(attempt.flavour)
        )
    except SendError as error:
        return _failed(attempt, _problem_of_exchange(error), error.code)
    return take_grant(attempt, grant)


def _problem_of_exchange(error: SendError) -> str:
    """Facebook answers 1 or 101 to a wrong secret or id; 100, Instagram 400, to a code that is
    used up or too old."""
    code = error.code.split("/")[0]
    if code in {"1", "101"}:
        return "app_credentials"
    if code in {"100", "400"} or error.error_class is ErrorClass.RECONNECT:
        return "code_used"
    return problem_of(error)


def take_grant(attempt: LoginAttempt, grant: Grant) -> LoginAttempt:
    """Store what the login offers, or why it offers nothing."""
    try:
        user_id, offers = find_accounts(attempt.flavour, grant)
    except SendError as error:
        return _failed(attempt, problem_of(error), error.code)
    return _offered(attempt, grant, user_id, offers)


def _offered(
    attempt: LoginAttempt, grant: Grant, user_id: str, offers: Sequence[Offer]
) -> LoginAttempt:
    """The token waits, encrypted, until somebody has chosen."""
    if not offers:
        return _failed(attempt, "no_pages")
    attempt.access_token = grant.token
    attempt.scopes = list(grant.scopes)
    attempt.token_expires_at = grant.expires_at
    attempt.user_id = user_id[:100]
    attempt.accounts = [offer.as_json() for offer in offers]
    attempt.save()
    return attempt


def _failed(attempt: LoginAttempt, problem: str, code: str = "") -> LoginAttempt:
    attempt.failure, attempt.error_code = problem, code[:40]
    attempt.access_token = ""
    attempt.save()
    return attempt


def take_token(flavour: str, token: str, *, agent: Agent) -> LoginAttempt:
    """A login without a login: a token that somebody made elsewhere and typed in."""
    attempt = LoginAttempt.objects.create(
        state=secrets.token_urlsafe(32), flavour=flavour, agent=agent, used_at=now()
    )
    if flavour == INSTAGRAM:
        return _told_by_hand(take_grant(attempt, Grant(token)))
    try:
        grant, is_page = _grant_of(token)
        if is_page:
            offers = find_accounts_of_page(grant)
            return _offered(attempt, grant, grant.user_id, offers)
    except SendError as error:
        return _told_by_hand(_failed(attempt, problem_of(error), error.code))
    return _told_by_hand(take_grant(attempt, grant))


def _grant_of(token: str) -> tuple[Grant, bool]:
    """What a token of Facebook is, and whether a Page's. Raises SendError.

    Without the app's id and secret nobody can ask; then it is taken for a Page's.
    """
    if not tokens.app_of(FACEBOOK).is_known:
        return Grant(token), True
    facts = tokens.inspect(token)
    if not facts.is_valid:
        raise SendError(ErrorClass.RECONNECT, RECONNECT, code=facts.error_code or "190")
    grant = Grant(
        token=token,
        user_id=facts.user_id,
        scopes=facts.scopes,
        expires_at=facts.expires_at,
        pages=facts.pages,
    )
    return grant, facts.kind == "PAGE"


def _told_by_hand(attempt: LoginAttempt) -> LoginAttempt:
    """Whoever typed a token in did not sign in: the words are others."""
    words = {"token_dead": "token_refused", "other": "token_refused"}
    if attempt.failure in words:
        attempt.failure = words[attempt.failure]
        attempt.save(update_fields=["failure"])
    return attempt


# --- choose --------------------------------------------------------------------------------------


def offers_of(attempt: LoginAttempt) -> list[Offer]:
    """What may be chosen, or why not; `connected` and `outcome` are this module's own marks."""
    marks = {"connected", "outcome", "outcome_code"}
    return [
        Offer(**{key: value for key, value in one.items() if key not in marks})
        for one in attempt.accounts
    ]


def may_choose(attempt: LoginAttempt) -> bool:
    is_recent = attempt.created_at > now() - CHOICE_LASTS
    return bool(attempt.access_token) and is_recent and not attempt.failure


def connect_chosen(
    attempt: LoginAttempt, keys: set[str], *, features: list[str]
) -> list[Connected]:
    """Connect what was chosen, one after the other; what became of each is kept with the login.

    Its token is forgotten once nothing is left to choose, or an hour later (upkeep). What there
    was no time for stays to be chosen.
    """
    login = Login(
        flavour=attempt.flavour,
        token=attempt.access_token,
        user_id=attempt.user_id,
        scopes=tuple(attempt.scopes),
        expires_at=attempt.token_expires_at,
    )
    end = time.monotonic() + CONNECTING_SECONDS
    outcomes = []
    for entry, offer in zip(attempt.accounts, offers_of(attempt), strict=True):
        if offer.key not in keys or offer.problem or time.monotonic() > end:
            continue
        outcome = connect_account(offer, login, features=features)
        entry["connected"] = outcome.channel.pk if outcome.channel else None
        entry["outcome"], entry["outcome_code"] = outcome.problem, outcome.error_code
        outcomes.append(outcome)
    if all(one.get("connected") for one in attempt.accounts if not one["problem"]):
        attempt.access_token = ""
    attempt.save(update_fields=["accounts", "access_token"])
    return outcomes
