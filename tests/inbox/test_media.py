"""Files of customers: copied once, looked into, kept without harm, and forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
import responses
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils.timezone import now
from PIL import Image

from inbox import live
from inbox.channels import ErrorClass, SendError
from inbox.errors import ContentInvalid
from inbox.media import (
    drop_attachments,
    fetch_attachment,
    fetch_avatar,
    store_upload,
    sweep_files,
)
from inbox.models import Attachment, Conversation, Message
from tests import files

URL = "https://scontent-cdg.xx.fbcdn.net/v/t1/photo?oh=1&oe=2"

Give = Callable[..., Attachment]


@pytest.fixture
def give(conversation: Conversation) -> Give:
    """The customer sent something that lies on the platform's server."""

    def put(kind: str = "image", url: str = URL, **fields: Any) -> Attachment:
        message = Message.objects.create(
            conversation=conversation,
            channel=conversation.channel,
            direction="in",
            source="customer",
            status="received",
            type=fields.pop("type", kind),
            extra=fields.pop("told", {}),
            sent_at=now(),
        )
        return Attachment.objects.create(
            message=message, kind=kind, remote_url=url, **fields
        )

    return put


@pytest.fixture
def cdn() -> Any:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as faked:
        yield faked


def stored_names(folder: str = "attachments") -> list[str]:
    """Every file below a folder of the storage."""
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return []
    below = [one for name in folders for one in stored_names(f"{folder}/{name}")]
    return [*below, *(f"{folder}/{name}" for name in names)]


@pytest.fixture(autouse=True)
def _empty_storage() -> None:
    for root in ("attachments", "avatars"):
        for name in stored_names(root):
            default_storage.delete(name)


def fetched(attachment: Attachment) -> Attachment:
    fetch_attachment(attachment.pk)
    attachment.refresh_from_db()
    return attachment


# --- copying -------------------------------------------------------------------------------------


def test_a_photo_is_copied_measured_and_made_small(give: Give, cdn: Any) -> None:
    body = files.picture("JPEG", (1600, 1200))
    cdn.get(URL, body=body)

    photo = fetched(give())

    assert (photo.state, photo.mime_type, photo.size) == (
        "stored",
        "image/jpeg",
        len(body),
    )
    assert (photo.width, photo.height) == (1600, 1200)
    assert photo.file.read() == body
    with Image.open(photo.thumbnail) as small:
        assert (small.format, small.size) == ("WEBP", (640, 480))


def test_a_photo_is_shown_as_it_was_held_and_without_where(
    give: Give, cdn: Any
) -> None:
    cdn.get(URL, body=files.photo_on_its_side())

    photo = fetched(give())

    assert (photo.width, photo.height) == (40, 80)
    with Image.open(photo.thumbnail) as small:
        assert small.size == (40, 80)
        assert not small.getexif()
        assert "icc_profile" not in small.info
    assert b"ACME" not in default_storage.open(photo.thumbnail.name).read()


def test_a_moving_picture_keeps_its_moves(give: Give, cdn: Any) -> None:
    cdn.get(URL, body=files.moving_picture())

    picture = fetched(give())

    assert (picture.mime_type, picture.width, picture.height) == ("image/gif", 40, 30)
    assert Image.open(picture.file).n_frames == 3


@pytest.mark.parametrize(
    ("announced", "body", "kind", "mime_type"),
    [
        ("image", files.MP4, "video", "video/mp4"),
        ("video", files.picture(), "image", "image/png"),
        ("audio", files.MP4, "audio", "audio/mp4"),
        ("audio", files.voice(), "audio", "audio/wav"),
        ("video", files.voice(), "audio", "audio/wav"),
        ("image", files.PDF, "file", "application/pdf"),
        ("image", files.picture("TIFF"), "file", "image/tiff"),
        ("sticker", files.picture("WEBP"), "sticker", "image/webp"),
        ("file", files.picture(), "file", "image/png"),
        ("file", files.PDF, "file", "application/pdf"),
        ("file", files.PAGE, "file", "text/html"),
        ("file", files.DRAWING, "file", "image/svg+xml"),
    ],
)
def test_the_bytes_say_what_it_is_never_the_header(
    announced: str, body: bytes, kind: str, mime_type: str, give: Give, cdn: Any
) -> None:
    cdn.get(URL, body=body, content_type="image/jpeg")

    attachment = fetched(give(announced))

    assert (attachment.state, attachment.kind, attachment.mime_type) == (
        "stored",
        kind,
        mime_type,
    )


