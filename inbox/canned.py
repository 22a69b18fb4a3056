"""Canned replies: which an agent has, what they say to this person, and what they do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inbox.errors import ContentInvalid
from inbox.models import Agent, CannedReply, Conversation, Priority, Tag, Team
from inbox.moments import parse_moment
from inbox.search import fold
from inbox.triage import (
    assign_conversation,
    assign_team,
    change_tags,
    close_conversation,
    set_priority,
    snooze_conversation,
)

# As many as a person looks through, and as one search looks at.
MAX_FOUND = 20
MAX_SEARCHED = 1000
MAX_TAGS = 10
ME, NOBODY = "me", "nobody"
# Moments to choose from where there is no room to say one, by the words that are kept.
SNOOZES: Mapping[str, str | Promise] = {
    "in 1 hour": gettext_lazy("In an hour"),
    "in 3 hours": gettext_lazy("In three hours"),
    "tomorrow 9": gettext_lazy("Tomorrow at 9:00"),
    "monday 9": gettext_lazy("Monday at 9:00"),
    "in 1 week": gettext_lazy("In a week"),
}


def canned_replies(agent: Agent) -> QuerySet[CannedReply]:
    """The agent's own, and those of everybody or of a team of theirs."""
    shared = Q(owner=None) & (Q(team=None) | Q(team__in=agent.teams.all()))
    return CannedReply.objects.filter(Q(owner=agent) | shared)


def search_canned(agent: Agent, words: str) -> list[CannedReply]:
    """Those whose shortcut, title or text has the words; the best first: by how the shortcut begins."""
    wanted = fold(words)
    ranked = []
    for canned in canned_replies(agent).order_by("shortcut", "pk")[:MAX_SEARCHED]:
        rank = _rank(canned, wanted)
        if rank is not None:
            ranked.append((rank, canned.shortcut, canned.pk, canned))
    return [canned for *_place, canned in sorted(ranked, key=lambda one: one[:3])][
        :MAX_FOUND
    ]


def _rank(canned: CannedReply, wanted: str) -> int | None:
    shortcut = fold(canned.shortcut)
    if shortcut.startswith(wanted):
        return 0
    places = (shortcut, fold(canned.title), fold(canned.content))
    return next((n for n, text in enumerate(places, 1) if wanted in text), None)


# --- variables -----------------------------------------------------------------------------------

_VARIABLE = re.compile(r"\{([^\W\d][\w .-]{0,39})\}")
STANDARD = ("first_name", "name", "handle", "agent", "account")


@dataclass(frozen=True, slots=True)
class Filled:
    """blanks: names of variables that nothing is known for; they stay in braces."""

    text: str
    blanks: tuple[str, ...] = ()


def fill(text: str, conversation: Conversation, agent: Agent) -> Filled:
    values = _values(conversation, agent)
    blanks = []

    def value_of(found: re.Match[str]) -> str:
        value = values.get(found[1].strip().casefold(), "")
        if not value:
            blanks.append(found[1])
        return value or found[0]

    return Filled(_VARIABLE.sub(value_of, text), tuple(dict.fromkeys(blanks)))


