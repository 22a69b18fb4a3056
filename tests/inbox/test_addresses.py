"""What others have us download, from real sockets that do not mean well."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO

import pytest

from inbox.addresses import (
    ForbiddenAddress,
    ForbiddenURL,
    TooLarge,
    Unreachable,
    download,
)

HERE = ("127.0.0.0/8",)
Behaviour = Callable[[socket.socket], None]


class Server:
    """Answers every request by the next behaviour; remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.behaviours: list[Behaviour] = []
        self.done = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=[peer], daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with suppress(OSError), peer:
            self.requests.append(peer.recv(65536))
            self.behaviours[min(len(self.requests), len(self.behaviours)) - 1](peer)

    def close(self) -> None:
        self.done.set()
        self._socket.close()

    def drip(self, beginning: bytes, drop: bytes) -> Behaviour:
        """A few bytes at a time, for ever."""

        def behave(peer: socket.socket) -> None:
            peer.sendall(beginning)
            while not self.done.wait(0.02):
                peer.sendall(drop)

        return behave


def say(*parts: bytes) -> Behaviour:
    return lambda peer: peer.sendall(b"".join(parts))


def answer(body: bytes, status: str = "200 OK", *headers: str) -> Behaviour:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return say("\r\n".join(lines).encode(), body)


