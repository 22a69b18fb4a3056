"""Cases 37, 41, 42 and 43: files that Meta can fetch, that appear, disappear, and are kept or not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import responses
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.timezone import now

from channels_meta.processing import drain
from inbox import live
from inbox.fetching import fetch_due
from inbox.media import public_url, store_upload
from inbox.models import Agent, Attachment, Channel, Conversation, Fetch, Message
from tests import files
from tests.conftest import INSTAGRAM_ID, Meta, said, wait_until

PHOTO = "https://scontent.xx.fbcdn.net/v/photo?oh=1&oe=2"
STORY = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=18040001&signature=x"


@pytest.fixture
def cdn() -> Iterator[responses.RequestsMock]:
    """Meta's file server, and no other part of Meta."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as faked:
        faked.add_passthru("http://127.0.0.1")
        yield faked


def sent(mid: str, *attachments: dict[str, Any], **more: Any) -> dict[str, Any]:
    item = said("", mid, attachments=list(attachments), **more)
    del item["message"]["text"]
    return item


def photo(url: str = PHOTO) -> dict[str, Any]:
    return {"type": "image", "payload": {"url": url}}


def thread(client: Client, conversation: Conversation) -> str:
    return client.get(f"/inbox/all/c/{conversation.pk}/").content.decode()


# --- 37 ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_case_37_meta_fetches_what_an_agent_sends_without_redirect_for_hours(
    asgi_server: str, messenger: Channel, meta: Meta
) -> None:
    meta.messaging(said("Do you have it in blue?", "m_1"))
    drain()
    conversation = Conversation.objects.get()
    body = files.picture("PNG", (900, 600))
    stored = store_upload(SimpleUploadedFile("blue.png", body))
    message = Message.objects.create(
        conversation=conversation,
        channel=messenger,
        direction="out",
        source="agent",
        status="queued",
        type="image",
        sent_at=now(),
    )
    attachment = Attachment.objects.create(message=message, **stored.fields())

    url = public_url(attachment)

    answer = requests.get(url, allow_redirects=False, timeout=5)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["Content-Type"] == "image/png"
    again = requests.get(url, headers={"Range": "bytes=0-99"}, timeout=5)
    assert (again.status_code, again.content) == (206, body[:100])


@pytest.mark.django_db(transaction=True)
def test_case_37_a_photo_is_shown_from_meta_until_our_copy_is_there(
    meta: Meta, messenger: Channel, agent_client: Client, cdn: Any
) -> None:
    meta.messaging(sent("m_1", photo()))
    drain()
    conversation = Conversation.objects.get()
    assert 'src="https://scontent.xx.fbcdn.net/v/photo' in thread(
        agent_client, conversation
    )

    cdn.get(PHOTO, status=503)
    fetch_due()
    assert "scontent.xx.fbcdn.net" in thread(agent_client, conversation)

    cdn.replace("GET", PHOTO, body=files.picture("JPEG", (1200, 900)))
    Fetch.objects.update(due_at=now())
    fetch_due()

    page = thread(agent_client, conversation)
    attachment = Attachment.objects.get()
    assert f'src="/inbox/thumbnails/{attachment.pk}"' in page
    assert f'href="/inbox/files/{attachment.pk}/' in page
    assert "scontent.xx.fbcdn.net" not in page
    assert not Fetch.objects.filter(kind="media").exists()


# --- 41 ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_case_41_a_photo_appears_in_open_pages_without_reload(
    meta: Meta, messenger: Channel, agent_client: Client, cdn: Any
) -> None:
    meta.messaging(sent("m_1", photo()))
    drain()
    conversation = Conversation.objects.get()
    cdn.get(PHOTO, body=files.picture())
    before = live.position()

    fetch_due()

    assert live.position() != before
    fragments = agent_client.get(
        f"/inbox/c/{conversation.pk}/messages/?since={conversation.revision}",
        headers={"HX-Request": "true"},
    ).content.decode()
    assert f"/inbox/thumbnails/{Attachment.objects.get().pk}" in fragments


@pytest.mark.django_db(transaction=True)
def test_case_41_what_meta_no_longer_serves_has_a_look_of_its_own(
    meta: Meta, messenger: Channel, agent_client: Client, cdn: Any
) -> None:
    meta.messaging(sent("m_1", photo()))
    drain()
    cdn.get(PHOTO, status=403, body="URL signature expired")

    fetch_due()

    page = thread(agent_client, Conversation.objects.get())
    assert "Photo: no longer available" in page
    assert "scontent.xx.fbcdn.net" not in page


