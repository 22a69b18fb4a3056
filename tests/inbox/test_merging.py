"""Two contacts are one person, and two again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from channels_meta.processing import drain
from inbox.contacts import erase_contact
from inbox.details import update_contact
from inbox.errors import InboxError
from inbox.events import Event, EventName, emitted
from inbox.exports import export_contact
from inbox.merging import LaterMergeStands, SiteIdsConflict, merge, unmerge
from inbox.models import (
    Agent,
    AuditEntry,
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Merge,
    Message,
)
from tests.conftest import envelope, make_conversation, said
from tests.inbox.test_inbound import journal

pytestmark = pytest.mark.django_db


@pytest.fixture
def salma(channel: Channel) -> Contact:
    contact = make_conversation(channel, name="Salma El Idrissi").identity.contact
    contact.email, contact.phone = "salma@example.com", "+212612345678"
    contact.attributes = {"City": "Fes", "Size": "38"}
    contact.save()
    return contact


@pytest.fixture
def other(channel: Channel) -> Contact:
    """She too, as she wrote from another account."""
    contact = make_conversation(
        channel, name="salma.knits", person_id="p-2"
    ).identity.contact
    contact.email, contact.email_verified_at = "s@example.com", now()
    contact.site_user_id = "shop-7"
    contact.attributes = {"City": "Rabat", "Language": ["Darija", "French"]}
    contact.save()
    return contact


@pytest.fixture
def told() -> Iterator[list[Event]]:
    kept: list[Event] = []

    def listen(sender: object, events: Sequence[Event], **_: object) -> None:
        kept.extend(events)

    emitted.connect(listen)
    yield kept
    emitted.disconnect(listen)


def state(*contacts: Contact) -> list[dict[str, Any]]:
    """All that a contact is, with its identities and conversations."""
    found = []
    for one in contacts:
        row = Contact.objects.filter(pk=one.pk).values().get()
        del row["revision"]
        identities = ChannelIdentity.objects.filter(contact=one).order_by("pk")
        chats = Conversation.objects.filter(identity__contact=one).order_by("pk")
        row["identities"] = list(identities.values_list("pk", flat=True))
        row["chats"] = list(chats.values_list("pk", flat=True))
        found.append(row)
    return found


# --- merge ---------------------------------------------------------------------------------------


def test_everything_that_only_one_has_is_kept(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    merge(kept=salma, gone=other, by=agent, reason="She told us  so")

    salma.refresh_from_db()
    other.refresh_from_db()
    assert (salma.name, salma.phone) == ("Salma El Idrissi", "+212612345678")
    assert (salma.site_user_id, other.site_user_id) == ("shop-7", None)
    assert salma.attributes == {
        "City": "Fes",
        "Size": "38",
        "Language": ["Darija", "French"],
    }
    assert other.merged_into == salma
    assert salma.identities.count() == 2
    assert Conversation.objects.filter(identity__contact=salma).count() == 2
    row = Merge.objects.get()
    assert (row.by_name, row.reason, row.proof) == (
        "Nadia Berrada",
        "She told us so",
        "agent",
    )


def test_a_verified_address_stays_rather_than_one_that_is_not(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    merge(kept=salma, gone=other, by=agent)

    salma.refresh_from_db()
    assert salma.email == "s@example.com"
    assert salma.email_verified_at == other.email_verified_at


def test_an_agent_chooses_what_stays(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    merge(kept=salma, gone=other, by=agent, take=["name", "attributes.City"])

    salma.refresh_from_db()
    assert (salma.name, salma.email) == ("salma.knits", "salma@example.com")
    assert salma.email_verified_at is None
    assert salma.attributes["City"] == "Rabat"


def test_what_proves_an_address_of_both_is_kept(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    Contact.objects.filter(pk=salma.pk).update(email="s@example.com")

    row = merge(kept=salma, gone=other, by=agent, take=[])
    salma.refresh_from_db()
    assert salma.email_verified_at == other.email_verified_at

    unmerge(row, by=agent)
    salma.refresh_from_db()
    assert salma.email_verified_at is None


def test_nothing_is_taken_that_the_other_has_not(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    names = ["phone", "site_user_id", "avatar_url", "pk", "attributes.Size"]
    merge(kept=other, gone=salma, by=agent, take=names)
    other.refresh_from_db()

    assert (other.phone, other.site_user_id) == ("+212612345678", "shop-7")
    assert other.attributes["Size"] == "38"
    assert other.name == "salma.knits"


def test_merging_twice_is_merging_once(
    salma: Contact, other: Contact, agent: Agent, told: list[Event]
) -> None:
    first = merge(kept=salma, gone=other, by=agent)
    count = len(told)

    assert merge(kept=salma, gone=other, by=agent) == first
    assert len(told) == count


def test_nobody_is_merged_with_themselves(salma: Contact, agent: Agent) -> None:
    with pytest.raises(InboxError) as refusal:
        merge(kept=salma, gone=salma, by=agent)

    assert refusal.value.code == "content_invalid"
    assert not Merge.objects.exists()


def test_two_people_of_the_website_stay_two(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    Contact.objects.filter(pk=salma.pk).update(site_user_id="shop-6")
    before = state(salma, other)

    with pytest.raises(SiteIdsConflict):
        merge(kept=salma, gone=other, by=agent)

    assert state(salma, other) == before


def test_who_was_merged_is_not_merged_again(
    channel: Channel, salma: Contact, other: Contact, agent: Agent
) -> None:
    third = make_conversation(channel, person_id="p-3").identity.contact
    merge(kept=salma, gone=other, by=agent)

    for kept, gone in [(third, other), (other, third), (other, salma)]:
        with pytest.raises(InboxError) as refusal:
            merge(kept=kept, gone=gone, by=agent)
        assert refusal.value.code == "already_merged"


def test_who_was_forgotten_is_merged_with_nobody(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    erase_contact(other, agent)

    with pytest.raises(InboxError, match="forgotten"):
        merge(kept=salma, gone=other, by=agent)


def test_a_reason_that_is_too_long_is_refused(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    with pytest.raises(InboxError, match="at most 200"):
        merge(kept=salma, gone=other, by=agent, reason="x" * 201)


def test_listeners_threads_and_the_audit_hear_of_it(
    salma: Contact, other: Contact, agent: Agent, told: list[Event]
) -> None:
    moved = other.identities.get()

    merge(kept=salma, gone=other, by=agent)

    (event,) = [one for one in told if one.name is EventName.USER_MERGED]
    assert event.details == {"identity_id": moved.pk, "merged": other.public_id}
    assert event.source == "agent"
    lines = Message.objects.filter(extra__event="contacts_merged")
    assert lines.count() == 2
    assert AuditEntry.objects.get(action="contact_merged").subject_id == salma.public_id


def test_a_contact_without_a_channel_is_told_of_by_the_other(
    salma: Contact, agent: Agent, told: list[Event]
) -> None:
    stranger = Contact.objects.create(name="From the shop", site_user_id="shop-9")

    merge(kept=salma, gone=stranger, by=agent)

    (event,) = [one for one in told if one.name is EventName.USER_MERGED]
    assert event.details["identity_id"] == salma.identities.get().pk


def test_open_pages_of_both_hear_of_it(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    conversations = {one.pk: one.revision for one in Conversation.objects.all()}

    merge(kept=salma, gone=other, by=agent)

    for one in Conversation.objects.all():
        assert one.revision > conversations[one.pk]


@pytest.mark.parametrize("count", [1, 300])
def test_it_takes_as_many_statements_however_much_was_said(
    salma: Contact, other: Contact, agent: Agent, count: int
) -> None:
    thread = Conversation.objects.get(identity__contact=other)
    Message.objects.bulk_create(
        Message(
            conversation=thread,
            channel=thread.channel,
            direction="in",
            source="customer",
            status="received",
            content="Salam",
            sent_at=now() - timedelta(minutes=number),
        )
        for number in range(count)
    )

    with CaptureQueriesContext(connection) as asked:
        row = merge(kept=salma, gone=other, by=agent)
        unmerge(row, by=agent)

    assert len(asked) < 85


# --- separate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("take", [None, [], ["name", "email", "attributes.City"]])
def test_separating_restores_both_exactly(
    salma: Contact, other: Contact, agent: Agent, take: list[str] | None
) -> None:
    before = state(salma, other)
    row = merge(kept=salma, gone=other, by=agent, take=take)

    unmerge(row, by=agent)

    assert state(salma, other) == before
    row.refresh_from_db()
    assert row.undone_by_name == "Nadia Berrada"
    assert Message.objects.filter(extra__event="contacts_separated").count() == 2


def test_separating_twice_is_separating_once(
    salma: Contact, other: Contact, agent: Agent, told: list[Event]
) -> None:
    row = merge(kept=salma, gone=other, by=agent)
    unmerge(row, by=agent)
    count = len(told)

    unmerge(row, by=agent)

    assert len(told) == count


def test_what_was_written_down_since_stays_with_the_one_that_was_kept(
    channel: Channel, salma: Contact, other: Contact, agent: Agent
) -> None:
    row = merge(kept=salma, gone=other, by=agent)
    update_contact(
        contact=other,  # whose form was open when it was merged
        by=agent,
        name="Salma Idrissi",
        email="s@example.com",
        phone="+212612345678",
        attributes={"City": "Agadir", "Size": "38", "Shoes": "39"},
    )
    new = ChannelIdentity.objects.create(
        channel=channel, external_id="p-9", contact=salma
    )

    unmerge(row, by=agent)

    salma.refresh_from_db()
    other.refresh_from_db()
    assert salma.name == "Salma Idrissi"
    assert (salma.email, other.email) == ("salma@example.com", "s@example.com")
    assert salma.attributes == {"City": "Agadir", "Size": "38", "Shoes": "39"}
    assert other.attributes == {"City": "Rabat", "Language": ["Darija", "French"]}
    assert new in salma.identities.all()


def test_a_website_id_that_is_somebody_elses_now_does_not_come_back(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    row = merge(kept=salma, gone=other, by=agent)
    Contact.objects.filter(pk=salma.pk).update(site_user_id=None)
    Contact.objects.create(site_user_id="shop-7")

    unmerge(row, by=agent)

    other.refresh_from_db()
    assert other.site_user_id is None


def test_the_later_merge_goes_first(
    channel: Channel, salma: Contact, other: Contact, agent: Agent
) -> None:
    third = make_conversation(channel, name="Third", person_id="p-3").identity.contact
    before = state(salma, other, third)
    first = merge(kept=salma, gone=other, by=agent)
    second = merge(kept=salma, gone=third, by=agent)

    with pytest.raises(LaterMergeStands, match=r"Third \(USER_\d+\)"):
        unmerge(first, by=agent)

    unmerge(second, by=agent)
    unmerge(first, by=agent)
    assert state(salma, other, third) == before


def test_a_merge_below_another_waits_for_it(
    channel: Channel, salma: Contact, other: Contact, agent: Agent
) -> None:
    third = make_conversation(channel, name="Third", person_id="p-3").identity.contact
    before = state(salma, other, third)
    first = merge(kept=salma, gone=other, by=agent)
    second = merge(kept=third, gone=salma, by=agent)

    with pytest.raises(LaterMergeStands, match="itself was merged later"):
        unmerge(first, by=agent)

    unmerge(second, by=agent)
    unmerge(first, by=agent)
    assert state(salma, other, third) == before


# --- forgotten, and handed out -------------------------------------------------------------------


def test_who_is_forgotten_leaves_no_copy_in_a_merge(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    row = merge(kept=salma, gone=other, by=agent, reason="Her sister said so")

    erase_contact(other, agent)  # the old id is the same person

    row.refresh_from_db()
    assert (row.kept_before, row.gone_before, row.kept_after) == ({}, {}, {})
    assert row.reason == ""
    for one in Contact.objects.all():
        assert (one.name, one.email, one.phone, one.attributes) == ("", "", "", {})
    with pytest.raises(InboxError, match="forgotten"):
        unmerge(row, by=agent)


def test_an_export_holds_what_both_were(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    merge(kept=salma, gone=other, by=agent, reason="Same voice")

    told = json.loads(b"".join(export_contact(salma).chunks))

    (row,) = told["merges"]
    assert row["reason"] == "Same voice"
    assert [one["name"] for one in row["before"]] == ["Salma El Idrissi", "salma.knits"]
    assert len(told["identities"]) == 2


def test_an_export_of_who_was_separated_says_nothing_of_the_other(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    unmerge(merge(kept=salma, gone=other, by=agent), by=agent)

    told = json.loads(b"".join(export_contact(other).chunks))

    assert [one["name"] for one in told["merges"][0]["before"]] == ["salma.knits"]
    assert "Idrissi" not in json.dumps(told)


# --- side by side --------------------------------------------------------------------------------

in_threads = pytest.mark.django_db(transaction=True)


def side_by_side(*acts: Callable[[], object]) -> list[object]:
    """Each in a thread and on a connection of its own, begun together. A refusal is a result."""
    together = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        try:
            together.wait()
            return act()
        except InboxError as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@in_threads
@pytest.mark.parametrize("attempt", range(3))
def test_two_merges_crosswise_make_one(
    salma: Contact, other: Contact, agent: Agent, attempt: int
) -> None:
    results = side_by_side(
        lambda: merge(kept=salma, gone=other, by=agent),
        lambda: merge(kept=other, gone=salma, by=agent),
    )

    assert "already_merged" in results
    assert Merge.objects.count() == 1
    assert Contact.objects.filter(merged_into=None).count() == 1
    survivor = Contact.objects.get(merged_into=None)
    assert survivor.identities.count() == 2


@in_threads
def test_the_same_merge_twice_at_once_makes_one(
    salma: Contact, other: Contact, agent: Agent
) -> None:
    first, second = side_by_side(*[lambda: merge(kept=salma, gone=other, by=agent)] * 2)

    assert first == second
    assert Merge.objects.count() == 1


@in_threads
def test_messages_that_come_meanwhile_are_filed_under_who_it_is(
    messenger: Channel, agent: Agent
) -> None:
    journal(envelope(said("Salam", "m-0", person="7701")))
    journal(envelope(said("Salam", "m-1", person="7702")))
    drain()
    kept, gone = (
        ChannelIdentity.objects.get(external_id=one).contact for one in ("7701", "7702")
    )
    for number in range(2, 30):
        person = f"770{number % 2 + 1}"
        journal(envelope(said("Still there?", f"m-{number}", person=person)))

    def merge_and_separate() -> None:
        unmerge(merge(kept=kept, gone=gone, by=agent), by=agent)
        merge(kept=kept, gone=gone, by=agent)

    side_by_side(drain, merge_and_separate)
    drain()

    heard = Message.objects.filter(direction="in")
    assert heard.count() == 30
    assert heard.filter(conversation__identity__contact=kept).count() == 30
    assert Contact.objects.count() == 2
