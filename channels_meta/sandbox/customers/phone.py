"""What is on a pretend customer's phone, and what Meta then has to tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.timezone import now

from channels_meta.sandbox import cdn, webhooks
from channels_meta.sandbox.models import (
    PUBLIC_KINDS,
    SandboxCall,
    SandboxMessage,
    SandboxPerson,
)

Kind = SandboxMessage.Kind
Told = SandboxCall.Kind


class NothingThere(Exception):
    """The phone shows nothing that this could be done to. detail: a sentence for people."""

    def __init__(self, detail: str | Promise) -> None:
        super().__init__(str(detail))
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Happening:
    """What Meta has to tell Dexra. mid: the message it is, or is about.

    data: the body; empty where the platform tells nobody.
    """

    person: SandboxPerson
    kind: SandboxCall.Kind
    mid: str
    data: webhooks.Data

    def tell(self) -> int:
        """Post it, signed, to Dexra's door. Returns the HTTP status, 0 where none came."""
        if not self.data:
            return 200
        return webhooks.tell(self.person, self.kind, self.data, summary=self.mid)


def moment() -> datetime:
    """Meta's clock counts in milliseconds."""
    at = now()
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def remember(
    person: SandboxPerson, kind: SandboxMessage.Kind, *, mid: str = "", **fields: Any
) -> SandboxMessage:
    """Put what the person just did on their phone."""
    return SandboxMessage.objects.create(
        person=person,
        kind=kind,
        mid=mid or webhooks.make_mid(person.account),
        direction=SandboxMessage.Direction.IN,
        sent_at=moment(),
        **fields,
    )


def remember_file(
    person: SandboxPerson, kind: SandboxMessage.Kind, name: str, **fields: Any
) -> SandboxMessage:
    """name: of one of our static files, which the pretend CDN then serves."""
    asset_id = cdn.make_asset_id()
    return remember(
        person,
        kind,
        asset_id=asset_id,
        media_url=cdn.address_of(asset_id, name),
        **fields,
    )


def newest(
    person: SandboxPerson, direction: str, otherwise: str | Promise
) -> SandboxMessage:
    """The newest message of one side that is still there; what stands below a post is none.

    Raises NothingThere without one.
    """
    messages = person.messages.filter(direction=direction, unsent_at=None)
    found = messages.exclude(kind__in=PUBLIC_KINDS).last()
    if found is None:
        raise NothingThere(otherwise)
    return found