@pytest.mark.parametrize(
    ("announced", "body", "reason"),
    [
        pytest.param("image", files.PAGE, "not_media", id="a page"),
        pytest.param(
            "image", b"\n  <html><body>Sorry", "not_media", id="an error page"
        ),
        pytest.param("video", files.DRAWING, "not_media", id="an svg"),
        pytest.param("image", files.GIF_AND_PAGE, "not_media", id="a polyglot"),
        pytest.param("image", files.picture()[:30], "not_media", id="a stump"),
        pytest.param("image", files.bomb(), "too_many_pixels", id="a bomb"),
        pytest.param(
            "sticker", files.bomb(60_000, 60_000), "too_many_pixels", id="two"
        ),
        pytest.param("file", files.PROGRAM, "program", id="a program"),
        pytest.param("audio", b"\x7fELF\2\1\1" + b"\0" * 60, "program", id="an elf"),
        pytest.param("audio", b"", "empty", id="nothing"),
    ],
)
def test_what_could_do_harm_is_not_kept(
    announced: str, body: bytes, reason: str, give: Give, cdn: Any
) -> None:
    cdn.get(URL, body=body, content_type="image/png")

    attachment = fetched(give(announced))

    assert (attachment.state, attachment.extra["reason"]) == ("refused", reason)
    assert not attachment.file
    assert not stored_names()


def test_a_note_that_unpacks_to_a_hundred_megabytes_stays_packed(
    give: Give, cdn: Any
) -> None:
    cdn.get(URL, body=files.swollen_text())

    picture = fetched(give())

    assert picture.state in {"stored", "refused"}
    assert not picture.thumbnail or picture.thumbnail.size < 100_000


def test_a_photo_that_breaks_off_is_kept_without_a_small_copy(
    give: Give, cdn: Any
) -> None:
    cdn.get(URL, body=files.picture("JPEG", (400, 300))[:-600])

    photo = fetched(give())

    assert (photo.state, photo.width, photo.height) == ("stored", 400, 300)
    assert not photo.thumbnail


def test_the_most_that_is_copied_is_a_setting(
    give: Give, cdn: Any, settings: Any
) -> None:
    settings.MEDIA_MAX_BYTES = 1000
    cdn.get(URL, body=files.picture("BMP", (100, 100)))

    attachment = fetched(give("file"))

    assert (attachment.state, attachment.extra["reason"]) == ("refused", "too_large")


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_address_that_ran_out_is_expired(status: int, give: Give, cdn: Any) -> None:
    cdn.get(URL, status=status, body="URL signature expired")

    attachment = fetched(give())

    assert attachment.state == "expired"
    assert attachment.extra["reason"] == f"http_{status}"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_that_is_away_is_asked_again(
    status: int, give: Give, cdn: Any
) -> None:
    cdn.get(URL, status=status)
    attachment = give()

    with pytest.raises(SendError) as refusal:
        fetch_attachment(attachment.pk)

    assert refusal.value.error_class is ErrorClass.TRANSIENT
    attachment.refresh_from_db()
    assert attachment.state == "remote"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a.png",
        "https://fbcdn.net.evil.example/a.png",
        "https://evilfbcdn.net/a.png",
        "https://evil.example#.fbcdn.net/a.png",
        "https://evil.example\\@x.fbcdn.net/a.png",
        "https://x.fbcdn.net@evil.example/a.png",
        "https://user:pw@x.fbcdn.net/a.png",
        "https://x.fbcdn.net:8443/a.png",
        "http://x.fbcdn.net/a.png",
        "http://127.0.0.1/a.png",
        "http://127.0.0.1:6379/sandbox/",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://x.fbcdn.net/a.png",
        "//x.fbcdn.net/a.png",
        "https://[::1",
        "nonsense",
    ],
)
def test_nobody_else_is_called(url: str, give: Give, cdn: Any) -> None:
    attachment = fetched(give(url=url))

    assert (attachment.state, attachment.extra["reason"]) == ("refused", "address")
    assert not cdn.calls


