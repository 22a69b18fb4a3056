"""One attempt: sign, POST, see what came back. Nothing here knows the database."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp

from inbox.addresses import ForbiddenAddress
from webhooks.addresses import guarded_connector
from webhooks.models import Failure
from webhooks.schedule import read_retry_after
from webhooks.signing import headers

# Wall clock (seconds) for everything: name, connection, request, answer.
DEADLINE = 10.0
# What is read of an answer, as it comes over the wire, and what is kept of it.
MAX_ANSWER_BYTES = 16 * 1024
KEPT_ANSWER_BYTES = 4 * 1024

_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "Dexra-Webhooks/1",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


@dataclass(slots=True)
class Outcome:
    """What became of one POST. status: None if no answer came. response: for people."""

    started_at: datetime
    duration_ms: int = 0
    status: int | None = None
    failure: Failure | None = None
    response: str = ""
    retry_after: timedelta | None = None
    request_headers: dict[str, str] = field(default_factory=dict)


def open_session() -> aiohttp.ClientSession:
    """A session for addresses that others chose: no proxy, no cookie, nothing unpacked."""
    return aiohttp.ClientSession(
        connector=guarded_connector(),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        timeout=aiohttp.ClientTimeout(
            total=None
        ),  # `asyncio.timeout` below rules alone
        auto_decompress=False,
        trust_env=False,
    )


async def post(
    session: aiohttp.ClientSession,
    url: str,
    *,
    event_id: str,
    body: bytes,
    keys: list[bytes],
    deadline: float = DEADLINE,
) -> Outcome:
    """Deliver these bytes. Every failure is an outcome, none an exception."""
    outcome = Outcome(datetime.now(UTC))
    began = time.perf_counter()
    signed = headers(
        event_id=event_id, timestamp=int(time.time()), body=body, keys=keys
    )
    outcome.request_headers = _HEADERS | signed
    try:
        async with (
            asyncio.timeout(deadline),
            session.post(
                url, data=body, headers=signed, allow_redirects=False
            ) as answer,
        ):
            outcome.status = answer.status
            outcome.failure = _judge(answer.status)
            if outcome.failure and (asked := answer.headers.get("Retry-After")):
                outcome.retry_after = read_retry_after(asked, at=outcome.started_at)
            await _keep_start(answer, outcome)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        # A 2xx that came in time is a yes, however its body ends.
        if outcome.status is None or outcome.failure:
            outcome.failure = outcome.failure or _classify(error)
            outcome.response = outcome.response or str(error)[:300]
    outcome.duration_ms = int((time.perf_counter() - began) * 1000)
    return outcome


def _judge(status: int) -> Failure | None:
    """2xx only is a yes (Standard Webhooks 1.0.0)."""
    if 200 <= status < 300:
        return None
    if status == 410:
        return Failure.GONE
    return Failure.REDIRECT if 300 <= status < 400 else Failure.STATUS


async def _keep_start(answer: aiohttp.ClientResponse, outcome: Outcome) -> None:
    """Read an answer up to the limit; what goes on beyond it costs the connection, not us."""
    read = b""
    while len(read) < MAX_ANSWER_BYTES and not answer.content.at_eof():
        read += await answer.content.read(MAX_ANSWER_BYTES - len(read))
        kept = read[:KEPT_ANSWER_BYTES].decode("utf-8", "replace")
        outcome.response = kept.replace("\x00", "")


def _classify(error: Exception) -> Failure:
    cause = getattr(error, "os_error", error)
    if isinstance(cause, ForbiddenAddress):
        return Failure.FORBIDDEN
    for kind, failure in _FAILURES:
        if isinstance(error, kind):
            return failure
    return Failure.PROTOCOL


# The first that fits; TLS errors are connection errors too, and so are names not found.
_FAILURES: tuple[tuple[type[BaseException], Failure], ...] = (
    (aiohttp.InvalidURL, Failure.FORBIDDEN),  # another spelling of an address
    (TimeoutError, Failure.TIMEOUT),
    (aiohttp.ClientSSLError, Failure.TLS),
    (aiohttp.ClientConnectorCertificateError, Failure.TLS),
    (aiohttp.ClientConnectorDNSError, Failure.DNS),
    (aiohttp.ServerConnectionError, Failure.CONNECTION),
    (OSError, Failure.CONNECTION),
)
