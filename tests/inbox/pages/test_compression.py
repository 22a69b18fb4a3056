"""What travels compressed, and what does not."""

from __future__ import annotations

import gzip

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from inbox.models import Attachment, Conversation
from tests.files import picture
from tests.inbox.pages.conftest import Say

GZIP = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize("path", ["/inbox/all/", "/static/css/inbox.css"])
def test_text_travels_compressed(agent_client: Client, path: str) -> None:
    response = agent_client.get(path, headers=GZIP)
    body = (
        b"".join(response.streaming_content) if response.streaming else response.content
    )

    assert response["Content-Encoding"] == "gzip"
    assert len(body) * 3 < len(gzip.decompress(body))


def test_whoever_cannot_read_it_compressed_gets_it_plain(agent_client: Client) -> None:
    response = agent_client.get("/inbox/all/")

    assert "Content-Encoding" not in response
    assert "Accept-Encoding" in response["Vary"]


def test_a_picture_travels_as_it_is(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "", type="image")
    attachment = Attachment(
        message=message, kind="image", mime_type="image/png", state="stored"
    )
    attachment.file.save("photo.png", ContentFile(picture()))
    address = f"/inbox/files/{attachment.pk}/photo.png"

    whole = agent_client.get(address, headers=GZIP)
    part = agent_client.get(address, headers=GZIP | {"Range": "bytes=0-9"})

    assert "Content-Encoding" not in whole
    assert part.status_code == 206
    assert len(b"".join(part.streaming_content)) == 10
