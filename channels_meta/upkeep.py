"""Looking after connected accounts: tokens renewed ahead of their end, subscriptions restored,
silence noticed, admins told.

A credential's `due_at` is the queue, Celery only rings. Each account is looked at by a task of
its own, so that a slow or broken one delays nobody.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from celery import shared_task
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _

from channels_meta import subscriptions, tokens
from channels_meta.arrivals import silence_of
from channels_meta.assumptions import assume
from channels_meta.errors import RECONNECT
from channels_meta.incidents import close_incidents, close_refusals, open_incident
from channels_meta.models import Credential, Incident, LoginAttempt, RawEvent
from channels_meta.processing import replay
from channels_meta.scopes import FACEBOOK, INSTAGRAM
from inbox.bell import ring
from inbox.channels import ErrorClass, Scope, SendError
from inbox.delivery import pause_channel, stop_channel
from inbox.history import start_import
from inbox.mails import readers_with, write_to
from inbox.models import Channel, Import

logger = logging.getLogger(__name__)

# A stopped account is looked at again once somebody has reconnected it.
LOOKED_AFTER = (Channel.Status.ACTIVE, Channel.Status.PAUSED)
# Accounts that one ring looks for.
MAX_RINGS = 200
LEASE = timedelta(minutes=5)
EVERY = timedelta(hours=1)
TOKEN_CHECK_EVERY = timedelta(days=1)
# A token that ends within this time although we try to renew it is an incident.
EXPIRES_SOON = timedelta(days=10)

MAIL_ATTEMPTS = 8
MAX_MAILS = 50
# Tokens of logins that nobody finished do not lie about.
LOGINS_KEPT_FOR = timedelta(days=1)
LOGIN_TOKEN_KEPT_FOR = timedelta(hours=1)
# Journal rows that one step looks through for what came before an account was known.
REPLAY_ROWS = 500


@shared_task(name="channels_meta.upkeep.ring_due")
def ring_due() -> None:
    """Ring for every account whose turn has come."""
    due = Credential.objects.filter(due_at__lte=now(), channel__status__in=LOOKED_AFTER)
    for credential_id in due.order_by("due_at").values_list("pk", flat=True)[
        :MAX_RINGS
    ]:
        ring(look_after, credential_id)


@shared_task(name="channels_meta.upkeep.look_after")
def look_after(credential_id: int) -> None:
    """Look at one account. Ringing it twice does it once."""
    credential = _claim(credential_id)
    if credential is None:
        return
    for step in (refresh_token, check_token, restore_subscription):
        try:
            step(credential)
        except (SendError, InvalidToken) as problem:
            error = problem if isinstance(problem, SendError) else _unreadable()
            take_refusal(credential.channel, error)
            if error.error_class in _ENDS_THE_ROUND:
                break
    channel = credential.channel
    channel.refresh_from_db()
    if channel.status in LOOKED_AFTER:  # of one that has stopped everything is said
        watch_expiry(credential)
        watch_silence(channel)
    close_refusals(channel)
    Credential.objects.filter(pk=credential_id).update(due_at=now() + EVERY)


def _unreadable() -> SendError:
    """The encryption keys have changed: for the account that is as good as no token."""
    detail = _("The stored token cannot be read with the present encryption keys.")
    return SendError(ErrorClass.RECONNECT, detail, code="token_unreadable")


# Further calls would be refused too, or make it worse.
_ENDS_THE_ROUND = {ErrorClass.RECONNECT, ErrorClass.THROTTLED, ErrorClass.NOT_TAKEN}
# What an admin has to know although replies may still go.
_SHOWN = {ErrorClass.PERMISSION, ErrorClass.POLICY}


@transaction.atomic
def _claim(credential_id: int) -> Credential | None:
    """Leased: if this worker dies, the account's turn comes again."""
    moment = now()
    claimed = Credential.objects.filter(
        pk=credential_id, due_at__lte=moment, channel__status__in=LOOKED_AFTER
    ).update(due_at=moment + LEASE)
    if not claimed:
        return None
    credentials = Credential.objects.select_related("channel").defer("access_token")
    return credentials.get(pk=credential_id)