@pytest.mark.django_db(transaction=True)
def test_case_41_a_story_is_a_link_while_it_lives_and_a_word_afterwards(
    meta: Meta, instagram: Channel, agent_client: Client, cdn: Any
) -> None:
    mention = {"type": "story_mention", "payload": {"url": STORY}}
    meta.messaging(sent("aWdf1", mention, account=INSTAGRAM_ID), kind="instagram")
    drain()
    conversation = Conversation.objects.get()
    assert "lookaside.fbsbx.com" in thread(agent_client, conversation)

    Attachment.objects.update(remote_url_expires_at=now() - timedelta(minutes=1))

    page = thread(agent_client, conversation)
    assert "lookaside.fbsbx.com" not in page
    assert "The story has expired" in page


# --- 42 ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_case_42_an_unsent_photo_is_gone_everywhere_at_once(
    meta: Meta,
    messenger: Channel,
    agent_client: Client,
    client: Client,
    cdn: Any,
    eager: None,
) -> None:
    cdn.get(PHOTO, body=files.picture())
    # What is rung runs in the thread that rang: the server's may be ahead of this one.
    meta.messaging(sent("m_1", photo()))
    drain()
    fetch_due()
    attachment = wait_until(Attachment.objects.filter(state="stored").first)
    public = urlsplit(public_url(attachment)).path
    own = f"/inbox/files/{attachment.pk}/a.png"
    assert agent_client.get(own).status_code == 200
    assert default_storage.exists(attachment.file.name)

    meta.messaging(sent("m_1", is_deleted=True))
    drain()

    wait_until(lambda: not Attachment.objects.exists())
    for stored in (attachment.file, attachment.thumbnail):
        wait_until(lambda name=stored.name: not default_storage.exists(name))
    for address in (own, f"/inbox/thumbnails/{attachment.pk}"):
        assert agent_client.get(address).status_code == 404
    assert client.get(public).status_code == 404
    page = thread(agent_client, Conversation.objects.get())
    assert "/inbox/files/" not in page
    assert "scontent.xx.fbcdn.net" not in page


@pytest.mark.django_db(transaction=True)
def test_case_42_a_photo_that_is_unsent_before_it_was_copied_is_never_copied(
    meta: Meta, messenger: Channel, cdn: Any, eager: None
) -> None:
    copied = cdn.get(PHOTO, body=files.picture())
    # In one body: each may be drained by itself, and copied, as soon as it is in.
    meta.messaging(sent("m_1", photo()), sent("m_1", is_deleted=True))
    drain()

    fetch_due()

    assert copied.call_count == 0
    assert not Attachment.objects.exists()


# --- 43 ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_case_43_an_account_may_be_set_to_keep_no_copies(
    meta: Meta, messenger: Channel, agent_client: Client, cdn: Any
) -> None:
    Channel.objects.update(stores_media=False)
    copied = cdn.get(PHOTO, body=files.picture())
    meta.messaging(sent("m_1", photo()))
    drain()

    fetch_due()

    assert copied.call_count == 0
    assert Attachment.objects.get().state == "remote"
    page = thread(agent_client, Conversation.objects.get())
    assert 'src="https://scontent.xx.fbcdn.net/v/photo' in page


def test_case_43_the_policy_is_a_switch_of_the_account(
    messenger: Channel, agent: Agent, client: Client
) -> None:
    agent.is_superuser = True
    agent.save()
    client.force_login(agent)

    page = client.get(f"/admin/inbox/channel/{messenger.pk}/change/").content.decode()

    assert 'name="stores_media"' in page
    assert "Stories are never copied." in page


@pytest.mark.django_db(transaction=True)
def test_case_43_a_copy_that_was_asked_for_before_is_not_made_after(
    meta: Meta, messenger: Channel, cdn: Any
) -> None:
    copied = cdn.get(PHOTO, body=files.picture())
    meta.messaging(sent("m_1", photo()))
    drain()
    Channel.objects.update(stores_media=False)

    fetch_due()

    assert copied.call_count == 0
    assert not Fetch.objects.filter(kind="media").exists()


@pytest.mark.django_db(transaction=True)
def test_case_43_by_default_direct_messages_are_copied_and_stories_are_not(
    meta: Meta, instagram: Channel, cdn: Any
) -> None:
    photos, stories = cdn.get(PHOTO, body=files.picture()), cdn.get(STORY, body=b"x")
    mention = {"type": "story_mention", "payload": {"url": STORY}}
    meta.messaging(
        sent("aWdf1", photo(), account=INSTAGRAM_ID),
        sent("aWdf2", mention, account=INSTAGRAM_ID),
        kind="instagram",
    )
    drain()

    fetch_due()

    assert (photos.call_count, stories.call_count) == (1, 0)
    states = dict(Attachment.objects.values_list("kind", "state"))
    assert states == {"image": "stored", "story_mention": "remote"}
