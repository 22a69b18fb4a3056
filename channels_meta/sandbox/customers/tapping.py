"""What a pretend customer taps: buttons, quick replies, reactions, links; and what they read."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_meta.sandbox import webhooks
from channels_meta.sandbox.customers.phone import (
    Happening,
    Kind,
    NothingThere,
    Told,
    moment,
    newest,
    remember,
)
from channels_meta.sandbox.models import SandboxMessage, SandboxPerson
from channels_meta.sandbox.windows import AD_LASTS

HEART = "❤️"
AD = {
    "ref": "winter",
    "source": "ADS",
    "type": "OPEN_THREAD",
    "ad_id": "6120000000061",
    "ads_context_data": {"ad_title": "Winter bags, made by hand", "post_id": "90"},
}


def tap_button(person: SandboxPerson) -> Happening:
    """One of the questions that stand ready before anybody has written."""
    return _post_back(person, _("Where is my order?"), "ORDER_STATUS")


def tap_card_button(person: SandboxPerson, title: str = "") -> Happening:
    """A button of the newest of our cards. Raises NothingThere without one."""
    for message in _newest_with(person, "cards"):
        for card in message.extra["cards"]:
            for button in card.get("buttons", ()):
                is_meant = not title or button.get("title") == title
                if is_meant and button.get("type") == "postback":
                    return _post_back(
                        person, button.get("title", ""), button.get("payload", "")
                    )
    raise NothingThere(gettext_lazy("There is no card with a button yet."))


def tap_quick_reply(person: SandboxPerson, title: str = "") -> Happening:
    """The first, or the named one, below our newest message. Raises NothingThere without one."""
    last = person.messages.exclude(kind=Kind.COMMENT).last()
    offered = last.extra.get("quick_replies", []) if last else []
    for reply in offered:
        if title and _title_of(reply) != title:
            continue
        text = _title_of(reply)
        message = remember(person, Kind.TEXT, text=text)
        data = webhooks.build_message(
            person,
            mid=message.mid,
            at=message.sent_at,
            text=text,
            quick_reply=str(reply.get("payload") or text),
        )
        return Happening(person, Told.MESSAGE, message.mid, data)
    raise NothingThere(gettext_lazy("There is no quick reply to tap."))


def _title_of(reply: dict[str, Any]) -> str:
    """What the person's app fills in for a question about a phone number or an address."""
    filled = {
        "user_phone_number": "+212600000001",
        "user_email": "pretend@customer.example",
    }
    return str(reply.get("title") or filled.get(str(reply.get("content_type")), "OK"))


def _post_back(person: SandboxPerson, title: str, payload: str) -> Happening:
    message = remember(person, Kind.POSTBACK, text=title)
    data = webhooks.build_postback(
        person, mid=message.mid, at=message.sent_at, title=title, payload=payload
    )
    return Happening(person, Told.MESSAGE, message.mid, data)


def come_by_ad(person: SandboxPerson, text: str = "") -> Happening:
    """The first message after a click on an ad: for a week a reply needs no tag."""
    message = remember(person, Kind.TEXT, text=text or _("Is this still available?"))
    person.ad_window_until = message.sent_at + AD_LASTS
    person.save(update_fields=["ad_window_until"])
    data = webhooks.build_message(
        person, mid=message.mid, at=message.sent_at, text=message.text, referral=AD
    )
    return Happening(person, Told.MESSAGE, message.mid, data)


def come_by_link(person: SandboxPerson) -> Happening:
    """m.me or ig.me, into a thread that there is; else with the first tap in it."""
    referral: webhooks.Data = {
        "ref": "newsletter",
        "source": "SHORTLINK",
        "type": "OPEN_THREAD",
    }
    if not person.messages.exists():
        title = _("Get started")
        message = remember(person, Kind.POSTBACK, text=title)
        data = webhooks.build_postback(
            person,
            mid=message.mid,
            at=message.sent_at,
            title=title,
            payload="GET_STARTED",
            referral=referral,
        )
        return Happening(person, Told.REFERRAL, message.mid, data)
    data = webhooks.build_referral(person, at=moment(), referral=referral)
    return Happening(person, Told.REFERRAL, "", data)


def react(person: SandboxPerson) -> Happening:
    """A heart on the newest reply; the second time it is taken back.

    Raises NothingThere without a reply.
    """
    message = newest(person, "out", gettext_lazy("There is no reply yet to react to."))
    message.reaction = "" if message.reaction else HEART
    message.reacted_at = moment()
    message.save(update_fields=["reaction", "reacted_at"])
    data = webhooks.build_reaction(
        person, mid=message.mid, at=message.reacted_at, emoji=message.reaction
    )
    kind = Told.REACTION if message.reaction else Told.UNREACTION
    return Happening(person, kind, message.mid, data)


def read_messages(person: SandboxPerson) -> Happening:
    """Open the chat: everything in it is seen. Raises NothingThere without a reply."""
    message = newest(person, "out", gettext_lazy("There is no reply yet to read."))
    at = moment()
    person.messages.filter(direction="out", seen_at=None).update(seen_at=at)
    data = webhooks.build_read(person, mid=message.mid, at=at)
    return Happening(person, Told.READ, message.mid, data)


def _newest_with(person: SandboxPerson, key: str) -> list[SandboxMessage]:
    shown = person.messages.filter(direction="out", unsent_at=None)
    return list(shown.filter(extra__has_key=key).order_by("-sent_at", "-id")[:5])
