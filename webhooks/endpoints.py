"""Managing endpoints: a new secret, a ping, pause and resume, and sending again what was missed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from inbox.audit import note_act
from inbox.bell import kick_after_commit
from inbox.events import EventName
from inbox.models import Actor
from webhooks.models import Delivery, Endpoint, Event, new_event_id
from webhooks.samples import build_sample
from webhooks.sending import dispatch
from webhooks.signing import generate_secret

# How long the secret before still signs beside the new one, unless somebody says otherwise.
ROTATION_OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=7)
# How far back, and how many at once, missed events are sent again.
RECOVERED_SPAN = timedelta(days=14)
MAX_RECOVERED = 10_000

FORGET_ATTEMPTS = """
delete from webhooks_deliveryattempt a using webhooks_delivery d
 where d.endpoint_id = %s and a.delivery_id = d.id
"""
FORGET_DELIVERIES = "delete from webhooks_delivery where endpoint_id = %s"


@transaction.atomic
def rotate_secret(
    endpoint: Endpoint,
    *,
    by: Actor | None = None,
    overlap: timedelta = ROTATION_OVERLAP,
) -> str:
    """Give the endpoint a new secret, which is returned; the present one signs on for `overlap`.

    Raises ValueError for an overlap of less than nothing or more than LONGEST_OVERLAP.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValueError(overlap)
    current = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    current.previous_secret = current.secret if overlap else ""
    current.previous_secret_until = now() + overlap if overlap else None
    current.secret = generate_secret()
    current.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    note_act(by, "endpoint_secret_rotated", current)
    return current.secret


@transaction.atomic
def reveal_secret(endpoint: Endpoint, *, by: Actor) -> str:
    """The secret once more; who asked for it is written down."""
    note_act(by, "endpoint_secret_revealed", endpoint)
    return endpoint.secret


def ping(endpoint: Endpoint) -> Delivery:
    """Send an event about nothing to this endpoint alone."""
    return send_sample(endpoint, EventName.PING)


@transaction.atomic
def send_sample(endpoint: Endpoint, name: EventName) -> Delivery:
    """Send an event of this kind about nobody to this endpoint alone, whatever it chose."""
    event_id, moment = new_event_id(), now()
    body = build_sample(event_id, name, endpoint_id=endpoint.public_id, at=moment)
    event = Event.objects.create(
        id=event_id, name=name, occurred_at=moment, body=body.encode()
    )
    delivery = Delivery.objects.create(event=event, endpoint=endpoint)
    _ask_at_once([endpoint.pk])
    return delivery


def _ask_at_once(endpoint_ids: Collection[int]) -> None:
    """Somebody wants to see it work now, perhaps because they have just mended the receiver: the
    rest after many failures ends with one attempt."""
    at = now()
    resting = Endpoint.objects.filter(pk__in=endpoint_ids, breaker_until__gt=at)
    resting.update(breaker_until=at)
    kick_after_commit(dispatch)


@transaction.atomic
def pause(endpoint: Endpoint, *, by: Actor | None = None) -> None:
    """Let its events wait."""
    paused = Endpoint.objects.filter(
        pk=endpoint.pk, status=Endpoint.Status.ACTIVE
    ).update(status=Endpoint.Status.PAUSED)
    if paused:
        note_act(by, "endpoint_paused", endpoint)


@transaction.atomic
def resume(
    endpoint: Endpoint, *, by: Actor | None = None, skip_waiting: bool = False
) -> None:
    """Send to it again, with a clean record: first what has waited, unless that is skipped."""
    if skip_waiting:
        endpoint.deliveries.filter(state=Delivery.State.PENDING).update(
            state=Delivery.State.SKIPPED, settled_at=now()
        )
    Endpoint.objects.filter(pk=endpoint.pk).update(
        status=Endpoint.Status.ACTIVE,
        status_reason="",
        failures=0,
        failing_since=None,
        breaker_until=None,
        mail_due_at=None,
        mail_attempts=0,
    )
    note_act(by, "endpoint_resumed", endpoint, skip_waiting=skip_waiting)
    kick_after_commit(dispatch)


@dataclass(frozen=True, slots=True)
class Resent:
    """at: what they are known by together, as `Delivery.resent_at`."""

    at: datetime
    count: int


def recover(endpoint: Endpoint, *, since: datetime | None = None) -> Resent:
    """Send again what it missed since then (at most 14 days ago): the newest MAX_RECOVERED of it."""
    earliest = now() - RECOVERED_SPAN
    missed = endpoint.deliveries.filter(
        state__in=[Delivery.State.FAILED, Delivery.State.SKIPPED],
        created_at__gte=max(since or earliest, earliest),
    )
    return resend(missed)


@transaction.atomic
def resend(deliveries: QuerySet[Delivery]) -> Resent:
    """Owe the newest MAX_RECOVERED of these anew, under the same event ids; oldest go first."""
    at = now()
    newest = dict(
        deliveries.order_by("-pk").values_list("pk", "endpoint")[:MAX_RECOVERED]
    )
    count = Delivery.objects.filter(pk__in=newest).update(
        state=Delivery.State.PENDING,
        attempts=0,
        next_attempt_at=at,
        settled_at=None,
        resent_at=at,
    )
    _ask_at_once(set(newest.values()))
    return Resent(at, count)


@transaction.atomic
def delete(endpoint: Endpoint, *, by: Actor | None = None) -> None:
    """Forget an endpoint with its deliveries, in the database alone: they may be very many."""
    if by:
        note_act(by, "endpoint_deleted", endpoint)
    with connection.cursor() as cursor:
        cursor.execute(FORGET_ATTEMPTS, [endpoint.pk])
        cursor.execute(FORGET_DELIVERIES, [endpoint.pk])
    endpoint.delete()
