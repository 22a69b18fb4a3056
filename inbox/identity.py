"""One person under several ids of one channel: who commented is who we answered in private."""

from __future__ import annotations

from django.db import transaction
from django.utils.timezone import now

from inbox.events import Event, EventName, emit
from inbox.merging import copy_of, write_down_channels_word
from inbox.models import ChannelIdentity, Contact, Fetch


@transaction.atomic
def join_identity(identity: ChannelIdentity, person_id: str) -> None:
    """`identity` (who commented) is, by the channel's word, `person_id` in the inbox.

    Both belong to one contact from now on: to that of `person_id`, unless nobody has ever talked
    with that one. A contact that nothing is left of points to the one it became. Safe to run
    twice; takes no locks but those of the two, so that nobody waits in a circle.
    """
    if not person_id or identity.external_id == person_id:
        return
    is_new = _add_person(identity, person_id)
    both = ChannelIdentity.objects.select_for_update(of=("self",)).filter(
        channel=identity.channel_id, external_id__in=[identity.external_id, person_id]
    )
    found = {
        one.external_id: one for one in both.select_related("contact").order_by("pk")
    }
    commenter, person = found[identity.external_id], found[person_id]
    if commenter.contact_id == person.contact_id:
        if is_new:
            _tell(EventName.USER_UPDATED, person, fields=["identities"])
    elif _is_bare(person.contact, but=person) and not person.conversations.exists():
        _move(person, commenter.contact)
    else:
        _move(commenter, person.contact)


def _add_person(identity: ChannelIdentity, person_id: str) -> bool:
    """Before any lock: whoever receives may be adding the same person right now."""
    channel_id = identity.channel_id
    if ChannelIdentity.objects.filter(
        channel=channel_id, external_id=person_id
    ).exists():
        return False
    person = ChannelIdentity(
        channel_id=channel_id,
        external_id=person_id,
        contact_id=identity.contact_id,
        username=identity.username,
        name=identity.name,
        avatar_url=identity.avatar_url,
    )
    ChannelIdentity.objects.bulk_create([person], ignore_conflicts=True)
    added = ChannelIdentity.objects.get(channel=channel_id, external_id=person_id)
    wanted = Fetch(channel_id=channel_id, kind=Fetch.Kind.PROFILE, subject_id=added.pk)
    Fetch.objects.bulk_create([wanted], ignore_conflicts=True)
    return added.contact_id == identity.contact_id


def _move(identity: ChannelIdentity, contact: Contact) -> None:
    former, before = identity.contact, copy_of(contact)
    if not contact.name and former.name:
        contact.name = former.name
        contact.save(update_fields=["name"])
    identity.contact = contact
    identity.save(update_fields=["contact"])
    if _is_bare(former, but=identity):
        former.merged_into = contact
        former.save(update_fields=["merged_into"])
        write_down_channels_word(
            kept=contact, kept_before=before, gone=former, identity_id=identity.pk
        )
        _tell(EventName.USER_MERGED, identity, merged=former.public_id)
    else:
        _tell(EventName.USER_UPDATED, identity, fields=["contact_id"])


def _is_bare(contact: Contact, *, but: ChannelIdentity) -> bool:
    """Whether nothing else hangs on it: no identity, nothing that somebody told us or wrote."""
    told = (contact.email, contact.phone, contact.site_user_id, contact.attributes)
    return not any(told) and not contact.identities.exclude(pk=but.pk).exists()


def _tell(name: EventName, identity: ChannelIdentity, **details: object) -> None:
    emit(
        [
            Event(
                name,
                channel_id=identity.channel_id,
                occurred_at=now(),
                details={"identity_id": identity.pk, **details},
            )
        ]
    )
