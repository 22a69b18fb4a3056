"""The self-test of an account: each thing that has to be right, tried at Meta one after the other.

The page and `manage.py check_channel` show the same steps.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_meta import subscriptions, tokens
from channels_meta.connect.accounts import revive
from channels_meta.connect.discovery import read_newest
from channels_meta.connect.problems import PROBLEMS, problem_of
from channels_meta.graph import GraphClient
from channels_meta.health import (
    Finding,
    Level,
    look_at_arrivals,
    look_at_queue,
    scopes_finding,
    subscription_finding,
)
from channels_meta.models import Credential
from channels_meta.scopes import FACEBOOK, INSTAGRAM
from channels_meta.upkeep import check_token, take_refusal
from inbox.channels import ErrorClass, SendError
from inbox.models import Channel

logger = logging.getLogger(__name__)

# Seconds for our own address to answer.
OWN_TIMEOUT = 5


@dataclass(slots=True)
class Patient:
    """The account under test. is_dead: its token was refused, and nothing more can be asked."""

    channel: Channel
    credential: Credential
    is_dead: bool = False


def run_checks(channel: Channel) -> Iterator[Finding]:
    """Step by step, as they happen. An account that had stopped and proves well works again."""
    yield from check_app(channel)
    yield check_address()
    try:
        credential = Credential.objects.select_related("channel").get(channel=channel)
    except Credential.DoesNotExist:
        says = _("Dexra holds no token for this account.")
        advice = _("Connect it again.")
        yield Finding(TOKEN, Level.BAD, says, advice, step="reconnect")
        return
    except InvalidToken:
        says = _("The stored token cannot be read with the present encryption keys.")
        advice = _("Give Dexra its former FIELD_ENCRYPTION_KEYS back, or reconnect it.")
        yield Finding(TOKEN, Level.BAD, says, advice, step="reconnect")
        return
    patient = Patient(channel, credential)
    found = []
    for step in STEPS:
        finding = _attempt(step, patient)
        found.append(finding)
        yield finding
    if all(finding.level is not Level.BAD for finding in found):
        revive(channel)
    channel.refresh_from_db()
    yield from look_at_arrivals(channel)
    yield from look_at_queue(channel)


def _attempt(step: Step, patient: Patient) -> Finding:
    if patient.is_dead:
        return Finding(step.name, Level.UNKNOWN, _("Not tried: see above."))
    try:
        return step.run(patient)
    except SendError as error:
        logger.info("checks.refused channel=%s code=%s", patient.channel.pk, error.code)
        take_refusal(patient.channel, error)
        patient.is_dead = error.error_class is ErrorClass.RECONNECT
        return _refusal(step, error)


def _refusal(step: Step, error: SendError) -> Finding:
    problem = PROBLEMS[problem_of(error)]
    is_our_fault = error.error_class is ErrorClass.RECONNECT
    says = f"{problem.title}. {error.detail}" if is_our_fault else str(problem.title)
    return Finding(
        step.name,
        Level.BAD,
        says,
        str(problem.advice),
        code=error.code,
        step="reconnect" if is_our_fault else "",
    )


# --- our side ------------------------------------------------------------------------------------


def check_app(channel: Channel) -> Iterator[Finding]:
    """Whether Dexra knows the Meta app; without the secret nothing that Meta posts is believed."""
    name = gettext_lazy("The app's settings")
    flavour = Credential.objects.filter(channel=channel).values_list("flavour").first()
    app = tokens.app_of(flavour[0] if flavour else FACEBOOK)
    if not app.secret:
        says = _(
            "Dexra does not know the app secret: it believes nothing that Meta posts."
        )
        advice = _("Set META_APP_SECRET (App Dashboard, App settings, Basic).")
        yield Finding(name, Level.BAD, says, advice)
    elif not app.id:
        says = _("Dexra does not know the app id: it cannot ask Meta about tokens.")
        advice = _("Set META_APP_ID (App Dashboard, App settings, Basic).")
        yield Finding(name, Level.WARN, says, advice)
    elif not settings.META_VERIFY_TOKEN:
        says = _("Without a verify token Meta does not accept Dexra's address.")
        advice = _("Set META_VERIFY_TOKEN, and type the same word at Meta.")
        yield Finding(name, Level.BAD, says, advice)
    else:
        yield Finding(name, Level.OK, _("App id, app secret and verify token are set."))


def check_address() -> Finding:
    """Meta's handshake, played by ourselves at the address that Meta was given."""
    name = gettext_lazy("Dexra's address")
    url = callback_url()
    if settings.PUBLIC_IS_LOCAL and not settings.SANDBOX:
        says = _("%(url)s is an address of this machine alone: Meta cannot reach it.")
        advice = _("Set PUBLIC_URL to a tunnel or a domain with HTTPS.")
        return Finding(name, Level.BAD, says % {"url": url}, advice)
    challenge = secrets.token_hex(8)
    query = {
        "hub.mode": "subscribe",
        "hub.verify_token": settings.META_VERIFY_TOKEN,
        "hub.challenge": challenge,
    }
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(
                url, params=query, timeout=OWN_TIMEOUT, allow_redirects=False
            )
    except requests.RequestException as error:
        reason = type(error).__name__
        says = _("%(url)s does not answer from here (%(reason)s).")
        advice = _(
            "Look whether the tunnel or the proxy runs, and whether its TLS is valid."
        )
        return Finding(name, Level.WARN, says % {"url": url, "reason": reason}, advice)
    if answer.status_code == 200 and answer.text == challenge:
        return Finding(
            name, Level.OK, _("%(url)s answers Meta's handshake.") % {"url": url}
        )
    says = _("%(url)s answers with %(status)d instead of Meta's handshake.")
    advice = _(
        "Look where the proxy sends this address: it has to reach Dexra unchanged."
    )
    words = {"url": url, "status": answer.status_code}
    return Finding(name, Level.BAD, says % words, advice)


