"""Foreign addresses: what somebody else chose may not lead into our own network.

A look at the URL is a courtesy. What counts is the address that is dialled: a name is resolved
once, one forbidden record refuses the host, and what was judged is what the socket is made to.
Webhooks dial through `webhooks.addresses` (aiohttp), downloads through `download` (requests).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from http.client import HTTPException
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import IO, Any
from urllib.parse import urljoin

import aiodns
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

# Everything that IANA's special-purpose registries (2026) do not give to the public internet.
# `ipaddress.is_global` is not enough: Python 3.11 calls 64:ff9b::7f00:1 and 224.0.0.1 global.
FORBIDDEN = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        # Public IPv6 is 2000::/3, less what is carved out of it.
        "::/3",
        "4000::/2",
        "8000::/1",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
# IPv4 as an IPv6-only network writes it (RFC 6052): judged by the address within.
NAT64 = IPv6Network("64:ff9b::/96")

# One DNS question may take this long (seconds), twice; the call as a whole has its own limit.
DNS_TIMEOUT = 2.0
CONNECT_SECONDS = 5.0
# No single wait of a download is longer than this (seconds), whatever is left in all.
READ_SECONDS = 15.0
MAX_REDIRECTS = 3
CHUNK_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class ForbiddenAddress(OSError):
    """An address that nobody outside may make us call."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} leads to {address}, which is not a public address")


class ForbiddenURL(Exception):
    """A URL that is not called, whatever it leads to: another host, scheme or port than agreed."""


class TooLarge(Exception):
    """The other side has more for us than we asked for."""


class Unreachable(Exception):
    """No whole answer in time; it may be better later."""


# --- judging -------------------------------------------------------------------------------------


def is_forbidden(address: str, *, allowed: Sequence[str] = ()) -> bool:
    """Whether this address (no name) is outside the public internet.

    allowed: networks in which it may lie all the same.
    """
    if lies_in(address, allowed):
        return False
    judged = _unwrapped(ip_address(address))
    return any(judged in network for network in FORBIDDEN)


def lies_in(address: str, networks: Sequence[str]) -> bool:
    judged = _unwrapped(ip_address(address))
    return any(judged in network for network in _networks(tuple(networks)))


def literal_address(host: str) -> str:
    """The IP address that `host` is, in any spelling (127.1, 0x7f.1, 2130706433); "" for a name."""
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return ""


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@lru_cache(maxsize=8)
def _networks(names: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(name, strict=False) for name in names)


# --- dialling ------------------------------------------------------------------------------------

# A host's addresses, found within so many seconds. Raises OSError.
Resolve = Callable[[str, float], Sequence[str]]


def look_up(host: str, seconds: float) -> list[str]:
    """By DNS with a deadline: `getaddrinfo` has none, and a thread that waits in it stays there."""

    async def ask() -> list[str]:
        resolver = aiodns.DNSResolver(timeout=min(DNS_TIMEOUT, seconds), tries=2)
        async with asyncio.timeout(seconds):
            found = await resolver.getaddrinfo(host, type=socket.SOCK_STREAM)
        return [_text(node.addr[0]) for node in found.nodes]

    try:
        return asyncio.run(ask())
    except aiodns.error.DNSError as error:
        raise OSError(f"no address of {host}") from error


def _text(address: bytes | str) -> str:
    return address.decode() if isinstance(address, bytes) else address


class _Line:
    """The connections of one download: judged when dialled, cut when its time is up."""

    def __init__(
        self, ends_at: float, allowed: Sequence[str], resolve: Resolve
    ) -> None:
        self.ends_at = ends_at
        self.forbidden: ForbiddenAddress | None = None
        self.was_cut = False
        self._allowed = allowed
        self._resolve = resolve
        self._open: list[socket.socket] = []
        self._alarm = threading.Timer(max(0, self.left), self._cut)
        self._alarm.daemon = True

    def __enter__(self) -> _Line:
        self._alarm.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._alarm.cancel()
        for one in self._open:
            one.close()

    @property
    def left(self) -> float:
        return self.ends_at - time.monotonic()

    def dial(self, connection: HTTPConnection) -> socket.socket:
        """A socket to the host, at an address that was judged and no other."""
        host = connection.host
        last: OSError = OSError(f"no address of {host}")
        try:
            for address in self._judged(host):
                try:
                    return self._connect(address, connection.port or 0)
                except OSError as error:
                    last = error
        except ForbiddenAddress as error:
            self.forbidden = error
            raise NewConnectionError(connection, str(error)) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, "no address in time") from error
        except OSError as error:
            last = error
        raise NewConnectionError(connection, str(last)) from last

    def _judged(self, host: str) -> list[str]:
        literal = literal_address(host)
        found = [literal] if literal else list(self._resolve(host, max(0.1, self.left)))
        for address in found:
            if is_forbidden(address, allowed=self._allowed):
                raise ForbiddenAddress(host, address)
        return found

    def _connect(self, address: str, port: int) -> socket.socket:
        if self.left <= 0:
            raise TimeoutError
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(min(CONNECT_SECONDS, self.left))
            made.connect((address, port))
        except OSError:
            made.close()
            raise
        made.settimeout(min(READ_SECONDS, max(0.1, self.left)))
        # A second handle on the connection: TLS takes the first one over.
        self._open.append(made.dup())
        if self.was_cut:
            self._cut()
        return made

    def _cut(self) -> None:
        """However slowly the other side drips, nobody waits for it any longer."""
        self.was_cut = True
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _GuardedHTTP(HTTPConnection):
    def __init__(self, *args: Any, line: _Line, **options: Any) -> None:
        super().__init__(*args, **options)
        self._line = line

    def _new_conn(self) -> socket.socket:
        return self._line.dial(self)


