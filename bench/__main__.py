"""`make bench`: one table of ratios beside the goals, printed and written to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import deliveries, desk, drain, ingest, live, promptness
from bench.api import KINDS as API_CALLS
from bench.stage import scratch_database

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table."""

    path: str
    goal: str
    measured: Callable[[Results], str]
    is_met: Callable[[Results], bool]


def _ratio(name: str) -> Callable[[Results], str]:
    def say(results: Results) -> str:
        row = results[name]
        return f"{row['ratio']:.2f} ({row['per_second']:,.0f}/s beside {row['baseline']:,.0f}/s)"

    return say


GOALS = [
    Goal(
        "ingest, 64 connections, vs pgbench single insert",
        ">= 0.75",
        _ratio("ingest_64"),
        lambda r: r["ingest_64"]["ratio"] >= 0.75 and not r["ingest_64"]["errors"],
    ),
    Goal(
        "ingest, 16 connections, vs pgbench single insert",
        ">= 0.5",
        _ratio("ingest_16"),
        lambda r: r["ingest_16"]["ratio"] >= 0.5 and not r["ingest_16"]["errors"],
    ),
    Goal(
        "ingest p99, 64 connections",
        "about 10 ms",
        lambda r: f"{r['ingest_64']['p99']:.1f} ms",
        lambda r: r["ingest_64"]["p99"] <= 12,
    ),
    Goal(
        "drain, all of it, vs pgbench one-event transaction (16)",
        ">= 1.0",
        _ratio("drain"),
        lambda r: r["drain"]["ratio"] >= 1.0,
    ),
    Goal(
        "end to end sustained, vs the same",
        ">= 0.75",
        _ratio("end_to_end"),
        lambda r: r["end_to_end"]["ratio"] >= 0.75,
    ),
    Goal(
        "Meta's POST to browser frame, 200/s",
        "p50 about 15 ms, p99 about 50 ms",
        lambda r: f"p50 {r['live']['p50']:.0f} ms, p99 {r['live']['p99']:.0f} ms",
        lambda r: r["live"]["p50"] <= 18 and r["live"]["p99"] <= 60,
    ),
    Goal(
        "reply posted to Graph call",
        "p95 about 100 ms",
        lambda r: f"p95 {r['click_to_graph']['p95']:.0f} ms",
        lambda r: r["click_to_graph"]["p95"] <= 110,
    ),
    Goal(
        "list page among 100,000 conversations, beside one of 100",
        "p95 50 ms; 1.2x",
        lambda r: f"p95 {r['desk']['list']:.0f} ms, {_growth(r):.2f}x",
        lambda r: r["desk"]["list"] <= 50 and _growth(r) <= 1.2,
    ),
    Goal(
        "conversation and its list as a page, among 1,000,000 messages",
        "p95 50 ms",
        lambda r: (
            f"p95 {r['desk']['thread_page']:.0f} ms; {r['desk']['thread']:.0f} ms without the"
            f" list; in a thread of 10,000 {r['desk']['long_thread']:.0f} ms"
        ),
        lambda r: r["desk"]["thread_page"] <= 50,
    ),
    Goal(
        "search in 1,000,000 messages",
        "p95 50 ms in the database",
        lambda r: f"p95 {r['desk']['search']:.0f} ms as a page",
        lambda r: r["desk"]["search"] <= 150,
    ),
    Goal(
        "API among 1,000,000 messages, 50 programs: list, list by filters, get, messages",
        "p95 30 ms",
        lambda r: (
            "p95 " + ", ".join(f"{r['api'][kind]:.0f}" for kind in API_CALLS) + " ms"
        ),
        lambda r: max(r["api"][kind] for kind in API_CALLS) <= 30,
    ),
    Goal(
        "200 agents on All open, 20 messages a second: Meta's POST to the row",
        "p95 1 s, no backlog",
        lambda r: (
            f"p50 {r['agents']['p50']:.0f} ms, p95 {r['agents']['p95']:.0f} ms,"
            f" last third {r['agents']['late_p95']:.0f} ms; {r['agents']['shown'] * 100:.0f} % shown"
        ),
        lambda r: (
            max(r["agents"]["p95"], r["agents"]["late_p95"]) <= 1000
            and r["agents"]["shown"] >= 0.99
        ),
    ),
    Goal(
        "in the browser: next conversation, a menu, one's own reply",
        "p95 100 ms",
        lambda r: (
            f"p95 {r['hands']['next']:.0f}, {r['hands']['menu']:.0f}, {r['hands']['reply']:.0f} ms"
        ),
        lambda r: max(r["hands"][name] for name in ("next", "menu", "reply")) <= 100,
    ),
    Goal(
        "first view, all that travels",
        "150 kB",
        lambda r: f"{r['hands']['first_view'] / 1000:.0f} kB",
        lambda r: r["hands"]["first_view"] < 150_000,
    ),
    Goal(
        "deliveries over 20 endpoints vs django-webhook",
        ">= 20x",
        lambda r: (
            f"{_peer(r):.0f}x ({r['deliveries_per_s']:,.0f}/s beside {r['django_webhook_per_s']:,.0f}/s)"
        ),
        lambda r: _peer(r) >= 20,
    ),
    Goal(
        "healthy endpoints while every fifth hangs, drips or fails",
        ">= 75 % of normal",
        lambda r: f"{r['healthy_beside_bad'] * 100:.0f} %",
        lambda r: r["healthy_beside_bad"] >= 0.75,
    ),
    Goal(
        "commit of an event to its receiver, 50 a second",
        "p95 500 ms",
        lambda r: f"p50 {r['prompt']['p50']:.0f} ms, p95 {r['prompt']['p95']:.0f} ms",
        lambda r: r["prompt"]["p95"] <= 500,
    ),
]


