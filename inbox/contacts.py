"""People: forget one, or hand out all that is kept of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from celery import shared_task
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.utils.timezone import now

from inbox.bell import ring, ring_after_commit
from inbox.conversations import refresh
from inbox.events import Event, EventName, Forgotten, emit, erase, keepers
from inbox.media import drop_attachments, drop_avatar, drop_staged
from inbox.merging import forget_merges, survivor_of
from inbox.models import (
    IN_FLIGHT,
    Agent,
    ChannelAction,
    ChannelIdentity,
    Contact,
    Conversation,
    Draft,
    Erasure,
    Fetch,
    Message,
    StagedFile,
)
from inbox.turns import take_turn

logger = logging.getLogger(__name__)

# Messages that one transaction forgets.
BATCH = 500
# A task gives way to others after this long.
RUN_SECONDS = 10
# Whoever asks waits this long for the end of it; most people have said little.
PATIENCE_SECONDS = 2

# The newest of every conversation first: what lists show goes at once. A send under way is left
# until the channel has answered, or its echo would find nothing to settle and come in as news.
FIND = """
select m.id, m.external_id is null and m.direction in ('out', 'note') as is_ours_alone
  from unnest(%s::bigint[]) c(id)
 cross join lateral (
       select id, external_id, direction from inbox_message
        where conversation_id = c.id and not extra ? 'erased'
          and status not in ('sending', 'uncertain')
          and (sent_at <= %s or received_at <= %s)
        order by sent_at desc, id desc
        limit %s) m
"""

# A tombstone stays under the channel's id, so that neither replay nor backfill fills it again.
# Of a line in the thread stays what happened, not what it was about.
FORGET = """
update inbox_message
   set content = '', search_text = '', error_detail = '', edited_at = null,
       deleted_at = case when direction <> 'event' then coalesce(deleted_at, now()) end,
       extra = case when direction = 'event' then extra - '{raw,value,referral,detail}'::text[]
                    else '{}' end || '{"erased": true}'
 where id = any(%s)
"""

FORGET_REACTIONS = "delete from inbox_reaction where message_id = any(%s)"

FORGET_QUESTIONS = """
delete from inbox_fetch
 where (kind = 'details' and subject_id = any(%s))
    or (kind = 'media' and subject_id in (
        select id from inbox_attachment where message_id = any(%s)))
"""

# Something that was never told whose message it belongs to: an edit whose message did not come.
FORGET_STUBS = """
update inbox_message m
   set content = '', search_text = '', extra = '{"erased": true}', edited_at = null,
       deleted_at = coalesce(m.deleted_at, now())
  from unnest(%s::bigint[], %s::text[]) k(channel_id, external_id)
 where m.channel_id = k.channel_id and m.external_id = k.external_id and m.is_stub
