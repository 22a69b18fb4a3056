"""What Meta is asked to report of an account, whether it agreed, and how to take that back.

Sources: Messenger Platform and Instagram Platform, "Webhooks", 2026. A Page has one subscription
of ours whatever hangs on it: its own messages, and those of an Instagram account that was
connected through it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.timezone import now

from channels_meta.errors import REFUSED
from channels_meta.graph import GraphClient, is_success
from channels_meta.models import Credential
from channels_meta.scopes import INSTAGRAM
from channels_meta.tokens import app_ids
from inbox.channels import ErrorClass, SendError

# Left out on purpose: `response_feedback` puts thumbs under every message of ours, game plays,
# ratings and lead forms are nothing that a support inbox answers.
PAGE_FIELDS = (
    "messages",
    "messaging_postbacks",
    "message_echoes",
    "message_deliveries",
    "message_reads",
    "message_reactions",
    "message_edits",
    "messaging_referrals",
    "messaging_optins",
    "messaging_handovers",
    "standby",
    "messaging_policy_enforcement",
    "messaging_account_linking",
    "messaging_feedback",
    "send_cart",
    "messenger_template_status_update",
    "feed",
    "mention",
)
INSTAGRAM_FIELDS = (
    "messages",
    "messaging_postbacks",
    "message_echoes",
    "message_reactions",
    "message_edit",
    "messaging_seen",
    "messaging_referral",
    "messaging_optins",
    "messaging_handover",
    "standby",
    "comments",
    "live_comments",
)
# What the Page behind an Instagram account is subscribed to; which Instagram fields then arrive
# is ticked once for the whole app.
INSTAGRAM_PAGE_FIELDS = (
    "messages",
    "messaging_postbacks",
    "message_reactions",
    "messaging_referrals",
    "messaging_handovers",
    "standby",
    "messaging_policy_enforcement",
)
# Without these nothing that customers write would arrive.
NEEDED = frozenset({"messages", "messaging_postbacks", "feed", "comments"})


@dataclass(frozen=True, slots=True)
class Subscription:
    """Meta's word on one account. fields: what it reports; None: our app is not installed.

    wanted: what it should.
    """

    fields: tuple[str, ...] | None
    wanted: tuple[str, ...]

    @property
    def missing(self) -> list[str]:
        return missing_fields(self.wanted, self.fields or ())

    @property
    def lacks_needed(self) -> bool:
        return self.fields is None or any(field in NEEDED for field in self.missing)


def wanted_fields(credential: Credential) -> tuple[str, ...]:
    """Of everything that hangs on this node: its subscription is one."""
    kinds = set(_sharing(credential).values_list("channel__kind", flat=True))
    kinds.add(credential.channel.kind)
    names = dict.fromkeys(
        field
        for kind in sorted(kinds, reverse=True)
        for field in _fields_of(kind, credential.flavour)
    )
    return tuple(names)


def _fields_of(kind: str, flavour: str) -> Sequence[str]:
    given: Mapping[str, Sequence[str]] = settings.META_SUBSCRIBED_FIELDS
    if flavour == INSTAGRAM:
        return given["instagram"] or INSTAGRAM_FIELDS
    if kind == "instagram":
        return given["instagram_page"] or INSTAGRAM_PAGE_FIELDS
    return given["page"] or PAGE_FIELDS


def _sharing(credential: Credential) -> Any:
    """Other accounts on the same node, whose subscription is this one too."""
    same = Credential.objects.filter(
        node_id=credential.node_id, flavour=credential.flavour
    )
    return same.exclude(pk=credential.pk).defer("access_token")


def missing_fields(wanted: Iterable[str], fields: Collection[str]) -> list[str]:
    """Meta's pages spell some names in two ways: `messaging_referral` and `messaging_referrals`."""
    there = {_plain(field) for field in fields}
    return [field for field in wanted if _plain(field) not in there]


def _plain(field: str) -> str:
    name = field.removesuffix("s")
    return {"messaging_reaction": "message_reaction"}.get(name, name)


def subscribe(credential: Credential) -> Subscription:
    """Ask for all we want, then ask Meta what it has. Stores the answer. Raises SendError."""
    client = GraphClient(credential)
    _subscribe_to(client, credential, wanted_fields(credential))
    return check(credential)


def _subscribe_to(
    client: GraphClient, credential: Credential, fields: Sequence[str]
) -> None:
    """The last call decides: if names had to be left out, those that are taken go once more."""
    accepted = _accepted(client, credential, fields)
    if list(accepted) != list(fields):
        _post(client, credential, accepted)


def _accepted(
    client: GraphClient, credential: Credential, fields: Sequence[str]
) -> Sequence[str]:
    """Those that Meta takes: a name that this version does not know fails the whole call (100),
    and halving finds it."""
    try:
        _post(client, credential, fields)
    except SendError as error:
        if not _is_about_a_name(error):
            raise
        if len(fields) == 1:
            return []
        middle = len(fields) // 2
        halves = (fields[:middle], fields[middle:])
        return [f for half in halves for f in _accepted(client, credential, half)]
    return fields


def _is_about_a_name(error: SendError) -> bool:
    return error.error_class is ErrorClass.BAD_REQUEST and error.code.startswith("100")


def _post(client: GraphClient, credential: Credential, fields: Sequence[str]) -> None:
    """The numeric id, never `me`: graph.instagram.com refuses that one with a version."""
    if not fields:
        raise SendError(ErrorClass.BAD_REQUEST, REFUSED, code="no_fields")
    answer = client.post(
        f"{credential.node_id}/subscribed_apps",
        params={"subscribed_fields": ",".join(fields)},
        is_repeatable=True,
    )
    if not is_success(answer):
        raise SendError(ErrorClass.BAD_REQUEST, REFUSED, code="not_subscribed")


def check(credential: Credential) -> Subscription:
    """GET what Meta reports of this account, and store it. Raises SendError."""
    answer = GraphClient(credential).get(f"{credential.node_id}/subscribed_apps")
    subscription = Subscription(read_fields(answer), wanted_fields(credential))
    Credential.objects.filter(pk=credential.pk).update(
        subscribed_fields=list(subscription.fields or ()),
        subscription_checked_at=now(),
    )
    credential.refresh_from_db(fields=["subscribed_fields", "subscription_checked_at"])
    return subscription


def read_fields(answer: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The fields of our app in `{"data": [{"id", "subscribed_fields": [...]}]}`; None without it.

    While our id is not known (a token typed in by hand) any app counts as ours.
    """
    ours = app_ids()
    data = answer.get("data")
    for entry in data if isinstance(data, Sequence) else ():
        if not isinstance(entry, Mapping):
            continue
        if not ours or str(entry.get("id")) in ours:
            return tuple(str(field) for field in entry.get("subscribed_fields") or ())
    return None


def unsubscribe(credential: Credential) -> None:
    """Meta reports nothing of this account any more; what shares its node goes on. Raises SendError."""
    if other := _sharing(credential).select_related("channel").first():
        fields = _fields_of(other.channel.kind, other.flavour)
        _subscribe_to(GraphClient(credential), credential, fields)
        return
    GraphClient(credential).delete(f"{credential.node_id}/subscribed_apps")
