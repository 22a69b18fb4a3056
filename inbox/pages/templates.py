"""Message templates in the composer: which there are, their variables, what they will say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from inbox.channels import Ability, TemplateUse
from inbox.models import Channel, MessageTemplate
from inbox.templates import BODY, fill

# As many as a person looks through; a channel with more sends the others by API.
MAX_TEMPLATES = 100


@dataclass(frozen=True, slots=True)
class Variable:
    """One place of a template. name: of its input. number: its place in the words shown, 0 for
    one that they do not show."""

    name: str
    label: str
    value: str
    number: int


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
    variables = tuple(
        Variable(
            name=_input_name(part, number),
            label=_label(template, part, number),
            value=given.get(_input_name(part, number), ""),
            number=number if part == BODY else 0,
        )
        for part, number in _places(template)
    )
    words = [one.value or f"{{{{{one.number}}}}}" for one in variables if one.number]
    return ChosenTemplate(template, variables, fill(template, {BODY: words}))


def read_use(template: MessageTemplate, given: Mapping[str, str]) -> TemplateUse:
    """The template with the values that a form posted."""
    parameters: dict[str, tuple[str, ...]] = {}
    for part, number in _places(template):
        value = given.get(_input_name(part, number), "").strip()
        parameters[part] = (*parameters.get(part, ()), value)
    return TemplateUse(template.name, template.language, parameters)


def _places(template: MessageTemplate) -> Iterator[tuple[str, int]]:
    for part, count in template.variables.items():
        for number in range(1, count + 1):
            yield part, number


def _input_name(part: str, number: int) -> str:
    return f"value-{part}-{number}"


def _label(template: MessageTemplate, part: str, number: int) -> str:
    if part == BODY:
        return _("Value for {{%(number)d}}") % {"number": number}
    return _("Value %(number)d of the part “%(part)s”") % {
        "number": number,
        "part": part,
    }
