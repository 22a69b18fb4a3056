"""What else Meta reports: who holds a thread, warnings, templates, comments and their fates."""

from __future__ import annotations

import hashlib
import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from channels_meta.models import Credential, RawEvent
from channels_meta.payloads.apps import KNOWN_APPS
from channels_meta.processing import drain
from inbox.models import (
    Channel,
    ChannelIdentity,
    Conversation,
    Fetch,
    Message,
    MessageTemplate,
    Source,
    Status,
)
from tests.conftest import (
    INSTAGRAM_ID,
    PAGE_ID,
    echoed,
    envelope,
    meta_json,
    milliseconds,
    said,
)
from webhooks.models import Event

pytestmark = pytest.mark.django_db

OUR_APP = "424200"
BUSINESS_SUITE = "263902037430900"
POST = f"{PAGE_ID}_90"
PHOTO = "https://scontent.xx.fbcdn.net/v/t1.png"
_numbers = itertools.count()


def arrive(data: dict[str, Any]) -> None:
    body = meta_json(data)
    digest = hashlib.sha256(body + str(next(_numbers)).encode()).digest()
    RawEvent.objects.create(body=body, sha256=digest, day=now().date())
    drain()


def direct(*items: dict[str, Any], kind: str = "messenger") -> None:
    arrive(envelope(*items, kind=kind))


def item(*, ago: float = 0, **event: Any) -> dict[str, Any]:
    return {
        "sender": {"id": "7701"},
        "recipient": {"id": PAGE_ID},
        "timestamp": milliseconds(now() - timedelta(seconds=ago)),
        **event,
    }


def feed(**value: Any) -> dict[str, Any]:
    """A comment of Ana's under our post, and what the notice says became of it."""
    moment = int(now().timestamp())
    value = {
        "item": "comment",
        "verb": "add",
        "post_id": POST,
        "comment_id": "90_91",
        "parent_id": POST,
        "from": {"id": "7701", "name": "Ana"},
        "created_time": moment,
        "message": "still open?",
        "post": {"id": POST, "permalink_url": "https://www.facebook.com/p/90"},
        **value,
    }
    value = {key: one for key, one in value.items() if one is not None}
    changes = [{"field": "feed", "value": value}]
    entry = {"id": PAGE_ID, "time": moment, "changes": changes}
    return {"object": "page", "entry": [entry]}


def instagram_change(field: str, **value: Any) -> dict[str, Any]:
    entry = {
        "id": INSTAGRAM_ID,
        "time": int(now().timestamp()),
        "changes": [{"field": field, "value": value}],
    }
    return {"object": "instagram", "entry": [entry]}


def thread_of(client: Client) -> str:
    url = f"/inbox/all/c/{Conversation.objects.get().pk}/"
    html = client.get(url).content.decode()
    return html[html.index('id="msgs"') : html.index('id="composer"')]


# --- who holds the thread ------------------------------------------------------------------------


def held_by() -> str:
    return Conversation.objects.get().held_by


@override_settings(META_APP_ID=OUR_APP)
def test_the_thread_shows_who_holds_it_as_it_is_passed_on(
    messenger: Channel, agent_client: Client
) -> None:
    direct(said("Salam", "m_1"))
    to_suite = {"previous_owner_app_id": OUR_APP, "new_owner_app_id": BUSINESS_SUITE}
    back = {"previous_owner_app_id": BUSINESS_SUITE, "new_owner_app_id": int(OUR_APP)}

    direct(item(pass_thread_control=to_suite))
    assert held_by() == "Meta Business Suite"
    direct(item(pass_thread_control=back))
    assert held_by() == ""
    direct(item(take_thread_control={"previous_owner_app_id": OUR_APP}))
    assert held_by() == "another app"
    direct(item(request_thread_control={"requested_owner_app_id": 999}))
    assert held_by() == "another app"
    direct(item(pass_thread_control={"previous_owner_app_id": 999}))
    assert held_by() == ""

    html = thread_of(agent_client)
    for words in (
        "This conversation went to Meta Business Suite",
        "Meta Business Suite gave this conversation to Dexra",
        "Another app took this conversation over",
        "Another app asks for this conversation",
        "This conversation is nobody&#x27;s now",
    ):
        assert words in html


