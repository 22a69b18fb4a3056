"""Files in an S3-like store: private, read in pieces, and its failures told as failures of files."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client

from dexra.settings import media_storage
from inbox.media import delete_files
from inbox.models import Attachment, Conversation, Message
from inbox.pages.downloads import file_url
from inbox.storage import BucketStorage

ADDRESS = "s3://tilila/dexra?endpoint=https://s3.example&region=eu-west-3"
KEY = {"Bucket": "tilila", "Key": "dexra/attachments/a.mp4"}


@pytest.fixture
def store(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """The store of MEDIA_STORAGE, whose answers a test says in advance."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    settings.STORAGES = settings.STORAGES | {"default": media_storage(ADDRESS)}
    storage = storages["default"]
    assert isinstance(storage, BucketStorage)
    with Stubber(storage.connection.meta.client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def film(conversation: Conversation) -> Attachment:
    message = Message.objects.create(
        conversation=conversation,
        channel=conversation.channel,
        direction="in",
        source="customer",
        status="received",
        type="video",
        sent_at=conversation.last_message_at,
    )
    return Attachment.objects.create(
        message=message,
        kind="video",
        mime_type="video/mp4",
        size=1000,
        file="attachments/a.mp4",
        state="stored",
    )


def streamed(body: bytes) -> dict[str, Any]:
    return {"Body": StreamingBody(BytesIO(body), len(body))}


def test_only_the_piece_that_was_asked_for_is_read_from_the_store(
    store: Stubber, film: Attachment, agent_client: Client
) -> None:
    store.add_response(
        "get_object", streamed(b"x" * 100), KEY | {"Range": "bytes=200-299"}
    )

    response = agent_client.get(file_url(film), headers={"Range": "bytes=200-299"})

    assert response.status_code == 206
    assert b"".join(response) == b"x" * 100
    assert response["Content-Range"] == "bytes 200-299/1000"


def test_the_store_is_read_through_us_without_redirect(
    store: Stubber, film: Attachment, agent_client: Client
) -> None:
    store.add_response(
        "get_object", streamed(b"x" * 1000), KEY | {"Range": "bytes=0-999"}
    )

    response = agent_client.get(file_url(film))

    assert (response.status_code, b"".join(response)) == (200, b"x" * 1000)
    assert response["Content-Type"] == "video/mp4"


def test_a_file_that_the_store_lost_is_not_found(
    store: Stubber, film: Attachment, agent_client: Client
) -> None:
    store.add_client_error("get_object", "NoSuchKey", http_status_code=404)

    assert agent_client.get(file_url(film)).status_code == 404


def test_a_store_that_is_away_is_no_missing_file(
    store: Stubber, film: Attachment, agent_client: Client
) -> None:
    store.add_client_error("get_object", "SlowDown", http_status_code=503)

    response = agent_client.get(file_url(film))

    assert (response.status_code, response["Retry-After"]) == (503, "10")


def test_files_are_written_private_and_deleted(store: Stubber) -> None:
    storage = storages["default"]
    store.add_response(
        "put_object",
        {},
        KEY | {"Body": ANY, "ContentType": "video/mp4", "ChecksumAlgorithm": ANY},
    )
    store.add_response("delete_object", {}, KEY)

    assert storage.save("attachments/a.mp4", ContentFile(b"x")) == "attachments/a.mp4"
    delete_files(["attachments/a.mp4"])


def test_what_cannot_be_deleted_now_is_left_to_the_sweeper(store: Stubber) -> None:
    store.add_client_error("delete_object", "SlowDown", http_status_code=503)

    delete_files(["attachments/a.mp4"])
