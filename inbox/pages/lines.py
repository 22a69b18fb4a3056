"""A line of the thread: what happened around the messages, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_lazy, ngettext

from inbox.models import Message, Priority
from inbox.models.conversations import ANOTHER_APP
from inbox.pages.acts import action_line
from inbox.pages.clock import moment_label
from inbox.pages.media import mapping, mappings


@dataclass(frozen=True, slots=True)
class Line:
    """answers: what the person filled in, as (question, answer)."""

    text: str
    icon: str
    answers: tuple[tuple[str, str], ...] = ()


def line_of(message: Message) -> Line:
    extra = message.extra
    who = message.author_name or gettext("Dexra")
    name = str(extra.get("event", ""))
    if name == "assigned":
        return Line(_assignment(message, who), "user-plus")
    if name in _ACTS:
        sentence, icon = _ACTS[name]
        return Line(str(sentence) % {"who": who}, icon)
    if name in _CHANGES:
        return _CHANGES[name](extra, who)
    if name in {"recovered", "earlier"}:
        return Line(_found(message, name), "download")
    if name == "action":
        return Line(*action_line(message, who))
    told = mapping(extra.get("raw"))
    if name in _REPORTED:
        return _REPORTED[name](told)
    words = name.replace("_", " ")
    return Line(gettext("The channel reported: %(what)s") % {"what": words}, "info")


_ACTS: Mapping[str, tuple[str | Promise, str]] = {
    "closed": (gettext_lazy("%(who)s marked this as done"), "check"),
    "reopened": (gettext_lazy("%(who)s opened this again"), "undo"),
    "blocked": (
        gettext_lazy("%(who)s blocked this person: what they write opens nothing"),
        "ban",
    ),
    "spam": (
        gettext_lazy("%(who)s called this spam: what they write opens nothing"),
        "ban",
    ),
    "unblocked": (gettext_lazy("%(who)s wants to hear from this person again"), "undo"),
    "subject": (gettext_lazy("%(who)s changed the subject"), "note"),
}


def _snoozed(extra: Mapping[str, Any], who: str) -> Line:
    until = parse_datetime(str(extra.get("until") or ""))
    if until is None:
        words = gettext("%(who)s put this away until the customer writes")
        return Line(words % {"who": who}, "moon")
    told = {"who": who, "moment": moment_label(until, at=now())}
    return Line(gettext("%(who)s put this away until %(moment)s") % told, "moon")


def _woke(extra: Mapping[str, Any], _who: str) -> Line:
    if extra.get("by") == "reply":
        return Line(gettext("Back because the customer wrote"), "moon")
    return Line(gettext("Back: the time to look again has come"), "moon")


def _priority(extra: Mapping[str, Any], who: str) -> Line:
    to = extra.get("to")
    if not to:
        return Line(gettext("%(who)s removed the priority") % {"who": who}, "flag")
    label = Priority(to).label if to in Priority.values else to
    told = {"who": who, "priority": label}
    return Line(gettext("%(who)s set the priority to %(priority)s") % told, "flag")


def _tagged(extra: Mapping[str, Any], who: str) -> Line:
    added = gettext(", ").join(map(str, extra.get("added") or ()))
    removed = gettext(", ").join(map(str, extra.get("removed") or ()))
    told = {"who": who, "added": added, "removed": removed}
    if added and removed:
        sentence = gettext("%(who)s added %(added)s and removed %(removed)s")
    elif added:
        sentence = gettext("%(who)s added %(added)s")
    else:
        sentence = gettext("%(who)s removed %(removed)s")
    return Line(sentence % told, "tag")


def _team(extra: Mapping[str, Any], who: str) -> Line:
    told = {"who": who, "team": extra.get("to")}
    if not extra.get("to"):
        return Line(gettext("%(who)s took this out of its team") % told, "user-plus")
    return Line(gettext("%(who)s gave this to the team %(team)s") % told, "user-plus")


def _merged(extra: Mapping[str, Any], who: str) -> Line:
    told = {"who": who, "gone": extra.get("gone_id"), "kept": extra.get("kept_id")}
    words = gettext("%(who)s merged the contact %(gone)s into %(kept)s")
    return Line(words % told, "merge")


def _separated(extra: Mapping[str, Any], who: str) -> Line:
    told = {"who": who, "gone": extra.get("gone_id"), "kept": extra.get("kept_id")}
    words = gettext("%(who)s separated the contact %(gone)s from %(kept)s")
    return Line(words % told, "undo")


_CHANGES: Mapping[str, Callable[[Mapping[str, Any], str], Line]] = {
    "snoozed": _snoozed,
    "woke": _woke,
    "priority": _priority,
    "tagged": _tagged,
    "team": _team,
    "contacts_merged": _merged,
    "contacts_separated": _separated,
}


def _assignment(message: Message, who: str) -> str:
    to = str(message.extra.get("to", ""))
    if not to:
        return gettext("%(who)s gave this back to everybody") % {"who": who}
    if to == message.author_name:
        return gettext("%(who)s took this conversation") % {"who": who}
    return gettext("%(who)s assigned this conversation to %(to)s") % {
        "who": who,
        "to": to,
    }


def _found(message: Message, name: str) -> str:
    count = int(message.extra.get("count", 1))
    if name == "earlier":
        words = ngettext(
            "%(count)d earlier message was fetched",
            "%(count)d earlier messages were fetched",
            count,
        )
    else:
        words = ngettext(
            "%(count)d message recovered that had not been reported",
            "%(count)d messages recovered that had not been reported",
            count,
        )
    return words % {"count": count}


# --- arrivals ------------------------------------------------------------------------------------


def arrival_words(referral: Mapping[str, Any]) -> str:
    """By which ad or link the person came; "" if nothing is known of it."""
    if not referral:
        return ""
    ad = mapping(referral.get("ads_context_data")).get("ad_title")
    is_ad = str(referral.get("source", "")).upper() == "ADS" or referral.get("ad_id")
    if ad:
        return gettext("Came from the ad “%(title)s”") % {"title": ad}
    if is_ad and referral.get("ad_id"):
        return gettext("Came from the ad %(id)s") % {"id": referral["ad_id"]}
    if is_ad:
        return gettext("Came from an ad")
    if referral.get("ref"):
        return gettext("Came by the link “%(ref)s”") % {"ref": referral["ref"]}
    if mapping(referral.get("product")).get("id"):
        return gettext("Asks about the product %(id)s") % {
            "id": mapping(referral["product"])["id"]
        }
    return gettext("Came by a link or an ad")


def _referral(told: Mapping[str, Any]) -> Line:
    kind = str(told.get("type", "")).upper()
    if not kind.startswith("LEAD"):
        return Line(arrival_words(told), "link")
    ad = mapping(told.get("ads_context_data")).get("ad_title")
    answers = tuple(
        (str(one.get("question") or ""), str(one.get("answer") or ""))
        for one in mappings(mapping(told.get("lead")).get("data"))
    )
    if kind == "LEAD_INCOMPLETE":
        words = gettext("Began to fill in the form of an ad")
    elif ad:
        words = gettext("Filled in the form of the ad “%(title)s”") % {"title": ad}
    else:
        words = gettext("Filled in the form of an ad")
    return Line(words, "note", answers)


# --- consent, accounts, opinions -----------------------------------------------------------------


def _optin(told: Mapping[str, Any]) -> Line:
    status = str(told.get("status", "")).upper()
    title = str(told.get("title") or told.get("payload") or "")
    if status.startswith("STOP"):
        return Line(gettext("Wants no more notifications"), "bell")
    if status.startswith("RESUME"):
        return Line(gettext("Wants notifications again"), "bell")
    if told.get("kind") or told.get("type"):
        if title:
            words = gettext("Asked to be notified: “%(title)s”") % {"title": title}
            return Line(words, "bell")
        return Line(gettext("Asked to be notified"), "bell")
    if told.get("ref"):
        words = gettext("Came by a button on your website: %(ref)s")
        return Line(words % {"ref": told["ref"]}, "check")
    return Line(gettext("Came by a button on your website"), "check")


def _account_linking(told: Mapping[str, Any]) -> Line:
    if told.get("status") == "unlinked":
        return Line(gettext("Unlinked their account of your website"), "user-off")
    return Line(gettext("Linked their account of your website"), "verified")


def _response_feedback(told: Mapping[str, Any]) -> Line:
    words = gettext("Rated an answer: “%(what)s”")
    return Line(words % {"what": told.get("feedback") or "?"}, "smile")


def _messaging_feedback(told: Mapping[str, Any]) -> Line:
    answers = tuple(
        (str(one.get("payload") or ""), str(one.get("follow_up") or ""))
        for one in mappings(told.get("answers"))
    )
    return Line(gettext("Answered your survey"), "smile", answers)


# --- who holds the thread ------------------------------------------------------------------------


def app_words(name: Any) -> str:
    """The name of an app that holds a thread, for people: ids say nothing to them."""
    text = str(name or "")
    if text == ANOTHER_APP or not text or text.isdigit():
        return gettext("another app")
    return text


def _passed(told: Mapping[str, Any]) -> Line:
    sender = told.get("from")
    if told.get("to"):
        words = gettext("This conversation went to %(app)s")
        return Line(words % {"app": app_words(told["to"])}, "out")
    if not told.get("to_us"):
        return Line(gettext("This conversation is nobody's now"), "inbox")
    if sender:
        words = gettext("%(app)s gave this conversation to Dexra")
        return Line(words % {"app": app_words(sender)}, "inbox")
    return Line(gettext("This conversation was given to Dexra"), "inbox")


def _taken(told: Mapping[str, Any]) -> Line:
    if told.get("to_us"):
        return Line(gettext("Dexra took this conversation over"), "inbox")
    words = gettext("%(app)s took this conversation over")
    return Line(_capital(words % {"app": app_words(told.get("to"))}), "out")


def _asked_for(told: Mapping[str, Any]) -> Line:
    words = gettext("%(app)s asks for this conversation")
    return Line(_capital(words % {"app": app_words(told.get("by"))}), "help")


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _plain(icon: str, words: str | Promise) -> Callable[[Mapping[str, Any]], Line]:
    return lambda _told: Line(str(words), icon)


# What channels report, by the names that channel apps give it (Act.name).
_REPORTED: dict[str, Callable[[Mapping[str, Any]], Line]] = {
    "referral": _referral,
    "optin": _optin,
    "account_linking": _account_linking,
    "response_feedback": _response_feedback,
    "messaging_feedback": _messaging_feedback,
    "pass_thread_control": _passed,
    "take_thread_control": _taken,
    "request_thread_control": _asked_for,
    "app_roles": _plain(
        "gear", gettext_lazy("The roles of the connected apps changed")
    ),
    "message_request": _plain(
        "check", gettext_lazy("Accepted your request to write to them")
    ),
    "game_play": _plain("smile", gettext_lazy("Played a game in this conversation")),
}
