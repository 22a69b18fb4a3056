"""Which events of an account are posted: fields, who subscribed, and the end after an hour of failures."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.utils.timezone import now

from channels_meta.sandbox import clock
from channels_meta.sandbox.models import SandboxAccount

# As /{PAGE_ID}/subscribed_apps knows them (Messenger Platform, webhooks, 2026-09-11).
PAGE_FIELDS = (
    "messages",
    "message_deliveries",
    "message_echoes",
    "message_edits",
    "message_reactions",
    "message_reads",
    "messaging_account_linking",
    "messaging_feedback",
    "messaging_game_plays",
    "messaging_handovers",
    "messaging_optins",
    "messaging_policy_enforcement",
    "messaging_postbacks",
    "messaging_referrals",
    "messenger_template_status_update",
    "response_feedback",
    "send_cart",
    "standby",
    "messaging_in_thread_lead_form_submit",
    "feed",
    "mention",
    "ratings",
    "leadgen",
)
# As Instagram Login's subscribed_apps knows them (Instagram Platform, webhooks, 2026).
INSTAGRAM_FIELDS = (
    "comments",
    "live_comments",
    "messages",
    "message_echoes",
    "message_edit",
    "message_reactions",
    "messaging_handover",
    "messaging_optins",
    "messaging_postbacks",
    "messaging_referral",
    "messaging_seen",
    "standby",
)

# An hour of failures ends a subscription; after a quarter of one the developers are written to.
ALERT_AFTER = timedelta(minutes=15)
DROP_AFTER = timedelta(hours=1)

# Which field of a Page an item of `messaging` belongs to, by the key that is present.
_FIELD_OF = {
    "message": "messages",
    "message_edit": "message_edits",
    "delivery": "message_deliveries",
    "read": "message_reads",
    "reaction": "message_reactions",
    "postback": "messaging_postbacks",
    "referral": "messaging_referrals",
    "optin": "messaging_optins",
    "account_linking": "messaging_account_linking",
    "policy_enforcement": "messaging_policy_enforcement",
    "pass_thread_control": "messaging_handovers",
    "take_thread_control": "messaging_handovers",
    "request_thread_control": "messaging_handovers",
    "response_feedback": "response_feedback",
}


def fields_of(account: SandboxAccount) -> Collection[str]:
    return INSTAGRAM_FIELDS if account.is_instagram else PAGE_FIELDS


def subscribe(
    account: SandboxAccount, *, by: str, fields: Collection[str] | None = None
) -> None:
    """Begin to post; a count of failures begins anew. fields: all that there are, if not said."""
    chosen = sorted(fields_of(account) if fields is None else fields)
    account.subscribed_fields = chosen
    account.subscribed_by = by
    account.failing_since = account.alerted_at = account.dropped_at = None
    account.save(
        update_fields=[
            "subscribed_fields",
            "subscribed_by",
            "failing_since",
            "alerted_at",
            "dropped_at",
        ]
    )
    # From now on a linked account that is subscribed to by nobody else is covered.
    account.linked.filter(subscribed_fields=[]).update(
        subscribed_by="", failing_since=None, alerted_at=None, dropped_at=None
    )


def unsubscribe(account: SandboxAccount) -> None:
    """Whose subscription it was stays known: another login's app does not step in by itself."""
    account.subscribed_fields = []
    account.save(update_fields=["subscribed_fields"])


def hears_of(account: SandboxAccount, field: str) -> bool:
    """Whether a body with this field is posted at all.

    Instagram does not honour what an account selects: it gets whatever the app selected.
    """
    source = account.subscription
    if source is None:
        return False
    return account.is_instagram or field in source.subscribed_fields


def field_of(item: dict[str, object]) -> str:
    """The Page field of one item of `messaging`."""
    message = item.get("message")
    if isinstance(message, dict) and message.get("is_echo"):
        return "message_echoes"
    return next((field for key, field in _FIELD_OF.items() if key in item), "messages")


def note_success(account: SandboxAccount) -> None:
    if account.failing_since is None:
        return
    SandboxAccount.objects.filter(pk=account.pk).update(
        failing_since=None, alerted_at=None
    )
    account.failing_since = account.alerted_at = None


def note_failure(account: SandboxAccount) -> bool:
    """Dexra has not taken an event. Returns whether that ended the subscription."""
    source = account.subscription
    account.refresh_from_db(fields=["failing_since", "alerted_at"])
    if account.failing_since is None:
        account.failing_since = now()
    span = clock.age_of(account.failing_since)
    if span >= ALERT_AFTER and account.alerted_at is None:
        account.alerted_at = now()
    if span >= DROP_AFTER and source is not None:
        account.dropped_at = now()
        account.notices.all().delete()
        unsubscribe(source)
    account.save(update_fields=["failing_since", "alerted_at", "dropped_at"])
    return account.dropped_at is not None