"""


# --- forget --------------------------------------------------------------------------------------


def erase_contact(contact: Contact, by: Agent | None, *, by_name: str = "") -> Erasure:
    """Forget a person: who they are at once, what was said as fast as it goes.

    by: who asked for it; by_name: an API key's name. Whoever was merged with them is the same
    person, and goes too, whichever of the contacts is named. Identities stay as pseudonyms, so that what
    comes again is known and dropped. The row that is returned is finished, or a task goes on
    with it. A person who writes anew afterwards begins anew.
    """
    erasure = _begin(contact, by, by_name or (by.name if by else ""))
    end = time.monotonic() + PATIENCE_SECONDS
    while _take_step(erasure.pk) and time.monotonic() < end:
        pass
    erasure.refresh_from_db()
    if erasure.finished_at is None:
        ring_after_commit(carry_on, erasure.pk)
    return erasure


@transaction.atomic
def _begin(contact: Contact, by: Agent | None, by_name: str) -> Erasure:
    """What names the person goes in one transaction, and the newest of what was said."""
    take_turn()  # nothing that was said before is being stored meanwhile
    contact = survivor_of(Contact.objects.get(pk=contact.pk))
    Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    erasure, _is_new = Erasure.objects.select_for_update().get_or_create(
        contact=contact, finished_at=None, defaults={"requested_at": now()}
    )
    erasure.requested_by, erasure.requested_by_name = by, by_name
    erasure.requested_at, erasure.progress = now(), {}
    person = _person_of(erasure)
    _forget_who_it_is(person)
    erasure.messages += _forget_messages(person)
    erasure.save()
    logger.info(
        "contact.erase contact=%s erasure=%s by=%s",
        contact.pk,
        erasure.pk,
        by.pk if by else "api",
    )
    return erasure


def _person_of(erasure: Erasure) -> Forgotten:
    contact_ids = contacts_behind(erasure.contact_id)
    identities = ChannelIdentity.objects.filter(contact__in=contact_ids).order_by("pk")
    rows = identities.values_list("pk", "channel__external_id", "external_id")
    conversations = Conversation.objects.filter(identity__in=identities)
    return Forgotten(
        contact_ids=tuple(contact_ids),
        identities=tuple(rows),
        conversation_ids=tuple(sorted(conversations.values_list("pk", flat=True))),
        until=erasure.requested_at,
    )


def contacts_behind(contact_id: int) -> list[int]:
    """The contact, and all that were merged into it."""
    found = [contact_id]
    for one in found:  # grows while it is walked
        merged = Contact.objects.filter(merged_into=one).exclude(pk__in=found)
        found.extend(merged.values_list("pk", flat=True))
    return found


def _forget_who_it_is(person: Forgotten) -> None:
    _lock(person.conversation_ids)
    identities = ChannelIdentity.objects.filter(
        pk__in=[pk for pk, *_ in person.identities]
    )
    for identity in identities.select_for_update().order_by("pk"):
        drop_avatar(identity)
        identity.username = identity.name = ""
        identity.profile = {}
        identity.profile_checked_at = identity.erased_at = person.until
        identity.save()
    Contact.objects.filter(pk__in=person.contact_ids).update(
        name="",
        email="",
        email_verified_at=None,
        phone="",
        phone_verified_at=None,
        site_user_id=None,
        attributes={},
        avatar_url="",
    )
    forget_merges(person.contact_ids, person.until)
    conversations = Conversation.objects.filter(pk__in=person.conversation_ids)
    conversations.update(subject="", referral={}, unread=0, waiting_since=None)
    Draft.objects.filter(conversation__in=person.conversation_ids).delete()
    drop_staged(StagedFile.objects.filter(conversation__in=person.conversation_ids))
    _forget_acts(person)
    _forget_admin_log(person)
    emit([_forgotten(identity) for identity in identities])


def _lock(conversation_ids: Sequence[int]) -> None:
    """In the order of their ids, as everybody does."""
    rows = Conversation.objects.filter(pk__in=conversation_ids).order_by("pk")
    list(rows.select_for_update(of=("self",)).values_list("pk", flat=True))


def _forgotten(identity: ChannelIdentity) -> Event:
    """Whoever mirrors people forgets this one too."""
    return Event(
        EventName.USER_UPDATED,
        channel_id=identity.channel_id,
        occurred_at=now(),
        details={"identity_id": identity.pk, "erased": True},
    )


def _forget_acts(person: Forgotten) -> None:
    """What was still to be done for them is not done, nothing more is asked about them."""
    acts = ChannelAction.objects.filter(conversation__in=person.conversation_ids)
    acts.filter(status=ChannelAction.Status.QUEUED).delete()
    acts.update(value="", error_detail="")
    Fetch.objects.filter(
        kind__in=[Fetch.Kind.PROFILE, Fetch.Kind.HISTORY],
        subject_id__in=[pk for pk, *_ in person.identities],
    ).delete()


def _forget_admin_log(person: Forgotten) -> None:
    """Django's log of the admin keeps names of rows as they were when somebody changed them."""
    rows = {
        Contact: person.contact_ids,
        ChannelIdentity: [pk for pk, *_ in person.identities],
        Conversation: person.conversation_ids,
    }
    for model, pks in rows.items():
        entries = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(model),
            object_id__in=[str(pk) for pk in pks],
        )
        entries.update(object_repr="-", change_message="")


