"""Meta's door: signed POSTs until they are committed, against bare inserts into the same table."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from bench.stage import body, pgbench, web, write_bodies, wrk

INSERT = """
\\set r random(1, 9000000000000000000)
insert into channels_meta_rawevent (body, sha256, day)
values ('{body}', sha256(:r::text::bytea), current_date) on conflict (sha256, day) do nothing;
"""


def run(url: str, seconds: int, rounds: int) -> dict[str, Any]:
    """At 16 and 64 connections: ratio to pgbench, and the 99th percentile in milliseconds."""
    script = INSERT.format(body="\\\\x" + body(0).hex()).replace("\\\\x", "\\x")
    results: dict[str, Any] = {}
    with web() as base, tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        write_bodies(bodies, 0, 150_000)
        for connections in (16, 64):
            pairs = []
            for _ in range(rounds):
                _empty(url)
                floor = pgbench(url, script, connections, seconds)
                _empty(url)
                load = wrk(base, bodies, connections, seconds)
                pairs.append((load.per_second / floor, load, floor))
            ratio, load, floor = sorted(pairs, key=lambda pair: pair[0])[
                len(pairs) // 2
            ]
            results[f"ingest_{connections}"] = {
                "ratio": ratio,
                "per_second": load.per_second,
                "baseline": floor,
                "p99": statistics.median(pair[1].p99 for pair in pairs),
                "errors": sum(pair[1].errors for pair in pairs),
            }
    return results


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("truncate channels_meta_rawevent cascade")
