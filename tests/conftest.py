"""What every test may ask for: people, a conversation, the running product, Meta's side of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
import uvicorn
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.utils import translation
from django.utils.timezone import now

from channels_meta.models import Credential
from dexra.celery import app as celery_app
from inbox import channels
from inbox.conversations import refresh
from inbox.models import (
    Agent,
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Message,
)
from inbox.stream import hubs
from inbox.templatetags.dexra import drawn_bubbles
from tests.fakes import FakeAdapter

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Proofs take their time. Browser tests need Chromium: without it they are skipped plainly, in
    CI they fail."""
    for item in items:
        if item.get_closest_marker("proof"):
            item.add_marker(pytest.mark.timeout(0))
    if CHROMIUM or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(scope="session", autouse=True)
def _all_addresses() -> None:
    """The sandbox's addresses are there whichever test comes first, one without SANDBOX too."""
    import_module(settings.ROOT_URLCONF)


@pytest.fixture(autouse=True)
def _empty_redis() -> Iterator[None]:
    """Every test begins with its worker's own Redis database empty."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    drawn_bubbles.clear()
    from django.core.cache import cache

    cache.clear()


@pytest.fixture(autouse=True)
def _default_language() -> None:
    """A request leaves its visitor's language behind in the thread that answered it."""
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture
def eager() -> Iterator[None]:
    """Tasks run at once where they are rung, instead of waiting for a worker."""
    celery_app.conf.task_always_eager = True
    yield
    celery_app.conf.task_always_eager = False


@pytest.fixture
def fake_adapter() -> Iterator[FakeAdapter]:
    """A kind of channel of the tests' own, which takes everything unless told otherwise."""
    adapter = FakeAdapter()
    channels.register(adapter)
    yield adapter
    channels._adapters.pop(adapter.kind)


@pytest.fixture
def agent(db: None) -> Agent:
    """Nadia, who may do all that an agent may."""
    return make_agent("nadia", first_name="Nadia", last_name="Berrada")


def make_agent(username: str, **fields: Any) -> Agent:
    fields = {"is_staff": True, **fields}
    person = Agent.objects.create_user(username, password="secret-of-tests", **fields)
    person.user_permissions.set(
        Permission.objects.filter(
            content_type__app_label="inbox",
            codename__in=["view_conversation", "change_conversation", "add_message"],
        )
    )
    return person


@pytest.fixture
def agent_client(agent: Agent) -> Client:
    client = Client()
    client.force_login(agent)
    return client


@pytest.fixture
def channel(db: None, fake_adapter: FakeAdapter) -> Channel:
    return Channel.objects.create(
        kind=fake_adapter.kind,
        external_id="acc-1",
        name="Maison Tilila",
        features=["human_agent"],
    )


@pytest.fixture
def conversation(channel: Channel) -> Conversation:
    """Salma wrote an hour ago on the fake channel."""
    return make_conversation(channel, name="Salma El Idrissi")


def make_conversation(
    channel: Channel,
    *,
    name: str = "Salma El Idrissi",
    person_id: str = "person-1",
    wrote: timedelta = timedelta(hours=1),
) -> Conversation:
    at = now() - wrote
    identity = ChannelIdentity.objects.create(
        channel=channel,
        external_id=person_id,
        contact=Contact.objects.create(name=name),
        name=name,
        last_inbound_at=at,
        window_expires_at=at + timedelta(hours=24),
    )
    return Conversation.objects.create(
        channel=channel,
        identity=identity,
        last_message_at=at,
        last_inbound_at=at,
        window_expires_at=at + timedelta(hours=24),
    )


def make_comment(
    conversation: Conversation,
    content: str = "How much is it?",
    *,
    ago: timedelta = timedelta(hours=2),
    external_id: str = "comment-1",
    **facts: Any,
) -> Message:
    """The person commented on a post. facts: what the channel told of the comment."""
    message = Message.objects.create(
        conversation=conversation,
        channel=conversation.channel,
        direction="in",
        source="customer",
        type="comment",
        status="received",
        content=content,
        external_id=external_id,
        extra={"comment": {"post_id": "post-1", **facts}},
        sent_at=now() - ago,
    )
    refresh([conversation.pk])
    return message


def make_commenter(channel: Channel, **comment: Any) -> Message:
    """Somebody who commented and never wrote a message: there is no reply window."""
    conversation = make_conversation(channel, name="Amina", person_id="commenter-1")
    for row in (conversation, conversation.identity):
        row.last_inbound_at = row.window_expires_at = None
        row.save()
    return make_comment(conversation, **comment)


# --- Meta ------------------------------------------------------------------------------------

PAGE_ID = "1055501"
INSTAGRAM_ID = "17841400001"