def callback_url() -> str:
    return f"{settings.PUBLIC_URL}{reverse('channels_meta:webhook')}"


# --- Meta's side ---------------------------------------------------------------------------------

TOKEN = gettext_lazy("Access token")


def check_account(patient: Patient) -> Finding:
    """The token speaks for the account whose events we store."""
    name, credential = ACCOUNT, patient.credential
    account = read_account(GraphClient(credential), patient.channel, credential)
    if account == patient.channel.external_id:
        return Finding(name, Level.OK, _("Meta knows it by this token."))
    if not account and patient.channel.kind == "instagram":
        problem = PROBLEMS["link_broken"]
        return Finding(name, Level.BAD, str(problem.title), str(problem.advice))
    says = _("The token belongs to another account (%(id)s).") % {"id": account or "?"}
    advice = _("Reconnect it with a login that manages this account.")
    return Finding(name, Level.BAD, says, advice, step="reconnect")


def read_account(client: GraphClient, channel: Channel, credential: Credential) -> str:
    """The id of the account the token speaks for. Raises SendError."""
    if credential.flavour == INSTAGRAM:
        return str(client.get("me", fields="user_id,username").get("user_id") or "")
    if channel.kind != "instagram":
        return str(client.get(credential.node_id, fields="id,name").get("id") or "")
    answer = client.get(
        credential.node_id, fields="instagram_business_account{id,username}"
    )
    linked = answer.get("instagram_business_account")
    return str(linked.get("id") or "") if isinstance(linked, Mapping) else ""


def check_token_facts(patient: Patient) -> Finding:
    """debug_token of graph.facebook.com; Instagram's host has no such call."""
    credential = patient.credential
    facts = check_token(credential, always=True)
    if facts is None:
        return Finding(TOKEN, Level.OK, _("It works: the account answered."))
    if facts.expires_at is None:
        return Finding(TOKEN, Level.OK, _("Valid, and does not end by time."))
    day = facts.expires_at.date().isoformat()
    return Finding(TOKEN, Level.OK, _("Valid until %(day)s.") % {"day": day})


def check_scopes(patient: Patient) -> Finding:
    return scopes_finding(patient.channel, patient.credential)


def check_subscription(patient: Patient) -> Finding:
    """What Meta reports of this account, field by field."""
    subscriptions.check(patient.credential)
    return subscription_finding(patient.credential)


def check_app_subscription(patient: Patient) -> Finding:
    """Where Meta posts what it reports: the callback that was entered for the whole app."""
    name, app = APP_SUBSCRIPTION, tokens.app_of(FACEBOOK)
    if not app.is_known:
        return Finding(name, Level.UNKNOWN, _("Cannot be asked without the app id."))
    host = tokens.facebook_host(patient.credential)
    client = GraphClient.for_token(host, app.token, with_proof=False)
    try:
        answer = client.get(f"{app.id}/subscriptions")
    except SendError as error:
        says = _("Meta does not tell where it posts to.")
        return Finding(name, Level.UNKNOWN, says, code=error.code)
    kind = "instagram" if patient.channel.kind == "instagram" else "page"
    return _judge_callback(name, kind, answer)


def _judge_callback(name: Any, kind: str, answer: Mapping[str, Any]) -> Finding:
    """`{"data": [{"object", "callback_url", "active", "fields": [{"name"}]}]}`"""
    data = answer.get("data")
    entries = (
        [one for one in data if isinstance(one, Mapping)]
        if isinstance(data, list)
        else []
    )
    entry = next((one for one in entries if one.get("object") == kind), None)
    advice = _(
        "In the App Dashboard, Webhooks: choose the object “%(object)s”, and enter %(url)s with "
        "your verify token."
    ) % {"object": kind, "url": callback_url()}
    if entry is None:
        says = _("The app has no address for “%(object)s” at Meta.") % {"object": kind}
        return Finding(name, Level.BAD, says, advice)
    url = str(entry.get("callback_url") or "")
    if url.rstrip("/") != callback_url():
        says = _("Meta posts to another address: %(url)s.") % {"url": url or "?"}
        return Finding(name, Level.BAD, says, advice)
    fields = {
        str(field.get("name") if isinstance(field, Mapping) else field)
        for field in entry.get("fields") or ()
    }
    if fields and "messages" not in fields:
        says = _("“messages” is not ticked for the app: no message is reported.")
        return Finding(name, Level.BAD, says, advice)
    return Finding(name, Level.OK, _("Meta posts to %(url)s.") % {"url": url})


def check_reading(patient: Patient) -> Finding:
    """The newest conversation may be read: the owner allows access to messages."""
    credential = patient.credential
    read_newest(GraphClient(credential), credential.node_id, patient.channel.kind)
    return Finding(READING, Level.OK, _("Conversations can be read."))


@dataclass(frozen=True, slots=True)
class Step:
    name: Any
    run: Callable[[Patient], Finding]


ACCOUNT = gettext_lazy("The account at Meta")
READING = gettext_lazy("Reading messages")
APP_SUBSCRIPTION = gettext_lazy("Where Meta posts to")

STEPS = (
    Step(ACCOUNT, check_account),
    Step(TOKEN, check_token_facts),
    Step(gettext_lazy("Permissions"), check_scopes),
    Step(READING, check_reading),
    Step(gettext_lazy("What Meta reports"), check_subscription),
    Step(APP_SUBSCRIPTION, check_app_subscription),
)
