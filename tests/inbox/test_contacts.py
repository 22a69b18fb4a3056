"""What is kept of a person, handed out; and who may forget them, in the admin and by API."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.test import Client
from django.utils.timezone import now

from inbox.conversations import add_note
from inbox.exports import PAGE, export_contact
from inbox.models import (
    Agent,
    ApiKey,
    Attachment,
    Contact,
    Conversation,
    Erasure,
    Message,
    Reaction,
)

pytestmark = pytest.mark.django_db


def write(conversation: Conversation, content: str = "Hello", **fields: Any) -> Message:
    facts = {"direction": "in", "source": "customer", "status": "received", **fields}
    return Message.objects.create(
        conversation=conversation,
        channel_id=conversation.channel_id,
        content=content,
        **{"sent_at": now(), **facts},
    )


@pytest.fixture
def contact(conversation: Conversation) -> Contact:
    return conversation.identity.contact


@pytest.fixture
def key_client(db: None) -> Client:
    _row, key = ApiKey.issue("Desk")
    return Client(headers={"Authorization": f"Bearer {key}"})


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


# --- exports -------------------------------------------------------------------------------------


def test_an_export_tells_all_that_is_kept(
    conversation: Conversation, contact: Contact, agent: Agent, key_client: Client
) -> None:
    contact.email, contact.attributes = "salma@example.com", {"size": "M"}
    contact.save()
    asked = write(
        conversation, "Do you have it in blue? 💙", extra={"referral": {"ref": "w"}}
    )
    Reaction.objects.create(
        message=asked, actor="acc-1", emoji="❤", reacted_at=asked.sent_at
    )
    add_note(conversation=conversation, author=agent, content="Likes blue")

    answer = key_client.get(f"/v1/contacts/{contact.public_id}/export")

    assert answer["Content-Type"] == "application/json"
    assert f'filename="dexra-{contact.public_id}.json"' in answer["Content-Disposition"]
    told = json.loads(body_of(answer))
    assert told["contact"]["email"] == "salma@example.com"
    assert told["contact"]["attributes"] == {"size": "M"}
    (identity,) = told["identities"]
    assert (identity["id"], identity["name"]) == ("FAKE_person-1", "Salma El Idrissi")
    (thread,) = told["conversations"]
    assert thread["id"] == conversation.public_id
    question, note = thread["messages"]
    assert question["content"] == "Do you have it in blue? 💙"
    assert question["reactions"][0]["emoji"] == "❤"
    assert question["details"] == {"referral": {"ref": "w"}}
    assert (note["direction"], note["content"]) == ("note", "Likes blue")


def test_an_export_with_files_is_a_zip_that_holds_them(
    conversation: Conversation, contact: Contact, key_client: Client
) -> None:
    message = write(conversation, "", type="image")
    part = Attachment.objects.create(message=message, kind="image", title="Dress")
    part.file.save("attachments/x.jpg", ContentFile(b"jpeg bytes"))
    conversation.identity.avatar.save("avatars/s.webp", ContentFile(b"face"))

    answer = key_client.get(f"/v1/contacts/{contact.public_id}/export")

    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(BytesIO(body_of(answer))) as archive:
        assert archive.testzip() is None
        told = json.loads(archive.read("contact.json"))
        (attachment,) = told["conversations"][0]["messages"][0]["attachments"]
        assert archive.read(attachment["file"]) == b"jpeg bytes"
        assert archive.read(told["identities"][0]["avatar"]) == b"face"


def test_a_file_that_is_lost_does_not_spoil_the_export(
    conversation: Conversation, contact: Contact
) -> None:
    message = write(conversation, "", type="image")
    Attachment.objects.create(
        message=message, kind="image", file="attachments/gone.jpg"
    )

    export = export_contact(contact)

    with zipfile.ZipFile(BytesIO(b"".join(export.chunks))) as archive:
        assert archive.namelist() == ["contact.json"]


def test_a_long_history_is_exported_page_by_page_and_in_order(
    conversation: Conversation, contact: Contact
) -> None:
    moment = now() - timedelta(days=1)
    Message.objects.bulk_create(
        Message(
            conversation=conversation,
            channel_id=conversation.channel_id,
            direction="in",
            source="customer",
            status="received",
            content=str(number),
            sent_at=moment,  # all at once: only the id tells which comes first
        )
        for number in range(PAGE * 2 + 1)
    )

    told = json.loads(b"".join(export_contact(contact).chunks))

    contents = [one["content"] for one in told["conversations"][0]["messages"]]
    assert contents == [str(number) for number in range(PAGE * 2 + 1)]


def test_somebody_without_a_channel_is_exported_too(key_client: Client) -> None:
    contact = Contact.objects.create(name="Youssef", site_user_id="u-7")

    told = json.loads(
        body_of(key_client.get(f"/v1/contacts/{contact.public_id}/export"))
    )

    assert told["contact"]["site_user_id"] == "u-7"
    assert (told["identities"], told["conversations"]) == ([], [])


def test_a_key_reads_a_person(
    conversation: Conversation, contact: Contact, key_client: Client
) -> None:
    shown = key_client.get(f"/v1/contacts/{contact.public_id}").json()["data"]

    assert shown == {
        "id": contact.public_id,
        "name": "Salma El Idrissi",
        "email": None,
        "email_verified_at": None,
        "phone": None,
        "phone_verified_at": None,
        "site_user_id": None,
        "attributes": {},
        "identities": [
            {
                "id": "FAKE_person-1",
                "channel": "fake",
                "account_id": conversation.channel.public_id,
                "username": None,
                "name": "Salma El Idrissi",
            }
        ],
        "created_at": shown["created_at"],
        "erased_at": None,
    }


# --- the admin -----------------------------------------------------------------------------------


def allow(agent: Agent, *names: str) -> None:
    agent.user_permissions.add(*Permission.objects.filter(codename__in=names))


def address_of(contact: Contact, act: str) -> str:
    return f"/admin/inbox/contact/{contact.pk}/{act}/"


def test_an_admin_is_asked_before_a_person_is_erased(
    agent: Agent, agent_client: Client, contact: Contact
) -> None:
    allow(agent, "view_contact", "delete_contact")

    page = agent_client.get(address_of(contact, "erase")).content.decode()
    assert "Salma El Idrissi" in page
    assert not Erasure.objects.exists()

    answer = agent_client.post(address_of(contact, "erase"), follow=True)

    assert "1 person is erased" in answer.content.decode()
    erasure = Erasure.objects.get()
    assert (erasure.requested_by, erasure.finished_at is None) == (agent, False)
    contact.refresh_from_db()
    assert contact.name == ""


def test_several_people_are_erased_from_the_list(
    agent: Agent, agent_client: Client, contact: Contact
) -> None:
    allow(agent, "view_contact", "delete_contact")
    other = Contact.objects.create(name="Youssef")
    chosen = {"action": "erase", "_selected_action": [contact.pk, other.pk]}

    page = agent_client.post("/admin/inbox/contact/", chosen).content.decode()
    assert "Youssef" in page
    assert not Erasure.objects.exists()

    agent_client.post("/admin/inbox/contact/", {**chosen, "confirmed": "1"})

    assert not Contact.objects.exclude(name="").exists()
    assert Erasure.objects.count() == 2


def test_without_the_permission_nobody_is_erased_or_offered_to(
    agent: Agent, agent_client: Client, contact: Contact
) -> None:
    allow(agent, "view_contact")

    assert agent_client.post(address_of(contact, "erase")).status_code == 403
    page = agent_client.get(f"/admin/inbox/contact/{contact.pk}/change/")
    assert "Erase for good" not in page.content.decode()
    agent_client.post(
        "/admin/inbox/contact/",
        {"action": "erase", "_selected_action": [contact.pk], "confirmed": "1"},
    )
    assert not Erasure.objects.exists()


def test_an_agent_who_may_read_may_export(
    agent: Agent, agent_client: Client, conversation: Conversation, contact: Contact
) -> None:
    write(conversation, "Hello")
    assert agent_client.get(address_of(contact, "export")).status_code == 403
    allow(agent, "view_contact")

    answer = agent_client.get(address_of(contact, "export"))

    assert json.loads(body_of(answer))["conversations"][0]["messages"]
    page = agent_client.get(f"/admin/inbox/contact/{contact.pk}/change/")
    assert address_of(contact, "export") in page.content.decode()


def test_signed_out_nobody_gets_an_export(client: Client, contact: Contact) -> None:
    answer = client.get(address_of(contact, "export"))

    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]


@pytest.mark.parametrize("act", ["erase", "export"])
def test_there_is_nobody_by_that_number(
    act: str, agent: Agent, agent_client: Client
) -> None:
    allow(agent, "view_contact", "delete_contact")

    assert agent_client.get(f"/admin/inbox/contact/999999/{act}/").status_code == 404


def test_the_admin_lists_who_was_erased_and_by_whom(
    agent: Agent, agent_client: Client, contact: Contact
) -> None:
    allow(agent, "view_contact", "delete_contact", "view_erasure")
    agent_client.post(address_of(contact, "erase"))

    page = agent_client.get("/admin/inbox/erasure/").content.decode()

    assert contact.public_id in page
    assert "Nadia Berrada" in page