@pytest.fixture
def messenger(db: None) -> Channel:
    return make_meta_channel("messenger", PAGE_ID)


@pytest.fixture
def instagram(db: None) -> Channel:
    return make_meta_channel("instagram", INSTAGRAM_ID)


def make_meta_channel(kind: str, external_id: str) -> Channel:
    channel = Channel.objects.create(
        kind=kind,
        external_id=external_id,
        name="Maison Tilila",
        features=["human_agent"],
    )
    flavour = Credential.Flavour.INSTAGRAM_LOGIN if kind == "instagram" else "facebook"
    Credential.objects.create(
        channel=channel,
        flavour=flavour,
        node_id=external_id,
        access_token="token-of-tests",
    )
    return channel


def meta_json(data: Any) -> bytes:
    """JSON as Meta writes it: ASCII with lower-case escapes, slashes escaped."""
    return json.dumps(data, separators=(",", ":")).replace("/", "\\/").encode()


def signature(body: bytes, secret: str = "app-secret") -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Meta:
    """Posts signed events to the real URL of the running product."""

    def __init__(self, base_url: str) -> None:
        self.url = f"{base_url}/meta/webhook"
        self._session = requests.Session()
        self._session.trust_env = False

    def post(self, data: Any, *, secret: str = "app-secret") -> requests.Response:
        body = data if isinstance(data, bytes) else meta_json(data)
        headers = {
            "X-Hub-Signature-256": signature(body, secret),
            "Content-Type": "application/json",
        }
        return self._session.post(self.url, data=body, headers=headers, timeout=10)

    def messaging(
        self, *items: dict[str, Any], kind: str = "messenger"
    ) -> requests.Response:
        return self.post(envelope(*items, kind=kind))


def envelope(*items: dict[str, Any], kind: str = "messenger") -> dict[str, Any]:
    """One POST with these messaging items for the test account of that kind."""
    page = kind == "messenger"
    account = PAGE_ID if page else INSTAGRAM_ID
    entry = {"id": account, "time": milliseconds(now()), "messaging": list(items)}
    return {"object": "page" if page else "instagram", "entry": [entry]}


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def said(
    text: str,
    mid: str,
    *,
    person: str = "7701",
    account: str = PAGE_ID,
    at: datetime | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A messaging item: the customer wrote."""
    return {
        "sender": {"id": person},
        "recipient": {"id": account},
        "timestamp": milliseconds(at or now()),
        "message": {"mid": mid, "text": text, **more},
    }


def echoed(
    text: str, mid: str, *, person: str = "7701", account: str = PAGE_ID, **more: Any
) -> Any:
    """A messaging item: our own message, reported back."""
    return said(text, mid, person=account, account=person, is_echo=True, **more)


@pytest.fixture
def meta(asgi_server: str) -> Meta:
    return Meta(asgi_server)


# --- the running product -------------------------------------------------------------------------


# Where the product believes to be (tests/settings.py); sandbox and webhooks call it there.
PORT = settings.PORT


_serving: list[uvicorn.Server] = []
# Open while a test runs: what a page still says as it goes must not meet the database's end.
_door = threading.Event()


def wait_until_answered() -> None:
    """Until no request is under way, and nothing is drawn for open pages."""
    wait_until(lambda: not any(one.server_state.tasks for one in _serving))
    wait_until(lambda: not any(hub.running for hub in hubs.values()))


@contextmanager
def serving(port: int) -> Iterator[str]:
    """The whole ASGI application on a real socket, in a thread of its own."""
    from dexra.asgi import application

    async def behind_door(scope: Any, receive: Any, send: Any) -> None:
        if _door.is_set():
            await application(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(
        behind_door,
        host="127.0.0.1",
        port=port,
        log_level="error",
        lifespan="off",
        ws="none",
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    _serving.append(server)
    _door.set()
    yield f"http://127.0.0.1:{port}"
    _door.clear()
    _serving.remove(server)
    server.should_exit = server.force_exit = True
    thread.join(timeout=10)


def wait_until(is_true: Callable[[], Any], *, seconds: float = 15) -> Any:
    """Poll until something is true; its value. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := is_true()):
        assert time.monotonic() < end, "it did not become true in time"
        threading.Event().wait(0.01)
    return value


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The server's threads keep their connections: end them before the database is dropped."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="session")
def _server(django_db_setup: None) -> Iterator[str]:
    with serving(PORT) as url:
        yield url


@pytest.fixture
def asgi_server(transactional_db: None, _server: str) -> Iterator[str]:
    """The base URL of the running product on this worker's test database."""
    _door.set()
    yield _server
    _door.clear()
    wait_until_answered()


@pytest.fixture(scope="session")
def samples() -> Path:
    return Path(__file__).parent / "channels_meta" / "samples"
