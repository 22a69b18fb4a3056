"""What an account tells of itself, and a signed-in user of the Pages they have a role on."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse

from channels_meta.sandbox import errors
from channels_meta.sandbox.graph import comments
from channels_meta.sandbox.graph.door import Call, graph_view
from channels_meta.sandbox.graph.parameters import (
    Field,
    as_number,
    as_text,
    parse_fields,
    pick,
)
from channels_meta.sandbox.login import grants
from channels_meta.sandbox.login.cases import FACEBOOK_SCOPES
from channels_meta.sandbox.models import SandboxAccount

DEFAULT = ("id", "user_id", "username", "name", "account_type")
PAGES_SHOWN = 25


def describe(
    call: Call, account: SandboxAccount, fields: list[Field]
) -> dict[str, Any]:
    if account.is_instagram:
        return pick(_instagram_account(account), fields, default=DEFAULT)
    return pick(_page(call, account), fields, default=("name", "id"), kind="Page")


def _instagram_account(account: SandboxAccount) -> dict[str, Any]:
    """`id` is app-scoped; webhooks name `user_id`."""
    return {
        "id": account.scoped_id or account.external_id,
        "user_id": account.external_id,
        "username": account.username,
        "name": account.name,
        "account_type": "BUSINESS" if account.is_professional else "PERSONAL",
        "profile_picture_url": None,
        "followers_count": 1200,
        "mentioned_comment": lambda asked: comments.mentioned_comment(account, asked),
        "mentioned_media": lambda asked: comments.mentioned_media(account, asked),
    }


def _page(call: Call, page: SandboxAccount) -> dict[str, Any]:
    linked = page.linked.first()
    features = [{"feature": "hop_v2", "status": "enabled" if page.has_routing else "disabled"}]  # fmt: skip
    return {
        "id": page.external_id,
        "name": page.name,
        "category": "Shopping & Retail",
        "access_token": lambda _asked: grants.page_token(call.token, page),
        "tasks": None,
        "link": f"https://www.facebook.com/{page.external_id}",
        "is_published": True,
        "picture": None,
        "instagram_business_account": (
            lambda asked: pick(
                {
                    "id": linked.external_id,
                    "username": linked.username,
                    "name": linked.name,
                },
                asked.inner,
            )
        )
        if linked
        else None,
        "messaging_feature_status": {"data": features},
    }


# --- with a user's token -----------------------------------------------------------------------------


def read_as_user(call: Call, node: str, fields: list[Field]) -> HttpResponse:
    """GET /me, or /{PAGE_ID}."""
    case = grants.case_of(call.token)
    if node in {"me", case.user_id}:
        known = {"id": case.user_id, "name": case.person, "email": None}
        return JsonResponse(pick(known, fields, default=("name", "id"), kind="User"))
    for page, _tasks in grants.pages_of(case):
        if page.external_id == node:
            return JsonResponse(describe(call, page, fields))
    raise errors.no_such_object(node)


@graph_view("GET")
def list_pages(call: Call, node: str) -> HttpResponse:
    """GET /me/accounts, in pages; it may come back short, and debug_token knows the rest."""
    if call.account is not None:
        raise errors.no_such_field("accounts", "Page")
    call.needs("pages_show_list")
    case = grants.case_of(call.token)
    pages = grants.pages_of(case)
    if not case.listed:
        pages = pages[:1]
    size = as_number(call.data.get("limit"), PAGES_SHOWN) or 1
    start = as_number(call.data.get("after"), 0)
    fields = parse_fields(as_text(call.data.get("fields")) or "access_token,category,name,tasks,id")  # fmt: skip
    data = [
        pick(_page(call, page) | {"tasks": list(tasks)}, fields, kind="Page")
        for page, tasks in pages[start : start + size]
    ]
    answer: dict[str, Any] = {"data": data}
    if data:
        after = str(start + size)
        answer["paging"] = {"cursors": {"before": str(start), "after": after}}
        if start + size < len(pages):
            base = call.request.build_absolute_uri(call.request.path)
            answer["paging"]["next"] = f"{base}?limit={size}&after={after}"
    return JsonResponse(answer)


@graph_view("GET")
def list_permissions(call: Call, node: str) -> HttpResponse:
    """GET /me/permissions: what was granted, and what was declined."""
    data = [
        {
            "permission": scope,
            "status": "granted" if scope in call.token.scopes else "declined",
        }
        for scope in FACEBOOK_SCOPES
    ]
    return JsonResponse({"data": data})
