"""All that is kept of a person, for that person: JSON, with the files in a zip if there are any."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import RawIOBase
from pathlib import PurePosixPath
from typing import Any

from django.core.files.storage import default_storage
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q
from django.http import StreamingHttpResponse
from django.utils.timezone import now

from inbox.contacts import contacts_behind
from inbox.merging import merges_of
from inbox.models import (
    Attachment,
    ChannelIdentity,
    Contact,
    Conversation,
    Merge,
    Message,
)

logger = logging.getLogger(__name__)

PAGE = 500
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Export:
    """chunks: to be read once; nothing of it is made before it is read."""

    name: str
    content_type: str
    chunks: Iterator[bytes]


def export_contact(contact: Contact) -> Export:
    """What we hold of a person, in our own words: identities, conversations, messages, files.

    A zip of contact.json and files/ where there are files; else the JSON alone.
    """
    name = f"dexra-{contact.public_id}"
    if _has_files(contact):
        return Export(f"{name}.zip", "application/zip", _zip(contact))
    told = (text.encode() for text in _tell(contact))
    return Export(f"{name}.json", "application/json", told)


def download(contact: Contact) -> StreamingHttpResponse:
    """The export as an answer, sent while it is made."""
    export = export_contact(contact)
    return StreamingHttpResponse(
        export.chunks,
        content_type=export.content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{export.name}"',
            "Cache-Control": "no-store",
        },
    )


# --- JSON ----------------------------------------------------------------------------------------


def _tell(contact: Contact) -> Iterator[str]:
    """One JSON object, a conversation's stretch at a time."""
    identities = list(_identities_of(contact))
    person = {
        "exported_at": now(),
        "contact": _contact(contact),
        "identities": [_identity(identity) for identity in identities],
        "merges": [_merge(row, contact) for row in _merges_of(contact)],
    }
    yield _dump(person)[:-1] + ', "conversations": ['
    conversations = Conversation.objects.filter(identity__in=identities)
    separator = "\n"
    for conversation in conversations.select_related("channel").order_by("pk"):
        yield separator + _dump(_conversation(conversation))[:-1] + ', "messages": ['
        yield from _joined(_dump(_message(one)) for one in _messages(conversation))
        yield "]}"
        separator = ",\n"
    yield "\n]}\n"


def _joined(texts: Iterable[str]) -> Iterator[str]:
    separator = "\n"
    for text in texts:
        yield separator + text
        separator = ",\n"