# --- forget what was said ------------------------------------------------------------------------


@shared_task(name="inbox.contacts.carry_on")
def carry_on(erasure_id: int) -> None:
    """Go on forgetting one person. Ringing twice changes nothing."""
    end = time.monotonic() + RUN_SECONDS
    while _take_step(erasure_id):
        if time.monotonic() > end:
            ring(carry_on, erasure_id)
            return


@shared_task(name="inbox.contacts.ring_unfinished")
def ring_unfinished() -> None:
    """Whatever bell was lost, whatever send was under way: nobody is forgotten by half."""
    unfinished = Erasure.objects.filter(finished_at=None).order_by("pk")
    for erasure_id in unfinished.values_list("pk", flat=True)[:BATCH]:
        ring(carry_on, erasure_id)


@transaction.atomic
def _take_step(erasure_id: int) -> bool:
    """Returns whether the next step can be taken now."""
    erasure = (
        Erasure.objects.select_for_update(skip_locked=True)
        .filter(pk=erasure_id, finished_at=None)
        .first()
    )
    return erasure is not None and _go_on(erasure)


def _go_on(erasure: Erasure) -> bool:
    """One bounded stretch, in the caller's transaction. Returns whether there is more to do now."""
    person = _person_of(erasure)
    count = _forget_messages(person)
    erasure.messages += count
    is_under_way = bool(count)
    if not count:
        is_under_way = _ask_keepers(erasure, person)
    if not is_under_way and not _waits_for_sends(person):
        erasure.finished_at = now()
        logger.info(
            "contact.erased contact=%s erasure=%s messages=%s",
            erasure.contact_id,
            erasure.pk,
            erasure.messages,
        )
    erasure.save()
    return is_under_way


def _forget_messages(person: Forgotten) -> int:
    """The newest of each conversation that are still there. Returns how many."""
    each = max(1, BATCH // max(1, len(person.conversation_ids)))
    _lock(person.conversation_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            FIND, [list(person.conversation_ids), person.until, person.until, each]
        )
        found = cursor.fetchall()
    if not found:
        return 0
    forget_messages([pk for pk, _ in found])
    # Notes, and replies that never left: nothing brings them back, nothing has to be known.
    Message.objects.filter(pk__in=[pk for pk, alone in found if alone]).delete()
    refresh(person.conversation_ids)
    return len(found)


def forget_messages(message_ids: Sequence[int]) -> None:
    """Leave nothing of these messages but their place."""
    ids = list(message_ids)
    with connection.cursor() as cursor:
        cursor.execute(FORGET_QUESTIONS, [ids, ids])
        drop_attachments(ids)
        cursor.execute(FORGET_REACTIONS, [ids])
        cursor.execute(FORGET, [ids])
    ChannelAction.objects.filter(message__in=ids).update(value="", error_detail="")
    erase(ids)


def forget_stubs(keys: Iterable[tuple[int, str]]) -> None:
    """keys: (channel id, the channel's id of a message) of messages that never came."""
    wanted = sorted(set(keys))
    with connection.cursor() as cursor:
        cursor.execute(
            FORGET_STUBS, [[key[0] for key in wanted], [key[1] for key in wanted]]
        )


def _ask_keepers(erasure: Erasure, person: Forgotten) -> bool:
    """Let the next of those who keep copies take a step. False when all are done."""
    for name, keeper in keepers.items():
        cursor = erasure.progress.get(name, "")
        if cursor is not None:
            erasure.progress[name] = keeper(person, cursor)
            return True
    return False


def _waits_for_sends(person: Forgotten) -> bool:
    return Message.objects.filter(
        conversation__in=person.conversation_ids,
        status__in=IN_FLIGHT,
        sent_at__lte=person.until,
    ).exists()


def erased_at(contact: Contact) -> datetime | None:
    """When this person was forgotten; None if never."""
    last = contact.erasures.order_by("-pk").values_list("requested_at", flat=True)
    return last.first()
