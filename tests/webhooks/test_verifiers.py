"""Every verifier of docs/webhooks.md takes what we sign and nothing else; so does the listener."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from standardwebhooks import Webhook, WebhookVerificationError

from tests.webhooks.test_docs import block
from webhooks.signing import generate_secret, headers, key_of

BODY = '{"event":"ping","data":{"name":"سلمى 🌿"}}'.encode()
Verifier = Callable[[str, dict[str, str], bytes], bool]

NODE = """
const [secret, headers] = JSON.parse(process.argv[1]);
const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", () =>
  process.stdout.write(String(isFromDexra(secret, headers, Buffer.concat(chunks)))));
"""
PHP = """
[$secret, $headers] = json_decode($argv[1], true);
echo is_from_dexra($secret, $headers, stream_get_contents(STDIN)) ? 'true' : 'false';
"""


def run(program: list[str], given: bytes, **more: str) -> str:
    done = subprocess.run(
        program,
        input=given,
        capture_output=True,
        check=True,
        timeout=30,
        env=os.environ | more,
    )
    return done.stdout.decode()


def needed(program: str) -> str:
    found = shutil.which(program)
    if not found:
        pytest.skip(f"no {program} on this machine")
    return found


def by_library(secret: str, given: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(secret).verify(body, given)
    except WebhookVerificationError:
        return False
    return True


def by_node(secret: str, given: dict[str, str], body: bytes) -> bool:
    asked = json.dumps([secret, given])
    return run([needed("node"), "-e", block("js") + NODE, asked], body) == "true"


def by_php(secret: str, given: dict[str, str], body: bytes) -> bool:
    asked = json.dumps([secret, given])
    return run([needed("php"), "-r", block("php") + PHP, asked], body) == "true"


def by_openssl(secret: str, given: dict[str, str], body: bytes) -> bool:
    """The block prints what one of the signatures must be."""
    needed("openssl")
    script = block("sh").replace("cat body.json", "cat")
    told = run(
        ["sh", "-c", script],
        body,
        SECRET=secret,
        ID=given["webhook-id"],
        TIMESTAMP=given["webhook-timestamp"],
    )
    return f"v1,{told}" in given["webhook-signature"].split()


@pytest.mark.parametrize("verify", [by_library, by_node, by_php, by_openssl])
def test_a_verifier_takes_either_secret_during_an_exchange_and_no_other(
    verify: Verifier,
) -> None:
    before, after = generate_secret(), generate_secret()
    given = headers(
        event_id="evt_1",
        timestamp=int(time.time()),
        body=BODY,
        keys=[key_of(after), key_of(before)],
    )

    assert verify(before, given, BODY)
    assert verify(after, given, BODY)
    assert not verify(generate_secret(), given, BODY)
    assert not verify(after, given, BODY + b" ")


@pytest.fixture
def listener() -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Its process, its address and its secret."""
    secret = generate_secret()
    process = subprocess.Popen(
        [sys.executable, "-m", "webhooks.listen", "0"],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=Path(__file__).parents[2],
        env=os.environ | {"WEBHOOK_SECRET": secret, "PYTHONUTF8": "1"},
    )
    assert process.stdout
    address = process.stdout.readline().rpartition(" ")[2].strip()
    yield process, address, secret
    process.terminate()
    process.wait(10)


def test_the_listener_prints_verified_events_alone(
    listener: tuple[subprocess.Popen[str], str, str],
) -> None:
    process, address, secret = listener
    assert process.stdout

    def post(key: str) -> int:
        given = headers(
            event_id="evt_1", timestamp=int(time.time()), body=BODY, keys=[key_of(key)]
        )
        return requests.post(address, BODY, headers=given, timeout=10).status_code

    assert post(generate_secret()) == 401
    assert "refused" in process.stdout.readline()
    assert post(secret) == 204
    assert "سلمى 🌿" in "".join(process.stdout.readline() for _ in range(6))


def test_the_listener_says_what_it_needs() -> None:
    without = {k: v for k, v in os.environ.items() if k != "WEBHOOK_SECRET"}
    done = subprocess.run(
        [sys.executable, "-m", "webhooks.listen", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=Path(__file__).parents[2],
        env=without,
    )

    assert done.returncode == 1
    assert "WEBHOOK_SECRET" in done.stderr