def take_refusal(channel: Channel, error: SendError) -> None:
    """What a refused call means for the account, as if a reply had been refused."""
    with transaction.atomic():
        if error.error_class is ErrorClass.RECONNECT:
            stop_channel(channel.pk, error)
        elif error.error_class is ErrorClass.THROTTLED:
            # Where our own pace sends us away, the account is well.
            if error.scope is Scope.CHANNEL:
                pause_channel(channel.pk, error)
        elif error.error_class in _SHOWN:
            Channel.objects.filter(pk=channel.pk).update(
                last_error=str(error.detail)[:300],
                last_error_code=error.code[:40],
                last_error_at=now(),
            )
    logger.info("upkeep.refused channel=%s code=%s", channel.pk, error.code)


# --- the token -----------------------------------------------------------------------------------


def refresh_token(credential: Credential) -> bool:
    """Renew an Instagram token that is a week old. Returns whether it was. Raises SendError."""
    if credential.flavour != INSTAGRAM or not _is_to_be_refreshed(credential):
        return False
    token, expires_at = tokens.refresh(credential)
    credential.access_token = token
    credential.token_issued_at = now()
    credential.token_expires_at = expires_at
    # Whoever reconnected in the meantime has a newer one.
    Credential.objects.filter(
        pk=credential.pk, updated_at=credential.updated_at
    ).update(
        access_token=token,
        token_issued_at=credential.token_issued_at,
        token_expires_at=expires_at,
    )
    return True


def _is_to_be_refreshed(credential: Credential) -> bool:
    issued_at, expires_at = credential.token_issued_at, credential.token_expires_at
    moment = now()
    if expires_at is not None and expires_at <= moment:
        return False
    if issued_at is None:
        return expires_at is not None
    age = moment - issued_at
    if age < tokens.REFRESHABLE_AFTER:
        return False
    is_ending = expires_at is not None and expires_at - moment < EXPIRES_SOON
    is_old = age >= timedelta(days=assume("INSTAGRAM_REFRESH_DAYS"))
    return is_old or is_ending


def check_token(
    credential: Credential, *, always: bool = False
) -> tokens.TokenFacts | None:
    """Once a day, what Meta says of a token of Facebook Login. Raises SendError: RECONNECT for a
    dead one. None where nobody can be asked, or was asked lately."""
    checked_at = credential.token_checked_at
    is_fresh = checked_at is not None and checked_at > now() - TOKEN_CHECK_EVERY
    if is_fresh and not always:
        return None
    if credential.flavour != FACEBOOK or not tokens.app_of(FACEBOOK).is_known:
        return None
    facts = tokens.inspect(credential.access_token, base_url=credential.graph_base_url)
    Credential.objects.filter(pk=credential.pk).update(
        token_checked_at=now(),
        token_expires_at=facts.expires_at,
        data_access_expires_at=facts.data_access_expires_at,
        scopes=list(facts.scopes) or credential.scopes,
    )
    credential.refresh_from_db()
    if not facts.is_valid:
        code = facts.error_code or "190"
        raise SendError(ErrorClass.RECONNECT, RECONNECT, code=code)
    return facts


def watch_expiry(credential: Credential) -> None:
    """An incident where a token ends soon and nothing of ours could renew it."""
    ends = [
        moment
        for moment in (credential.token_expires_at, credential.data_access_expires_at)
        if moment is not None
    ]
    ends_at = min(ends, default=None)
    if ends_at is None or ends_at - now() > EXPIRES_SOON:
        close_incidents(credential.channel_id, [Incident.Kind.EXPIRING])
        return
    day = ends_at.date().isoformat()
    reason = _("Meta's permission for this account ends on %(day)s.") % {"day": day}
    open_incident(credential.channel_id, Incident.Kind.EXPIRING, reason)


# --- the subscription ----------------------------------------------------------------------------


