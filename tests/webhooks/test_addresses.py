"""Addresses that others chose must not lead into our own network."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from django.core.exceptions import ValidationError

from tests.webhooks.conftest import Receiver
from webhooks.addresses import (
    ForbiddenAddress,
    guarded_connector,
    is_forbidden,
    validate_url,
)

FORBIDDEN = [
    "0.0.0.0",  # noqa: S104 - judged, not bound
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "172.15.0.1",
    "172.32.0.1",
    "223.255.255.254",
    "2606:2800:220:1::1",
    "2a03:2880::1",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
]


@pytest.fixture
def _nothing_allowed(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []


nothing_allowed = pytest.mark.usefixtures("_nothing_allowed")


@nothing_allowed
@pytest.mark.parametrize("address", FORBIDDEN)
def test_addresses_outside_the_public_internet_are_forbidden(address: str) -> None:
    assert is_forbidden(address)


@nothing_allowed
@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not_forbidden(address: str) -> None:
    assert not is_forbidden(address)


def test_settings_may_allow_a_network(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["10.0.0.0/8", "fd00::/8"]

    assert not is_forbidden("10.1.2.3")
    assert not is_forbidden("::ffff:10.1.2.3")
    assert not is_forbidden("fd12::1")
    assert is_forbidden("127.0.0.1")


# --- at dialling -----------------------------------------------------------------------------------


class FakeNames(AbstractResolver):
    """Names and their addresses, as somebody's DNS server might say."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self._addresses
        ]

    async def close(self) -> None: ...


def call(url: str, *addresses: str) -> int:
    """POST through the guarded connector; names resolve to `addresses`. The status."""

    async def post() -> int:
        resolver = FakeNames(*addresses) if addresses else None
        async with (
            aiohttp.ClientSession(connector=guarded_connector(resolver)) as session,
            asyncio.timeout(5),
            session.post(url, data=b"{}") as answer,
        ):
            return answer.status

    return asyncio.run(post())


def refused(url: str, *addresses: str) -> bool:
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        call(url, *addresses)
    return isinstance(caught.value.os_error, ForbiddenAddress)


@nothing_allowed
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
    ],
)
def test_a_forbidden_literal_is_not_dialled(host: str, receiver: Receiver) -> None:
    port = receiver.url.split(":")[2]

    assert refused(f"http://{host}:{port}")
    assert not receiver.received


@nothing_allowed
@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1", "0177.0.0.1"])
def test_no_spelling_of_our_own_address_is_dialled(
    host: str, receiver: Receiver
) -> None:
    """aiohttp refuses most of these by itself; a resolver takes the others for 127.0.0.1."""
    url = receiver.url.replace("127.0.0.1", host)

    with pytest.raises(aiohttp.ClientError):
        call(url, "127.0.0.1")
    assert not receiver.received


@nothing_allowed
@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["1.1.1.1", "127.0.0.1"],
        ["127.0.0.1", "1.1.1.1"],
        ["1.1.1.1", "::1"],
        ["2606:2800:220:1::1", "fd00::1"],
    ],
)
def test_one_forbidden_record_refuses_a_name(addresses: list[str]) -> None:
    assert refused("http://hooks.example/dexra", *addresses)


class ChangingNames(FakeNames):
    """A name that is public when somebody looks, and ours when it is dialled."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        (first, *others) = self._addresses
        self._addresses = (*others, first)
        return await FakeNames(first).resolve(host, port, family)


@nothing_allowed
def test_a_name_that_changes_its_mind_is_judged_by_what_is_dialled(
    receiver: Receiver,
) -> None:
    """The lookup that is judged is the one that is dialled: there is no second."""
    port = receiver.url.split(":")[2].split("/")[0]
    names = ChangingNames("192.0.2.1", "127.0.0.1")

    async def post() -> list[type[BaseException]]:
        connector = guarded_connector(names)
        connector._use_dns_cache = False  # each attempt asks anew
        found = []
        async with aiohttp.ClientSession(connector=connector) as session:
            for _ in range(4):
                try:
                    async with (
                        asyncio.timeout(0.3),
                        session.post(f"http://rebind.example:{port}/"),
                    ):
                        found.append(type(None))
                except (aiohttp.ClientError, TimeoutError) as error:
                    found.append(type(error))
        return found

    assert type(None) not in asyncio.run(post())
    assert not receiver.received


def test_a_name_in_an_allowed_network_is_dialled(receiver: Receiver) -> None:
    url = receiver.url.replace("127.0.0.1", "hooks.example")

    assert call(url, "127.0.0.1") == 200
    assert receiver.received[0].headers["host"].startswith("hooks.example:")


# --- at saving ---------------------------------------------------------------------------------------


@nothing_allowed
@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/dexra",
        "https://hooks.example:8443/dexra?tenant=1",
        "https://xn--mgbh0fb.example/",
        "https://1.1.1.1/hook",
    ],
)
def test_a_public_https_address_is_accepted(url: str) -> None:
    validate_url(url)


@nothing_allowed
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "Enter a whole address"),
        ("hooks.example/dexra", "Enter a whole address"),
        ("ftp://hooks.example/", "Enter a whole address"),
        ("https://", "Enter a whole address"),
        ("https:///path", "Enter a whole address"),
        ("https://hooks.example:99999/", "Enter a whole address"),
        ("https://hooks.example:0/", "Enter a whole address"),
        ("https://hooks.example/a b", "Enter a whole address"),
        ("https://hooks.example/\r\nX: 1", "Enter a whole address"),
        ("https://[::1/", "Enter a whole address"),
        ("https://user:pw@hooks.example/", "user name and password"),
        ("https://hooks.example@127.0.0.1/", "user name and password"),
        ("https://hooks.example/#part", "after #"),
        ("http://hooks.example/", "Use https"),
        ("https://127.0.0.1/", "127.0.0.1 is not a public address"),
        ("https://127.1/", "127.0.0.1 is not a public address"),
        ("https://0x7f.1/", "127.0.0.1 is not a public address"),
        ("https://2130706433/", "127.0.0.1 is not a public address"),
        ("https://0177.0.0.1/", "127.0.0.1 is not a public address"),
        ("https://[::1]/", "::1 is not a public address"),
        ("https://[::ffff:10.0.0.1]/", "is not a public address"),
    ],
)
def test_an_address_that_will_not_work_is_explained(url: str, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        validate_url(url)


def test_plain_http_will_do_within_an_allowed_network(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]

    validate_url("http://127.0.0.1:8000/hook")
    with pytest.raises(ValidationError, match="Use https"):
        validate_url("http://1.1.1.1/hook")
    with pytest.raises(ValidationError, match="Use https"):
        validate_url("http://hooks.invalid/hook")
