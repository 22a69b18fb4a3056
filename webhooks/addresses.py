"""Foreign addresses: what somebody else chose may not lead into our own network.

A look at the URL is a courtesy to whoever types it. What counts is the address that is dialled:
names are judged when they are resolved (one forbidden record refuses the host), and every
address again when its socket is made, because IP literals never reach a resolver.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import SplitResult, urlsplit

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import AsyncResolver
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

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

# One DNS question may take this long (seconds), twice; the attempt as a whole has its own limit.
DNS_TIMEOUT = 2.0
# Less than what common servers allow an idle connection: one they have just closed is a failure.
KEEPALIVE_SECONDS = 2.0
DNS_CACHE_SECONDS = 30


class ForbiddenAddress(OSError):
    """An address that nobody outside may make us call."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} leads to {address}, which is not a public address")


def is_forbidden(address: str) -> bool:
    """Whether this address (no name) is outside the public internet and not allowed by settings."""
    judged = _unwrapped(ip_address(address))
    allowed = _networks(tuple(settings.WEBHOOK_ALLOWED_NETWORKS))
    if any(judged in network for network in allowed):
        return False
    return any(judged in network for network in FORBIDDEN)


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@lru_cache(maxsize=4)
def _networks(names: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(name, strict=False) for name in names)


# --- at dialling ---------------------------------------------------------------------------------


class GuardedResolver(AbstractResolver):
    """Refuses a host if any of its records is forbidden."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,
    ) -> list[ResolveResult]:
        records = await self._inner.resolve(host, port, family)
        for record in records:
            if is_forbidden(record["host"]):
                raise ForbiddenAddress(host, record["host"])
        return records

    async def close(self) -> None:
        await self._inner.close()


_AddressInfo = tuple[
    int | socket.AddressFamily,
    int | socket.SocketKind,
    int,
    str,
    tuple[str | bytes, ...] | tuple[str | int, ...],
]


def make_socket(info: _AddressInfo) -> socket.socket:
    """A socket to dial this address with. Raises ForbiddenAddress."""
    family, kind, protocol, _name, address = info
    dialled = str(address[0])
    if is_forbidden(dialled):
        raise ForbiddenAddress(dialled, dialled)
    return socket.socket(family, kind, protocol)


def guarded_connector(resolver: AbstractResolver | None = None) -> TCPConnector:
    """A connector for a `ClientSession` that calls addresses which others chose."""
    names = resolver or AsyncResolver(timeout=DNS_TIMEOUT, tries=2)
    return TCPConnector(
        resolver=GuardedResolver(names),
        socket_factory=make_socket,
        ttl_dns_cache=DNS_CACHE_SECONDS,
        keepalive_timeout=KEEPALIVE_SECONDS,
        limit=0,
    )


# --- at saving -----------------------------------------------------------------------------------


def validate_url(url: str) -> None:
    """Tell whoever enters an address what will not work. Raises ValidationError."""
    parts = _split(url)
    if parts.username is not None or parts.password is not None:
        raise ValidationError(
            _(
                "Leave user name and password out of the address: deliveries are signed instead."
            )
        )
    if parts.fragment or "#" in url:
        raise ValidationError(_("An address cannot have a part after #."))
    host = parts.hostname or ""
    literal = _literal(host)
    if literal and is_forbidden(literal):
        raise ValidationError(
            _("%(address)s is not a public address; deliveries to it would be refused.")
            % {"address": literal}
        )
    if parts.scheme != "https" and not _is_allowed_host(host, literal):
        raise ValidationError(
            _("Use https: deliveries carry what your customers write.")
        )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname)
        is_whole = is_whole and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or any(char.isspace() or not char.isprintable() for char in url):
        raise ValidationError(_("Enter a whole address, like https://example.com/hook"))
    return parts


def _literal(host: str) -> str:
    """The IP address that `host` is, in any spelling (127.1, 0x7f.1, 2130706433); "" for a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return ""


def _is_allowed_host(host: str, literal: str) -> bool:
    """Whether `host` lies wholly in WEBHOOK_ALLOWED_NETWORKS, where plain HTTP may do."""
    if not settings.WEBHOOK_ALLOWED_NETWORKS:
        return False
    allowed = _networks(tuple(settings.WEBHOOK_ALLOWED_NETWORKS))
    addresses = [literal] if literal else _look_up(host)
    return bool(addresses) and all(
        any(_unwrapped(ip_address(address)) in network for network in allowed)
        for address in addresses
    )


def _look_up(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(info[4][0]) for info in found]
