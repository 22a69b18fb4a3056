"""Files on their way into a reply: stored before it is sent, while no conversation waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from inbox.channels import SendError
from inbox.content import check_file, read_file
from inbox.errors import ContentInvalid, StateForbids
from inbox.media import SentFile, store_upload
from inbox.models import Actor, Agent, Conversation, StagedFile

# Of one agent in one conversation, at a time: what one sitting needs.
MAX_STAGED = 30


def stage_file(*, conversation: Conversation, by: Actor, file: SentFile) -> StagedFile:
    """Keep a file for the next reply of an agent, or of a key.

    Raises ContentInvalid for what the channel would refuse, StateForbids while the storage is away.
    """
    channel = conversation.channel
    found = read_file(file, channel.adapter.limits)
    check_file(found, channel)
    if waiting_files(conversation, by).count() >= MAX_STAGED:
        raise ContentInvalid(
            _("Too many files wait here already. Send or remove some first."),
            param="attachments",
        )
    try:
        stored = store_upload(found.file)
    except SendError as error:
        raise StateForbids(error.detail, param="attachments") from error
    return StagedFile.objects.create(
        **_owner(by),
        conversation=conversation,
        kind=found.kind,
        file=stored.path,
        thumbnail=stored.thumbnail,
        name=found.name,
        mime_type=stored.mime_type,
        size=stored.size,
        width=stored.width,
        height=stored.height,
    )


def _owner(by: Actor) -> dict[str, Any]:
    return {"agent" if isinstance(by, Agent) else "api_key": by}


def waiting_files(conversation: Conversation, by: Actor) -> QuerySet[StagedFile]:
    """What they have handed over for this conversation and not sent."""
    own = StagedFile.objects.filter(**_owner(by))
    return own.filter(conversation=conversation, message=None)


def chosen_files(
    conversation: Conversation, by: Actor, ids: Sequence[int]
) -> list[StagedFile]:
    """In the order in which they are named, those of an earlier post of the same reply too.

    Raises ContentInvalid if one is gone.
    """
    own = StagedFile.objects.filter(conversation=conversation, **_owner(by))
    found = own.in_bulk(list(ids))
    if len(found) < len(set(ids)):
        raise ContentInvalid(
            _("A file is not there any more. Attach it again."), param="attachments"
        )
    return [found[pk] for pk in dict.fromkeys(ids)]
