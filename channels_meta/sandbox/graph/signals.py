"""Sender actions: seen, typing, and our reactions to what a person wrote."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.utils.timezone import now

from channels_meta.assumptions import assume
from channels_meta.sandbox import errors
from channels_meta.sandbox.graph.door import Call, check_switch, note
from channels_meta.sandbox.graph.parameters import as_dict, as_text
from channels_meta.sandbox.models import SandboxAccount, SandboxCall, SandboxPerson

_EMOJI = {"love": "❤️"}
SHOWN = {"typing_on", "typing_off", "mark_seen"}


def perform(
    call: Call, account: SandboxAccount, person: SandboxPerson | None
) -> HttpResponse:
    """Answers {recipient_id} alone. Raises GraphError."""
    check_switch(call, account)
    action = as_text(call.data.get("sender_action"))
    if "message" in call.data:
        raise errors.bad_parameter(
            "Cannot include both message and sender_action", 2018014
        )
    if person is None:
        raise errors.no_such_person(is_instagram=account.is_instagram)
    if action in SHOWN:
        _show(call, person, action)
    elif action in {"react", "unreact"}:
        _react(call, person, action)
    else:
        raise errors.bad_parameter("Param sender_action is not valid")
    response = JsonResponse({"recipient_id": person.external_id})
    note(
        call,
        account,
        SandboxCall.Kind.SIGNAL,
        response,
        person=person,
        summary=action,
    )
    return response


def _show(call: Call, person: SandboxPerson, action: str) -> None:
    is_instagram_login = call.host.name == "instagram"
    if is_instagram_login and not assume("INSTAGRAM_LOGIN_SIGNALS"):
        raise errors.bad_parameter("Param sender_action is not supported")
    if action == "mark_seen":
        person.messages.filter(direction="in", seen_at=None).update(seen_at=now())
        return
    person.typing_since = now() if action == "typing_on" else None
    person.save(update_fields=["typing_since"])


def _react(call: Call, person: SandboxPerson, action: str) -> None:
    payload = as_dict(call.data.get("payload"))
    message = person.messages.filter(mid=as_text(payload.get("message_id"))).first()
    if message is None or message.unsent_at:
        raise errors.no_such_object(as_text(payload.get("message_id")))
    given = as_text(payload.get("reaction"))
    if action == "react" and not given:
        raise errors.bad_parameter("Param payload[reaction] is required")
    is_linked = person.account.is_instagram and call.host.name == "facebook"
    if action == "react" and is_linked and given != "love":
        raise errors.bad_parameter("Param payload[reaction] must be love")
    message.reaction = _EMOJI.get(given, given)[:40] if action == "react" else ""
    message.reacted_at = now()
    message.save(update_fields=["reaction", "reacted_at"])
