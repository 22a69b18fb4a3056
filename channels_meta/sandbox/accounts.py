"""The accounts at the pretend Meta and the people who write to them; connecting and cutting off.

Meta's side is there whether or not Dexra has connected any of it. `create_accounts` connects the
two that a demo plays with, without the walk through a login.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext_noop as _

from channels_meta.models import Credential
from channels_meta.sandbox import subscriptions
from channels_meta.sandbox.login import tokens
from channels_meta.sandbox.login.cases import (
    FACEBOOK_SCOPES,
    INSTAGRAM_SCOPES,
    LONE_PAGE,
    MAIN_INSTAGRAM,
    MAIN_PAGE,
    OUTLET_INSTAGRAM,
    OUTLET_PAGE,
    PERSONAL,
)
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxPerson,
    SandboxTemplate,
    SandboxToken,
)
from inbox import live
from inbox.events import Event, EventName, emit
from inbox.models import Channel

INSTAGRAM_ID = MAIN_INSTAGRAM
PAGE_ID = MAIN_PAGE
ACCOUNT_NAME = "Maison Tilila"


@dataclass(frozen=True, slots=True)
class Place:
    """An account that every sandbox has. page: what an Instagram account is linked to."""

    kind: str
    external_id: str
    name: str
    username: str = ""
    scoped_id: str = ""
    page: str = ""
    is_professional: bool = True


PLACES = (
    Place("messenger", MAIN_PAGE, ACCOUNT_NAME),
    Place("messenger", OUTLET_PAGE, "Tilila Outlet"),
    Place("messenger", LONE_PAGE, "Tilila Atelier"),
    Place(
        "instagram",
        MAIN_INSTAGRAM,
        ACCOUNT_NAME,
        "maison.tilila",
        "26010000000000001",
        MAIN_PAGE,
    ),
    Place(
        "instagram",
        OUTLET_INSTAGRAM,
        "Tilila Outlet",
        "tilila.outlet",
        "26010000000000002",
        OUTLET_PAGE,
    ),
    Place(
        "instagram",
        PERSONAL,
        "Zineb Amrani",
        "zineb.amrani",
        "26010000000000003",
        is_professional=False,
    ),
)


@dataclass(frozen=True, slots=True)
class Persona:
    """A pretend customer whom every sandbox has. feed_id: who they are in comments on the Page."""

    account: str
    external_id: str
    name: str
    username: str
    # In English; pages translate it.
    note: str
    feed_id: str = ""


PERSONAS = (
    Persona(
        MAIN_INSTAGRAM,
        "6612000000000001",
        "Lina Bennani",
        "lina.example",
        _("has written before"),
    ),
    Persona(
        MAIN_INSTAGRAM,
        "6612000000000002",
        "Marc Lefèvre",
        "marc.example",
        _("new customer, French"),
    ),
    Persona(
        MAIN_INSTAGRAM,
        "6612000000000003",
        "فاطمة الزهراء",
        "fatima.example",
        _("writes in Arabic"),
    ),
    Persona(
        MAIN_PAGE,
        "7701000000000001",
        "Salma El Idrissi",
        "",
        _("has written before"),
    ),
    Persona(
        MAIN_PAGE,
        "7701000000000002",
        "Thomas Girard",
        "",
        _("new customer, French"),
        feed_id="9902000000000002",
    ),
    Persona(MAIN_PAGE, "7701000000000003", "يوسف العلوي", "", _("writes in Arabic")),
    Persona(
        OUTLET_INSTAGRAM,
        "6613000000000001",
        "Lina Bennani",
        "lina.example",
        _("knows the main account too, under another id"),
    ),
    Persona(
        OUTLET_PAGE,
        "7702000000000002",
        "Thomas Girard",
        "",
        _("knows the main account too, under another id"),
        feed_id="9903000000000002",
    ),
)

# (name, language, status, body, reason)
TEMPLATES = (
    (
        "order_shipped",
        "en",
        "APPROVED",
        "Hello {{1}}, your order {{2}} is on its way.",
        "",
    ),
    (
        "order_shipped",
        "fr",
        "APPROVED",
        "Bonjour {{1}}, votre commande {{2}} est en route.",
        "",
    ),
    ("order_shipped", "ar", "APPROVED", "مرحبا {{1}}، طلبك {{2}} في الطريق.", ""),
    (
        "appointment_reminder",
        "en",
        "PENDING",
        "Your appointment is on {{1}} at {{2}}.",
        "",
    ),
    (
        "win_back",
        "en",
        "REJECTED",
        "We miss you! Everything is 20% off today.",
        "PROMOTIONAL",
    ),
)


# --- Meta's side -----------------------------------------------------------------------------------


@transaction.atomic
def create_world() -> None:
    """Meta's side of it all: accounts, people, templates. Asked again it is the same."""
    for place in PLACES:
        page = SandboxAccount.objects.filter(
            kind="messenger", external_id=place.page
        ).first()
        SandboxAccount.objects.get_or_create(
            kind=place.kind,
            external_id=place.external_id,
            defaults={"name": place.name, "username": place.username},
        )
        SandboxAccount.objects.filter(
            kind=place.kind, external_id=place.external_id
        ).update(
            page=page,
            scoped_id=place.scoped_id,
            is_professional=place.is_professional,
        )
    known = {account.external_id: account for account in SandboxAccount.objects.all()}
    for persona in PERSONAS:
        SandboxPerson.objects.get_or_create(
            account=known[persona.account],
            external_id=persona.external_id,
            defaults={
                "name": persona.name,
                "username": persona.username,
                "note": persona.note,
                "feed_id": persona.feed_id,
            },
        )
    for page_id in (MAIN_PAGE, OUTLET_PAGE):
        _create_templates(known[page_id])


