"""Our message as the JSON of Meta's Send API (contract 6.1, 6.2, 6.4, 6.6)."""

from __future__ import annotations

from typing import Any

from inbox.channels import (
    Button,
    Card,
    OutgoingMedia,
    OutgoingMessage,
    QuickReply,
    TemplateUse,
    WindowKind,
)

Json = dict[str, Any]

_BUTTONS = {
    "url": ("web_url", "url"),
    "postback": ("postback", "payload"),
    "phone": ("phone_number", "payload"),
}
_QUICK_REPLIES = {"phone": "user_phone_number", "email": "user_email"}


def build_message(message: OutgoingMessage, *, with_reference: bool) -> Json:
    """The body of POST /{node}/messages.

    with_reference: where the channel gives our mark back with the echo (Messenger).
    """
    content = _content(message)
    if message.quick_replies:
        content["quick_replies"] = [_quick_reply(q) for q in message.quick_replies]
    if with_reference:
        content["metadata"] = message.reference
    body: Json = {"recipient": _recipient(message), **_right(message.window)}
    body["message"] = content
    if message.reply_to:
        body["reply_to"] = {"mid": message.reply_to}
    return body


def _recipient(message: OutgoingMessage) -> Json:
    if message.window is not WindowKind.PRIVATE_REPLY:
        return {"id": message.recipient_id}
    return {"post_id" if message.is_post else "comment_id": message.comment_id}


def _right(window: WindowKind) -> Json:
    """By what right it goes out. A private reply names the comment and needs no other."""
    match window:
        case WindowKind.PRIVATE_REPLY:
            return {}
        case WindowKind.HUMAN_AGENT:
            return {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
        case WindowKind.TEMPLATE:
            return {"messaging_type": "UTILITY"}
    return {"messaging_type": "RESPONSE"}


def _content(message: OutgoingMessage) -> Json:
    if message.template:
        return {"template": _template(message.template)}
    if message.cards:
        return {"attachment": {"type": "template", "payload": _cards(message.cards)}}
    if message.media:
        return {"attachment": _media(message.media)}
    return {"text": message.text}


def _media(media: OutgoingMedia) -> Json:
    """By the id of an upload, or by address. Ids go as text, although Meta reports numbers."""
    if media.upload_id:
        return {"type": media.kind, "payload": {"attachment_id": media.upload_id}}
    return {"type": media.kind, "payload": {"url": media.url}}


def _quick_reply(reply: QuickReply) -> Json:
    if reply.kind in _QUICK_REPLIES:
        return {"content_type": _QUICK_REPLIES[reply.kind]}
    return {
        "content_type": "text",
        "title": reply.title,
        "payload": reply.payload or reply.title,
    }


def _cards(cards: tuple[Card, ...]) -> Json:
    """One card of words and buttons alone is a button template, everything else a generic one."""
    if len(cards) == 1 and cards[0].text:
        (card,) = cards
        return {
            "template_type": "button",
            "text": card.text,
            "buttons": [_button(button) for button in card.buttons],
        }
    return {
        "template_type": "generic",
        "elements": [_element(card) for card in cards],
    }


def _element(card: Card) -> Json:
    element: Json = {
        "title": card.title,
        "subtitle": card.subtitle,
        "image_url": card.image_url,
        "buttons": [_button(button) for button in card.buttons],
    }
    if card.url:
        element["default_action"] = {"type": "web_url", "url": card.url}
    return {key: value for key, value in element.items() if value}


def _button(button: Button) -> Json:
    kind, value_key = _BUTTONS[button.kind]
    return {"type": kind, "title": button.title, value_key: button.value}


def _template(template: TemplateUse) -> Json:
    return {
        "name": template.name,
        "language": {"code": template.language},
        "components": [
            _component(name, values) for name, values in template.parameters.items()
        ],
    }


def _component(name: str, values: tuple[str, ...]) -> Json:
    """name: "header" or "body", or "button:0" for the address of the first button."""
    kind, _colon, index = name.partition(":")
    component: Json = {"type": kind}
    if index:
        component |= {"sub_type": "url", "index": int(index)}
    component["parameters"] = [{"type": "text", "text": value} for value in values]
    return component
