"""GET, POST and DELETE /{node}: whatever there is by that id, and what it tells."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse

from channels_meta.sandbox import errors, faults, windows
from channels_meta.sandbox.errors import GraphError
from channels_meta.sandbox.faults import Fault
from channels_meta.sandbox.graph import accounts, comments, conversations
from channels_meta.sandbox.graph.door import Call, check_switch, graph_view, note
from channels_meta.sandbox.graph.parameters import (
    Field,
    as_text,
    parse_fields,
    pick,
)
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxCall,
    SandboxMessage,
    SandboxPerson,
)

PROFILE_FIELDS = {
    "messenger": ("first_name", "last_name", "profile_pic", "name", "id"),
    "instagram": (
        "name",
        "username",
        "profile_pic",
        "follower_count",
        "is_user_follow_business",
        "is_business_follow_user",
        "is_verified_user",
        "id",
    ),
}


@graph_view("GET", "POST", "DELETE")
def node_view(call: Call, node: str) -> HttpResponse:
    if call.request.method == "GET":
        return _read(call, node)
    comment = comments.get(call, node)
    if call.request.method == "DELETE":
        return comments.delete(call, comment)
    return comments.update(call, comment)


def _read(call: Call, node: str) -> HttpResponse:
    fields = parse_fields(as_text(call.data.get("fields")))
    if call.account is None:
        return accounts.read_as_user(call, node, fields)
    if node == "me" or any(node in _names(one) for one in call.accounts()):
        return JsonResponse(accounts.describe(call, call.own(node), fields))
    if person := call.person(node):
        return _profile(call, person, fields)
    if comments.find(call, node):
        return comments.read(call, comments.get(call, node))
    if message := conversations.find_message(call, node):
        if message.unsent_at:
            raise errors.no_such_message()
        return conversations.read_message(call, message)
    if person := conversations.find(call, node):
        return conversations.read(call, person)
    return _post(call, node, fields)


def _names(account: SandboxAccount) -> set[str]:
    return {account.external_id, account.scoped_id} - {""}


# --- people ------------------------------------------------------------------------------------------


def _profile(call: Call, person: SandboxPerson, fields: list[Field]) -> HttpResponse:
    """Who only commented has not consented (Instagram, user profile)."""
    account = person.account
    check_switch(call, account)
    try:
        _check_consent(account, person)
        known = _known(account, person)
        response = JsonResponse(pick(known, fields, default=("name", "id")))
    except GraphError as error:
        refusal = error.response(call.host, account.language)
        note(call, account, SandboxCall.Kind.PROFILE, refusal, person=person)
        raise
    note(call, account, SandboxCall.Kind.PROFILE, response, person=person)
    return response


def _check_consent(account: SandboxAccount, person: SandboxPerson) -> None:
    if faults.strikes(account, Fault.PROFILE):
        if account.is_instagram:
            raise GraphError(230, "User consent is required to access user profile")
        raise errors.no_such_object(person.external_id)
    if account.is_instagram and windows.last_act_at(person) is None:
        raise GraphError(230, "User consent is required to access user profile")


def _known(account: SandboxAccount, person: SandboxPerson) -> dict[str, Any]:
    first, _space, last = person.name.partition(" ")
    known: dict[str, Any] = {
        "id": person.external_id,
        "name": person.name,
        "first_name": first,
        "last_name": last,
        "username": person.username,
        "profile_pic": None,
        "follower_count": 120,
        "is_user_follow_business": person.is_follower,
        "is_business_follow_user": False,
        "is_verified_user": False,
    }
    return {name: known[name] for name in PROFILE_FIELDS[account.kind]}


# --- posts -------------------------------------------------------------------------------------------


def _post(call: Call, node: str, fields: list[Field]) -> HttpResponse:
    """A post or medium of the account, known by what stands below it."""
    below = SandboxMessage.objects.filter(
        post_id=node, kind="comment", person__account__in=call.accounts()
    ).select_related("person__account")
    found = below.first()
    if found is None:
        raise errors.no_such_object(node)
    describe = comments.media if found.person.account.is_instagram else comments.post
    return JsonResponse(pick(describe(node), fields))
