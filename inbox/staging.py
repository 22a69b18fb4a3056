"""Files on their way into a reply: stored before it is sent, while no conversation waits for them."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from inbox.channels import SendError
from inbox.content import check_file, read_file
from inbox.errors import ContentInvalid, StateForbids
from inbox.media import SentFile, store_upload
from inbox.models import Agent, Conversation, StagedFile

# Of one agent in one conversation, at a time: what one sitting needs.
MAX_STAGED = 30


def stage_file(
    *, conversation: Conversation, agent: Agent, file: SentFile
) -> StagedFile:
    """Keep a file for the agent's next reply.

    Raises ContentInvalid for what the channel would refuse, StateForbids while the storage is away.
    """
    channel = conversation.channel
    found = read_file(file, channel.adapter.limits)
    check_file(found, channel)
    if waiting_files(conversation, agent).count() >= MAX_STAGED:
        raise ContentInvalid(
            _("Too many files wait here already. Send or remove some first."),
            param="attachments",
        )
    try:
        stored = store_upload(found.file)
    except SendError as error:
        raise StateForbids(error.detail, param="attachments") from error
    return StagedFile.objects.create(
        agent=agent,
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


def waiting_files(conversation: Conversation, agent: Agent) -> QuerySet[StagedFile]:
    """What the agent has put into this composer and not sent."""
    return StagedFile.objects.filter(
        conversation=conversation, agent=agent, message=None
    )


def chosen_files(
    conversation: Conversation, agent: Agent, ids: Sequence[int]
) -> list[StagedFile]:
    """In the order in which they are named, those of an earlier post of the same reply too.

    Raises ContentInvalid if one is gone.
    """
    own = StagedFile.objects.filter(conversation=conversation, agent=agent)
    found = own.in_bulk(list(ids))
    if len(found) < len(set(ids)):
        raise ContentInvalid(
            _("A file is not there any more. Attach it again."), param="attachments"
        )
    return [found[pk] for pk in dict.fromkeys(ids)]