def endless(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.sendall(b"x" * 65536)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


class Names:
    """What DNS says, and says another time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, seconds: float) -> Sequence[str]:
        self.asked += 1
        return self._answers[min(self.asked, len(self._answers)) - 1]


def fetch(
    url: str,
    *,
    allowed: Sequence[str] = HERE,
    names: Names | None = None,
    max_bytes: int = 100_000,
    seconds: float = 5,
) -> tuple[int, bytes]:
    into = BytesIO()
    status = download(
        url,
        into,
        judge=lambda address: allowed,
        max_bytes=max_bytes,
        seconds=seconds,
        resolve=names or Names(["127.0.0.1"]),
    )
    return status, into.getvalue()


def test_a_file_arrives_whole(server: Server) -> None:
    server.behaviours = [answer(b"picture" * 10_000)]

    assert fetch(f"http://cdn.example:{server.port}/a.png") == (
        200,
        b"picture" * 10_000,
    )


def test_nothing_of_ours_is_told(server: Server) -> None:
    server.behaviours = [answer(b"x")]

    fetch(f"http://cdn.example:{server.port}/a?signature=1")

    request = server.requests[0].decode()
    assert request.startswith("GET /a?signature=1 HTTP/1.1")
    assert not {"cookie", "authorization", "referer"} & {
        line.partition(":")[0].lower() for line in request.splitlines()
    }


def test_a_proxy_of_the_environment_is_not_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.behaviours = [answer(b"direct")]

    assert fetch(f"http://cdn.example:{server.port}/") == (200, b"direct")


def test_what_is_no_success_is_told_without_its_body(server: Server) -> None:
    server.behaviours = [answer(b"URL signature expired", "403 Forbidden")]

    assert fetch(f"http://cdn.example:{server.port}/") == (403, b"")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "0",
    ],
)
def test_no_spelling_of_our_own_network_is_dialled(host: str, server: Server) -> None:
    server.behaviours = [answer(b"secret")]

    with pytest.raises(ForbiddenAddress):
        fetch(f"http://{host}:{server.port}/", allowed=())
    assert not server.requests


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["1.1.1.1", "10.0.0.1"],
        ["10.0.0.1", "1.1.1.1"],
        ["2606:4700::1", "::ffff:169.254.169.254"],
        ["fd00::1"],
    ],
)
def test_one_forbidden_record_refuses_a_name(addresses: list[str]) -> None:
    with pytest.raises(ForbiddenAddress):
        fetch("https://cdn.example/", allowed=(), names=Names(addresses))


def test_a_name_is_asked_for_once_and_what_was_judged_is_dialled(
    server: Server,
) -> None:
    """Rebinding: the second answer would lead elsewhere."""
    server.behaviours = [answer(b"as judged")]
    names = Names(["127.0.0.1"], ["127.0.0.99"])

    assert fetch(f"http://cdn.example:{server.port}/", names=names) == (
        200,
        b"as judged",
    )
    assert names.asked == 1


def test_a_name_that_is_rebound_between_two_hops_is_judged_again(
    server: Server,
) -> None:
    server.behaviours = [answer(b"", "302 Found", "Location: /again")]
    names = Names(["127.0.0.1"], ["10.0.0.1"])

    with pytest.raises(ForbiddenAddress):
        fetch(f"http://cdn.example:{server.port}/", names=names)


def test_the_next_address_is_tried_where_one_does_not_answer(server: Server) -> None:
    server.behaviours = [answer(b"here")]
    names = Names(["127.0.0.2", "127.0.0.1"])

    assert fetch(f"http://cdn.example:{server.port}/", names=names) == (200, b"here")


def test_every_hop_of_a_redirect_is_judged(server: Server) -> None:
    server.behaviours = [
        answer(b"", "302 Found", "Location: http://169.254.169.254/latest/meta-data")
    ]

    def judge(url: str) -> Sequence[str]:
        if "cdn.example" not in url:
            raise ForbiddenURL(url)
        return HERE

    with pytest.raises(ForbiddenURL):
        download(
            f"http://cdn.example:{server.port}/",
            BytesIO(),
            judge=judge,
            max_bytes=100,
            seconds=5,
            resolve=Names(["127.0.0.1"]),
        )


def test_a_redirect_within_the_agreed_is_followed(server: Server) -> None:
    server.behaviours = [
        answer(b"moved", "302 Found", "Location: /real.png"),
        answer(b"picture"),
    ]

    assert fetch(f"http://cdn.example:{server.port}/a") == (200, b"picture")


def test_redirects_without_end_are_not_followed(server: Server) -> None:
    server.behaviours = [answer(b"", "302 Found", "Location: /again")]

    with pytest.raises(ForbiddenURL):
        fetch(f"http://cdn.example:{server.port}/")
    assert len(server.requests) == 4


def test_a_length_over_the_limit_is_refused_before_anything_is_read(
    server: Server,
) -> None:
    server.behaviours = [
        say(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n")
    ]

    with pytest.raises(TooLarge):
        fetch(f"http://cdn.example:{server.port}/", seconds=60)


def test_a_stream_without_end_is_left_at_the_limit(server: Server) -> None:
    server.behaviours = [endless]

    with pytest.raises(TooLarge):
        fetch(f"http://cdn.example:{server.port}/", seconds=60)


def test_what_is_packed_is_not_unpacked(server: Server) -> None:
    """A kilobyte that unpacks to a gigabyte stays a kilobyte."""
    packed = b"\x1f\x8b\x08" + b"\0" * 1000
    server.behaviours = [answer(packed, "200 OK", "Content-Encoding: gzip")]

    assert fetch(f"http://cdn.example:{server.port}/") == (200, packed)


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"H"),
        (b"", b""),
    ],
    ids=["body", "body of known length", "headers", "status line", "silence"],
)
def test_a_peer_that_drips_is_cut_off_in_time(
    beginning: bytes, drop: bytes, server: Server
) -> None:
    server.behaviours = [server.drip(beginning, drop)]

    with pytest.raises(Unreachable):
        fetch(f"http://cdn.example:{server.port}/", seconds=0.4)


def test_half_a_file_is_no_file(server: Server) -> None:
    server.behaviours = [say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")]

    with pytest.raises(Unreachable):
        fetch(f"http://cdn.example:{server.port}/")


@pytest.mark.parametrize(
    "spoken", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 wat\r\n\r\n", b"\0\1\2\r\n\r\n"]
)
def test_what_is_no_answer_may_be_one_later(spoken: bytes, server: Server) -> None:
    server.behaviours = [say(spoken)]

    with pytest.raises(Unreachable):
        fetch(f"http://cdn.example:{server.port}/")


def test_a_name_without_an_address_may_have_one_later() -> None:
    def nothing(host: str, seconds: float) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(Unreachable):
        download(
            "https://cdn.example/",
            BytesIO(),
            judge=lambda url: (),
            max_bytes=1,
            seconds=5,
            resolve=nothing,
        )


@pytest.mark.parametrize("url", ["https://", "https://[::1", "https://a b/", "nothing"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises((ForbiddenURL, Unreachable)):
        fetch(url)
