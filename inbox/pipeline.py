"""Several statements in one round trip.

A statement that takes a tenth of a millisecond waits four times as long for its answer to come and
the next one to go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connection

Rows = list[tuple[Any, ...]]


@contextmanager
def pipelined() -> Iterator[None]:
    """What is executed inside travels together; to read a result brings in all so far.

    A statement's error is raised where a result is read after it, or at the end.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def fetch_together(*statements: tuple[str, Sequence[Any]]) -> list[Rows]:
    """The rows of each statement, (SQL, parameters); each returns some kind of rows. They run in
    this order, and each sees what those before it did."""
    with pipelined(), ExitStack() as stack:
        cursors = [stack.enter_context(connection.cursor()) for _ in statements]
        for cursor, (sql, parameters) in zip(cursors, statements, strict=True):
            cursor.execute(sql, parameters)
        return [cursor.fetchall() for cursor in cursors]
