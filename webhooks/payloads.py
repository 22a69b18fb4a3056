"""The public JSON of each event (product.md 4). Public words appear here and in serializers only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inbox.channels import get_adapter
from inbox.events import Event, EventName
from inbox.jsonb import dump, format_moment
from inbox.media import FETCHED_KINDS, told_url
from webhooks.fitting import fit
from webhooks.snapshots import (
    Account,
    ConversationRow,
    MessageRow,
    Person,
    Snapshot,
)

Json = dict[str, Any]

# Who did what nobody did.
SYSTEM = "system"
# Facts of a message's `extra` that the outside is told, and the keys of each that are public
# (None: all, as the channel gave them).
_EXTRAS: dict[str, tuple[str, ...] | None] = {
    "comment": ("post_id", "permalink", "parent_id"),
    "story": ("id", "url", "expires_at"),
    "postback": ("payload",),
    "quick_reply": ("payload",),
    "referral": None,
}
# Facts of an attachment that only some kinds have.
_PART_EXTRAS = ("coordinates", "sticker_id", "emoji")
# Details by which a listener finds rows; they are no public words.
_INTERNAL = {"identity_id", "status"}

# Of the bodies as a whole. It changes only if a receiver of the one before would misread the new
# one; a new key is no new version.
VERSION = 1


def build_body(
    event_id: str, event: Event, snapshot: Snapshot, *, sequence: int | None
) -> str:
    """What is stored as UTF-8, and so signed and sent."""
    account = snapshot.accounts[event.channel_id]
    return fit(
        {
            "id": event_id,
            "event": event.name.value,
            "version": VERSION,
            "channel": account.kind,
            "timestamp": format_moment(event.occurred_at),
            "source": event.source or SYSTEM,
            "account": _account(account),
            "data": _data(event, snapshot, account, sequence),
        }
    )


def build_ping(event_id: str, *, endpoint_id: str, at: datetime) -> str:
    """An event about nothing, to see whether an endpoint listens."""
    return dump(
        {
            "id": event_id,
            "event": EventName.PING.value,
            "version": VERSION,
            "channel": None,
            "timestamp": format_moment(at),
            "source": SYSTEM,
            "account": None,
            "data": {"endpoint_id": endpoint_id},
        }
    )


def _data(
    event: Event, snapshot: Snapshot, account: Account, sequence: int | None
) -> Json:
    data: Json = {}
    person = _person_of(event, snapshot)
    if event.conversation_id is not None:
        data["conversation_id"] = str(event.conversation_id)
        data["sequence"] = sequence
    if person is not None:
        data["user"] = _user(person, account)
    if event.message_id is not None:
        row = snapshot.messages.get(event.message_id)
        data["message"] = _message(row, event) if row else _gone(event.message_id)
    if event.conversation_id in snapshot.conversations:
        data["conversation"] = _conversation(
            snapshot.conversations[event.conversation_id]
        )
    data.update(_details(event))
    return data


def _person_of(event: Event, snapshot: Snapshot) -> Person | None:
    if event.conversation_id is not None:
        return snapshot.parties.get(event.conversation_id)
    return snapshot.people.get(event.details.get("identity_id", 0))


def _details(event: Event) -> Json:
    """What is not to be found in the rows, under the name that the event gives it."""
    details = event.details
    if event.name is EventName.CHANNEL_STATUS:
        return dict(details)
    told = {key: value for key, value in details.items() if key not in _INTERNAL}
    found: Json = {"recovered": True} if told.pop("recovered", False) else {}
    if told:
        found["reaction" if event.name is EventName.REACTION else "changes"] = told
    return found


def _account(account: Account) -> Json:
    return {
        "id": f"CH_{account.id}",
        "external_id": account.external_id,
        "name": account.name,
    }


def _user(person: Person, account: Account) -> Json:
    return {
        "id": get_adapter(account.kind).id_prefix + person.external_id,
        "username": person.username or None,
        "contact_id": f"USER_{person.contact_id}",
        "email": person.email or None,
        "phone": person.phone or None,
        "name": person.name or person.contact_name or None,
    }


def _conversation(row: ConversationRow) -> Json:
    return {
        "id": str(row.id),
        "status": row.status,
        "subject": row.subject or None,
        "assignee": row.assignee or None,
        "team": row.team,
        "tags": row.tags,
        "created_at": format_moment(row.created_at),
    }


def _message(row: MessageRow, event: Event) -> Json:
    if row.is_deleted:
        return _gone(row.id, type_=row.type, sent_at=row.sent_at)
    message: Json = {
        "id": f"MSG_{row.id}",
        "content": row.content,
        "type": row.type,
        "sent_at": row.sent_at,
        "attachments": [_attachment(part) for part in json.loads(row.parts or "[]")],
        "reply_to": f"MSG_{row.reply_to_id}" if row.reply_to_id else None,
        "author": row.author_name or None,
    }
    if row.direction == "out":
        message["status"] = event.details.get("status") or row.status
        if row.status == "failed":
            message["error"] = {
                "class": row.error_class,
                "code": row.error_code,
                "detail": row.error_detail,
            }
    if row.edited_at:
        message["edited_at"] = row.edited_at
    if row.extra != "{}":
        message.update(_extras(json.loads(row.extra)))
    return message


def _attachment(part: Json) -> Json:
    extra, pk, is_had = part.pop("extra"), part.pop("id"), part.pop("is_had")
    if part["type"] in FETCHED_KINDS:
        part["url"] = told_url(pk) if is_had else None
    return part | {name: extra[name] for name in _PART_EXTRAS if extra.get(name)}


def _extras(extra: Mapping[str, Any]) -> Json:
    told: Json = {}
    for name, keys in _EXTRAS.items():
        fact = extra.get(name)
        if isinstance(fact, Mapping):
            told[name] = dict(fact) if keys is None else {k: fact.get(k) for k in keys}
    return told


def _gone(message_id: int, *, type_: str = "text", sent_at: str | None = None) -> Json:
    """A message of which only its place is left."""
    return {
        "id": f"MSG_{message_id}",
        "content": "",
        "type": type_,
        "sent_at": sent_at,
        "attachments": [],
        "reply_to": None,
        "author": None,
        "deleted": True,
    }


def erase_content(body: str) -> str | None:
    """The same event without what its message said; None if it says nothing.

    Ids, kind and moments stay.
    """
    event: Json = json.loads(body)
    data = event["data"]
    message, reaction = data["message"], data.get("reaction")
    gone = _gone(0, type_=message["type"], sent_at=message["sent_at"])
    gone |= {"id": message["id"], "author": message["author"]}
    if message == gone and not (reaction and reaction["emoji"]):
        return None
    data["message"] = gone
    if reaction:
        reaction["emoji"] = ""
    return dump(event)


def erase_person(body: str) -> str | None:
    """The same event without who it is about; None if it names nobody. Ids stay."""
    event: Json = json.loads(body)
    data = event["data"]
    names = {
        "user": ("username", "email", "phone", "name"),
        "conversation": ("subject",),
    }
    told = [
        (data[part], key)
        for part, keys in names.items()
        for key in keys
        if data.get(part) and data[part].get(key)
    ]
    if not told:
        return None
    for part, key in told:
        part[key] = None
    return dump(event)
