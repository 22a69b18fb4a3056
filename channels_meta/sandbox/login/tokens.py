"""Tokens and codes as the pretend Meta makes, knows and kills them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils.timezone import now

from channels_meta.sandbox import clock
from channels_meta.sandbox.models import SandboxAccount, SandboxToken, digest_of

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CODE_LASTS = HOUR
SHORT_LASTS = timedelta(hours=1)
# 60 days less the moments the exchange took, as Meta answers.
LONG_LASTS = timedelta(seconds=5183944)
# An Instagram token may be refreshed from this age on.
REFRESH_AFTER = DAY

# The subcodes of 190, and what each tells a person (Graph API, handling errors).
SUBCODES = {
    458: "The user has not authorized application",
    459: "The session has been invalidated because the user must log in at www.facebook.com",
    460: "The session has been invalidated because the user changed their password",
    463: "Session has expired",
    464: "Sessions for the user are not allowed because the user is not a confirmed user",
    467: "The access token is invalid since the user has logged out",
    492: "The session is invalid because the user no longer has a role on this Page",
}

Kind = SandboxToken.Kind


@dataclass(frozen=True, slots=True)
class App:
    """The app that Dexra is to one of the two logins."""

    id: str
    secrets: tuple[str, ...]


# The app that Messenger names in echoes where no real one is configured.
PRETEND_APP_ID = "1055599001"


def facebook_app() -> App:
    return App(settings.META_APP_ID or PRETEND_APP_ID, tuple(settings.META_APP_SECRET))


def instagram_app() -> App:
    app_id = settings.META_INSTAGRAM_APP_ID or settings.META_APP_ID or PRETEND_APP_ID
    own = settings.META_INSTAGRAM_APP_SECRET or settings.META_APP_SECRET
    return App(app_id, tuple(own))


def issue(
    kind: str,
    *,
    account: SandboxAccount | None = None,
    case: str = "",
    user_id: str = "",
    scopes: Iterable[str] = (),
    lasts: timedelta | None = None,
    redirect_uri: str = "",
) -> str:
    """A new secret; its digest alone is kept."""
    secret = f"sandbox-{kind}-{secrets.token_urlsafe(32)}"
    remember(
        secret,
        kind,
        account=account,
        case=case,
        user_id=user_id,
        scopes=scopes,
        lasts=lasts,
        redirect_uri=redirect_uri,
    )
    return secret


def remember(
    secret: str,
    kind: str,
    *,
    account: SandboxAccount | None = None,
    case: str = "",
    user_id: str = "",
    scopes: Iterable[str] = (),
    lasts: timedelta | None = None,
    redirect_uri: str = "",
) -> SandboxToken:
    return SandboxToken.objects.create(
        digest=digest_of(secret),
        kind=kind,
        account=account,
        case=case,
        user_id=user_id,
        scopes=list(scopes),
        lasts=int(lasts.total_seconds()) if lasts else None,
        redirect_uri=redirect_uri,
        issued_at=now(),
    )


def find(secret: str, *kinds: str) -> SandboxToken | None:
    tokens = SandboxToken.objects.select_related("account__page")
    return tokens.filter(digest=digest_of(secret), kind__in=kinds).first()


def why_dead(token: SandboxToken) -> int | None:
    """The subcode of 190 by which it is refused; None while it is good."""
    if token.killed_by:
        return token.killed_by
    if token.lasts is None:
        return None
    is_over = clock.is_over(token.issued_at, timedelta(seconds=token.lasts))
    return 463 if is_over else None


def seconds_left(token: SandboxToken) -> int:
    """Of our own time, for a token that ends by time."""
    left = timedelta(seconds=token.lasts or 0) - clock.age_of(token.issued_at)
    return max(0, int(clock.span_of(left).total_seconds()))


def kill(account: SandboxAccount, subcode: int = 463) -> None:
    """Every token that speaks for this account dies by this subcode of 190."""
    ids = [token.pk for token in _speaking_for(account)]
    SandboxToken.objects.filter(pk__in=ids).update(killed_by=subcode)


def is_alive(account: SandboxAccount) -> bool:
    """Whether any token still speaks for this account."""
    return any(why_dead(token) is None for token in _speaking_for(account))


def _speaking_for(account: SandboxAccount) -> list[SandboxToken]:
    """Its own; an Instagram account that has none is spoken for by its Page's."""
    owners = [account.pk, account.page_id] if account.page_id else [account.pk]
    tokens = SandboxToken.objects.filter(account__in=owners)
    found = list(tokens.exclude(kind=Kind.CODE))
    return [token for token in found if token.account_id == account.pk] or found


def ends_at(seconds: int) -> int:
    """Unix seconds of a moment so far ahead."""
    return int(now().timestamp()) + seconds
