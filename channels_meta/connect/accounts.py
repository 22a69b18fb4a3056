"""An account becomes a channel, is renewed or moved in place, or let go. Its history stays."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from channels_meta import subscriptions
from channels_meta.connect.discovery import Offer, page_token
from channels_meta.connect.problems import problem_of
from channels_meta.hosts import login_hosts
from channels_meta.incidents import close_incidents
from channels_meta.models import Credential
from channels_meta.scopes import INSTAGRAM
from channels_meta.upkeep import replay_unrouted
from inbox import live
from inbox.bell import ring_after_commit
from inbox.channels import SendError
from inbox.delivery import ring_due
from inbox.events import Event, EventName, emit
from inbox.history import start_import
from inbox.models import Agent, Channel, Import
from inbox.templates import sync as sync_templates

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """What an account is connected with. token: of the person (Facebook) or of the account."""

    flavour: str
    token: str
    user_id: str = ""
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    data_access_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """What became of one account. problem: a key of PROBLEMS; "" if all is well."""

    channel: Channel | None
    problem: str = ""
    error_code: str = ""


def known_channel(offer: Offer) -> Channel | None:
    """One external account is one channel, by whichever login it comes."""
    channels = Channel.objects.select_related("meta").defer("meta__access_token")
    return channels.filter(kind=offer.kind, external_id=offer.external_id).first()


def moves(credential: Credential | None, offer: Offer, flavour: str) -> bool:
    """Whether the account would be spoken for in another way than now: by the other login, or
    through another Page."""
    if credential is None:
        return False
    return credential.flavour != flavour or credential.node_id != offer.node_id


# --- connect -------------------------------------------------------------------------------------


def connect_account(
    offer: Offer, login: Login, *, features: Sequence[str] = ()
) -> Connected:
    """Store the account with its token, have it reported, take in what came before.

    A known one keeps its row and its history; what spoke for it before is let go.
    """
    try:
        token = _own_token(offer, login)
    except SendError as error:
        return Connected(None, problem_of(error), error.code)
    if not token:
        return Connected(None, "no_token")
    before, channel = _store(offer, login, token, features)
    if before is not None:
        _let_go(before)
    replay_unrouted(channel.pk)
    try:
        subscriptions.subscribe(channel.meta)
    except SendError as error:
        logger.warning(
            "connect.not_subscribed channel=%s code=%s", channel.pk, error.code
        )
        return Connected(channel, "not_subscribed", error.code)
    return Connected(channel)


def _own_token(offer: Offer, login: Login) -> str:
    """Pages, and Instagram accounts behind them, are spoken for with the Page's own token."""
    if login.flavour == INSTAGRAM or offer.has_own_token:
        return login.token
    return page_token(login.token, offer.node_id)


@transaction.atomic
def _store(
    offer: Offer, login: Login, token: str, features: Sequence[str]
) -> tuple[Credential | None, Channel]:
    """The credential that spoke for the account in another way until now, and the channel."""
    channel, is_new = Channel.objects.select_for_update().get_or_create(
        kind=offer.kind,
        external_id=offer.external_id,
        defaults={
            "name": offer.name[:200],
            "is_sandbox": settings.SANDBOX,
        },
    )
    credential = (
        Credential.objects.defer("access_token").filter(channel=channel).first()
    )
    is_move = moves(credential, offer, login.flavour)
    before = _readable(credential) if is_move and credential else None
    channel.username = offer.username[:100]
    channel.status = Channel.Status.ACTIVE
    channel.status_reason = ""
    channel.blocked_until = None
    channel.last_error = channel.last_error_code = ""
    channel.last_error_at = None
    channel.is_retired = False
    channel.features = sorted({*channel.features, *features})
    channel.save()
    credential = credential or Credential(channel=channel)
    for name, value in _credential_fields(offer, login, token).items():
        setattr(credential, name, value)
    credential.save()
    channel.meta = credential
    close_incidents(channel.pk)
    _tell(channel, "connected" if is_new else "moved" if is_move else "reconnected")
    start_import(channel, Import.Reason.CONNECTED)
    ring_after_commit(ring_due)
    ring_after_commit(sync_templates, channel.pk)
    return before, channel


def _readable(credential: Credential) -> Credential | None:
    """As it is now, with its token: to be let go once another has taken its place."""
    try:
        return Credential.objects.select_related("channel").get(pk=credential.pk)
    except InvalidToken:
        return None


def _credential_fields(offer: Offer, login: Login, token: str) -> dict[str, object]:
    hosts = login_hosts()
    is_instagram = login.flavour == INSTAGRAM
    graph = hosts.instagram_graph if is_instagram else hosts.facebook_graph
    return {
        "flavour": login.flavour,
        "node_id": offer.node_id,
        "access_token": token,
        "user_id": login.user_id[:100],
        "scopes": list(login.scopes),
        "tasks": offer.tasks,
        "subscribed_fields": [],
        "subscription_checked_at": None,
        "graph_base_url": graph if settings.SANDBOX else "",
        "token_issued_at": now(),
        # A Page's token does not end by time; the person's, by which it was got, does.
        "token_expires_at": login.expires_at if is_instagram else None,
        "token_checked_at": None,
        "data_access_expires_at": login.data_access_expires_at,
        "due_at": now(),
    }


def _tell(channel: Channel, reason: str) -> None:
    details = {"status": channel.status, "reason": reason}
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


def _let_go(credential: Credential) -> None:
    """Meta stops reporting by the old way; if it cannot be told any more, that way is dead."""
    try:
        subscriptions.unsubscribe(credential)
    except (SendError, InvalidToken) as error:
        reason = error.code if isinstance(error, SendError) else "token_unreadable"
        logger.info(
            "connect.not_let_go channel=%s code=%s", credential.channel_id, reason
        )


def revive(channel: Channel) -> None:
    """An account that had stopped has proved to work: its replies go out again."""
    with transaction.atomic():
        back = Channel.objects.filter(
            pk=channel.pk, status=Channel.Status.NEEDS_REAUTH
        ).update(
            status=Channel.Status.ACTIVE,
            status_reason="",
            last_error="",
            last_error_code="",
            last_error_at=None,
        )
        if back:
            channel.refresh_from_db()
            _tell(channel, "works_again")
            ring_after_commit(ring_due)


# --- let go --------------------------------------------------------------------------------------


def disconnect_account(channel: Channel, *, by: Agent) -> None:
    """Meta reports nothing any more, the token is deleted; conversations and history stay."""
    credential = (
        Credential.objects.defer("access_token").filter(channel=channel).first()
    )
    if credential is not None:
        credential.channel = channel
        _let_go(credential)
    with transaction.atomic():
        Credential.objects.filter(channel=channel).delete()
        close_incidents(channel.pk)
        channel.status = Channel.Status.DISCONNECTED
        channel.status_reason = _("Disconnected by %(agent)s.") % {"agent": by.name}
        channel.blocked_until = None
        channel.is_retired = True
        channel.save(
            update_fields=["status", "status_reason", "blocked_until", "is_retired"]
        )
        _tell(channel, "disconnected")
