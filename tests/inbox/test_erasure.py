"""What is unsent, and who asks to be forgotten, is gone everywhere, and by no way comes back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from channels_meta.models import RawEvent
from channels_meta.processing import drain, replay
from channels_meta.redaction import forget_due
from inbox.channels import Profile
from inbox.contacts import BATCH, carry_on, erase_contact, ring_unfinished
from inbox.conversations import add_note
from inbox.delivery import claim_next, deliver_next, record_outcome
from inbox.fetching import fetch_profile
from inbox.inbound import Arrival, Edit, InboundMessage, receive
from inbox.models import (
    Agent,
    ApiKey,
    Attachment,
    Channel,
    ChannelAction,
    ChannelIdentity,
    Contact,
    Conversation,
    Draft,
    Erasure,
    Fetch,
    Message,
    Source,
    Status,
)
from inbox.outbound import queue_reply
from tests.conftest import (
    INSTAGRAM_ID,
    echoed,
    envelope,
    make_conversation,
    meta_json,
    milliseconds,
    said,
)
from tests.inbox.remains import places_of
from tests.webhooks.conftest import Answer, Receiver
from webhooks.models import Delivery, DeliveryAttempt, Endpoint
from webhooks.sending import dispatch

pytestmark = pytest.mark.django_db(transaction=True)

CANARY = "Kanarienvogel77"
PERSON = "6612345678901"
CDN = "https://scontent.xx.fbcdn.net/v/"


@pytest.fixture
def parrot() -> Iterator[Receiver]:
    """An integrator that wants every event, and answers with what it was told."""
    receiver = Receiver()
    receiver.answer = lambda received: Answer(body=received.body)
    Endpoint.objects.create(url=receiver.url)
    yield receiver
    receiver.close()


def journal(data: Any) -> RawEvent:
    """What Meta posts, where it lies when it was taken."""
    body = meta_json(data)
    digest = hashlib.sha256(body).digest()
    row, _ = RawEvent.objects.get_or_create(
        sha256=digest, day=now().date(), defaults={"body": body}
    )
    return row


def wrote(mid: str, text: str = "", **more: Any) -> dict[str, Any]:
    """The person wrote to the Instagram account."""
    facts: dict[str, Any] = {"person": PERSON, "account": INSTAGRAM_ID, **more}
    return said(text, mid, **facts)


def did(**event: Any) -> dict[str, Any]:
    return {
        "sender": {"id": PERSON},
        "recipient": {"id": INSTAGRAM_ID},
        "timestamp": milliseconds(now()),
        **event,
    }


def instagram_body(*items: dict[str, Any]) -> dict[str, Any]:
    return envelope(*items, kind="instagram")


def commented(**value: Any) -> dict[str, Any]:
    change = {"field": "comments", "value": value}
    entry = {"id": INSTAGRAM_ID, "time": int(now().timestamp()), "changes": [change]}
    return {"object": "instagram", "entry": [entry]}


def story() -> dict[str, Any]:
    return {"story": {"id": "1804", "url": f"{CDN}?asset_id=1804&name={CANARY}"}}


def everything_with_the_word() -> list[dict[str, Any]]:
    """The ways in which one person can say it."""
    return [
        instagram_body(wrote("m-1", f"My word is {CANARY}")),
        # The same again among others, as a retry brings it: another row of the journal.
        instagram_body(wrote("m-1", f"My word is {CANARY}"), wrote("m-2", "Hello")),
        instagram_body(
            did(message_edit={"mid": "m-1", "text": f"No: {CANARY}!", "num_edit": 1})
        ),
        instagram_body(wrote("m-3", f"About it: {CANARY}", reply_to=story())),
        instagram_body(
            wrote(
                "m-4",
                attachments=[
                    {
                        "type": "file",
                        "payload": {"url": f"{CDN}{CANARY}.pdf", "title": CANARY},
                    }
                ],
            )
        ),
        instagram_body(wrote("m-5", "Blue", quick_reply={"payload": f"{CANARY}_BLUE"})),
        instagram_body(
            did(postback={"mid": "m-6", "title": CANARY, "payload": CANARY})
        ),
        commented(
            id="c-1",
            text=f"{CANARY}?",
            **{"from": {"id": PERSON, "username": CANARY.lower()}},
            media={"id": "1797", "media_product_type": "FEED"},
        ),
        instagram_body(
            did(referral={"ref": CANARY, "source": "SHORTLINK", "type": "OPEN_THREAD"})
        ),
        instagram_body(
            did(message_edit={"mid": "m-unknown", "text": CANARY, "num_edit": 1})
        ),
        instagram_body(
            did(reaction={"mid": "m-2", "action": "react", "emoji": CANARY[:30]})
        ),
    ]


def settle() -> None:
    """What workers do: read the journal, tell the integrator."""
    drain()
    dispatch()


# --- unsent --------------------------------------------------------------------------------------


def unsent(*mids: str) -> dict[str, Any]:
    return instagram_body(
        *(did(message={"mid": mid, "is_deleted": True}) for mid in mids)
    )


def test_what_is_unsent_is_nowhere_and_no_replay_brings_it_back(
    instagram: Channel, parrot: Receiver, eager: None
) -> None:
    told = everything_with_the_word()
    direct = [*told[:7], told[9]]
    for data in direct:
        journal(data)
    settle()
    attachment = Attachment.objects.get(message__external_id="m-4")
    attachment.file.save(f"attachments/{CANARY}.pdf", ContentFile(CANARY.encode()))
    assert {"inbox_message", "webhooks_event", "channels_meta_rawevent"} < set(
        places_of(CANARY)
    )

    journal(unsent("m-1", "m-3", "m-4", "m-5", "m-6", "m-unknown"))
    settle()

    assert places_of(CANARY) == []
    replay(RawEvent.objects.all())
    for data in direct:
        RawEvent.objects.filter(
            sha256=hashlib.sha256(meta_json(data)).digest()
        ).delete()
        journal(data)
    settle()
    assert places_of(CANARY) == []
    assert Message.objects.get(external_id="m-2").content == "Hello"


def test_an_unsend_that_comes_first_is_remembered_for_edits_too(
    instagram: Channel,
) -> None:
    journal(unsent("m-1"))
    drain()

    for data in everything_with_the_word()[:3]:
        journal(data)
    drain()

    assert places_of(CANARY) == []


def test_our_own_message_unsent_in_the_native_app_leaves_the_journal_too(
    instagram: Channel, fake_adapter: Any, eager: None
) -> None:
    journal(instagram_body(wrote("m-1", "Hello")))
    drain()
    conversation = Conversation.objects.get()
    message, *_ = queue_reply(
        conversation=conversation, source=Source.API, content=CANARY
    )
    message.external_id, message.status = "m-ours", Status.SENT
    message.save()
    ours = {"person": PERSON, "account": INSTAGRAM_ID}
    journal(instagram_body(echoed(CANARY, "m-ours", **ours)))
    drain()
    assert "channels_meta_rawevent" in places_of(CANARY)

    gone = echoed("", "m-ours", **ours)
    gone["message"] = {"mid": "m-ours", "is_deleted": True, "is_echo": True}
    journal(instagram_body(gone))
    drain()

    assert places_of(CANARY) == []


# --- erased --------------------------------------------------------------------------------------


@pytest.fixture
def told(
    instagram: Channel, parrot: Receiver, agent: Agent, eager: None
) -> list[dict[str, Any]]:
    """The word was said in every way, also by us, and told to everybody who listens."""
    said_by_person = everything_with_the_word()
    for data in said_by_person:
        journal(data)
    settle()
    identity = ChannelIdentity.objects.get(external_id=PERSON)
    identity.name = identity.contact.name = CANARY
    identity.profile, identity.avatar_url = {"bio": CANARY}, f"{CDN}{CANARY}.jpg"
    identity.save()
    identity.avatar.save(f"avatars/{CANARY}.webp", ContentFile(CANARY.encode()))
    contact = identity.contact
    contact.email, contact.phone = f"{CANARY}@example.com", "+212600000000"
    contact.site_user_id, contact.attributes = CANARY, {"city": CANARY}
    contact.save()
    conversation = identity.conversations.get()
    conversation.subject = CANARY
    conversation.save()
    attachment = Attachment.objects.get(message__external_id="m-4")
    attachment.file.save(f"attachments/{CANARY}.pdf", ContentFile(CANARY.encode()))
    add_note(conversation=conversation, author=agent, content=f"Told me {CANARY}")
    Draft.objects.create(
        agent=agent, conversation=conversation, mode="reply", content=CANARY
    )
    ours, *_ = queue_reply(
        conversation=conversation,
        source=Source.AGENT,
        author=agent,
        content=f"You said {CANARY}?",
    )
    Message.objects.filter(pk=ours.pk).update(status=Status.SENT, external_id="m-ours")
    echo = {"person": PERSON, "account": INSTAGRAM_ID}
    journal(instagram_body(echoed(f"You said {CANARY}?", "m-ours", **echo)))
    queue_reply(conversation=conversation, source=Source.API, content=f"And {CANARY}")
    ChannelAction.objects.create(
        channel=instagram,
        conversation=conversation,
        message=ours,
        kind="react",
        value=CANARY,
        status="failed",
        error_detail=CANARY,
    )
    LogEntry.objects.create(
        user=agent,
        content_type=ContentType.objects.get_for_model(Contact),
        object_id=str(contact.pk),
        object_repr=CANARY,
        action_flag=CHANGE,
        change_message=CANARY,
    )
    settle()
    assert len(places_of(CANARY)) > 12
    return said_by_person


def the_contact() -> Contact:
    return Contact.objects.get(identities__external_id=PERSON)


@pytest.mark.usefixtures("told")
def test_whoever_is_erased_is_nowhere() -> None:
    erasure = erase_contact(the_contact(), None, by_name="Desk")

    assert places_of(CANARY) == []
    assert erasure.finished_at is not None
    assert not Message.objects.exclude(content="").exists()
    assert not DeliveryAttempt.objects.exclude(response="").exists()
    assert not Fetch.objects.filter(
        subject_id=ChannelIdentity.objects.get().pk, kind="profile"
    ).exists()


def test_neither_replay_nor_repeats_nor_backfill_revive_whoever_is_erased(
    told: list[dict[str, Any]], instagram: Channel
) -> None:
    sent_at = now()
    erase_contact(the_contact(), None)

    replay(RawEvent.objects.all())
    for data in told:
        RawEvent.objects.filter(
            sha256=hashlib.sha256(meta_json(data)).digest()
        ).delete()
        journal(data)
    found = InboundMessage(
        person_id=PERSON,
        external_id="m-of-old",
        sent_at=sent_at - timedelta(days=3),
        type="text",
        content=CANARY,
        name=CANARY,
    )
    receive([Arrival(instagram.pk, now(), found, recovered="history")])
    settle()

    assert places_of(CANARY) == []


@pytest.mark.usefixtures("told")
def test_whoever_writes_again_after_being_erased_begins_anew(
    instagram: Channel,
) -> None:
    erase_contact(the_contact(), None)

    journal(instagram_body(wrote("m-new", "It is me", at=now() + timedelta(seconds=2))))
    settle()

    message = Message.objects.get(external_id="m-new")
    assert message.content == "It is me"
    assert message.conversation.identity == ChannelIdentity.objects.get()
    assert carry_on(Erasure.objects.get().pk) is None
    message.refresh_from_db()
    assert message.content == "It is me"


def test_a_neighbour_in_the_same_body_stays_as_it_is(
    instagram: Channel, eager: None
) -> None:
    neighbour = wrote("m-9", "I stay", person="77000000001")
    journal(instagram_body(wrote("m-1", CANARY), neighbour, did(read={"mid": "m-0"})))
    drain()

    erase_contact(the_contact(), None)

    (row,) = RawEvent.objects.all()
    theirs, kept, read = json.loads(bytes(row.body))["entry"][0]["messaging"]
    assert theirs["message"] == {"mid": "m-1", "is_redacted": True}
    assert theirs["sender"] == {"id": PERSON}
    assert kept == json.loads(json.dumps(neighbour))
    assert read["read"] == {"mid": "m-0"}
    assert Message.objects.get(external_id="m-9").content == "I stay"


def test_somebody_with_the_same_number_at_another_account_is_not_meant(
    instagram: Channel, messenger: Channel, eager: None
) -> None:
    journal(instagram_body(wrote("m-1", CANARY)))
    journal(envelope(said("I stay", "m-2", person=PERSON)))
    drain()
    theirs = ChannelIdentity.objects.get(channel=instagram)

    erase_contact(theirs.contact, None)

    assert Message.objects.get(external_id="m-2").content == "I stay"
    assert "channels_meta_rawevent" in places_of("I stay")
    assert places_of(CANARY) == []


def test_the_integrator_is_told_that_somebody_is_to_be_forgotten(
    instagram: Channel, parrot: Receiver, eager: None
) -> None:
    journal(instagram_body(wrote("m-1", "Hello")))
    settle()
    contact = the_contact()

    erase_contact(contact, None)
    dispatch()

    (event,) = [one for one in parrot.events if one["event"] == "user_updated"]
    assert event["data"] == {
        "user": {
            "id": f"IG_{PERSON}",
            "username": None,
            "contact_id": contact.public_id,
            "email": None,
            "phone": None,
            "name": None,
        },
        "changes": {"erased": True},
    }


def test_an_answer_that_comes_while_somebody_is_erased_is_not_kept(
    instagram: Channel, parrot: Receiver
) -> None:
    journal(instagram_body(wrote("m-1", CANARY)))
    drain()
    contact = the_contact()

    def erase_meanwhile() -> None:
        if not contact.erasures.exists():
            erase_contact(contact, None)
        connection.close()

    parrot.answer = lambda received: Answer(
        body=received.body, meanwhile=erase_meanwhile
    )
    dispatch()

    assert places_of(CANARY) == []


# --- how it goes ---------------------------------------------------------------------------------


def many(conversation: Conversation, count: int) -> None:
    moment = now() - timedelta(hours=1)
    Message.objects.bulk_create(
        Message(
            conversation=conversation,
            channel_id=conversation.channel_id,
            direction="in",
            source="customer",
            status="received",
            external_id=f"m-{number}",
            content=f"{CANARY} {number}",
            sent_at=moment - timedelta(seconds=number),
            received_at=moment,
        )
        for number in range(count)
    )


def test_a_long_history_is_erased_newest_first_in_bounded_batches(
    conversation: Conversation,
) -> None:
    many(conversation, BATCH * 2 + 10)
    contact = conversation.identity.contact

    erasure = erase_contact(contact, None)

    assert erasure.finished_at is not None
    assert erasure.messages == BATCH * 2 + 10
    assert not Message.objects.exclude(content="").exists()


def test_each_batch_takes_the_same_statements(
    conversation: Conversation, fake_adapter: Any
) -> None:
    def statements(count: int) -> int:
        one = make_conversation(conversation.channel, person_id=f"lots-{count}")
        Message.objects.all().delete()
        many(one, count)
        with CaptureQueriesContext(connection) as captured:
            erase_contact(one.identity.contact, None)
        return len(captured)

    statements(1)  # content types are looked up once in a process

    assert statements(3) == statements(300)


def test_an_erasure_that_was_interrupted_is_finished_by_the_sweeper(
    conversation: Conversation, eager: None
) -> None:
    many(conversation, 3)
    erasure = Erasure.objects.create(
        contact=conversation.identity.contact, requested_at=now()
    )

    ring_unfinished()

    erasure.refresh_from_db()
    assert erasure.finished_at is not None
    assert not Message.objects.exclude(content="").exists()


def test_a_send_under_way_is_erased_when_its_answer_is_known(
    conversation: Conversation, fake_adapter: Any
) -> None:
    queue_reply(conversation=conversation, source=Source.API, content=CANARY)
    sending = claim_next(conversation.pk, at=now())
    assert sending is not None

    erasure = erase_contact(conversation.identity.contact, None)
    assert erasure.finished_at is None
    sending.refresh_from_db()
    assert sending.content == CANARY

    record_outcome(sending.pk, fake_adapter.answer(None))
    carry_on(erasure.pk)

    erasure.refresh_from_db()
    assert erasure.finished_at is not None
    assert places_of(CANARY) == []


def test_what_was_queued_for_somebody_erased_is_never_sent(
    conversation: Conversation, fake_adapter: Any
) -> None:
    queue_reply(conversation=conversation, source=Source.API, content=CANARY)

    erase_contact(conversation.identity.contact, None)
    deliver_next(conversation.pk)

    assert fake_adapter.sent == []
    assert not Message.objects.exists()


def test_a_stub_of_the_person_is_erased_with_what_told_of_it(
    instagram: Channel, eager: None
) -> None:
    journal(instagram_body(wrote("m-1", "Hello")))
    journal(
        instagram_body(did(message_edit={"mid": "m-2", "text": CANARY, "num_edit": 1}))
    )
    drain()
    assert Message.objects.get(external_id="m-2").is_stub

    erase_contact(the_contact(), None)

    assert places_of(CANARY) == []
    edit = Edit("m-2", CANARY, number=2, at=now())
    receive([Arrival(instagram.pk, now(), edit)])
    assert places_of(CANARY) == []


def test_contacts_that_were_merged_into_the_erased_one_go_with_it(
    conversation: Conversation,
) -> None:
    survivor = conversation.identity.contact
    Contact.objects.create(name=CANARY, merged_into=survivor)

    erase_contact(survivor, None)

    assert places_of(CANARY) == []


def test_a_profile_that_comes_while_its_person_is_erased_is_not_kept(
    conversation: Conversation, fake_adapter: Any
) -> None:
    def tell_late(channel: Channel, external_id: str) -> Profile:
        erase_contact(conversation.identity.contact, None)
        return Profile(name=CANARY, username=CANARY, attributes={"bio": CANARY})

    fake_adapter.fetch_profile = tell_late

    fetch_profile(conversation.identity_id)

    assert places_of(CANARY) == []


# --- who may -------------------------------------------------------------------------------------


@pytest.fixture
def key_client(db: None) -> Client:
    _row, key = ApiKey.issue("Desk")
    return Client(headers={"Authorization": f"Bearer {key}"})


def test_a_key_erases_a_person(conversation: Conversation, key_client: Client) -> None:
    contact = conversation.identity.contact
    address = f"/v1/contacts/{contact.public_id}"

    answer = key_client.delete(address)

    assert answer.status_code == 204
    assert Erasure.objects.get().requested_by_name == "Desk"
    shown = key_client.get(address).json()["data"]
    assert (shown["name"], shown["identities"][0]["name"]) == (None, None)
    assert shown["erased_at"] is not None


def test_an_erasure_that_takes_longer_is_answered_202(
    conversation: Conversation, key_client: Client
) -> None:
    queue_reply(conversation=conversation, source=Source.API, content="Wait")
    claim_next(conversation.pk, at=now())

    answer = key_client.delete(
        f"/v1/contacts/{conversation.identity.contact.public_id}"
    )

    assert answer.status_code == 202


@pytest.mark.parametrize("name", ["USER_999999", "USER_x", "7", "USER_" + "9" * 30])
def test_there_is_nobody_else_to_erase(name: str, key_client: Client) -> None:
    assert key_client.delete(f"/v1/contacts/{name}").status_code == 404
    assert key_client.get(f"/v1/contacts/{name}/export").status_code == 404


def test_without_a_key_nobody_is_erased(conversation: Conversation) -> None:
    contact = conversation.identity.contact

    assert Client().delete(f"/v1/contacts/{contact.public_id}").status_code == 401
    assert not Erasure.objects.exists()


def test_deliveries_stay_owed_after_their_words_are_erased(
    instagram: Channel, parrot: Receiver
) -> None:
    journal(instagram_body(wrote("m-1", CANARY)))
    drain()
    forget_due()

    erase_contact(the_contact(), None)
    dispatch()

    assert not Delivery.objects.exclude(state="delivered").exists()
    assert CANARY.encode() not in b"".join(one.body for one in parrot.received)