@override_settings(META_APP_ID=OUR_APP)
def test_messages_tell_who_holds_the_thread_too(messenger: Channel) -> None:
    stand_by = envelope(said("Salam", "m_1"))
    stand_by["entry"][0]["standby"] = stand_by["entry"][0].pop("messaging")
    arrive(stand_by)
    assert held_by() == "another app"

    answer = envelope(echoed("From there", "m_2", app_id=int(BUSINESS_SUITE)))
    answer["entry"][0]["standby"] = answer["entry"][0].pop("messaging")
    arrive(answer)
    assert held_by() == "Meta Business Suite"

    direct(said("And now to you", "m_3"))
    assert held_by() == ""


@override_settings(META_APP_ID=OUR_APP)
def test_the_latest_word_on_who_holds_a_thread_counts_within_a_body(
    messenger: Channel,
) -> None:
    direct(said("Salam", "m_0"))
    taken = {"new_owner_app_id": BUSINESS_SUITE}

    direct(
        item(take_thread_control=taken, ago=60),
        said("Later, to us", "m_1", at=now() - timedelta(seconds=5)),
    )

    assert held_by() == ""


def test_metas_own_apps_have_names() -> None:
    assert set(KNOWN_APPS) >= {BUSINESS_SUITE, "26390203743090", "1217981644879628"}


# --- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"optin": {"ref": "footer"}}, ["Came by a button on your website: footer"]),
        (
            {"optin": {"type": "notification_messages", "title": "News",
                       "notification_messages_token": "tok-1"}},
            ["Asked to be notified: “News”"],
        ),
        (
            {"optin": {"type": "notification_messages",
                       "notification_messages_status": "STOP_NOTIFICATIONS"}},
            ["Wants no more notifications"],
        ),
        (
            {"account_linking": {"status": "linked", "authorization_code": "tok-2"}},
            ["Linked their account of your website"],
        ),
        ({"account_linking": {"status": "unlinked"}}, ["Unlinked their account"]),
        (
            {"response_feedback": {"feedback": "Good response", "mid": "m_1"}},
            ["Rated an answer: “Good response”"],
        ),
        (
            {"messaging_feedback": {"feedback_screens": [{"screen_id": 0, "questions": {
                "q1": {"type": "csat", "payload": "4",
                       "follow_up": {"type": "free_form", "payload": "Quick!"}}}}]}},
            ["Answered your survey", "4", "Quick!"],
        ),
        (
            {"referral": {"source": "ADS", "type": "LEAD_COMPLETE",
                          "ads_context_data": {"ad_title": "Winter"}},
             "lead": {"data": [{"question": "Your size?", "answer": "38"}]}},
            ["Filled in the form of the ad “Winter”", "Your size?", "38"],
        ),
        ({"referral": {"source": "ADS", "ad_id": "61"}}, ["Came from the ad 61"]),
        ({"app_roles": {"1": ["primary_receiver"]}}, ["The roles of the connected apps"]),
        ({"message_request": "accept"}, ["Accepted your request to write"]),
        ({"game_play": {"game_id": "1"}}, ["Played a game"]),
        ({"hologram_call": {"on": True}}, ["The channel reported: hologram call"]),
    ],
)  # fmt: skip
def test_what_happened_around_the_messages_is_a_line_in_plain_words(
    messenger: Channel, agent_client: Client, event: dict[str, Any], words: list[str]
) -> None:
    direct(said("Salam", "m_1"))

    direct(item(**event))

    html = thread_of(agent_client)
    for word in words:
        assert word in html
    stored = str(Message.objects.get(direction="event").extra)
    assert "tok-" not in stored


def test_a_link_opens_the_window_and_an_optin_to_notifications_does_not(
    messenger: Channel,
) -> None:
    direct(item(optin={"type": "notification_messages", "title": "News"}))
    assert ChannelIdentity.objects.get().window_expires_at is None

    direct(item(referral={"ref": "flyer", "source": "SHORTLINK"}))
    assert ChannelIdentity.objects.get().window_reason == "referral"


def test_a_reaction_on_instagram_opens_a_window_only_probably(
    instagram: Channel,
) -> None:
    direct(echoed("Hello", "m_1", account=INSTAGRAM_ID), kind="instagram")
    reaction = {"mid": "m_1", "action": "react", "reaction": "love", "emoji": "❤️"}
    event = item(reaction=reaction) | {"recipient": {"id": INSTAGRAM_ID}}

    direct(event, kind="instagram")

    identity = ChannelIdentity.objects.get()
    assert identity.window_expires_at is None
    assert identity.probable_until is not None
    assert identity.probable_until > now() + timedelta(hours=23)


