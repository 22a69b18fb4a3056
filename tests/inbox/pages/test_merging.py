"""Merging and separating contacts beside the thread."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from inbox.merging import merge
from inbox.models import Agent, Channel, Contact, Conversation, Merge
from tests.conftest import make_agent, make_conversation

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def editor(agent: Agent, agent_client: Client) -> Client:
    agent.user_permissions.add(Permission.objects.get(codename="change_contact"))
    return agent_client


@pytest.fixture
def other(channel: Channel) -> Conversation:
    row = make_conversation(channel, name="Salma Knits", person_id="p-2")
    row.identity.username = "salma.knits"
    row.identity.save()
    Contact.objects.filter(pk=row.identity.contact_id).update(
        email="salma@example.com", phone="+212612345678"
    )
    return Conversation.objects.get(pk=row.pk)


def find(conversation: Conversation, person: str = "") -> str:
    return f"/inbox/c/{conversation.pk}/merge/?person={person}"


def with_other(conversation: Conversation, other: Conversation) -> str:
    return f"/inbox/c/{conversation.pk}/merge/{other.identity.contact_id}/"


def separating(conversation: Conversation, row: Merge) -> str:
    return f"/inbox/c/{conversation.pk}/separate/{row.pk}/"


@pytest.mark.parametrize(
    "words", ["knits", "salma.kn", "salma@example.com", "0612345678"]
)
def test_the_other_one_is_found(
    editor: Client, conversation: Conversation, other: Conversation, words: str
) -> None:
    page = editor.get(find(conversation, words), headers=HTMX)

    assertContains(page, with_other(conversation, other))
    assertNotContains(page, with_other(conversation, conversation))


def test_who_was_merged_is_not_found_again(
    editor: Client, agent: Agent, conversation: Conversation, other: Conversation
) -> None:
    contact = other.identity.contact
    merge(kept=conversation.identity.contact, gone=contact, by=agent)

    page = editor.get(find(conversation, "knits"), headers=HTMX)

    assertContains(page, "Nobody else is found")


def test_both_stand_side_by_side(
    editor: Client, conversation: Conversation, other: Conversation
) -> None:
    page = editor.get(with_other(conversation, other), headers=HTMX)

    assertContains(page, "@salma.knits")
    assertContains(page, 'value="name"')
    assertNotContains(page, 'value="email"')  # only one of them has it


def test_a_merge_is_done_told_and_offered_to_be_taken_back(
    editor: Client, conversation: Conversation, other: Conversation
) -> None:
    answer = editor.post(
        with_other(conversation, other),
        {"value-0": "name", "reason": "Same phone"},
        headers=HTMX,
    )

    row = Merge.objects.get()
    contact = conversation.identity.contact
    contact.refresh_from_db()
    assert (contact.name, contact.email) == ("Salma Knits", "salma@example.com")
    assertContains(answer, "Merged by Nadia Berrada")
    assertContains(answer, f'action="{separating(conversation, row)}"')
    thread = editor.get(f"/inbox/all/c/{conversation.pk}/")
    told = (
        f"Nadia Berrada merged the contact USER_{row.gone_id} into USER_{row.kept_id}"
    )
    assertContains(thread, told)
    assertContains(thread, f"/inbox/all/c/{other.pk}/")  # among the other conversations


def test_undo_makes_them_two_again(
    editor: Client, agent: Agent, conversation: Conversation, other: Conversation
) -> None:
    row = merge(
        kept=conversation.identity.contact, gone=other.identity.contact, by=agent
    )

    assertContains(
        editor.get(separating(conversation, row), headers=HTMX), "Salma Knits"
    )
    answer = editor.post(separating(conversation, row), headers=HTMX)

    assertContains(answer, "two people again")
    other.identity.refresh_from_db()
    assert other.identity.contact_id == row.gone_id


def test_it_is_undone_from_either_side_and_again_changes_nothing(
    editor: Client, agent: Agent, conversation: Conversation, other: Conversation
) -> None:
    row = merge(
        kept=conversation.identity.contact, gone=other.identity.contact, by=agent
    )

    for one in (other, other, conversation):
        answer = editor.post(separating(one, row), headers=HTMX)
        assert answer.status_code == 200

    assert Merge.objects.get().undone_at is not None


def test_two_people_of_the_website_are_not_offered_to_be_merged(
    editor: Client, conversation: Conversation, other: Conversation
) -> None:
    for number, one in enumerate((conversation, other)):
        Contact.objects.filter(pk=one.identity.contact_id).update(
            site_user_id=f"shop-{number}"
        )

    page = editor.get(with_other(conversation, other), headers=HTMX)
    answer = editor.post(with_other(conversation, other), headers=HTMX)

    assertContains(page, "two different people")
    assertNotContains(page, 'name="reason"')
    assert answer.status_code == 409
    assertContains(answer, "two different people", status_code=409)
    assert not Merge.objects.exists()


def test_what_stands_on_a_merge_is_said_before_it_is_tried(
    editor: Client, agent: Agent, channel: Channel, conversation: Conversation,
    other: Conversation,
) -> None:  # fmt: skip
    contact = conversation.identity.contact
    first = merge(kept=contact, gone=other.identity.contact, by=agent)
    third = make_conversation(channel, name="Third", person_id="p-3")
    merge(kept=contact, gone=third.identity.contact, by=agent)

    page = editor.get(separating(conversation, first), headers=HTMX)
    answer = editor.post(separating(conversation, first), headers=HTMX)

    assertContains(page, "Separate that first")
    assert answer.status_code == 409


def test_every_step_is_a_page_without_script(
    editor: Client, conversation: Conversation, other: Conversation
) -> None:
    thread = f"/inbox/all/c/{conversation.pk}/"
    assertContains(editor.get(find(conversation, "knits")), "<!doctype html>")
    assertContains(editor.get(with_other(conversation, other)), "<!doctype html>")

    merged = editor.post(with_other(conversation, other))
    row = Merge.objects.get()
    assertRedirects(merged, thread)
    assertContains(editor.get(separating(conversation, row)), "<!doctype html>")
    separated = editor.post(separating(conversation, row))

    assertRedirects(separated, thread)


def test_who_may_not_change_contacts_merges_none(
    agent: Agent, agent_client: Client, conversation: Conversation, other: Conversation
) -> None:
    row = merge(
        kept=conversation.identity.contact, gone=other.identity.contact, by=agent
    )

    for url in (
        find(conversation),
        with_other(conversation, other),
        separating(conversation, row),
    ):
        assert agent_client.get(url).status_code == 403
    assert agent_client.post(separating(conversation, row)).status_code == 403
    assertNotContains(agent_client.get(f"/inbox/all/c/{conversation.pk}/"), "Separate…")
    assert Merge.objects.get().undone_at is None


def test_somebody_without_the_inbox_sees_nothing_of_it(
    conversation: Conversation, other: Conversation
) -> None:
    stranger = make_agent("stranger")
    stranger.user_permissions.set([Permission.objects.get(codename="change_contact")])
    client = Client()
    client.force_login(stranger)

    for url in (find(conversation, "knits"), with_other(conversation, other)):
        assert client.get(url).status_code == 403


def test_what_is_not_there_is_not_found(
    editor: Client, agent: Agent, channel: Channel, conversation: Conversation,
    other: Conversation,
) -> None:  # fmt: skip
    third = make_conversation(channel, person_id="p-3")
    row = merge(kept=third.identity.contact, gone=other.identity.contact, by=agent)

    for url in (
        "/inbox/c/4711/merge/",
        f"/inbox/c/{conversation.pk}/merge/4711/",
        with_other(conversation, conversation),
        with_other(conversation, other),
        separating(conversation, row),
    ):
        assert editor.get(url, headers=HTMX).status_code == 404
    assert editor.post(separating(conversation, row)).status_code == 404


def test_a_message_of_html_stays_text(
    editor: Client, conversation: Conversation, other: Conversation
) -> None:
    name = "<img src=x onerror=alert(1)>"
    contact = Contact.objects.filter(pk=other.identity.contact_id)
    contact.update(name=name, attributes={name: name})
    mine = Contact.objects.filter(pk=conversation.identity.contact_id)
    mine.update(attributes={name: "1"})

    assertNotContains(editor.get(with_other(conversation, other), headers=HTMX), name)
    answer = editor.post(with_other(conversation, other), headers=HTMX)
    assertNotContains(answer, name)


@pytest.mark.parametrize("count", [1, 9])
def test_people_who_are_found_take_as_many_statements_however_many_they_are(
    editor: Client, channel: Channel, conversation: Conversation, count: int
) -> None:
    for number in range(count):
        make_conversation(channel, name="Salma Knits", person_id=f"p-{number + 2}")
    editor.get(find(conversation, "knits"), headers=HTMX)

    with CaptureQueriesContext(connection) as asked:
        page = editor.get(find(conversation, "knits"), headers=HTMX)

    assert page.content.count(b"dx-merge-found") == count
    assert len(asked) == 6
