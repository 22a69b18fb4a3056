"""Tells Dexra what happened: now, late, twice or in batches; and again while Dexra does not take it.

Meta tries again at once, a few times, then ever more rarely; after an hour it ends the
subscription, and what was not taken by then is never posted again (contract 1.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from channels_meta.sandbox import clock, faults, subscriptions
from channels_meta.sandbox.faults import Fault
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxCall,
    SandboxNotice,
    SandboxPerson,
)
from channels_meta.sandbox.webhooks.bodies import Data, items_of
from channels_meta.sandbox.webhooks.distortions import distort
from channels_meta.sandbox.webhooks.wire import post

# What `tell` returns where the account is not subscribed: nobody is told.
UNTOLD = -1

RETRY_AFTER = (
    timedelta(seconds=2),
    timedelta(seconds=10),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=5),
    timedelta(minutes=10),
    timedelta(minutes=15),
    timedelta(minutes=30),
)
# How long (of our own time) an event is held back by a fault.
REORDERED_FOR = timedelta(milliseconds=1500)
BATCHED_FOR = timedelta(seconds=1)
ECHO_LATE_BY = timedelta(seconds=5)
MAX_UPDATES = 1000
# How many events one round looks at; the next takes the rest.
ROUND = 2000


def tell(
    person: SandboxPerson,
    kind: SandboxCall.Kind,
    data: Data,
    *,
    summary: str = "",
    held_for: timedelta | None = None,
) -> int:
    """Post what happened to a person, and write down that Dexra was told.

    held_for: how much later it is posted. Returns the HTTP status; 0 where no answer came,
    UNTOLD where nobody is subscribed.
    """
    return tell_account(
        person.account,
        kind,
        data,
        person=person,
        summary=summary,
        held_for=held_for,
    )


def tell_account(
    account: SandboxAccount,
    kind: SandboxCall.Kind,
    data: Data,
    *,
    person: SandboxPerson | None = None,
    summary: str = "",
    held_for: timedelta | None = None,
) -> int:
    """As `tell`, also of what no person did."""
    if not _is_wanted(account, data):
        return UNTOLD
    is_calm = faults.is_calm(account)
    held_for = held_for or (timedelta() if is_calm else _held_by_fault(account, kind))
    statuses = []
    for body in distort(account, person, data, is_calm=is_calm):
        notice = SandboxNotice(
            account=account,
            person=person,
            kind=kind,
            summary=summary,
            data=body,
            created_at=now(),
            due_at=now() + held_for,
        )
        if held_for:
            notice.save()
            statuses.append(200)
        else:
            statuses.append(_deliver(account, [notice]))
    return statuses[0]


def _is_wanted(account: SandboxAccount, data: Data) -> bool:
    fields = {
        change.get("field", "")
        for entry in data["entry"]
        for change in entry.get("changes", ())
    }
    fields |= {subscriptions.field_of(item) for item in items_of(data)}
    return any(
        subscriptions.hears_of(account, field) for field in fields or {"messages"}
    )


def _held_by_fault(account: SandboxAccount, kind: SandboxCall.Kind) -> timedelta:
    if kind == SandboxCall.Kind.ECHO and faults.strikes(account, Fault.LATE_ECHO):
        return ECHO_LATE_BY
    if faults.strikes(account, Fault.REORDER):
        return REORDERED_FOR
    if faults.strikes(account, Fault.BATCH):
        return BATCHED_FOR
    return timedelta()


# --- what is due -----------------------------------------------------------------------------------


def post_due(at: datetime | None = None) -> int:
    """Post what was held back or not taken and is due now. Returns how many events Dexra took.

    Those of one account go out together, as Meta batches them.
    """
    moment = at or now()
    taken = 0
    with transaction.atomic():
        due = list(
            SandboxNotice.objects.select_for_update(skip_locked=True, of=["self"])
            .select_related("account__page", "person")
            .filter(due_at__lte=moment)
            .order_by("account_id", "due_at", "id")[:ROUND]
        )
        # Whoever else looks now finds them not due; should we stop here, they are due again.
        SandboxNotice.objects.filter(pk__in=[row.pk for row in due]).update(
            due_at=moment + timedelta(seconds=30)
        )
    for account, notices in groupby(due, key=lambda row: row.account):
        waiting = list(notices)
        for start in range(0, len(waiting), MAX_UPDATES):
            batch = waiting[start : start + MAX_UPDATES]
            if _deliver(account, batch) == 200:
                taken += len(batch)
    return taken


def due_in(account: SandboxAccount) -> int:
    """How many events wait to be posted, now or later."""
    return account.notices.count()


def _deliver(account: SandboxAccount, notices: Sequence[SandboxNotice]) -> int:
    """One POST of all of these. Returns its status."""
    at = now()
    status = post(account, _together([notice.data for notice in notices]))
    SandboxCall.objects.bulk_create(
        SandboxCall(
            account=account,
            person=notice.person,
            at=at,
            kind=notice.kind,
            summary=notice.summary,
            payload=notice.data,
            status=status,
        )
        for notice in notices
    )
    if status == 200:
        SandboxNotice.objects.filter(pk__in=_pks(notices)).delete()
        subscriptions.note_success(account)
    else:
        _put_back(account, notices)
    return status


def _put_back(account: SandboxAccount, notices: Sequence[SandboxNotice]) -> None:
    """They are due again later, unless this failure was the one that ended the subscription."""
    if subscriptions.note_failure(account):
        SandboxNotice.objects.filter(pk__in=_pks(notices)).delete()
        return
    at = now()
    for notice in notices:
        wait = RETRY_AFTER[min(notice.attempts, len(RETRY_AFTER) - 1)]
        notice.attempts += 1
        notice.due_at = at + clock.span_of(wait)
    known = [notice for notice in notices if notice.pk is not None]
    SandboxNotice.objects.bulk_update(known, ["attempts", "due_at"])
    SandboxNotice.objects.bulk_create(
        [notice for notice in notices if notice.pk is None]
    )


def _pks(notices: Sequence[SandboxNotice]) -> list[int]:
    return [notice.pk for notice in notices if notice.pk is not None]


def _together(bodies: Sequence[Data]) -> Data:
    """One envelope around the entries of all; one alone stays as it is."""
    if len(bodies) == 1:
        return bodies[0]
    entries: list[Any] = [entry for body in bodies for entry in body["entry"]]
    return {"object": bodies[0]["object"], "entry": entries}
