"""What can happen in a demo conversation, in the words of whoever tells the story."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta

_SPAN = re.compile(r"(\d+)([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@dataclass(frozen=True, slots=True)
class Act:
    """ago: how long before now it happened, as "2d 3h 5m"."""

    ago: str

    @property
    def before_now(self) -> timedelta:
        spans = _SPAN.findall(self.ago)
        return timedelta(**{_UNITS[unit]: int(number) for number, unit in spans})


# --- what the platform tells us ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said(Act):
    """The customer wrote. called: a name by which later acts speak of this message.

    picture: sent along; mentions, answers: the picture of a story that mentions us, or of
    ours that is answered. All three name a file under static/img/demo/.
    """

    text: str = ""
    called: str = ""
    picture: str = ""
    mentions: str = ""
    answers: str = ""
    reply_to: str = ""
    is_unsupported: bool = False


@dataclass(frozen=True, slots=True)
class Commented(Act):
    text: str


@dataclass(frozen=True, slots=True)
class Unsent(Act):
    what: str


@dataclass(frozen=True, slots=True)
class Reacted(Act):
    what: str
    emoji: str


@dataclass(frozen=True, slots=True)
class Delivered(Act):
    """All that we wrote so far reached the phone (Messenger tells; Instagram does not)."""


@dataclass(frozen=True, slots=True)
class Read(Act):
    """The customer read all that we wrote so far."""


@dataclass(frozen=True, slots=True)
class RepliedInApp(Act):
    """Somebody of ours wrote in the platform's own app."""

    text: str


# --- what we do ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeskAct(Act):
    """by: an agent's username; "" for what is nobody's doing."""

    by: str = field(default="nadia", kw_only=True)


@dataclass(frozen=True, slots=True)
class Replied(DeskAct):
    """We wrote. source and speaker: of what is not an agent, as Message has them."""

    text: str
    called: str = ""
    source: str = field(default="agent", kw_only=True)
    speaker: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class FailedToReply(DeskAct):
    """We wrote in vain. error: Meta's code and subcode; None where Meta did not answer."""

    text: str = ""
    picture: str = ""
    error: tuple[int, int | None] | None = None


@dataclass(frozen=True, slots=True)
class Noted(DeskAct):
    text: str


@dataclass(frozen=True, slots=True)
class Assigned(DeskAct):
    to: str


@dataclass(frozen=True, slots=True)
class Closed(DeskAct):
    pass


@dataclass(frozen=True, slots=True)
class Story:
    """One conversation. is_new: nobody of ours has looked at the newest of it yet."""

    kind: str
    person_id: str
    name: str
    username: str
    acts: tuple[Act, ...]
    tags: tuple[str, ...] = ()
    is_new: bool = False
    email: str = ""
    phone: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