def test_a_redirect_from_the_platform_to_us_is_not_followed(
    give: Give, cdn: Any
) -> None:
    cdn.get(URL, status=302, headers={"Location": "http://127.0.0.1:8000/admin/"})

    attachment = fetched(give())

    assert (attachment.state, attachment.extra["reason"]) == ("refused", "address")
    assert len(cdn.calls) == 1


def test_a_redirect_within_the_platform_is_followed(give: Give, cdn: Any) -> None:
    cdn.get(
        "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1",
        status=302,
        headers={"Location": "https://scontent.cdninstagram.com/v/a"},
    )
    cdn.get("https://scontent.cdninstagram.com/v/a", body=files.picture())

    attachment = fetched(
        give(url="https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1")
    )

    assert attachment.state == "stored"


def test_other_hosts_may_be_named(give: Give, cdn: Any, settings: Any) -> None:
    settings.MEDIA_HOSTS = ["cdn.example"]
    cdn.get("https://eu.cdn.example/a", body=files.picture())

    assert fetched(give(url="https://eu.cdn.example/a")).state == "stored"


def test_no_token_is_told_to_the_platforms_server(give: Give, cdn: Any) -> None:
    cdn.get(URL, body=files.picture())

    fetched(give())

    sent = {name.lower() for name in cdn.calls[0].request.headers}
    assert not sent & {"authorization", "cookie", "referer"}


# --- the sandbox ---------------------------------------------------------------------------------


def test_the_sandbox_is_called_only_while_it_is_played(
    give: Give, cdn: Any, settings: Any
) -> None:
    url = f"{settings.PUBLIC_URL}/static/img/demo/bag.png"
    cdn.get(url, body=files.picture())

    assert fetched(give(url=url)).state == "stored"
    settings.SANDBOX = False
    assert fetched(give(url=url)).state == "refused"


@pytest.mark.parametrize("path", ["/admin/", "/static/../admin/", "/", "/v1/messages"])
def test_of_ourselves_only_the_sandbox_is_called(
    path: str, give: Give, cdn: Any, settings: Any
) -> None:
    assert fetched(give(url=f"{settings.PUBLIC_URL}{path}")).state == "refused"
    assert not cdn.calls


# --- what is not copied --------------------------------------------------------------------------


def test_nothing_is_copied_twice(give: Give, cdn: Any) -> None:
    cdn.get(URL, body=files.picture())
    attachment = fetched(give())

    fetch_attachment(attachment.pk)

    assert len(cdn.calls) == 1


@pytest.mark.parametrize("kind", ["share", "template", "location", "unsupported"])
def test_what_is_no_file_is_not_fetched(kind: str, give: Give, cdn: Any) -> None:
    assert fetched(give(kind)).state == "remote"
    assert not cdn.calls


def test_a_missing_attachment_is_no_error(db: None) -> None:
    fetch_attachment(987654321)


def test_a_message_that_is_unsent_while_its_photo_comes_keeps_nothing(
    give: Give, cdn: Any
) -> None:
    attachment = give()

    def unsend(request: Any) -> tuple[int, dict[str, str], bytes]:
        Message.objects.filter(attachments=attachment).update(deleted_at=now())
        return 200, {}, files.picture()

    cdn.add_callback("GET", URL, unsend)

    fetch_attachment(attachment.pk)

    attachment.refresh_from_db()
    assert not attachment.file
    assert not stored_names()