def _dump(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def _identities_of(contact: Contact) -> Iterable[ChannelIdentity]:
    identities = ChannelIdentity.objects.filter(contact__in=contacts_behind(contact.pk))
    return identities.select_related("channel").order_by("pk")


def _contact(contact: Contact) -> dict[str, Any]:
    return {
        "id": contact.public_id,
        "name": contact.name,
        "email": contact.email,
        "email_verified_at": contact.email_verified_at,
        "phone": contact.phone,
        "phone_verified_at": contact.phone_verified_at,
        "site_user_id": contact.site_user_id,
        "attributes": contact.attributes,
        "avatar_url": contact.avatar_url,
        "created_at": contact.created_at,
    }


def _merges_of(contact: Contact) -> Iterable[Merge]:
    return merges_of(contacts_behind(contact.pk)).order_by("pk")


def _merge(row: Merge, contact: Contact) -> dict[str, Any]:
    """Of one that was undone only what is this person's: the other is somebody else."""
    told = {
        "kept": f"USER_{row.kept_id}",
        "gone": f"USER_{row.gone_id}",
        "merged_at": row.merged_at,
        "merged_by": row.by_name,
        "reason": row.reason,
        "undone_at": row.undone_at,
    }
    if row.undone_at is None:
        return {**told, "before": [row.kept_before, row.gone_before]}
    was_kept = row.kept_id == contact.pk
    return {**told, "before": [row.kept_before if was_kept else row.gone_before]}


def _identity(identity: ChannelIdentity) -> dict[str, Any]:
    return {
        "id": identity.public_id,
        "channel": identity.channel.kind,
        "account": identity.channel.name,
        "username": identity.username,
        "name": identity.name,
        "profile": identity.profile,
        "avatar": _avatar_name(identity),
        "last_inbound_at": identity.last_inbound_at,
        "read_until": identity.read_until,
        "created_at": identity.created_at,
    }


def _conversation(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.public_id,
        "channel": conversation.channel.kind,
        "account": conversation.channel.name,
        "status": conversation.status,
        "subject": conversation.subject,
        "referral": conversation.referral,
        "created_at": conversation.created_at,
        "closed_at": conversation.closed_at,
    }


def _messages(conversation: Conversation) -> Iterator[Message]:
    """Oldest first, a page at a time: no cursor is held while somebody reads slowly."""
    rows = (
        conversation.messages.filter(is_stub=False)
        .prefetch_related("attachments", "reactions")
        .order_by("sent_at", "pk")
    )
    page = list(rows[:PAGE])
    while page:
        yield from page
        last = page[-1]
        beyond = Q(sent_at__gt=last.sent_at) | Q(sent_at=last.sent_at, pk__gt=last.pk)
        page = list(rows.filter(beyond)[:PAGE]) if len(page) == PAGE else []


def _message(message: Message) -> dict[str, Any]:
    return {
        "id": message.public_id,
        "direction": message.direction,
        "source": message.source,
        "author": message.author_name,
        "type": message.type,
        "content": message.content,
        "status": message.status,
        "sent_at": message.sent_at,
        "received_at": message.received_at,
        "edited_at": message.edited_at,
        "deleted_at": message.deleted_at,
        "reply_to": f"MSG_{message.reply_to_id}" if message.reply_to_id else None,
        "attachments": [_attachment(part) for part in message.attachments.all()],
        "reactions": [
            {"actor": one.actor, "emoji": one.emoji, "reacted_at": one.reacted_at}
            for one in message.reactions.all()
        ],
        "details": message.extra,
    }


def _attachment(part: Attachment) -> dict[str, Any]:
    return {
        "type": part.kind,
        "title": part.title,
        "url": part.remote_url,
        "mime_type": part.mime_type,
        "size": part.size,
        "file": _file_name(part),
        "details": part.extra,
    }


# --- files ---------------------------------------------------------------------------------------


def _file_name(part: Attachment) -> str | None:
    """Where it lies in the zip."""
    if not part.file:
        return None
    suffix = PurePosixPath(part.file.name or "").suffix
    return f"files/MSG_{part.message_id}-{part.pk}{suffix}"


def _avatar_name(identity: ChannelIdentity) -> str | None:
    if not identity.avatar:
        return None
    suffix = PurePosixPath(identity.avatar.name or "").suffix
    return f"files/picture-{identity.pk}{suffix}"


def _files_of(contact: Contact) -> Iterator[tuple[str, str]]:
    """(name in the zip, path in the storage) of each."""
    identities = list(_identities_of(contact))
    for identity in identities:
        if name := _avatar_name(identity):
            yield name, str(identity.avatar.name)
    parts = Attachment.objects.filter(message__conversation__identity__in=identities)
    parts = parts.exclude(file="").order_by("pk")
    page = list(parts[:PAGE])
    while page:
        for part in page:
            yield str(_file_name(part)), str(part.file.name)
        page = list(parts.filter(pk__gt=page[-1].pk)[:PAGE])


def _has_files(contact: Contact) -> bool:
    return next(_files_of(contact), None) is not None


class _Wire(RawIOBase):
    """What is written waits here until it is taken; a zip needs no more, it never looks back."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._waiting += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def _zip(contact: Contact) -> Iterator[bytes]:
    wire = _Wire()
    with zipfile.ZipFile(wire, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("contact.json", "w", force_zip64=True) as entry:
            for text in _tell(contact):
                entry.write(text.encode())
                yield wire.take()
        for name, path in _files_of(contact):
            for _part in _add(archive, name, path):
                yield wire.take()
    yield wire.take()


def _add(archive: zipfile.ZipFile, name: str, path: str) -> Iterator[None]:
    """Yields after each chunk. Pictures and films do not get smaller by being packed."""
    try:
        file = default_storage.open(path)
    except OSError as error:
        logger.warning("export.unread error=%s", type(error).__name__)
        return
    info = zipfile.ZipInfo(name, date_time=now().timetuple()[:6])
    with file, archive.open(info, "w", force_zip64=True) as entry:
        while chunk := file.read(CHUNK_BYTES):
            entry.write(chunk)
            yield
