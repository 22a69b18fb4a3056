"""What the pretend Meta knows: its accounts, people, messages, faults, and the calls it saw."""

from channels_meta.sandbox.models.accounts import (
    SandboxAccount,
    SandboxTemplate,
    SandboxToken,
    digest_of,
)
from channels_meta.sandbox.models.faults import SandboxClock, SandboxFault
from channels_meta.sandbox.models.people import (
    PUBLIC_KINDS,
    SandboxMessage,
    SandboxPerson,
    SandboxUpload,
)
from channels_meta.sandbox.models.wire import SandboxCall, SandboxNotice

__all__ = [
    "PUBLIC_KINDS",
    "SandboxAccount",
    "SandboxCall",
    "SandboxClock",
    "SandboxFault",
    "SandboxMessage",
    "SandboxNotice",
    "SandboxPerson",
    "SandboxTemplate",
    "SandboxToken",
    "SandboxUpload",
    "digest_of",
]
