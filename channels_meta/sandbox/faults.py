"""What goes wrong: caused by the phone page, a test or a chaos run; asked wherever it could strike."""

from __future__ import annotations

import random
from collections.abc import Collection

from django.db.models import F

from channels_meta.sandbox.models import SandboxAccount, SandboxFault

Fault = SandboxFault.Kind

# Those that concern one send and are then over, unless more was asked for.
OF_SENDS = (
    Fault.TOKEN,
    Fault.THROTTLE,
    Fault.UNAVAILABLE,
    Fault.REFUSED,
    Fault.SENT_BUT_ERROR,
    Fault.TIMEOUT_AFTER_SEND,
    Fault.CONNECTION_LOST,
)
# Those that concern every call of an account, for as long as they are on.
OF_CALLS = (Fault.RISING, Fault.PERMISSION, Fault.SWITCHED_OFF, Fault.DOWN)
OF_READS = (Fault.PROFILE, Fault.MEDIA)
# How events go wrong on their way.
OF_EVENTS = (
    Fault.DUPLICATE,
    Fault.REORDER,
    Fault.BATCH,
    Fault.LATE_ECHO,
    Fault.EARLY_ECHO,
    Fault.STANDBY,
    Fault.EDIT_ZERO,
    Fault.NO_SENDER,
    Fault.NUMBER_IDS,
    Fault.SECONDS,
    Fault.UNKNOWN,
    Fault.BOOSTED,
)
# What a chaos run may throw in without anybody having to reconnect afterwards.
PASSING = (
    Fault.THROTTLE,
    Fault.SENT_BUT_ERROR,
    Fault.TIMEOUT_AFTER_SEND,
    Fault.CONNECTION_LOST,
    Fault.DOWN,
    Fault.PROFILE,
    *(kind for kind in OF_EVENTS if kind is not Fault.STANDBY),
)

# Seeded by tests that want the same luck twice.
dice = random.Random()  # noqa: S311 - luck, no secret


def cause(
    account: SandboxAccount,
    kind: str,
    *,
    value: str = "",
    probability: float = 1,
    times: int | None = 1,
) -> SandboxFault:
    """Let something go wrong. times: how often; None until it is stopped."""
    return SandboxFault.objects.create(
        account=account,
        kind=kind,
        value=value,
        probability=probability,
        remaining=times,
    )


def cause_all(
    account: SandboxAccount,
    *,
    probability: float,
    kinds: Collection[str] = PASSING,
) -> None:
    """Everything at random, until it is stopped."""
    for kind in kinds:
        cause(account, kind, probability=probability, times=None)


def stop(account: SandboxAccount, *kinds: str) -> None:
    """Let these no longer go wrong; without a kind, nothing does any more."""
    faults = SandboxFault.objects.filter(account=account)
    (faults.filter(kind__in=kinds) if kinds else faults).delete()


def strike(account: SandboxAccount, *kinds: str) -> SandboxFault | None:
    """The oldest fault of these kinds that strikes now, one time used up; None if all is well."""
    waiting = SandboxFault.objects.filter(account=account, kind__in=kinds)
    for fault in waiting.exclude(remaining=0).order_by("id"):
        is_hit = fault.probability >= 1 or dice.random() < fault.probability
        if is_hit and _use(fault):
            return fault
    return None


def is_calm(account: SandboxAccount) -> bool:
    """Whether nothing at all can go wrong with the account now."""
    return not SandboxFault.objects.filter(account=account).exists()


def strikes(account: SandboxAccount, kind: str) -> bool:
    return strike(account, kind) is not None


def _use(fault: SandboxFault) -> bool:
    """Count it; False if another call took its last time."""
    row = SandboxFault.objects.filter(pk=fault.pk)
    fault.uses += 1
    if fault.remaining is None:
        return bool(row.update(uses=F("uses") + 1))
    taken = row.filter(remaining__gt=0).update(
        remaining=F("remaining") - 1, uses=F("uses") + 1
    )
    row.filter(remaining=0).delete()
    return bool(taken)