def test_a_message_that_is_deleted_while_its_photo_comes_keeps_nothing(
    give: Give, cdn: Any
) -> None:
    attachment = give()

    def delete(request: Any) -> tuple[int, dict[str, str], bytes]:
        Attachment.objects.filter(pk=attachment.pk).delete()
        return 200, {}, files.picture()

    cdn.add_callback("GET", URL, delete)

    fetch_attachment(attachment.pk)

    assert not stored_names()


# --- avatars -------------------------------------------------------------------------------------


def test_a_profile_picture_becomes_a_small_square(
    conversation: Conversation, cdn: Any
) -> None:
    identity = conversation.identity
    identity.avatar_url = URL
    identity.save()
    cdn.get(URL, body=files.picture("JPEG", (800, 400)))

    fetch_avatar(identity.pk)

    identity.refresh_from_db()
    with Image.open(identity.avatar) as small:
        assert (small.format, small.size) == ("WEBP", (192, 192))


@pytest.mark.django_db(transaction=True)
def test_a_new_profile_picture_takes_the_place_of_the_old(
    conversation: Conversation, cdn: Any, eager: None
) -> None:
    identity = conversation.identity
    identity.avatar_url = URL
    identity.save()
    cdn.get(URL, body=files.picture())

    fetch_avatar(identity.pk)
    fetch_avatar(identity.pk)

    identity.refresh_from_db()
    assert stored_names("avatars") == [identity.avatar.name]


@pytest.mark.parametrize("body", [files.PAGE, files.MP4, files.bomb(), b""])
def test_what_is_no_picture_leaves_the_old_one(
    body: bytes, conversation: Conversation, cdn: Any
) -> None:
    identity = conversation.identity
    identity.avatar_url = URL
    identity.avatar.save("old.webp", ContentFile(b"old"))
    cdn.get(URL, body=body)

    fetch_avatar(identity.pk)

    identity.refresh_from_db()
    assert identity.avatar.read() == b"old"


def test_a_person_who_was_erased_meanwhile_has_no_picture(
    conversation: Conversation, cdn: Any
) -> None:
    identity = conversation.identity
    identity.avatar_url = URL
    identity.save()

    def erase(request: Any) -> tuple[int, dict[str, str], bytes]:
        type(identity).objects.filter(pk=identity.pk).update(avatar_url="")
        return 200, {}, files.picture()

    cdn.add_callback("GET", URL, erase)

    fetch_avatar(identity.pk)

    identity.refresh_from_db()
    assert not identity.avatar
    assert not stored_names("avatars")


# --- what agents send ----------------------------------------------------------------------------


def upload(name: str, body: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, body, content_type="application/x-lie")


def test_an_upload_is_kept_as_what_it_is_under_a_name_of_ours(db: None) -> None:
    body = files.picture("PNG", (700, 350))

    stored = store_upload(upload("../../C:\\fakepath\\Été 2026.exe", body))

    assert (stored.kind, stored.mime_type, stored.size) == (
        "image",
        "image/png",
        len(body),
    )
    assert stored.name == "Été 2026.exe"
    assert stored.path.startswith("attachments/")
    assert stored.path.endswith(".png")
    assert (stored.width, stored.height) == (700, 350)
    assert default_storage.open(stored.path).read() == body
    assert Image.open(default_storage.open(stored.thumbnail)).size == (640, 320)


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("voice.wav", files.voice(), "audio"),
        ("film.mp4", files.MP4, "video"),
        ("bill.pdf", files.PDF, "file"),
        ("page.png", files.PAGE, "file"),
    ],
)
def test_an_upload_is_sorted_by_its_bytes(
    name: str, body: bytes, kind: str, db: None
) -> None:
    assert store_upload(upload(name, body)).kind == kind


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (files.bomb(), "too many pixels"),
        (files.PROGRAM, "is a program"),
        (files.GIF_AND_PAGE, "cannot be read"),
        (b"", "is empty"),
    ],
)
def test_an_upload_that_nobody_could_use_is_refused_with_a_sentence(
    body: bytes, sentence: str, db: None
) -> None:
    with pytest.raises(ContentInvalid, match=sentence):
        store_upload(upload("a.gif", body))
    assert not stored_names()


