"""Conversation routing: which app may write in a thread (contract 2.7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils.timezone import now

from channels_meta.sandbox import errors, webhooks
from channels_meta.sandbox.errors import GraphError
from channels_meta.sandbox.graph.door import Call, graph_view, note
from channels_meta.sandbox.graph.messages import check_may_send
from channels_meta.sandbox.graph.parameters import as_dict, as_number, as_text
from channels_meta.sandbox.login.tokens import facebook_app
from channels_meta.sandbox.models import SandboxCall, SandboxPerson

# Without anything happening, control ends after a day; at most a week may be asked for.
OWNED_FOR = timedelta(hours=24)
MAX_SECONDS = 7 * 24 * 3600


@graph_view("POST")
def take(call: Call, node: str) -> HttpResponse:
    """Blocked unless the account routes its conversations."""
    person = _person(call, node)
    if not person.account.has_routing:
        raise GraphError(10, "(#10) Conversation routing has no default app configured")
    previous = person.held_by
    _give(person, "")
    return _done(call, person, "take_thread_control", previous, facebook_app().id)


@graph_view("POST")
def hand_over(call: Call, node: str) -> HttpResponse:
    """pass_thread_control: to another app."""
    person = _person(call, node)
    target = as_text(call.data.get("target_app_id"))
    if not target:
        raise errors.bad_parameter("Param target_app_id is required")
    _check_ours(person)
    _give(person, target)
    return _done(call, person, "pass_thread_control", facebook_app().id, target)


@graph_view("POST")
def release(call: Call, node: str) -> HttpResponse:
    """The thread is nobody's."""
    person = _person(call, node)
    _check_ours(person)
    _give(person, "")
    return _answer(call, person, "release_thread_control")


@graph_view("POST")
def request_control(call: Call, node: str) -> HttpResponse:
    """The owner is asked; the pretend owner never answers."""
    return _answer(call, _person(call, node), "request_thread_control")


@graph_view("POST")
def extend(call: Call, node: str) -> HttpResponse:
    person = _person(call, node)
    seconds = as_number(call.data.get("duration"), 0)
    if not 0 < seconds <= MAX_SECONDS:
        raise errors.bad_parameter("Param duration must be at most 7 days")
    _check_ours(person)
    person.owned_until = now() + timedelta(seconds=seconds)
    person.save(update_fields=["owned_until"])
    return _answer(call, person, "extend_thread_control")


@graph_view("GET")
def owner(call: Call, node: str) -> HttpResponse:
    """Empty while the thread is idle, or ours to begin with."""
    call.own(node)
    person = call.person(call.data.get("recipient"))
    if person is None:
        raise errors.no_such_person(is_instagram=False)
    app_id = person.held_by
    data: list[dict[str, Any]] = []
    if app_id:
        until = person.owned_until or now()
        owned = {"app_id": app_id, "expiration": int(until.timestamp())}
        data = [{"thread_owner": owned}]
    return JsonResponse({"data": data})


def _person(call: Call, node: str) -> SandboxPerson:
    account = call.own(node)
    person = call.person(as_dict(call.data.get("recipient")).get("id"))
    if person is None:
        raise errors.no_such_person(is_instagram=account.is_instagram)
    check_may_send(call, person.account)
    return person


def _check_ours(person: SandboxPerson) -> None:
    if person.held_by:
        raise errors.thread_of_other_app(is_instagram=person.account.is_instagram)


def _give(person: SandboxPerson, app_id: str) -> None:
    person.owner_app = app_id
    person.owned_until = now() + OWNED_FOR if app_id else None
    person.save(update_fields=["owner_app", "owned_until"])


def _done(
    call: Call, person: SandboxPerson, kind: str, previous: str, new: str
) -> HttpResponse:
    """Both sides hear of it."""
    content = {
        "previous_owner_app_id": previous or None,
        "new_owner_app_id": new,
        "metadata": as_text(call.data.get("metadata")),
    }
    data = webhooks.build_routing(person, at=now(), kind=kind, content=content)
    webhooks.tell(person, SandboxCall.Kind.ROUTING, data)
    return _answer(call, person, kind)


def _answer(call: Call, person: SandboxPerson, what: str) -> HttpResponse:
    response = JsonResponse({"success": True})
    note(
        call,
        person.account,
        SandboxCall.Kind.THREAD,
        response,
        person=person,
        summary=what,
    )
    return response
