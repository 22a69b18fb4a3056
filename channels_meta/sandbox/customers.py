"""What a pretend customer does: the phone remembers it, and Meta has something to tell."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_meta.sandbox import webhooks
from channels_meta.sandbox.models import SandboxCall, SandboxMessage, SandboxPerson
from inbox.conversations import refresh
from inbox.models import ChannelIdentity, Contact, Conversation

Kind = SandboxMessage.Kind
Told = SandboxCall.Kind

PHOTO = "img/demo/bag.png"
VOICE = "audio/demo/voice.wav"
STORY = "img/demo/story.png"
# The post that everybody comments on, as each kind numbers its posts.
INSTAGRAM_POST = "17970000000000001"
PAGE_POST = "9000000000000001"
HEART = "❤️"


class NothingThere(Exception):
    """The phone shows nothing that this could be done to. detail: a sentence for people."""

    def __init__(self, detail: str | Promise) -> None:
        super().__init__(str(detail))
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Happening:
    """What Meta has to tell Dexra. mid: the message it is, or is about."""

    person: SandboxPerson
    kind: SandboxCall.Kind
    mid: str
    data: webhooks.Data

    def tell(self) -> int:
        """Post it, signed, to Dexra's door. Returns the HTTP status, 0 where none came."""
        return webhooks.tell(self.person, self.kind, self.data, summary=self.mid)


def address_of(path: str) -> str:
    """The absolute address of one of our own static files."""
    return f"{settings.PUBLIC_URL}{static(path)}"


def write(person: SandboxPerson, text: str) -> Happening:
    message = _remember(person, Kind.TEXT, text=text)
    return _happening(message, Told.MESSAGE)


def send_photo(person: SandboxPerson) -> Happening:
    message = _remember(person, Kind.IMAGE, media_url=address_of(PHOTO))
    return _happening(message, Told.IMAGE)


def send_voice(person: SandboxPerson) -> Happening:
    message = _remember(person, Kind.AUDIO, media_url=address_of(VOICE))
    return _happening(message, Told.AUDIO)


def mention_in_story(person: SandboxPerson) -> Happening:
    message = _remember(person, Kind.STORY_MENTION, media_url=address_of(STORY))
    return _happening(message, Told.STORY_MENTION)


def reply_to_story(person: SandboxPerson, text: str = "") -> Happening:
    text = text or _("I love this! Where is it from?")
    message = _remember(
        person, Kind.STORY_REPLY, text=text, media_url=address_of(STORY)
    )
    data = webhooks.build_message(
        person,
        mid=message.mid,
        at=message.sent_at,
        text=text,
        story_url=address_of(STORY),
    )
    return Happening(person, Told.STORY_REPLY, message.mid, data)


def comment(person: SandboxPerson, text: str = "") -> Happening:
    """Below the account's newest post. Opens no window: it is not written to the account."""
    text = text or _("How much is it?")
    post_id, comment_id = _comment_ids(person)
    message = _remember(person, Kind.COMMENT, text=text, mid=comment_id)
    data = webhooks.build_comment(
        person, comment_id=comment_id, post_id=post_id, at=message.sent_at, text=text
    )
    return Happening(person, Told.COMMENT, comment_id, data)


def tap_button(person: SandboxPerson) -> Happening:
    """One of the questions that stand ready before anybody has written."""
    title = _("Where is my order?")
    message = _remember(person, Kind.POSTBACK, text=title)
    data = webhooks.build_postback(
        person, mid=message.mid, at=message.sent_at, title=title, payload="ORDER_STATUS"
    )
    return Happening(person, Told.MESSAGE, message.mid, data)


def react(person: SandboxPerson) -> Happening:
    """A heart on the newest reply; the second time it is taken back.

    Raises NothingThere without a reply.
    """
    message = _newest(person, "out", gettext_lazy("There is no reply yet to react to."))
    message.reaction = "" if message.reaction else HEART
    message.reacted_at = _moment()
    message.save(update_fields=["reaction", "reacted_at"])
    data = webhooks.build_reaction(
        person, mid=message.mid, at=message.reacted_at, emoji=message.reaction
    )
    kind = Told.REACTION if message.reaction else Told.UNREACTION
    return Happening(person, kind, message.mid, data)


def unsend_last(person: SandboxPerson) -> Happening:
    """Take back the newest message: its content is gone from the phone and the log at once.

    Raises NothingThere without one.
    """
    message = _newest(
        person, "in", gettext_lazy("There is nothing of yours to unsend.")
    )
    message.unsent_at = _moment()
    message.text = message.media_url = message.reaction = ""
    message.save(update_fields=["unsent_at", "text", "media_url", "reaction"])
    person.calls.filter(summary=message.mid).update(payload={})
    data = webhooks.build_unsend(person, mid=message.mid, at=message.unsent_at)
    return Happening(person, Told.UNSEND, message.mid, data)


def read_messages(person: SandboxPerson) -> Happening:
    """Open the chat: everything in it is seen. Raises NothingThere without a reply."""
    message = _newest(person, "out", gettext_lazy("There is no reply yet to read."))
    moment = _moment()
    person.messages.filter(direction="out", seen_at=None).update(seen_at=moment)
    data = webhooks.build_read(person, mid=message.mid, at=moment)
    return Happening(person, Told.READ, message.mid, data)


def introduce(person: SandboxPerson) -> None:
    """Let the inbox know the person's name, where it knows the person only by number."""
    identities = ChannelIdentity.objects.filter(
        channel_id=person.channel_id, external_id=person.external_id
    )
    with transaction.atomic():
        if not identities.filter(name="").update(
            name=person.name, username=person.username
        ):
            return
        Contact.objects.filter(identities__in=identities, name="").update(
            name=person.name
        )
        conversations = Conversation.objects.filter(identity__in=identities)
        refresh(list(conversations.values_list("pk", flat=True)))


def _remember(
    person: SandboxPerson,
    kind: SandboxMessage.Kind,
    *,
    mid: str = "",
    text: str = "",
    media_url: str = "",
) -> SandboxMessage:
    return SandboxMessage.objects.create(
        person=person,
        direction=SandboxMessage.Direction.IN,
        kind=kind,
        mid=mid or webhooks.make_mid(person.channel),
        text=text,
        media_url=media_url,
        sent_at=_moment(),
    )


def _happening(message: SandboxMessage, kind: SandboxCall.Kind) -> Happening:
    data = webhooks.build_message(
        message.person,
        mid=message.mid,
        at=message.sent_at,
        text=message.text,
        media=webhooks.media_of(message),
    )
    return Happening(message.person, kind, message.mid, data)


def _newest(
    person: SandboxPerson, direction: str, otherwise: str | Promise
) -> SandboxMessage:
    """The newest message of one side that is still there; a comment is no message."""
    messages = person.messages.filter(direction=direction, unsent_at=None)
    newest = messages.exclude(kind=Kind.COMMENT).last()
    if newest is None:
        raise NothingThere(otherwise)
    return newest


def _comment_ids(person: SandboxPerson) -> tuple[str, str]:
    """(post, comment), in the shapes of each kind."""
    number = secrets.randbelow(9 * 10**14) + 10**14
    if webhooks.is_instagram(person.channel):
        return INSTAGRAM_POST, f"17{number}"
    post_id = f"{person.channel.external_id}_{PAGE_POST}"
    return post_id, f"{PAGE_POST}_{number}"


def _moment() -> datetime:
    """Meta's clock counts in milliseconds."""
    moment = now()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
