"""Files are served to those who may see the conversation, as what they are, in pieces if asked."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.signing import TimestampSigner
from django.test import Client
from django.utils.timezone import now

from inbox.media import find_public, public_url
from inbox.models import Agent, Attachment, ChannelIdentity, Conversation, Message
from inbox.pages.downloads import avatar_url, file_url, thumbnail_url
from tests import files

BODY = bytes(range(256)) * 40

Keep = Callable[..., Attachment]


@pytest.fixture
def keep(conversation: Conversation) -> Keep:
    """A file of the conversation that is in our storage."""

    def put(
        body: bytes = BODY,
        *,
        kind: str = "image",
        mime_type: str = "image/png",
        **fields: Any,
    ) -> Attachment:
        message = Message.objects.create(
            conversation=conversation,
            channel=conversation.channel,
            direction="in",
            source="customer",
            status="received",
            type=kind,
            sent_at=now(),
        )
        attachment = Attachment(
            message=message,
            kind=kind,
            mime_type=mime_type,
            size=len(body),
            state="stored",
            **fields,
        )
        attachment.file.save("any.bin", ContentFile(body))
        return attachment

    return put


def body_of(response: Any) -> bytes:
    return b"".join(response) if response.streaming else bytes(response.content)


# --- to whom -------------------------------------------------------------------------------------


def test_a_file_is_shown_to_an_agent_who_may_see_it(
    keep: Keep, agent_client: Client
) -> None:
    attachment = keep(title="Bag.png")

    response = agent_client.get(file_url(attachment))

    assert response.status_code == 200
    assert body_of(response) == BODY
    assert response["Content-Type"] == "image/png"
    assert response["Content-Disposition"] == 'inline; filename="bag.png"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Cache-Control"] == "private, no-cache"
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert response["Content-Length"] == str(len(BODY))


def addresses(attachment: Attachment) -> list[str]:
    pk, person = attachment.pk, attachment.message.conversation.identity_id
    return [
        f"/inbox/files/{pk}/a.png",
        f"/inbox/thumbnails/{pk}",
        f"/inbox/avatars/{person}",
    ]


def test_whoever_has_not_signed_in_is_shown_nothing(keep: Keep, client: Client) -> None:
    for address in addresses(keep()):
        response = client.get(address)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_whoever_may_not_read_the_inbox_is_shown_nothing(
    keep: Keep, client: Client, agent: Agent
) -> None:
    agent.user_permissions.clear()
    client.force_login(agent)

    for address in addresses(keep()):
        assert client.get(address).status_code == 403


def test_a_file_of_a_conversation_that_is_not_theirs_is_not_there(
    keep: Keep, agent_client: Client
) -> None:
    """A stub's attachments are of no conversation, and so nobody's."""
    attachment = keep()
    Message.objects.filter(pk=attachment.message_id).update(
        conversation=None, is_stub=True
    )

    assert agent_client.get(file_url(attachment)).status_code == 404


def test_an_unsent_message_has_no_files(keep: Keep, agent_client: Client) -> None:
    attachment = keep()
    Message.objects.filter(pk=attachment.message_id).update(deleted_at=now())

    assert agent_client.get(file_url(attachment)).status_code == 404


@pytest.mark.parametrize(
    "path", ["files/99999999/a.png", "thumbnails/99999999", "avatars/99999999"]
)
def test_what_there_is_not_is_not_found(path: str, agent_client: Client) -> None:
    assert agent_client.get(f"/inbox/{path}").status_code == 404


def test_a_file_that_was_not_copied_or_is_lost_is_not_found(
    keep: Keep, agent_client: Client
) -> None:
    lost, remote = keep(), keep()
    default_storage.delete(lost.file.name)
    Attachment.objects.filter(pk=remote.pk).update(file="")

    assert agent_client.get(file_url(lost)).status_code == 404
    assert agent_client.get(f"/inbox/files/{remote.pk}/a.png").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_files_are_only_read(method: str, keep: Keep, agent_client: Client) -> None:
    for address in addresses(keep()):
        assert getattr(agent_client, method)(address).status_code == 405


def test_nothing_lies_open_at_the_storages_own_address(
    keep: Keep, agent_client: Client
) -> None:
    name = keep().file.name

    for path in (f"/media/{name}", f"/{name}", f"/static/{name}"):
        assert agent_client.get(path).status_code == 404


# --- as what -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "mime_type", "title", "told", "disposition"),
    [
        ("video", "video/mp4", "", "video/mp4", "inline"),
        ("audio", "audio/mp4", "", "audio/mp4", "inline"),
        ("sticker", "image/webp", "", "image/webp", "inline"),
        ("file", "application/pdf", "Bill.pdf", "application/pdf", "attachment"),
        ("file", "image/png", "scan.png", "image/png", "attachment"),
        ("file", "text/html", "x.html", "application/octet-stream", "attachment"),
        ("file", "image/svg+xml", "x.svg", "application/octet-stream", "attachment"),
        ("file", "text/javascript", "x.js", "application/octet-stream", "attachment"),
        ("file", "application/xml", "x.xml", "application/octet-stream", "attachment"),
        ("file", "", "x", "application/octet-stream", "attachment"),
        ("image", "text/html", "x.png", "application/octet-stream", "attachment"),
        ("image", "image/svg+xml", "x", "application/octet-stream", "attachment"),
        ("file", "a/b\r\nX: y", "x", "application/octet-stream", "attachment"),
    ],
)
def test_only_what_cannot_run_opens_in_the_browser(
    kind: str,
    mime_type: str,
    title: str,
    told: str,
    disposition: str,
    keep: Keep,
    agent_client: Client,
) -> None:
    attachment = keep(kind=kind, mime_type=mime_type, title=title)

    response = agent_client.get(file_url(attachment))

    assert response["Content-Type"] == told
    assert response["Content-Disposition"].partition(";")[0] == disposition
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("title", "mime_type", "name"),
    [
        ("Holiday photo.JPG", "image/png", "holiday-photo.png"),
        ("../../etc/passwd", "application/pdf", "passwd.pdf"),
        ("bill.exe", "image/png", "bill.png"),
        ('a\r\nb"c.docx', "application/zip", "a-bc.docx"),
        ("فاتورة.pdf", "application/pdf", "فاتورة.pdf"),
        ("", "video/mp4", "file-{pk}.mp4"),
        ("...", "application/pdf", "file-{pk}.pdf"),
    ],
)
def test_names_are_harmless_and_end_as_the_type_says(
    title: str, mime_type: str, name: str, keep: Keep, agent_client: Client
) -> None:
    attachment = keep(kind="file", mime_type=mime_type, title=title)

    response = agent_client.get(file_url(attachment))

    disposition = requests.utils.unquote(response["Content-Disposition"])
    assert disposition.endswith(
        (f'"{name.format(pk=attachment.pk)}"', f"''{name.format(pk=attachment.pk)}")
    )


def test_small_copies_and_avatars_are_pictures(
    keep: Keep, agent_client: Client, conversation: Conversation
) -> None:
    attachment, identity = keep(), conversation.identity
    attachment.thumbnail.save("t.webp", ContentFile(b"small"))
    identity.avatar.save("a.webp", ContentFile(b"face"))

    small = agent_client.get(thumbnail_url(attachment))
    face = agent_client.get(avatar_url(identity))

    assert (body_of(small), small["Content-Type"]) == (b"small", "image/webp")
    assert (body_of(face), face["Content-Type"]) == (b"face", "image/webp")
    assert face["Cache-Control"] == "private, max-age=86400"


def test_a_new_avatar_has_a_new_address(conversation: Conversation) -> None:
    identity = conversation.identity
    identity.avatar.save("a.webp", ContentFile(b"1"))
    first = avatar_url(identity)

    identity.avatar.save("b.webp", ContentFile(b"2"))

    assert avatar_url(identity) != first
    assert avatar_url(ChannelIdentity()) == ""


def test_the_list_and_the_thread_show_a_persons_picture(
    agent_client: Client, conversation: Conversation
) -> None:
    identity = conversation.identity
    path = f"/inbox/all/c/{conversation.pk}/"
    assert "dx-av-img" not in agent_client.get(path).content.decode()

    identity.avatar.save("a.webp", ContentFile(b"face"))

    page = agent_client.get(path).content.decode()
    assert page.count(f'src="{avatar_url(identity)}"') >= 3


# --- in pieces -----------------------------------------------------------------------------------

SIZE = len(BODY)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, SIZE - 1),
        ("bytes=-1", SIZE - 1, SIZE - 1),
        ("bytes=-100", SIZE - 100, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
        (f"bytes=5-{SIZE * 2}", 5, SIZE - 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
    ],
)
def test_a_player_is_given_the_piece_it_asks_for(
    asked: str, first: int, last: int, keep: Keep, agent_client: Client
) -> None:
    film = keep(kind="video", mime_type="video/mp4")

    response = agent_client.get(file_url(film), headers={"Range": asked})

    assert response.status_code == 206
    assert body_of(response) == BODY[first : last + 1]
    assert response["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert response["Content-Length"] == str(last - first + 1)
    assert response["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    "asked",
    [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0", "bytes=99999999999-"],
)
def test_a_piece_beyond_the_end_is_refused_with_the_size(
    asked: str, keep: Keep, agent_client: Client
) -> None:
    response = agent_client.get(file_url(keep()), headers={"Range": asked})

    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,5-6",
        "bytes=5-1",
        "bytes=-",
        "bytes=a-b",
        "lines=0-5",
        "bytes=0-1" + "0" * 30,
        "",
        "bytes = 0-5",
    ],
)
def test_what_is_no_single_range_is_answered_with_the_whole(
    asked: str, keep: Keep, agent_client: Client
) -> None:
    response = agent_client.get(file_url(keep()), headers={"Range": asked})

    assert response.status_code == 200
    assert body_of(response) == BODY


def test_a_piece_is_given_only_of_the_file_that_was_begun(
    keep: Keep, agent_client: Client
) -> None:
    url = file_url(keep())
    tag = agent_client.head(url)["ETag"]

    def status(condition: str) -> int:
        asked = {"Range": "bytes=0-9", "If-Range": condition}
        return agent_client.get(url, headers=asked).status_code

    assert status(tag) == 206
    assert status('"another"') == 200
    assert status(f"W/{tag}") == 200
    assert status("Wed, 21 Oct 2026 07:28:00 GMT") == 200


def test_what_a_browser_has_is_not_sent_again(keep: Keep, agent_client: Client) -> None:
    url = file_url(keep())
    tag = agent_client.get(url)["ETag"]

    assert agent_client.get(url, headers={"If-None-Match": tag}).status_code == 304
    assert agent_client.get(url, headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_head_tells_all_but_the_file(keep: Keep, agent_client: Client) -> None:
    response = agent_client.head(file_url(keep()))

    assert (response.status_code, response["Content-Length"]) == (200, str(SIZE))
    assert body_of(response) == b""


def test_a_picture_is_one_statement_beside_who_asks(
    keep: Keep, agent_client: Client, django_assert_max_num_queries: Any
) -> None:
    url = file_url(keep())
    agent_client.get(url)

    # The session, the agent, two for what the agent may do, the file.
    with django_assert_max_num_queries(5):
        agent_client.get(url)


# --- to whoever was given the address ------------------------------------------------------------


def test_a_public_address_needs_no_sign_in_and_does_not_redirect(
    keep: Keep, client: Client
) -> None:
    url = public_url(keep(kind="video", mime_type="video/mp4"))

    whole = client.get(path_of(url))

    assert (whole.status_code, body_of(whole)) == (200, BODY)
    piece = client.get(path_of(url), headers={"Range": "bytes=0-9"})
    assert whole["Content-Type"] == "video/mp4"
    assert (piece.status_code, body_of(piece)) == (206, BODY[:10])
    assert client.head(path_of(url))["Content-Length"] == str(SIZE)
    assert "Set-Cookie" not in whole


def path_of(url: str) -> str:
    return urlsplit(url).path


@pytest.mark.parametrize(
    "token", ["", "1", "1.abc", "1.abc.def", "x" * 500, "%00", "1:2:3"]
)
def test_a_made_up_public_address_is_not_found(
    token: str, client: Client, db: None
) -> None:
    assert client.get(f"/files/{token}").status_code == 404


def test_a_public_address_of_another_purpose_is_not_found(
    keep: Keep, client: Client
) -> None:
    foreign = TimestampSigner(salt="something else", sep=".").sign(str(keep().pk))

    assert client.get(f"/files/{foreign}").status_code == 404


def test_a_public_address_ends_after_six_hours(keep: Keep) -> None:
    class Then(TimestampSigner):
        def timestamp(self) -> str:
            return "1vpzvC"  # years ago

    attachment = keep()
    old = Then(salt="inbox.media.public", sep=".").sign(str(attachment.pk))

    assert find_public(old) is None
    assert find_public(public_url(attachment).rpartition("/")[2]) == attachment


def test_a_public_address_ends_with_the_message(keep: Keep, client: Client) -> None:
    unsent, dropped = keep(), keep()
    urls = [public_url(unsent), public_url(dropped)]
    Message.objects.filter(pk=unsent.message_id).update(deleted_at=now())
    dropped.delete()

    assert [client.get(path_of(url)).status_code for url in urls] == [404, 404]


def test_a_public_address_is_not_called_without_end(keep: Keep, client: Client) -> None:
    path = path_of(public_url(keep(body=b"x")))

    # Twice what a minute allows: a minute may end while we ask.
    answers = [client.head(path) for _ in range(602)]

    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_what_has_no_file_of_ours_keeps_its_own_address(keep: Keep) -> None:
    attachment = Attachment(remote_url="https://shop.example/a.png")

    assert public_url(attachment) == "https://shop.example/a.png"
    assert (file_url(attachment), thumbnail_url(attachment)) == ("", "")


# --- over real sockets ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_file_arrives_over_http(keep: Keep, asgi_server: str) -> None:
    big = files.picture() + bytes(3_000_000)
    url = asgi_server + path_of(public_url(keep(big)))

    whole = requests.get(url, timeout=10)
    piece = requests.get(url, headers={"Range": "bytes=1000-2000999"}, timeout=10)
    head = requests.head(url, timeout=10)

    assert whole.content == big
    assert piece.content == big[1000:2_001_000]
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(big)))


@pytest.mark.django_db(transaction=True)
def test_readers_who_do_not_read_hold_up_nobody(keep: Keep, asgi_server: str) -> None:
    """More of them than there are threads: pages are answered all the same."""
    path = path_of(public_url(keep(bytes(8_000_000))))
    host, port = asgi_server.removeprefix("http://").split(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    idle = [socket.create_connection((host, int(port))) for _ in range(24)]
    for one in idle:
        one.sendall(request)
        assert one.recv(12) == b"HTTP/1.1 200"

    answer = requests.get(f"{asgi_server}/healthz", timeout=5)

    assert answer.status_code == 200
    for one in idle:
        one.close()