def _create_templates(page: SandboxAccount) -> None:
    for number, (name, language, status, body, reason) in enumerate(TEMPLATES):
        SandboxTemplate.objects.get_or_create(
            account=page,
            name=name,
            language=language,
            defaults={
                "external_id": f"{page.external_id}{number:04d}",
                "status": status,
                "reason": reason,
                "components": [{"type": "BODY", "text": body}],
            },
        )


def create_person(*, account: SandboxAccount, name: str) -> SandboxPerson:
    """A new pretend customer, who has not written yet and whom the account does not know."""
    return SandboxPerson.objects.create(
        account=account,
        external_id=_make_number(),
        feed_id="" if account.is_instagram else _make_number(),
        name=name,
        username=f"pretend.{secrets.token_hex(3)}" if account.is_instagram else "",
        is_follower=False,
    )


def _make_number() -> str:
    return str(secrets.randbelow(9 * 10**15) + 10**15)


@transaction.atomic
def forget_world() -> None:
    """Meta's side as it never was: with it go all its people, calls and faults."""
    SandboxToken.objects.all().delete()
    SandboxAccount.objects.all().delete()


# --- both sides ------------------------------------------------------------------------------------


@transaction.atomic
def create_accounts() -> tuple[Channel, Channel]:
    """The Instagram and the Messenger account, connected, with their people.

    Asked again they are the same; their Graph address follows the port we run on.
    """
    create_world()
    instagram = _connect(
        get_account("instagram", INSTAGRAM_ID), Credential.Flavour.INSTAGRAM_LOGIN
    )
    messenger = _connect(
        get_account("messenger", PAGE_ID), Credential.Flavour.FACEBOOK_LOGIN
    )
    return instagram, messenger


def get_account(kind: str, external_id: str) -> SandboxAccount:
    """Raises SandboxAccount.DoesNotExist."""
    return SandboxAccount.objects.select_related("page").get(
        kind=kind, external_id=external_id
    )


def account_of(channel: Channel) -> SandboxAccount | None:
    """Meta's side of one of Dexra's channels; None if that is not one of ours."""
    accounts = SandboxAccount.objects.select_related("page")
    return accounts.filter(kind=channel.kind, external_id=channel.external_id).first()


