"""What is still to be asked of the channels: profiles, files, comments' details, earlier messages.

Rows are the queue, one for each kind of each channel: a channel that is slow or must wait delays
nobody else, and its slow files do not delay its quick questions. A row is gone once it is
answered or given up; until then a lease keeps others from it while it is asked.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import redis
from celery import shared_task
from django.db import connection, transaction
from django.db.models import F
from django.utils.timezone import now

from inbox import live, media
from inbox.bell import answer_kick, ring
from inbox.channels import Details, ErrorClass, Profile, SendError
from inbox.conversations import Touch, refresh, touch
from inbox.delivery import lock_conversation_of, stop_channel
from inbox.events import Event, EventName, emit
from inbox.history import recover_thread
from inbox.inbound import Arrival, Unsend, receive, take_turn
from inbox.models import (
    IN_FLIGHT,
    Channel,
    ChannelAction,
    ChannelIdentity,
    Contact,
    Conversation,
    Draft,
    Fetch,
    Mention,
    Message,
)
from inbox.redis import redis_client
from inbox.search import fold

logger = logging.getLogger(__name__)

# How long one question may take before its worker counts as dead.
LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 6
# A task gives way to others after this long.
RUN_SECONDS = 10
# Longer waits are left to the sweeper.
RUNG_WITHIN = timedelta(seconds=60)

PROFILE_LASTS = timedelta(days=7)
# Whose conversation moved since the last look is looked at; this far back at most.
REFRESH_SPAN = timedelta(hours=2)
MAX_REFRESHED = 1000
# Conversations of one person that open pages are told about.
MAX_TOLD = 20

# Placeholders for authors that a comment's notice did not name.
NAMELESS = "comment:"

# The channel will not answer otherwise, however often it is asked.
_FOR_GOOD = {
    ErrorClass.BAD_REQUEST,
    ErrorClass.PERMISSION,
    ErrorClass.POLICY,
    ErrorClass.GONE,
    ErrorClass.UNAVAILABLE,
    ErrorClass.WINDOW_CLOSED,
}

# A file lies at an address that needs no token; all else is asked of a channel that works.
LANES = """
select c.id, k.kind
  from inbox_channel c
 cross join unnest(%s::text[]) k(kind)
 cross join lateral (
       select f.due_at from inbox_fetch f
        where f.channel_id = c.id and f.kind = k.kind and f.due_at <= statement_timestamp()
        order by f.due_at limit 1) f
 where k.kind = 'media'
    or (c.status = 'active' and (c.blocked_until is null or c.blocked_until <= statement_timestamp()))
 order by f.due_at
"""

CLAIM = """
update inbox_fetch f
   set due_at = statement_timestamp() + make_interval(secs => %s), attempts = f.attempts + 1
 where f.id = (select id from inbox_fetch
                where channel_id = %s and kind = %s and due_at <= statement_timestamp()
                order by due_at, id limit 1 for update skip locked)
returning f.id, f.subject_id, f.attempts
"""

# People who are written with, whose profile is old or was never asked for.
REFRESH = """
insert into inbox_fetch (channel_id, kind, subject_id)
select i.channel_id, 'profile', i.id
  from (select distinct identity_id from (
               select identity_id from inbox_conversation
                where updated_at >= %s order by updated_at desc limit %s) newest) c
  join inbox_channelidentity i on i.id = c.identity_id
  join inbox_channel a on a.id = i.channel_id and a.status = 'active'
 where i.last_inbound_at >= %s
   and (i.profile_checked_at is null or i.profile_checked_at < %s)
   and i.external_id not like 'comment:%%'
   and (i.erased_at is null or i.last_inbound_at > i.erased_at)
    on conflict (kind, subject_id) do nothing
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """One queue: what one channel is asked of one kind."""

    channel_id: int
    kind: str

    @property
    def key(self) -> str:
        return f"dexra:fetch:{self.channel_id}:{self.kind}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A question under way. attempts: this one included."""

    id: int
    lane: Lane
    subject_id: int
    attempts: int


