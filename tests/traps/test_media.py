"""Trap 17 of Meta's contract: a story's link may be kept, its bytes never."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import responses

from channels_meta.processing import drain
from inbox.fetching import fetch_due
from inbox.media import fetch_attachment
from inbox.models import Attachment, Channel, Fetch, Message
from tests import files
from tests.conftest import INSTAGRAM_ID, Meta, said

STORY = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=18040001&signature=x"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def story() -> Iterator[responses.BaseResponse]:
    """Where the story's picture lies; it must not be asked for."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as faked:
        faked.add_passthru("http://127.0.0.1")
        yield faked.get(STORY, body=files.picture())


def tell(meta: Meta, **message: Any) -> Attachment | None:
    item = said("", "aWdf1", account=INSTAGRAM_ID, **message)
    if not message.get("text"):
        del item["message"]["text"]
    meta.messaging(item, kind="instagram")
    drain()
    return Attachment.objects.first()


def test_trap_17_a_story_mention_is_never_copied(
    meta: Meta, instagram: Channel, story: Any
) -> None:
    attachment = tell(
        meta, attachments=[{"type": "story_mention", "payload": {"url": STORY}}]
    )

    fetch_due()

    assert attachment is not None
    assert attachment.remote_url == STORY
    assert story.call_count == 0
    assert not Fetch.objects.filter(kind="media").exists()


def test_trap_17_not_even_when_a_copy_is_asked_for(
    meta: Meta, instagram: Channel, story: Any
) -> None:
    attachment = tell(
        meta, attachments=[{"type": "story_mention", "payload": {"url": STORY}}]
    )
    assert attachment is not None

    fetch_attachment(attachment.pk)
    Attachment.objects.update(kind="image")
    fetch_attachment(attachment.pk)

    attachment.refresh_from_db()
    assert story.call_count == 0
    assert not attachment.file


def test_trap_17_the_story_that_was_answered_is_never_copied(
    meta: Meta, instagram: Channel, story: Any
) -> None:
    tell(meta, reply_to={"story": {"id": "18040001", "url": STORY}})
    message = Message.objects.get()
    assert message.extra["story"]["url"] == STORY

    fetch_due()
    disguised = Attachment.objects.create(
        message=message, kind="image", remote_url=STORY
    )
    fetch_attachment(disguised.pk)

    assert story.call_count == 0


def test_trap_17_a_photo_beside_it_is_another_case(
    meta: Meta, instagram: Channel
) -> None:
    url = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=2&signature=y"
    attachment = tell(meta, attachments=[{"type": "image", "payload": {"url": url}}])
    assert attachment is not None

    assert Fetch.objects.get(kind="media").subject_id == attachment.pk
