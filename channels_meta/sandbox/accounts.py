"""The two pretend accounts and the people who write to them; connecting and cutting them off."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop as _

from channels_meta.models import Credential
from channels_meta.sandbox.models import SandboxAccount, SandboxPerson
from inbox import live
from inbox.models import Channel

INSTAGRAM_ID = "17841400001"
PAGE_ID = "1055501"
ACCOUNT_NAME = "Maison Tilila"


@dataclass(frozen=True, slots=True)
class Persona:
    """A pretend customer whom every sandbox has."""

    kind: str
    external_id: str
    name: str
    username: str
    # In English; pages translate it.
    note: str


PERSONAS = (
    Persona(
        "instagram",
        "6612000000000001",
        "Lina Bennani",
        "lina.example",
        _("has written before"),
    ),
    Persona(
        "instagram",
        "6612000000000002",
        "Marc Lefèvre",
        "marc.example",
        _("new customer, French"),
    ),
    Persona(
        "instagram",
        "6612000000000003",
        "فاطمة الزهراء",
        "fatima.example",
        _("writes in Arabic"),
    ),
    Persona(
        "messenger",
        "7701000000000001",
        "Salma El Idrissi",
        "",
        _("has written before"),
    ),
    Persona(
        "messenger",
        "7701000000000002",
        "Thomas Girard",
        "",
        _("new customer, French"),
    ),
    Persona("messenger", "7701000000000003", "يوسف العلوي", "", _("writes in Arabic")),
)


@transaction.atomic
def create_accounts() -> tuple[Channel, Channel]:
    """The Instagram and the Messenger account, connected, with their people.

    Asked again they are the same; their Graph address follows the port we run on.
    """
    instagram = _create_account(
        "instagram", INSTAGRAM_ID, Credential.Flavour.INSTAGRAM_LOGIN
    )
    messenger = _create_account("messenger", PAGE_ID, Credential.Flavour.FACEBOOK_LOGIN)
    by_kind = {channel.kind: channel for channel in (instagram, messenger)}
    for persona in PERSONAS:
        SandboxPerson.objects.get_or_create(
            channel=by_kind[persona.kind],
            external_id=persona.external_id,
            defaults={
                "name": persona.name,
                "username": persona.username,
                "note": persona.note,
            },
        )
    return instagram, messenger


def _create_account(
    kind: str, external_id: str, flavour: Credential.Flavour
) -> Channel:
    channel, _created = Channel.objects.get_or_create(
        kind=kind,
        external_id=external_id,
        defaults={
            "name": ACCOUNT_NAME,
            "username": "maison.tilila" if kind == "instagram" else "",
            "features": ["human_agent"],
            "is_sandbox": True,
        },
    )
    credential, _created = Credential.objects.update_or_create(
        channel=channel,
        defaults={"graph_base_url": graph_base_url(kind)},
        create_defaults={
            "flavour": flavour,
            "node_id": external_id,
            "access_token": _make_token(),
            "graph_base_url": graph_base_url(kind),
        },
    )
    SandboxAccount.objects.get_or_create(
        channel=channel, defaults={"access_token": credential.access_token}
    )
    return channel


def graph_base_url(kind: str) -> str:
    host = "instagram" if kind == "instagram" else "facebook"
    return f"http://127.0.0.1:{settings.PORT}/sandbox/graph/{host}"


def create_person(*, channel: Channel, name: str) -> SandboxPerson:
    """A new pretend customer, who has not written yet."""
    is_instagram = channel.kind == "instagram"
    return SandboxPerson.objects.create(
        channel=channel,
        external_id=str(secrets.randbelow(9 * 10**15) + 10**15),
        name=name,
        username=f"pretend.{secrets.token_hex(3)}" if is_instagram else "",
    )


def disconnect(channel: Channel) -> None:
    """The platform forgets the token: Dexra learns it with its next call."""
    SandboxAccount.objects.filter(channel=channel).update(access_token="")


@transaction.atomic
def reconnect(channel: Channel) -> None:
    """A new token on both sides, as an admin gets by connecting again."""
    token = _make_token()
    for account in SandboxAccount.objects.filter(channel=channel):
        account.access_token = token
        account.save()
    credential = channel.meta
    credential.access_token = token
    credential.save()
    Channel.objects.filter(pk=channel.pk).update(
        status=Channel.Status.ACTIVE, status_reason="", blocked_until=None
    )
    live.publish_after_commit([live.Change("channel", channel.pk)])


def is_connected(channel: Channel) -> bool:
    account = SandboxAccount.objects.filter(channel=channel).first()
    is_active = channel.status == Channel.Status.ACTIVE
    return is_active and account is not None and bool(account.access_token)


def _make_token() -> str:
    return "sandbox-" + secrets.token_urlsafe(32)
