"""Complaints about what comes in: each as the rule that prevents it, through Meta's own door."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils.timezone import now

from channels_meta.models import RawEvent
from channels_meta.processing import drain, replay
from inbox.channels import Accepted, ErrorClass, SendError, WindowKind
from inbox.delivery import claim_next, record_outcome
from inbox.models import (
    Attachment,
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Message,
    Source,
    Status,
)
from inbox.outbound import queue_reply
from inbox.pages.downloads import file_url
from tests.conftest import (
    INSTAGRAM_ID,
    PAGE_ID,
    Meta,
    echoed,
    envelope,
    milliseconds,
    said,
)
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

STORY = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=18040001&signature=x"
PHOTO = "https://scontent.xx.fbcdn.net/v/t1.png"


def direct(meta: Meta, *items: dict[str, Any], kind: str = "messenger") -> None:
    assert meta.messaging(*items, kind=kind).status_code == 200
    drain()


def photo(mid: str, *, at: Any = None) -> dict[str, Any]:
    part = {"type": "image", "payload": {"url": f"{PHOTO}?{mid}"}}
    return said("", mid, attachments=[part], at=at)


def act(**event: Any) -> dict[str, Any]:
    return {
        "sender": {"id": "7701"},
        "recipient": {"id": PAGE_ID},
        "timestamp": milliseconds(now()),
        **event,
    }


def thread_of(client: Client, conversation: Conversation) -> str:
    html = client.get(f"/inbox/all/c/{conversation.pk}/").content.decode()
    return html[html.index('id="msgs"') : html.index('id="composer"')]


def sent(conversation: Conversation, text: str, outcome: Any) -> Message:
    queue_reply(conversation=conversation, source=Source.AGENT, content=text)
    message = claim_next(conversation.pk, at=now())
    assert message
    record_outcome(message.pk, outcome)
    return message


def test_case_01_a_send_and_its_echo_are_one_row_by_the_database_itself(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Salam", "m_1"))
    ours = sent(Conversation.objects.get(), "Welcome!", Accepted("m_2"))

    direct(meta, echoed("Welcome!", "m_2"))

    assert list(Message.objects.outbound().values_list("pk", flat=True)) == [ours.pk]
    ours.refresh_from_db()
    ours.pk = None
    ours.client_key = None
    with pytest.raises(IntegrityError), transaction.atomic():
        ours.save(force_insert=True)


def test_case_02_an_echo_finds_its_message_in_a_closed_conversation(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Salam", "m_1"))
    sent(Conversation.objects.get(), "Welcome!", Accepted("m_2"))
    Conversation.objects.update(status=Conversation.Status.CLOSED)

    direct(meta, echoed("Welcome!", "m_2"))

    assert Conversation.objects.get().status == Conversation.Status.CLOSED
    assert Message.objects.outbound().count() == 1


def test_case_03_an_echo_before_the_answer_attaches_to_the_oldest_equal_send(
    meta: Meta, instagram: Channel
) -> None:
    direct(meta, said("Salam", "m_1", account=INSTAGRAM_ID), kind="instagram")
    conversation = Conversation.objects.get()
    for _ in range(2):
        queue_reply(conversation=conversation, source=Source.AGENT, content="Yes")
    first = claim_next(conversation.pk, at=now())
    assert first

    direct(meta, echoed("Yes", "m_2", account=INSTAGRAM_ID), kind="instagram")
    record_outcome(first.pk, Accepted("m_2"))

    first_sent, second = Message.objects.outbound().order_by("pk")
    assert (first_sent.pk, first_sent.status) == (first.pk, Status.SENT)
    assert second.status == Status.QUEUED


def test_case_04_an_echo_that_comes_a_month_late_is_still_known(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Salam", "m_1"))
    sent(Conversation.objects.get(), "Welcome!", Accepted("m_2"))
    month_ago = now() - timedelta(days=30)
    Message.objects.outbound().update(sent_at=month_ago, received_at=month_ago)

    direct(meta, echoed("Welcome!", "m_2", at=month_ago))

    assert Message.objects.outbound().count() == 1


@pytest.mark.parametrize("is_swapped", [True, False])
def test_case_05_an_echo_is_ours_whichever_way_its_ids_stand(
    meta: Meta, messenger: Channel, is_swapped: bool
) -> None:
    echo = echoed("From the app", "m_1")
    if not is_swapped:
        echo["sender"], echo["recipient"] = echo["recipient"], echo["sender"]

    direct(meta, echo)

    message = Message.objects.get()
    assert (message.direction, message.source) == ("out", Source.NATIVE_APP)
    assert message.conversation.identity.external_id == "7701"
    assert message.conversation.unread == 0


def test_case_06_the_same_event_again_changes_nothing_and_is_answered_200(
    meta: Meta, messenger: Channel
) -> None:
    event = said("Salam", "m_1")
    direct(meta, event)
    before = (Conversation.objects.get().revision, Event.objects.count())

    for _ in range(3):
        direct(meta, event)

    assert Message.objects.count() == Conversation.objects.count() == 1
    assert Conversation.objects.get().unread == 1
    assert Event.objects.count() == before[1]


def test_case_07_album_of_six_makes_one_conversation(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Before", "m_0"))
    Conversation.objects.update(status=Conversation.Status.CLOSED)

    for number in range(1, 7):
        meta.messaging(photo(f"m_{number}"))
    drain()

    conversation = Conversation.objects.get()
    assert conversation.status == Conversation.Status.OPEN
    assert conversation.messages.count() == 7
    assert Attachment.objects.count() == 6


def test_case_08_events_of_many_people_at_once_are_all_stored(
    meta: Meta, messenger: Channel
) -> None:
    items = [
        said(f"{number}", f"m_{number}", person=f"77{number % 40:02}")
        for number in range(400)
    ]

    for start in range(0, 400, 50):
        meta.messaging(*items[start : start + 50])
    drain()

    assert Message.objects.count() == 400
    assert Conversation.objects.count() == 40
    assert not RawEvent.objects.exclude(state=RawEvent.State.PROCESSED).exists()


def test_case_10_a_type_that_nobody_knew_is_kept_and_shown_with_a_way_to_it(
    meta: Meta, instagram: Channel, agent_client: Client
) -> None:
    part = {"type": "ig_hologram", "payload": {"url": PHOTO, "depth": 3}}
    event = said("", "m_1", account=INSTAGRAM_ID, attachments=[part])

    direct(meta, event, kind="instagram")

    message = Message.objects.get()
    assert message.attachments.get().extra["raw"] == part["payload"]
    html = thread_of(agent_client, message.conversation)
    assert "This message cannot be shown here" in html
    assert "Open in Instagram" in html


@pytest.mark.parametrize("message", [{"is_unsupported": True}, {"text": ""}, {}])
def test_case_11_no_bubble_is_blank(
    meta: Meta, messenger: Channel, agent_client: Client, message: dict[str, Any]
) -> None:
    direct(meta, act(message={"mid": "m_1", **message}))

    html = thread_of(agent_client, Conversation.objects.get())
    assert "This message cannot be shown here" in html


def test_case_12_what_failed_stays_in_the_journal_and_can_be_replayed(
    meta: Meta, messenger: Channel
) -> None:
    without_mid = {**said("lost", "m_1"), "message": {"text": "lost"}}

    direct(meta, without_mid, said("beside it", "m_2"))

    row = RawEvent.objects.get()
    assert row.state == RawEvent.State.FAILED
    assert row.outcomes == ["failed: unreadable", "message"]
    assert "no message id" in row.error
    assert Message.objects.get().content == "beside it"
    replay(RawEvent.objects.all())
    drain()
    assert RawEvent.objects.get().attempts == 2
    assert Message.objects.count() == 1


def test_case_13_a_dead_token_loses_no_message(meta: Meta, messenger: Channel) -> None:
    Channel.objects.update(status=Channel.Status.NEEDS_REAUTH)

    direct(meta, said("Salam", "m_1"))

    assert Conversation.objects.get().unread == 1


def test_case_14_get_started_and_buttons_are_messages_by_their_title(
    meta: Meta, messenger: Channel, agent_client: Client
) -> None:
    direct(meta, act(postback={"mid": "m_1", "title": "Get started", "payload": "GO"}))

    message = Message.objects.get()
    assert (message.type, message.content) == ("postback", "Get started")
    assert message.extra["postback"] == {"payload": "GO"}
    assert message.conversation.unread == 1
    assert "Get started" in thread_of(agent_client, message.conversation)


def test_case_16_a_reply_in_the_native_app_is_shown_and_ends_the_waiting(
    meta: Meta, messenger: Channel, agent_client: Client
) -> None:
    direct(meta, said("Salam", "m_1"))

    direct(meta, echoed("Hello from the app", "m_2", app_id=263902037430900))

    conversation = Conversation.objects.get()
    assert conversation.waiting_since is None
    html = thread_of(agent_client, conversation)
    assert "Hello from the app" in html
    assert "Meta Business Suite" in html


def test_case_18_comments_of_both_platforms_arrive_also_without_their_author(
    meta: Meta, messenger: Channel, instagram: Channel
) -> None:
    seconds = int(now().timestamp())
    value = {"item": "comment", "verb": "add", "post_id": f"{PAGE_ID}_90",
             "comment_id": "90_91", "parent_id": f"{PAGE_ID}_90", "created_time": seconds}  # fmt: skip
    page = {"object": "page", "entry": [{"id": PAGE_ID, "time": seconds,
            "changes": [{"field": "feed", "value": value}]}]}  # fmt: skip
    of_instagram = {"object": "instagram", "entry": [{"id": INSTAGRAM_ID, "time": seconds,
                    "changes": [{"field": "comments", "value": {"id": "179", "text": "price?",
                    "media": {"id": "1797"}}}]}]}  # fmt: skip

    for body in (page, of_instagram):
        assert meta.post(body).status_code == 200
    drain()

    people = dict(
        Message.objects.values_list(
            "external_id", "conversation__identity__external_id"
        )
    )
    assert people == {"90_91": "comment:90_91", "179": "comment:179"}
    assert set(Message.objects.values_list("type", flat=True)) == {"comment"}
    assert not ChannelIdentity.objects.exclude(window_expires_at=None).exists()


def test_case_21_where_a_person_came_from_is_kept_shown_and_told_on(
    meta: Meta, messenger: Channel, agent_client: Client
) -> None:
    ad = {"ref": "winter", "source": "ADS", "type": "OPEN_THREAD", "ad_id": "61",
          "ads_context_data": {"ad_title": "Winter sale"}}  # fmt: skip
    direct(meta, said("Is it new?", "m_1", referral=ad))
    direct(meta, act(referral={"ref": "flyer", "source": "SHORTLINK"}))

    conversation = Conversation.objects.get()
    assert conversation.referral == {"ref": "flyer", "source": "SHORTLINK"}
    html = thread_of(agent_client, conversation)
    assert "Came from the ad “Winter sale”" in html
    assert "Came by the link “flyer”" in html
    (told,) = Event.objects.filter(name="message_in")
    assert b'"ad_title":"Winter sale"' in bytes(told.body)


def test_case_27_whatever_meta_counts_opens_the_window_and_a_comment_does_not(
    meta: Meta, instagram: Channel
) -> None:
    mention = {"type": "story_mention", "payload": {"url": STORY}}
    acts = {
        "1": said("Salam", "m_1", person="1", account=INSTAGRAM_ID),
        "2": said("", "m_2", person="2", account=INSTAGRAM_ID, attachments=[mention]),
        "3": said("open?", "m_3", person="3", account=INSTAGRAM_ID,
                  reply_to={"story": {"id": "1", "url": STORY}}),
        "4": {**act(postback={"mid": "m_4", "title": "Hi"}), "sender": {"id": "4"},
              "recipient": {"id": INSTAGRAM_ID}},
    }  # fmt: skip
    comment = {"field": "comments", "value": {"id": "179", "text": "price?",
               "from": {"id": "5", "username": "ana"}, "media": {"id": "1797"}}}  # fmt: skip
    body = envelope(*acts.values(), kind="instagram")
    body["entry"][0]["changes"] = [comment]

    assert meta.post(body).status_code == 200
    drain()

    kinds = {
        one.identity.external_id: one.reply_window_at(now(), source="api").kind
        for one in Conversation.objects.select_related("channel", "identity")
    }
    assert kinds == dict.fromkeys(acts, WindowKind.OPEN) | {"5": WindowKind.CLOSED}


def test_case_40_a_story_reply_shows_the_story_and_then_that_it_is_gone(
    meta: Meta, instagram: Channel, agent_client: Client
) -> None:
    reply = said("Love this!", "m_1", account=INSTAGRAM_ID,
                 reply_to={"story": {"id": "18040001", "url": STORY}})  # fmt: skip
    direct(meta, reply, kind="instagram")
    conversation = Conversation.objects.get()

    html = thread_of(agent_client, conversation)
    assert STORY.replace("&", "&amp;") in html
    assert "replied to your story" in html
    assert "Love this!" in html

    message = Message.objects.get()
    message.extra["story"]["expires_at"] = (now() - timedelta(hours=1)).isoformat()
    message.save()
    html = thread_of(agent_client, conversation)
    assert "The story has expired" in html
    assert "asset_id" not in html


def test_case_42_an_unsend_takes_text_and_file_away_everywhere_at_once(
    meta: Meta, messenger: Channel, agent_client: Client
) -> None:
    direct(meta, said("Salam", "m_0", at=now() - timedelta(minutes=5)))
    secret = said("canary word", "m_1", attachments=[
        {"type": "image", "payload": {"url": PHOTO}}])  # fmt: skip
    direct(meta, secret)
    part = Attachment.objects.get()
    part.file.save("canary.png", ContentFile(b"png"))
    part.mime_type = "image/png"
    part.save()
    url = file_url(part)
    assert agent_client.get(url).status_code == 200

    direct(meta, act(message={"mid": "m_1", "is_deleted": True}))

    conversation = Conversation.objects.get()
    assert "unsent this message" in thread_of(agent_client, conversation)
    assert conversation.last_message["deleted"] is True
    assert not Attachment.objects.exists()
    assert agent_client.get(url).status_code == 404
    assert b"canary" not in agent_client.get("/inbox/all/?q=canary&show=all").content
    for body in (*RawEvent.objects.values_list("body", flat=True),
                 *Event.objects.values_list("body", flat=True)):  # fmt: skip
        assert b"canary" not in bytes(body)
        assert b"fbcdn" not in bytes(body)


@pytest.mark.parametrize(
    ("reopening", "statuses"),
    [
        (Channel.Reopening.REOPEN, ["open"]),
        (Channel.Reopening.NEW, ["closed", "open"]),
    ],
)
def test_case_47_a_message_after_done_reopens_or_begins_anew_as_the_channel_says(
    meta: Meta, instagram: Channel, reopening: str, statuses: list[str]
) -> None:
    Channel.objects.update(reopening=reopening)
    direct(meta, said("Before", "m_1", account=INSTAGRAM_ID), kind="instagram")
    Conversation.objects.update(status=Conversation.Status.CLOSED)

    direct(meta, said("After", "m_2", account=INSTAGRAM_ID), kind="instagram")

    found = Conversation.objects.order_by("pk").values_list("status", flat=True)
    assert list(found) == statuses
    assert Contact.objects.count() == 1


def test_case_03_an_echo_of_an_uncertain_send_settles_it(
    meta: Meta, messenger: Channel
) -> None:
    direct(meta, said("Salam", "m_1"))
    conversation = Conversation.objects.get()
    message = sent(conversation, "Yes", SendError(ErrorClass.UNCERTAIN, "no answer"))

    direct(meta, echoed("Yes", "m_2", metadata=f"dx:{message.pk}"))

    message.refresh_from_db()
    assert (message.status, message.external_id) == (Status.SENT, "m_2")
