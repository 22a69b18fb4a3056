"""One attempt, against receivers that mean us no good."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from webhooks.addresses import guarded_connector
from webhooks.attempts import (
    KEPT_ANSWER_BYTES,
    MAX_ANSWER_BYTES,
    Outcome,
    open_session,
    post,
)
from webhooks.models import Failure

DEADLINE = 0.4
Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


def attempt(
    behave: Behaviour, *, scheme: str = "http", tls: ssl.SSLContext | None = None
) -> Outcome:
    """POST to a server that, once the request has come, behaves like this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if scheme == "http" or tls:
                await reader.readuntil(b"\r\n\r\n")
            await behave(writer)
        writer.close()

    async def run() -> Outcome:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        async with open_session() as session:
            outcome = await post(
                session,
                f"{scheme}://127.0.0.1:{port}/",
                event_id="evt_1",
                body=b"{}",
                keys=[b"k" * 32],
                deadline=DEADLINE,
            )
        server.close()
        return outcome

    return asyncio.run(run())


async def silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def dripping(start: bytes, drop: bytes) -> Behaviour:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return drip


def flooding(start: bytes, flood: bytes) -> Behaviour:
    async def pour(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(flood)
            await writer.drain()

    return pour


def saying(answer: bytes) -> Behaviour:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return say


@pytest.mark.parametrize(
    "behave",
    [
        silence,
        dripping(b"", b" "),
        dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_who_does_not_answer_in_time_has_not_answered(behave: Behaviour) -> None:
    outcome = attempt(behave)

    assert outcome.status is None
    assert outcome.failure in {Failure.TIMEOUT, Failure.PROTOCOL}
    assert outcome.duration_ms < DEADLINE * 1000 + 300


def test_a_yes_in_time_is_a_yes_however_its_body_ends() -> None:
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n"

    outcome = attempt(dripping(start, b"."))

    assert (outcome.status, outcome.failure) == (200, None)
    assert outcome.duration_ms < DEADLINE * 1000 + 300


def test_a_no_stays_a_no_however_its_body_ends() -> None:
    start = b"HTTP/1.1 500 Oops\r\nContent-Length: 999999\r\n\r\n"

    outcome = attempt(dripping(start, b"."))

    assert (outcome.status, outcome.failure) == (500, Failure.STATUS)


def test_an_endless_answer_is_read_no_further_than_the_limit() -> None:
    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"

    outcome = attempt(flooding(start, b"x" * MAX_ANSWER_BYTES))

    assert (outcome.status, outcome.failure) == (200, None)
    assert outcome.response == "x" * KEPT_ANSWER_BYTES
    assert outcome.duration_ms < DEADLINE * 1000


def test_endless_headers_are_no_answer() -> None:
    outcome = attempt(flooding(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000))

    assert outcome.status is None
    assert outcome.failure in {Failure.PROTOCOL, Failure.TIMEOUT}


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", Failure.CONNECTION),
        (b"220 mail.example ESMTP\r\n", Failure.PROTOCOL),
        (b"HTTP/1.1 999999 ?\r\n\r\n", Failure.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Failure.PROTOCOL),
        (b"\x00\xff" * 100 + b"\r\n\r\n", Failure.PROTOCOL),
    ],
)
def test_what_is_no_http_answer_is_a_failure(answer: bytes, failure: Failure) -> None:
    outcome = attempt(saying(answer))

    assert (outcome.status, outcome.failure) == (None, failure)


def test_nuls_in_an_answer_are_dropped() -> None:
    body = b"a\x00b\xff"
    outcome = attempt(
        saying(b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    )

    assert outcome.response == "ab\ufffd"


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path) -> None:
    outcome = attempt(silence, scheme="https", tls=_self_signed(tmp_path))

    assert (outcome.status, outcome.failure) == (None, Failure.TLS)


def test_a_handshake_that_does_not_end_is_cut() -> None:
    outcome = attempt(silence, scheme="https")

    assert (outcome.status, outcome.failure) == (None, Failure.TIMEOUT)


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "server.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class SilentNames(AbstractResolver):
    """A DNS server that takes questions and never answers."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None: ...


def test_a_name_that_is_never_answered_costs_no_more_than_the_deadline() -> None:
    async def run() -> Outcome:
        connector = guarded_connector(SilentNames())
        async with aiohttp.ClientSession(connector=connector) as session:
            return await post(
                session,
                "https://hooks.example/",
                event_id="evt_1",
                body=b"{}",
                keys=[b"k" * 32],
                deadline=DEADLINE,
            )

    outcome = asyncio.run(run())

    assert outcome.failure is Failure.TIMEOUT
    assert DEADLINE * 1000 <= outcome.duration_ms < DEADLINE * 1000 + 2000
