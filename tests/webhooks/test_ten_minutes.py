"""docs/integrators.md: its ten minutes, as they stand there, in a shell."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest
from django.core.management import call_command

from inbox.models import Conversation, Message
from tests.webhooks.conftest import deliver_all, say
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "integrators.md").read_text()


def blocks() -> list[str]:
    start = PAGE.index("## In ten minutes")
    part = PAGE[start : PAGE.index("## The short list")]
    return re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)


def shell(script: str, base: str, **environment: str) -> str:
    """As written, but for where Dexra and the listener are."""
    script = script.replace("http://127.0.0.1:8000", base)
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def read_events(stream: IO[str], count: int) -> list[dict[str, object]]:
    """The listener prints events as indented JSON, one after the other."""
    events, lines = [], []
    while len(events) < count:
        lines.append(stream.readline())
        if lines[-1] == "}\n":
            events.append(json.loads("".join(lines)))
            lines = []
    return events


def test_receive_verify_and_answer_by_the_page_alone(
    asgi_server: str, live_conversation: Conversation
) -> None:
    connecting, answering = blocks()
    port = free_port()
    printed = io.StringIO()
    call_command("create_api_key", "My backend", stdout=printed)
    key = printed.getvalue().strip()
    first, _, listening = connecting.replace("9000", str(port)).partition('echo "$KEY"')
    # The command above is the page's own; its database is another one.
    made = first.replace(
        '$(.venv/bin/python manage.py create_api_key "My backend")', key
    )
    assert made != first

    secret = shell(made + 'echo "$WEBHOOK_SECRET"', asgi_server).strip()

    assert secret == Endpoint.objects.get().secret
    words = listening.split()
    assert words[1:] == ["-m", "webhooks.listen", str(port)]
    with subprocess.Popen(
        [sys.executable, *words[1:]],
        env={"WEBHOOK_SECRET": secret},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as listener:
        watchdog = threading.Timer(60, listener.kill)
        watchdog.start()
        try:
            assert listener.stdout is not None
            assert "Listening" in listener.stdout.readline()
            say(live_conversation, "Is this available?")
            deliver_all()
            (event,) = read_events(listener.stdout, 1)
        finally:
            watchdog.cancel()
            listener.kill()
    assert event["event"] == "message_in"
    data = event["data"]
    assert isinstance(data, dict)

    twice = [
        shell(answering, asgi_server, KEY=key, ID=data["conversation_id"])
        for _ in range(2)
    ]

    reply = Message.objects.get(direction="out")
    assert reply.content == "Yes, in M and L."
    assert reply.conversation_id == live_conversation.pk
    assert twice[0] == twice[1]
