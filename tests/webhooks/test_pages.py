"""The pages for whoever connects other software: endpoints, and the log of their deliveries."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from inbox.models import Agent, AuditEntry, Channel, Conversation
from tests.conftest import make_agent
from tests.webhooks.conftest import MOMENT, Receiver, announce, happened, say, write
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Event
from webhooks.pages import deliveries as log_pages
from webhooks.sending import dispatch

pytestmark = pytest.mark.django_db

RIGHTS = [
    "view_endpoint",
    "add_endpoint",
    "change_endpoint",
    "delete_endpoint",
    "view_delivery",
    "change_delivery",
    "view_event",
]
LOG = "/webhooks/log/"


def client_with(*rights: str) -> Client:
    agent = make_agent("-".join(rights) or "nobody")
    agent.user_permissions.add(
        *Permission.objects.filter(
            codename__in=rights, content_type__app_label="webhooks"
        )
    )
    client = Client()
    client.force_login(agent)
    return client


@pytest.fixture
def integrator(db: None) -> Client:
    return client_with(*RIGHTS)


@pytest.fixture
def stored(db: None) -> Endpoint:
    """Leads nowhere: nothing is sent in these tests unless they say so."""
    return Endpoint.objects.create(url="https://hooks.example/dexra", description="CRM")


@pytest.fixture
def missed(stored: Endpoint, conversation: Conversation) -> Delivery:
    """Failed, after one attempt."""
    say(conversation, "Is this available?")
    Delivery.objects.update(
        state="failed", attempts=1, last_status=500, last_error="status"
    )
    owed = Delivery.objects.get()
    DeliveryAttempt.objects.create(
        delivery=owed,
        number=1,
        started_at=MOMENT,
        duration_ms=12,
        status=500,
        error="status",
        response="<script>oops</script>",
        request_headers={"webhook-id": owed.event_id},
    )
    return owed


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


# --- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/",
        "/webhooks/new/",
        "/webhooks/{endpoint}/",
        "/webhooks/{endpoint}/edit/",
        "/webhooks/{endpoint}/secret/",
        "/webhooks/{endpoint}/rotate/",
        "/webhooks/{endpoint}/sample/",
        "/webhooks/{endpoint}/pause/",
        "/webhooks/{endpoint}/resume/",
        "/webhooks/{endpoint}/recover/",
        "/webhooks/{endpoint}/delete/",
        "/webhooks/{endpoint}/waiting/",
        "/webhooks/log/",
        "/webhooks/log/resend/",
        "/webhooks/log/progress/",
        "/webhooks/log/{delivery}/",
        "/webhooks/log/{delivery}/attempts/",
        "/webhooks/log/{delivery}/resend/",
    ],
)
def test_nobody_without_the_right_gets_in(
    path: str, method: str, missed: Delivery
) -> None:
    address = path.format(endpoint=missed.endpoint_id, delivery=missed.pk)

    assert getattr(client_with(), method)(address).status_code == 403
    assert getattr(Client(), method)(address).status_code == 302


@pytest.mark.parametrize(
    "act",
    ["edit", "secret", "rotate", "sample", "pause", "resume", "recover", "delete"],
)
def test_whoever_may_only_look_changes_nothing(act: str, missed: Delivery) -> None:
    client = client_with("view_endpoint", "view_delivery")

    answer = client.post(f"/webhooks/{missed.endpoint_id}/{act}/")

    assert answer.status_code == 403
    page = client.get(f"/webhooks/{missed.endpoint_id}/")
    assert page.status_code == 200
    assert f"/{act}/" not in page.content.decode()


def test_what_is_said_in_an_event_is_for_those_who_may_see_events(
    missed: Delivery,
) -> None:
    path = f"{LOG}{missed.pk}/"

    assert "Is this available?" in text_of(client_with(*RIGHTS).get(path))
    assert "Is this available?" not in text_of(client_with("view_delivery").get(path))


def test_the_rail_leads_there_for_whoever_may(integrator: Client) -> None:
    assert 'href="/webhooks/"' in integrator.get("/webhooks/").content.decode()
    agent = client_with("view_delivery")
    assert 'href="/webhooks/"' not in agent.get("/admin/").content.decode()


# --- making and changing -------------------------------------------------------------------------


def test_a_new_endpoint_is_told_with_its_secret_once(
    integrator: Client, channel: Channel
) -> None:
    fields = {
        "url": "https://hooks.example/dexra",
        "description": "CRM",
        "events": ["message_in", "message_out"],
        "channels": [channel.pk],
    }

    answer = integrator.post("/webhooks/new/", fields)

    endpoint = Endpoint.objects.get()
    assert endpoint.secret in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert endpoint.events == ["message_in", "message_out"]
    assert endpoint.chosen_channels == [channel]
    assert AuditEntry.objects.get().action == "endpoint_created"
    for path in ("/webhooks/", f"/webhooks/{endpoint.pk}/"):
        assert endpoint.secret not in integrator.get(path).content.decode()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "required"),
        ("http://hooks.example/", "Use https"),
        ("https://10.0.0.1/", "not a public"),
    ],
)
def test_an_address_that_will_not_work_is_explained(
    integrator: Client, url: str, sentence: str
) -> None:
    answer = integrator.post("/webhooks/new/", {"url": url, "description": "CRM"})

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert 'value="CRM"' in answer.content.decode()
    assert not Endpoint.objects.exists()


def test_an_endpoint_is_changed(integrator: Client, stored: Endpoint) -> None:
    path = f"/webhooks/{stored.pk}/edit/"

    integrator.post(path, {"url": stored.url, "events": ["ping_pong"]})
    stored.refresh_from_db()
    assert stored.description == "CRM"
    integrator.post(path, {"url": stored.url, "events": ["message_in"]})

    stored.refresh_from_db()
    assert stored.events == ["message_in"]
    assert AuditEntry.objects.get().details["fields"] == ["description", "events"]


def test_a_deleted_endpoint_takes_its_log_with_it(
    integrator: Client, missed: Delivery
) -> None:
    path = f"/webhooks/{missed.endpoint_id}/delete/"

    assert "Delete CRM?" in text_of(integrator.get(path))
    integrator.post(path)

    assert not Endpoint.objects.exists()
    assert not DeliveryAttempt.objects.exists()
    assert Event.objects.exists()
    assert AuditEntry.objects.get().action == "endpoint_deleted"


# --- the secret ----------------------------------------------------------------------------------


def test_the_secret_is_shown_again_and_that_is_written_down(
    integrator: Client, stored: Endpoint
) -> None:
    answer = integrator.post(f"/webhooks/{stored.pk}/secret/")

    assert stored.secret in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert AuditEntry.objects.get().action == "endpoint_secret_revealed"


@pytest.mark.parametrize(("seconds", "days"), [(0, 0), (86_400, 1), (604_800, 7)])
def test_a_secret_is_exchanged_with_the_chosen_overlap(
    integrator: Client, stored: Endpoint, seconds: int, days: int
) -> None:
    before = stored.secret

    answer = integrator.post(f"/webhooks/{stored.pk}/rotate/", {"overlap": seconds})

    stored.refresh_from_db()
    assert stored.secret != before
    assert stored.secret in answer.content.decode()
    assert before not in answer.content.decode()
    assert stored.previous_secret == (before if days else "")
    if days:
        assert stored.previous_secret_until is not None
        lasts = stored.previous_secret_until - now()
        assert abs(lasts - timedelta(days=days)) < timedelta(minutes=1)


def test_an_overlap_that_is_not_offered_exchanges_nothing(
    integrator: Client, stored: Endpoint
) -> None:
    before = stored.secret

    integrator.post(f"/webhooks/{stored.pk}/rotate/", {"overlap": 9_999_999})

    stored.refresh_from_db()
    assert stored.secret == before


# --- how it goes ---------------------------------------------------------------------------------


def test_each_state_is_told_in_words(integrator: Client) -> None:
    hook = "https://hooks.example/"
    Endpoint.objects.create(url=f"{hook}well")
    Endpoint.objects.create(url=f"{hook}paused", status="paused")
    Endpoint.objects.create(url=f"{hook}gone", status="disabled", status_reason="gone")
    Endpoint.objects.create(url=f"{hook}failing", failures=3, failing_since=now())

    words = text_of(integrator.get("/webhooks/"))

    assert "Active" in words
    assert "Somebody paused it. Its events wait." in words
    assert "It answered 410 Gone. They wait until it is resumed." in words
    assert "Nothing has come through since" in words


def test_what_waits_is_counted_without_a_query_per_endpoint(
    integrator: Client, conversation: Conversation
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert integrator.get("/webhooks/").status_code == 200
        return len(captured)

    Endpoint.objects.create(url="https://hooks.example/1")
    say(conversation, "One", "Two")
    integrator.get("/webhooks/")
    with_one = statements()
    for number in range(2, 8):
        Endpoint.objects.create(url=f"https://hooks.example/{number}")
    say(conversation, "Three")

    assert statements() == with_one
    assert "3 deliveries wait." in text_of(integrator.get("/webhooks/"))


def test_an_endpoint_is_paused_and_resumed_with_what_waited(
    integrator: Client, stored: Endpoint, conversation: Conversation
) -> None:
    integrator.post(f"/webhooks/{stored.pk}/pause/")
    say(conversation, "While it was paused")

    words = text_of(integrator.get(f"/webhooks/{stored.pk}/"))
    assert "1 delivery waits." in words
    assert "Resume, sending what has waited" in words

    integrator.post(f"/webhooks/{stored.pk}/resume/")
    stored.refresh_from_db()
    assert stored.status == "active"
    assert Delivery.objects.get().state == "pending"
    acts = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(acts) == ["endpoint_paused", "endpoint_resumed"]


def test_an_endpoint_is_resumed_without_what_waited(
    integrator: Client, stored: Endpoint, conversation: Conversation
) -> None:
    integrator.post(f"/webhooks/{stored.pk}/pause/")
    say(conversation, "While it was paused")

    integrator.post(f"/webhooks/{stored.pk}/resume/", {"skip_waiting": "1"})

    assert Delivery.objects.get().state == "skipped"


# --- sending -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_sample_leads_to_the_page_that_shows_how_it_went(
    endpoint: Endpoint, receiver: Receiver
) -> None:
    integrator = client_with(*RIGHTS)

    answer = integrator.post(
        f"/webhooks/{endpoint.pk}/sample/", {"event": "message_in"}, follow=True
    )

    assert "hx-get" in answer.content.decode()
    assert "It is on its way." in text_of(answer)
    dispatch()
    words = text_of(integrator.get(answer.redirect_chain[-1][0]))
    assert "Accepted" in words
    assert "HTTP 200" in words
    assert '"sample": true' in words.replace("&quot;", '"')
    assert receiver.events[0]["event"] == "message_in"


@pytest.mark.django_db(transaction=True)
def test_what_was_missed_is_recovered_and_its_progress_shown(
    endpoint: Endpoint, receiver: Receiver, live_conversation: Conversation
) -> None:
    integrator = client_with(*RIGHTS)
    say(live_conversation, "One", "Two", "Three")
    Delivery.objects.update(state="failed", attempts=10)
    long_ago = Delivery.objects.earliest("pk")
    Delivery.objects.filter(pk=long_ago.pk).update(
        created_at=now() - timedelta(days=15)
    )

    answer = integrator.post(f"/webhooks/{endpoint.pk}/recover/", follow=True)

    assert "0 of 2 sent again have arrived." in text_of(answer)
    assert "2 wait for their turn." in text_of(answer)
    assert "/webhooks/log/progress/" in answer.content.decode()
    dispatch()
    query = parse_qs(urlsplit(answer.redirect_chain[-1][0]).query)
    progress = integrator.get(f"{LOG}progress/", {"resent": query["resent"][0]})
    assert "2 of 2 sent again have arrived." in text_of(progress)
    assert "hx-get" not in progress.content.decode()
    assert [e["data"]["message"]["content"] for e in receiver.events] == [
        "Two",
        "Three",
    ]


def test_nothing_missed_is_said(integrator: Client, stored: Endpoint) -> None:
    answer = integrator.post(f"/webhooks/{stored.pk}/recover/", follow=True)

    assert "Nothing was missed in that time." in text_of(answer)


def test_a_moment_that_is_none_is_explained(
    integrator: Client, stored: Endpoint
) -> None:
    answer = integrator.post(f"/webhooks/{stored.pk}/recover/", {"since": "yesterday"})

    assert answer.status_code == 422
    assert "Enter a valid date/time." in text_of(answer)


def test_one_delivery_is_sent_again(integrator: Client, missed: Delivery) -> None:
    integrator.post(f"{LOG}{missed.pk}/resend/")

    missed.refresh_from_db()
    assert (missed.state, missed.attempts) == ("pending", 0)
    assert missed.resent_at is not None


def test_all_that_the_log_shows_is_sent_again(
    integrator: Client, missed: Delivery, conversation: Conversation
) -> None:
    announce(happened(write(conversation, "Delivered before")))
    Delivery.objects.exclude(pk=missed.pk).update(state="delivered")

    answer = integrator.post(f"{LOG}resend/", {"state": "failed"}, follow=True)

    assert "1 delivery is sent again." in text_of(answer)
    assert Delivery.objects.get(state="pending") == missed
    assert Delivery.objects.filter(state="delivered").exists()


def test_everything_there_is_is_never_sent_again_at_once(
    integrator: Client, missed: Delivery
) -> None:
    assert integrator.post(f"{LOG}resend/").status_code == 404
    missed.refresh_from_db()
    assert missed.state == "failed"


# --- the log -------------------------------------------------------------------------------------


def test_a_delivery_shows_each_attempt_and_its_answer(
    integrator: Client, missed: Delivery
) -> None:
    page = integrator.get(f"{LOG}{missed.pk}/").content.decode()

    assert "&lt;script&gt;oops&lt;/script&gt;" in page
    assert f"webhook-id: {missed.event_id}" in page
    assert "HTTP 500" in page
    assert "Answered with an error" in page


@pytest.fixture
def filled(
    stored: Endpoint, conversation: Conversation, missed: Delivery
) -> Callable[..., list[int]]:
    """The failed delivery, one to another endpoint, and one of no conversation; asks the log."""
    other = Endpoint.objects.create(url="https://other.example/")
    event = Event.objects.create(
        name="channel_status", occurred_at=MOMENT, body=b'{"event": "channel_status"}'
    )
    Delivery.objects.create(event=missed.event, endpoint=other, state="delivered")
    Delivery.objects.create(event=event, endpoint=stored, state="skipped")
    client = client_with(*RIGHTS)

    def ask(**query: Any) -> list[int]:
        page = client.get(LOG, query).content.decode()
        return [int(pk) for pk in re.findall(r'href="/webhooks/log/(\d+)/"', page)]

    return ask


def test_the_log_is_newest_first_and_filtered(
    filled: Callable[..., list[int]], missed: Delivery, stored: Endpoint
) -> None:
    first, second, third = Delivery.objects.order_by("pk").values_list("pk", flat=True)

    assert filled() == [third, second, first]
    assert filled(endpoint=stored.pk) == [third, first]
    assert filled(event="channel_status") == [third]
    assert filled(state="failed") == [first]
    assert filled(conversation=missed.conversation_id) == [first]
    assert filled(since="2100-01-01T00:00") == []
    assert filled(until="2000-01-01T00:00") == []
    assert filled(before=third) == [second, first]


@pytest.mark.parametrize(
    "query",
    [
        {"endpoint": "x"},
        {"endpoint": 9_999},
        {"event": "nothing"},
        {"state": "lost"},
        {"conversation": "-1"},
        {"conversation": "9" * 30},
        {"since": "soon"},
    ],
)
def test_a_filter_that_makes_no_sense_is_explained(
    integrator: Client, query: dict[str, Any]
) -> None:
    answer = integrator.get(LOG, query)

    assert answer.status_code == 422
    assert "dx-field-error" in answer.content.decode()


@pytest.mark.parametrize(
    "query", [{"before": "x"}, {"before": "9" * 30}, {"resent": "x"}]
)
def test_a_link_that_this_page_did_not_make_leads_nowhere(
    integrator: Client, query: dict[str, str]
) -> None:
    assert integrator.get(LOG, query).status_code == 404
    assert integrator.get(f"{LOG}progress/", query).status_code == 404


def test_the_log_goes_on_where_the_page_ends(
    integrator: Client, missed: Delivery, stored: Endpoint
) -> None:
    Delivery.objects.bulk_create(
        Delivery(event=missed.event, endpoint=stored) for _ in range(60)
    )
    seen: list[int] = []
    address = f"{LOG}?endpoint={stored.pk}"

    while address:
        page = integrator.get(address).content.decode()
        seen += [int(pk) for pk in re.findall(r'href="/webhooks/log/(\d+)/"', page)]
        more = re.search(r'href="(\?[^"]+)" rel="next"', page)
        address = LOG + more[1].replace("&amp;", "&") if more else ""

    assert len(seen) == 61
    assert seen == sorted(set(seen), reverse=True)


def test_a_rare_kind_is_looked_for_a_stretch_at_a_time(
    integrator: Client,
    missed: Delivery,
    stored: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_pages, "STRETCH", 10)
    Delivery.objects.bulk_create(
        Delivery(event=missed.event, endpoint=stored) for _ in range(15)
    )

    page = integrator.get(LOG, {"state": "failed"}).content.decode()

    assert "There may be some further back." in page
    more = re.search(r'href="(\?[^"]+)" rel="next"', page)
    assert more is not None
    further = integrator.get(LOG + more[1].replace("&amp;", "&")).content.decode()
    assert f"/webhooks/log/{missed.pk}/" in further


# --- people are told -----------------------------------------------------------------------------


def test_the_inbox_says_that_an_endpoint_was_disabled_to_whoever_can_mend_it(
    stored: Endpoint, agent: Agent
) -> None:
    Endpoint.objects.update(status="disabled", status_reason="failing")
    boss = make_agent("boss")
    for codename in ("view_conversation", "change_endpoint", "view_endpoint"):
        boss.user_permissions.add(Permission.objects.get(codename=codename))

    def banner_for(one: Agent) -> str:
        client = Client()
        client.force_login(one)
        return text_of(client.get("/inbox/all/"))

    assert "Events are no longer sent to CRM." in banner_for(boss)
    assert "no longer sent" not in banner_for(agent)
