"""What admins have to know of an account: opened once, told once, closed when it is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction
from django.utils.timezone import now

from channels_meta.models import Incident
from inbox import live
from inbox.events import Event, EventName
from inbox.models import Channel

Kind = Incident.Kind
# These show in the account's own status, these in what was refused last; the others are told by
# `status_reason` while the account works.
OF_STATUS = frozenset({Kind.NEEDS_REAUTH, Kind.DISCONNECTED})
OF_REFUSALS = frozenset({Kind.POLICY, Kind.REFUSED})


def open_incident(channel_id: int, kind: Incident.Kind, reason: str) -> bool:
    """Begin one, unless it has begun already. Returns whether it is new."""
    with transaction.atomic():
        incident, is_new = Incident.objects.get_or_create(
            channel_id=channel_id,
            kind=kind,
            closed_at=None,
            defaults={"reason": reason[:300], "mail_due_at": now()},
        )
        if is_new and kind not in OF_STATUS | OF_REFUSALS:
            _show(channel_id, incident.reason)
    return is_new


def close_incidents(channel_id: int, kinds: Collection[Incident.Kind] = ()) -> None:
    """End those of these kinds, or all; whoever was not told of them yet is not told any more."""
    with transaction.atomic():
        still_open = Incident.objects.filter(channel_id=channel_id, closed_at=None)
        over = still_open.filter(kind__in=kinds) if kinds else still_open
        if not over.update(closed_at=now(), mail_due_at=None):
            return
        others = still_open.exclude(kind__in=OF_STATUS | OF_REFUSALS).order_by("-id")
        _show(channel_id, others.values_list("reason", flat=True).first() or "")


def _show(channel_id: int, reason: str) -> None:
    """A working account's reason is what the banner tells; a stopped one keeps its own."""
    active = Channel.objects.filter(pk=channel_id, status=Channel.Status.ACTIVE)
    if active.update(status_reason=reason):
        live.publish_after_commit([live.Change("channel", channel_id)])


def notice_events(sender: object, events: Sequence[Event], **_: object) -> None:
    """Listens to inbox.events: an account stopped, was cut off, was warned, or works again."""
    for event in events:
        if event.name is EventName.CHANNEL_STATUS:
            _notice(event)


def _notice(event: Event) -> None:
    """Either the account's status has changed, or what was refused last, which it then names."""
    channel = Channel.objects.only(
        "status_reason", "last_error", "last_error_code"
    ).get(pk=event.channel_id)
    status = str(event.details.get("status", ""))
    reason = str(event.details.get("reason", ""))
    if kind := _STOPPED.get(status):
        open_incident(channel.pk, kind, channel.status_reason or reason)
    elif channel.last_error and reason == channel.last_error_code:
        kind = Kind.POLICY if reason.startswith("policy") else Kind.REFUSED
        open_incident(channel.pk, kind, channel.last_error)
    else:
        close_incidents(channel.pk, OF_STATUS)
        close_refusals(channel)


def close_refusals(channel: Channel) -> None:
    """A success has cleared what was refused."""
    if not channel.last_error:
        close_incidents(channel.pk, OF_REFUSALS)


_STOPPED = {
    Channel.Status.NEEDS_REAUTH.value: Kind.NEEDS_REAUTH,
    Channel.Status.DISCONNECTED.value: Kind.DISCONNECTED,
}