@override_settings(
    META_ASSUMPTIONS={
        "META_ASSUME_REACTION_OPENS_INSTAGRAM_WINDOW": "no",
        "META_ASSUME_STORY_MENTION_OPENS_WINDOW": "no",
        "META_ASSUME_AD_WINDOW_DAYS": "3",
    }
)
def test_a_first_live_account_may_correct_what_we_assume_of_windows(
    instagram: Channel,
) -> None:
    mention = {"type": "story_mention", "payload": {"url": PHOTO}}
    story = said("", "m_1", account=INSTAGRAM_ID, attachments=[mention])
    reaction = item(reaction={"mid": "m_1", "action": "react", "emoji": "❤️"})
    direct(story, reaction | {"recipient": {"id": INSTAGRAM_ID}}, kind="instagram")
    identity = ChannelIdentity.objects.get()
    assert (identity.window_expires_at, identity.probable_until) == (None, None)

    direct(said("From the ad", "m_2", account=INSTAGRAM_ID,
                referral={"source": "ADS", "ad_id": "1"}), kind="instagram")  # fmt: skip

    identity.refresh_from_db()
    assert identity.probable_until is not None
    assert identity.probable_until < now() + timedelta(days=3)


# --- the account ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["policy_enforcement", "policy-enforcement"])
def test_a_block_is_an_alert_on_the_channel_told_once(
    messenger: Channel, key: str
) -> None:
    block = {
        "recipient": {"id": PAGE_ID},
        "timestamp": milliseconds(now()),
        key: {"action": "block", "reason": "Too many complaints."},
    }

    for _ in range(3):
        direct(block)

    messenger.refresh_from_db()
    assert messenger.last_error_code == "policy_block"
    assert messenger.last_error == (
        "Meta has blocked this account from sending messages. Too many complaints."
    )
    assert messenger.last_error_at is not None
    (event,) = Event.objects.all()
    assert event.name == "channel_status"
    assert not Conversation.objects.exists()


def test_a_lifted_block_clears_that_alert_alone(messenger: Channel) -> None:
    at = now() - timedelta(minutes=5)
    lifted = {
        "recipient": {"id": PAGE_ID},
        "timestamp": milliseconds(now()),
        "policy_enforcement": {"action": "unblock"},
    }
    Channel.objects.update(
        last_error="Other", last_error_code="190/463", last_error_at=at
    )
    direct(lifted)
    assert Channel.objects.get().last_error == "Other"

    Channel.objects.update(last_error="Blocked", last_error_code="policy_block")
    direct(lifted | {"timestamp": milliseconds(now())})

    assert Channel.objects.get().last_error == ""


@pytest.mark.parametrize(
    "field", ["messenger_template_status_update", "message_template_status_update"]
)
def test_a_reviewed_template_changes_its_state(messenger: Channel, field: str) -> None:
    facts = {
        "channel": messenger,
        "language": "en_US",
        "body": "Hi",
        "status": "pending",
    }
    by_id = MessageTemplate.objects.create(external_id="5501", name="late", **facts)
    by_name = MessageTemplate.objects.create(external_id="5502", name="ready", **facts)
    values = [
        {"event": "REJECTED", "message_template_id": 5501, "reason": "PROMOTIONAL"},
        {"event": "APPROVED", "message_template_name": "ready",
         "message_template_language": "en_US"},
        {"event": "DANCING", "message_template_id": 5501},
    ]  # fmt: skip
    changes = [{"field": field, "value": value} for value in values]

    entry = {"id": PAGE_ID, "time": 1, "changes": changes}
    arrive({"object": "page", "entry": [entry]})

    by_id.refresh_from_db()
    by_name.refresh_from_db()
    assert (by_id.status, by_id.reason) == ("rejected", "PROMOTIONAL")
    assert by_name.status == "approved"


# --- comments ------------------------------------------------------------------------------------


