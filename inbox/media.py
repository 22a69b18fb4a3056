"""Files that people send each other: fetched, checked, kept, given out, forgotten.

A file's place in the storage is made up by us and never used again, so that a stored file never
changes. Where files lie is nobody's business: `inbox.pages.downloads` alone serves them.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from celery import shared_task
from django.conf import settings
from django.core import signing
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inbox.addresses import (
    ForbiddenAddress,
    ForbiddenURL,
    TooLarge,
    Unreachable,
    download,
)
from inbox.bell import ring_after_commit
from inbox.channels import ErrorClass, SendError
from inbox.conversations import refresh
from inbox.errors import ContentInvalid
from inbox.filetypes import (
    HEAD_BYTES,
    as_sound,
    extension_of,
    is_markup,
    is_program,
    sniff_type,
)
from inbox.models import (
    Attachment,
    ChannelIdentity,
    Conversation,
    MessageType,
    StagedFile,
)
from inbox.pictures import (
    FORMATS,
    NotAPicture,
    TooManyPixels,
    make_avatar,
    read_picture,
)

logger = logging.getLogger(__name__)

# Where the platform's files lie (its own documentation names these): hosts at or below.
PLATFORM_DOMAINS = ("fbcdn.net", "fbsbx.com", "cdninstagram.com")
# What is copied. Of a story only its address may be kept, never the picture.
FETCHED_KINDS = frozenset(
    {
        MessageType.IMAGE,
        MessageType.VIDEO,
        MessageType.AUDIO,
        MessageType.FILE,
        MessageType.STICKER,
    }
)
# The platform serves it no longer: a signed address that ran out answers 403.
_GONE = frozenset({401, 403, 404, 410})
_LATER = frozenset({408, 425, 429})
# For one file, everything included (seconds); less than the lease of who asks for it.
FETCH_SECONDS = 90
AVATAR_SECONDS = 20
MAX_AVATAR_BYTES = 5 * 1024 * 1024
# More than this of a file under way lies on disk.
_SPOOLED_BYTES = 1024 * 1024
# How long whoever gets a file's public address may fetch it.
PUBLIC_SPAN = timedelta(hours=6)
_PUBLIC_SALT = "inbox.media.public"
# The same for whoever is told of it in an event, which may be days under way.
TOLD_SPAN = timedelta(days=7)
_TOLD_SALT = "inbox.media.told"
_THUMBNAIL = ".thumb.webp"
_NOT_NOW = gettext_lazy("The file could not be fetched just now.")


class Refused(Exception):
    """A file that is not kept. reason: Attachment.extra["reason"]."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SentFile(Protocol):
    """A file as a browser sends it; Django's File is one."""

    name: str | None
    size: int
    file: IO[Any]

    def read(self, size: int = ..., /) -> Any: ...

    def seek(self, offset: int, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in our storage. path: there, name: as its sender called it; "" and None: unknown."""

    path: str
    name: str
    mime_type: str
    size: int
    kind: str
    width: int | None = None
    height: int | None = None
    thumbnail: str = ""

    def fields(self) -> dict[str, Any]:
        """Of the Attachment that is to hold it."""
        return {
            "file": self.path,
            "title": self.name,
            "mime_type": self.mime_type,
            "size": self.size,
            "kind": self.kind,
            "width": self.width,
            "height": self.height,
            "thumbnail": self.thumbnail,
            "state": Attachment.State.STORED,
        }


# --- fetching ------------------------------------------------------------------------------------


def fetch_attachment(attachment_id: int) -> None:
    """Copy a file from the platform's server, if it is to be copied and nobody has done it.

    Ends in a state: stored, expired or refused. Raises SendError for what may be better later.
    """
    wanted = _wanted(attachment_id)
    if wanted is None:
        return
    with SpooledTemporaryFile(max_size=_SPOOLED_BYTES) as file:
        try:
            status = _get(
                wanted.remote_url, file, settings.MEDIA_MAX_BYTES, FETCH_SECONDS
            )
            if status != 200:
                _settle(wanted, state=Attachment.State.EXPIRED, reason=f"http_{status}")
                return
            stored = _keep(file, name=wanted.title, kind=wanted.kind)
        except Refused as refusal:
            _settle(wanted, state=Attachment.State.REFUSED, reason=refusal.reason)
            return
    if not _settle(wanted, **stored.fields()):
        delete_files([stored.path, stored.thumbnail])


def _wanted(attachment_id: int) -> Attachment | None:
    """The attachment, if a copy of it is allowed and missing."""
    attachment = (
        Attachment.objects.filter(
            pk=attachment_id,
            state=Attachment.State.REMOTE,
            file="",
            kind__in=FETCHED_KINDS,
            message__deleted_at=None,
            message__conversation__isnull=False,
            message__channel__stores_media=True,
        )
        .exclude(remote_url="")
        .select_related("message__conversation")
        .first()
    )
    if attachment is None or _shows_story(attachment):
        return None
    return attachment


def _shows_story(attachment: Attachment) -> bool:
    """Whether it is somebody's story, by whatever name it came."""
    message = attachment.message
    story = message.extra.get("story")
    told = story.get("url") if isinstance(story, dict) else None
    return message.type == MessageType.STORY_MENTION or attachment.remote_url == told


def _get(url: str, file: IO[bytes], max_bytes: int, seconds: float) -> int:
    """Returns 200, or the status of an address that is of no more use."""
    try:
        status = download(url, file, judge=_judge, max_bytes=max_bytes, seconds=seconds)
    except (ForbiddenURL, ForbiddenAddress) as error:
        raise Refused("address") from error
    except TooLarge as error:
        raise Refused("too_large") from error
    except Unreachable as error:
        raise SendError(ErrorClass.TRANSIENT, _NOT_NOW, code="media_away") from error
    if status in _LATER or status >= 500:
        raise SendError(ErrorClass.TRANSIENT, _NOT_NOW, code=f"media_http_{status}")
    if status != 200 and status not in _GONE:
        raise Refused(f"http_{status}")
    return status


def _judge(url: str) -> Sequence[str]:
    """Raises ForbiddenURL for a host that is not the platform's; the sandbox is on this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ForbiddenURL("no address") from error
    if settings.SANDBOX and _is_sandbox(parts.scheme, host, port, parts.path):
        return ("127.0.0.0/8", "::1/128")
    domains = (*PLATFORM_DOMAINS, *settings.MEDIA_HOSTS)
    is_listed = any(host == one or host.endswith(f".{one}") for one in domains)
    is_plain = parts.username is None and parts.password is None
    if (
        parts.scheme != "https"
        or not (is_listed and is_plain)
        or port not in {None, 443}
    ):
        raise ForbiddenURL(host)
    return ()


def _is_sandbox(scheme: str, host: str, port: int | None, path: str) -> bool:
    ours = urlsplit(settings.PUBLIC_URL)
    places = {(ours.hostname, ours.port), ("127.0.0.1", settings.PORT)}
    return (
        scheme == "http"
        and (host, port) in places
        and path.startswith(("/sandbox/", settings.STATIC_URL))
        and ".." not in path
    )


@transaction.atomic
def _settle(wanted: Attachment, *, reason: str = "", **fields: Any) -> bool:
    """Write down what became of it. False if meanwhile nobody wants it: it was unsent, say."""
    conversation_id = wanted.message.conversation.pk
    # Conversations are locked before what is in them, as by everybody.
    Conversation.objects.select_for_update().filter(pk=conversation_id).first()
    current = (
        Attachment.objects.select_for_update(of=("self",))
        .filter(
            pk=wanted.pk,
            state=Attachment.State.REMOTE,
            message__deleted_at=None,
            message__channel__stores_media=True,
        )
        .first()
    )
    if current is None:
        return False
    for name, value in fields.items():
        setattr(current, name, value)
    if reason:
        current.extra = {**current.extra, "reason": reason}
    current.save(update_fields=[*fields, "extra"])
    refresh([conversation_id])
    return True


def fetch_avatar(identity_id: int) -> None:
    """Copy a person's profile picture, small, in place of the one we had.

    Raises SendError for what may be better later. Whatever else fails leaves things as they are:
    the next look at the profile brings another address.
    """
    identity = (
        ChannelIdentity.objects.filter(pk=identity_id, channel__stores_media=True)
        .exclude(avatar_url="")
        .first()
    )
    if identity is None:
        return
    with SpooledTemporaryFile(max_size=_SPOOLED_BYTES) as file:
        try:
            if _get(identity.avatar_url, file, MAX_AVATAR_BYTES, AVATAR_SECONDS) != 200:
                return
            made = make_avatar(file, _picture_type(file))
        except (Refused, NotAPicture, TooManyPixels) as error:
            logger.info(
                "avatar.refused identity=%s error=%s", identity_id, type(error).__name__
            )
            return
    path = _save(ContentFile(made), _place("avatars", f"-{identity_id}.webp"))
    if not _put_avatar(identity, path):
        delete_files([path])
        return
    # On its own: rows of people are locked before those of conversations.
    conversations = Conversation.objects.filter(identity=identity_id)
    refresh(conversations.order_by("pk").values_list("pk", flat=True))


def _picture_type(file: IO[bytes]) -> str:
    mime_type = sniff_type(_head(file))
    if mime_type not in FORMATS:
        raise Refused("not_media")
    return mime_type


@transaction.atomic
def _put_avatar(wanted: ChannelIdentity, path: str) -> bool:
    """False if the picture is not the person's any more."""
    current = (
        ChannelIdentity.objects.select_for_update(of=("self",))
        .filter(pk=wanted.pk, avatar_url=wanted.avatar_url)
        .first()
    )
    if current is None:
        return False
    old = current.avatar.name
    current.avatar = path
    current.save(update_fields=["avatar"])
    _delete_after_commit([old])
    return True


# --- keeping -------------------------------------------------------------------------------------


def store_upload(file: SentFile) -> Stored:
    """Keep a file that somebody hands us to send. What it is, its bytes say.

    The row that is to hold it has a day: then the sweeper takes files without one. Raises
    ContentInvalid for what cannot be sent to anybody.
    """
    name = _bare_name(file.name or "")
    try:
        return _keep(file.file, name=name, kind="")
    except Refused as refusal:
        sentences = {
            "empty": _("%(name)s is empty."),
            "program": _("%(name)s is a program: it is not sent."),
            "too_many_pixels": _("%(name)s has too many pixels."),
        }
        broken = _("%(name)s cannot be read as what it seems to be.")
        sentence = sentences.get(refusal.reason, broken)
        told = {"name": name or _("The file")}
        raise ContentInvalid(sentence % told, param="attachments") from refusal


def _bare_name(name: str) -> str:
    """The last part of a path, without what only confuses whoever reads it."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in last if char.isprintable())[-150:]


def _keep(file: IO[bytes], *, name: str, kind: str) -> Stored:
    """Look into a file and put it into the storage. kind: as it was announced, "" if it was not.

    Raises Refused, and SendError while the storage is away.
    """
    head = _head(file)
    if not head:
        raise Refused("empty")
    if is_program(head):
        raise Refused("program")
    sniffed = sniff_type(head, name)
    kind, mime_type = _settle_kind(kind, sniffed, is_markup(head, sniffed))
    width = height = thumbnail = None
    if kind in {MessageType.IMAGE, MessageType.STICKER}:
        try:
            picture = read_picture(file, mime_type)
        except NotAPicture as error:
            raise Refused("not_media") from error
        except TooManyPixels as error:
            raise Refused("too_many_pixels") from error
        width, height, thumbnail = picture.width, picture.height, picture.thumbnail
    file.seek(0, 2)
    size = file.tell()
    path = _save(File(file), _place("attachments", extension_of(mime_type)))
    return Stored(
        path=path,
        name=name,
        mime_type=mime_type,
        size=size,
        kind=kind,
        width=width,
        height=height,
        thumbnail=_save(ContentFile(thumbnail), path + _THUMBNAIL) if thumbnail else "",
    )


def _settle_kind(kind: str, mime_type: str, is_markup: bool) -> tuple[str, str]:
    """What it is shown as, and its type: the bytes decide where they differ from what was said.

    Raises Refused for a page in the place of a picture: what a server says instead of it.
    """
    if kind == MessageType.FILE:
        return kind, mime_type
    family = mime_type.partition("/")[0]
    if kind and is_markup:
        raise Refused("not_media")
    if kind == MessageType.AUDIO and family == "video":
        return kind, as_sound(mime_type)
    if family == "image" and mime_type in FORMATS:
        return kind if kind == MessageType.STICKER else MessageType.IMAGE, mime_type
    if family in {"video", "audio"}:
        return MessageType(family), mime_type
    return MessageType.FILE, mime_type


def _head(file: IO[bytes]) -> bytes:
    file.seek(0)
    head: bytes = file.read(HEAD_BYTES)
    file.seek(0)
    return head


def _place(folder: str, extension: str) -> str:
    return f"{folder}/{now():%Y/%m/%d}/{uuid.uuid4().hex}{extension}"


def _save(content: File[bytes], path: str) -> str:
    try:
        content.seek(0)
        saved: str = default_storage.save(path, content)
        return saved
    except OSError as error:
        logger.warning("storage.unwritten error=%s", type(error).__name__)
        raise SendError(ErrorClass.TRANSIENT, _NOT_NOW, code="storage") from error


# --- giving out ----------------------------------------------------------------------------------


def public_url(attachment: Attachment) -> str:
    """Where anybody who is given it may fetch a stored file for PUBLIC_SPAN, without redirect.

    An attachment without a file of ours has only the address that it came with.
    """
    if not attachment.file:
        return attachment.remote_url
    token = _signer().sign(str(attachment.pk))
    return f"{settings.PUBLIC_URL}{reverse('public_file', args=[token])}"


def told_url(attachment_id: int) -> str:
    """Where anybody who is told of a file may fetch it for TOLD_SPAN, as soon as it is ours."""
    token = _signer(_TOLD_SALT).sign(str(attachment_id))
    return f"{settings.PUBLIC_URL}{reverse('public_file', args=[token])}"


def find_public(token: str) -> Attachment | None:
    """The attachment of a public address, while that is good and the message not unsent.

    It may have no file yet, or none any more.
    """
    for salt, span in ((_PUBLIC_SALT, PUBLIC_SPAN), (_TOLD_SALT, TOLD_SPAN)):
        with contextlib.suppress(signing.BadSignature):
            pk = _signer(salt).unsign(token, max_age=span)
            return Attachment.objects.filter(pk=pk, message__deleted_at=None).first()
    return None


def _signer(salt: str = _PUBLIC_SALT) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=salt, sep=".")


# --- forgetting ----------------------------------------------------------------------------------

DROP = (
    "delete from inbox_attachment where message_id = any(%s) returning file, thumbnail"
)

# A file without a row for so long belongs to nobody: its message was unsent while it came, or
# the upload never became a message.
_ABANDONED_AFTER = timedelta(days=1)
# How many files one sweep may delete.
MAX_SWEPT = 5000
_BATCH = 500


def drop_attachments(message_ids: Sequence[int]) -> None:
    """Delete the attachments of these messages and, once that is committed, their files.

    From then on nobody is served them; the bytes go a moment later.
    """
    with connection.cursor() as cursor:
        cursor.execute(DROP, [list(message_ids)])
        paths = [path for row in cursor.fetchall() for path in row]
    _delete_after_commit(paths)


def drop_staged(waiting: QuerySet[StagedFile]) -> None:
    """Forget files that nobody has sent; those that a message took stay with it."""
    unsent = list(waiting.filter(message=None))
    StagedFile.objects.filter(pk__in=[one.pk for one in unsent]).delete()
    files = (field.name for one in unsent for field in (one.file, one.thumbnail))
    _delete_after_commit(files)


def drop_avatar(identity: ChannelIdentity) -> None:
    """Forget a person's picture, and where it lies at the platform."""
    old = identity.avatar.name
    identity.avatar = identity.avatar_url = ""
    identity.save(update_fields=["avatar", "avatar_url"])
    _delete_after_commit([old])


def _delete_after_commit(paths: Iterable[str | None]) -> None:
    """By a worker: a storage that is away must not hold up whoever receives messages."""
    known = [path for path in paths if path]
    for start in range(0, len(known), _BATCH):
        ring_after_commit(delete_files, known[start : start + _BATCH])


@shared_task(name="inbox.media.delete_files")
def delete_files(paths: Sequence[str]) -> None:
    """Delete files. What the storage does not delete now, the sweeper finds."""
    for path in filter(None, paths):
        try:
            default_storage.delete(path)
        except OSError as error:
            logger.warning("storage.undeleted error=%s", type(error).__name__)


@shared_task(name="inbox.media.sweep_files")
def sweep_files() -> None:
    """Delete what lies in the storage and belongs to no row, a few days' folders at each ring.

    The newest come up every time, the older ones in turn.
    """
    turn = int(time.time() // 3600)
    left = MAX_SWEPT
    for root, is_known in (("attachments", _known_files), ("avatars", _known_avatars)):
        days = list(_days(root))
        chosen = {*days[-3:], *(days[turn % len(days) :][:1] if days else ())}
        for day in sorted(chosen):
            left -= _sweep_day(f"{root}/{day}", is_known, left)


def _days(root: str) -> Iterator[str]:
    """The folders of a root, "2026/11/22", oldest first."""
    for year in _folders(root):
        for month in _folders(f"{root}/{year}"):
            for day in _folders(f"{root}/{year}/{month}"):
                yield f"{year}/{month}/{day}"


def _folders(path: str) -> list[str]:
    try:
        folders, _files = default_storage.listdir(path)
    except FileNotFoundError:
        return []
    return sorted(folders)


def _sweep_day(
    folder: str, known_among: Callable[[list[str]], set[str]], most: int
) -> int:
    """How many files were deleted."""
    _folders, names = default_storage.listdir(folder)
    paths = [f"{folder}/{name}" for name in names]
    swept = 0
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        known = known_among(batch)
        abandoned = [path for path in batch if path not in known and _is_old(path)]
        abandoned = abandoned[: most - swept]
        delete_files(abandoned)
        swept += len(abandoned)
    return swept


def _known_files(paths: list[str]) -> set[str]:
    """Those that a row has; a thumbnail lies beside its file and goes with it."""
    owners = {path: path.removesuffix(_THUMBNAIL) for path in paths}
    wanted = set(owners.values())
    rows = Attachment.objects.filter(file__in=wanted).exclude(file="")
    files = set(rows.values_list("file", flat=True))
    waiting = StagedFile.objects.filter(file__in=wanted)
    files.update(waiting.values_list("file", flat=True))
    return {path for path, owner in owners.items() if owner in files}


def _known_avatars(paths: list[str]) -> set[str]:
    """The name of each ends with whose it is."""
    ids = {path.removesuffix(".webp").rpartition("-")[2] for path in paths}
    people = ChannelIdentity.objects.filter(pk__in=[pk for pk in ids if pk.isdigit()])
    return set(people.values_list("avatar", flat=True))


def _is_old(path: str) -> bool:
    try:
        return default_storage.get_modified_time(path) < now() - _ABANDONED_AFTER
    except FileNotFoundError:
        return False
