"""What each event's body holds: JSON Schema 2020-12, in the OpenAPI document's `webhooks`.

New keys may come at any time, so nothing here forbids them; what is listed as required stays.
"""

from __future__ import annotations

from typing import Any

from inbox.events import EventName
from inbox.models import MessageType, Source, Status
from inbox.models.conversations import Conversation
from webhooks.payloads import VERSION

Schema = dict[str, Any]

DESCRIPTIONS = {
    EventName.MESSAGE_IN: "The customer wrote: message, story mention or reply, button, comment.",
    EventName.MESSAGE_OUT: "The channel accepted a message, or told of one written in its own app.",
    EventName.MESSAGE_STATUS: "An outbound message was delivered, read, or failed.",
    EventName.MESSAGE_EDITED: "The customer changed a message; it is told as it is now.",
    EventName.MESSAGE_DELETED: "A message was taken back. Please erase your copy.",
    EventName.REACTION: "A reaction was given or taken back.",
    EventName.CONVERSATION_CREATED: "A conversation began.",
    EventName.CONVERSATION_UPDATED: "A conversation was changed; it is told as it is now.",
    EventName.USER_CREATED: "A person is new.",
    EventName.USER_UPDATED: "More is known of a person, or they asked to be forgotten.",
    EventName.USER_MERGED: "A person is the same as another.",
    EventName.CHANNEL_STATUS: "An account has to be reconnected, or works again.",
    EventName.PING: "Somebody asked for it, to see whether an endpoint listens.",
}

_TEXT: Schema = {"type": "string"}
_MAYBE: Schema = {"type": ["string", "null"]}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_ANYTHING: Schema = {"type": "object"}
# There or not. A constant would say more, but generators of clients stumble over it.
_ONLY_TRUE: Schema = {"type": "boolean"}


def _object(
    required: dict[str, Schema], optional: dict[str, Schema] | None = None
) -> Schema:
    properties = required | (optional or {})
    return {"type": "object", "properties": properties, "required": sorted(required)}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


_ACCOUNT = _object({"id": _TEXT, "external_id": _TEXT, "name": _TEXT})
_USER = _object(
    {
        "id": _TEXT,
        "username": _MAYBE,
        "contact_id": _TEXT,
        "email": _MAYBE,
        "phone": _MAYBE,
        "name": _MAYBE,
    }
)
_ATTACHMENT = _object(
    {
        "type": _TEXT,
        "url": _MAYBE,
        "mime_type": _MAYBE,
        "size": {"type": ["integer", "null"]},
        "title": _MAYBE,
    },
    {"coordinates": _ANYTHING, "sticker_id": {}, "emoji": _TEXT},
)
_COMMENT = _object({"post_id": _MAYBE, "permalink": _MAYBE, "parent_id": _MAYBE})
_MESSAGE = _object(
    {
        "id": {"type": "string", "pattern": "^MSG_[0-9]+$"},
        "content": _TEXT,
        "type": _one_of(*(kind for kind in MessageType.values if kind != "event")),
        "sent_at": {"type": ["string", "null"], "format": "date-time"},
        "attachments": {"type": "array", "items": _ATTACHMENT},
        "reply_to": _MAYBE,
        "author": _MAYBE,
    },
    {
        "content_url": _TEXT,
        "status": _one_of(*(s for s in Status.values if s != Status.RECEIVED)),
        "error": _object({"class": _TEXT, "code": _TEXT, "detail": _TEXT}),
        "edited_at": _MOMENT,
        "deleted": _ONLY_TRUE,
        "comment": _COMMENT,
        "story": _object({"id": {}, "url": _MAYBE, "expires_at": {}}),
        "postback": _object({"payload": {}}),
        "quick_reply": _object({"payload": {}}),
        "referral": _ANYTHING,
    },
)
_CONVERSATION = _object(
    {
        "id": _TEXT,
        "status": _one_of(*Conversation.Status.values),
        "subject": _MAYBE,
        "assignee": _MAYBE,
        "team": _MAYBE,
        "tags": {"type": "array", "items": _TEXT},
        "created_at": _MOMENT,
    }
)
_REACTION = _object({"emoji": _TEXT, "action": _one_of("react", "unreact")})