def test_a_comments_life_is_one_card(messenger: Channel, agent_client: Client) -> None:
    arrive(feed())
    html = thread_of(agent_client)
    assert "still open?" in html
    assert "https://www.facebook.com/p/90" in html

    arrive(feed(verb="edited", message="still open today?"))
    message = Message.objects.get()
    assert message.content == "still open today?"
    assert [edit["content"] for edit in message.extra["edits"]] == ["still open?"]
    assert "still open?" in thread_of(agent_client)

    arrive(feed(verb="hide"))
    assert Message.objects.get().extra["comment"]["hidden"] is True
    arrive(feed(verb="unhide"))
    assert Message.objects.get().extra["hidden"] is False

    removal = {"verb": "remove", "message": None, "from": None, "post": None}
    arrive(feed(**removal))
    assert Message.objects.get().content == ""
    assert "This comment was removed" in thread_of(agent_client)
    arrive(feed())
    assert Message.objects.get().content == ""


def test_an_edit_may_be_the_first_we_hear_of_a_comment(messenger: Channel) -> None:
    arrive(feed(verb="edited", message="still open today?"))
    arrive(feed())

    message = Message.objects.get()
    assert (message.content, message.edited_at) == ("still open today?", None)


def test_a_reply_to_a_comment_hangs_on_it_whichever_comes_first(
    messenger: Channel,
) -> None:
    reply = {"comment_id": "90_92", "parent_id": "90_91", "message": "me too",
             "from": {"id": "7702", "name": "Ben"}}  # fmt: skip

    arrive(feed(**reply))
    arrive(feed())

    below = Message.objects.get(external_id="90_92")
    above = Message.objects.get(external_id="90_91")
    assert below.reply_to == above
    assert not above.is_stub
    assert below.conversation != above.conversation


def test_a_visitors_post_is_a_card_and_our_answer_stands_below_it(
    messenger: Channel, agent_client: Client
) -> None:
    visitor = {"item": "post", "comment_id": None, "parent_id": None,
               "message": "Love your shop"}  # fmt: skip
    arrive(feed(**visitor))
    ours = {"message": "Thank you!", "from": {"id": PAGE_ID, "name": "Maison"}}
    arrive(feed(**ours))

    html = thread_of(agent_client)
    assert "Post on your page" in html
    assert "Thank you!" in html
    answer = Message.objects.outbound().get()
    assert (answer.source, answer.type) == (Source.NATIVE_APP, "comment")


def test_an_ads_comment_that_is_notified_twice_is_one(
    instagram: Channel, agent_client: Client
) -> None:
    media = {"id": "1797", "media_product_type": "AD", "ad_id": "61",
             "ad_title": "Winter sale", "original_media_id": "1700"}  # fmt: skip
    value = {"id": "179", "text": "price?", "from": {"id": "6612", "username": "ana"}}

    arrive(instagram_change("comments", **value, media=media))
    arrive(instagram_change("comments", **value, media={"id": "1700"}))

    facts = Message.objects.get().extra["comment"]
    assert facts["ad"] == {"id": "61", "title": "Winter sale"}
    assert "Your ad “Winter sale”" in thread_of(agent_client)


def test_a_comment_during_a_live_video_says_so(
    instagram: Channel, agent_client: Client
) -> None:
    value = {"id": "179", "text": "hi", "from": {"id": "6612", "username": "ana"}}

    arrive(instagram_change("live_comments", **value, media={"id": "1797"}))

    assert Message.objects.get().extra["comment"]["is_live"] is True
    assert "Comment on your live video" in thread_of(agent_client)


def test_mentions_arrive_before_anybody_knows_who_wrote_them(
    instagram: Channel,
) -> None:
    arrive(instagram_change("mentions", media_id="1797"))
    arrive(instagram_change("mentions", media_id="1797", comment_id="179"))

    facts = Message.objects.order_by("pk").values_list(
        "external_id", "extra__comment__is_post", "extra__mention"
    )
    assert list(facts) == [("mention:1797", True, True), ("179", False, True)]
    assert Fetch.objects.filter(kind=Fetch.Kind.DETAILS).count() == 2


# --- what is to be asked -------------------------------------------------------------------------


def test_strangers_files_and_comments_are_asked_about_once(messenger: Channel) -> None:
    part = {"type": "image", "payload": {"url": PHOTO}}
    event = said("look", "m_1", attachments=[part])

    direct(event)
    direct(event)
    direct(said("again", "m_2"))
    arrive(feed(**{"from": None}))

    kinds = Fetch.objects.exclude(kind=Fetch.Kind.HISTORY).order_by("kind")
    assert list(kinds.values_list("kind", flat=True)) == ["details", "media", "profile"]
    identity = ChannelIdentity.objects.get(external_id="7701")
    assert kinds.get(kind="profile").subject_id == identity.pk