# --- forgetting ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_dropped_attachments_take_their_files_along(
    give: Give, cdn: Any, eager: None
) -> None:
    cdn.get(URL, body=files.picture())
    gone, kept = fetched(give()), fetched(give())

    drop_attachments([gone.message_id])

    assert not Attachment.objects.filter(pk=gone.pk).exists()
    assert sorted(stored_names()) == sorted([kept.file.name, kept.thumbnail.name])


@pytest.mark.django_db(transaction=True)
def test_files_stay_where_the_dropping_is_taken_back(
    give: Give, cdn: Any, eager: None
) -> None:
    cdn.get(URL, body=files.picture())
    photo = fetched(give())

    with transaction.atomic():
        drop_attachments([photo.message_id])
        transaction.set_rollback(True)

    assert default_storage.exists(photo.file.name)


def test_dropping_takes_one_statement(
    give: Give, cdn: Any, django_assert_num_queries: Any
) -> None:
    cdn.get(URL, body=files.picture())
    photos = [fetched(give()) for _ in range(5)]

    with django_assert_num_queries(1):
        drop_attachments([photo.message_id for photo in photos])


def test_the_sweeper_takes_what_belongs_to_nobody_after_a_day(
    give: Give, cdn: Any
) -> None:
    cdn.get(URL, body=files.picture())
    kept = fetched(give())
    day = kept.file.name.rpartition("/")[0]
    fresh = default_storage.save(f"{day}/fresh.png", ContentFile(b"x"))
    old = default_storage.save(f"{day}/old.png", ContentFile(b"x"))
    aside = default_storage.save(f"{day}/old.png.thumb.webp", ContentFile(b"x"))
    for name in (old, aside, kept.file.name, kept.thumbnail.name):
        age(name)

    sweep_files()

    assert sorted(stored_names()) == sorted(
        [kept.file.name, kept.thumbnail.name, fresh]
    )


def test_the_sweeper_knows_whose_picture_is_whose(
    conversation: Conversation, cdn: Any
) -> None:
    identity = conversation.identity
    identity.avatar_url = URL
    identity.save()
    cdn.get(URL, body=files.picture())
    fetch_avatar(identity.pk)
    identity.refresh_from_db()
    day = identity.avatar.name.rpartition("/")[0]
    old = default_storage.save(f"{day}/abc-{identity.pk}.webp", ContentFile(b"x"))
    odd = default_storage.save(f"{day}/odd.webp", ContentFile(b"x"))
    for name in (identity.avatar.name, old, odd):
        age(name)

    sweep_files()

    assert stored_names("avatars") == [identity.avatar.name]


def age(name: str, by: timedelta = timedelta(days=2)) -> None:
    """As if the file had been lying there for some time."""
    node = default_storage._resolve(name)  # type: ignore[attr-defined]  # InMemoryStorage has no way to say it
    node.modified_time = now() - by


# --- telling pages -------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_open_pages_are_told_when_the_photo_is_there(
    give: Give, cdn: Any, conversation: Conversation
) -> None:
    cdn.get(URL, body=files.picture())
    attachment = give()
    before, revision = live.position(), conversation.revision

    fetch_attachment(attachment.pk)

    conversation.refresh_from_db()
    assert live.position() != before
    assert conversation.revision > revision


def test_a_stored_file_is_what_was_sent(give: Give, cdn: Any) -> None:
    body = files.picture("PNG", (2000, 1500)) + b"\0" * 2_000_000
    cdn.get(URL, body=body)

    attachment = fetched(give())

    kept = BytesIO(attachment.file.read()).getvalue()
    assert hashlib.sha256(kept).digest() == hashlib.sha256(body).digest()
