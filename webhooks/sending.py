"""Send what is due: a rolling loop in one event loop, over all endpoints that have work.

A dispatcher takes endpoints on lease, one dispatcher at a time each; what is due to them it
reads, sends and records in groups. It dies at any moment without harm: its leases run out and
what has no recorded result is still due. At least once, never quite exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import psycopg
import uvloop
from celery import shared_task
from django.conf import settings
from django.db import connection, connections
from django.utils.timezone import now
from ulid import ULID

from inbox.bell import answer_kick, ring
from inbox.encryption import decrypt
from webhooks.attempts import Outcome, open_session, post
from webhooks.lanes import Due, Health, Lane
from webhooks.models import Endpoint, Failure
from webhooks.schedule import delay_after
from webhooks.signing import key_of

logger = logging.getLogger(__name__)

# A task gives way after this long and rings again.
RUN_SECONDS = 60.0
# Endpoints that one dispatcher serves at once; others take the rest.
MAX_LANES = 128
# A lease outlives its dispatcher by at most this; a living one renews it long before.
LEASE_SECONDS = 30
RENEW_SECONDS = 5.0
# Results are written, and new work is looked for, this often (seconds) or after so many.
TICK = 0.05
GROUP = 200

# Every statement here is short: one that is not waits for something that will not come.
STATEMENT_TIMEOUT_MS = 10_000

PURGE_ROWS = 2000

_COLUMNS = """
e.id, e.url, e.secret,
case when e.previous_secret_until > now() then e.previous_secret else '' end,
e.failures, e.failing_since
"""

# An endpoint is free if nobody holds it, or its holder has died.
TAKE_LANES = f"""
update webhooks_endpoint e
   set lease_token = %(token)s, lease_until = now() + %(lease)s * interval '1 second'
  from (select f.id from webhooks_endpoint f
         where f.status = 'active'
           and (f.breaker_until is null or f.breaker_until <= now())
           and (f.lease_token is null or f.lease_until < now())
           and (exists (select 1 from webhooks_delivery d
                         where d.endpoint_id = f.id and d.state = 'pending' and d.attempts = 0
                           and d.next_attempt_at <= now())
             or exists (select 1 from webhooks_delivery d
                         where d.endpoint_id = f.id and d.state = 'pending' and d.attempts > 0
                           and d.next_attempt_at <= now()))
         order by f.id limit %(limit)s for no key update skip locked) free
 where e.id = free.id
returning {_COLUMNS}
"""  # noqa: S608 - our own columns

RENEW_LANES = f"""
update webhooks_endpoint e set lease_until = now() + %(lease)s * interval '1 second'
 where e.lease_token = %(token)s and e.status = 'active'
returning {_COLUMNS}
"""  # noqa: S608 - our own columns

RELEASE_LANES = """
update webhooks_endpoint set lease_token = null, lease_until = null
 where lease_token = %(token)s and (%(ids)s::bigint[] is null or id = any(%(ids)s))
"""

FIND_DUE = """
select l.endpoint_id, d.id, d.event_id, d.conversation_id, d.attempts, e.body
  from unnest(%(ids)s::bigint[], %(firsts)s::int[], %(retries)s::int[])
       l(endpoint_id, firsts, retries)
 cross join lateral (
       (select f.id, f.event_id, f.conversation_id, f.attempts
          from webhooks_delivery f
         where f.endpoint_id = l.endpoint_id and f.state = 'pending' and f.attempts = 0
           and f.next_attempt_at <= now() and f.id <> all (%(held)s::bigint[])
         order by f.id limit l.firsts)
       union all
       (select r.id, r.event_id, r.conversation_id, r.attempts
          from webhooks_delivery r
         where r.endpoint_id = l.endpoint_id and r.state = 'pending' and r.attempts > 0
           and r.next_attempt_at <= now() and r.id <> all (%(held)s::bigint[])
         order by r.next_attempt_at limit l.retries)) d
  join webhooks_event e on e.id = d.event_id
