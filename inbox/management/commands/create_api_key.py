from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inbox.models import ApiKey


class Command(BaseCommand):
    help = "Make an API key and print it, alone. It cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "name", help="what it is for; customers' messages show it as author"
        )

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        if not name.strip() or len(name) > 80:
            raise CommandError("Give a name of 1 to 80 characters.")
        _, key = ApiKey.issue(name.strip())
        self.stdout.write(key)