# The parts that several bodies share, as components of the document.
PARTS: dict[str, Schema] = {
    "EventAccount": _ACCOUNT,
    "EventUser": _USER,
    "EventMessage": _MESSAGE,
    "EventConversation": _CONVERSATION,
}

_ABOUT_MESSAGES = {
    EventName.MESSAGE_IN,
    EventName.MESSAGE_OUT,
    EventName.MESSAGE_STATUS,
    EventName.MESSAGE_EDITED,
    EventName.MESSAGE_DELETED,
    EventName.REACTION,
}
_ABOUT_CONVERSATIONS = {EventName.CONVERSATION_CREATED, EventName.CONVERSATION_UPDATED}
_COMMON: dict[str, Schema] = {
    "recovered": _ONLY_TRUE,
    "shortened": {"type": "array", "items": _TEXT},
    "sample": _ONLY_TRUE,
}


def schema_of(name: EventName) -> Schema:
    """The body of one event; its parts by reference to `components`."""
    is_ping = name is EventName.PING
    body = _object(
        {
            "id": {"type": "string", "pattern": "^evt_[0-9A-Z]{26}$"},
            "event": {"const": name.value},
            "version": {"const": VERSION},
            "channel": {"type": "null"} if is_ping else _TEXT,
            "timestamp": _MOMENT,
            "source": _one_of(*Source.values),
            "account": {"type": "null"} if is_ping else _ref("EventAccount"),
            "data": _data(name),
        }
    )
    return {"description": DESCRIPTIONS[name], **body}


def whole_schema_of(name: EventName) -> Schema:
    """The same, for a validator that has nothing else."""
    schema = "https://json-schema.org/draft/2020-12/schema"
    parts = {"schemas": PARTS}
    return {"$schema": schema, **schema_of(name), "components": parts}


def component_of(name: EventName) -> str:
    """`message_in` is `MessageInEvent`."""
    return "".join(word.title() for word in name.value.split("_")) + "Event"


def _ref(part: str) -> Schema:
    return {"$ref": f"#/components/schemas/{part}"}


def _data(name: EventName) -> Schema:
    if name is EventName.PING:
        return _object({"endpoint_id": _TEXT})
    if name is EventName.CHANNEL_STATUS:
        return _object({"status": _TEXT}, {"reason": _MAYBE} | _COMMON)
    held: dict[str, Schema] = {"user": _ref("EventUser")}
    if name in _ABOUT_MESSAGES | _ABOUT_CONVERSATIONS:
        held["conversation_id"] = _TEXT
        held["sequence"] = {"type": "integer", "minimum": 1}
    if name in _ABOUT_MESSAGES:
        held["message"] = _ref("EventMessage")
    if name in _ABOUT_CONVERSATIONS:
        held["conversation"] = _ref("EventConversation")
    if name is EventName.REACTION:
        held["reaction"] = _REACTION
    return _object(held, {"changes": _ANYTHING} | _COMMON)


# --- the OpenAPI document ------------------------------------------------------------------------

_HEADERS = {
    "webhook-id": "The event's id, the same at every attempt.",
    "webhook-timestamp": "When this attempt was made, in Unix seconds.",
    "webhook-signature": "`v1,` and a base64 HMAC-SHA256, for each secret that counts.",
}


def add_webhooks(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """A post-processing hook of drf-spectacular."""
    components = result.setdefault("components", {}).setdefault("schemas", {})
    components |= PARTS
    components |= {component_of(name): schema_of(name) for name in EventName}
    result["webhooks"] = {name.value: _path_item(name) for name in EventName}
    return result


def _path_item(name: EventName) -> Schema:
    content = {"application/json": {"schema": _ref(component_of(name))}}
    headers = [
        {
            "in": "header",
            "name": header,
            "required": True,
            "description": description,
            "schema": _TEXT,
        }
        for header, description in _HEADERS.items()
    ]
    operation = {
        "operationId": f"on_{name.value}",
        "summary": DESCRIPTIONS[name],
        "tags": ["webhooks"],
        "parameters": headers,
        "requestBody": {"required": True, "content": content},
        "responses": {"2XX": {"description": "Taken. Anything else is tried again."}},
        "security": [],
    }
    return {"post": operation}
