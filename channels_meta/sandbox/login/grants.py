"""What somebody who signed in gets: Pages, tokens for them, and what a token says of itself."""

from __future__ import annotations

from typing import Any

from channels_meta.sandbox.login import tokens
from channels_meta.sandbox.login.cases import BY_NAME, CASES, FACEBOOK_SCOPES, Case
from channels_meta.sandbox.models import SandboxAccount, SandboxToken

# The three months after which a user's data is not to be had without them coming back.
DATA_ACCESS_SECONDS = 90 * 24 * 3600


def case_of(token: SandboxToken) -> Case:
    return BY_NAME.get(token.case, CASES[0])


def pages_of(case: Case) -> list[tuple[SandboxAccount, tuple[str, ...]]]:
    """The Pages on which they have a role, with their tasks."""
    ids = [page_id for page_id, _tasks in case.pages]
    found = SandboxAccount.objects.filter(kind="messenger", external_id__in=ids)
    rows = {row.external_id: row for row in found}
    return [(rows[page_id], tasks) for page_id, tasks in case.pages if page_id in rows]


def page_token(token: SandboxToken, page: SandboxAccount) -> str:
    """A token for a Page; it does not end by time."""
    return tokens.issue(
        SandboxToken.Kind.PAGE,
        account=page,
        case=token.case,
        user_id=token.user_id,
        scopes=token.scopes,
    )


def granted(case: Case, scopes: tuple[str, ...] = FACEBOOK_SCOPES) -> list[str]:
    return [scope for scope in scopes if scope not in case.declined]


def facts_of(token: SandboxToken) -> dict[str, Any]:
    """The `data` of debug_token. `expires_at` 0: never."""
    subcode = tokens.why_dead(token)
    issued_at = int(token.issued_at.timestamp())
    left = tokens.seconds_left(token)
    facts: dict[str, Any] = {
        "app_id": tokens.facebook_app().id,
        "type": "PAGE" if token.kind == SandboxToken.Kind.PAGE else "USER",
        "application": "Dexra",
        "is_valid": subcode is None,
        "issued_at": issued_at,
        "expires_at": tokens.ends_at(left) if token.lasts else 0,
        "data_access_expires_at": issued_at + DATA_ACCESS_SECONDS,
        "scopes": token.scopes,
        "granular_scopes": _granular(token),
        "user_id": token.user_id,
    }
    if token.account is not None:
        facts["profile_id"] = token.account.external_id
    if subcode:
        message = f"Error validating access token: {tokens.SUBCODES.get(subcode, '')}"
        facts["error"] = {"code": 190, "subcode": subcode, "message": message}
    return facts


def _granular(token: SandboxToken) -> list[dict[str, Any]]:
    """Which Pages and accounts each permission is good for."""
    pages = [page for page, _tasks in pages_of(case_of(token))]
    linked = SandboxAccount.objects.filter(page__in=pages)
    targets = {
        "pages": [page.external_id for page in pages],
        "instagram": [account.external_id for account in linked],
    }
    return [
        {"scope": scope, "target_ids": targets[scope.partition("_")[0]]}
        if scope.partition("_")[0] in targets
        else {"scope": scope}
        for scope in token.scopes
    ]
