"""What the pretend Meta posts: its bytes, its signatures, and that Dexra takes every act."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from django.utils.timezone import now

from channels_meta.models import RawEvent
from channels_meta.processing import drain
from channels_meta.sandbox import webhooks
from channels_meta.sandbox.models import SandboxPerson
from inbox.models import Message
from tests.channels_meta.sandbox.conftest import wrote

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_body_is_escaped_as_meta_escapes_it() -> None:
    assert webhooks.encode({"text": "é/👍"}) == b'{"text":"\\u00e9\\/\\ud83d\\udc4d"}'


def test_both_signatures_are_over_the_exact_bytes(person: SandboxPerson) -> None:
    body = webhooks.encode({"text": "é/👍"})
    is_instagram = person.channel.kind == "instagram"
    secret = b"instagram-app-secret" if is_instagram else b"app-secret"

    assert webhooks.sign(person.account, body) == {
        "X-Hub-Signature-256": "sha256="
        + hmac.new(secret, body, hashlib.sha256).hexdigest(),
        "X-Hub-Signature": "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest(),
    }


def test_the_journal_has_the_bytes_that_were_signed(person: SandboxPerson) -> None:
    message = wrote(person, "é/👍")

    body = bytes(RawEvent.objects.get().body)
    assert body == webhooks.encode(json.loads(body))
    assert Message.objects.get(external_id=message.mid).content == "é/👍"


def test_every_act_is_understood(person: SandboxPerson) -> None:
    mid, at, url = wrote(person).mid, now(), "https://cdn.example.com/1.png"
    bodies = [
        webhooks.build_message(person, mid="p1", at=at, media=("image", url)),
        webhooks.build_message(person, mid="p2", at=at, text="b", reply_to=mid),
        webhooks.build_message(person, mid="p3", at=at, text="c", story_url=url),
        webhooks.build_message(person, mid="p4", at=at, media=("story_mention", url)),
        webhooks.build_echo(person, mid="p5", at=at, text="d", metadata="x"),
        webhooks.build_reaction(person, mid="p5", at=at, emoji="❤️"),
        webhooks.build_reaction(person, mid="p5", at=now(), emoji=""),
        webhooks.build_read(person, mid="p5", at=at),
        webhooks.build_postback(person, mid="p6", at=at, title="Go", payload="GO"),
        webhooks.build_comment(person, comment_id="9_1", post_id="9", at=at, text="e"),
        webhooks.build_unsend(person, mid=mid, at=at),
    ]

    statuses = {webhooks.post(person.account, body) for body in bodies}
    drain()

    assert statuses == {200}
    assert set(RawEvent.objects.values_list("state", flat=True)) == {"processed"}
    outcomes = RawEvent.objects.order_by("pk").values_list("outcomes", flat=True)
    assert [name for names in outcomes for name in names] == [
        *["message"] * 5,
        "echo",
        "reaction",
        "reaction",
        "read",
        "postback",
        "comment",
        "unsend",
    ]


def test_messenger_reports_what_was_delivered(person: SandboxPerson) -> None:
    body = webhooks.build_delivery(person, mids=["m_1"], at=now())

    (item,) = body["entry"][0]["messaging"]
    assert item["delivery"]["mids"] == ["m_1"]
    assert item["delivery"]["watermark"] == item["timestamp"]
