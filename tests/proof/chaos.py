"""Customers write and the desk answers while Meta does all that it can do wrong; then both sides are compared.

Runs in a process of its own, with the environment of a product that runs, and prints the tally as
JSON. What the pretend Meta's own tables say is the truth: it wrote down every message before
anything could go wrong.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import requests
from django.conf import settings
from django.db import close_old_connections
from django.db.models import Count
from django.utils.timezone import now

from channels_meta.models import RawEvent
from channels_meta.sandbox import accounts, clock, customers, faults, webhooks
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxFault,
    SandboxMessage,
    SandboxNotice,
    SandboxPerson,
)
from inbox.history import start_import
from inbox.models import ApiKey, Channel, Conversation, Import, Message, Status

KEYS = 12
PEOPLE = 80  # of each account
PROBABILITY = 0.03
THREADS = 24
# What becomes of a reply in the end, and must not stay.
UNSETTLED = (Status.QUEUED, Status.SENDING, Status.UNCERTAIN)
# One minute here is an hour of the pretend Meta: its echoes come late, its patience runs out.
SPEED = 60


@dataclass
class Run:
    seconds: float
    events: float
    replies: float
    seed: int
    said: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


class Customers:
    """Everybody who writes. Each person does one thing at a time, as people do."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._dice = random.Random(run.seed)
        self._numbers = iter(range(10**9))
        accounts.create_accounts()
        self.people = [
            accounts.create_person(account=account, name=f"Person {n}")
            for account in connected()
            for n in range(PEOPLE)
        ]
        self._busy = {person.pk: threading.Lock() for person in self.people}

    def act(self) -> None:
        person = self._dice.choice(self.people)
        if not self._busy[person.pk].acquire(blocking=False):
            return
        try:
            happening = self._choose()(person)
            if happening is not None:
                self._run.said[happening.kind] += 1
                happening.tell()
        except customers.NothingThere:
            pass
        finally:
            self._busy[person.pk].release()

    def _choose(self) -> Callable[[SandboxPerson], customers.Happening | None]:
        text = f"line {next(self._numbers)}"
        acts: list[tuple[int, Callable[[SandboxPerson], Any]]] = [
            (70, lambda person: customers.write(person, text)),
            (6, lambda person: customers.comment(person, text)),
            (6, customers.send_photo),
            (3, customers.mention_in_story),
            (3, lambda person: customers.reply_to_story(person, text)),
            (2, customers.tap_button),
            (4, customers.react),
            (4, customers.read_messages),
            (2, customers.unsend_last),
        ]
        weights, what = zip(*acts, strict=True)
        return self._dice.choices(what, weights)[0]


class Desk:
    """Backends that answer whoever has written, through the API; each with a key of its own, or
    its calls would be too many a minute."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._dice = random.Random(run.seed + 1)
        self._numbers = iter(range(10**9))
        keys = [ApiKey.issue(f"chaos {n}")[1] for n in range(KEYS)]
        self._keys = itertools.cycle(keys)
        self._local = threading.local()

    def act(self) -> None:
        ids = list(
            Conversation.objects.filter(window_expires_at__gt=now())
            .order_by("-last_message_at")
            .values_list("pk", flat=True)[: PEOPLE * 2]
        )
        if not ids:
            return
        number = next(self._numbers)
        address = f"http://127.0.0.1:{settings.PORT}/v1/conversations/{self._dice.choice(ids)}/messages"
        headers = {
            "Authorization": f"Bearer {next(self._keys)}",
            "Idempotency-Key": f"chaos-{number}",
        }
        body = {"content": f"answer {number}"}
        # A backend that hears nothing asks again: the key makes that safe.
        for _ in range(2):
            answer = self._session().post(
                address, json=body, headers=headers, timeout=20
            )
            self._run.answers[str(answer.status_code)] += 1

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        session: requests.Session = self._local.session
        return session


def keep_pace(run: Run, what: str, act: Callable[[], None], per_second: float) -> None:
    """Call `act` so often, in threads, until the time is over; what a slow machine leaves no thread
    for is left out, and counted."""
    free = threading.Semaphore(THREADS)

    def safely() -> None:
        close_old_connections()
        try:
            act()
        except requests.RequestException as error:
            run.troubles[type(error).__name__] += 1
        finally:
            free.release()

    with ThreadPoolExecutor(THREADS) as pool:
        for moment in _moments(time.monotonic(), run.seconds, per_second):
            time.sleep(max(0, moment - time.monotonic()))
            if free.acquire(blocking=False):
                pool.submit(safely)
            else:
                run.left_out[what] += 1


def _moments(start: float, seconds: float, per_second: float) -> Iterator[float]:
    for number in range(int(seconds * per_second)):
        yield start + number / per_second


def connected() -> list[SandboxAccount]:
    """Meta's side of each of our channels."""
    found = [accounts.account_of(channel) for channel in Channel.objects.all()]
    return [account for account in found if account is not None]


def keep_posting(until: threading.Event) -> None:
    """Meta posts what it held back, and again what it got no 200 for."""
    while not until.wait(0.2):
        close_old_connections()
        webhooks.post_due()


def mend() -> None:
    """An admin looks in now and then: whatever was cut off is connected again."""
    for channel in Channel.objects.exclude(status=Channel.Status.ACTIVE):
        accounts.reconnect(channel)
    for account in connected():
        if account.dropped_at:
            accounts.reconnect(account.channel)


