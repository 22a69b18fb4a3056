"""What the notice of a comment left out, and when a comment counts as deleted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import responses

from inbox.channels import Details, ErrorClass, SendError
from inbox.models import Channel
from tests.conftest import INSTAGRAM_ID

pytestmark = pytest.mark.django_db
ANSWERS = Path(__file__).parent / "samples" / "answers"
FACEBOOK = "https://graph.facebook.com/v26.0"
INSTAGRAM = "https://graph.instagram.com/v26.0"
COMMENT, MEDIA = "17990000001", "17970000001"
PAGE_COMMENT, POST = "90_91", "1055501_90"
WRITTEN_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
GONE = {"error": {"message": "?", "code": 100, "error_subcode": 33}}
UNKNOWN_FIELD = {"error": {"message": "(#100) nonexisting field", "code": 100}}


def about(post_id: str, **more: Any) -> dict[str, Any]:
    return {
        "comment": {"post_id": post_id, "permalink": None, "parent_id": None, **more}
    }


@responses.activate
def test_an_instagram_comment(instagram: Channel) -> None:
    responses.get(
        f"{INSTAGRAM}/{COMMENT}",
        json={
            "id": COMMENT,
            "text": "price?",
            "timestamp": "2026-11-20T09:30:00+0000",
            "username": "ana",
            "from": {"id": "6612", "username": "ana"},
            "parent_id": "17980000001",
            "hidden": False,
            "like_count": 0,
            "media": {
                "id": MEDIA,
                "permalink": "https://www.instagram.com/p/abc/",
                "media_type": "VIDEO",
                "media_product_type": "REELS",
                "media_url": "https://scontent.cdninstagram.com/v.mp4",
                "thumbnail_url": "https://scontent.cdninstagram.com/t.jpg",
                "caption": "New bags",
            },
        },
    )

    details = instagram.adapter.fetch_details(instagram, COMMENT, about(MEDIA))

    assert details == Details(
        comment={
            "permalink": "https://www.instagram.com/p/abc/",
            "post_id": MEDIA,
            "parent_id": "17980000001",
            "media": {
                "id": MEDIA,
                "url": "https://www.instagram.com/p/abc/",
                "thumbnail": "https://scontent.cdninstagram.com/t.jpg",
                "type": "VIDEO",
                "product_type": "REELS",
                "caption": "New bags",
            },
            "like_count": 0,
            "hidden": False,
        },
        sent_at=WRITTEN_AT,
        content="price?",
        author=("6612", "ana", ""),
    )


@responses.activate
def test_a_field_that_meta_does_not_know_costs_only_that_field(
    instagram: Channel,
) -> None:
    url = f"{INSTAGRAM}/{COMMENT}"
    responses.get(url, json=UNKNOWN_FIELD, status=400)
    responses.get(url, json={"id": COMMENT, "timestamp": "2026-11-20T09:30:00+0000"})

    details = instagram.adapter.fetch_details(instagram, COMMENT, about(MEDIA))

    assert details.sent_at == WRITTEN_AT


@responses.activate
def test_what_the_notice_told_of_an_ad_stays(instagram: Channel) -> None:
    responses.get(f"{INSTAGRAM}/{COMMENT}", json={"media": {"id": MEDIA}})
    extra = about(MEDIA, media={"id": MEDIA, "ad_id": "61", "ad_title": "Winter"})

    details = instagram.adapter.fetch_details(instagram, COMMENT, extra)

    assert details.comment["media"] == {
        "id": MEDIA,
        "ad_id": "61",
        "ad_title": "Winter",
    }


@responses.activate
def test_a_comment_that_is_missing_below_a_post_that_is_there_was_deleted(
    instagram: Channel,
) -> None:
    responses.get(f"{INSTAGRAM}/{COMMENT}", json=GONE, status=400)
    responses.get(f"{INSTAGRAM}/{MEDIA}", json={"id": MEDIA})

    details = instagram.adapter.fetch_details(instagram, COMMENT, about(MEDIA))

    assert details == Details(gone=True)


@responses.activate
def test_a_missing_permission_deletes_nothing(instagram: Channel) -> None:
    """The same answer, and the post cannot be read either."""
    responses.get(f"{INSTAGRAM}/{COMMENT}", json=GONE, status=400)
    responses.get(f"{INSTAGRAM}/{MEDIA}", json=GONE, status=400)

    with pytest.raises(SendError) as caught:
        instagram.adapter.fetch_details(instagram, COMMENT, about(MEDIA))

    assert caught.value.error_class is ErrorClass.GONE


@responses.activate
def test_an_installation_may_believe_otherwise(
    instagram: Channel, settings: Any
) -> None:
    settings.META_ASSUMPTIONS = {"META_ASSUME_MISSING_COMMENT_IS_DELETED": "no"}
    responses.get(f"{INSTAGRAM}/{COMMENT}", json=GONE, status=400)

    with pytest.raises(SendError):
        instagram.adapter.fetch_details(instagram, COMMENT, about(MEDIA))


@responses.activate
def test_a_mention_in_a_comment_is_read_through_our_own_account(
    instagram: Channel,
) -> None:
    asked = responses.get(
        f"{INSTAGRAM}/{INSTAGRAM_ID}",
        json={
            "mentioned_comment": {
                "id": COMMENT,
                "text": "look at @tilila",
                "timestamp": "2026-11-20T09:30:00+0000",
                "username": "ana",
                "like_count": 2,
                "media": {"id": MEDIA},
            },
            "id": INSTAGRAM_ID,
        },
    )

    extra = about(MEDIA) | {"mention": True}
    details = instagram.adapter.fetch_details(instagram, COMMENT, extra)

    assert details == Details(
        comment={"like_count": 2, "post_id": MEDIA},
        sent_at=WRITTEN_AT,
        content="look at @tilila",
        author=("", "ana", ""),
    )
    fields = asked.calls[0].request.params["fields"]  # type: ignore[attr-defined]
    assert fields.startswith(f"mentioned_comment.comment_id({COMMENT}){{id,text,")


@responses.activate
def test_a_mention_in_a_caption_as_it_was_recorded(instagram: Channel) -> None:
    sample = json.loads((ANSWERS / "instagram-get-mentioned-media.json").read_text())
    responses.get(f"{INSTAGRAM}/{INSTAGRAM_ID}", json=sample)

    extra = about(MEDIA) | {"mention": True}
    details = instagram.adapter.fetch_details(instagram, f"mention:{MEDIA}", extra)

    assert details == Details(
        comment={
            "media": {
                "id": "14121017096590009",
                "type": "IMAGE",
                "caption": "Order arrived, love it",
            }
        },
        content="Order arrived, love it",
    )


@responses.activate
def test_a_page_comment_with_the_post_below_which_it_stands(
    messenger: Channel,
) -> None:
    responses.get(
        f"{FACEBOOK}/{PAGE_COMMENT}",
        json={
            "id": PAGE_COMMENT,
            "message": "still open?",
            "from": {"id": "7701", "name": "Ana"},
            "created_time": "2026-11-20T09:30:00+0000",
            "permalink_url": "https://www.facebook.com/c",
            "can_comment": True,
            "can_hide": True,
            "can_remove": False,
            "can_reply_privately": True,
            "is_hidden": False,
            "like_count": 1,
        },
    )
    responses.get(
        f"{FACEBOOK}/{POST}",
        json={
            "id": POST,
            "message": "We are here",
            "permalink_url": "https://www.facebook.com/p",
            "full_picture": "https://scontent.fbcdn.net/p.jpg",
        },
    )

    details = messenger.adapter.fetch_details(messenger, PAGE_COMMENT, about(POST))

    assert details == Details(
        comment={
            "permalink": "https://www.facebook.com/c",
            "media": {
                "id": POST,
                "url": "https://www.facebook.com/p",
                "thumbnail": "https://scontent.fbcdn.net/p.jpg",
                "caption": "We are here",
            },
            "like_count": 1,
            "hidden": False,
            "can_hide": True,
            "can_delete": False,
            "can_reply": True,
            "can_reply_privately": True,
        },
        sent_at=WRITTEN_AT,
        content="still open?",
        author=("7701", "", "Ana"),
    )


@responses.activate
def test_a_post_that_cannot_be_read_hides_no_comment(messenger: Channel) -> None:
    responses.get(f"{FACEBOOK}/{PAGE_COMMENT}", json={"message": "still open?"})
    responses.get(f"{FACEBOOK}/{POST}", json=GONE, status=400)

    details = messenger.adapter.fetch_details(messenger, PAGE_COMMENT, about(POST))

    assert details == Details(content="still open?")


@responses.activate
def test_a_visitors_post(messenger: Channel) -> None:
    responses.get(
        f"{FACEBOOK}/{POST}",
        json={
            "id": POST,
            "message": "Where are you?",
            "from": {"id": "7701", "name": "Ana"},
            "created_time": "2026-11-20T09:30:00+0000",
            "permalink_url": "https://www.facebook.com/p",
        },
    )

    extra = about(POST, is_post=True)
    details = messenger.adapter.fetch_details(messenger, POST, extra)

    assert details.comment == {"permalink": "https://www.facebook.com/p"}
    assert details.author == ("7701", "", "Ana")


@responses.activate
def test_a_mention_below_a_strangers_post_is_never_taken_for_deleted(
    messenger: Channel,
) -> None:
    responses.get(f"{FACEBOOK}/{PAGE_COMMENT}", json=GONE, status=400)

    extra = about("4711_12") | {"mention": True}
    with pytest.raises(SendError):
        messenger.adapter.fetch_details(messenger, PAGE_COMMENT, extra)