class _GuardedHTTPS(HTTPSConnection):
    def __init__(self, *args: Any, line: _Line, **options: Any) -> None:
        super().__init__(*args, **options)
        self._line = line

    def _new_conn(self) -> socket.socket:
        return self._line.dial(self)


class GuardedAdapter(HTTPAdapter):
    """Connects through one line, and never through a proxy."""

    def __init__(self, line: _Line) -> None:
        super().__init__(max_retries=0)
        self._line = line

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, *_: Any, **__: Any
    ) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, verify)
        is_tls = isinstance(pool, HTTPSConnectionPool)
        pool.ConnectionCls = _GuardedHTTPS if is_tls else _GuardedHTTP
        pool.conn_kw["line"] = self._line
        return pool


# --- downloading ---------------------------------------------------------------------------------

# Which networks that are not public a URL may lead into; mostly none. Raises ForbiddenURL.
Judge = Callable[[str], Sequence[str]]


def download(
    url: str,
    into: IO[bytes],
    *,
    judge: Judge,
    max_bytes: int,
    seconds: float,
    resolve: Resolve = look_up,
) -> int:
    """GET a file that somebody else named. Returns the HTTP status; 200: all of it is in `into`.

    Sends nothing of ours: no token, no cookie. Follows redirects where `judge` agrees. seconds:
    for everything, names included. Raises ForbiddenURL, ForbiddenAddress, TooLarge, Unreachable.
    """
    ends_at = time.monotonic() + seconds
    for _hop in range(MAX_REDIRECTS + 1):
        with _answer(url, judge(url), ends_at, resolve) as answer:
            if answer.status_code == 200:
                _copy(answer, into, max_bytes)
            if answer.status_code not in _REDIRECTS:
                return answer.status_code
            url = urljoin(url, answer.headers.get("Location", ""))
    raise ForbiddenURL("redirected too often")


@contextlib.contextmanager
def _answer(
    url: str, allowed: Sequence[str], ends_at: float, resolve: Resolve
) -> Iterator[requests.Response]:
    with _Line(ends_at, allowed, resolve) as line, requests.Session() as session:
        session.trust_env = False
        for scheme in ("https://", "http://"):
            session.mount(scheme, GuardedAdapter(line))
        try:
            with session.get(
                url,
                # As it is: what unfolds while it is read has no size that can be limited before.
                headers={"Accept-Encoding": "identity", "User-Agent": "Dexra"},
                timeout=(CONNECT_SECONDS, max(0.1, min(READ_SECONDS, line.left))),
                allow_redirects=False,
                stream=True,
            ) as answer:
                yield answer
            if line.was_cut:
                raise Unreachable("took too long")
        except requests.exceptions.InvalidURL as error:
            raise ForbiddenURL(str(error)) from error
        except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
            if line.forbidden:
                raise line.forbidden from error
            raise Unreachable(type(error).__name__) from error


def _copy(answer: requests.Response, into: IO[bytes], max_bytes: int) -> None:
    declared = answer.headers.get("Content-Length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > max_bytes:
        raise TooLarge
    raw: urllib3.HTTPResponse = answer.raw
    size = 0
    # What has arrived, not what was asked for: a full chunk may never come.
    while chunk := raw.read1(CHUNK_BYTES, decode_content=False):
        size += len(chunk)
        if size > max_bytes:
            raise TooLarge
        into.write(chunk)
    if declared.isascii() and declared.isdigit() and size != int(declared):
        raise Unreachable("ended early")
