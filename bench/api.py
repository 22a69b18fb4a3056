"""Fifty programs that read the API of a full database, each at its own pace."""

from __future__ import annotations

import asyncio
import random
import time

import aiohttp

from bench.filled import Filled
from bench.stage import percentile

CLIENTS = 50
# Calls of one client: one a second, which is what its key's limit would let it do twentyfold.
CALLS = 8
KINDS = ("list", "filtered", "get", "messages")


async def visit(session: aiohttp.ClientSession, filled: Filled) -> dict[str, float]:
    """By kind of call, p95 in milliseconds."""
    keys = await asyncio.to_thread(_issue_keys)
    took: dict[str, list[float]] = {}
    for kind in (KINDS[0], *KINDS):  # the first round warms the processes up
        took[kind] = []
        await asyncio.gather(
            *(_call(session, filled, key, kind, took[kind]) for key in keys)
        )
    return {kind: percentile(times, 0.95) for kind, times in took.items()}


def _issue_keys() -> list[str]:
    from inbox.models import ApiKey

    return [ApiKey.issue(f"Bench {number}")[1] for number in range(CLIENTS)]


async def _call(
    session: aiohttp.ClientSession,
    filled: Filled,
    key: str,
    kind: str,
    took: list[float],
) -> None:
    chance = random.Random(key)
    await asyncio.sleep(chance.random())
    for pk in chance.sample(filled.opened, CALLS):
        start = time.perf_counter()
        path = _path(kind, pk)
        async with session.get(
            path, headers={"Authorization": f"Bearer {key}"}
        ) as answer:
            answer.raise_for_status()
            await answer.read()
        spent = time.perf_counter() - start
        took.append(spent * 1000)
        await asyncio.sleep(max(0.0, 1 - spent))


def _path(kind: str, pk: int) -> str:
    paths: dict[str, str] = {
        "list": "/v1/conversations",
        "filtered": "/v1/conversations?status=open&unread=true&limit=50",
        "get": f"/v1/conversations/{pk}",
        "messages": f"/v1/conversations/{pk}/messages",
    }
    return paths[kind]
