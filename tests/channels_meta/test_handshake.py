"""Meta asks whether we are who it thinks."""

import pytest
from django.test import Client

ASK = {
    "hub.mode": "subscribe",
    "hub.challenge": "1158201444",
    "hub.verify_token": "verify-me",
}


def test_the_right_token_gets_its_challenge_back(client: Client) -> None:
    answer = client.get("/meta/webhook", ASK)

    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert answer["Content-Type"] == "text/plain"


def test_a_wrong_token_is_refused(client: Client) -> None:
    assert (
        client.get("/meta/webhook", ASK | {"hub.verify_token": "guess"}).status_code
        == 403
    )


@pytest.mark.parametrize("missing", list(ASK))
def test_a_missing_parameter_is_a_bad_request(client: Client, missing: str) -> None:
    parameters = {key: value for key, value in ASK.items() if key != missing}

    assert client.get("/meta/webhook", parameters).status_code == 400


def test_no_html_is_echoed(client: Client) -> None:
    assert (
        client.get("/meta/webhook", ASK | {"hub.challenge": "<b>1</b>"}).status_code
        == 400
    )
