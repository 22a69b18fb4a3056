"""What happens on the business's side of Meta: replies in Meta's own inbox, notices, other apps."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _

from channels_meta.sandbox import webhooks
from channels_meta.sandbox.customers.phone import Happening, Kind, Told, moment
from channels_meta.sandbox.login.tokens import facebook_app
from channels_meta.sandbox.models import SandboxMessage, SandboxPerson

OWNED_FOR = timedelta(hours=24)


def reply_natively(person: SandboxPerson, text: str = "") -> Happening:
    """A colleague answers in Meta's own app: only the echo tells us."""
    text = text or _("Hello from the app!")
    message = SandboxMessage.objects.create(
        person=person,
        mid=webhooks.make_mid(person.account),
        direction=SandboxMessage.Direction.OUT,
        kind=Kind.TEXT,
        text=text,
        sent_at=moment(),
    )
    data = webhooks.build_echo(
        person, mid=message.mid, at=message.sent_at, text=text, app_id=_inbox_of(person)
    )
    return Happening(person, Told.ECHO, message.mid, data)


def hand_to_other_app(person: SandboxPerson) -> Happening:
    """Meta's own inbox takes the thread; the second time it gives it back to us."""
    other = str(_inbox_of(person))
    is_theirs = person.owner_app == other
    person.owner_app = "" if is_theirs else other
    at = moment()
    person.owned_until = None if is_theirs else at + OWNED_FOR
    person.save(update_fields=["owner_app", "owned_until"])
    if not person.account.has_routing:
        person.account.has_routing = True
        person.account.save(update_fields=["has_routing"])
    ours = facebook_app().id
    if is_theirs:
        kind = "pass_thread_control"
        content = {"previous_owner_app_id": other, "new_owner_app_id": ours}
    else:
        kind = "take_thread_control"
        content = {"previous_owner_app_id": ours, "new_owner_app_id": other}
    data = webhooks.build_routing(person, at=at, kind=kind, content=content)
    return Happening(person, Told.ROUTING, "", data)


def _inbox_of(person: SandboxPerson) -> int:
    """The app id of Meta's own inbox for this kind of account."""
    if person.account.is_instagram:
        return webhooks.INSTAGRAM_INBOX_APP_ID
    return webhooks.PAGE_INBOX_APP_ID


def warn(person: SandboxPerson) -> Happening:
    """Meta warns the account: nobody wrote it."""
    data = webhooks.build_policy_notice(person.account, action="warning", at=moment())
    return Happening(person, Told.NOTICE, "", data)
