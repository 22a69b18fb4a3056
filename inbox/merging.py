"""Two contacts are one person: merge them, and separate them again.

A merge moves the channel identities of one contact (and with them every conversation) to another,
and writes down what both were before. Nothing is copied and nothing thrown away: the contact that
is gone keeps its row and its values, and points to the one that was kept.

Whoever merges takes the turn of those who receive: nobody files a message meanwhile under a person
who is on the move, and two merges never wait for each other in a circle. Then rows are locked in
one order: contacts, conversations, identities, each by its id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.audit import note_act
from inbox.conversations import record
from inbox.errors import ContentInvalid, InboxError, StateForbids
from inbox.events import Event, EventName, emit
from inbox.models import (
    Actor,
    Agent,
    ChannelIdentity,
    Contact,
    Conversation,
    Erasure,
    Merge,
    Source,
)
from inbox.models.merges import MergeQuerySet
from inbox.turns import take_turn

MAX_REASON = 200
# Conversations that get a line of it, and whose open pages are told: the newest.
MAX_TOLD = 20

# What goes together: whoever takes the e-mail takes whether it was verified.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "name": ("name",),
    "email": ("email", "email_verified_at"),
    "phone": ("phone", "phone_verified_at"),
    "avatar_url": ("avatar_url",),
    "site_user_id": ("site_user_id",),
}
# Of these an agent may choose; of details it is "attributes.<name>".
CHOOSABLE = ("name", "email", "phone")
ATTRIBUTE = "attributes."


class SiteIdsConflict(InboxError):
    """The website says that they are two different people."""

    code = "site_ids_conflict"
    status = 409


class AlreadyMerged(InboxError):
    code = "already_merged"
    status = 409


class LaterMergeStands(InboxError):
    """Another merge was built on this one: that one has to be undone first."""

    code = "later_merge_stands"
    status = 409


# --- which value stays ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that both have, and not the same.

    name: as in CHOOSABLE, or "attributes.<name>". takes_gone: whether, unless somebody chooses,
    that of the contact that goes stays.
    """

    name: str
    kept: Any
    gone: Any
    takes_gone: bool = False


def differences(kept: Contact, gone: Contact) -> list[Difference]:
    """Where somebody may choose. What is verified stays rather than what is not."""
    found = []
    for name in CHOOSABLE:
        values = getattr(kept, name), getattr(gone, name)
        if all(values) and values[0] != values[1]:
            is_better = _is_verified(gone, name) and not _is_verified(kept, name)
            found.append(Difference(name, *values, takes_gone=is_better))
    for name, value in kept.attributes.items():
        other = gone.attributes.get(name, value)
        if other != value:
            found.append(Difference(f"{ATTRIBUTE}{name}", value, other))
    return found


def _is_verified(contact: Contact, name: str) -> bool:
    return getattr(contact, f"{name}_verified_at", None) is not None


def _put_together(kept: Contact, gone: Contact, take: Collection[str]) -> None:
    """kept, with what it had not, those values of gone that are taken, and the proof of what both
    have. take: names of differences only."""
    for name, fields in FIELDS.items():
        is_proven = getattr(kept, name) == getattr(gone, name) and (
            _is_verified(gone, name) and not _is_verified(kept, name)
        )
        if name in take or is_proven or not getattr(kept, name):
            for field in fields:
                setattr(kept, field, getattr(gone, field))
    taken = {
        name: value
        for name, value in gone.attributes.items()
        if name not in kept.attributes or f"{ATTRIBUTE}{name}" in take
    }
    kept.attributes = {**kept.attributes, **taken}


# --- merge ---------------------------------------------------------------------------------------


def why_not(kept: Contact, gone: Contact) -> InboxError | None:
    """Why these two cannot be merged as they are now; None if they can."""
    if kept.pk == gone.pk:
        return ContentInvalid(
            _("This is the same contact. Choose another one."), param="contact_id"
        )
    if kept.merged_into_id or gone.merged_into_id:
        return AlreadyMerged(
            _("One of them was merged with another contact meanwhile. Look again.")
        )
    if kept.site_user_id and gone.site_user_id:
        return SiteIdsConflict(
            _("Your website knows them as two different people, by two ids.")
        )
    if Erasure.objects.filter(contact__in=[kept, gone]).exists():
        return StateForbids(_("One of them asked to be forgotten."))
    return None


