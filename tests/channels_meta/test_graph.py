"""The Graph API client: what we say to Meta, and what its answers mean."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses

from channels_meta.graph import GraphClient
from inbox.channels import (
    ErrorClass,
    OutgoingMedia,
    OutgoingMessage,
    SendError,
    WindowKind,
)
from inbox.models import Channel
from tests.conftest import INSTAGRAM_ID, PAGE_ID

pytestmark = pytest.mark.django_db
PAGE_URL = f"https://graph.facebook.com/v26.0/{PAGE_ID}/messages"
INSTAGRAM_URL = f"https://graph.instagram.com/v26.0/{INSTAGRAM_ID}/messages"
ACCEPTED = {"recipient_id": "7701", "message_id": "m_C3"}


def hello(**more: Any) -> OutgoingMessage:
    values = {
        "recipient_id": "7701",
        "window": WindowKind.OPEN,
        "reference": "dx:1",
        "text": "Hi",
    }
    return OutgoingMessage(**(values | more))


def refused(channel: Channel) -> SendError:
    with pytest.raises(SendError) as caught:
        channel.adapter.send(channel, hello())
    return caught.value


@responses.activate
def test_messenger_is_sent_a_response_with_our_mark(messenger: Channel) -> None:
    sent = responses.post(PAGE_URL, json=ACCEPTED)

    accepted = messenger.adapter.send(messenger, hello(reply_to="m_A9"))

    request = sent.calls[0].request
    assert accepted.external_id == "m_C3"
    assert json.loads(request.body or "") == {
        "recipient": {"id": "7701"},
        "messaging_type": "RESPONSE",
        "message": {"text": "Hi", "metadata": "dx:1"},
        "reply_to": {"mid": "m_A9"},
    }


@responses.activate
def test_the_token_travels_as_a_header_with_a_proof(messenger: Channel) -> None:
    sent = responses.post(PAGE_URL, json=ACCEPTED)

    messenger.adapter.send(messenger, hello())

    request = sent.calls[0].request
    proof = hmac.new(b"app-secret", b"token-of-tests", hashlib.sha256).hexdigest()
    assert request.headers["Authorization"] == "Bearer token-of-tests"
    assert "token-of-tests" not in (request.url or "")
    assert request.params == {"appsecret_proof": proof}  # type: ignore[attr-defined]


@responses.activate
def test_instagram_login_talks_to_its_own_host_without_metadata(
    instagram: Channel,
) -> None:
    sent = responses.post(INSTAGRAM_URL, json=ACCEPTED)

    instagram.adapter.send(instagram, hello())

    request = sent.calls[0].request
    assert json.loads(request.body or "")["message"] == {"text": "Hi"}
    assert request.params == {}  # type: ignore[attr-defined]


@responses.activate
def test_a_file_goes_by_its_address(messenger: Channel) -> None:
    sent = responses.post(PAGE_URL, json=ACCEPTED)

    picture = OutgoingMedia("image", "https://shop.example.com/1.png")
    messenger.adapter.send(messenger, hello(text="", media=picture))

    assert json.loads(sent.calls[0].request.body or "")["message"]["attachment"] == {
        "type": "image",
        "payload": {"url": "https://shop.example.com/1.png"},
    }


@responses.activate
def test_a_late_reply_of_a_person_carries_the_human_agent_tag(
    messenger: Channel,
) -> None:
    sent = responses.post(PAGE_URL, json=ACCEPTED)

    messenger.adapter.send(messenger, hello(window=WindowKind.HUMAN_AGENT))

    body = json.loads(sent.calls[0].request.body or "")
    assert (body["messaging_type"], body["tag"]) == ("MESSAGE_TAG", "HUMAN_AGENT")


@pytest.mark.parametrize(("http", "meaning"), [(500, ErrorClass.UNCERTAIN), (502, ErrorClass.UNCERTAIN),
                                               (429, ErrorClass.THROTTLED), (401, ErrorClass.RECONNECT),
                                               (302, ErrorClass.BAD_REQUEST)])  # fmt: skip
@responses.activate
def test_an_answer_that_is_no_envelope_is_read_by_its_status(
    messenger: Channel, http: int, meaning: ErrorClass
) -> None:
    responses.post(PAGE_URL, body="<html>", status=http)

    assert refused(messenger).error_class is meaning


@responses.activate
def test_a_success_without_a_message_id_is_uncertain(messenger: Channel) -> None:
    responses.post(PAGE_URL, json={"recipient_id": "7701"})

    assert refused(messenger).error_class is ErrorClass.UNCERTAIN


@pytest.mark.parametrize(
    ("failure", "meaning"),
    [
        (requests.exceptions.ConnectTimeout(), ErrorClass.NOT_TAKEN),
        (
            requests.exceptions.ConnectionError("NewConnectionError(refused)"),
            ErrorClass.NOT_TAKEN,
        ),
        (
            requests.exceptions.ConnectionError("RemoteDisconnected"),
            ErrorClass.UNCERTAIN,
        ),
        (requests.exceptions.ReadTimeout(), ErrorClass.UNCERTAIN),
        (requests.exceptions.ChunkedEncodingError(), ErrorClass.UNCERTAIN),
    ],
)
@responses.activate
def test_only_a_connection_that_never_was_is_certainly_not_taken(
    messenger: Channel, failure: Exception, meaning: ErrorClass
) -> None:
    responses.post(PAGE_URL, body=failure)

    assert refused(messenger).error_class is meaning


@responses.activate
def test_meta_says_how_long_to_wait(messenger: Channel) -> None:
    usage = {PAGE_ID: [{"type": "messenger", "estimated_time_to_regain_access": 19}]}
    responses.post(
        PAGE_URL,
        json={"error": {"message": "slow down", "code": 80006}},
        headers={"X-Business-Use-Case-Usage": json.dumps(usage)},
        status=400,
    )

    assert refused(messenger).retry_after == timedelta(minutes=19)


@pytest.mark.parametrize(
    "header", ["", "nonsense", "[1]", '{"1": "x"}', '{"1": [{"type": null}]}']
)
@responses.activate
def test_usage_headers_of_any_shape_break_nothing(
    messenger: Channel, header: str
) -> None:
    responses.post(
        PAGE_URL,
        json=ACCEPTED,
        headers={"X-Business-Use-Case-Usage": header, "X-App-Usage": header},
    )

    assert messenger.adapter.send(messenger, hello()).external_id == "m_C3"


def test_a_channel_without_a_token_needs_to_be_reconnected(messenger: Channel) -> None:
    messenger.meta.delete()
    messenger.refresh_from_db()

    assert refused(messenger).error_class is ErrorClass.RECONNECT


def test_no_token_is_ever_stored_plain(messenger: Channel) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select access_token from channels_meta_credential")
        (stored,) = cursor.fetchone()

    assert "token-of-tests" not in stored
    assert GraphClient(messenger.meta)
