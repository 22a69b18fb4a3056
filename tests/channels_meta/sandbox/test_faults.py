"""What goes wrong at the pretend Meta, each in its own way (contract 11.3, 11.6 and 11.7)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.utils.timezone import now

from channels_meta.models import RawEvent
from channels_meta.processing import drain
from channels_meta.sandbox import accounts, clock, customers, faults, webhooks
from channels_meta.sandbox.login.tokens import SUBCODES
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxCall,
    SandboxFault,
    SandboxNotice,
    SandboxPerson,
)
from channels_meta.sandbox.webhooks import UNTOLD
from inbox.models import Conversation, Message
from tests.channels_meta.sandbox.conftest import Graph, label, wrote

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(minutes=5)


def bodies(person: SandboxPerson) -> list[Any]:
    """What Dexra was posted, in that order."""
    rows = RawEvent.objects.order_by("id")
    return [json.loads(bytes(row.body)) for row in rows]


def items(body: Any, name: str = "messaging") -> list[Any]:
    return [item for entry in body["entry"] for item in entry.get(name, ())]


def texts() -> list[str]:
    return list(Message.objects.order_by("sent_at").values_list("content", flat=True))


# --- how faults are kept -----------------------------------------------------------------------------


def test_a_fault_strikes_as_often_as_it_was_asked_to(person: SandboxPerson) -> None:
    faults.cause(person.account, "profile", times=2)

    struck = [faults.strikes(person.account, "profile") for _ in range(3)]

    assert struck == [True, True, False]
    assert not SandboxFault.objects.exists()


def test_a_fault_without_end_lasts_until_it_is_stopped(person: SandboxPerson) -> None:
    faults.cause(person.account, "profile", times=None)

    assert all(faults.strikes(person.account, "profile") for _ in range(5))
    assert SandboxFault.objects.get().uses == 5
    faults.stop(person.account, "profile")
    assert not faults.strikes(person.account, "profile")


def test_a_fault_may_strike_by_chance(person: SandboxPerson) -> None:
    faults.dice.seed(7)
    faults.cause(person.account, "profile", probability=0.3, times=None)

    struck = [faults.strikes(person.account, "profile") for _ in range(200)]

    assert 30 < sum(struck) < 90


def test_all_of_them_can_be_on_at_random(person: SandboxPerson) -> None:
    faults.dice.seed(3)
    faults.cause_all(person.account, probability=0.2)

    for number in range(30):
        customers.write(person, f"Line {number}").tell()
    faults.stop(person.account)
    webhooks.post_due(now() + LATER)
    drain()

    assert sorted(texts()) == sorted(f"Line {number}" for number in range(30))


def test_a_fault_of_one_account_spares_the_others(
    instagram_person: SandboxPerson, messenger_person: SandboxPerson
) -> None:
    faults.cause(instagram_person.account, "down", times=None)

    assert Graph(instagram_person.channel).get("me").status_code == 503
    assert Graph(messenger_person.channel).get("me").status_code == 200


# --- calls -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subcode", sorted(SUBCODES))
def test_a_token_dies_by_each_subcode_of_190(
    person: SandboxPerson, graph: Graph, subcode: int
) -> None:
    accounts.disconnect(person.channel, subcode)

    refused = graph.get("me")

    assert label(refused) == f"190/{subcode}"
    assert "invalid_token" in refused.headers["www-authenticate"]
    accounts.reconnect(person.channel)
    assert Graph(person.channel).get("me").status_code == 200


@pytest.mark.parametrize("subcode", sorted(SUBCODES))
def test_one_send_may_meet_a_dead_token(
    person: SandboxPerson, graph: Graph, subcode: int
) -> None:
    wrote(person)
    faults.cause(person.account, "token", value=str(subcode))

    assert label(graph.say(person, text="Hi")) == f"190/{subcode}"
    assert graph.say(person, text="Hi").status_code == 200


def usage(answer: requests.Response) -> int:
    told = json.loads(answer.headers["X-Business-Use-Case-Usage"])
    return int(next(iter(told.values()))[0]["call_count"])


def test_usage_rises_until_meta_refuses(person: SandboxPerson, graph: Graph) -> None:
    faults.cause(person.account, "rising", times=None)

    answers = [graph.get("me") for _ in range(6)]

    assert [usage(one) for one in answers] == [23, 43, 63, 83, 100, 100]
    refused = "80002" if person.account.is_instagram else "613"
    assert [label(one) for one in answers] == [*[""] * 4, refused, refused]
    told = json.loads(answers[-1].headers["X-Business-Use-Case-Usage"])
    (row,) = told[person.account.external_id]
    assert row["estimated_time_to_regain_access"] == 1
    app = json.loads(answers[-1].headers["x-app-usage"])
    first = "call_volume" if person.account.is_instagram else "call_count"
    assert app[first] == 100


@pytest.mark.parametrize("code", ["4", "613", "80002", "80006"])
def test_each_code_of_a_throttled_account(
    person: SandboxPerson, graph: Graph, code: str
) -> None:
    wrote(person)
    faults.cause(person.account, "throttle", value=code)

    assert label(graph.say(person, text="Hi")) == code


def test_a_permission_may_be_lost_and_access_be_switched_off(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)

    faults.cause(person.account, "permission", times=None)
    lost = graph.say(person, text="Hi")
    faults.stop(person.account)
    faults.cause(person.account, "switched_off", times=None)
    off = graph.say(person, text="Hi")

    assert (lost.status_code, label(lost)) == (403, "200")
    assert label(off) == "200/2534041"


@pytest.mark.parametrize("status", [500, 503])
def test_meta_that_is_down_answers_in_html(
    person: SandboxPerson, graph: Graph, status: int
) -> None:
    faults.cause(person.account, "down", value=str(status))

    answer = graph.get("me")

    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")


def test_instagram_writes_its_errors_in_the_accounts_language(
    instagram_person: SandboxPerson,
) -> None:
    graph = Graph(instagram_person.channel)
    account = instagram_person.account
    words = []
    for language in ("fr", "ar", "en"):
        account.language = language
        account.save()
        answer = graph.say(instagram_person, text="Hi")
        assert (answer.status_code, label(answer)) == (403, "10/2534022")
        words.append(answer.json()["error"]["message"])

    assert len(set(words)) == 3


# --- media -------------------------------------------------------------------------------------------


def test_links_to_media_expire(person: SandboxPerson) -> None:
    photo = customers.send_photo(person)
    url = person.messages.get(mid=photo.mid).media_url

    alive = requests.get(url, timeout=10).status_code
    faults.cause(person.account, "media")
    refused = requests.get(url, timeout=10).status_code
    clock.shift_conversation(person=person, by=timedelta(days=7))
    over = requests.get(url, timeout=10).status_code

    assert (alive, refused, over) == (200, 403, 403)


def test_a_story_is_gone_after_a_day(instagram_person: SandboxPerson) -> None:
    story = customers.mention_in_story(instagram_person)
    url = instagram_person.messages.get(mid=story.mid).media_url

    clock.shift_conversation(person=instagram_person, by=timedelta(hours=23))
    alive = requests.get(url, timeout=10).status_code
    clock.shift_conversation(person=instagram_person, by=timedelta(hours=1))

    assert (alive, requests.get(url, timeout=10).status_code) == (200, 403)


def test_media_is_served_to_whoever_has_the_whole_address(
    person: SandboxPerson,
) -> None:
    photo = customers.send_photo(person)
    url = person.messages.get(mid=photo.mid).media_url

    assert requests.get(url.replace("bag", "story"), timeout=10).status_code == 403
    assert requests.get(url[:-1], timeout=10).status_code == 403
    customers.unsend_last(person)
    assert requests.get(url, timeout=10).status_code == 404


# --- events ------------------------------------------------------------------------------------------


def test_an_event_may_come_twice_and_counts_once(person: SandboxPerson) -> None:
    faults.cause(person.account, "duplicate", times=None)

    customers.write(person, "Once").tell()
    drain()

    assert person.calls.filter(kind="message").count() == 2
    assert texts() == ["Once"]


def test_events_may_overtake_each_other(person: SandboxPerson) -> None:
    faults.cause(person.account, "reorder")

    customers.write(person, "First").tell()
    customers.write(person, "Second").tell()
    webhooks.post_due(now() + LATER)

    said = [items(body)[0]["message"]["text"] for body in bodies(person)]
    assert said == ["Second", "First"]
    drain()
    assert texts() == ["First", "Second"]


def test_a_thousand_updates_come_in_one_post(person: SandboxPerson) -> None:
    faults.cause(person.account, "batch", times=None)
    for number in range(5):
        customers.write(person, f"Line {number}").tell()
    row = SandboxNotice.objects.first()
    assert row is not None
    for number in range(1001):
        mid = webhooks.make_mid(person.account)
        row.pk, row.data = None, webhooks.build_message(person, mid=mid, at=now(), text=f"More {number}")  # fmt: skip
        row.save()

    taken = webhooks.post_due(now() + LATER)

    assert taken == 1006
    assert [len(body["entry"]) for body in bodies(person)] == [1000, 6]
    assert not SandboxNotice.objects.exists()


def test_an_echo_may_come_late(person: SandboxPerson, graph: Graph) -> None:
    wrote(person)
    faults.cause(person.account, "late_echo", times=None)

    graph.say(person, text="Hello")
    before = person.calls.filter(kind="echo").count()
    webhooks.post_due(now() + LATER)

    assert (before, person.calls.filter(kind="echo").count()) == (0, 1)


def test_the_echo_of_a_lost_answer_comes_after_all(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)
    faults.cause(person.account, "timeout_after_send")

    answer = graph.say(person, text="Hello")
    webhooks.post_due(now() + LATER)
    drain()

    assert answer.status_code == 504
    assert "Hello" in texts()


def test_an_echo_may_be_there_before_the_answer(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)
    faults.cause(person.account, "early_echo")

    answer = graph.say(person, text="Hello")

    assert person.calls.get(kind="echo").at < person.calls.get(kind="send").at
    assert answer.elapsed > timedelta(milliseconds=900)


def test_another_apps_conversation_comes_in_standby(person: SandboxPerson) -> None:
    faults.cause(person.account, "standby", times=None)

    customers.write(person, "Hello").tell()
    customers.tap_button(person).tell()

    message, tap = bodies(person)
    assert items(message) == []
    assert items(message, "standby")[0]["message"]["text"] == "Hello"
    assert "payload" not in items(tap, "standby")[0]["postback"]


def test_a_thread_that_was_taken_comes_in_standby(person: SandboxPerson) -> None:
    customers.hand_to_other_app(person).tell()

    customers.write(person, "Hello").tell()
    customers.hand_to_other_app(person).tell()
    customers.write(person, "Again").tell()

    taken, hidden, given, open_again = bodies(person)
    assert items(taken, "standby")[0]["take_thread_control"]
    assert items(hidden, "standby")
    assert items(given)[0]["pass_thread_control"]
    assert items(open_again)


def test_a_false_edit_follows_and_blanks_nothing(person: SandboxPerson) -> None:
    faults.cause(person.account, "edit_zero")

    customers.write(person, "Hello").tell()
    drain()

    _message, edit = bodies(person)
    (item,) = items(edit)
    assert item["message_edit"]["num_edit"] == 0
    assert not {"sender", "recipient"} & set(item)
    assert "text" not in item["message_edit"]
    assert texts() == ["Hello"]


def test_ids_may_be_numbers(person: SandboxPerson) -> None:
    faults.cause(person.account, "number_ids")

    customers.write(person, "Hello").tell()
    drain()

    (body,) = bodies(person)
    assert isinstance(body["entry"][0]["id"], int)
    assert isinstance(items(body)[0]["sender"]["id"], int)
    assert Conversation.objects.get().identity.external_id == person.external_id


def test_times_may_be_seconds_and_words(person: SandboxPerson) -> None:
    faults.cause(person.account, "seconds")

    sent = customers.write(person, "Hello")
    sent.tell()
    drain()

    (item,) = items(bodies(person)[0])
    assert isinstance(item["timestamp"], str)
    assert int(item["timestamp"]) < 10**11
    there = person.messages.get(mid=sent.mid).sent_at
    assert abs(Message.objects.get().sent_at - there) < timedelta(seconds=1)


def test_what_nobody_announced_is_passed_over(person: SandboxPerson) -> None:
    faults.cause(person.account, "unknown")

    customers.write(person, "Hello").tell()
    drain()

    (body,) = bodies(person)
    assert body["meta_experiment"]
    assert any("hologram" in item for item in items(body))
    assert texts() == ["Hello"]
    assert RawEvent.objects.get().state == "processed"


def test_an_edit_may_not_say_whose_it_is(person: SandboxPerson) -> None:
    wrote(person, "Hello")
    faults.cause(person.account, "no_sender")

    customers.edit_last(person, "Hello there").tell()
    drain()

    (item,) = items(bodies(person)[-1])
    assert not {"sender", "recipient"} & set(item)
    assert texts() == ["Hello there"]


@pytest.mark.parametrize(
    "body",
    [
        {"object": "page", "entry": [{"id": "0", "time": 1, "messaging": []}]},
        {"object": "page", "entry": [{"id": "1055501", "time": 1, "changes": [{"field": "feed"}]}]},
        {"object": "page", "entry": [{"id": "1055501", "time": 1, "changed_fields": ["feed"]}]},
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": []}]},
        {"object": "page", "entry": []},
    ],
)  # fmt: skip
def test_odd_bodies_are_taken_too(person: SandboxPerson, body: Any) -> None:
    assert webhooks.post(person.account, body) == 200
    drain()

    assert not Message.objects.exists()


# --- when Dexra does not take them -------------------------------------------------------------------


@pytest.fixture
def deaf(settings: Any) -> Any:
    """Dexra's door cannot be reached."""
    port = settings.PORT
    settings.PORT = 1
    yield port
    settings.PORT = port


