"""A stored part of a reply, as it was composed: for the send, and to send it again."""

from __future__ import annotations

from typing import Any

from inbox.channels import Button, Card, OutgoingMedia, QuickReply, TemplateUse
from inbox.content import Content
from inbox.models import Message


def read_content(message: Message) -> Content:
    """What a stored part says, as it was composed."""
    extra = message.extra
    is_template = "template" in extra
    return Content(
        text="" if is_template else message.content,
        media=tuple(
            OutgoingMedia(
                kind=one.kind,
                url=one.remote_url,
                path=one.file.name or "",
                name=one.title,
                mime_type=one.mime_type,
                size=one.size or 0,
            )
            for one in message.attachments.all()
        ),
        cards=tuple(_card_of(one) for one in extra.get("cards", [])),
        quick_replies=tuple(
            QuickReply(**one) for one in extra.get("quick_replies", [])
        ),
        template=_template_of(extra["template"]) if is_template else None,
    )


def _card_of(told: dict[str, Any]) -> Card:
    buttons = tuple(Button(**button) for button in told["buttons"])
    return Card(**{**told, "buttons": buttons})


def _template_of(told: dict[str, Any]) -> TemplateUse:
    values = {part: tuple(given) for part, given in told["parameters"].items()}
    return TemplateUse(told["name"], told["language"], values)