@transaction.atomic
def merge(
    *,
    kept: Contact,
    gone: Contact,
    by: Actor | None,
    reason: str = "",
    take: Collection[str] | None = None,
) -> Merge:
    """From now on `gone` is part of `kept`, with all its channel identities and conversations.

    take: names of differing values (see `differences`) of which that of `gone` stays; None: as
    proposed there; other names mean nothing. Merging the same two again changes nothing and returns the merge that stands.

    Raises ContentInvalid (a contact with itself, a reason that is too long), AlreadyMerged,
    SiteIdsConflict, StateForbids (one of them was erased).
    """
    reason = _clean_reason(reason)
    take_turn()
    rows = _lock_contacts([kept.pk, gone.pk])
    kept, gone = rows[kept.pk], rows[gone.pk]
    if standing := Merge.objects.standing().filter(kept=kept, gone=gone).first():
        return standing
    if refusal := why_not(kept, gone):
        raise refusal
    taken = {
        one.name
        for one in differences(kept, gone)
        if (one.takes_gone if take is None else one.name in take)
    }
    threads = _lock_threads([kept.pk, gone.pk])
    identities = _lock_identities(Q(contact=gone))
    row = Merge(
        kept=kept,
        gone=gone,
        merged_at=now(),
        proof=Merge.Proof.AGENT if isinstance(by, Agent) else Merge.Proof.API,
        agent=by if isinstance(by, Agent) else None,
        by_name=by.name if by else "",
        reason=reason,
        kept_before=copy_of(kept),
        gone_before=copy_of(gone),
        identities=[one.pk for one in identities],
    )
    _put_together(kept, gone, taken)
    row.kept_after = copy_of(kept)
    gone.merged_into, gone.site_user_id = kept, None  # one person has it at a time
    kept.revision += 1
    gone.save()
    kept.save()
    ChannelIdentity.objects.filter(pk__in=row.identities).update(contact=kept)
    row.save()
    _tell_merged(row, by, identities)
    _write_lines(threads, row, "contacts_merged", by)
    note_act(by, "contact_merged", kept, gone=gone.public_id, merge=row.public_id)
    return row


def write_down_channels_word(
    *, kept: Contact, kept_before: Mapping[str, Any], gone: Contact, identity_id: int
) -> None:
    """The channel itself said so: one moved identity was all that there was of `gone`.

    kept_before: a copy of it (see `copy_of`) from before the merge.
    """
    Merge.objects.create(
        kept=kept,
        gone=gone,
        merged_at=now(),
        proof=Merge.Proof.CHANNEL,
        kept_before=dict(kept_before),
        gone_before=copy_of(gone),
        kept_after=copy_of(kept),
        identities=[identity_id],
    )


def _clean_reason(reason: str) -> str:
    reason = " ".join(reason.split())
    if len(reason) > MAX_REASON:
        raise ContentInvalid(
            _("A reason has at most %(limit)d characters.") % {"limit": MAX_REASON},
            param="reason",
        )
    return reason


def _tell_merged(row: Merge, by: Actor | None, moved: list[ChannelIdentity]) -> None:
    """user_merged for every identity that has another contact now; for one of the other's where
    nobody moved (a contact that only the website or the API knows)."""
    others = row.kept.identities.exclude(pk__in=row.identities).order_by("pk")
    changed = _changed(row.kept_before, row.kept_after)
    told = moved or list(others[:1])
    _emit(EventName.USER_MERGED, told, by, merged=row.gone.public_id)
    if changed:
        _emit(EventName.USER_UPDATED, others, by, fields=changed)


# --- separate ------------------------------------------------------------------------------------


def why_not_undone(row: Merge) -> InboxError | None:
    """Why a merge cannot be undone as things are now; None if it can."""
    if row.erased_at:
        return StateForbids(_("This person was forgotten: nothing is left to restore."))
    later = (
        Merge.objects.standing()
        .filter(Q(kept=row.kept_id) | Q(gone=row.kept_id), pk__gt=row.pk)
        .select_related("gone")
        .order_by("-pk")
        .first()
    )
    if later is None:
        return None
    told = {"name": str(later.gone), "id": later.gone.public_id}
    if later.gone_id == row.kept_id:
        words = _("%(name)s (%(id)s) itself was merged later. Separate that first.")
    else:
        words = _("%(name)s (%(id)s) was merged later. Separate that first.")
    return LaterMergeStands(words % told)


@transaction.atomic
def unmerge(row: Merge, *, by: Actor | None) -> Merge:
    """Separate two contacts again: both are what they were, with their own conversations.

    What came since stays where it came: messages in their conversations, and so with their
    person; channel identities, values and details that the kept contact got after the merge, with
    the kept contact. Separating twice changes nothing more.

    Raises LaterMergeStands, StateForbids (the person was erased).
    """
    take_turn()
    rows = _lock_contacts([row.kept_id, row.gone_id])
    row = Merge.objects.select_for_update().get(pk=row.pk)
    kept, gone = rows[row.kept_id], rows[row.gone_id]
    if row.undone_at:
        return row
    if refusal := why_not_undone(row):
        raise refusal
    threads = _lock_threads([kept.pk])
    moved = _lock_identities(Q(pk__in=row.identities, contact=kept))
    now_kept = copy_of(kept)
    _restore(kept, row.kept_before, unless_changed=row.kept_after)
    kept.revision += 1
    kept.save()  # first: a website id that goes back is free before it is given
    gone.merged_into = None
    _restore(gone, row.gone_before)
    if gone.site_user_id and _is_taken(gone):
        gone.site_user_id = None
    gone.save()
    ChannelIdentity.objects.filter(pk__in=[one.pk for one in moved]).update(
        contact=gone
    )
    row.undone_at, row.undone_by_name = now(), by.name if by else ""
    row.save()
    row.kept, row.gone = kept, gone
    _emit(EventName.USER_UPDATED, moved, by, fields=["contact_id"])
    if changed := _changed(now_kept, copy_of(kept)):
        left = kept.identities.order_by("pk")
        _emit(EventName.USER_UPDATED, left, by, fields=changed)
    _write_lines(threads, row, "contacts_separated", by)
    note_act(by, "contact_separated", kept, gone=gone.public_id, merge=row.public_id)
    return row


