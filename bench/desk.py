"""The agents' pages in front of a full database, and two hundred agents at once."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psycopg

from bench import api, hands
from bench.filled import AGENTS, MESSAGES_EACH, Filled, fill
from bench.stage import message_body, percentile, signed, web, worker

VISITS = 150
# A fifth of them is open, and shown: a list of one hundred.
SMALL = 500
SEARCHES = (
    "parcel",
    "refund shipping",
    "sandal",
    "person 4242",
    "thanks tomorrow dress",
)
RATE = 20
# Long enough for a backlog to show.
LIVE_SECONDS = 15
WARM_SECONDS = 4

Session = aiohttp.ClientSession


def run(url: str) -> dict[str, Any]:
    """desk, api: milliseconds of each page, of each call. agents: from Meta's POST until the row is there. hands: from
    a key until the page shows what it did."""
    import django

    django.setup()
    with psycopg.connect(url, autocommit=True) as connection:
        fill(connection, conversations=SMALL, long_thread=MESSAGES_EACH)
        with web() as base:
            small = asyncio.run(_visit_list(base, _sign_in()[0]))
        filled = fill(connection)
    keys = _sign_in()
    with web() as base, worker("drain", "prefork", 1):
        results = asyncio.run(_measure(base, filled, keys))
        results["hands"] = hands.run(base, keys[0])
    results["desk"]["small_list"] = small
    return results


async def _visit_list(base: str, key: str) -> float:
    async with Session(base) as session:
        return await _p95(session, key, [("/inbox/all/", {})] * VISITS)


async def _measure(base: str, filled: Filled, keys: Sequence[str]) -> dict[str, Any]:
    timeout = aiohttp.ClientTimeout(60)
    connector = aiohttp.TCPConnector(limit=0)
    async with Session(base, timeout=timeout, connector=connector) as session:
        desk = await _visit_pages(session, filled, keys[0])
        return {
            "desk": desk,
            "api": await api.visit(session, filled),
            "agents": await _work_together(session, filled, keys),
        }


def _sign_in() -> list[str]:
    from django.test import Client

    from inbox.models import Agent

    keys = []
    for agent in Agent.objects.order_by("pk")[:AGENTS]:
        client = Client()
        client.force_login(agent)
        keys.append(client.cookies["sessionid"].value)
    return keys


# --- one page after another ------------------------------------------------------------------------


async def _visit_pages(session: Session, filled: Filled, key: str) -> dict[str, float]:
    chosen = random.Random(1).sample(filled.opened, VISITS)
    fragment = {"HX-Request": "true"}
    kinds = {
        "list": [("/inbox/all/", {})] * VISITS,
        "list_done": [("/inbox/done/", {})] * VISITS,
        "thread_page": [(f"/inbox/all/c/{pk}/", {}) for pk in chosen],
        "thread": [(f"/inbox/all/c/{pk}/", fragment) for pk in chosen],
        "long_thread": [(f"/inbox/all/c/{filled.long_thread}/", {})] * VISITS,
        "search": [(f"/inbox/all/?q={words}", fragment) for words in SEARCHES] * 20,
    }
    return {name: await _p95(session, key, visits) for name, visits in kinds.items()}


async def _p95(
    session: Session, key: str, visits: list[tuple[str, dict[str, str]]]
) -> float:
    took = []
    for path, headers in [*visits[:10], *visits]:
        start = time.perf_counter()
        await _get(session, key, path, headers)
        took.append((time.perf_counter() - start) * 1000)
    return percentile(took[10:], 0.95)


async def _get(
    session: Session, key: str, path: str, headers: dict[str, str] | None = None
) -> str:
    cookie = {"Cookie": f"sessionid={key}"}
    async with session.get(path, headers=cookie | (headers or {})) as answer:
        answer.raise_for_status()
        return await answer.text()


# --- all together ------------------------------------------------------------------------------------


@dataclass
class Arrivals:
    """When each message was posted, and how long (ms) until each page had its row."""

    posted: dict[int, float] = field(default_factory=dict)
    shown: list[float] = field(default_factory=list)
    frames: int = 0


@dataclass
class Page:
    """All open, before one agent: the stream brings rows and numbers, as to the script of the page."""

    session: Session
    key: str
    arrivals: Arrivals
    seen: set[int] = field(default_factory=set)

    async def listen(self, opened: asyncio.Semaphore) -> None:
        headers = {"Cookie": f"sessionid={self.key}"}
        async with self.session.get(
            "/live/stream?list=/inbox/all/",
            headers=headers,
            timeout=aiohttp.ClientTimeout(None),
            read_bufsize=2**20,
        ) as stream:
            opened.release()
            name = b""
            async for line in stream.content:
                if line.startswith(b"event: "):
                    name = line[7:].strip()
                elif line.startswith(b"data: ") and name == b"rows":
                    self._show(line)

    def _show(self, line: bytes) -> None:
        moment = time.perf_counter()
        self.arrivals.frames += 1
        for number in {int(one) for one in re.findall(rb"bench (\d+)\b", line)}:
            if number in self.arrivals.posted and number not in self.seen:
                self.seen.add(number)
                since = moment - self.arrivals.posted[number]
                self.arrivals.shown.append(since * 1000)


async def _work_together(
    session: Session, filled: Filled, keys: Sequence[str]
) -> dict[str, float]:
    arrivals = Arrivals()
    opened = asyncio.Semaphore(0)
    pages = [
        asyncio.create_task(Page(session, key, arrivals).listen(opened)) for key in keys
    ]
    for _ in pages:
        await opened.acquire()
    await _write(session, filled, arrivals, 0, WARM_SECONDS)
    arrivals.shown.clear()
    arrivals.frames, start = 0, time.perf_counter()
    await _write(session, filled, arrivals, 1_000_000, LIVE_SECONDS)
    told = arrivals.frames / (time.perf_counter() - start)
    late = arrivals.shown[len(arrivals.shown) * 2 // 3 :]
    await asyncio.sleep(3)
    for page in pages:
        page.cancel()
    expected = RATE * LIVE_SECONDS * len(keys)
    return {
        "p50": percentile(arrivals.shown, 0.5),
        "p95": percentile(arrivals.shown, 0.95),
        # A backlog would make the last third slower than the whole.
        "late_p95": percentile(late, 0.95),
        "shown": len(arrivals.shown) / expected,
        "frames_per_s": told,
    }


async def _write(
    session: Session, filled: Filled, arrivals: Arrivals, first: int, seconds: int
) -> None:
    """Customers write, RATE a second, each to another conversation."""
    people = random.Random(first).sample(filled.people, RATE * seconds)
    begin = time.perf_counter()
    posts = []
    for place, person in enumerate(people):
        await asyncio.sleep(max(0, begin + place / RATE - time.perf_counter()))
        number = first + place
        arrivals.posted[number] = time.perf_counter()
        posts.append(asyncio.create_task(_post(session, number, person)))
    await asyncio.gather(*posts)
    await asyncio.sleep(1)


async def _post(session: Session, number: int, person: str) -> None:
    data = message_body(number, person, f"bench {number}")
    headers = {"X-Hub-Signature-256": signed(data)}
    async with session.post("/meta/webhook", data=data, headers=headers) as answer:
        answer.raise_for_status()