def _values(conversation: Conversation, agent: Agent) -> dict[str, str]:
    """What is known, by the names of variables. A name that we made up is no name to call by."""
    identity, contact = conversation.identity, conversation.identity.contact
    name = contact.name or identity.name
    own = {
        str(key).casefold(): str(value)
        for key, value in contact.attributes.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
    return own | {
        "first_name": name.split()[0] if name.strip() else "",
        "name": name,
        "handle": f"@{identity.username}" if identity.username else "",
        "agent": agent.first_name or agent.username,
        "account": conversation.channel.name,
    }


def blanks_in(text: str, agent: Agent) -> list[str]:
    """Variables that a text still holds: the names we fill in, and those of the agent's canned
    replies. Other braces are the agent's own words."""
    found = dict.fromkeys(_VARIABLE.findall(text))
    if not found:
        return []
    texts = canned_replies(agent).values_list("content", flat=True)[:MAX_SEARCHED]
    known = {*STANDARD, *(name for one in texts for name in _VARIABLE.findall(one))}
    return [name for name in found if name in known]


def check_filled(text: str, agent: Agent) -> None:
    """Raises ContentInvalid for a text that would show its blanks to the customer."""
    if blanks := blanks_in(text, agent):
        names = _(", ").join(f"{{{name}}}" for name in blanks)
        raise ContentInvalid(
            _("Fill in or remove %(names)s first: nothing is known for it.")
            % {"names": names},
            param="content",
        )


# --- what they do --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Actions:
    """What is done with a conversation. snooze: a moment in words (inbox.moments). assign: "me", "nobody"."""

    close: bool = False
    snooze: str = ""
    assign: str = ""
    team: Team | None = None
    tags: tuple[Tag, ...] = ()
    priority: Priority | None = None

    def __bool__(self) -> bool:
        return self != NO_ACTIONS


NO_ACTIONS = Actions()


@dataclass(frozen=True, slots=True)
class Step:
    """One act as the composer shows it. token: what it posts, to be done with the reply."""

    token: str
    label: str
    icon: str


_WRONG = gettext_lazy("This is not a set of actions that Dexra knows: %(what)s.")
_NAMES = frozenset({"close", "snooze", "assign", "team", "tags", "priority"})


def read_actions(told: Any) -> Actions:
    """From the JSON of CannedReply.actions. Raises ContentInvalid for what cannot be done."""
    if not isinstance(told, Mapping) or not told.keys() <= _NAMES:
        raise _wrong(", ".join(map(str, told)) if isinstance(told, Mapping) else told)
    close, snooze = told.get("close", False), told.get("snooze", "")
    assign, tags = told.get("assign", ""), told.get("tags", [])
    if not isinstance(close, bool):
        raise _wrong("close")
    if close and snooze:
        raise ContentInvalid(
            _("Done and snoozed at once is not possible. Choose one."), param="actions"
        )
    if assign not in {"", ME, NOBODY}:
        raise _wrong("assign")
    if not isinstance(snooze, str):
        raise _wrong("snooze")
    if snooze:
        parse_moment(snooze, at=now())
    if not isinstance(tags, list) or len(tags) > MAX_TAGS:
        raise _wrong("tags")
    return Actions(
        close, snooze, assign, _team(told), _tags(tags), _priority(told.get("priority"))
    )


def _wrong(what: object) -> ContentInvalid:
    return ContentInvalid(_WRONG % {"what": what}, param="actions")


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _team(told: Mapping[str, Any]) -> Team | None:
    if told.get("team") is None:
        return None
    pk = told["team"]
    team = Team.objects.filter(pk=pk).first() if _is_id(pk) else None
    if team is None:
        raise _wrong("team")
    return team


def _tags(ids: list[Any]) -> tuple[Tag, ...]:
    if not all(map(_is_id, ids)):
        raise _wrong("tags")
    found = Tag.objects.in_bulk(ids)
    if len(found) < len(set(ids)):
        raise _wrong("tags")
    return tuple(found[pk] for pk in dict.fromkeys(ids))


def _priority(value: Any) -> Priority | None:
    if value is None:
        return None
    if not _is_id(value) or value not in Priority.values:
        raise _wrong("priority")
    return Priority(value)


def as_json(actions: Actions) -> dict[str, Any]:
    """What CannedReply.actions holds for it; nothing for what is not done."""
    told: dict[str, Any] = {
        "close": actions.close,
        "snooze": actions.snooze,
        "assign": actions.assign,
        "team": actions.team and actions.team.pk,
        "tags": [tag.pk for tag in actions.tags],
    }
    priority = {} if actions.priority is None else {"priority": int(actions.priority)}
    return {name: value for name, value in told.items() if value} | priority


def steps_of(actions: Actions) -> list[Step]:
    steps = [Step(f"tag:{tag.pk}", tag.name, "tag") for tag in actions.tags]
    if actions.priority is not None:
        label = str(actions.priority.label)
        steps.append(Step(f"priority:{int(actions.priority)}", label, "flag"))
    if actions.team:
        steps.append(Step(f"team:{actions.team.pk}", actions.team.name, "users"))
    if actions.assign:
        label = _("Assign to me") if actions.assign == ME else _("Give back")
        steps.append(Step(f"assign:{actions.assign}", label, "user-plus"))
    if actions.snooze:
        label = _("Snooze: %(moment)s") % {"moment": moment_words(actions.snooze)}
        steps.append(Step(f"snooze:{actions.snooze}", label, "moon"))
    if actions.close:
        steps.append(Step("close", _("Done"), "check"))
    return steps


def moment_words(words: str) -> str:
    label: str | Promise = SNOOZES.get(words, words)
    return str(label)


def read_steps(tokens: Iterable[str]) -> Actions:
    """From what a composer posts. Raises ContentInvalid."""
    told: dict[str, Any] = {}
    for token in tokens:
        name, _colon, value = token.partition(":")
        number = int(value) if value.isdecimal() and len(value) < 10 else None
        match name:
            case "close":
                told["close"] = True
            case "tag":
                told.setdefault("tags", []).append(number)
            case "team" | "priority":
                told[name] = number if number is not None else value
            case "assign" | "snooze":
                told[name] = value
            case _:
                raise _wrong(name)
    return read_actions(told)


@transaction.atomic
def perform_actions(
    *, conversation: Conversation, actions: Actions, by: Agent, at: datetime
) -> None:
    """Each with its line in the thread. Raises ContentInvalid and StateForbids, as the acts do."""
    if actions.tags:
        change_tags(conversation=conversation, add=actions.tags, by=by)
    if actions.priority is not None:
        set_priority(conversation=conversation, priority=actions.priority, by=by)
    if actions.team:
        assign_team(conversation=conversation, team=actions.team, by=by)
    if actions.assign:
        assignee = by if actions.assign == ME else None
        assign_conversation(conversation=conversation, assignee=assignee, by=by)
    if actions.snooze:
        until = parse_moment(actions.snooze, at=at)
        snooze_conversation(conversation=conversation, until=until, by=by)
    if actions.close:
        close_conversation(conversation=conversation, by=by)
