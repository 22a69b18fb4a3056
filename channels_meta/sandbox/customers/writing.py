"""What a pretend customer writes and sends."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_meta.sandbox import cdn, webhooks
from channels_meta.sandbox.customers.phone import (
    Happening,
    Kind,
    NothingThere,
    Told,
    moment,
    newest,
    remember,
    remember_file,
)
from channels_meta.sandbox.models import SandboxMessage, SandboxPerson

PHOTO = "img/demo/bag.png"
SECOND_PHOTO = "img/demo/babouches.png"
VOICE = "audio/demo/voice.wav"
STORY = "img/demo/story.png"
VIDEO = "video/demo/clip.mp4"
DOCUMENT = "files/demo/receipt.pdf"
# Messenger's thumb.
LIKE = 369239263222822
PLACE = {"title": "Jemaa el-Fnaa", "lat": 31.6258, "long": -7.9892}
MAX_EDITS = 5


def write(person: SandboxPerson, text: str) -> Happening:
    """Words; as an answer to our last message if they begin with a `>`."""
    reply_to = ""
    if text.startswith(">") and text[1:].strip():
        text = text[1:].strip()
        answered = person.messages.filter(direction="out", unsent_at=None).last()
        reply_to = answered.mid if answered else ""
    message = remember(person, Kind.TEXT, text=text, reply_to_mid=reply_to)
    return _happening(message, Told.MESSAGE)


def send_photo(person: SandboxPerson) -> Happening:
    return _happening(remember_file(person, Kind.IMAGE, PHOTO), Told.IMAGE)


def send_voice(person: SandboxPerson) -> Happening:
    return _happening(remember_file(person, Kind.AUDIO, VOICE), Told.AUDIO)


def send_video(person: SandboxPerson) -> Happening:
    return _happening(remember_file(person, Kind.VIDEO, VIDEO), Told.VIDEO)


def send_file(person: SandboxPerson) -> Happening:
    return _happening(remember_file(person, Kind.FILE, DOCUMENT), Told.FILE)


def send_album(person: SandboxPerson, pictures: int = 6) -> Happening:
    """Several pictures in one message."""
    message = remember_file(person, Kind.IMAGE, PHOTO)
    second = cdn.address_of(message.asset_id, SECOND_PHOTO)
    urls = [message.media_url if n % 2 == 0 else second for n in range(pictures)]
    message.extra = {"parts": [{"type": "image", "url": url} for url in urls]}
    message.save(update_fields=["extra"])
    attachments = [{"type": "image", "payload": {"url": url}} for url in urls]
    data = webhooks.build_message(
        person, mid=message.mid, at=message.sent_at, attachments=attachments
    )
    return Happening(person, Told.IMAGE, message.mid, data)


def send_sticker(person: SandboxPerson) -> Happening:
    """Messenger's thumb, or Instagram's heart, which comes without anything."""
    if person.account.is_instagram:
        message = remember(person, Kind.STICKER, text="❤️")
        attachment: webhooks.Data = {"type": "like_heart"}
    else:
        message = remember_file(person, Kind.STICKER, "img/demo/bag.png", text="👍")
        payload = {"url": message.media_url, "sticker_id": LIKE}
        attachment = {"type": "sticker", "payload": payload}
    data = webhooks.build_message(
        person, mid=message.mid, at=message.sent_at, attachments=[attachment]
    )
    return Happening(person, Told.STICKER, message.mid, data)


def send_location(person: SandboxPerson) -> Happening:
    """Messenger only."""
    message = remember(person, Kind.LOCATION, text=str(PLACE["title"]))
    coordinates = {"lat": PLACE["lat"], "long": PLACE["long"]}
    attachment = {
        "type": "location",
        "title": PLACE["title"],
        "payload": {"coordinates": coordinates},
    }
    data = webhooks.build_message(
        person, mid=message.mid, at=message.sent_at, attachments=[attachment]
    )
    return Happening(person, Told.LOCATION, message.mid, data)


def share_post(person: SandboxPerson) -> Happening:
    """A post of Instagram, as live traffic has it since September 2026."""
    message = remember_file(person, Kind.SHARE, PHOTO, text=_("A shared post"))
    kind = "ig_post" if person.account.is_instagram else "post"
    payload = {
        "url": message.media_url,
        "title": message.text,
        "ig_post_media_id": "17970000000000001",
    }
    data = webhooks.build_message(
        person,
        mid=message.mid,
        at=message.sent_at,
        attachments=[{"type": kind, "payload": payload}],
    )
    return Happening(person, Told.SHARE, message.mid, data)


def send_unsupported(person: SandboxPerson) -> Happening:
    """Something that the API does not show, such as a picture to be seen once."""
    message = remember(person, Kind.UNSUPPORTED, text=_("A photo to be seen once"))
    data = webhooks.build_message(
        person, mid=message.mid, at=message.sent_at, is_unsupported=True
    )
    return Happening(person, Told.MESSAGE, message.mid, data)


def mention_in_story(person: SandboxPerson) -> Happening:
    message = remember_file(person, Kind.STORY_MENTION, STORY)
    return _happening(message, Told.STORY_MENTION)


def reply_to_story(person: SandboxPerson, text: str = "") -> Happening:
    text = text or _("I love this! Where is it from?")
    message = remember_file(person, Kind.STORY_REPLY, STORY, text=text)
    data = webhooks.build_message(
        person,
        mid=message.mid,
        at=message.sent_at,
        text=text,
        story_url=message.media_url,
    )
    return Happening(person, Told.STORY_REPLY, message.mid, data)


def edit_last(person: SandboxPerson, text: str = "") -> Happening:
    """Raises NothingThere without words to edit, or after the fifth time."""
    message = newest(
        person, "in", gettext_lazy("There is nothing of yours to edit yet.")
    )
    if message.kind != Kind.TEXT:
        raise NothingThere(gettext_lazy("Only words can be edited."))
    if message.edits >= MAX_EDITS:
        raise NothingThere(gettext_lazy("A message can be edited five times."))
    message.text = text or _("%(text)s (edited)") % {"text": message.text}
    message.edits += 1
    message.edited_at = moment()
    message.save(update_fields=["text", "edits", "edited_at"])
    data = webhooks.build_edit(
        person,
        mid=message.mid,
        at=message.edited_at,
        text=message.text,
        number=message.edits,
    )
    return Happening(person, Told.EDIT, message.mid, data)


def unsend_last(person: SandboxPerson) -> Happening:
    """Take back the newest message: its content is gone from the phone and the log at once.

    Raises NothingThere without one.
    """
    message = newest(person, "in", gettext_lazy("There is nothing of yours to unsend."))
    message.unsent_at = moment()
    message.text = message.media_url = message.reaction = ""
    message.extra = {}
    message.save(update_fields=["unsent_at", "text", "media_url", "reaction", "extra"])
    person.calls.filter(summary=message.mid).update(payload={})
    data = webhooks.build_unsend(person, mid=message.mid, at=message.unsent_at)
    return Happening(person, Told.UNSEND, message.mid, data)


def _happening(message: SandboxMessage, kind: Told) -> Happening:
    data = webhooks.build_message(
        message.person,
        mid=message.mid,
        at=message.sent_at,
        text=message.text,
        media=webhooks.media_of(message),
        reply_to=message.reply_to_mid,
    )
    return Happening(message.person, kind, message.mid, data)
