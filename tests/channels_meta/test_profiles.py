"""Who a person is: what Meta tells, and the many ways in which it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import responses

from channels_meta.profiles import read_profile
from inbox.channels import ErrorClass, Profile, SendError
from inbox.models import Channel
from tests.conftest import INSTAGRAM_ID, PAGE_ID

pytestmark = pytest.mark.django_db
ANSWERS = Path(__file__).parent / "samples" / "answers"
FACEBOOK = "https://graph.facebook.com/v26.0"
INSTAGRAM = "https://graph.instagram.com/v26.0"


def refusal(code: int, subcode: int | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"message": "no", "type": "OAuthException", "code": code}
    if subcode:
        error["error_subcode"] = subcode
    return {"error": error}


def conversations(*people: dict[str, str]) -> dict[str, Any]:
    return {"data": [{"id": "t_1", "participants": {"data": list(people)}}]}


@responses.activate
def test_messenger_tells_a_name_and_a_picture(messenger: Channel) -> None:
    asked = responses.get(
        f"{FACEBOOK}/7701",
        json={
            "first_name": "Salma",
            "last_name": "El Idrissi",
            "profile_pic": "https://scontent.fbcdn.net/p.jpg",
            "id": "7701",
        },
    )

    profile = messenger.adapter.fetch_profile(messenger, "7701")

    assert profile == Profile(
        name="Salma El Idrissi", avatar_url="https://scontent.fbcdn.net/p.jpg"
    )
    fields = asked.calls[0].request.params["fields"]  # type: ignore[attr-defined]
    assert fields == "first_name,last_name,name,profile_pic,id"


@responses.activate
def test_instagram_tells_a_handle_and_who_follows_whom(instagram: Channel) -> None:
    responses.get(
        f"{INSTAGRAM}/6612",
        json={
            "name": None,
            "username": "ana",
            "profile_pic": None,
            "follower_count": 120,
            "is_verified_user": False,
            "is_user_follow_business": True,
            "is_business_follow_user": False,
            "id": "6612",
        },
    )

    assert instagram.adapter.fetch_profile(instagram, "6612") == Profile(
        username="ana",
        attributes={
            "follower_count": 120,
            "is_verified_user": False,
            "is_user_follow_business": True,
            "is_business_follow_user": False,
        },
    )


def test_a_recorded_profile_is_read_without_what_we_do_not_keep() -> None:
    answer = json.loads((ANSWERS / "messenger-get-user-profile.json").read_text())

    assert read_profile(answer) == Profile(
        name="Sara Ouali Marc Lefevre", avatar_url="http://shop.example.com"
    )


@responses.activate
@pytest.mark.parametrize(
    ("code", "subcode"),
    [(230, None), (100, 33), (2018218, None), (2018247, None), (9010, None)],
)
def test_a_normal_refusal_is_an_empty_profile(
    instagram: Channel, code: int, subcode: int | None
) -> None:
    responses.get(f"{INSTAGRAM}/6612", json=refusal(code, subcode), status=400)

    assert instagram.adapter.fetch_profile(instagram, "6612") == Profile()


@responses.activate
def test_a_page_without_the_feature_reads_the_name_among_the_participants(
    messenger: Channel,
) -> None:
    responses.get(f"{FACEBOOK}/7701", json=refusal(100, 33), status=400)
    asked = responses.get(
        f"{FACEBOOK}/{PAGE_ID}/conversations",
        json=conversations(
            {"id": "7701", "name": "Salma El Idrissi", "email": "7701@facebook.com"},
            {"id": PAGE_ID, "name": "Maison Tilila", "email": "x@facebook.com"},
        ),
    )

    profile = messenger.adapter.fetch_profile(messenger, "7701")

    assert profile == Profile(name="Salma El Idrissi")
    params = asked.calls[0].request.params  # type: ignore[attr-defined]
    assert (params["platform"], params["user_id"], params["fields"]) == (
        "messenger",
        "7701",
        "participants",
    )


@responses.activate
def test_nobody_at_all_knows_the_person(messenger: Channel) -> None:
    responses.get(f"{FACEBOOK}/7701", json=refusal(100, 33), status=400)
    responses.get(
        f"{FACEBOOK}/{PAGE_ID}/conversations", json=refusal(100, 33), status=400
    )

    assert messenger.adapter.fetch_profile(messenger, "7701") == Profile()


@responses.activate
@pytest.mark.parametrize(
    ("code", "meaning"),
    [(190, ErrorClass.RECONNECT), (4, ErrorClass.THROTTLED)],
)
def test_what_may_be_answered_another_time_is_no_answer(
    instagram: Channel, code: int, meaning: ErrorClass
) -> None:
    responses.get(f"{INSTAGRAM}/6612", json=refusal(code), status=400)

    with pytest.raises(SendError) as caught:
        instagram.adapter.fetch_profile(instagram, "6612")

    assert caught.value.error_class is meaning


@pytest.mark.parametrize("link", ["/relative.jpg", "https://x/" + "a" * 3000, 7, None])
def test_a_picture_that_cannot_be_kept_is_none(link: Any) -> None:
    assert read_profile({"name": "Ana", "profile_pic": link}).avatar_url == ""


def test_an_instagram_account_behind_a_page_is_asked_about_at_facebook(
    instagram: Channel,
) -> None:
    credential = instagram.meta
    credential.flavour, credential.node_id = "facebook", PAGE_ID
    credential.save()
    with responses.RequestsMock() as graph:
        graph.get(f"{FACEBOOK}/6612", json={"username": "ana", "id": "6612"})

        profile = instagram.adapter.fetch_profile(instagram, "6612")

    assert (profile.username, instagram.external_id) == ("ana", INSTAGRAM_ID)
