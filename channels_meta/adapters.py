"""What Instagram and Messenger can do, and one attempt at sending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_meta.details import fetch_details
from channels_meta.errors import RECONNECT
from channels_meta.graph import GraphClient
from channels_meta.history import fetch_history
from channels_meta.models import Credential
from channels_meta.profiles import fetch_profile
from inbox.channels import (
    PERSON,
    Ability,
    Accepted,
    ActionKind,
    Details,
    ErrorClass,
    HistoryPage,
    Limits,
    MediaLimit,
    OutgoingMessage,
    Profile,
    ReplyWindow,
    SendError,
    Signal,
    TemplateInfo,
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
        ReplyWindow(WindowKind.PROBABLE),
        HUMAN_AGENT_WINDOW,
    )
    private_reply_window = timedelta(days=7)

    def abilities(self, channel: Channel) -> frozenset[Ability]:
        return frozenset()

    def send(self, channel: Channel, message: OutgoingMessage) -> Accepted:
        """POST one message. Raises SendError."""
        return Accepted(self._client(channel).send_message(self._payload(message)))

    def reply_publicly(self, channel: Channel, comment_id: str, text: str) -> Accepted:
        raise NotImplementedError

    def perform(
        self, channel: Channel, kind: ActionKind, *, target: str, value: str = ""
    ) -> None:
        raise NotImplementedError

    def signal(self, channel: Channel, recipient_id: str, signal: Signal) -> None:
        raise NotImplementedError

    def fetch_profile(self, channel: Channel, external_id: str) -> Profile:
        return fetch_profile(self._client(channel), channel, external_id)

    def fetch_details(
        self, channel: Channel, external_id: str, extra: Mapping[str, Any]
    ) -> Details:
        return fetch_details(self._client(channel), channel, external_id, extra)

    def fetch_history(
        self, channel: Channel, *, cursor: str = "", person_id: str = ""
    ) -> HistoryPage:
        client = self._client(channel)
        return fetch_history(client, channel, cursor=cursor, person_id=person_id)

    def fetch_templates(self, channel: Channel) -> Sequence[TemplateInfo]:
        raise NotImplementedError

    def _client(self, channel: Channel) -> GraphClient:
        """Raises SendError for a channel that has no token."""
        try:
            return GraphClient(channel.meta)
        except Credential.DoesNotExist:
            raise SendError(ErrorClass.RECONNECT, RECONNECT, code="no_token") from None

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
    reports_delivery = False
    limits = Limits(
        text=TextLimit(1000, "bytes"),
        comment_text=TextLimit(2200, "characters"),
        media={
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
        },
    )

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        return "https://www.instagram.com/direct/inbox/"


class MessengerAdapter(MetaAdapter):
    kind = "messenger"
    label: str | Promise = _("Messenger")
    icon = "chat"
    css = "fb"
    id_prefix = "FB_"
    reports_delivery = True
    limits = Limits(
        text=TextLimit(2000, "characters"),
        comment_text=TextLimit(8000, "characters"),
        media={
            "image": MediaLimit(
                8 * MEGABYTE, frozenset({"image/png", "image/jpeg", "image/gif"})
            ),
            "video": MediaLimit(
                25 * MEGABYTE, frozenset({"video/mp4", "video/quicktime"})
            ),
            "audio": MediaLimit(
                25 * MEGABYTE,
                frozenset({"audio/mpeg", "audio/aac", "audio/mp4", "audio/wav"}),
            ),
            "file": MediaLimit(25 * MEGABYTE, frozenset()),
        },
    )

    def _content(self, message: OutgoingMessage) -> dict[str, Any]:
        # Messenger returns metadata with the echo; Instagram does not take it.
        return super()._content(message) | {"metadata": message.reference}

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        return f"https://business.facebook.com/latest/inbox/messenger?asset_id={channel.external_id}"