def restore_subscription(credential: Credential) -> subscriptions.Subscription:
    """Ask what Meta reports; where something has vanished, subscribe again. Raises SendError.

    An hour of failed deliveries ends a subscription, without a word.
    """
    before = credential.subscribed_fields
    found = subscriptions.check(credential)
    if (
        credential.flavour == INSTAGRAM
    ):  # the call itself has shown that the token works
        Credential.objects.filter(pk=credential.pk).update(token_checked_at=now())
    vanished = subscriptions.missing_fields(before, found.fields or ())
    if found.lacks_needed or vanished:
        logger.warning(
            "upkeep.unsubscribed channel=%s vanished=%s",
            credential.channel_id,
            ",".join(vanished),
        )
        found = subscriptions.subscribe(credential)
        if not found.lacks_needed:  # what was said in between was never reported
            start_import(credential.channel, Import.Reason.OUTAGE)
    if found.lacks_needed:
        reason = _("Meta does not report new messages of this account to Dexra.")
        open_incident(credential.channel_id, Incident.Kind.UNSUBSCRIBED, reason)
    else:
        close_incidents(credential.channel_id, [Incident.Kind.UNSUBSCRIBED])
    return found


@shared_task(name="channels_meta.upkeep.replay_unrouted")
def replay_unrouted(channel_id: int, after: int = 0) -> None:
    """Process what came for an account before it was known, a stretch of the journal at a time."""
    external_id = Channel.objects.values_list("external_id", flat=True).get(
        pk=channel_id
    )
    unrouted = RawEvent.objects.filter(state=RawEvent.State.UNROUTED, pk__gt=after)
    rows = list(unrouted.order_by("pk").values_list("pk", "body")[:REPLAY_ROWS])
    needle = external_id.encode()
    found = [pk for pk, body in rows if needle in bytes(body)]
    if found:
        replay(RawEvent.objects.filter(pk__in=found))
    if len(rows) == REPLAY_ROWS:
        ring(replay_unrouted, channel_id, rows[-1][0])


# --- silence -------------------------------------------------------------------------------------


def watch_silence(channel: Channel) -> None:
    """An incident where nothing has come for much longer than ever lately."""
    silence = silence_of(channel)
    if not silence.is_unusual:
        close_incidents(channel.pk, [Incident.Kind.SILENT])
        return
    open_incident(channel.pk, Incident.Kind.SILENT, silence.sentence)


# --- telling admins ------------------------------------------------------------------------------


@shared_task(name="channels_meta.upkeep.mail_incidents")
def mail_incidents() -> None:
    """Write to the admins about what they have not been told of yet, once per incident."""
    due = Incident.objects.filter(mail_due_at__lte=now())
    for incident_id in due.order_by("mail_due_at").values_list("pk", flat=True)[
        :MAX_MAILS
    ]:
        _mail(incident_id)


def _mail(incident_id: int) -> None:
    incident = _claim_mail(incident_id)
    if incident is None:
        return
    people = readers_with("inbox.change_channel")
    if not people:
        logger.warning("upkeep.nobody_to_mail incident=%s", incident_id)
    channel = incident.channel
    path = reverse("channels_meta:channel", args=[channel.pk])
    context = {
        "incident": incident,
        "channel": channel,
        "kind": channel.adapter.label,
        "url": f"{settings.PUBLIC_URL}{path}",
    }
    told = write_to(people, "channels_meta/connect/incident.txt", context)
    if told or not people:
        Incident.objects.filter(pk=incident_id).update(
            mail_due_at=None, mailed_at=now() if told else None
        )


def _claim_mail(incident_id: int) -> Incident | None:
    """Fenced by the attempt: due again later, in case it fails; nobody else takes it meanwhile."""
    incident = (
        Incident.objects.select_related("channel")
        .filter(pk=incident_id, mail_due_at__lte=now())
        .first()
    )
    if incident is None:
        return None
    attempts = incident.mail_attempts + 1
    again_at = now() + timedelta(minutes=2**attempts)
    claimed = Incident.objects.filter(
        pk=incident_id, mail_attempts=incident.mail_attempts, closed_at=None
    ).update(
        mail_attempts=attempts,
        mail_due_at=again_at if attempts < MAIL_ATTEMPTS else None,
    )
    return incident if claimed else None


# --- tidying -------------------------------------------------------------------------------------


@shared_task(name="channels_meta.upkeep.purge_logins")
def purge_logins() -> None:
    """Forget logins that are over, and the tokens of those that nobody finished."""
    moment: datetime = now()
    LoginAttempt.objects.filter(created_at__lt=moment - LOGINS_KEPT_FOR).delete()
    LoginAttempt.objects.filter(created_at__lt=moment - LOGIN_TOKEN_KEPT_FOR).exclude(
        access_token=""
    ).update(access_token="")
