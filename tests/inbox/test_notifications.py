"""Who is told of what outside the page: decided by the server, from what each agent chose."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from channels_meta.processing import drain
from inbox import live
from inbox.channels import ErrorClass, SendError
from inbox.conversations import add_note
from inbox.live import AWAITED, Change
from inbox.models import (
    Agent,
    Channel,
    ChannelIdentity,
    Conversation,
    NotificationKind,
    Preferences,
)
from inbox.outbound import queue_reply
from inbox.stream.readers import Reader
from inbox.triage import (
    assign_conversation,
    close_conversation,
    snooze_conversation,
    wait_for_person,
    wake_due,
)
from tests.conftest import Meta, make_agent, make_conversation, said
from tests.fakes import FakeAdapter
from tests.inbox.pages.conftest import Say, say
from tests.inbox.test_live import Page

__all__ = ["say"]

ALL = frozenset(kind.value for kind in NotificationKind)
Told = Callable[[], list[tuple[str, int, list[int]]]]


@pytest.fixture
def yassine(db: None) -> Agent:
    return make_agent("yassine", first_name="Yassine")


@pytest.fixture
def told() -> Told:
    """What the stream says is to be notified: what, of which conversation, to whom."""

    def read() -> list[tuple[str, int, list[int]]]:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            rows = [
                row
                for _, entry in client.xrange(live.STREAM)
                for row in json.loads(entry[b"changes"])
            ]
        return [(row[6], row[1], row[8]) for row in rows if row[0] == "notify"]

    return read


# --- what is told, and to whom -------------------------------------------------------------------

live_database = pytest.mark.django_db(transaction=True)


@live_database
def test_whoever_is_given_a_conversation_is_told(
    conversation: Conversation, agent: Agent, yassine: Agent, told: Told
) -> None:
    assign_conversation(conversation=conversation, assignee=yassine, by=agent)

    assert told() == [("assigned", conversation.pk, [yassine.pk])]


@live_database
def test_whoever_takes_one_is_told_nothing(
    conversation: Conversation, agent: Agent, told: Told
) -> None:
    assign_conversation(conversation=conversation, assignee=agent, by=agent)

    assert told() == []


@live_database
def test_whoever_is_named_in_a_note_is_told(
    conversation: Conversation, agent: Agent, yassine: Agent, told: Told
) -> None:
    add_note(conversation=conversation, author=agent, content="@yassine and @nadia")

    assert told() == [("mention", conversation.pk, [yassine.pk])]


@live_database
def test_whose_reply_failed_is_told(
    conversation: Conversation,
    agent: Agent,
    fake_adapter: FakeAdapter,
    eager: None,
    told: Told,
) -> None:
    def refuse(*_: Any) -> Any:
        raise SendError(ErrorClass.BAD_REQUEST, "No.", code="100")

    fake_adapter.answer = refuse
    queue_reply(
        conversation=conversation, source="agent", author=agent, content="Salam"
    )

    assert ("failed", conversation.pk, [agent.pk]) in told()


@live_database
@pytest.mark.parametrize("is_assigned", [True, False])
def test_what_wakes_up_tells_whoever_has_it_or_put_it_away(
    conversation: Conversation,
    agent: Agent,
    yassine: Agent,
    told: Told,
    is_assigned: bool,
) -> None:
    if is_assigned:
        assign_conversation(conversation=conversation, assignee=yassine, by=yassine)
    until = now() + timedelta(hours=1)
    snooze_conversation(conversation=conversation, until=until, by=agent)
    Conversation.objects.update(snoozed_until=now())

    wake_due()

    whom = yassine if is_assigned else agent
    assert told() == [("woke", conversation.pk, [whom.pk])]


@live_database
def test_who_waits_for_a_person_is_told_once_when_they_write(
    meta: Meta, messenger: Channel, agent: Agent, yassine: Agent, told: Told
) -> None:
    meta.messaging(said("Salam", "m_1"))
    drain()
    conversation = Conversation.objects.get()
    assign_conversation(conversation=conversation, assignee=yassine, by=yassine)
    close_conversation(conversation=conversation, by=yassine)
    wait_for_person(conversation=conversation, agent=agent)
    wait_for_person(conversation=conversation, agent=agent)

    for number in (2, 3):
        meta.messaging(said("Still there?", f"m_{number}"))
        drain()

    assert [one for one in told() if one[0] == AWAITED] == [
        (AWAITED, conversation.pk, [agent.pk])
    ]
    assert ChannelIdentity.objects.get().awaited_by == []


# --- what each agent wants -----------------------------------------------------------------------


def message(*, assignee: int | None = None, channel: int = 1) -> Change:
    return Change("notify", 7, 0, channel, None, assignee, "message")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (message(assignee=1), "mine"),
        (message(), "unassigned"),
        (message(assignee=2), ""),
        *(
            (Change("notify", 7, channel_id=1, what=what, only=(1,)), what)
            for what in ("assigned", "mention", "failed", "woke", AWAITED)
        ),
    ],
)
def test_each_kind_is_told_to_who_wants_it_and_to_nobody_else(
    change: Change, kind: str
) -> None:
    assert Reader(1, ALL).wish(change) == kind
    # Who asked for one person by name is told of that one whatever else they chose.
    unwanted = kind if kind == AWAITED else ""
    assert Reader(1, ALL - {kind}).wish(change) == unwanted
    assert Reader(1, ALL, frozenset({1})).wish(change) == unwanted
    assert Reader(1, ALL, frozenset({2})).wish(change) == kind


@live_database
@pytest.mark.parametrize("chosen", [None, ["assigned"]])
def test_the_stream_tells_only_what_its_agent_wants(
    asgi_server: str,
    agent: Agent,
    agent_client: Client,
    conversation: Conversation,
    chosen: list[str] | None,
) -> None:
    """Who never chose hears of what concerns them in person."""
    if chosen is not None:
        Preferences.objects.create(agent=agent, notifies_of=chosen)
    page = Page(asgi_server, agent_client, f"?since={live.position()}")

    live.publish([Change("notify", conversation.pk, what="message")])
    live.publish([Change("notify", conversation.pk, what="assigned", only=(agent.pk,))])

    assert page.next("notify") == {"id": conversation.pk, "kind": "assigned"}
    page.close()


@live_database
def test_an_ear_hears_of_its_agents_own_conversations_alone(
    asgi_server: str, agent: Agent, agent_client: Client
) -> None:
    page = Page(asgi_server, agent_client, f"?ear=1&since={live.position()}")

    live.publish(
        [
            Change("conversation", 1, 1),
            Change("conversation", 2, 1, None, None, agent.pk),
        ]
    )

    assert page.next_name() == "counts"
    page.close()


# --- the words -----------------------------------------------------------------------------------


def words(client: Client, about: str, **more: str) -> list[dict[str, Any]]:
    answer = client.get("/inbox/notifications/", {"about": about, **more})
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["notifications"]
    return found


@pytest.mark.django_db
def test_a_notification_says_who_and_what_but_not_the_words(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    say(conversation, "My card number is 4970")
    Conversation.objects.update(unread=1)

    (shown,) = words(agent_client, f"{conversation.pk}:unassigned")

    assert (shown["title"], shown["body"]) == ("Salma El Idrissi", "New message")
    assert shown["url"] == f"/inbox/unassigned/c/{conversation.pk}/"
    assert shown["is_silent"] is True


@pytest.mark.django_db
def test_the_words_are_shown_to_who_wants_them(
    agent_client: Client,
    agent: Agent,
    yassine: Agent,
    conversation: Conversation,
    say: Say,
) -> None:
    Preferences.objects.create(agent=agent, shows_preview=True, plays_sound=True)
    say(conversation, "Is it there in green?")
    add_note(conversation=conversation, author=yassine, content="@nadia look")
    Conversation.objects.update(unread=1)

    (message_shown,) = words(agent_client, f"{conversation.pk}:unassigned")
    (note_shown,) = words(agent_client, f"{conversation.pk}:mention")

    assert message_shown["body"] == "Is it there in green?"
    assert message_shown["is_silent"] is False
    assert note_shown["body"] == "@nadia look"


@pytest.mark.django_db
def test_what_was_read_elsewhere_is_no_news(
    agent_client: Client, conversation: Conversation
) -> None:
    assert words(agent_client, f"{conversation.pk}:mine") == []
    assert len(words(agent_client, f"{conversation.pk}:assigned")) == 1


@pytest.mark.django_db
def test_many_at_once_become_one_in_as_many_statements_as_one(
    agent_client: Client,
    channel: Channel,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for number in range(5):
        make_conversation(channel, name=f"Person {number}", person_id=f"p-{number}")
    about = ",".join(
        f"{pk}:woke" for pk in Conversation.objects.values_list("pk", flat=True)
    )

    with django_assert_max_num_queries(6):
        (shown,) = words(agent_client, about)

    assert shown["title"] == "5 conversations"
    assert shown["body"].endswith("and 2 others")
    assert shown["id"] is None


@pytest.mark.django_db
def test_a_browser_that_slept_too_long_hears_how_many_wait(
    agent_client: Client, agent: Agent, conversation: Conversation
) -> None:
    Conversation.objects.update(assignee=agent, unread=2)

    (shown,) = words(agent_client, "", missed="0")

    assert shown["title"] == "1 conversation"
    assert words(agent_client, "", missed="1") == []
    assert words(agent_client, "", missed="many") == []


@pytest.mark.django_db
@pytest.mark.parametrize("about", ["x:mine", "1:everything", "1", "²:mine"])
def test_a_question_that_makes_no_sense_is_refused(
    agent_client: Client, about: str
) -> None:
    answer = agent_client.get("/inbox/notifications/", {"about": about})

    assert answer.status_code == 400


@pytest.mark.django_db
def test_nobody_is_told_of_what_they_may_not_see(
    agent_client: Client, agent: Agent, conversation: Conversation
) -> None:
    agent.user_permissions.clear()

    path = f"/inbox/notifications/?about={conversation.pk}:assigned"
    assert agent_client.get(path).status_code == 403


# --- tell me when they write ---------------------------------------------------------------------


@pytest.mark.django_db
def test_a_closed_composer_offers_to_tell_and_takes_it_back(
    agent_client: Client, agent: Agent, channel: Channel
) -> None:
    conversation = make_conversation(channel, name="Karim", wrote=timedelta(days=9))
    path = f"/inbox/all/c/{conversation.pk}/"
    assertContains(agent_client.get(path), "Tell me when <bdi>Karim</bdi> writes")

    agent_client.post(f"/inbox/c/{conversation.pk}/await/")

    assert ChannelIdentity.objects.get().awaited_by == [agent.pk]
    assertContains(
        agent_client.get(path), "You will be told when <bdi>Karim</bdi> writes"
    )
    agent_client.post(f"/inbox/c/{conversation.pk}/await/stop/")
    assert ChannelIdentity.objects.get().awaited_by == []


@pytest.mark.django_db
def test_an_open_composer_does_not_offer_it(
    agent_client: Client, conversation: Conversation
) -> None:
    assertNotContains(
        agent_client.get(f"/inbox/all/c/{conversation.pk}/"), "Tell me when"
    )
