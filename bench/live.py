"""Meta's POST to the browser's frame, at a steady rate; and an agent's click to the Graph call."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import psycopg
from aiohttp import web as aio

from bench.stage import ACCOUNT, body, create_channel, percentile, signed, web, worker

RATE = 200
CLICKS = 320
# The first of each thread opens its connections.
WARMING_CLICKS = 20


def run(url: str, seconds: int) -> dict[str, Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("truncate channels_meta_rawevent, inbox_channel cascade")
        create_channel(connection)
    with web() as base, worker("drain", "prefork", 1), worker("send", "threads", 8):
        return asyncio.run(_measure(base, seconds))


async def _measure(base: str, seconds: int) -> dict[str, Any]:
    session_key, api_key = await asyncio.to_thread(_sign_in)
    cookies = {"sessionid": session_key}
    timeout = aiohttp.ClientTimeout(None)
    async with aiohttp.ClientSession(timeout=timeout, cookies=cookies) as client:
        await _frames(client, base, 1, start=30_000_000)  # warm
        latencies = await _frames(client, base, seconds, start=31_000_000)
        clicks = await _clicks(client, base, api_key)
    return {
        "live": {
            "p50": percentile(latencies, 0.5),
            "p99": percentile(latencies, 0.99),
            "seen": len(latencies),
            "sent": RATE * seconds,
        },
        "click_to_graph": {
            "p50": percentile(clicks, 0.5),
            "p95": percentile(clicks, 0.95),
        },
    }


def _sign_in() -> tuple[str, str]:
    import django

    django.setup()
    from django.test import Client

    from inbox.models import Agent, ApiKey

    agent = Agent.objects.create_superuser("bench", password=None)
    client = Client()
    client.force_login(agent)
    _, key = ApiKey.issue("bench")
    return client.cookies["sessionid"].value, key


async def _frames(
    client: aiohttp.ClientSession, base: str, seconds: int, start: int
) -> list[float]:
    """Milliseconds from each POST until a frame about its conversation arrives."""
    waiting: dict[str, float] = {}
    latencies: list[float] = []
    stream = await client.get(f"{base}/live/stream")
    names: dict[int, str] = {}

    async def read() -> None:
        async for line in stream.content:
            if line.startswith(b'data: {"id"'):
                conversation = json.loads(line[6:])["id"]
                sender = names.get(conversation) or await asyncio.to_thread(
                    _sender_of, conversation
                )
                names[conversation] = sender
                if sender in waiting:
                    latencies.append((time.perf_counter() - waiting.pop(sender)) * 1000)

    reader = asyncio.create_task(read())
    await _post_steadily(client, base, seconds, start, waiting)
    await asyncio.sleep(1)
    reader.cancel()
    stream.close()
    return latencies


def _sender_of(conversation_id: int) -> str:
    from inbox.models import Conversation

    return Conversation.objects.values_list("identity__external_id", flat=True).get(
        pk=conversation_id
    )


async def _post_steadily(
    client: aiohttp.ClientSession,
    base: str,
    seconds: int,
    start: int,
    waiting: dict[str, float],
) -> None:
    posts = []
    begin = time.perf_counter()
    for number in range(RATE * seconds):
        pause = begin + number / RATE - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        data = body(start + number)
        sender = json.loads(data)["entry"][0]["messaging"][0]["sender"]["id"]
        waiting[sender] = time.perf_counter()
        posts.append(asyncio.create_task(_post(client, base, data)))
    await asyncio.gather(*posts)


async def _post(client: aiohttp.ClientSession, base: str, data: bytes) -> None:
    headers = {"X-Hub-Signature-256": signed(data)}
    async with client.post(
        f"{base}/meta/webhook", data=data, headers=headers
    ) as answer:
        answer.raise_for_status()


async def _clicks(client: aiohttp.ClientSession, base: str, key: str) -> list[float]:
    """Milliseconds from the POST of a reply until the Graph API is called with it."""
    arrived: dict[str, float] = {}

    async def graph(request: aio.Request) -> aio.Response:
        text = (await request.json())["message"]["text"]
        arrived[text] = time.perf_counter()
        return aio.json_response({"recipient_id": "1", "message_id": f"m_{text}"})

    app = aio.Application()
    app.router.add_post("/{tail:.*}", graph)
    runner = aio.AppRunner(app)
    await runner.setup()
    site = aio.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    conversations = await asyncio.to_thread(_prepare_clicks, f"http://127.0.0.1:{port}")
    sent: dict[str, float] = {}
    for number, conversation in enumerate(conversations):
        text = f"click {number}"
        sent[text] = time.perf_counter()
        address = f"{base}/v1/conversations/{conversation}/messages"
        headers = {"Authorization": f"Bearer {key}"}
        async with client.post(
            address, json={"content": text}, headers=headers
        ) as answer:
            answer.raise_for_status()
        await asyncio.sleep(0.02)
    await asyncio.sleep(1.5)
    await runner.cleanup()
    took = [(arrived[text] - at) * 1000 for text, at in sent.items() if text in arrived]
    return took[WARMING_CLICKS:] or [9e9]


def _prepare_clicks(graph_url: str) -> list[int]:
    from datetime import timedelta

    from django.utils.timezone import now

    from channels_meta.models import Credential
    from inbox.models import Channel, ChannelIdentity, Conversation

    channel = Channel.objects.get(external_id=ACCOUNT)
    Credential.objects.create(
        channel=channel, node_id=ACCOUNT, access_token="bench", graph_base_url=graph_url
    )
    ChannelIdentity.objects.update(
        last_inbound_at=now(), window_expires_at=now() + timedelta(hours=20)
    )
    return list(Conversation.objects.values_list("pk", flat=True)[:CLICKS])
