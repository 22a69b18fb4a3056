"""Every type of attachment that Meta lists, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from channels_meta.processing import drain
from inbox.models import Channel, Message
from tests.conftest import INSTAGRAM_ID, Meta, envelope, said

pytestmark = pytest.mark.django_db(transaction=True)

CDN = "https://scontent.xx.fbcdn.net/v/x"
AT = 1795330000


def payload(**more: Any) -> dict[str, Any]:
    return {"url": CDN, **more}


@pytest.mark.parametrize(
    ("attachment", "kind"),
    [
        ({"type": "image", "payload": payload()}, "image"),
        ({"type": "video", "payload": payload()}, "video"),
        ({"type": "audio", "payload": payload()}, "audio"),
        ({"type": "file", "payload": payload()}, "file"),
        ({"type": "sticker", "payload": payload(sticker_id=369239263222822)}, "sticker"),
        ({"type": "like_heart"}, "sticker"),
        ({"type": "location", "payload": {"coordinates": {"lat": 1, "long": 2}}}, "location"),
        ({"type": "fallback", "payload": payload(title="A page")}, "share"),
        ({"type": "fallback", "payload": None, "title": "A page", "URL": CDN}, "share"),
        ({"type": "fallback", "payload": "null", "url": CDN}, "share"),
        ({"type": "share", "payload": payload()}, "share"),
        ({"type": "post", "payload": payload(title="A post", id="1")}, "share"),
        ({"type": "ig_post", "payload": payload(ig_post_media_id="1")}, "share"),
        ({"type": "reel", "payload": payload(reel_video_id=17)}, "share"),
        ({"type": "ig_reel", "payload": {"url": "/reel/x", "reel_video_id": "17"}}, "share"),
        ({"type": "template", "payload": {"template_type": "generic", "elements": [{"title": "x"}]}}, "template"),
        ({"type": "template", "payload": {"product": {"elements": [{"id": "1", "title": "x"}]}}}, "template"),
        (
            {
                "type": "appointment_booking",
                "payload": {"booking_id": "1", "status": "confirmed", "start_time": AT, "end_time": AT + 3600},
            },
            "template",
        ),
        ({"type": "story_mention", "payload": payload()}, "story_mention"),
        ({"type": "story", "payload": payload()}, "share"),
        ({"type": "ig_story", "payload": payload()}, "share"),
        ({"type": "media", "payload": payload()}, "share"),
        ({"type": "story"}, "unsupported"),
        ({"type": "media"}, "unsupported"),
        ({"type": "ephemeral"}, "unsupported"),
        ({"type": "unsupported_type", "payload": payload()}, "unsupported"),
        ({"type": "hologram", "payload": payload()}, "unsupported"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["type"],
)  # fmt: skip
def test_every_type_of_attachment_becomes_something_to_look_at(
    attachment: dict[str, Any], kind: str, meta: Meta, instagram: Channel
) -> None:
    item = said("", "m-1", account=INSTAGRAM_ID, attachments=[attachment])
    meta.post(envelope(item, kind="instagram"))
    drain()

    message = Message.objects.get()
    assert (message.type, message.is_stub) == (kind, False)
    assert [part.kind for part in message.attachments.all()] == [kind]


@pytest.mark.parametrize("key", ["hop_context", "prior_message"])
def test_what_comes_beside_a_message_is_kept_with_it(
    key: str, meta: Meta, messenger: Channel
) -> None:
    beside = {"app_id": 413038776280800, "metadata": "lead"}

    meta.post(envelope({**said("Hello", "m-1"), key: beside}))
    drain()

    assert Message.objects.get().extra[key] == beside


@pytest.mark.parametrize("is_self", [True, "true"])
def test_a_note_of_the_account_to_itself_is_an_ordinary_message(
    is_self: Any, meta: Meta, instagram: Channel
) -> None:
    item = said(
        "Test", "m-1", person=INSTAGRAM_ID, account=INSTAGRAM_ID, is_self=is_self
    )

    meta.post(envelope(item, kind="instagram"))
    drain()

    assert Message.objects.get().direction == "in"
