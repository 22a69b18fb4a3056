from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from inbox.models import ApiKey, Scope

MAX_DAYS = 3650


class Command(BaseCommand):
    help = "Make an API key and print it, alone. It cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "name", help="what it is for; customers' messages show it as author"
        )

        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            metavar="SCOPE",
            help=f"what it may do, once for each: {', '.join(Scope.values)}; "
            "all but act_as_* if none is given",
        )
        parser.add_argument("--days", type=int, help="for how long; for ever if not")

    def handle(
        self,
        *args: Any,
        name: str,
        scope: list[str] | None,
        days: int | None,
        **options: Any,
    ) -> None:
        if not name.strip() or len(name) > 80:
            raise CommandError("Give a name of 1 to 80 characters.")
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise CommandError(f"Give 1 to {MAX_DAYS} days.")
        expires_at = None if days is None else now() + timedelta(days=days)
        _, key = ApiKey.issue(name.strip(), scopes=scope, expires_at=expires_at)
        self.stdout.write(key)
