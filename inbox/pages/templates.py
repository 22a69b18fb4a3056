"""Message templates in the composer: which there are, their variables, what they will say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from inbox.channels import Ability, TemplateUse
from inbox.models import Channel, MessageTemplate
from inbox.templates import BODY, fill, places_of

# As many as a person looks through; a channel with more sends the others by API.
MAX_TEMPLATES = 100


@dataclass(frozen=True, slots=True)
class Variable:
    """One value of a template. name: of its input. place: where it stands in the words shown,
    "" for one that they do not show."""

    name: str
    label: str
    value: str
    place: str


@dataclass(frozen=True, slots=True)
class ChosenTemplate:
    template: MessageTemplate
    variables: tuple[Variable, ...]
    preview: str


def approved_templates(channel: Channel) -> list[MessageTemplate]:
    if Ability.TEMPLATES not in channel.adapter.abilities(channel):
        return []
    approved = channel.templates.filter(status=MessageTemplate.Status.APPROVED)
    return list(approved.order_by("name", "language")[:MAX_TEMPLATES])


def choose(template: MessageTemplate, given: Mapping[str, str]) -> ChosenTemplate:
    """given: what a form posted, or nothing."""
    shown = places_of(template)
    variables = tuple(
        _variable(part, number, shown if part == BODY else [], given)
        for part, number in _values(template)
    )
    words = [one.value for one in variables if one.place]
    return ChosenTemplate(template, variables, fill(template, {BODY: words}))


def _variable(
    part: str, number: int, shown: list[str], given: Mapping[str, str]
) -> Variable:
    name = _input_name(part, number)
    place = shown[number - 1] if number <= len(shown) else ""
    label = (
        _("Value for {{%(place)s}}") % {"place": place}
        if place
        else _("Value %(number)d of the part “%(part)s”")
        % {"number": number, "part": part}
    )
    return Variable(name, label, given.get(name, ""), place)


def read_use(template: MessageTemplate, given: Mapping[str, str]) -> TemplateUse:
    """The template with the values that a form posted."""
    parameters: dict[str, tuple[str, ...]] = {}
    for part, number in _values(template):
        value = given.get(_input_name(part, number), "").strip()
        parameters[part] = (*parameters.get(part, ()), value)
    return TemplateUse(template.name, template.language, parameters)


def _values(template: MessageTemplate) -> Iterator[tuple[str, int]]:
    for part, count in template.variables.items():
        for number in range(1, count + 1):
            yield part, number


def _input_name(part: str, number: int) -> str:
    return f"value-{part}-{number}"