"""

# Only the holder of the lease writes, and only about the attempt that it made: a result that
# comes after somebody else took over, or after a resend began anew, is nobody's.
RECORD = """
  with k as (
       select * from json_to_recordset(%(results)s::json)
            k(id bigint, attempts int, state text, delay float8, status int, error text,
              started_at timestamptz, duration_ms int, response text,
              request_headers jsonb)),
       done as (
       update webhooks_delivery d
          set state = k.state, attempts = k.attempts, last_status = k.status,
              last_error = k.error,
              next_attempt_at = coalesce(now() + k.delay * interval '1 second',
                                         d.next_attempt_at),
              settled_at = case when k.state = 'pending' then null else now() end
         from k, webhooks_endpoint e
        where d.id = k.id and d.state = 'pending' and d.attempts = k.attempts - 1
          and e.id = d.endpoint_id and e.lease_token = %(token)s
    returning d.id, d.event_id)
insert into webhooks_deliveryattempt
       (delivery_id, number, started_at, duration_ms, status, error, request_headers,
        response)
select k.id, k.attempts, k.started_at, k.duration_ms, k.status, k.error,
       k.request_headers, case when v.erased_at is null then k.response else '' end
  from k join done on done.id = k.id join webhooks_event v on v.id = done.event_id
returning delivery_id
"""

RECORD_HEALTH = """
update webhooks_endpoint e
   set failures = k.failures, failing_since = k.failing_since,
       breaker_until = now() + k.parked * interval '1 second',
       status = case when k.disabled = '' then e.status else 'disabled' end,
       status_reason = case when k.disabled = '' then e.status_reason else k.disabled end,
       mail_due_at = case when k.disabled = '' then e.mail_due_at else now() end
  from unnest(%(ids)s::bigint[], %(failures)s::int[], %(since)s::timestamptz[],
              %(parked)s::float8[], %(disabled)s::text[])
       k(id, failures, failing_since, parked, disabled)
 where e.id = k.id and e.lease_token = %(token)s
"""


# --- the bell ------------------------------------------------------------------------------------


@shared_task(name="webhooks.sending.dispatch")
def dispatch(seconds: float = RUN_SECONDS) -> None:
    """Send what is due until nothing is. Running twice, or often, changes nothing."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        is_unfinished = runner.run(_dispatch(seconds))
    if is_unfinished:
        ring(dispatch)


async def _dispatch(seconds: float) -> bool:
    async with (
        await psycopg.AsyncConnection.connect(
            **_connection_parameters(), autocommit=True
        ) as database,
        open_session() as session,
    ):
        return await Dispatcher(database, session).run(seconds)


def _connection_parameters() -> dict[str, Any]:
    """Django's own connection settings, so that tests never write past the test database."""
    wanted = {"dbname", "user", "password", "host", "port", "sslmode", "sslrootcert"}
    given = connections["default"].get_connection_params()
    parameters = {key: value for key, value in given.items() if key in wanted}
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"
    return parameters | {
        "connect_timeout": 3,
        "options": options,
        "prepare_threshold": None,  # poolers
    }


# --- the loop ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt that is over, and what it makes of its delivery."""

    lane: Lane
    due: Due
    outcome: Outcome
    state: str
    delay: timedelta | None

    def as_row(self) -> dict[str, Any]:
        """The columns of RECORD."""
        return {
            "id": self.due.id,
            "attempts": self.due.attempts + 1,
            "state": self.state,
            "delay": _seconds(self.delay),
            "status": self.outcome.status,
            "error": self.outcome.failure or "",
            "started_at": self.outcome.started_at.isoformat(),
            "duration_ms": self.outcome.duration_ms,
            "response": self.outcome.response,
            "request_headers": self.outcome.request_headers,
        }


