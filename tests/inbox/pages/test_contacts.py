"""What agents write down about a person, beside the thread."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from inbox.conversations import add_note
from inbox.events import Event, EventName, emitted
from inbox.models import (
    Agent,
    AuditEntry,
    ChannelIdentity,
    Contact,
    Conversation,
    Message,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def editor(agent: Agent, agent_client: Client) -> Client:
    agent.user_permissions.add(Permission.objects.get(codename="change_contact"))
    return agent_client


def path(conversation: Conversation) -> str:
    return f"/inbox/c/{conversation.pk}/contact/"


def post(client: Client, conversation: Conversation, **fields: object) -> object:
    given = {"name": "Salma", "email": "", "phone": "", **fields}
    return client.post(path(conversation), given, headers=HTMX)


def test_who_may_not_change_contacts_has_no_form(
    agent_client: Client, conversation: Conversation
) -> None:
    assert agent_client.get(path(conversation)).status_code == 403
    page = agent_client.get(f"/inbox/all/c/{conversation.pk}/")
    assertNotContains(page, path(conversation))


def test_a_conversation_that_is_not_there_is_not_found(editor: Client) -> None:
    assert editor.get("/inbox/c/4711/contact/").status_code == 404


def test_what_is_written_down_stands_in_the_panel(
    editor: Client, conversation: Conversation
) -> None:
    answer = post(
        editor,
        conversation,
        email="salma@example.com",
        phone="+212 6 12 34 56 78",
        attribute_name=["Shoe size", " City ", "", "Gone"],
        attribute_value=["38", "Casablanca", "nobody", ""],
    )

    contact = Contact.objects.get()
    assert (contact.email, contact.phone) == ("salma@example.com", "+212612345678")
    assert contact.attributes == {"Shoe size": "38", "City": "Casablanca"}
    assertContains(answer, "Casablanca")  # type: ignore[arg-type]
    assertContains(answer, "Not verified")  # type: ignore[arg-type]
    assert AuditEntry.objects.get().details == {
        "fields": ["name", "email", "phone", "attributes"]
    }


def test_another_address_is_not_verified(
    editor: Client, conversation: Conversation
) -> None:
    Contact.objects.update(
        name="Salma",
        email="old@example.com",
        email_verified_at=now(),
        phone="+212612345678",
        phone_verified_at=now(),
    )

    post(editor, conversation, email="new@example.com", phone="+212612345678")

    contact = Contact.objects.get()
    assert contact.email_verified_at is None
    assert contact.phone_verified_at is not None


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("email", "salma", "This is no e-mail address."),
        ("phone", "0612", "Write the number with its country"),
        ("phone", "+1", "Write the number with its country"),
        ("name", "x" * 300, "at most 200 characters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    editor: Client, conversation: Conversation, field: str, value: str, sentence: str
) -> None:
    answer = post(
        editor,
        conversation,
        **{field: value, "attribute_name": ["City"], "attribute_value": ["Fes"]},
    )

    assert answer.status_code == 422  # type: ignore[attr-defined]
    assertContains(answer, sentence, status_code=422)  # type: ignore[arg-type]
    assertContains(answer, 'value="Fes"', status_code=422)  # type: ignore[arg-type]
    assert Contact.objects.get().attributes == {}


def test_a_list_stays_a_list_unless_it_is_written_over(
    editor: Client, conversation: Conversation
) -> None:
    Contact.objects.update(attributes={"Language": ["Darija", "French"]})

    post(
        editor,
        conversation,
        attribute_name="Language",
        attribute_value="Darija, French",
    )
    assert Contact.objects.get().attributes == {"Language": ["Darija", "French"]}

    post(editor, conversation, attribute_name="Language", attribute_value="Darija")
    assert Contact.objects.get().attributes == {"Language": "Darija"}


def test_without_script_the_form_is_a_page(
    editor: Client, conversation: Conversation
) -> None:
    assertContains(editor.get(path(conversation)), "<!doctype html>")

    answer = editor.post(path(conversation), {"name": "Salma"})

    assertRedirects(answer, f"/inbox/all/c/{conversation.pk}/")


def test_it_is_told_to_whoever_listens_and_only_if_something_changed(
    editor: Client, conversation: Conversation
) -> None:
    told: list[Event] = []

    def listen(events: list[Event], **_: object) -> None:
        told.extend(events)

    emitted.connect(listen)
    try:
        post(editor, conversation, name="Salma B.")
        post(editor, conversation, name="Salma B.")
    finally:
        emitted.disconnect(listen)

    assert [(one.name, one.details["fields"]) for one in told] == [
        (EventName.USER_UPDATED, ["name"])
    ]


def test_the_panel_shows_facts_and_the_newest_notes(
    agent: Agent, agent_client: Client, conversation: Conversation
) -> None:
    ChannelIdentity.objects.update(
        profile={"follower_count": 12400, "is_user_follow_business": True}
    )
    for number in range(5):
        add_note(conversation=conversation, author=agent, content=f"Note {number}")

    panel = agent_client.get(f"/inbox/c/{conversation.pk}/panel/", headers=HTMX)

    assertContains(panel, "followers")
    assertContains(panel, "Follows you")
    assertContains(panel, "Note 4")
    assertNotContains(panel, "Note 1")


def test_a_note_is_found_in_a_long_thread_through_its_index(
    agent: Agent, agent_client: Client, conversation: Conversation
) -> None:
    Message.objects.bulk_create(
        (
            Message(
                conversation=conversation,
                channel=conversation.channel,
                direction="in",
                source="customer",
                status="received",
                content="Hello",
                sent_at=now() - timedelta(minutes=number),
            )
            for number in range(3000)
        ),
        batch_size=1000,
    )
    add_note(conversation=conversation, author=agent, content="Prefers calls")
    with connection.cursor() as cursor:
        cursor.execute("analyze inbox_message")
        with CaptureQueriesContext(connection) as captured:
            agent_client.get(f"/inbox/c/{conversation.pk}/panel/", headers=HTMX)
        (asked,) = (one["sql"] for one in captured if "'note'" in one["sql"])
        cursor.execute(f"explain {asked}")
        plan = "\n".join(row for (row,) in cursor.fetchall())

    assert "message_notes" in plan