def test_what_was_not_taken_is_posted_again(
    person: SandboxPerson, settings: Any, deaf: int
) -> None:
    status = customers.write(person, "Hello").tell()
    waiting = SandboxNotice.objects.get()
    settings.PORT = deaf

    too_early = webhooks.post_due()
    taken = webhooks.post_due(waiting.due_at)
    drain()

    assert (status, too_early, taken) == (0, 0, 1)
    assert texts() == ["Hello"]
    person.account.refresh_from_db()
    assert person.account.failing_since is None


def test_the_waits_grow_longer(person: SandboxPerson, deaf: int) -> None:
    customers.write(person, "Hello").tell()
    waits = []
    for _ in range(6):
        notice = SandboxNotice.objects.get()
        webhooks.post_due(notice.due_at)
        waits.append(SandboxNotice.objects.get().due_at - now())

    assert waits == sorted(waits)
    assert SandboxNotice.objects.get().attempts == 7


def fail_for(person: SandboxPerson, span: timedelta) -> SandboxAccount:
    """Everything has been refused for so long, and one more thing is."""
    SandboxAccount.objects.update(failing_since=now() - span)
    customers.write(person, "Hello").tell()
    return SandboxAccount.objects.get(pk=person.account.pk)


def test_after_a_quarter_of_an_hour_the_developers_are_alerted(
    person: SandboxPerson, deaf: int
) -> None:
    before = fail_for(person, timedelta(minutes=14))
    after = fail_for(person, timedelta(minutes=15))

    assert (before.alerted_at is None, after.alerted_at is None) == (True, False)
    assert after.is_subscribed


