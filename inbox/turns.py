"""Whoever stores what people wrote does so alone: order comes for free, and so does an end to it."""

from django.db import connection

# Any constant will do; nobody else in this database uses advisory locks of one key.
TURN = 0x6465787261
TAKE_TURN = "select pg_advisory_xact_lock(%s)"


def take_turn() -> None:
    """Wait until nobody else receives; hold until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_TURN, [TURN])