# --- the queue -----------------------------------------------------------------------------------


@shared_task(name="inbox.fetching.fetch_due")
def fetch_due() -> None:
    """Ask what is due, lane by lane. Ringing it twice asks once."""
    answer_kick(fetch_due)
    end = time.monotonic() + RUN_SECONDS
    waiting = _lanes()
    while waiting and time.monotonic() < end:
        lane = waiting.pop(0)
        if not _take(lane):
            continue
        if waiting:
            ring(fetch_due)  # somebody else takes the next one meanwhile
        _leave(lane, _work(lane, end))
    if waiting or time.monotonic() >= end:
        ring(fetch_due)


def _lanes() -> list[Lane]:
    """Those with something due, the longest waiting first."""
    with connection.cursor() as cursor:
        cursor.execute(LANES, [[kind.value for kind in Fetch.Kind]])
        return [Lane(*row) for row in cursor.fetchall()]


def _take(lane: Lane) -> bool:
    """Work on a lane alone, so that a slow channel takes one worker of a kind and not all.

    Without Redis everybody may: the rows' own lease keeps a question from being asked twice.
    """
    try:
        key, life = lane.key, int(LEASE.total_seconds())
        return bool(redis_client().set(key, 1, nx=True, ex=life))
    except redis.RedisError as error:
        logger.warning("fetch.alone error=%s", type(error).__name__)
        return True


