"""Who commented is who we answered in private."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from inbox.events import Event, EventName, emitted
from inbox.identity import join_identity
from inbox.merging import unmerge
from inbox.models import (
    Agent,
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Fetch,
    Merge,
)
from tests.conftest import make_conversation

pytestmark = pytest.mark.django_db


@pytest.fixture
def commenter(conversation: Conversation) -> ChannelIdentity:
    """Salma, as the comments know her."""
    return conversation.identity


@pytest.fixture
def told() -> Iterator[list[Event]]:
    kept: list[Event] = []

    def listen(sender: object, events: Sequence[Event], **_: object) -> None:
        kept.extend(events)

    emitted.connect(listen)
    yield kept
    emitted.disconnect(listen)


def writer(channel: Channel, **contact: Any) -> ChannelIdentity:
    """The same person, as our inbox knows her: she has written before."""
    identity = make_conversation(channel, name="", person_id="psid-9").identity
    Contact.objects.filter(pk=identity.contact_id).update(**contact)
    return identity


def contact_of(identity: ChannelIdentity) -> Contact:
    identity.refresh_from_db()
    return identity.contact


def test_a_person_we_did_not_know_gets_an_identity_of_the_same_contact(
    commenter: ChannelIdentity, told: list[Event]
) -> None:
    join_identity(commenter, "psid-9")

    person = ChannelIdentity.objects.get(external_id="psid-9")
    assert person.contact_id == commenter.contact_id
    assert person.name == commenter.name
    assert Fetch.objects.get().subject_id == person.pk
    assert [event.name for event in told] == [EventName.USER_UPDATED]


def test_the_same_id_joins_nothing(
    commenter: ChannelIdentity, told: list[Event]
) -> None:
    join_identity(commenter, commenter.external_id)

    assert ChannelIdentity.objects.count() == 1
    assert not told


def test_a_commenter_moves_to_whom_we_know_from_the_inbox(
    channel: Channel, commenter: ChannelIdentity, told: list[Event]
) -> None:
    person = writer(channel)
    former = commenter.contact

    join_identity(commenter, "psid-9")

    former.refresh_from_db()
    assert contact_of(commenter) == contact_of(person)
    assert former.merged_into == person.contact
    assert person.contact.name == "Salma El Idrissi"
    (event,) = told
    assert event.name is EventName.USER_MERGED
    assert event.details == {"identity_id": commenter.pk, "merged": former.public_id}


def test_what_the_channel_said_is_written_down_and_can_be_undone(
    channel: Channel, commenter: ChannelIdentity, agent: Agent
) -> None:
    person, former = writer(channel), commenter.contact
    join_identity(commenter, "psid-9")
    row = Merge.objects.get()
    assert (row.kept, row.gone, row.proof) == (person.contact, former, "channel")

    unmerge(row, by=agent)

    assert contact_of(commenter) == former
    assert contact_of(person).name == ""
    former.refresh_from_db()
    assert (former.name, former.merged_into) == ("Salma El Idrissi", None)


@pytest.mark.parametrize(
    "known", [{"email": "s@example.com"}, {"phone": "+212600000000"}, {"site_user_id": "7"}]
)  # fmt: skip
def test_a_contact_that_holds_more_is_kept_as_it_is(
    channel: Channel,
    commenter: ChannelIdentity,
    told: list[Event],
    known: dict[str, str],
) -> None:
    person = writer(channel)
    Contact.objects.filter(pk=commenter.contact_id).update(**known)
    former = commenter.contact

    join_identity(commenter, "psid-9")

    former.refresh_from_db()
    assert contact_of(commenter) == person.contact
    assert former.merged_into is None
    assert [event.name for event in told] == [EventName.USER_UPDATED]


def test_whom_nobody_has_talked_with_moves_to_the_commenter(
    channel: Channel, commenter: ChannelIdentity
) -> None:
    """The echo of the private answer came first, and made a person of its own."""
    person = ChannelIdentity.objects.create(
        channel=channel, external_id="psid-9", contact=Contact.objects.create()
    )
    empty = person.contact

    join_identity(commenter, "psid-9")

    empty.refresh_from_db()
    assert contact_of(person) == commenter.contact
    assert empty.merged_into == commenter.contact


def test_joining_twice_changes_nothing_more(
    channel: Channel, commenter: ChannelIdentity, told: list[Event]
) -> None:
    writer(channel)

    for _ in range(2):
        commenter.refresh_from_db()
        join_identity(commenter, "psid-9")

    assert len(told) == 1
    assert ChannelIdentity.objects.count() == 2


def test_the_same_id_on_another_account_is_somebody_else(
    commenter: ChannelIdentity,
) -> None:
    other = Channel.objects.create(kind="fake", external_id="acc-2", name="Other")
    stranger = writer(other)

    join_identity(commenter, "psid-9")

    assert contact_of(stranger) != contact_of(commenter)
