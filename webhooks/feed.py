"""All events in one order, for whoever reads instead of being told.

Ids rise with the moment at which an event is written down, and a transaction may commit after a
later one has. So the feed ends where a transaction that writes is still open: what is read has no
gap that fills later.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection
from ulid import ULID

# Clocks of the processes that make ids may be apart from the database's by less than this.
CLOCK_MARGIN = timedelta(seconds=1)

# Readers have no transaction id: a long backup does not hold the feed up. Prepared
# transactions are not used by us and have no start here.
HORIZON = """
select least(clock_timestamp(), min(xact_start)) from pg_stat_activity
 where datname = current_database() and backend_xid is not null and pid <> pg_backend_pid()
"""


def horizon() -> str:
    """Every event that is yet to come has a greater id than this. Ask before the events are read."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_stat_clear_snapshot()")
        cursor.execute(HORIZON)
        open_since: datetime = cursor.fetchone()[0]
    return first_id_at(open_since.astimezone(UTC) - CLOCK_MARGIN)


def first_id_at(moment: datetime) -> str:
    """The least id that an event of this moment can have."""
    milliseconds = int(moment.timestamp() * 1000)
    return f"evt_{ULID(milliseconds.to_bytes(6, 'big') + bytes(10))}"