def test_after_an_hour_of_failures_nothing_is_told_any_more(
    person: SandboxPerson, settings: Any, deaf: int
) -> None:
    account = fail_for(person, timedelta(hours=1))
    settings.PORT = deaf

    assert not account.is_subscribed
    assert account.dropped_at is not None
    assert not SandboxNotice.objects.exists()
    person = SandboxPerson.objects.select_related("account__page").get(pk=person.pk)
    assert customers.write(person, "Anybody there?").tell() == UNTOLD
    path = f"{person.account.external_id}/subscribed_apps"
    assert Graph(person.channel).get(path).json() == {"data": []}


def test_subscribing_anew_replays_nothing(
    person: SandboxPerson, settings: Any, deaf: int
) -> None:
    fail_for(person, timedelta(hours=1))
    settings.PORT = deaf
    path = f"{person.account.external_id}/subscribed_apps"

    Graph(person.channel).post(path, subscribed_fields="messages")
    webhooks.post_due(now() + timedelta(days=2))
    person = SandboxPerson.objects.select_related("account__page").get(pk=person.pk)
    customers.write(person, "Back again").tell()
    drain()

    assert texts() == ["Back again"]
    assert person.account.failing_since is None


def test_a_faster_clock_fits_the_hour_into_seconds(
    person: SandboxPerson, deaf: int
) -> None:
    clock.run_at(3600)
    SandboxAccount.objects.update(failing_since=now() - timedelta(seconds=1))

    customers.write(person, "Hello").tell()

    assert not SandboxAccount.objects.get(pk=person.account.pk).is_subscribed


def test_a_page_gets_only_the_fields_it_asked_for(
    messenger_person: SandboxPerson,
) -> None:
    graph = Graph(messenger_person.channel)
    graph.post("1055501/subscribed_apps", subscribed_fields="messages")
    person = SandboxPerson.objects.select_related("account").get(pk=messenger_person.pk)

    told = [customers.write(person, "Hi").tell(), customers.comment(person).tell()]

    assert told == [200, UNTOLD]


def test_both_ways_of_connecting_sign_with_their_own_secret(
    instagram_person: SandboxPerson,
) -> None:
    account = instagram_person.account
    own = webhooks.sign(account, b"{}")
    page = accounts.get_account("messenger", "1055501")
    account.subscribed_fields, account.subscribed_by = [], ""
    account.page = page

    by_page = webhooks.sign(account, b"{}")

    assert own != by_page
    assert by_page == webhooks.sign(page, b"{}")


def test_nothing_is_logged_twice_for_one_call(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)

    graph.say(person, text="Hello")

    assert SandboxCall.objects.filter(kind="send").count() == 1
