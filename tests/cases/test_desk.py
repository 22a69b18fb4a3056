"""Complaints about what agents see and do when they answer."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from playwright.sync_api import Route, expect

from inbox.channels import (
    Accepted,
    ErrorClass,
    Limits,
    MediaLimit,
    OutgoingMessage,
    SendError,
    TextLimit,
)
from inbox.delivery import deliver_next
from inbox.models import Agent, Channel, Conversation, Message
from tests.browser.conftest import OpenPage, browser, open_page
from tests.conftest import make_commenter, make_conversation
from tests.fakes import FakeAdapter
from tests.files import MP4, PDF, picture, voice
from tests.inbox.pages.conftest import HTMX

__all__ = ["browser", "open_page"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def htmx(agent: Agent) -> Client:
    client = Client(headers=HTMX)
    client.force_login(agent)
    return client


@pytest.fixture
def api() -> Client:
    out = StringIO()
    call_command("create_api_key", "Shop website", stdout=out)
    return Client(headers={"Authorization": f"Bearer {out.getvalue().strip()}"})


@pytest.fixture
def takes_pictures(fake_adapter: FakeAdapter) -> FakeAdapter:
    fake_adapter.limits = Limits(
        text=TextLimit(1000, "bytes"),
        comment_text=TextLimit(1000, "characters"),
        media={"image": MediaLimit(100_000, frozenset({"image/png"}))},
    )
    return fake_adapter


def composer_of(client: Client, conversation: Conversation) -> str:
    url = f"/inbox/c/{conversation.pk}/composer/?view=all"
    return client.get(url).content.decode()


def send(client: Client, conversation: Conversation, **fields: Any) -> Any:
    url = f"/inbox/c/{conversation.pk}/messages/?view=all"
    return client.post(url, {"content": "", **fields})


# --- 26: the label and the rule --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrote", "features", "words", "status"),
    [
        (timedelta(hours=23), ["human_agent"], "Window closes at", 200),
        (timedelta(hours=25), ["human_agent"], "A person may still answer until", 200),
        (timedelta(days=8), ["human_agent"], "up to 7 days when a person", 422),
        (timedelta(hours=25), [], "allows replies for 24 hours", 422),
    ],
)
@pytest.mark.parametrize("kind", ["instagram", "messenger"])
def test_case_26_the_composer_says_what_the_send_would_say(
    htmx: Client,
    request: pytest.FixtureRequest,
    kind: str,
    wrote: timedelta,
    features: list[str],
    words: str,
    status: int,
) -> None:
    channel: Channel = request.getfixturevalue(kind)
    Channel.objects.update(features=features)
    channel.refresh_from_db()
    conversation = make_conversation(channel, wrote=wrote)

    assert words in composer_of(htmx, conversation)
    assert send(htmx, conversation, content="Hello").status_code == status


# --- 28: no silent drop ----------------------------------------------------------------------------


def test_case_28_a_closed_composer_explains_itself_and_loses_no_text(
    htmx: Client, messenger: Channel
) -> None:
    conversation = make_conversation(messenger, wrote=timedelta(days=8))

    html = composer_of(htmx, conversation)
    for way_on in ("Write a note", "Open in Messenger"):
        assert way_on in html
    answer = send(htmx, conversation, content="A long letter")

    assert answer.status_code == 422
    html = answer.content.decode()
    assert "The reply window is closed: the customer has to write first." in html
    assert "A long letter" in html
    assert not conversation.messages.exists()


# --- 30: the private reply, before the click ---------------------------------------------------------


@pytest.mark.parametrize("kind", ["instagram", "messenger"])
def test_case_30_a_private_reply_is_offered_by_its_own_rule(
    agent_client: Client, request: pytest.FixtureRequest, kind: str
) -> None:
    comment = make_commenter(request.getfixturevalue(kind), ago=timedelta(days=6))
    conversation = comment.conversation
    page = f"/inbox/all/c/{conversation.pk}/"

    html = agent_client.get(page).content.decode()
    assert f"mode=private&amp;about={comment.pk}" in html
    assert "One private reply to this comment is possible until" in html
    agent_client.post(
        f"/inbox/comments/{comment.pk}/reply/private/?view=all",
        {"content": "Here you are", "key": "k"},
    )

    html = agent_client.get(page).content.decode()
    assert "Answered in private on" in html
    assert f"mode=private&amp;about={comment.pk}" not in html
    assert Message.objects.get(is_private_reply=True).reply_to == comment


def test_case_30_after_seven_days_it_is_said_before_anybody_writes(
    agent_client: Client, instagram: Channel
) -> None:
    comment = make_commenter(instagram, ago=timedelta(days=7, minutes=1))
    url = f"/inbox/all/c/{comment.conversation.pk}/"

    html = agent_client.get(url).content.decode()

    assert "Older than 7 days: too late for a private answer." in html
    assert "mode=private" not in html


# --- 33, 34: a reason in words, and a way to try again -----------------------------------------------


def test_case_33_a_failure_is_a_sentence_and_a_code_on_the_bubble_and_in_the_api(
    agent_client: Client,
    api: Client,
    conversation: Conversation,
    fake_adapter: FakeAdapter,
) -> None:
    def refuse(message: OutgoingMessage) -> Accepted:
        raise SendError(
            ErrorClass.UNAVAILABLE, "This person cannot be reached.", code="551"
        )

    fake_adapter.answer = refuse
    send(agent_client, conversation, content="Hello", key="k")
    deliver_next(conversation.pk)

    html = agent_client.get(f"/inbox/all/c/{conversation.pk}/").content.decode()
    assert "Not sent. This person cannot be reached." in html
    assert ">551</bdi>" in html
    (message,) = api.get(f"/v1/conversations/{conversation.pk}/messages").json()["data"]
    assert message["error"] == {
        "class": "unavailable",
        "code": "551",
        "detail": "This person cannot be reached.",
    }


def test_case_34_trying_again_keeps_the_bubble_and_its_key(
    htmx: Client, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    accept = fake_adapter.answer

    def refuse(message: OutgoingMessage) -> Accepted:
        raise SendError(ErrorClass.BAD_REQUEST, "No.", code="100")

    fake_adapter.answer = refuse
    send(htmx, conversation, content="Hello", key="k")
    deliver_next(conversation.pk)
    message = conversation.messages.get()
    fake_adapter.answer = accept

    htmx.post(f"/inbox/messages/{message.pk}/retry/?view=all")
    deliver_next(conversation.pk)

    again = conversation.messages.get()
    assert (again.pk, again.client_key, again.status) == (message.pk, "k", "sent")


# --- 35: several files -------------------------------------------------------------------------------


def files(*names: str) -> list[SimpleUploadedFile]:
    return [
        SimpleUploadedFile(name, picture(size=(8 + number, 8)))
        for number, name in enumerate(names)
    ]


def test_case_35_every_file_and_the_words_are_parts_that_leave_in_order(
    htmx: Client, conversation: Conversation, takes_pictures: FakeAdapter
) -> None:
    names = ["one.png", "two.png", "three.png"]

    send(htmx, conversation, content="All three", key="k", files=files(*names))
    deliver_next(conversation.pk)

    sent = [one.media.name if one.media else one.text for one in takes_pictures.sent]
    assert sent == [*names, "All three"]
    assert set(conversation.messages.values_list("status", flat=True)) == {"sent"}


def test_case_35_a_part_that_fails_says_so_itself_and_stops_those_behind_it(
    htmx: Client, conversation: Conversation, takes_pictures: FakeAdapter
) -> None:
    accept = takes_pictures.answer

    def refuse_second(message: OutgoingMessage) -> Accepted:
        if message.media and message.media.name == "two.png":
            raise SendError(ErrorClass.BAD_REQUEST, "It could not be read.", code="100")
        return accept(message)

    takes_pictures.answer = refuse_second
    send(
        htmx,
        conversation,
        content="Both",
        key="k",
        files=files("one.png", "two.png"),
    )
    deliver_next(conversation.pk)

    first, second, words = conversation.messages.order_by("pk")
    assert [one.status for one in (first, second, words)] == [
        "sent",
        "failed",
        "failed",
    ]
    html = htmx.get(f"/inbox/c/{conversation.pk}/messages/?view=all").content.decode()
    assert "Not sent. It could not be read." in html
    assert "Not sent. A part before it could not be sent." in html


# --- 36: one table -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "name", "words"),
    [
        ("instagram", voice(), "note.wav", ""),
        ("instagram", PDF, "invoice.pdf", ""),
        ("messenger", PDF, "invoice.pdf", ""),
        ("instagram", b"PK\x03\x04" + bytes(60), "all.zip", "takes files as PDF"),
        ("instagram", b"OggS" + bytes(60), "voice.ogg", "takes sound as"),
        (
            "instagram",
            MP4 + bytes(26 * 1024**2),
            "unboxing.mp4",
            "Instagram takes videos up to 25 MB, this is 26.1 MB.",
        ),
    ],
)
def test_case_36_a_file_is_checked_before_it_is_queued(
    htmx: Client,
    request: pytest.FixtureRequest,
    kind: str,
    data: bytes,
    name: str,
    words: str,
) -> None:
    conversation = make_conversation(request.getfixturevalue(kind))

    answer = send(htmx, conversation, key="k", files=[SimpleUploadedFile(name, data)])

    assert answer.status_code == (422 if words else 200)
    assert words in answer.content.decode()
    assert conversation.messages.exists() is not bool(words)


@pytest.mark.parametrize(
    ("kind", "text", "status"),
    [
        ("instagram", "é" * 500, 200),
        ("instagram", "é" * 501, 422),
        ("messenger", "é" * 2000, 200),
        ("messenger", "é" * 2001, 422),
    ],
)
def test_case_36_composer_and_api_count_alike(
    htmx: Client,
    api: Client,
    request: pytest.FixtureRequest,
    kind: str,
    text: str,
    status: int,
) -> None:
    conversation = make_conversation(request.getfixturevalue(kind))

    by_agent = send(htmx, conversation, content=text, key="k")
    by_api = api.post(
        f"/v1/conversations/{conversation.pk}/messages",
        {"content": text},
        content_type="application/json",
    )

    assert by_agent.status_code == status
    assert by_api.status_code == (201 if status == 200 else 422)


def test_case_36_the_picker_knows_the_same_table(
    htmx: Client, instagram: Channel
) -> None:
    html = composer_of(htmx, make_conversation(instagram))

    accepted = re.search(r'accept="([^"]*)"', html)
    assert accepted
    types = set().union(*(one.types for one in instagram.adapter.limits.media.values()))
    assert set(accepted[1].split(",")) == types
    assert 'data-limit="1000"' in html


# --- 37: waiting for the storage -----------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_case_37_a_thumbnail_that_is_not_there_yet_is_asked_for_again(
    open_page: OpenPage,
    agent: Agent,
    conversation: Conversation,
    takes_pictures: FakeAdapter,
) -> None:
    page = open_page(agent, f"/inbox/all/c/{conversation.pk}/")
    asked: list[str] = []

    def be_late_once(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=404)
        else:
            route.continue_()

    page.route(re.compile(r"/inbox/(thumbnails|files)/"), be_late_once)
    page.locator("#composer-input").set_input_files(
        [{"name": "red.png", "mimeType": "image/png", "buffer": picture()}]
    )
    page.get_by_role("button", name="Send").click()

    thumbnail = page.locator("#msgs .dx-photo img")
    expect(thumbnail).to_have_attribute("src", re.compile(r"try=1$"))
    expect(thumbnail).to_be_visible()
    assert len(asked) == 2


# --- 38: a click on a weak connection --------------------------------------------------------------


def test_case_38_one_composed_reply_posted_twice_is_one_message(
    htmx: Client, conversation: Conversation, takes_pictures: FakeAdapter
) -> None:
    for _ in range(2):
        send(htmx, conversation, content="Once", key="k", files=files("one.png"))
    deliver_next(conversation.pk)

    assert len(takes_pictures.sent) == 2
