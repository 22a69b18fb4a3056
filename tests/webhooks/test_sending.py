"""The dispatcher, against receivers on real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import redis
from django.db import connection
from django.utils.timezone import now
from standardwebhooks import WebhookVerificationError

from inbox.bell import kick_key
from inbox.models import Channel, Conversation
from tests.conftest import make_conversation, wait_until
from tests.webhooks.conftest import (
    Answer,
    Received,
    Receiver,
    deliver_all,
    held_up,
    make_due,
    say,
    verify,
)
from webhooks import schedule
from webhooks.endpoints import rotate_secret
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Event
from webhooks.sending import dispatch, purge

pytestmark = pytest.mark.django_db(transaction=True)


def only_delivery() -> Delivery:
    return Delivery.objects.select_related("endpoint").get()


def answering(*answers: Answer) -> Callable[[Received], Answer]:
    """One after the other; the last for all that follow."""
    waiting = list(answers)
    return lambda received: waiting.pop(0) if len(waiting) > 1 else waiting[0]


# --- one delivery ------------------------------------------------------------------------------------


def test_an_event_arrives_signed_as_it_is_stored(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    say(live_conversation, "مرحبا, is this available?")

    dispatch()

    (received,) = receiver.received
    event = Event.objects.get()
    assert received.body == bytes(event.body)
    assert received.headers["webhook-id"] == event.id == received.json["id"]
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("Dexra-Webhooks/")
    verify(received, endpoint.secret)
    with pytest.raises(WebhookVerificationError):
        verify(received, Endpoint(url="https://other.example").secret)
    delivery = only_delivery()
    assert (delivery.state, delivery.attempts, delivery.last_status) == (
        "delivered",
        1,
        200,
    )
    attempt = DeliveryAttempt.objects.get()
    assert (attempt.number, attempt.status, attempt.error, attempt.response) == (
        1,
        200,
        "",
        "ok",
    )
    for name, value in attempt.request_headers.items():
        assert received.headers[name.lower()] == value
    assert "webhook-signature" in attempt.request_headers


def test_both_secrets_sign_while_one_is_exchanged(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    before = endpoint.secret
    after = rotate_secret(endpoint)
    say(live_conversation, "Hello")

    dispatch()

    verify(receiver.received[0], before)
    verify(receiver.received[0], after)


def test_the_secret_before_does_not_sign_for_ever(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    before = endpoint.secret
    after = rotate_secret(endpoint)
    Endpoint.objects.update(previous_secret_until=now() - timedelta(seconds=1))
    say(live_conversation, "Hello")

    dispatch()

    verify(receiver.received[0], after)
    with pytest.raises(WebhookVerificationError):
        verify(receiver.received[0], before)


def test_with_nothing_due_nothing_happens(
    endpoint: Endpoint, receiver: Receiver
) -> None:
    dispatch()

    assert not receiver.received
    endpoint.refresh_from_db()
    assert endpoint.lease_token is None


def test_a_dispatcher_whose_time_is_over_leaves_the_rest_to_the_next(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    say(live_conversation, "Hello")

    dispatch(seconds=0)
    assert not receiver.received

    dispatch()
    assert len(receiver.received) == 1


def test_a_commit_rings_once_and_the_dispatcher_listens_again(
    live_conversation: Conversation,
    endpoint: Endpoint,
    receiver: Receiver,
    settings: Any,
) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        say(live_conversation, "Hello")
        assert client.exists(kick_key(dispatch))
        say(live_conversation, "Hello again")

        dispatch()

        assert not client.exists(kick_key(dispatch))
    assert len(receiver.received) == 2


def test_without_redis_events_are_stored_and_sent_by_the_sweeper(
    live_conversation: Conversation,
    endpoint: Endpoint,
    receiver: Receiver,
    settings: Any,
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    say(live_conversation, "Hello")
    dispatch()

    assert len(receiver.received) == 1


# --- failures and retries ---------------------------------------------------------------------------


def test_a_failed_delivery_is_tried_again_with_the_same_bytes(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = answering(Answer(500, b"oops"), Answer(200))
    say(live_conversation, "Hello")

    dispatch()
    delivery = only_delivery()
    assert (delivery.state, delivery.last_status, delivery.last_error) == (
        "pending",
        500,
        "status",
    )
    make_due()
    dispatch()

    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert only_delivery().state == "delivered"
    log = DeliveryAttempt.objects.values_list("number", "status", "response")
    assert list(log) == [(1, 500, "oops"), (2, 200, "ok")]


def test_retries_keep_to_the_schedule_and_end(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = answering(Answer(503))
    say(live_conversation, "Hello")

    waits = []
    for _attempt in range(len(schedule.DELAYS)):
        dispatch()
        waits.append(only_delivery().next_attempt_at - now())
        make_due()
    dispatch()

    for wait, delay in zip(waits, schedule.DELAYS, strict=True):
        assert delay * 0.79 - timedelta(seconds=5) < wait < delay * 1.21
    delivery = only_delivery()
    assert (delivery.state, delivery.attempts) == ("failed", 10)
    assert delivery.settled_at is not None


@pytest.mark.parametrize(
    ("header", "shortest", "longest"),
    [
        ("120", timedelta(seconds=119), timedelta(seconds=121)),
        ("999999999", timedelta(seconds=3598), timedelta(hours=1)),
        ("0", timedelta(seconds=2), timedelta(seconds=7)),
        ("soon", timedelta(seconds=2), timedelta(seconds=7)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", timedelta(seconds=2), timedelta(seconds=7)),
        ("²", timedelta(seconds=2), timedelta(seconds=7)),
    ],
)
def test_retry_after_is_honoured_within_bounds(
    live_conversation: Conversation,
    endpoint: Endpoint,
    receiver: Receiver,
    header: str,
    shortest: timedelta,
    longest: timedelta,
) -> None:
    receiver.answer = answering(Answer(429, headers={"Retry-After": header}))
    say(live_conversation, "Hello")

    dispatch()

    assert shortest < only_delivery().next_attempt_at - now() < longest


def test_a_redirect_is_a_failure_and_is_not_followed(
    live_conversation: Conversation,
    endpoint: Endpoint,
    receiver: Receiver,
    new_receiver: Callable[[], Receiver],
) -> None:
    elsewhere = new_receiver()
    receiver.answer = answering(Answer(302, headers={"Location": elsewhere.url}))
    say(live_conversation, "Hello")

    dispatch()

    assert not elsewhere.received
    delivery = only_delivery()
    assert (delivery.state, delivery.last_status, delivery.last_error) == (
        "pending",
        302,
        "redirect",
    )


def test_an_endpoint_that_is_gone_is_disabled_and_its_events_wait(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = answering(Answer(410))
    say(live_conversation, "Hello")
    dispatch()
    make_due()
    say(live_conversation, "Still there?")

    dispatch()

    assert len(receiver.received) == 1
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.status_reason) == ("disabled", "gone")
    assert set(Delivery.objects.values_list("state", flat=True)) == {"pending"}


def test_nobody_listening_is_a_failed_attempt(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.close()
    say(live_conversation, "Hello")

    dispatch()

    delivery = only_delivery()
    assert (delivery.state, delivery.last_status, delivery.last_error) == (
        "pending",
        None,
        "connection",
    )


def test_a_name_that_does_not_exist_is_a_failed_attempt(
    live_conversation: Conversation, endpoint: Endpoint
) -> None:
    Endpoint.objects.update(url="https://hooks.invalid/dexra")
    say(live_conversation, "Hello")

    dispatch()

    assert only_delivery().last_error == "dns"


def test_a_forbidden_address_is_never_dialled(
    live_conversation: Conversation,
    endpoint: Endpoint,
    receiver: Receiver,
    settings: Any,
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    say(live_conversation, "Hello")

    dispatch()

    assert not receiver.received
    assert only_delivery().last_error == "forbidden"


def test_proxies_of_the_environment_are_not_used(
    live_conversation: Conversation,
    endpoint: Endpoint,
    receiver: Receiver,
    new_receiver: Callable[[], Receiver],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = new_receiver()
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    say(live_conversation, "Hello")

    dispatch()

    assert (len(proxy.received), len(receiver.received)) == (0, 1)


def test_what_is_not_http_is_a_failed_attempt(
    live_conversation: Conversation, endpoint: Endpoint
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Endpoint.objects.update(url=f"http://127.0.0.1:{server.getsockname()[1]}/")

        def answer() -> None:
            peer, _address = server.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"220 mail.example ESMTP\r\n")

        talking = threading.Thread(target=answer)
        talking.start()
        say(live_conversation, "Hello")

        dispatch()
        talking.join()

    assert only_delivery().last_error in {"protocol", "connection"}


def test_a_long_answer_is_cut_and_never_unpacked(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    packed = {"Content-Encoding": "gzip"}
    receiver.answer = answering(Answer(200, b"\x1f\x8b" + b"0" * 5_000_000, packed))
    say(live_conversation, "Hello")

    dispatch()

    assert only_delivery().state == "delivered"
    response = DeliveryAttempt.objects.get().response
    assert 4000 < len(response) <= 4096
    assert response.endswith("0000")


# --- order and fairness --------------------------------------------------------------------------------


def test_a_conversation_arrives_in_order_one_at_a_time(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Answer(meanwhile=held_up(0.005))
    say(live_conversation, *(f"{number}" for number in range(30)))

    dispatch()

    assert [event["data"]["sequence"] for event in receiver.events] == list(
        range(1, 31)
    )
    assert receiver.most_at_once == 1


def test_an_endpoint_gets_at_most_four_at_once(
    channel: Channel, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Answer(meanwhile=held_up(0.02))
    for number in range(24):
        say(make_conversation(channel, person_id=str(number)), "Hello")

    dispatch()

    assert len(receiver.received) == 24
    assert receiver.most_at_once == 4


def test_a_failure_does_not_hold_back_what_comes_after(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = answering(Answer(500), Answer(200))
    say(live_conversation, "1", "2", "3")

    dispatch()

    assert [event["data"]["sequence"] for event in receiver.events] == [1, 2, 3]
    states = Delivery.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["pending", "delivered", "delivered"]


def test_retries_do_not_hold_up_first_attempts(
    channel: Channel, endpoint: Endpoint, receiver: Receiver
) -> None:
    for number in range(8):
        say(make_conversation(channel, person_id=f"old-{number}"), "old")
    receiver.answer = answering(Answer(500))
    dispatch()
    make_due()
    Endpoint.objects.update(failures=0)
    receiver.received.clear()
    # Retries hang, and may take but half of what the endpoint gets at once.
    let_go = threading.Event()
    fresh = 6

    def answer(received: Received) -> Answer:
        if received.json["data"]["message"]["content"] == "old":
            return Answer(meanwhile=lambda: let_go.wait(10))
        if (
            sum(e["data"]["message"]["content"] == "new" for e in receiver.events)
            == fresh
        ):
            let_go.set()
        return Answer()

    receiver.answer = answer
    for number in range(fresh):
        say(make_conversation(channel, person_id=f"new-{number}"), "new")

    dispatch()

    assert let_go.is_set()
    assert not Delivery.objects.exclude(state="delivered").exists()


def test_a_slow_endpoint_does_not_hold_up_the_others(
    channel: Channel,
    endpoint: Endpoint,
    receiver: Receiver,
    new_receiver: Callable[[], Receiver],
) -> None:
    healthy = new_receiver()
    Endpoint.objects.create(url=healthy.url)
    all_there = threading.Event()
    receiver.answer = lambda _: Answer(meanwhile=lambda: all_there.wait(9))

    def answer(_: Received) -> Answer:
        if len(healthy.received) == 200:
            all_there.set()
        return Answer()

    healthy.answer = answer
    for number in range(10):
        conversation = make_conversation(channel, person_id=str(number))
        say(conversation, *(str(n) for n in range(20)))
    began = time.monotonic()

    dispatch()

    assert all_there.is_set()
    assert time.monotonic() - began < 9
    assert Delivery.objects.filter(state="delivered").count() == 400


# --- breaker, and giving up ------------------------------------------------------------------------------


def test_an_endpoint_that_keeps_failing_is_left_alone_without_spending_attempts(
    channel: Channel, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = answering(Answer(500))
    for number in range(40):
        say(make_conversation(channel, person_id=str(number)), "Hello")

    dispatch()

    asked = len(receiver.received)
    assert schedule.BREAKER_FAILURES <= asked < schedule.BREAKER_FAILURES + 4
    endpoint.refresh_from_db()
    assert endpoint.failures == schedule.BREAKER_FAILURES
    assert endpoint.failing_since is not None
    assert endpoint.breaker_until is not None
    assert endpoint.breaker_until > now()
    assert Delivery.objects.filter(state="pending", attempts=0).count() == 40 - asked

    dispatch()
    assert len(receiver.received) == asked


def test_after_its_rest_an_endpoint_is_asked_once_and_then_fully(
    channel: Channel, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = answering(Answer(500))
    for number in range(40):
        say(make_conversation(channel, person_id=str(number)), "Hello")
    dispatch()
    make_due()
    asked = len(receiver.received)

    dispatch()
    assert len(receiver.received) == asked + 1
    endpoint.refresh_from_db()
    assert endpoint.breaker_until is not None
    assert endpoint.breaker_until - now() > timedelta(seconds=50)

    receiver.answer = answering(Answer(200))
    make_due()
    dispatch()

    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since, endpoint.breaker_until) == (
        0,
        None,
        None,
    )
    assert not Delivery.objects.exclude(state="delivered").exists()


@pytest.mark.parametrize(
    ("failing_for", "status"),
    [
        (timedelta(days=5, seconds=10), "disabled"),
        (timedelta(days=5) - timedelta(minutes=5), "active"),
    ],
)
def test_five_days_of_nothing_but_failure_disable_an_endpoint(
    live_conversation: Conversation,
    endpoint: Endpoint,
    receiver: Receiver,
    failing_for: timedelta,
    status: str,
) -> None:
    Endpoint.objects.update(failures=3, failing_since=now() - failing_for)
    receiver.answer = answering(Answer(500))
    say(live_conversation, "Hello")

    dispatch()

    endpoint.refresh_from_db()
    assert endpoint.status == status


def test_a_paused_endpoint_gets_nothing(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    Endpoint.objects.update(status="paused")
    say(live_conversation, "Hello")

    dispatch()

    assert not receiver.received
    assert only_delivery().state == "pending"


# --- leases ------------------------------------------------------------------------------------------------


def test_an_endpoint_that_another_dispatcher_serves_is_left_to_it(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    Endpoint.objects.update(
        lease_token=uuid.uuid4(), lease_until=now() + timedelta(seconds=20)
    )
    say(live_conversation, "Hello")

    dispatch()

    assert not receiver.received


def test_the_lease_of_a_dead_dispatcher_runs_out(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    Endpoint.objects.update(
        lease_token=uuid.uuid4(), lease_until=now() - timedelta(seconds=1)
    )
    say(live_conversation, "Hello")

    dispatch()

    assert only_delivery().state == "delivered"
    endpoint.refresh_from_db()
    assert endpoint.lease_token is None


def test_what_a_killed_dispatcher_was_sending_is_sent_again(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = lambda _: Answer(meanwhile=held_up(30))
    say(live_conversation, "Hello")
    database = connection.settings_dict["NAME"]
    program = (
        "import django; django.setup()\n"
        "from django.db import connections\n"
        f"connections['default'].settings_dict['NAME'] = {database!r}\n"
        "from webhooks.sending import dispatch; dispatch()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program], start_new_session=True, env=os.environ.copy()
    )
    wait_until(lambda: receiver.received, seconds=30)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert only_delivery().attempts == 0

    receiver.answer = answering(Answer())
    Endpoint.objects.update(lease_until=now() - timedelta(seconds=1))
    dispatch()

    assert only_delivery().state == "delivered"
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_the_result_of_a_dispatcher_that_lost_its_lease_is_not_recorded(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    def take_over() -> None:
        Endpoint.objects.update(
            lease_token=uuid.uuid4(), lease_until=now() + timedelta(seconds=30)
        )
        connection.close()

    receiver.answer = lambda _: Answer(meanwhile=take_over)
    say(live_conversation, "Hello")

    dispatch()

    assert len(receiver.received) == 1
    delivery = only_delivery()
    assert (delivery.state, delivery.attempts) == ("pending", 0)
    assert not DeliveryAttempt.objects.exists()


def test_two_dispatchers_send_everything_once(
    channel: Channel, new_receiver: Callable[[], Receiver]
) -> None:
    receivers = [new_receiver() for _ in range(4)]
    for receiver in receivers:
        Endpoint.objects.create(url=receiver.url)
    for number in range(10):
        conversation = make_conversation(channel, person_id=str(number))
        say(conversation, *(str(n) for n in range(10)))

    others = [threading.Thread(target=dispatch) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    dispatch()

    for receiver in receivers:
        assert len(receiver.received) == 100
        assert receiver.most_at_once <= 4
        by_conversation: dict[str, list[int]] = {}
        for event in receiver.events:
            data = event["data"]
            by_conversation.setdefault(data["conversation_id"], []).append(
                data["sequence"]
            )
        for numbers in by_conversation.values():
            assert all(a < b for a, b in pairwise(numbers))


def test_an_answer_that_comes_after_an_erasure_is_not_kept(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    def erase_meanwhile() -> None:
        Event.objects.update(erased_at=now())
        connection.close()

    receiver.answer = lambda _: Answer(200, b"4242", meanwhile=erase_meanwhile)
    say(live_conversation, "4242")

    dispatch()

    assert DeliveryAttempt.objects.get().response == ""


# --- forgetting ----------------------------------------------------------------------------------------------


def test_old_events_and_attempts_are_dropped(
    live_conversation: Conversation, endpoint: Endpoint, receiver: Receiver
) -> None:
    say(live_conversation, "old", "new")
    deliver_all()
    old = Event.objects.order_by("id").first()
    assert old is not None
    old_delivery = Delivery.objects.get(event=old)
    # ULID of 2023: ids begin with their moment.
    Event.objects.create(
        id="evt_01HDKXXXXXXXXXXXXXXXXXXXXX",
        name="ping",
        occurred_at=old.occurred_at,
        body=old.body,
    )
    Delivery.objects.filter(pk=old_delivery.pk).update(
        event="evt_01HDKXXXXXXXXXXXXXXXXXXXXX"
    )
    old.delete()

    purge()

    assert Event.objects.count() == Delivery.objects.count() == 1
    assert DeliveryAttempt.objects.count() == 1

    DeliveryAttempt.objects.update(started_at=now() - timedelta(days=15))
    purge()

    assert not DeliveryAttempt.objects.exists()
    assert Delivery.objects.get().state == "delivered"
