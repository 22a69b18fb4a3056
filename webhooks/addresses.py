"""What an integrator's address may lead to: the guard of `inbox.addresses`, for aiohttp.

A look at the URL is a courtesy to whoever types it. What counts is the address that is dialled:
names are judged when they are resolved (one forbidden record refuses the host), and every
address again when its socket is made, because IP literals never reach a resolver.
"""

from __future__ import annotations

import socket
from urllib.parse import SplitResult, urlsplit

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import AsyncResolver
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from inbox import addresses
from inbox.addresses import DNS_TIMEOUT, ForbiddenAddress, lies_in, literal_address

# Less than what common servers allow an idle connection: one they have just closed is a failure.
KEEPALIVE_SECONDS = 2.0
DNS_CACHE_SECONDS = 30


def is_forbidden(address: str) -> bool:
    """Whether this address (no name) is outside the public internet and not allowed by settings."""
    return addresses.is_forbidden(address, allowed=settings.WEBHOOK_ALLOWED_NETWORKS)


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
    literal = literal_address(host)
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


def _is_allowed_host(host: str, literal: str) -> bool:
    """Whether `host` lies wholly in WEBHOOK_ALLOWED_NETWORKS, where plain HTTP may do."""
    if not settings.WEBHOOK_ALLOWED_NETWORKS:
        return False
    found = [literal] if literal else _look_up(host)
    return bool(found) and all(
        lies_in(address, settings.WEBHOOK_ALLOWED_NETWORKS) for address in found
    )


def _look_up(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(info[4][0]) for info in found]
