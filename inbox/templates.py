"""Message templates: kept as the channel has them, filled, and checked before one is sent."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence

from celery import shared_task
from django.db import transaction
from django.utils.translation import gettext as _

from inbox.bell import ring
from inbox.channels import Ability, SendError, TemplateInfo, TemplateUse, adapters
from inbox.errors import ContentInvalid
from inbox.models import Channel, MessageTemplate

logger = logging.getLogger(__name__)

# The component whose words `MessageTemplate.body` holds.
BODY = "body"
MAX_VALUE_CHARACTERS = 1000
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


# --- use -----------------------------------------------------------------------------------------


def find_template(channel: Channel, use: TemplateUse) -> MessageTemplate:
    """The approved template that is meant, if the values fit it. Raises ContentInvalid."""
    if Ability.TEMPLATES not in channel.adapter.abilities(channel):
        raise ContentInvalid(
            _("%(account)s cannot send templates.") % {"account": channel.name},
            param="template",
        )
    template = channel.templates.filter(name=use.name, language=use.language).first()
    if template is None or template.status != MessageTemplate.Status.APPROVED:
        raise ContentInvalid(
            _("There is no approved template “%(name)s” in the language %(language)s.")
            % {"name": use.name, "language": use.language},
            param="template.name",
        )
    _check_values(template, use.parameters)
    return template


def _check_values(
    template: MessageTemplate, parameters: Mapping[str, Sequence[str]]
) -> None:
    unknown = set(parameters) - set(template.variables)
    if unknown:
        raise ContentInvalid(
            _("This template has no part “%(part)s” with variables.")
            % {"part": min(unknown)},
            param="template.parameters",
        )
    for part, count in template.variables.items():
        values = parameters.get(part, ())
        if len(values) != count or not all(value.strip() for value in values):
            raise ContentInvalid(
                _("Fill in every variable of the template: %(part)s has %(count)d.")
                % {"part": part, "count": count},
                param=f"template.parameters.{part}",
            )
        if any(len(value) > MAX_VALUE_CHARACTERS for value in values):
            raise ContentInvalid(
                _("A variable has at most %(limit)d characters.")
                % {"limit": MAX_VALUE_CHARACTERS},
                param=f"template.parameters.{part}",
            )


def places_of(template: MessageTemplate) -> list[str]:
    """The body's places in the order of their values: numbers by number, names as they come."""
    places = list(dict.fromkeys(_PLACE.findall(template.body)))
    if all(place.isdecimal() for place in places):
        return sorted(places, key=int)
    return places


def fill(template: MessageTemplate, parameters: Mapping[str, Sequence[str]]) -> str:
    """The words as the customer reads them. A place without a value stays as it is."""
    values = dict(zip(places_of(template), parameters.get(BODY, ()), strict=False))
    return _PLACE.sub(lambda place: values.get(place[1]) or place[0], template.body)


# --- what the channel has ------------------------------------------------------------------------


@shared_task(name="inbox.templates.sync")
def sync(channel_id: int) -> None:
    """Ask one channel for its templates. One that cannot answer now is asked tomorrow."""
    channel = Channel.objects.get(pk=channel_id)
    if Ability.TEMPLATES not in channel.adapter.abilities(channel):
        return
    try:
        found = channel.adapter.fetch_templates(channel)
    except SendError as error:
        logger.warning("templates.unread channel=%s code=%s", channel_id, error.code)
        return
    store_templates(channel, found)


@shared_task(name="inbox.templates.sync_all")
def sync_all() -> None:
    """Ring for every channel that may have templates."""
    active = Channel.objects.filter(
        status=Channel.Status.ACTIVE, kind__in=[one.kind for one in adapters()]
    )
    for channel in active.iterator():
        if Ability.TEMPLATES in channel.adapter.abilities(channel):
            ring(sync, channel.pk)


@transaction.atomic
def store_templates(channel: Channel, found: Sequence[TemplateInfo]) -> None:
    """Make the rows what the channel lists; what it lists no more is marked as gone."""
    rows = [
        MessageTemplate(
            channel=channel,
            external_id=info.external_id,
            name=info.name,
            language=info.language,
            status=_status(info.status),
            reason=info.reason[:300],
            body=info.body,
            variables={part: count for part, count in info.variables.items() if count},
        )
        for info in found
    ]
    MessageTemplate.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["channel", "external_id"],
        update_fields=[
            "name",
            "language",
            "status",
            "reason",
            "body",
            "variables",
            "synced_at",
        ],
    )
    listed = [info.external_id for info in found]
    channel.templates.exclude(external_id__in=listed).update(
        status=MessageTemplate.Status.GONE
    )


def _status(word: str) -> str:
    """A state we do not know of is one in which it cannot be sent."""
    return (
        word
        if word in MessageTemplate.Status.values
        else MessageTemplate.Status.REJECTED
    )
