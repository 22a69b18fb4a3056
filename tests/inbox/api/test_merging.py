"""Contacts are merged and separated by API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from inbox.models import AuditEntry, Channel, Contact, Conversation, Merge
from tests.conftest import make_conversation
from tests.inbox.api.conftest import KeyFor

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept(conversation: Conversation) -> Contact:
    return conversation.identity.contact


@pytest.fixture
def gone(channel: Channel) -> Contact:
    contact = make_conversation(
        channel, name="Salma Knits", person_id="p-2"
    ).identity.contact
    contact.email = "salma@example.com"
    contact.save()
    return contact


def post(api: Client, contact: Contact, act: str, body: Any = None, **more: Any) -> Any:
    url = f"/v1/contacts/{contact.public_id}/{act}"
    return api.post(url, body or {}, "application/json", **more)


def merged(api: Client, kept: Contact, gone: Contact, **body: Any) -> Any:
    return post(api, kept, "merge", {"contact_id": gone.public_id, **body})


def test_a_merge_is_answered_with_its_record(
    api: Client, kept: Contact, gone: Contact
) -> None:
    answer = merged(api, kept, gone, reason="Same account in our shop")

    row = Merge.objects.get()
    assert answer.status_code == 200
    assert answer.json()["data"] == {
        "id": f"MERGE_{row.pk}",
        "contact_id": kept.public_id,
        "merged_id": gone.public_id,
        "proof": "api",
        "by": "Shop website",
        "reason": "Same account in our shop",
        "merged_at": row.merged_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "undone_at": None,
    }
    assert AuditEntry.objects.get(action="contact_merged").agent_name == "Shop website"


def test_the_old_id_answers_with_the_person(
    api: Client, kept: Contact, gone: Contact
) -> None:
    merged(api, kept, gone)

    row = api.get(f"/v1/contacts/{gone.public_id}").json()["data"]
    listed = api.get(f"/v1/conversations?contact_id={gone.public_id}").json()["data"]
    user = api.get(f"/v1/conversations?user_id={gone.public_id}").json()["data"]

    assert (row["id"], row["email"]) == (kept.public_id, "salma@example.com")
    assert len(row["identities"]) == 2
    assert len(listed) == len(user) == 2


def test_the_old_id_changes_and_erases_the_person(
    api: Client, kept: Contact, gone: Contact
) -> None:
    merged(api, kept, gone)
    url = f"/v1/contacts/{gone.public_id}"

    changed = api.patch(url, {"name": "Salma"}, content_type="application/json")
    assert changed.json()["data"]["name"] == "Salma"
    assert Contact.objects.get(pk=kept.pk).name == "Salma"

    assert api.delete(url).status_code == 204
    assert set(Contact.objects.values_list("name", "email")) == {("", "")}
    assert Merge.objects.get().gone_before == {}
    assert post(api, gone, "unmerge").json()["code"] == "state_forbids"


def test_what_to_take_of_the_other_is_chosen(
    api: Client, kept: Contact, gone: Contact
) -> None:
    merged(api, kept, gone, take=["name"])

    kept.refresh_from_db()
    assert kept.name == "Salma Knits"


def test_a_contact_is_separated_again(
    api: Client, kept: Contact, gone: Contact
) -> None:
    merged(api, kept, gone)

    first, second = (post(api, gone, "unmerge") for _ in range(2))

    assert first.status_code == second.status_code == 200
    assert first.json()["data"]["undone_at"] is not None
    row = api.get(f"/v1/contacts/{gone.public_id}").json()["data"]
    assert (row["id"], row["name"]) == (gone.public_id, "Salma Knits")


def test_all_merges_of_a_person_are_listed(
    api: Client, channel: Channel, kept: Contact, gone: Contact
) -> None:
    third = make_conversation(channel, person_id="p-3").identity.contact
    merged(api, kept, gone)
    merged(api, kept, third)
    post(api, third, "unmerge")

    rows = api.get(f"/v1/contacts/{gone.public_id}/merges").json()["data"]

    assert [row["merged_id"] for row in rows] == [third.public_id, gone.public_id]
    assert [row["undone_at"] is None for row in rows] == [False, True]


def test_one_key_merges_once(api: Client, kept: Contact, gone: Contact) -> None:
    body = {"contact_id": gone.public_id}
    headers = {"Idempotency-Key": "merge-1"}

    first = post(api, kept, "merge", body, headers=headers)
    post(api, gone, "unmerge")
    again = post(api, kept, "merge", body, headers=headers)
    odd = post(api, gone, "merge", body, headers=headers)

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Merge.objects.get().undone_at is not None
    assert odd.status_code == 422


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contact_id"),
        ({"contact_id": "USER_4711"}, "contact_id"),
        ({"contact_id": "IG_1"}, "contact_id"),
        ({"contact_id": "USER_1", "take": "name"}, "take"),
        ({"contact_id": "USER_1", "reason": "x" * 201}, "reason"),
    ],
)
def test_bad_input_is_named(
    api: Client, kept: Contact, body: dict[str, Any], param: str
) -> None:
    answer = post(api, kept, "merge", body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == param


def test_what_the_state_forbids_is_a_409_with_its_code(
    api: Client, channel: Channel, kept: Contact, gone: Contact
) -> None:
    third = make_conversation(channel, name="Third", person_id="p-3").identity.contact

    assert post(api, gone, "unmerge").json()["code"] == "state_forbids"
    merged(api, kept, gone)
    assert merged(api, third, gone).json()["code"] == "already_merged"
    merged(api, kept, third)
    refused = post(api, gone, "unmerge")
    Contact.objects.filter(pk=kept.pk).update(site_user_id="1")
    stranger = Contact.objects.create(site_user_id="2")
    conflict = merged(api, kept, stranger)

    assert (refused.status_code, refused.json()["code"]) == (409, "later_merge_stands")
    assert (conflict.status_code, conflict.json()["code"]) == (409, "site_ids_conflict")


def test_itself_is_refused(api: Client, kept: Contact) -> None:
    answer = merged(api, kept, kept)

    assert (answer.status_code, answer.json()["code"]) == (422, "content_invalid")


def test_who_is_not_there_is_not_found(api: Client, gone: Contact) -> None:
    body = {"contact_id": gone.public_id}
    for url in ("USER_4711/merge", "USER_4711/unmerge", "odd/merge"):
        answer = api.post(f"/v1/contacts/{url}", body, "application/json")
        assert answer.status_code == 404
    assert api.get("/v1/contacts/USER_4711/merges").status_code == 404


def test_a_key_needs_its_scopes(key_for: KeyFor, kept: Contact, gone: Contact) -> None:
    reader = key_for("contacts:read")
    assert merged(reader, kept, gone).status_code == 403
    assert post(reader, gone, "unmerge").status_code == 403
    url = f"/v1/contacts/{kept.public_id}/merges"
    assert key_for("contacts:write").get(url).status_code == 403
    assert reader.get(url).status_code == 200
    assert Client().get(url).status_code == 401