def _is_taken(contact: Contact) -> bool:
    """Whether the website has said meanwhile that its id is somebody else's."""
    others = Contact.objects.exclude(pk=contact.pk)
    return others.filter(site_user_id=contact.site_user_id).exists()


def _restore(
    contact: Contact,
    before: Mapping[str, Any],
    *,
    unless_changed: Mapping[str, Any] | None = None,
) -> None:
    """unless_changed: what is not as it is there was written down since, and stays."""
    current = copy_of(contact)
    after = current if unless_changed is None else unless_changed
    for fields in FIELDS.values():
        if all(current[field] == after[field] for field in fields):
            for field in fields:
                setattr(contact, field, _value_of(field, before[field]))
    details = dict(before["attributes"])
    for name in {**details, **after["attributes"], **contact.attributes}:
        is_same = contact.attributes.get(name) == after["attributes"].get(name)
        if is_same:
            continue
        if name in contact.attributes:
            details[name] = contact.attributes[name]
        else:
            details.pop(name, None)
    contact.attributes = details


# --- what both share -----------------------------------------------------------------------------


def survivor_of(contact: Contact) -> Contact:
    """The contact that this one has become part of, or itself."""
    while contact.merged_into is not None:
        contact = contact.merged_into
    return contact


def lock_survivor(contact: Contact) -> Contact:
    """The row to write to, whoever merged meanwhile."""
    row = contact
    while True:
        rows = Contact.objects.select_for_update(no_key=True)
        row = rows.get(pk=survivor_of(row).pk)
        if row.merged_into_id is None:
            return row


def merges_of(contact_ids: Collection[int]) -> MergeQuerySet:
    """All that hold copies of any of these contacts, the undone ones too."""
    return Merge.objects.filter(Q(kept__in=contact_ids) | Q(gone__in=contact_ids))


def forget_merges(contact_ids: Collection[int], at: datetime) -> None:
    """Nothing is left in them but who was merged with whom, and when."""
    nothing: dict[str, Any] = {}
    merges_of(contact_ids).update(
        kept_before=nothing,
        gone_before=nothing,
        kept_after=nothing,
        reason="",
        erased_at=at,
    )


def _lock_contacts(ids: Collection[int]) -> dict[int, Contact]:
    rows = Contact.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    return {row.pk: row for row in rows}


def _lock_threads(contact_ids: Collection[int]) -> list[Conversation]:
    """The newest of these contacts."""
    rows = Conversation.objects.filter(identity__contact__in=contact_ids)
    newest = rows.newest_first().values_list("pk", flat=True)[:MAX_TOLD]
    found = Conversation.objects.filter(pk__in=list(newest)).order_by("pk")
    return list(found.select_for_update(of=("self",)))


def _lock_identities(which: Q) -> list[ChannelIdentity]:
    rows = ChannelIdentity.objects.filter(which).order_by("pk")
    return list(rows.select_for_update(no_key=True, of=("self",)))


def copy_of(contact: Contact) -> dict[str, Any]:
    """As JSON, to the microsecond."""
    values = {
        field: getattr(contact, field) for fields in FIELDS.values() for field in fields
    }
    told = {
        field: value.isoformat() if isinstance(value, datetime) else value
        for field, value in values.items()
    }
    return {**told, "attributes": dict(contact.attributes)}


def _value_of(field: str, stored: Any) -> Any:
    return parse_datetime(stored) if stored and field.endswith("_at") else stored


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [name for name, value in after.items() if before.get(name) != value]


def _emit(
    name: EventName,
    identities: Iterable[ChannelIdentity],
    by: Actor | None,
    **details: Any,
) -> None:
    source = "" if by is None else Source.AGENT if isinstance(by, Agent) else Source.API
    moment = now()
    emit(
        [
            Event(
                name,
                channel_id=one.channel_id,
                occurred_at=moment,
                source=source,
                details={"identity_id": one.pk, **details},
            )
            for one in identities
        ]
    )


def _write_lines(
    threads: Iterable[Conversation], row: Merge, what: str, by: Actor | None
) -> None:
    """They name nobody: a line stays when the person is forgotten."""
    kept, gone = row.kept.public_id, row.gone.public_id
    for conversation in threads:
        record(conversation, by, what, kept_id=kept, gone_id=gone)
