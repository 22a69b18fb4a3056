"""A channel of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import count
from typing import Any

from inbox.channels import (
    PERSON,
    Ability,
    Accepted,
    ActionKind,
    Details,
    HistoryPage,
    Limits,
    MediaLimit,
    OutgoingMedia,
    OutgoingMessage,
    Profile,
    ReplyWindow,
    SendError,
    Signal,
    TemplateInfo,
    TextLimit,
    Upload,
    WindowKind,
)
from inbox.models import Channel


class FakeAdapter:
    """Takes every message and remembers it. `answer` may return another id, or raise."""

    kind = "fake"
    label = "Fake"
    icon = "chat"
    css = "web"
    id_prefix = "FAKE_"
    standard_window = timedelta(hours=24)
    windows = (
        ReplyWindow(WindowKind.OPEN),
        ReplyWindow(WindowKind.PROBABLE),
        ReplyWindow(
            WindowKind.HUMAN_AGENT,
            timedelta(days=7),
            sources=PERSON,
            feature="human_agent",
        ),
    )
    private_reply_window = timedelta(days=7)
    limits = Limits(
        text=TextLimit(1000, "bytes"),
        comment_text=TextLimit(1000, "characters"),
        media={"image": MediaLimit(1024, frozenset({"image/png"}))},
    )
    reports_delivery = True

    def __init__(self) -> None:
        self.sent: list[OutgoingMessage] = []
        self.comments: list[tuple[str, str]] = []
        self.uploaded: list[OutgoingMedia] = []
        self.uploads: Upload | SendError | None = None
        self.performed: list[tuple[ActionKind, str, str]] = []
        self.signals: list[tuple[str, Signal]] = []
        self.refusal: SendError | None = None
        self.profiles: dict[str, Profile | SendError] = {}
        self.details: dict[str, Details | SendError] = {}
        self.history: dict[str, HistoryPage | SendError] = {}
        self.templates: list[TemplateInfo] | SendError = []
        self._ids = count(1)
        self.answer: Callable[[OutgoingMessage], Accepted] = self._accept

    def _accept(self, message: OutgoingMessage) -> Accepted:
        return Accepted(f"fake-mid-{next(self._ids)}")

    def send(self, channel: Channel, message: OutgoingMessage) -> Accepted:
        self.sent.append(message)
        return self.answer(message)

    def abilities(self, channel: Channel) -> frozenset[Ability]:
        return frozenset(Ability)

    def upload(self, channel: Channel, media: OutgoingMedia) -> Upload | None:
        """Takes files of our own, as `uploads` says; by default they go by their address."""
        self.uploaded.append(media)
        return self._told(self.uploads)

    def reply_publicly(
        self,
        channel: Channel,
        comment_id: str,
        text: str,
        extra: Mapping[str, Any] | None = None,
    ) -> Accepted:
        self.comments.append((comment_id, text))
        return self.answer(OutgoingMessage("", WindowKind.OPEN, "", text=text))

    def perform(
        self,
        channel: Channel,
        kind: ActionKind,
        *,
        target: str,
        value: str = "",
        person_id: str = "",
    ) -> None:
        self.performed.append((kind, target, value))
        if self.refusal:
            raise self.refusal

    def signal(self, channel: Channel, recipient_id: str, signal: Signal) -> None:
        self.signals.append((recipient_id, signal))

    def fetch_profile(self, channel: Channel, external_id: str) -> Profile:
        return self._told(self.profiles[external_id])

    def fetch_details(
        self, channel: Channel, external_id: str, extra: Mapping[str, Any]
    ) -> Details:
        return self._told(self.details[external_id])

    def fetch_history(
        self, channel: Channel, *, cursor: str = "", person_id: str = ""
    ) -> HistoryPage:
        return self._told(self.history[cursor or person_id])

    def fetch_templates(self, channel: Channel) -> list[TemplateInfo]:
        return self._told(self.templates)

    @staticmethod
    def _told(answer: Any) -> Any:
        """What a test put there; an exception is raised."""
        if isinstance(answer, Exception):
            raise answer
        return answer

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        return "https://fake.example/inbox"

    def health_url(self, channel: Channel) -> str:
        return f"/fake/{channel.pk}/"