def _connect(account: SandboxAccount, flavour: Credential.Flavour) -> Channel:
    """What a walk through the login leaves behind, on both sides."""
    channel, _created = Channel.objects.get_or_create(
        kind=account.kind,
        external_id=account.external_id,
        defaults={
            "name": account.name,
            "username": account.username,
            "features": ["human_agent"],
            "is_sandbox": True,
        },
    )
    base_url = graph_base_url(flavour)
    found = Credential.objects.filter(channel=channel).first()
    if found is None:
        _grant(channel, account, flavour, base_url)
    elif found.graph_base_url != base_url and found.flavour == flavour:
        Credential.objects.filter(pk=found.pk).update(graph_base_url=base_url)
    if found is None:
        subscriptions.subscribe(account, by=flavour)
    return channel


def _grant(
    channel: Channel,
    account: SandboxAccount,
    flavour: str,
    base_url: str,
) -> None:
    is_instagram_login = flavour == Credential.Flavour.INSTAGRAM_LOGIN
    Credential.objects.create(
        channel=channel,
        flavour=flavour,
        node_id=account.external_id,
        access_token=_issue(account, flavour),
        graph_base_url=base_url,
        scopes=list(INSTAGRAM_SCOPES if is_instagram_login else FACEBOOK_SCOPES),
        tasks=[] if is_instagram_login else ["MESSAGING", "MODERATE"],
        token_issued_at=now(),
        token_expires_at=now() + tokens.LONG_LASTS if is_instagram_login else None,
    )


def _issue(account: SandboxAccount, flavour: str) -> str:
    """A token of the kind and life that this login ends with."""
    if flavour == Credential.Flavour.INSTAGRAM_LOGIN:
        return tokens.issue(
            SandboxToken.Kind.INSTAGRAM,
            account=account,
            user_id=account.scoped_id,
            scopes=INSTAGRAM_SCOPES,
            lasts=tokens.LONG_LASTS,
        )
    page = account.page if account.is_instagram else account
    return tokens.issue(SandboxToken.Kind.PAGE, account=page, scopes=FACEBOOK_SCOPES)


def _subscribe(account: SandboxAccount, flavour: str) -> None:
    """An Instagram account that is connected through its Page is subscribed to there."""
    by_page = flavour == Credential.Flavour.FACEBOOK_LOGIN and account.page
    subscriptions.subscribe(by_page or account, by=flavour)


def graph_base_url(flavour: str) -> str:
    is_instagram = flavour in {Credential.Flavour.INSTAGRAM_LOGIN, "instagram"}
    host = "instagram" if is_instagram else "facebook"
    return f"http://127.0.0.1:{settings.PORT}/sandbox/graph/{host}"


def disconnect(channel: Channel, subcode: int = 463) -> None:
    """The platform lets the token die by this subcode of 190: Dexra learns it with its next call."""
    tokens.kill(get_account(channel.kind, channel.external_id), subcode)


@transaction.atomic
def reconnect(channel: Channel) -> None:
    """A new token on both sides, as an admin gets by connecting again."""
    account = get_account(channel.kind, channel.external_id)
    credential = channel.meta
    credential.access_token = _issue(account, credential.flavour)
    credential.token_issued_at = now()
    is_instagram_login = credential.flavour == Credential.Flavour.INSTAGRAM_LOGIN
    credential.token_expires_at = (
        now() + tokens.LONG_LASTS if is_instagram_login else None
    )
    credential.save()
    if not account.is_subscribed:
        _subscribe(account, credential.flavour)
    Channel.objects.filter(pk=channel.pk).update(
        status=Channel.Status.ACTIVE,
        status_reason="",
        blocked_until=None,
        last_error="",
        last_error_code="",
        last_error_at=None,
    )
    details = {"status": Channel.Status.ACTIVE.value, "reason": ""}
    emit(
        [
            Event(
                EventName.CHANNEL_STATUS,
                channel_id=channel.pk,
                occurred_at=now(),
                details=details,
            )
        ]
    )
    live.publish_after_commit([live.Change("channel", channel.pk)])


def is_connected(channel: Channel) -> bool:
    account = account_of(channel)
    is_active = channel.status == Channel.Status.ACTIVE
    return is_active and account is not None and tokens.is_alive(account)
