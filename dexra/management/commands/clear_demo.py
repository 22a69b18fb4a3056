"""`manage.py clear_demo`: a clean workspace, once the demo was looked at."""

import sys
from argparse import ArgumentParser

from django.core.management import BaseCommand, CommandError

from dexra.demo.clearing import Demo, clear, find_demo, has_admin
from dexra.demo.seeding import ADMIN


class Command(BaseCommand):
    help = "Delete the demo: pretend accounts, what was written to them, and the demo's second agent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--yes", action="store_true", help="delete without asking first"
        )

    def handle(self, *, yes: bool, **_options: object) -> None:
        demo = find_demo()
        if not demo.exists:
            self.stdout.write("There is no demo here: nothing was deleted.")
            return
        self.describe(demo)
        if not yes and not self.confirmed():
            self.stdout.write("Nothing was deleted.")
            return
        clear(demo)
        self.stdout.write("The demo is gone.")
        if has_admin():
            self.stdout.write(
                f"The account {ADMIN} stays, with its password, to administer with."
            )

    def describe(self, demo: Demo) -> None:
        self.stdout.write("This deletes for good:")
        for channel in demo.channels:
            kind = channel.adapter.label
            self.stdout.write(f"  the pretend account {channel.name} ({kind})")
        if demo.channels:
            self.stdout.write(
                f"  {demo.conversations} conversations with it, and their contacts, journal and events"
            )
        for endpoint in demo.endpoints:
            self.stdout.write(f"  the webhook endpoint {endpoint.url}")
        if demo.colleague:
            self.stdout.write(
                f"  the agent {demo.colleague.username} ({demo.colleague.name})"
            )
        for channel in demo.spared:
            self.stdout.write(f"{channel.name} is a real account: all of it stays.")

    def confirmed(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError(
                "Nobody is there to be asked. To delete all this: manage.py clear_demo --yes"
            )
        return input("Delete it? Type yes: ").strip().lower() == "yes"
