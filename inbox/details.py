"""What we know of a person besides what the channel tells: name, e-mail, phone, the business's own
details. Agents write it down; nothing of it is proof of anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from inbox.audit import note_act
from inbox.conversations import refresh
from inbox.errors import ContentInvalid
from inbox.events import Event, EventName, emit
from inbox.jsonb import is_storable
from inbox.merging import lock_survivor
from inbox.models import Actor, Contact, Conversation

MAX_NAME = 200
MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_NAME = 60
MAX_ATTRIBUTE_VALUE = 500
# Conversations of one person that open pages are told about.
MAX_TOLD = 20


@transaction.atomic
def update_contact(
    *,
    contact: Contact,
    by: Actor | None,
    name: str,
    email: str,
    phone: str,
    attributes: Mapping[str, Any],
) -> list[str]:
    """Write down who somebody is; returns which fields changed. Another e-mail or phone is not
    verified, whatever the one before it was.

    Raises ContentInvalid with the input at fault as `param`.
    """
    current = lock_survivor(contact)
    wanted = {
        "name": _clean_name(name),
        "email": _clean_email(email),
        "phone": clean_phone(phone),
        "attributes": _clean_attributes(attributes),
    }
    changed = [
        field for field, value in wanted.items() if getattr(current, field) != value
    ]
    if not changed:
        return []
    for field in changed:
        setattr(current, field, wanted[field])
        if field in {"email", "phone"}:
            setattr(current, f"{field}_verified_at", None)
    current.revision += 1
    current.save()
    _tell(current, changed)
    note_act(by, "contact_changed", current, fields=changed)
    return changed


@transaction.atomic
def create_contact(
    *,
    by: Actor | None,
    name: str,
    email: str,
    phone: str,
    attributes: Mapping[str, Any],
) -> Contact:
    """Somebody who has not written yet. Raises ContentInvalid as update_contact does."""
    contact = Contact.objects.create(
        name=_clean_name(name),
        email=_clean_email(email),
        phone=clean_phone(phone),
        attributes=_clean_attributes(attributes),
    )
    note_act(by, "contact_created", contact)
    return contact


def clean_phone(phone: str) -> str:
    """A number as E.164, "" for none. Raises ContentInvalid for what is none."""
    if not phone.strip():
        return ""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ContentInvalid(
            _("Write the number with its country: +212 6 12 34 56 78."), param="phone"
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > MAX_NAME:
        raise ContentInvalid(
            _("A name has at most %(limit)d characters.") % {"limit": MAX_NAME},
            param="name",
        )
    return name


def _clean_email(email: str) -> str:
    email = email.strip()
    if not email:
        return ""
    try:
        validate_email(email)
    except ValidationError:
        raise ContentInvalid(_("This is no e-mail address."), param="email") from None
    return email


def _clean_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values without ends of blank; what has no value is not kept."""
    kept: dict[str, Any] = {}
    for name, value in attributes.items():
        title = " ".join(name.split())
        text = value.strip() if isinstance(value, str) else value
        if not title or text is None or text == "":
            continue
        if not (is_storable(title) and is_storable(text)):
            raise ContentInvalid(
                _("A detail holds a character that cannot be stored."),
                param="attributes",
            )
        if len(title) > MAX_ATTRIBUTE_NAME or len(str(text)) > MAX_ATTRIBUTE_VALUE:
            raise ContentInvalid(
                _("A detail has at most %(name)d characters, what it says %(value)d.")
                % {"name": MAX_ATTRIBUTE_NAME, "value": MAX_ATTRIBUTE_VALUE},
                param="attributes",
            )
        kept[title] = text
    if len(kept) > MAX_ATTRIBUTES:
        raise ContentInvalid(
            _("A person has at most %(limit)d details.") % {"limit": MAX_ATTRIBUTES},
            param="attributes",
        )
    return kept


def _tell(contact: Contact, changed: list[str]) -> None:
    identities = list(contact.identities.order_by("pk"))
    emit(
        [
            Event(
                EventName.USER_UPDATED,
                channel_id=identity.channel_id,
                occurred_at=now(),
                details={"identity_id": identity.pk, "fields": changed},
            )
            for identity in identities
        ]
    )
    conversations = Conversation.objects.filter(identity__in=identities)
    refresh(conversations.order_by("-id").values_list("pk", flat=True)[:MAX_TOLD])
