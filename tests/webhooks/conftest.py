"""Receivers on real sockets, and endpoints that lead to them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import transaction
from standardwebhooks import Webhook

from inbox.events import Event, EventName, emit
from inbox.models import Conversation, Direction, Message, Source, Status
from tests.inbox.api.conftest import api, key_for
from webhooks.models import Delivery, Endpoint
from webhooks.sending import dispatch

__all__ = ["api", "key_for"]  # fixtures of the API's tests
# When everything in these tests happened, as Meta says.
MOMENT = datetime(2026, 10, 25, 14, 22, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    # Before answering: to wait, or to do what a third party does meanwhile.
    meanwhile: Callable[[], object] = lambda: None


class Receiver:
    """An integrator's server. `answer` decides what it says to each request."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], Answer] = lambda received: Answer()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        ).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def events(self) -> list[Any]:
        return [received.json for received in self.received]

    def _take(self, received: Received) -> Answer:
        with self._lock:
            self.received.append(received)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        answer = self.answer(received)
        answer.meanwhile()
        with self._lock:
            self._at_once -= 1
        return answer

    def _handler(receiver) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - self is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver._take(Received(self.path, headers, body))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def do_GET(self) -> None:
                receiver._take(Received(f"GET {self.path}", {}, b"{}"))
                self.send_error(405)

            def log_message(self, *_: object) -> None: ...

        return Handler


@pytest.fixture
def new_receiver() -> Iterator[Callable[[], Receiver]]:
    receivers: list[Receiver] = []

    def start() -> Receiver:
        receivers.append(Receiver())
        return receivers[-1]

    yield start
    for receiver in receivers:
        receiver.close()


@pytest.fixture
def receiver(new_receiver: Callable[[], Receiver]) -> Receiver:
    return new_receiver()


@pytest.fixture
def endpoint(transactional_db: None, receiver: Receiver) -> Endpoint:
    """Leads to the receiver and wants everything."""
    return Endpoint.objects.create(url=receiver.url)


@pytest.fixture
def live_conversation(
    transactional_db: None, fake_adapter: Any, conversation: Conversation
) -> Conversation:
    """Salma's conversation, committed, as the dispatcher's own connection must see it."""
    return conversation


def write(conversation: Conversation, content: str = "Hello", **fields: Any) -> Message:
    """A message of the customer, as a row."""
    values: dict[str, Any] = {
        "direction": Direction.IN,
        "source": Source.CUSTOMER,
        "status": Status.RECEIVED,
        "content": content,
        "sent_at": MOMENT,
        **fields,
    }
    return Message.objects.create(
        conversation=conversation, channel_id=conversation.channel_id, **values
    )


def happened(
    message: Message, name: EventName = EventName.MESSAGE_IN, **details: Any
) -> Event:
    """What the inbox tells its listeners about a message."""
    return Event(
        name,
        channel_id=message.channel_id,
        occurred_at=message.sent_at,
        conversation_id=message.conversation_id,
        message_id=message.pk,
        source=message.source,
        details=details,
    )


def announce(*events: Event) -> None:
    with transaction.atomic():
        emit(list(events))


def say(conversation: Conversation, *contents: str) -> list[Message]:
    """The customer writes, and the inbox tells."""
    messages = [write(conversation, content) for content in contents]
    announce(*map(happened, messages))
    return messages


def deliver_all(times: int = 20) -> None:
    """Dispatch, making every wait for a retry or a breaker be over each time."""
    for _ in range(times):
        dispatch()
        if not Delivery.objects.filter(state="pending").exists():
            return
        make_due()


def make_due() -> None:
    """Let the time pass that deliveries and endpoints wait for."""
    Delivery.objects.filter(state="pending").update(next_attempt_at=MOMENT)
    Endpoint.objects.update(breaker_until=None)


def verify(received: Received, secret: str) -> None:
    """Raises unless the reference implementation accepts the signature."""
    Webhook(secret).verify(received.body, received.headers)


def held_up(seconds: float) -> Callable[[], object]:
    """A receiver that takes its time."""
    return lambda: time.sleep(seconds)