def _leave(lane: Lane, wait: timedelta | None) -> None:
    """Let others have the lane; nobody for a while, where the channel asked for one."""
    try:
        client = redis_client()
        if wait is None:
            client.delete(lane.key)
            return
        client.set(lane.key, 1, px=max(1, wait // timedelta(milliseconds=1)))
    except redis.RedisError as error:
        logger.warning("fetch.alone error=%s", type(error).__name__)
    if wait is not None and wait < RUNG_WITHIN:
        ring(fetch_due, countdown=wait.total_seconds())


def _work(lane: Lane, end: float) -> timedelta | None:
    """Ask until nothing is due or the time is up; how long the channel wants to be left alone."""
    while time.monotonic() < end and (fetch := _claim(lane)) is not None:
        error = _ask(fetch)
        if error is None:
            Fetch.objects.filter(pk=fetch.id).delete()
        elif (wait := _put_back(fetch, error)) is not None:
            return wait
    return None


def _claim(lane: Lane) -> Claimed | None:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [LEASE.total_seconds(), lane.channel_id, lane.kind])
        row = cursor.fetchone()
    return Claimed(row[0], lane, row[1], row[2]) if row else None


def _ask(fetch: Claimed) -> SendError | None:
    """One question, with no transaction open. What the channel will not tell is an answer too."""
    try:
        _QUESTIONS[fetch.lane.kind](fetch.subject_id)
    except SendError as error:
        if error.error_class not in _FOR_GOOD:
            return error
        _give_up(fetch, error)
    return None


def _give_up(fetch: Claimed, error: SendError) -> None:
    logger.info(
        "fetch.given_up channel=%s kind=%s code=%s attempts=%s",
        fetch.lane.channel_id,
        fetch.lane.kind,
        error.code,
        fetch.attempts,
    )
    if fetch.lane.kind == Fetch.Kind.PROFILE:
        _note_asked(fetch.subject_id)


def _put_back(fetch: Claimed, error: SendError) -> timedelta | None:
    """Ask another time. Waiting for a channel that is throttled or cut off is no attempt."""
    row = Fetch.objects.filter(pk=fetch.id)
    if error.error_class is ErrorClass.THROTTLED:
        row.update(due_at=now(), attempts=F("attempts") - 1)
        return error.retry_after or timedelta(minutes=1)
    if error.error_class is ErrorClass.RECONNECT:
        row.update(due_at=now(), attempts=F("attempts") - 1)
        with transaction.atomic():
            stop_channel(fetch.lane.channel_id, error)
        return timedelta(minutes=1)
    if fetch.attempts >= MAX_ATTEMPTS:
        _give_up(fetch, error)
        row.delete()
        return None
    row.update(due_at=now() + backoff(fetch.attempts), error_code=error.code[:40])
    return None


def backoff(attempts: int) -> timedelta:
    """10 s, 50 s, 4 min, 21 min, 1 h 44 min with up to a quarter more."""
    return timedelta(seconds=2 * 5**attempts * (1 + random.random() / 4))  # noqa: S311 - jitter


# --- profiles ------------------------------------------------------------------------------------


def fetch_profile(identity_id: int) -> None:
    """Learn who a person is. Raises SendError."""
    identity = (
        ChannelIdentity.objects.select_related("channel").filter(pk=identity_id).first()
    )
    if identity is None or identity.external_id.startswith(NAMELESS):
        return
    if _is_forgotten(identity):
        return
    profile = identity.channel.adapter.fetch_profile(
        identity.channel, identity.external_id
    )
    if _store_profile(identity_id, profile):
        # On its own: rows of people are locked after those of conversations.
        _show(identity)
    if profile.avatar_url:
        media.fetch_avatar(identity_id)


def _is_forgotten(identity: ChannelIdentity) -> bool:
    """Whether the person asked to be, and has not written since."""
    wrote_at = identity.last_inbound_at
    return identity.erased_at is not None and (
        wrote_at is None or wrote_at <= identity.erased_at
    )


@transaction.atomic
def _store_profile(identity_id: int, profile: Profile) -> bool:
    """Keep what was told; what was not told stays as it was. Returns whether a name changed."""
    identity = (
        ChannelIdentity.objects.select_for_update(of=("self", "contact"))
        .select_related("contact")
        .get(pk=identity_id)
    )
    if _is_forgotten(identity):  # while the channel was asked
        return False
    changed = _apply_names(identity, profile.username, profile.name)
    identity.avatar_url = profile.avatar_url or identity.avatar_url
    identity.profile = {**identity.profile, **profile.attributes}
    identity.profile_checked_at = now()
    identity.save(
        update_fields=[
            "username",
            "name",
            "avatar_url",
            "profile",
            "profile_checked_at",
        ]
    )
    _announce(identity, changed)
    return bool(changed)


def _apply_names(identity: ChannelIdentity, username: str, name: str) -> list[str]:
    """Returns which fields changed. The contact follows unless an agent named it."""
    changed = []
    if name and name != identity.name:
        if identity.contact.name in {"", identity.name}:
            identity.contact.name = name
            identity.contact.save(update_fields=["name"])
        identity.name = name
        changed.append("name")
    if username and username != identity.username:
        identity.username = username
        changed.append("username")
    return changed


def _announce(identity: ChannelIdentity, changed: list[str]) -> None:
    if changed:
        details = {"identity_id": identity.pk, "fields": changed}
        emit(
            [
                Event(
                    EventName.USER_UPDATED,
                    channel_id=identity.channel_id,
                    occurred_at=now(),
                    details=details,
                )
            ]
        )


def _show(identity: ChannelIdentity) -> None:
    """Open pages show the names that changed."""
    conversations = identity.conversations.order_by("-id").values_list("pk", flat=True)
    refresh(conversations[:MAX_TOLD])


def _note_asked(identity_id: int) -> None:
    """Nothing was told, and that is all right: it is not asked for again before long."""
    ChannelIdentity.objects.filter(pk=identity_id).update(profile_checked_at=now())


@shared_task(name="inbox.fetching.refresh_profiles")
def refresh_profiles() -> None:
    """Ask again who the people are that are written with, a week after the last time."""
    moment = now()
    old = moment - PROFILE_LASTS
    with connection.cursor() as cursor:
        cursor.execute(REFRESH, [moment - REFRESH_SPAN, MAX_REFRESHED, old, old])
        if cursor.rowcount:
            ring(fetch_due)


# --- comments ------------------------------------------------------------------------------------


def fetch_details(message_id: int) -> None:
    """Learn what a comment's notice left out. Raises SendError."""
    message = (
        Message.objects.select_related("channel")
        .filter(pk=message_id, deleted_at=None, is_stub=False)
        .first()
    )
    if message is None or not message.external_id:
        return
    details = message.channel.adapter.fetch_details(
        message.channel, message.external_id, message.extra
    )
    if details.gone:
        _bury(message)
    else:
        _store_details(message_id, details)


def _bury(message: Message) -> None:
    """It exists no more: what is left is what an unsent message leaves."""
    unsend = Unsend(external_id=message.external_id or "", at=now())
    receive([Arrival(message.channel_id, now(), unsend, recovered="missed")])


@transaction.atomic
def _store_details(message_id: int, details: Details) -> None:
    """Complete the comment; its author may turn out to be somebody we know."""
    take_turn()
    try:
        lock_conversation_of(message_id)
    except Conversation.DoesNotExist:
        return
    message = (
        Message.objects.select_for_update(of=("self",))
        .select_related("conversation__identity__contact", "channel")
        .get(pk=message_id)
    )
    if message.deleted_at:
        return
    message.extra = _completed(message.extra, details)
    message.sent_at = details.sent_at or message.sent_at
    told = details.content if not message.content else None
    if told:
        message.content, message.search_text = told, fold(told)
    message.save(update_fields=["extra", "sent_at", "content", "search_text"])
    if details.author:
        _learn_author(message, *details.author)
        message.refresh_from_db(fields=["conversation"])
    if told:
        emit([_edited(message)])
    refresh([message.conversation.pk])


def _completed(extra: dict[str, object], details: Details) -> dict[str, object]:
    known = extra.get("comment")
    comment = {**(known if isinstance(known, dict) else {}), **details.comment}
    completed = {**extra, "comment": comment}
    if isinstance(details.comment.get("hidden"), bool):
        completed["hidden"] = details.comment["hidden"]
    return completed


def _edited(message: Message) -> Event:
    """The words came after the message was told of."""
    return Event(
        EventName.MESSAGE_EDITED,
        channel_id=message.channel_id,
        occurred_at=message.sent_at,
        conversation_id=message.conversation.pk,
        message_id=message.pk,
        source=message.source,
    )


def _learn_author(message: Message, author_id: str, username: str, name: str) -> None:
    """A comment that came without its author has learned who it is. Within the turn."""
    identity = message.conversation.identity
    if not identity.external_id.startswith(NAMELESS):
        return
    if author_id == message.channel.external_id:
        return
    known = (
        ChannelIdentity.objects.select_related("contact")
        .filter(channel=message.channel, external_id=author_id)
        .first()
        if author_id
        else None
    )
    if known is None:
        _name(identity, author_id, username, name)
    elif known.erased_at and message.sent_at <= known.erased_at:
        _bury(message)
    else:
        _move(identity, known)


def _name(identity: ChannelIdentity, author_id: str, username: str, name: str) -> None:
    """The placeholder becomes the person, whom we had not known."""
    changed = _apply_names(identity, username, name)
    if author_id:
        identity.external_id = author_id
        changed.append("id")
        Fetch.objects.bulk_create(
            [
                Fetch(
                    channel_id=identity.channel_id,
                    kind=Fetch.Kind.PROFILE,
                    subject_id=identity.pk,
                )
            ],
            ignore_conflicts=True,
        )
    identity.save(update_fields=["external_id", "username", "name"])
    _announce(identity, changed)


def _move(placeholder: ChannelIdentity, known: ChannelIdentity) -> None:
    """What was filed under a placeholder belongs to a person we know already.

    Raises SendError where both have a reply under way: it is tried again later.
    """
    rows = Conversation.objects.select_for_update(of=("self",)).order_by("pk")
    both = list(rows.filter(identity__in=[placeholder, known]))
    sources = [one for one in both if one.identity_id == placeholder.pk]
    target = max(
        (one for one in both if one.identity_id == known.pk),
        key=lambda one: (one.status != Conversation.Status.CLOSED, one.pk),
        default=None,
    )
    starts_anew = known.channel.reopening == Channel.Reopening.NEW
    if target is None or (target.status == Conversation.Status.CLOSED and starts_anew):
        Conversation.objects.filter(identity=placeholder).update(identity=known)
        refresh(one.pk for one in sources)
    else:
        _pour(sources, target)
    _drop(placeholder, known)


def _pour(sources: list[Conversation], target: Conversation) -> None:
    """Move every message of some conversations into another, whose rows are locked."""
    ids = [one.pk for one in sources]
    messages = Message.objects.filter(conversation__in=ids)
    under_way = Message.objects.filter(
        conversation__in=[*ids, target.pk], status__in=IN_FLIGHT
    )
    if under_way.count() > 1:
        raise SendError(ErrorClass.TRANSIENT, "", code="in_flight")
    messages.update(conversation=target)
    ChannelAction.objects.filter(conversation__in=ids).update(conversation=target)
    Mention.objects.filter(conversation__in=ids).update(conversation=target)
    _move_drafts(ids, target)
    if target.status == Conversation.Status.CLOSED:
        target.status, target.closed_at = Conversation.Status.OPEN, None
        target.save(update_fields=["status", "closed_at"])
    waiting = [one.waiting_since for one in sources if one.waiting_since]
    unread = sum(one.unread for one in sources)
    touch({target.pk: Touch(unread=unread, waiting_since=min(waiting, default=None))})
    with connection.cursor() as cursor:
        # Past Django's cascade: events that endpoints are still owed outlive the conversation.
        cursor.execute("delete from inbox_conversation where id = any(%s)", [ids])
    live.publish_after_commit(
        live.Change(
            "conversation",
            one.pk,
            one.revision + 1,
            one.channel_id,
            one.team_id,
            one.assignee_id,
        )
        for one in sources
    )
    details = {"change": "merged", "from": ", ".join(map(str, ids))}
    emit(
        [
            Event(
                EventName.CONVERSATION_UPDATED,
                channel_id=target.channel_id,
                occurred_at=now(),
                conversation_id=target.pk,
                details=details,
            )
        ]
    )


def _move_drafts(ids: list[int], target: Conversation) -> None:
    """Words that nobody has sent yet go along; after those that stand there already."""
    for draft in Draft.objects.filter(conversation__in=ids).order_by("pk"):
        there = Draft.objects.filter(
            agent=draft.agent_id, conversation=target, mode=draft.mode
        ).first()
        if there is None:
            draft.conversation = target
            draft.save(update_fields=["conversation"])
            continue
        there.content = f"{there.content}\n{draft.content}"
        there.save(update_fields=["content"])
        draft.delete()


def _drop(placeholder: ChannelIdentity, known: ChannelIdentity) -> None:
    """A contact that an agent has worked on points to the real one; a bare one goes."""
    contact = placeholder.contact
    placeholder.delete()
    is_bare = (
        not (contact.email or contact.phone or contact.site_user_id)
        and not contact.attributes
        and contact.name in {"", placeholder.name}
    )
    if contact.identities.exists():
        return
    if is_bare:
        contact.delete()
    else:
        Contact.objects.filter(pk=contact.pk).update(merged_into=known.contact)


# --- earlier messages ----------------------------------------------------------------------------


def fetch_earlier(identity_id: int) -> None:
    """What a person wrote before we heard of them first. Raises SendError."""
    identity = (
        ChannelIdentity.objects.select_related("channel").filter(pk=identity_id).first()
    )
    if identity is not None and not identity.external_id.startswith(NAMELESS):
        recover_thread(identity)


_QUESTIONS: dict[str, Callable[[int], None]] = {
    Fetch.Kind.PROFILE: fetch_profile,
    Fetch.Kind.MEDIA: media.fetch_attachment,
    Fetch.Kind.DETAILS: fetch_details,
    Fetch.Kind.HISTORY: fetch_earlier,
}
