"""Menus: lines to choose from, each a submit button of one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.functional import Promise

from inbox.models import Agent

# Nobody chooses from more than this without a name to look for.
MAX_CHOICES = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a menu. value: what it posts. hint: at its end. is_late: after the reply window
    has closed."""

    value: str
    label: str | Promise
    icon: str = ""
    agent: Agent | None = None
    dot: int = 0
    hint: str = ""
    is_chosen: bool = False
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Lines under one heading."""

    label: str | Promise
    choices: Sequence[Choice]


@dataclass(frozen=True, slots=True)
class Menu:
    """name: of the input that is posted. search: what its field asks for, "" for none. stays:
    whether several may be chosen, one after the other. free: whether the field's own words may
    be posted; its name then. selected: the conversations it is about, where they are many."""

    title: str | Promise
    url: str
    name: str
    groups: Sequence[Group] = field(default_factory=tuple)
    search: str | Promise = ""
    free: str = ""
    stays: bool = False
    selected: Sequence[int] = ()
