"""An event of each kind about nobody, for whoever builds a receiver."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from inbox.events import EventName
from inbox.jsonb import dump, format_moment
from webhooks.payloads import VERSION, build_ping

Json = dict[str, Any]

_USER: Json = {
    "id": "IG_998877",
    "username": "customer_handle",
    "contact_id": "USER_2041",
    "email": None,
    "phone": None,
    "name": "Salma El Idrissi",
}
_MESSAGE: Json = {
    "id": "MSG_112233",
    "content": "Is this product available?",
    "type": "text",
    "attachments": [],
    "reply_to": None,
    "author": None,
}
_CONVERSATION: Json = {
    "id": "54321",
    "status": "open",
    "subject": None,
    "assignee": "Nadia Berrada",
    "team": None,
    "tags": ["vip"],
}
_OUT: Json = {"content": "Yes, in M and L.", "author": "Nadia Berrada"}
# What of each kind differs from a message of the customer's.
_MESSAGES: dict[EventName, Json] = {
    EventName.MESSAGE_IN: {},
    EventName.MESSAGE_OUT: {**_OUT, "status": "sent"},
    EventName.MESSAGE_STATUS: {**_OUT, "status": "read"},
    EventName.MESSAGE_EDITED: {"content": "Is it available in M?"},
    EventName.MESSAGE_DELETED: {"content": "", "deleted": True},
    EventName.REACTION: {},
}
_CHANGES: dict[EventName, Json] = {
    EventName.CONVERSATION_CREATED: {"change": "created"},
    EventName.CONVERSATION_UPDATED: {"change": "assigned", "to": "Nadia Berrada"},
    EventName.USER_UPDATED: {"fields": ["phone"]},
    EventName.USER_MERGED: {"merged": "USER_2040"},
}
_BY_AGENT = {
    EventName.MESSAGE_OUT,
    EventName.MESSAGE_STATUS,
    EventName.CONVERSATION_UPDATED,
}


def build_sample(
    event_id: str, name: EventName, *, endpoint_id: str, at: datetime
) -> str:
    """A body as its schema says, with `data.sample`: true."""
    if name is EventName.PING:
        return build_ping(event_id, endpoint_id=endpoint_id, at=at)
    moment = format_moment(at)
    return dump(
        {
            "id": event_id,
            "event": name.value,
            "version": VERSION,
            "channel": "instagram",
            "timestamp": moment,
            "source": _source(name),
            "account": {
                "id": "CH_3",
                "external_id": "17841400001",
                "name": "Maison Tilila",
            },
            "data": _data(name, moment) | {"sample": True},
        }
    )


def _source(name: EventName) -> str:
    if name in _BY_AGENT:
        return "agent"
    is_system = name in {EventName.CHANNEL_STATUS, EventName.USER_MERGED}
    return "system" if is_system else "customer"


def _data(name: EventName, moment: str) -> Json:
    if name is EventName.CHANNEL_STATUS:
        return {"status": "needs_reauth", "reason": "190/460"}
    data: Json = {"user": _USER}
    if name in _MESSAGES or name.value.startswith("conversation"):
        data |= {"conversation_id": "54321", "sequence": 7}
    if name in _MESSAGES:
        data["message"] = {**_MESSAGE, "sent_at": moment, **_MESSAGES[name]}
        if name is EventName.MESSAGE_EDITED:
            data["message"]["edited_at"] = moment
    elif "conversation_id" in data:
        data["conversation"] = {**_CONVERSATION, "created_at": moment}
    if name is EventName.REACTION:
        data["reaction"] = {"emoji": "❤", "action": "react"}
    if name in _CHANGES:
        data["changes"] = _CHANGES[name]
    return data
