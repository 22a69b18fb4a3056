"""What happens around a conversation: arrivals, opt-ins, feedback, who holds the thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from channels_meta.assumptions import assume
from channels_meta.payloads.apps import holder_of, our_apps
from channels_meta.payloads.reading import Context
from channels_meta.payloads.values import (
    as_dict,
    as_list,
    made_id,
    read_id,
    read_quoted,
    read_text,
    shorten,
)
from inbox.inbound import ANOTHER_APP, Act, Alert, Item

# (label for the journal, what to store)
Read = tuple[str, Item | None]


def person_of(context: Context, sender: str, recipient: str) -> str:
    """The customer: whichever side is not our account."""
    if sender and sender != context.account:
        return sender
    return recipient if recipient != context.account else sender


def read_referral(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def ad_window(referral: Mapping[str, Any]) -> timedelta | None:
    """How long the window may last that a message opens after a click on an ad (trap 14)."""
    if read_text(referral.get("source")).upper() != "ADS":
        return None
    return timedelta(days=assume("AD_WINDOW_DAYS"))


def read_act(
    context: Context,
    raw: Mapping[str, Any],
    sender: str,
    recipient: str,
    name: str,
    value: Any,
    details: Mapping[str, Any],
    **facts: Any,
) -> Act | None:
    """A line in the thread; None where it names no person (it stays in the journal).

    value: what came, by which repeats are known. details: what of it is kept.
    """
    person = person_of(context, sender, recipient)
    if not person or person == context.account:
        return None
    moment = context.moment(raw.get("timestamp"))
    return Act(
        person_id=person,
        external_id=made_id(name, person, moment, value),
        at=moment,
        name=name,
        details=details,
        **facts,
    )


def parse_referral(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> Read:
    referral = read_referral(raw["referral"])
    details = dict(referral)
    if isinstance(raw.get("lead"), Mapping):
        details["lead"] = raw["lead"]
    window = ad_window(referral)
    act = read_act(
        context, raw, sender, recipient, "referral", details, details,
        # A link into the thread reopens the window; an ad does so with the first message only.
        opens_window="" if window else "referral",
        opens_conversation=True,
        referral=details,
        probable_window=window,
    )  # fmt: skip
    return "referral", act


def parse_optin(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> Read:
    """The tokens that come along are keys to the person's phone: we have no use for them."""
    optin = raw["optin"]
    status = optin.get("notification_messages_status") or optin.get("user_token_status")
    details = {
        "kind": read_text(optin.get("type"))[:80],
        "title": read_text(optin.get("title"))[:300],
        "ref": read_text(optin.get("ref"))[:2083],
        "status": read_text(status)[:80],
    }
    act = read_act(
        context, raw, sender, recipient, "optin", optin, details,
        # The plugins open the window; agreeing to notifications does not.
        opens_window="" if optin.get("type") else "optin",
        opens_conversation=True,
    )  # fmt: skip
    return "optin", act


def parse_policy(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> Read:
    """Meta speaks to the account's owner; there is no person in it."""
    value = raw.get("policy_enforcement") or raw.get("policy-enforcement")
    policy = as_dict(value)
    action = read_text(policy.get("action")).lower() or "warning"
    reason = read_text(policy.get("reason")).strip()
    sentence = str(_POLICY.get(action, _POLICY["warning"]))
    return "policy_enforcement", Alert(
        code=f"policy_{action}"[:40],
        detail=f"{sentence} {reason}".strip()[:300],
        at=context.moment(raw.get("timestamp")),
        is_over=action == "unblock",
    )


_POLICY = {
    "warning": _("Meta warns that this account breaks its messaging policy."),
    "block": _("Meta has blocked this account from sending messages."),
    "unblock": _("Meta has lifted its block: this account may send again."),
}


def parse_control(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str, key: str
) -> Read:
    """A thread was passed, taken or asked for (conversation routing)."""
    value = raw.get(key)
    told = as_dict(value)
    details: dict[str, Any] = {"metadata": read_text(told.get("metadata"))[:1000]}
    holder: str | None = None
    if key == "request_thread_control":
        details["by"] = holder_of(
            told.get("requested_owner_app_id"), unknown=ANOTHER_APP
        )
    else:
        # Whoever lost the thread is told that it was taken, not always by whom.
        nobody = ANOTHER_APP if key == "take_thread_control" else ""
        holder = holder_of(told.get("new_owner_app_id"), unknown=nobody)
        details["to"] = holder
        details["to_us"] = read_id(told.get("new_owner_app_id")) in our_apps()
        details["from"] = holder_of(told.get("previous_owner_app_id"))
    act = read_act(context, raw, sender, recipient, key, value, details, holder=holder)
    return key, act


def parse_feedback(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str, key: str
) -> Read:
    """Thumbs under an answer, or a filled-in survey."""
    value = raw.get(key)
    told = as_dict(value)
    details: dict[str, Any] = {"answers": _answers(told)}
    if told.get("feedback"):
        details["feedback"] = read_text(told["feedback"])[:300]
    if mid := read_quoted(told.get("mid")):
        details["mid"] = mid
    return key, read_act(context, raw, sender, recipient, key, value, details)


def _answers(feedback: Mapping[str, Any]) -> list[dict[str, str]]:
    """`feedback_screens[].questions{}` of a survey: [{payload, follow_up}]."""
    answers = []
    for screen in as_list(feedback.get("feedback_screens")):
        for question in as_dict(as_dict(screen).get("questions")).values():
            answer = as_dict(question)
            follow_up = as_dict(answer.get("follow_up"))
            answers.append(
                {
                    "payload": read_text(answer.get("payload"))[:300],
                    "follow_up": read_text(follow_up.get("payload"))[:1000],
                }
            )
    return answers


def parse_linking(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str, key: str
) -> Read:
    """The authorization code that comes along is a secret of the website's: not kept."""
    value = raw.get(key)
    details = {"status": read_text(as_dict(value).get("status"))[:40]}
    return key, read_act(context, raw, sender, recipient, key, value, details)


def parse_other(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str, key: str
) -> Read:
    value = raw.get(key)
    details = dict(value) if isinstance(value, Mapping) else {"value": value}
    return key, read_act(context, raw, sender, recipient, key, value, details)


QuietParser = Callable[[Context, Mapping[str, Any], str, str, str], Read]

# A line in the conversation if there is one; the journal has them in any case.
QUIET: dict[str, QuietParser] = {
    "pass_thread_control": parse_control,
    "take_thread_control": parse_control,
    "request_thread_control": parse_control,
    "account_linking": parse_linking,
    "response_feedback": parse_feedback,
    "messaging_feedback": parse_feedback,
    "app_roles": parse_other,
    "game_play": parse_other,
    "message_request": parse_other,
}


def parse_unknown(
    context: Context, raw: Mapping[str, Any], sender: str, recipient: str
) -> Read:
    """A kind of event that Meta had not invented when this was written."""
    known = {"sender", "recipient", "timestamp"}
    name = shorten(next((key for key in raw if key not in known), "nothing"))
    return name, read_act(context, raw, sender, recipient, name, dict(raw), dict(raw))


def holder_by_channel(context: Context) -> str:
    """Who holds the thread of a customer's message: what stands by sees what others answer."""
    return ANOTHER_APP if context.standby else ""


def holder_by_echo(context: Context, app_id: str) -> str | None:
    """On the standby channel whoever writes holds the thread; elsewhere an echo says nothing."""
    return holder_of(app_id, unknown=ANOTHER_APP) if context.standby else None
