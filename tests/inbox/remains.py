"""Everything this installation keeps, as bytes: to look for a word that must not be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection

TABLES = "select tablename from pg_tables where schemaname = 'public' order by 1"
# The pretend Meta's own memory: what Meta keeps is not ours to erase.
THEIRS = "channels_meta_sandbox"


def places_of(word: str) -> list[str]:
    """Where the word is to be found, whatever its case: tables, files, Redis."""
    wanted = word.lower().encode()
    # COPY writes bytea in hexadecimal digits.
    forms = (wanted, wanted.hex().encode(), word.encode().hex().encode())
    return [
        place
        for place, content in _everything()
        if any(form in content.lower() for form in forms)
    ]


def _everything() -> Iterator[tuple[str, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        tables = [name for (name,) in cursor.fetchall() if not name.startswith(THEIRS)]
        for table in tables:
            with cursor.copy(f'copy (select * from "{table}") to stdout') as rows:
                yield table, b"".join(bytes(row) for row in rows)
    yield from _files("")
    yield from _redis()


def _files(folder: str) -> Iterator[tuple[str, bytes]]:
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        path = f"{folder}/{name}".lstrip("/")
        with default_storage.open(path) as file:
            yield f"file {path}", path.encode() + file.read()
    for name in folders:
        yield from _files(f"{folder}/{name}".lstrip("/"))


def _redis() -> Iterator[tuple[str, bytes]]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        for key in client.scan_iter():
            yield f"redis {key!r}", key + repr(_value(client, key)).encode()


def _value(client: Any, key: bytes) -> Any:
    readers = {
        b"string": client.get,
        b"stream": client.xrange,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
    }
    return readers[client.type(key)](key)
