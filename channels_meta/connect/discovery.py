"""What a login offers: which Pages and Instagram accounts, and for each whether it can be connected."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from channels_meta.assumptions import assume
from channels_meta.connect.problems import problem_of
from channels_meta.graph import GraphClient
from channels_meta.scopes import FACEBOOK, INSTAGRAM, missing_scopes, missing_tasks
from channels_meta.tokens import Grant, client_for
from inbox.channels import SendError

# Of one person's Pages; and how long a login may spend on looking at each one's Instagram account.
MAX_PAGES = 200
LOOKING_SECONDS = 20
# Instagram's own words for business and creator accounts.
PROFESSIONAL = frozenset({"BUSINESS", "MEDIA_CREATOR", "CREATOR"})


@dataclass(frozen=True, slots=True)
class Offer:
    """One account of a login; kept in LoginAttempt.accounts, which holds no token.

    external_id: "" where there is no account (a Page without Instagram). problem: a key of
    PROBLEMS, "" if it can be connected; missing: the permissions or tasks it is about.
    has_own_token: the login's token is this account's own (one typed in by hand).
    """

    kind: str
    external_id: str
    node_id: str
    name: str
    username: str = ""
    page_name: str = ""
    tasks: list[str] = field(default_factory=list)
    problem: str = ""
    missing: list[str] = field(default_factory=list)
    error_code: str = ""
    has_own_token: bool = False

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.external_id}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Page:
    """token: "" where this person cannot act for it."""

    id: str
    name: str
    token: str
    tasks: list[str]


def find_accounts(flavour: str, grant: Grant) -> tuple[str, list[Offer]]:
    """Who signed in (their app-scoped id), and everything that the login offers.

    Raises SendError if Meta cannot be asked at all.
    """
    if flavour == INSTAGRAM:
        user_id, offer = _own_account(grant)
        return user_id, [offer]
    pages = list(_pages(client_for(grant.token, FACEBOOK), grant))
    end = time.monotonic() + LOOKING_SECONDS
    offers = [offer for page in pages for offer in _offers_of(page, grant, end)]
    return grant.user_id, offers


def find_accounts_of_page(grant: Grant) -> list[Offer]:
    """By the token of a Page itself: that Page, and its Instagram account. Raises SendError."""
    me = client_for(grant.token, FACEBOOK).get("me", fields="id,name")
    page = _read_page({**me, "access_token": grant.token})
    end = time.monotonic() + LOOKING_SECONDS
    offers = _offers_of(page, grant, end)
    return [replace(offer, has_own_token=True) for offer in offers]


def page_token(grant_token: str, page_id: str) -> str:
    """The Page's own token, by that of a person who manages it; "" if Meta gives none.

    Raises SendError.
    """
    answer = client_for(grant_token, FACEBOOK).get(page_id, fields="access_token")
    return str(answer.get("access_token") or "")


# --- Facebook Login ------------------------------------------------------------------------------


def _pages(client: GraphClient, grant: Grant) -> Iterator[Page]:
    """/me/accounts, and whatever Page was ticked that it leaves out: with granular consent it
    may come back short or empty."""
    fields = "id,name,access_token,tasks"
    known = set()
    for entry in client.items("me/accounts", limit=MAX_PAGES, fields=fields):
        page = _read_page(entry)
        known.add(page.id)
        yield page
    for page_id in grant.pages[:MAX_PAGES]:
        if page_id not in known:
            yield _ticked_page(client, page_id)


def _read_page(entry: Mapping[str, Any]) -> Page:
    tasks = entry.get("tasks")
    return Page(
        id=str(entry.get("id", "")),
        name=str(entry.get("name", "")),
        token=str(entry.get("access_token") or ""),
        tasks=[str(task) for task in tasks] if isinstance(tasks, list) else [],
    )


def _ticked_page(client: GraphClient, page_id: str) -> Page:
    """One that only granular_scopes names. It has no tasks to be read."""
    try:
        entry = client.get(page_id, fields="id,name,access_token")
    except SendError:
        return Page(page_id, page_id, "", [])
    return _read_page({"id": page_id, "name": page_id, **entry})


def _offers_of(page: Page, grant: Grant, end: float) -> Iterator[Offer]:
    """The Page itself, and the Instagram account that is linked to it, if one is."""
    problem, missing = _page_problem("messenger", page, grant)
    yield Offer(
        kind="messenger",
        external_id=page.id,
        node_id=page.id,
        name=page.name,
        tasks=page.tasks,
        problem=problem,
        missing=missing,
    )
    if page.token:
        yield _linked_account(page, grant, end)


def _page_problem(kind: str, page: Page, grant: Grant) -> tuple[str, list[str]]:
    """What keeps an account from working, as far as the Page and the permissions tell."""
    if not page.token:
        return "no_token", []
    if tasks := missing_tasks(page.tasks):
        return "task_missing", tasks
    needed, _useful = missing_scopes(flavour=FACEBOOK, kind=kind, granted=grant.scopes)
    return ("declined", [scope.name for scope in needed]) if needed else ("", [])


def _linked_account(page: Page, grant: Grant, end: float) -> Offer:
    problem, missing = _page_problem("instagram", page, grant)
    facts: dict[str, Any] = {
        "kind": "instagram",
        "node_id": page.id,
        "page_name": page.name,
        "tasks": page.tasks,
    }
    unseen = {**facts, "external_id": "", "name": page.name}
    client = client_for(page.token, FACEBOOK)
    try:
        account = _read_link(client, page.id)
    except SendError as error:
        problem = problem or problem_of(error)
        return Offer(problem=problem, missing=missing, error_code=error.code, **unseen)
    if account is None:
        # Without its permission Meta hides the link itself.
        problem = "declined" if problem == "declined" else "no_instagram"
        return Offer(
            problem=problem, missing=missing if problem == "declined" else [], **unseen
        )
    facts |= {
        "external_id": str(account["id"]),
        "name": str(account.get("name") or "") or page.name,
        "username": str(account.get("username") or ""),
    }
    if problem or time.monotonic() > end:
        return Offer(problem=problem, missing=missing, **facts)
    return _tried(client, page.id, facts)


def _tried(client: GraphClient, node_id: str, facts: Mapping[str, Any]) -> Offer:
    """Ask for one conversation: refused where the owner switched access to messages off."""
    try:
        read_newest(client, node_id, "instagram")
    except SendError as error:
        return Offer(problem=problem_of(error), error_code=error.code, **facts)
    return Offer(**facts)


def _read_link(client: GraphClient, page_id: str) -> Mapping[str, Any] | None:
    answer = client.get(page_id, fields="instagram_business_account{id,username,name}")
    account = answer.get("instagram_business_account")
    has_id = isinstance(account, Mapping) and account.get("id")
    return account if has_id and isinstance(account, Mapping) else None


def read_newest(client: GraphClient, node_id: str, kind: str) -> None:
    """The newest conversation, to see whether messages may be read. Raises SendError."""
    client.get(f"{node_id}/conversations", platform=kind, fields="id", limit="1")


# --- Instagram Login -----------------------------------------------------------------------------


def _own_account(grant: Grant) -> tuple[str, Offer]:
    """The app's own number for the person (`id`), and the one account that Instagram Login speaks
    for: `user_id` is what its events are addressed to. Raises SendError."""
    client = client_for(grant.token, INSTAGRAM)
    me = client.get("me", fields="user_id,username,name,account_type")
    account_id = str(me.get("user_id") or me.get("id") or "")
    user_id = str(me.get(assume("INSTAGRAM_PERSON_ID")) or grant.user_id)
    username = str(me.get("username") or "")
    facts: dict[str, Any] = {
        "kind": "instagram",
        "external_id": account_id,
        "node_id": account_id,
        "name": str(me.get("name") or "") or username or account_id,
        "username": username,
    }
    account_type = str(me.get("account_type") or "").upper()
    if account_type and account_type not in PROFESSIONAL:
        return user_id, Offer(problem="not_professional", **facts)
    needed, _useful = missing_scopes(
        flavour=INSTAGRAM, kind="instagram", granted=grant.scopes
    )
    if needed:
        missing = [scope.name for scope in needed]
        return user_id, Offer(problem="declined", missing=missing, **facts)
    return user_id, _tried(client, account_id, facts)
