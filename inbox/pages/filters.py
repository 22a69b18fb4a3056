"""What narrows a list, as its address says it: who has it, where it came by, what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db.models import Q
from django.utils.translation import gettext as _

from inbox.models import (
    Agent,
    Channel,
    MessageType,
    Priority,
    SavedView,
    Tag,
    Team,
)

# Of each, in menus and among the views.
MAX_CHOICES = 200
MAX_SAVED = 50

COMMENTS = Q(last_message__type=MessageType.COMMENT.value)
STORIES = Q(
    last_message__type__in=[
        MessageType.STORY_MENTION.value,
        MessageType.STORY_REPLY.value,
    ]
)
NOTHING = Q(pk=-1)


@dataclass(frozen=True)
class Desk:
    """What one agent chooses from, each loaded when it is asked for: a part of a page needs little."""

    agent: Agent
    at: datetime

    @cached_property
    def channels(self) -> list[Channel]:
        return list(Channel.objects.order_by("name", "pk"))

    @cached_property
    def tags(self) -> list[Tag]:
        return list(Tag.objects.order_by("name"))

    @cached_property
    def teams(self) -> list[Team]:
        return list(Team.objects.order_by("name")[:MAX_CHOICES])

    @cached_property
    def agents(self) -> list[Agent]:
        active = Agent.objects.filter(is_active=True)
        return list(
            active.order_by("first_name", "last_name", "username")[:MAX_CHOICES]
        )

    @cached_property
    def saved(self) -> list[SavedView]:
        views = SavedView.objects.filter(Q(owner=self.agent) | Q(is_shared=True))
        return list(views.select_related("owner").order_by("name", "pk")[:MAX_SAVED])

    @property
    def kinds(self) -> dict[str, str]:
        found = {one.kind: str(one.adapter.label) for one in self.channels}
        return found | {"comment": _("Comments"), "story": _("Stories")}


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One of the menu's questions; with a single choice it is a box to tick."""

    name: str
    label: str
    choices: tuple[Choice, ...]
    value: str


@dataclass(frozen=True, slots=True)
class Filters:
    """The values as the address has them, "" for what is off."""

    channel: str = ""
    kind: str = ""
    assignee: str = ""
    team: str = ""
    tag: str = ""
    priority: str = ""
    unread: str = ""
    failed: str = ""

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Filters:
        values = {
            name: str(parameters.get(name, "")).replace("\x00", "").strip()[:40]
            for name in cls.__slots__
        }
        for name in ("unread", "failed"):
            values[name] = "1" if values[name] == "1" else ""
        return cls(**values)

    @property
    def parameters(self) -> dict[str, str]:
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value}

    def condition(self, desk: Desk) -> Q:
        condition = Q()
        for name, value in self.parameters.items():
            condition &= _condition(name, value, desk)
        return condition

    def fields(self, desk: Desk) -> list[Field]:
        return [self._field(name, desk) for name in self.__slots__]

    def chips(self, desk: Desk) -> list[tuple[str, str]]:
        """The name of each filter that is on, and what it says."""
        return [(name, _chip(self._field(name, desk))) for name in self.parameters]

    def _field(self, name: str, desk: Desk) -> Field:
        label, choices = _question(name, desk)
        return Field(name, label, choices, getattr(self, name))


NO_FILTERS = Filters()


def _condition(name: str, value: str, desk: Desk) -> Q:
    """What names something that is not there (any more) holds nothing: to leave it out would
    show a list that nobody asked for."""
    fixed = {
        ("assignee", "me"): Q(assignee=desk.agent),
        ("assignee", "nobody"): Q(assignee__isnull=True),
        ("team", "none"): Q(team__isnull=True),
        ("unread", "1"): Q(unread__gt=0),
        ("failed", "1"): Q(failed__gt=0),
        ("kind", "comment"): COMMENTS,
        ("kind", "story"): STORIES,
    }
    if (name, value) in fixed:
        return fixed[name, value]
    if name == "kind":
        of_kind = [one.pk for one in desk.channels if one.kind == value]
        return Q(channel__in=of_kind) if of_kind else NOTHING
    if name == "priority":
        known = value in {str(one) for one in Priority.values}
        return Q(priority=int(value)) if known else NOTHING
    names = {
        "channel": "channels",
        "assignee": "agents",
        "team": "teams",
        "tag": "tags",
    }
    rows = getattr(desk, names[name]) if name in names else ()
    found = [one.pk for one in rows if str(one.pk) == value]
    if not found:
        return NOTHING
    return holds_tag(found[0]) if name == "tag" else Q((name, found[0]))


def holds_tag(pk: int) -> Q:
    # The second half is what its partial index asks for.
    return Q(tags__contains=[pk]) & ~Q(tags=[])


def _question(name: str, desk: Desk) -> tuple[str, tuple[Choice, ...]]:
    """What the filter of this name is called, and what it may be."""
    match name:
        case "channel":
            return _("Channel"), _named(desk.channels)
        case "kind":
            return _("Kind"), tuple(Choice(*one) for one in desk.kinds.items())
        case "assignee":
            somebody = Choice("me", _("Me")), Choice("nobody", _("Nobody"))
            return _("Assigned to"), (*somebody, *_named(desk.agents))
        case "team":
            return _("Team"), (Choice("none", _("No team")), *_named(desk.teams))
        case "tag":
            return _("Tag"), _named(desk.tags)
        case "priority":
            urgency = [one for one in reversed(Priority.choices) if one[0]]
            return _("Priority"), tuple(
                Choice(str(value), str(label)) for value, label in urgency
            )
        case "unread":
            return _("Unread"), (Choice("1", _("Unread")),)
        case _:
            return _("Not sent"), (Choice("1", _("With a reply that was not sent")),)


def _named(rows: Iterable[Channel | Tag | Team | Agent]) -> tuple[Choice, ...]:
    return tuple(Choice(str(one.pk), one.name) for one in rows)


def _chip(field: Field) -> str:
    words = next(
        (one.label for one in field.choices if one.value == field.value),
        _("not there any more"),
    )
    if field.name in {"unread", "failed"}:
        return field.label
    return _("%(field)s: %(value)s") % {"field": field.label, "value": words}
