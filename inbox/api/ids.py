"""Public ids, and the rows behind them."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from django.db import models
from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from inbox.api.authentication import holder_of
from inbox.channels import adapters
from inbox.errors import InboxError
from inbox.merging import survivor_of
from inbox.models import (
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Direction,
    Message,
)

M = TypeVar("M", bound=models.Model)
_NUMBERED = re.compile(r"([A-Z]+_)(\d{1,18})")


class AmbiguousUser(InboxError):
    """The id is of several people, or of one person on several accounts."""

    code = "ambiguous_user"
    status = 409


def number_in(public_id: str, prefix: str) -> int | None:
    """12 for ("TEAM_12", "TEAM_"); None for an id of something else."""
    found = _NUMBERED.fullmatch(public_id)
    return int(found[2]) if found and found[1] == prefix else None


def row_or_404(rows: models.QuerySet[M], public_id: str, prefix: str) -> M:
    """Raises Http404 for an id that is none of these rows."""
    pk = number_in(public_id, prefix)
    if pk is None:
        raise Http404
    return get_object_or_404(rows, pk=pk)


def row_named(rows: models.QuerySet[M], public_id: str, prefix: str, param: str) -> M:
    """A row that a body names. Raises ValidationError for an id that is none of these rows."""
    pk = number_in(public_id, prefix)
    row = rows.filter(pk=pk).first() if pk is not None else None
    if row is None:
        raise ValidationError({param: f"There is none with the id {public_id!r}."})
    return row


def conversation_of(request: Request, conversation_id: int) -> Conversation:
    """With its parties. Raises Http404 for one that is not there or not to be seen."""
    visible = Conversation.objects.visible_to(holder_of(request)).with_parties()
    return get_object_or_404(visible, pk=conversation_id)


def only_conversation_of(request: Request, conversation_id: int) -> Conversation:
    """Its number and nothing else, for what belongs to it. Raises Http404 as conversation_of."""
    visible = Conversation.objects.visible_to(holder_of(request)).only("pk")
    return get_object_or_404(visible, pk=conversation_id)


def message_of(request: Request, public_id: str) -> Message:
    """Raises Http404 for an id that is none, or of a conversation that the key may not see."""
    visible = Conversation.objects.visible_to(holder_of(request))
    messages = Message.objects.select_related("conversation", "channel")
    said = messages.filter(conversation__in=visible).exclude(direction=Direction.EVENT)
    return row_or_404(said, public_id, "MSG_")


def now_of(contact_id: int) -> int:
    """Whom a contact has become by being merged: its old id goes on to mean the person."""
    contact = Contact.objects.filter(pk=contact_id, merged_into__isnull=False).first()
    return survivor_of(contact).pk if contact else contact_id


def identities_named(user_id: str) -> models.QuerySet[ChannelIdentity]:
    """Whoever the id may be: a person of one channel, on any account, or a contact."""
    identities = ChannelIdentity.objects.select_related("channel", "contact")
    contact = number_in(user_id, "USER_")
    if contact is not None:
        return identities.filter(contact=now_of(contact))
    kinds = [one for one in adapters() if user_id.startswith(one.id_prefix)]
    wanted: dict[str, Any] = {"channel__kind__in": [one.kind for one in kinds]}
    external_ids = [user_id.removeprefix(one.id_prefix) for one in kinds]
    return identities.filter(external_id__in=external_ids, **wanted)


def identity_named(user_id: str, account_id: str | None) -> ChannelIdentity:
    """The one person to write to. Raises ValidationError for nobody, AmbiguousUser for several."""
    found = identities_named(user_id)
    if account_id is not None:
        account = row_named(Channel.objects.all(), account_id, "CH_", "account_id")
        found = found.filter(channel=account)
    several = list(found.order_by("pk")[:2])
    if not several:
        raise ValidationError({"user_id": f"Nobody has the id {user_id!r}."})
    if len(several) > 1:
        raise AmbiguousUser(
            "Several are meant by this id. Say on which account, with `account_id`, "
            "or give the id of the person there.",
            param="user_id",
        )
    return several[0]
