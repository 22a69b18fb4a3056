"""What Instagram and Messenger can do, and one attempt at sending."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_meta.errors import RECONNECT
from channels_meta.graph import GraphClient
from channels_meta.models import Credential
from inbox.channels import (
    PERSON,
    Accepted,
    ErrorClass,
    MediaLimit,
    OutgoingMessage,
    ReplyWindow,
    SendError,
    TextLimit,
    WindowKind,
)
from inbox.models import Channel

HOUR_24 = timedelta(hours=24)
# A person's reply that took longer than a day: only a person's, and only where Meta has
# approved the feature (Send API, HUMAN_AGENT, 2026).
HUMAN_AGENT_WINDOW = ReplyWindow(
    WindowKind.HUMAN_AGENT, timedelta(days=7), sources=PERSON, feature="human_agent"
)
MEGABYTE = 1024 * 1024


class MetaAdapter:
    """What both channels share."""

    kind: str
    standard_window = HOUR_24
    windows: tuple[ReplyWindow, ...] = (
        ReplyWindow(WindowKind.OPEN),
        HUMAN_AGENT_WINDOW,
    )

    def send(self, channel: Channel, message: OutgoingMessage) -> Accepted:
        """POST one message. Raises SendError."""
        try:
            credential = channel.meta
        except Credential.DoesNotExist:
            raise SendError(ErrorClass.RECONNECT, RECONNECT, code="no_token") from None
        return Accepted(GraphClient(credential).send_message(self._payload(message)))

    def _payload(self, message: OutgoingMessage) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "recipient": {"id": message.recipient_id},
            "message": self._content(message),
        }
        if message.window is WindowKind.HUMAN_AGENT:
            payload |= {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
        else:
            payload["messaging_type"] = "RESPONSE"
        if message.reply_to:
            payload["reply_to"] = {"mid": message.reply_to}
        return payload

    def _content(self, message: OutgoingMessage) -> dict[str, Any]:
        content: dict[str, Any]
        if message.media:
            payload = {"url": message.media.url}
            content = {"attachment": {"type": message.media.kind, "payload": payload}}
        else:
            content = {"text": message.text}
        return content


class InstagramAdapter(MetaAdapter):
    kind = "instagram"
    label: str | Promise = _("Instagram")
    icon = "camera"
    css = "ig"
    id_prefix = "IG_"
    text_limit = TextLimit(1000, "bytes")
    media_limits = {
        "image": MediaLimit(8 * MEGABYTE, frozenset({"image/png", "image/jpeg"})),
        "video": MediaLimit(
            25 * MEGABYTE,
            frozenset(
                {
                    "video/mp4",
                    "video/ogg",
                    "video/x-msvideo",
                    "video/quicktime",
                    "video/webm",
                }
            ),
        ),
        "audio": MediaLimit(
            25 * MEGABYTE,
            frozenset({"audio/aac", "audio/mp4", "audio/x-m4a", "audio/wav"}),
        ),
        "file": MediaLimit(25 * MEGABYTE, frozenset({"application/pdf"})),
    }
    reports_delivery = False

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        return "https://www.instagram.com/direct/inbox/"


class MessengerAdapter(MetaAdapter):
    kind = "messenger"
    label: str | Promise = _("Messenger")
    icon = "chat"
    css = "fb"
    id_prefix = "FB_"
    text_limit = TextLimit(2000, "characters")
    media_limits = {
        "image": MediaLimit(
            8 * MEGABYTE, frozenset({"image/png", "image/jpeg", "image/gif"})
        ),
        "video": MediaLimit(25 * MEGABYTE, frozenset({"video/mp4", "video/quicktime"})),
        "audio": MediaLimit(
            25 * MEGABYTE,
            frozenset({"audio/mpeg", "audio/aac", "audio/mp4", "audio/wav"}),
        ),
        "file": MediaLimit(25 * MEGABYTE, frozenset({"application/pdf", "text/plain"})),
    }
    reports_delivery = True

    def _content(self, message: OutgoingMessage) -> dict[str, Any]:
        # Messenger returns metadata with the echo; Instagram does not take it.
        return super()._content(message) | {"metadata": message.reference}

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        return f"https://business.facebook.com/latest/inbox/messenger?asset_id={channel.external_id}"
