"""The Conversations API: what Meta remembers of an account's conversations (contract 9)."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Max, Q
from django.http import HttpResponse, JsonResponse

from channels_meta.sandbox import clock, errors
from channels_meta.sandbox.errors import GraphError
from channels_meta.sandbox.graph.comments import iso
from channels_meta.sandbox.graph.door import (
    Call,
    check_rate,
    check_switch,
    graph_view,
    note,
)
from channels_meta.sandbox.graph.parameters import (
    Field,
    as_number,
    as_text,
    parse_fields,
    pick,
)
from channels_meta.sandbox.models import (
    PUBLIC_KINDS,
    SandboxAccount,
    SandboxCall,
    SandboxMessage,
    SandboxPerson,
)

CALLS_PER_SECOND = 2
PAGE_SIZE, MAX_PAGE_SIZE = 25, 100
MESSAGES_SHOWN = 25
# Meta tells no details of older ones, and answers for them as if they were deleted.
DETAILED = 20
# A request that nothing happened in for so long is not listed.
REQUESTS_LAST = timedelta(days=30)

_IN_CHAT = ~Q(messages__kind__in=PUBLIC_KINDS)


@graph_view("GET")
def conversations(call: Call, node: str) -> HttpResponse:
    """GET /{node}/conversations?platform=&user_id=&fields=&limit=&after=, newest first."""
    account = _account(call, node)
    check_switch(call, account)
    if account.is_instagram:
        call.needs("instagram_manage_messages", "instagram_business_manage_messages")
        if not account.is_professional:
            raise GraphError(36103, "(#36103) The Instagram account is not eligible.")
    else:
        call.needs("pages_messaging")
    check_rate(call, account, "conversations", limit=CALLS_PER_SECOND)
    people = _people(account)
    if user_id := as_text(call.data.get("user_id")):
        people = [one for one in people if one.external_id == user_id]
    size = min(as_number(call.data.get("limit"), PAGE_SIZE), MAX_PAGE_SIZE) or 1
    start = _offset(as_text(call.data.get("after")))
    fields = parse_fields(as_text(call.data.get("fields")) or "id,updated_time")
    shown = people[start : start + size]
    data = [_conversation(call, person, fields) for person in shown]
    paging = _paging(call, start, size, len(people))
    response = JsonResponse({"data": data, **paging})
    # The answer is as long as the history: how many there were is enough to know.
    note(
        call,
        account,
        SandboxCall.Kind.HISTORY,
        JsonResponse({"conversations": len(data)}),
    )
    return response


def _account(call: Call, node: str) -> SandboxAccount:
    """platform=instagram on a Page means the account that is linked to it."""
    account = call.own(node)
    platform = as_text(call.data.get("platform"))
    if platform not in {"", "messenger", "instagram"}:
        raise errors.bad_parameter(
            "Param platform must be one of {INSTAGRAM, MESSENGER}"
        )
    if account.is_instagram or platform != "instagram":
        return account
    linked = account.linked.first()
    if linked is None:
        raise GraphError(
            100, "(#100) Page is not linked to an Instagram account", 2534013
        )
    linked.page = account
    return linked


def _people(account: SandboxAccount) -> list[SandboxPerson]:
    """Whoever has a chat, newest first; without the requests that nobody looks at any more."""
    people = (
        account.people.annotate(
            updated_at=Max("messages__sent_at", filter=_IN_CHAT),
            answers=Count("messages", filter=Q(messages__direction="out") & _IN_CHAT),
        )
        .filter(updated_at__isnull=False)
        .order_by("-updated_at", "-id")
    )
    return [person for person in people if not _is_hidden_request(account, person)]


def _is_hidden_request(account: SandboxAccount, person: Any) -> bool:
    is_request = account.is_instagram and not person.is_follower and not person.answers
    return is_request and clock.is_over(person.updated_at, REQUESTS_LAST)


def conversation_id(person: SandboxPerson) -> str:
    if person.account.is_instagram:
        encoded = base64.urlsafe_b64encode(person.external_id.encode()).decode()
        return f"aWdfZAG06{encoded.rstrip('=')}"
    return f"t_{person.external_id}"


def find(call: Call, node: str) -> SandboxPerson | None:
    """Whose conversation it is that has this id."""
    if node.startswith("t_"):
        return call.person(node.removeprefix("t_"))
    if node.startswith("aWdfZAG06"):
        encoded = node.removeprefix("aWdfZAG06")
        try:
            padded = encoded + "=" * (-len(encoded) % 4)
            return call.person(base64.urlsafe_b64decode(padded).decode())
        except ValueError:
            return None
    return None


def read(call: Call, person: SandboxPerson) -> HttpResponse:
    """GET /{conversation}."""
    check_switch(call, person.account)
    check_rate(call, person.account, "conversations", limit=CALLS_PER_SECOND)
    fields = parse_fields(as_text(call.data.get("fields")) or "id,updated_time")
    return JsonResponse(_conversation(call, person, fields))


def _conversation(
    call: Call, person: SandboxPerson, fields: list[Field]
) -> dict[str, Any]:
    newest = _chat(person).last()
    known: dict[str, Any] = {
        "id": conversation_id(person),
        "updated_time": iso(newest.sent_at) if newest else None,
        "link": f"/{person.account.external_id}/inbox/{person.pk}/",
        "participants": {"data": _parties(person)},
        "senders": {"data": _parties(person)},
        "messages": lambda asked: _messages(person, asked),
        "message_count": lambda _asked: _chat(person).count(),
        "unread_count": lambda _asked: (
            _chat(person).filter(direction="in", seen_at=None).count()
        ),
        "is_owner": not person.held_by,
        "name": None,
        "can_reply": True,
    }
    return pick(known, fields, kind="UnifiedThread")


def _parties(person: SandboxPerson) -> list[dict[str, str]]:
    return [_party(person, is_ours=False), _party(person, is_ours=True)]


def _party(person: SandboxPerson, *, is_ours: bool) -> dict[str, str]:
    account = person.account
    if account.is_instagram:
        who = account if is_ours else person
        return {"id": who.external_id, "username": who.username}
    who = account if is_ours else person
    return {
        "id": who.external_id,
        "name": who.name,
        "email": f"{who.external_id}@facebook.com",
    }


# --- messages ----------------------------------------------------------------------------------------


def _chat(person: SandboxPerson) -> Any:
    """What is still there of the chat, oldest first."""
    return person.messages.filter(unsent_at=None).exclude(kind__in=PUBLIC_KINDS)


def _messages(person: SandboxPerson, asked: Field) -> dict[str, Any]:
    """Newest first. Only the newest twenty tell more than their id and time."""
    limit = min(as_number(asked.arguments.get("limit"), MESSAGES_SHOWN), MAX_PAGE_SIZE)
    start = _offset(asked.arguments.get("after", ""))
    rows = list(_chat(person).order_by("-sent_at", "-id")[start : start + limit])
    fields = asked.inner or [Field("id"), Field("created_time")]
    data = []
    for place, row in enumerate(rows, start=start):
        known = _message(person, row)
        if place >= DETAILED:
            data.append({"id": known["id"], "created_time": known["created_time"]})
        else:
            data.append(pick(known, fields, kind="Message"))
    answer: dict[str, Any] = {"data": data}
    total = _chat(person).count()
    cursors = {"before": _cursor(start), "after": _cursor(start + limit)}
    answer["paging"] = {"cursors": cursors}
    if start + limit < total:
        answer["paging"]["next"] = f"https://graph.facebook.com/next?after={cursors['after']}"  # fmt: skip
    return answer


def find_message(call: Call, node: str) -> SandboxMessage | None:
    return (
        SandboxMessage.objects.select_related("person__account__page")
        .filter(mid=node, person__account__in=call.accounts())
        .exclude(kind__in=PUBLIC_KINDS)
        .first()
    )


def read_message(call: Call, message: SandboxMessage) -> HttpResponse:
    """GET /{mid}: also tells who wrote it. Older than the newest twenty, it answers as deleted."""
    person = message.person
    check_switch(call, person.account)
    newest = _chat(person).order_by("-sent_at", "-id").values_list("pk", flat=True)
    if message.pk not in list(newest[:DETAILED]):
        raise errors.no_such_message()
    fields = parse_fields(as_text(call.data.get("fields")) or "id,created_time")
    return JsonResponse(pick(_message(person, message), fields, kind="Message"))


def _message(person: SandboxPerson, row: SandboxMessage) -> dict[str, Any]:
    """The keys of a message node; what does not apply is left out."""
    is_ours = row.direction == SandboxMessage.Direction.OUT
    unsupported: Any = True if row.kind == SandboxMessage.Kind.UNSUPPORTED else None
    if unsupported and person.account.is_instagram:
        unsupported = "true"  # as a word, as captures have it
    return {
        "id": row.mid,
        "created_time": iso(row.sent_at),
        "from": _party(person, is_ours=is_ours),
        "to": {"data": [_party(person, is_ours=not is_ours)]},
        "message": row.text if row.kind in _WORDED else "",
        "attachments": _attachments(row),
        "shares": _shares(row),
        "story": _story(row),
        "reactions": _reactions(person, row),
        "reply_to": {"mid": row.reply_to_mid, "is_self_reply": False}
        if row.reply_to_mid
        else None,
        "is_unsupported": unsupported,
        "tags": None,
        "sticker": row.media_url or None
        if row.kind == SandboxMessage.Kind.STICKER
        else None,
    }


_WORDED = {
    SandboxMessage.Kind.TEXT,
    SandboxMessage.Kind.POSTBACK,
    SandboxMessage.Kind.STORY_REPLY,
    SandboxMessage.Kind.TEMPLATE,
}
_DATA_KEYS = {"image": "image_data", "video": "video_data"}


def _attachments(row: SandboxMessage) -> dict[str, Any] | None:
    if row.kind == SandboxMessage.Kind.CARDS:
        cards = row.extra.get("cards", [])
        first = cards[0] if cards else {}
        template = {
            "title": first.get("title") or first.get("text"),
            "subtitle": first.get("subtitle"),
            "media_url": first.get("image_url"),
        }
        told = {key: value for key, value in template.items() if value}
        return {"data": [{"id": str(row.pk), "generic_template": told}]}
    if row.kind not in {"image", "video", "audio", "file"}:
        return None
    return {"data": [_attachment(row, at, part) for at, part in enumerate(row.parts)]}


def _attachment(row: SandboxMessage, at: int, part: dict[str, Any]) -> dict[str, Any]:
    key = _DATA_KEYS.get(str(part["type"]))
    told: dict[str, Any] = {"id": f"{row.pk}{at}"}
    if key:
        return told | {key: {"url": part["url"]}}
    return told | {"name": str(part["type"]), "file_url": part["url"]}


def _shares(row: SandboxMessage) -> dict[str, Any] | None:
    if row.kind != SandboxMessage.Kind.SHARE:
        return None
    return {"data": [{"link": row.media_url, "name": row.text}]}


def _story(row: SandboxMessage) -> dict[str, Any] | None:
    link = {"link": row.media_url, "id": row.asset_id}
    if row.kind == SandboxMessage.Kind.STORY_MENTION:
        return {"mention": link}
    if row.kind == SandboxMessage.Kind.STORY_REPLY:
        return {"reply_to": link}
    return None


def _reactions(person: SandboxPerson, row: SandboxMessage) -> dict[str, Any] | None:
    """The customer's to what we wrote; ours to what they wrote."""
    if not row.reaction:
        return None
    is_ours = row.direction == SandboxMessage.Direction.IN
    users = [_party(person, is_ours=is_ours)]
    return {"data": [{"reaction": row.reaction, "users": users}]}


# --- pages -------------------------------------------------------------------------------------------


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode().rstrip("=")


def _offset(cursor: str) -> int:
    """Raises GraphError for a cursor that nobody gave."""
    if not cursor:
        return 0
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        word, _colon, number = base64.urlsafe_b64decode(padded).decode().partition(":")
        if word == "offset" and number.isdigit():
            return int(number)
    except ValueError:
        pass
    raise errors.bad_parameter("Invalid cursors values")


def _paging(call: Call, start: int, size: int, total: int) -> dict[str, Any]:
    """Cursors on every page that holds something; `next` only where there is more."""
    if start >= total:
        return {}
    after = _cursor(start + size)
    paging: dict[str, Any] = {"cursors": {"before": _cursor(start), "after": after}}
    if start + size < total:
        asked = {key: str(value) for key, value in call.data.items()} | {"after": after}
        address = call.request.build_absolute_uri(call.request.path)
        paging["next"] = f"{address}?{urlencode(asked)}"
    return {"paging": paging}