class Dispatcher:
    """Serves endpoints until nothing is due to any of them, or its time is over."""

    def __init__(
        self,
        database: psycopg.AsyncConnection[Any],
        session: aiohttp.ClientSession,
    ) -> None:
        self._database = database
        self._session = session
        self._token = uuid.uuid4()
        self._lanes: dict[int, Lane] = {}
        self._results: list[Result] = []
        self._under_way = 0
        self._is_closing = False
        self._woken = asyncio.Event()
        self._renew_at = 0.0

    async def run(self, seconds: float) -> bool:
        """Returns whether more may be due than there was time for."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        self._renew_at = clock() + RENEW_SECONDS
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                while clock() < end and await self._turn():
                    await self._pause()
                self._is_closing = True
                is_unfinished = clock() >= end
                while self._under_way:
                    await self._pause()
                await self._record()
        finally:
            with contextlib.suppress(psycopg.Error):
                await self._release(None)
        return is_unfinished

    async def _turn(self) -> bool:
        """Write results, look for work, start it. False if there is nothing left to wait for."""
        await self._record()
        if asyncio.get_running_loop().time() > self._renew_at:
            await self._renew()
        if await self._refill() or self._under_way:
            return True
        # A commit after this rings anew; one before it is seen by one more look.
        answer_kick(dispatch)
        return await self._refill()

    async def _pause(self) -> None:
        """Until the next tick, or until enough has happened."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), TICK)
        self._woken.clear()

    async def _refill(self) -> bool:
        """Take endpoints that have work, fill the lanes that run low. Whether any was found."""
        if len(self._lanes) < MAX_LANES:
            limits = {"limit": MAX_LANES - len(self._lanes), "lease": LEASE_SECONDS}
            for row in await self._execute(TAKE_LANES, **limits):
                self._lanes[row[0]] = _lane(row)
        wanting = [
            (lane, *wanted)
            for lane in self._lanes.values()
            if any(wanted := lane.wanted())
        ]
        if not wanting:
            return False
        found: dict[int, list[Due]] = {}
        for endpoint_id, *due in await self._execute(
            FIND_DUE,
            ids=[lane.endpoint_id for lane, *_ in wanting],
            firsts=[firsts for _, firsts, _ in wanting],
            retries=[retries for *_, retries in wanting],
            held=[held for lane, *_ in wanting for held in lane.held],
        ):
            found.setdefault(endpoint_id, []).append(Due(*due))
        for lane, firsts, _retries in wanting:
            lane.put(found.get(lane.endpoint_id, []), wanted_firsts=firsts)
            self._start(lane)
        return bool(found)

    def _start(self, lane: Lane) -> None:
        """Send as much as the lane lets through."""
        while due := self._take(lane):
            self._group.create_task(self._deliver(lane, due))

    def _take(self, lane: Lane) -> Due | None:
        if self._is_closing:
            return None
        if not lane.is_dry and not lane.firsts:
            self._woken.set()
        due = lane.take()
        self._under_way += due is not None
        return due

    async def _deliver(self, lane: Lane, due: Due | None) -> None:
        """One delivery after the other, for as long as the lane lets any through."""
        while due:
            outcome = await post(
                self._session,
                lane.url,
                event_id=due.event_id,
                body=due.body,
                keys=lane.keys,
            )
            self._results.append(_judge(lane, due, outcome))
            lane.free(due)
            self._under_way -= 1
            due = self._take(lane)
            if len(self._results) >= GROUP or not self._under_way:
                self._woken.set()
        self._start(lane)

    # --- rows ------------------------------------------------------------------------------------

    async def _record(self) -> None:
        """Write what is over: deliveries with their attempts, then what it says of endpoints."""
        results, self._results = self._results, []
        if results:
            told = json.dumps([result.as_row() for result in results])
            rows = await self._execute(RECORD, results=told)
            recorded = {row[0] for row in rows}
            for result in results:
                result.lane.held.discard(result.due.id)
                if result.due.id not in recorded:
                    result.lane.is_closed = True
        await self._record_health()

    async def _record_health(self) -> None:
        changed = [lane for lane in self._lanes.values() if lane.health.has_changed]
        for lane in changed:  # before the write: what changes during it is for the next
            lane.health.has_changed = False
        if changed:
            await self._execute(
                RECORD_HEALTH,
                ids=[lane.endpoint_id for lane in changed],
                failures=[lane.health.failures for lane in changed],
                since=[lane.health.failing_since for lane in changed],
                parked=[_seconds(lane.health.breaker_delay) for lane in changed],
                disabled=[lane.health.disabled_reason for lane in changed],
            )
        await self._drop_stopped()

    async def _renew(self) -> None:
        """Prolong the leases. An endpoint that was paused, or taken from us, is left alone."""
        self._renew_at = asyncio.get_running_loop().time() + RENEW_SECONDS
        rows = await self._execute(RENEW_LANES, lease=LEASE_SECONDS)
        ours = {row[0]: row for row in rows}
        for lane in self._lanes.values():
            if row := ours.get(lane.endpoint_id):
                lane.url, lane.keys = row[1], _keys(row)
            else:
                lane.is_closed = True

    async def _drop_stopped(self) -> None:
        """Give up lanes that may send no more, once all that they sent is recorded."""
        unrecorded = {result.lane for result in self._results}
        stopped = [
            lane
            for lane in self._lanes.values()
            if lane.is_stopped and not lane.under_way and lane not in unrecorded
        ]
        for lane in stopped:
            del self._lanes[lane.endpoint_id]
        if stopped:
            await self._release([lane.endpoint_id for lane in stopped])

    async def _release(self, endpoint_ids: list[int] | None) -> None:
        """Let others have these endpoints; None: all of ours."""
        await self._execute(RELEASE_LANES, ids=endpoint_ids)

    async def _execute(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        async with self._database.cursor(binary=True) as cursor:
            await cursor.execute(sql, {"token": self._token, **parameters})
            return await cursor.fetchall() if cursor.description else []


def _lane(row: Sequence[Any]) -> Lane:
    return Lane(
        endpoint_id=row[0],
        url=row[1],
        keys=_keys(row),
        health=Health(failures=row[4], failing_since=row[5]),
    )


def _keys(row: Sequence[Any]) -> list[bytes]:
    """The signing keys of a row: the present secret's, and the one before while it counts."""
    return [key_of(decrypt(secret)) for secret in row[2:4] if secret]


def _judge(lane: Lane, due: Due, outcome: Outcome) -> Result:
    """What an outcome means for its delivery, and for the endpoint's health."""
    if outcome.failure is None:
        lane.health.succeed()
        return Result(lane, due, outcome, "delivered", None)
    lane.health.fail(outcome.started_at)
    if outcome.failure is Failure.GONE:
        _disable(lane, "gone")
    elif lane.health.has_failed_for_too_long(datetime.now(UTC)):
        _disable(lane, "failing")
    delay = delay_after(due.attempts + 1, retry_after=outcome.retry_after)
    return Result(lane, due, outcome, "pending" if delay else "failed", delay)


def _disable(lane: Lane, reason: str) -> None:
    logger.error("endpoint.disabled endpoint=%s reason=%s", lane.endpoint_id, reason)
    lane.health.disable(Endpoint.Reason(reason).value)


def _seconds(delay: timedelta | None) -> float | None:
    return None if delay is None else delay.total_seconds()


# --- forgetting ----------------------------------------------------------------------------------

OLD_ATTEMPTS = """
delete from webhooks_deliveryattempt where id in (
       select id from (select id, started_at from webhooks_deliveryattempt order by id limit %s) a
        where started_at < %s)
"""

# Event ids begin with their moment: the oldest are the first.
OLD_EVENTS = """
  with old as (select id from webhooks_event where id < %s order by id limit %s),
       owed as (delete from webhooks_delivery where event_id in (select id from old) returning id),
       tried as (delete from webhooks_deliveryattempt where delivery_id in (select id from owed))
delete from webhooks_event where id in (select id from old)
"""


@shared_task(name="webhooks.sending.purge")
def purge() -> None:
    """Drop old events and attempts (KEEP_EVENTS_DAYS, KEEP_ATTEMPTS_DAYS), a bounded batch at a time."""
    moment = now()
    events_from = moment - timedelta(days=settings.KEEP_EVENTS_DAYS)
    attempts_from = moment - timedelta(days=settings.KEEP_ATTEMPTS_DAYS)
    milliseconds = int(events_from.timestamp() * 1000)
    oldest = f"evt_{ULID(milliseconds.to_bytes(6, 'big') + bytes(10))}"
    with connection.cursor() as cursor:
        cursor.execute(OLD_ATTEMPTS, [PURGE_ROWS, attempts_from])
        attempts = cursor.rowcount
        cursor.execute(OLD_EVENTS, [oldest, PURGE_ROWS])
        events = cursor.rowcount
    if PURGE_ROWS in {attempts, events}:
        ring(purge)