def test_who_only_commented_is_asked_about_again_once_they_write(
    messenger: Channel,
) -> None:
    arrive(feed())
    Fetch.objects.all().delete()

    direct(said("Salam", "m_1"))

    assert Fetch.objects.filter(kind=Fetch.Kind.PROFILE).count() == 1


def test_a_channel_that_keeps_no_copies_fetches_none(messenger: Channel) -> None:
    Channel.objects.update(stores_media=False)
    part = {"type": "image", "payload": {"url": PHOTO}}

    direct(said("look", "m_1", attachments=[part]))

    assert not Fetch.objects.filter(kind=Fetch.Kind.MEDIA).exists()


# --- private answers -----------------------------------------------------------------------------


def test_a_private_answers_echo_to_another_id_settles_it_where_it_was_written(
    messenger: Channel,
) -> None:
    arrive(feed())
    comment = Message.objects.get()
    ours = Message.objects.create(
        conversation=comment.conversation, channel=messenger, direction="out",
        source=Source.AGENT, content="Yes, until 8", reply_to=comment,
        is_private_reply=True, status=Status.UNCERTAIN, sent_at=now(),
    )  # fmt: skip

    direct(echoed("Yes, until 8", "m_9", person="990", metadata=f"dx:{ours.pk}"))

    ours.refresh_from_db()
    assert (ours.status, ours.external_id) == (Status.SENT, "m_9")
    assert Conversation.objects.get() == comment.conversation
    people = ChannelIdentity.objects.filter(external_id__in=["7701", "990"])
    assert len(set(people.values_list("contact", flat=True))) == 1


# --- cost ----------------------------------------------------------------------------------------


def test_no_kind_of_event_costs_a_statement_for_each(messenger: Channel) -> None:
    """Comments and answers to them, referrals, control, files, edits: a few or many alike."""

    def statements(count: int, prefix: str) -> int:
        items: list[dict[str, Any]] = []
        changes: list[dict[str, Any]] = []
        for number in range(count):
            name, person = f"{prefix}_{number}", f"{prefix}{number}"
            part = {"type": "image", "payload": {"url": f"{PHOTO}?{name}"}}
            items.append(said("hi", name, person=person, attachments=[part],
                              referral={"source": "ADS", "ad_id": "1"}))  # fmt: skip
            control = {"pass_thread_control": {"new_owner_app_id": 999}}
            items.append(item(**control) | {"sender": {"id": person}})
            items.append(item(referral={"ref": "x"}) | {"sender": {"id": person}})
            reply = {"comment_id": f"{name}_2", "parent_id": f"{name}_1"}
            ours = {"comment_id": f"{name}_3", "parent_id": f"{name}_1",
                    "from": {"id": PAGE_ID}}  # fmt: skip
            about = {"comment_id": f"{name}_1", "from": {"id": person}}
            for value in (about, about | reply, ours, about | {"verb": "hide"},
                          about | {"verb": "edited", "message": "more"}):  # fmt: skip
                changes += feed(**value)["entry"][0]["changes"]
        body = envelope(*items)
        body["entry"][0]["changes"] = changes
        raw = meta_json(body)
        digest = hashlib.sha256(raw).digest()
        RawEvent.objects.create(body=raw, sha256=digest, day=now().date())
        with CaptureQueriesContext(connection) as queries:
            drain()
        return len(queries)

    assert statements(2, "a") == statements(20, "b")


# --- routing -------------------------------------------------------------------------------------


def test_instagram_events_that_name_the_linked_page_reach_the_account(
    instagram: Channel,
) -> None:
    Credential.objects.update(node_id="1055501")
    value = {"id": "179", "text": "price?", "from": {"id": "6612", "username": "ana"}}
    body = instagram_change("comments", **value, media={"id": "1797"})
    body["entry"][0]["id"] = "1055501"

    arrive(body)

    assert Message.objects.get().channel == instagram


def test_an_event_for_nobody_waits_in_the_journal(messenger: Channel) -> None:
    body = envelope(said("Salam", "m_1", account="4711"))
    body["entry"][0]["id"] = "4711"

    arrive(body)

    assert RawEvent.objects.get().state == RawEvent.State.UNROUTED
    assert not Message.objects.exists()
