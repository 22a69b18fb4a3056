"""Every kind of attachment (contract 2.2), posted as Meta posts it and looked at by an agent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils.timezone import now

from inbox.models import Attachment, Channel, Conversation
from tests.channels_meta.test_events import arrive, thread_of
from tests.conftest import INSTAGRAM_ID, envelope, said

pytestmark = pytest.mark.django_db

CDN = "https://scontent.xx.fbcdn.net/v/t1.png"
SHOP = "https://shop.example.com/babouches"
STORY = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1"
TOMORROW = int((now() + timedelta(days=1)).replace(hour=9).timestamp())


def message(kind: str, payload: Any = ..., **beside: Any) -> dict[str, Any]:
    part = {"type": kind, **beside}
    if payload is not ...:
        part["payload"] = payload
    return {"attachments": [part]}


@pytest.mark.parametrize(
    ("said_so", "words"),
    [
        (message("image", {"url": CDN}), [f'src="{CDN}"', 'alt="Photo"']),
        (message("video", {"url": CDN}), ["<video", CDN]),
        (message("audio", {"url": CDN}), ["<audio", CDN]),
        (message("file", {"url": CDN}, title="invoice.pdf"), ["invoice.pdf", "Open"]),
        (message("sticker", {"url": CDN, "sticker_id": 7}), ['class="dx-sticker"', CDN]),
        (message("sticker", {"sticker_id": 369239263222822}), ["👍"]),
        ({"sticker_id": 369239263222822}, ["👍"]),
        (message("like_heart"), ["❤️"]),
        (
            message("fallback", {"url": SHOP, "title": "Babouches"}) | {"text": SHOP},
            ["Babouches", "shop.example.com"],
        ),
        (message("fallback", None, title="Old", URL=SHOP), ["Old", SHOP]),
        (message("fallback", SHOP), ["Link", SHOP]),
        (
            message("template", {"product": {"elements": [
                {"id": "1", "title": "Pouf", "subtitle": "890 MAD", "image_url": CDN}]}}),
            ["Pouf", "890 MAD", CDN],
        ),
        (
            message("template", {"template_type": "button", "text": "Choose",
                                 "buttons": [{"type": "postback", "title": "Yes"}]}),
            ["Choose", "Yes"],
        ),
        (message("post", {"url": CDN, "title": "New", "id": 1}), ["New", "Shared post"]),
        (message("ig_post", {"url": CDN, "title": "New"}), ["New", "Shared post", CDN]),
        (message("reel", {"url": "/reel/1", "title": "How"}), ["How", "facebook.com"]),
        (message("ig_reel", {"url": "https://www.instagram.com/reel/1"}), ["Shared reel"]),
        (message("share", {"url": "https://www.instagram.com/p/1"}), ["Shared post"]),
        (message("story", {"url": STORY}), ["Shared story", "View"]),
        (message("ig_story"), ["This message cannot be shown here", "Open in"]),
        (message("media"), ["This message cannot be shown here", "Open in"]),
        (message("ephemeral"), ["Photo or video to view once", "Open in"]),
        (
            message("location", {"coordinates": {"lat": 33.58, "long": -7.62}}, title="Maarif"),
            ["Maarif", "33.58000, -7.62000", "openstreetmap.org"],
        ),
        (
            message("appointment_booking", {"status": "confirmed", "start_time": TOMORROW,
                                            "end_time": TOMORROW + 3600}),
            ["Appointment", "Confirmed", " to "],
        ),
        (message("unsupported_type", {"url": CDN}), ["cannot be shown here", CDN]),
        (message("hologram", {"url": CDN}), ["cannot be shown here", "Open in Messenger"]),
    ],
)  # fmt: skip
def test_each_attachment_has_its_own_look(
    messenger: Channel, agent_client: Client, said_so: dict[str, Any], words: list[str]
) -> None:
    arrive(envelope(said(said_so.pop("text", ""), "m_1", **said_so)))

    html = thread_of(agent_client)
    for word in words:
        assert word in html


def test_a_story_mention_is_shown_as_long_as_it_lives(
    instagram: Channel, agent_client: Client
) -> None:
    mention = said("", "m_1", account=INSTAGRAM_ID,
                   **message("story_mention", {"url": STORY}))  # fmt: skip
    arrive(envelope(mention, kind="instagram"))
    assert f'src="{STORY}"' in thread_of(agent_client)

    Attachment.objects.update(remote_url_expires_at=now() - timedelta(minutes=1))

    html = thread_of(agent_client)
    assert "The story has expired" in html
    assert STORY not in html


def photo(**fields: Any) -> Attachment:
    arrive(envelope(said("", "m_1", **message("image", {"url": CDN}))))
    part = Attachment.objects.get()
    for name, value in fields.items():
        setattr(part, name, value)
    part.save()
    return part


def test_a_stored_photo_is_shown_small_from_our_own_origin(
    messenger: Channel, agent_client: Client
) -> None:
    part = photo(state="stored", mime_type="image/png", width=640, height=480)
    part.file.save("a.png", ContentFile(b"png"))
    part.thumbnail.save("a.webp", ContentFile(b"webp"))

    html = thread_of(agent_client)

    assert f'src="/inbox/thumbnails/{part.pk}"' in html
    assert f'href="/inbox/files/{part.pk}/' in html
    assert 'width="640" height="480"' in html
    assert CDN not in html


def test_an_expired_photo_says_so(messenger: Channel, agent_client: Client) -> None:
    photo(state="expired")

    html = thread_of(agent_client)

    assert "Photo: no longer available" in html
    assert CDN not in html


def test_a_photo_that_was_not_copied_says_why_and_leads_to_it(
    messenger: Channel, agent_client: Client
) -> None:
    photo(state="refused", extra={"reason": "too_large"})

    html = thread_of(agent_client)

    assert "Photo: not shown here, too large to be copied" in html
    assert f'href="{CDN}"' in html
    assert "<img" not in html


def test_what_a_message_said_before_stands_below_it(
    messenger: Channel, agent_client: Client
) -> None:
    arrive(envelope(said("Hallo", "m_1")))
    edit = said("", "x") | {
        "message_edit": {"mid": "m_1", "text": "Hello", "num_edit": 1}
    }
    del edit["message"]
    arrive(envelope(edit))

    html = thread_of(agent_client)

    assert Conversation.objects.get().last_message["text"] == "Hello"
    assert "<summary>edited</summary>" in html
    assert ">Hallo</li>" in html