def settle(patience: float) -> dict[str, int]:
    """Nothing goes wrong any more. Wait until all is told, fetched, sent or given up."""
    for account in connected():
        faults.stop(account)
    mend()
    end = time.monotonic() + patience
    imported = False
    while time.monotonic() < end:
        time.sleep(1)
        if any(_unfinished().values()):
            continue
        if imported:
            break
        # What was never told (an hour of refusals ends a subscription) is asked for.
        for channel in Channel.objects.all():
            start_import(channel, Import.Reason.ASKED)
        imported = True
    return _unfinished()


def _unfinished() -> dict[str, int]:
    return {
        "untold": SandboxNotice.objects.count(),
        "journal": RawEvent.objects.filter(state="pending").count(),
        "replies": Message.objects.filter(status__in=UNSETTLED).count(),
        "imports": Import.objects.filter(state=Import.State.RUNNING).count(),
    }


# --- the tally -----------------------------------------------------------------------------------


def compare() -> dict[str, Any]:
    """Both sides, message by message."""
    phone_in = dict(
        SandboxMessage.objects.filter(direction="in").values_list("mid", "pk")
    )
    phone_out = {m.mid: m for m in SandboxMessage.objects.filter(direction="out")}
    inbox_in = Counter(
        Message.objects.filter(direction="in", is_stub=False).values_list(
            "external_id", flat=True
        )
    )
    ours = list(
        Message.objects.filter(direction="out").order_by("pk").select_related("channel")
    )
    on_phone = Counter(m.text for m in phone_out.values() if m.text)
    sent = [m for m in ours if m.status in {"sent", "delivered", "read"}]
    failed = [m for m in ours if m.status == Status.FAILED]
    return {
        "written": len(phone_in),
        "received": len(inbox_in),
        "lost": len(set(phone_in) - set(inbox_in)),
        "invented": len(set(inbox_in) - set(phone_in)),
        "doubled_here": sum(count > 1 for count in inbox_in.values()),
        "answered": len(ours),
        "sent": len(sent),
        "on_the_phone": len(phone_out),
        "doubled_there": sum(count > 1 for count in on_phone.values()),
        "sent_but_not_there": sum(m.external_id not in phone_out for m in sent),
        "failed": dict(Counter(m.error_class or "unexplained" for m in failed)),
        "unexplained": sum(not m.error_detail for m in failed),
        # "May have been sent" is the one answer that may be either.
        "refused_but_there": sum(
            m.content in on_phone and m.error_class != "uncertain" for m in failed
        ),
        "native_twins": Message.objects.filter(
            direction="out", source="native_app"
        ).count(),
        "out_of_order_there": _out_of_order_there(sent, phone_out),
        "out_of_order_here": _out_of_order_here(),
        "unsent_but_shown": _unsent_but_shown(),
        "states": dict(
            Message.objects.filter(direction="out")
            .values_list("status")
            .annotate(count=Count("pk"))
        ),
        "journal": dict(
            RawEvent.objects.values_list("state").annotate(count=Count("pk"))
        ),
        "struck": dict(_strikes),
        "imports": list(
            Import.objects.order_by("pk").values(
                "reason",
                "state",
                "error",
                "attempts",
                "conversations",
                "messages",
                "recovered",
            )
        ),
    }


def _out_of_order_there(sent: list[Message], phone: dict[str, Any]) -> int:
    """Replies of one conversation that reached the phone before an earlier one."""
    last: dict[int, Any] = {}
    wrong = 0
    for message in sent:
        there = phone.get(str(message.external_id))
        if there is None or message.conversation_id is None:
            continue
        before = last.get(message.conversation_id)
        wrong += before is not None and (there.sent_at, there.pk) < before
        last[message.conversation_id] = (there.sent_at, there.pk)
    return wrong


def _out_of_order_here() -> int:
    """Messages whose moment here is not the one that the phone knows."""
    moments = dict(
        SandboxMessage.objects.exclude(kind="comment").values_list("mid", "sent_at")
    )
    rows = Message.objects.filter(direction="in", is_stub=False).values_list(
        "external_id", "sent_at"
    )
    # Some notices count in whole seconds.
    return sum(
        mid in moments and abs(at - moments[mid]) > timedelta(seconds=1)
        for mid, at in rows
    )


def _unsent_but_shown() -> int:
    unsent = SandboxMessage.objects.filter(unsent_at__isnull=False)
    return (
        Message.objects.filter(
            external_id__in=list(unsent.values_list("mid", flat=True))
        )
        .exclude(content="")
        .count()
    )


_strikes: Counter[str] = Counter()


def note_strikes() -> None:
    """How often each thing went wrong, before it is taken away."""
    for kind, uses in SandboxFault.objects.values_list("kind", "uses"):
        _strikes[kind] += uses


def main(settings_of_run: str) -> None:
    """settings_of_run: a Run as JSON."""
    run = Run(**json.loads(settings_of_run))
    crowd, desk = Customers(run), Desk(run)
    faults.dice.seed(run.seed)
    clock.run_at(SPEED)
    for account in connected():
        faults.cause_all(account, probability=PROBABILITY)
    writers = [
        threading.Thread(target=keep_pace, args=(run, "events", crowd.act, run.events)),
        threading.Thread(
            target=keep_pace, args=(run, "replies", desk.act, run.replies)
        ),
    ]
    over = threading.Event()
    poster = threading.Thread(target=keep_posting, args=(over,))
    poster.start()
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        time.sleep(5)
        mend()
    note_strikes()
    unfinished = settle(patience=900)
    over.set()
    poster.join()
    tally = compare() | {
        "unfinished": unfinished,
        "said": dict(run.said),
        "api": dict(run.answers),
        "troubles": dict(run.troubles),
        "left_out": dict(run.left_out),
    }
    sys.stdout.write(json.dumps(tally, indent=1, default=str) + "\n")
