"""A channel of the tests' own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count

from inbox.channels import (
    PERSON,
    Accepted,
    MediaLimit,
    OutgoingMessage,
    ReplyWindow,
    TextLimit,
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
        ReplyWindow(
            WindowKind.HUMAN_AGENT,
            timedelta(days=7),
            sources=PERSON,
            feature="human_agent",
        ),
    )
    text_limit = TextLimit(1000, "bytes")
    media_limits = {"image": MediaLimit(1024, frozenset({"image/png"}))}
    reports_delivery = True

    def __init__(self) -> None:
        self.sent: list[OutgoingMessage] = []
        self._ids = count(1)
        self.answer: Callable[[OutgoingMessage], Accepted] = self._accept

    def _accept(self, message: OutgoingMessage) -> Accepted:
        return Accepted(f"fake-mid-{next(self._ids)}")

    def send(self, channel: Channel, message: OutgoingMessage) -> Accepted:
        self.sent.append(message)
        return self.answer(message)

    def native_url(self, channel: Channel, recipient_id: str) -> str:
        return "https://fake.example/inbox"