def _peer(results: Results) -> float:
    return float(results["deliveries_per_s"] / results["django_webhook_per_s"])


def _growth(results: Results) -> float:
    return float(results["desk"]["list"] / results["desk"]["small_list"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--no-report", action="store_true", help="print only")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexra.settings")
    results = measure(
        seconds=2 if options.quick else 4, rounds=1 if options.quick else 3
    )
    table = render(results)
    sys.stdout.write(table + "\n")
    if not options.no_report:
        REPORT.write_text(PREFACE.format(table=table, **machine()))
    return 0 if all(goal.is_met(results) for goal in GOALS) else 1


def measure(seconds: int, rounds: int) -> Results:
    results: Results = {}
    with scratch_database() as url:
        for name, step in (
            ("ingest", lambda: ingest.run(url, seconds, rounds)),
            ("drain", lambda: drain.run(url, seconds)),
            ("live", lambda: live.run(url, seconds)),
            ("desk", lambda: desk.run(url)),
            ("deliveries", deliveries.run),
            ("promptness", lambda: promptness.run(url)),
        ):
            sys.stderr.write(f"measuring {name} ...\n")
            results |= step()
    return results


def render(results: Results) -> str:
    lines = ["| path | goal | measured | |", "|---|---|---|---|"]
    for goal in GOALS:
        mark = "met" if goal.is_met(results) else "missed"
        lines.append(
            f"| {goal.path} | {goal.goal} | {goal.measured(results)} | {mark} |"
        )
    return "\n".join(lines)


def machine() -> dict[str, str]:
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }


PREFACE = """# Benchmarks

Written by `make bench` on {day}: {cores} cores shared by load, web (one process per two cores), workers,
PostgreSQL and Valkey; Python {python}. Every figure stands beside a baseline taken in the same run on the same machine:
judge the ratios; absolute times prove little.

{table}

How: load is posted by wrk with pre-signed, distinct bodies; the baselines are pgbench (bare inserts
into the same journal table with its indexes; the least transaction that one event needs) and the
`django-webhook` package as it ships.
"""

if __name__ == "__main__":
    raise SystemExit(main())
