"""`manage.py check_channel ACCOUNT`: the self-test of an account, step by step."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from channels_meta.checks import run_checks
from channels_meta.health import Finding, Level
from inbox.models import Channel

MARKS = {
    Level.OK: "ok  ",
    Level.WARN: "look",
    Level.BAD: "BAD ",
    Level.UNKNOWN: "?   ",
}


class Command(BaseCommand):
    help = (
        "Test a connected account at Meta, step by step, and say what is wrong and what to do. "
        "Ends with 1 if anything is broken."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "account",
            metavar="ACCOUNT",
            help="its number in Dexra (CH_3), its id at Meta, its username or its name",
        )

    def handle(self, *args: Any, account: str, **options: Any) -> None:
        channel = find_channel(account)
        label = f"{channel.name} ({channel.adapter.label}, {channel.external_id})"
        self.stdout.write(self.style.MIGRATE_HEADING(label))
        levels = [self._tell(finding) for finding in run_checks(channel)]
        broken = levels.count(Level.BAD)
        if broken:
            raise CommandError(f"{broken} of {len(levels)} steps are broken.")
        self.stdout.write(self.style.SUCCESS("Nothing is broken."))

    def _tell(self, finding: Finding) -> Level:
        code = f" [{finding.code}]" if finding.code else ""
        self.stdout.write(
            f"{MARKS[finding.level]}  {finding.name}: {finding.says}{code}"
        )
        if finding.advice and finding.level is not Level.OK:
            self.stdout.write(f"      -> {finding.advice}")
        return finding.level


def find_channel(account: str) -> Channel:
    """Raises CommandError where none, or more than one, is meant."""
    word = account.removeprefix("@")
    known = Channel.objects.all()
    number = word.removeprefix("CH_")
    if word.startswith("CH_") and number.isdecimal():
        found = list(known.filter(pk=int(number)))
    else:
        is_meant = Q(external_id=word) | Q(username__iexact=word) | Q(name__iexact=word)
        found = list(known.filter(is_meant))
    if len(found) == 1:
        return found[0]
    rows = "\n".join(
        f"  {one.public_id}  {one.adapter.label}  {one.external_id}  {one.name}"
        for one in found or known
    )
    if found:
        raise CommandError(f"More than one account is called that:\n{rows}")
    raise CommandError(f"No such account. There are:\n{rows or '  none yet'}")
