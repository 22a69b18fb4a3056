"""`manage.py seed_demo`: something to look at in an empty workspace."""

from django.core.management import BaseCommand

from dexra.demo.seeding import login_path, seed, why_not_empty


class Command(BaseCommand):
    help = "Fill an empty workspace with a small demo: two pretend accounts and what people write to them."

    def handle(self, *, verbosity: int, **_options: object) -> None:
        if reason := why_not_empty():
            self.stdout.write(f"No demo was made: {reason}.")
            return
        login = seed()
        if verbosity:
            self.stdout.write(
                f"The demo is ready. Sign in as {login.username} with {login.password} "
                f"(kept in {login_path()})."
            )
