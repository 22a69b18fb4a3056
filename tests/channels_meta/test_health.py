"""How an account is, in lines that an admin understands; constant in what they cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pytest_django.asserts import assertContains, assertNotContains

from channels_meta import health, pacing
from channels_meta.arrivals import silence_of
from channels_meta.health import Level
from channels_meta.models import Credential, Incident
from channels_meta.subscriptions import PAGE_FIELDS
from inbox.models import Channel, Conversation, Import, Message
from tests.channels_meta.connect.conftest import ALL_SCOPES, TASKS, make_admin
from tests.conftest import PAGE_ID, make_conversation, make_meta_channel

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_client(db: None) -> Client:
    client = Client()
    client.force_login(make_admin("omar"))
    return client


@pytest.fixture
def well(messenger: Channel) -> Channel:
    """A Page with everything in order."""
    Credential.objects.update(
        scopes=ALL_SCOPES,
        tasks=TASKS,
        subscribed_fields=list(PAGE_FIELDS),
        subscription_checked_at=now(),
        token_checked_at=now(),
        token_issued_at=now() - timedelta(days=3),
        data_access_expires_at=now() + timedelta(days=80),
    )
    Channel.objects.update(last_event_at=now() - timedelta(minutes=5))
    Import.objects.create(
        channel=messenger, reason="connected", state="done", recovered=4
    )
    return Channel.objects.get()


def levels(channel: Channel) -> dict[str, Level]:
    return {str(f.name): f.level for f in health.findings_of(channel)}


def line(channel: Channel, name: str) -> health.Finding:
    fresh = Channel.objects.get(pk=channel.pk)
    return next(f for f in health.findings_of(fresh) if str(f.name) == name)


def cost_of(client: Client, path: str) -> int:
    """Statements of one look, with the rail's counts asked anew (they are kept for 2 seconds)."""
    cache.clear()
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def path_of(channel: Channel) -> str:
    return f"/meta/connect/channels/{channel.pk}/"


def test_an_account_with_everything_in_order_has_only_good_lines(well: Channel) -> None:
    assert levels(well) == {
        "Connection": Level.OK,
        "Access token": Level.OK,
        "Access to data": Level.OK,
        "Permissions": Level.OK,
        "Role on the Page": Level.OK,
        "What Meta reports": Level.OK,
        "Last event": Level.OK,
        "Waiting replies": Level.OK,
        "Closed reply windows": Level.OK,
        "Earlier messages": Level.OK,
    }


def test_whatever_is_wrong_comes_with_one_next_step(well: Channel) -> None:
    Credential.objects.update(
        scopes=["instagram_basic"], tasks=["ANALYZE"], subscribed_fields=["messages"],
        data_access_expires_at=now() + timedelta(days=2),
        token_expires_at=now() - timedelta(days=1),
    )  # fmt: skip
    Channel.objects.update(
        status="needs_reauth", status_reason="The token is dead.",
        last_error="Meta refused.", last_error_code="190/460", last_error_at=now(),
    )  # fmt: skip

    found = health.findings_of(Channel.objects.get())

    wrong = [finding for finding in found if finding.level in {Level.WARN, Level.BAD}]
    assert len(wrong) == 7
    assert all(finding.advice for finding in wrong)


def test_a_page_of_health_names_every_field(
    admin_client: Client, well: Channel
) -> None:
    Credential.objects.update(
        subscribed_fields=[field for field in PAGE_FIELDS if field != "feed"]
    )

    shown = admin_client.get(path_of(well))

    assertContains(shown, "Missing: feed.")
    assertContains(shown, '<li class="dx-lost">', count=1)
    assertContains(shown, "Subscribe again")


def test_the_page_shows_no_token(admin_client: Client, well: Channel) -> None:
    assertNotContains(admin_client.get(path_of(well)), "token-of-tests")


def test_a_token_that_cannot_be_decrypted_still_has_its_page(
    admin_client: Client, well: Channel
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update channels_meta_credential set access_token = 'rubbish'")

    assert admin_client.get(path_of(well)).status_code == 200
    assert admin_client.get("/meta/connect/").status_code == 200


def test_missing_permissions_are_told_by_what_they_are_for(well: Channel) -> None:
    Credential.objects.update(
        scopes=[s for s in ALL_SCOPES if s != "pages_manage_engagement"]
    )
    found = line(well, "Permissions")
    assert found.level is Level.WARN
    assert (
        "answer, hide and delete comments on your Page (pages_manage_engagement)"
        in found.says
    )

    Credential.objects.update(scopes=["pages_show_list"])
    assert line(well, "Permissions").level is Level.BAD


def test_waiting_replies_are_counted_with_the_oldest(well: Channel) -> None:
    conversation = make_conversation(well)
    for minutes in (5, 90):
        Message.objects.create(
            conversation=conversation,
            channel=well,
            direction="out",
            source="agent",
            status="queued",
            sent_at=now() - timedelta(minutes=minutes),
        )

    found = line(well, "Waiting replies")

    assert found.level is Level.WARN
    assert found.says == "2 replies wait, the oldest for 1\xa0hour."


def test_an_account_that_meta_slows_down_says_until_when(well: Channel) -> None:
    Channel.objects.update(blocked_until=now() + timedelta(minutes=20, seconds=5))

    assert "for another 20\xa0minutes" in line(well, "Waiting replies").says


def test_closed_windows_are_a_share_of_what_failed(well: Channel) -> None:
    conversation = make_conversation(well)
    for error, days in [("window_closed", 1)] * 3 + [
        ("bad_request", 1),
        ("bad_request", 9),
    ]:
        Message.objects.create(
            conversation=conversation,
            channel=well,
            direction="out",
            source="agent",
            status="failed",
            error_class=error,
            sent_at=now() - timedelta(days=days),
        )

    found = line(well, "Closed reply windows")

    assert found.level is Level.WARN
    assert found.says == "3 of 4 failed replies of 7 days (75%)."


def test_recovered_messages_are_counted(well: Channel) -> None:
    assert (
        "4 messages that Meta had not reported" in line(well, "Earlier messages").says
    )


def test_usage_is_told_only_where_it_is_high(well: Channel) -> None:
    assert "Meta's limits" not in levels(well)

    pacing.note_usage(well.pk, {"call_count": 91}, None)

    assert "91%" in line(well, "Meta's limits").says


def test_an_account_let_go_on_purpose_raises_no_alarm(
    admin_client: Client, well: Channel
) -> None:
    Channel.objects.update(status="disconnected", is_retired=True)
    Credential.objects.all().delete()

    assert health.worst(health.findings_of(Channel.objects.get())) is Level.UNKNOWN
    shown = admin_client.get(path_of(well))
    assertContains(shown, "Connect again")
    assertNotContains(shown, "Broken")


def test_incidents_are_remembered(admin_client: Client, well: Channel) -> None:
    Incident.objects.create(channel=well, kind="silent", reason="Nothing for 3 days.")

    shown = admin_client.get(path_of(well))

    assertContains(shown, "Nothing for 3 days.")
    assertContains(shown, "still so")


def test_the_page_costs_the_same_however_much_there_is(
    admin_client: Client, well: Channel
) -> None:
    admin_client.get(path_of(well))
    few = cost_of(admin_client, path_of(well))
    for number in range(30):
        make_conversation(well, person_id=f"person-{number}")
        Import.objects.create(channel=well, reason="schedule", state="done")
        Incident.objects.create(channel=well, kind="silent", closed_at=now())

    assert cost_of(admin_client, path_of(well)) == few


def test_the_list_costs_the_same_for_many_accounts(
    admin_client: Client, well: Channel
) -> None:
    admin_client.get("/meta/connect/")
    few = cost_of(admin_client, "/meta/connect/")
    for number in range(9):
        make_meta_channel("messenger", f"{PAGE_ID}{number}")

    assert cost_of(admin_client, "/meta/connect/") == few


def test_silence_is_measured_through_an_index(well: Channel) -> None:
    """The plan must read neither an account's whole history nor another account's."""
    for channel in (well, make_meta_channel("messenger", "another-page")):
        someone = make_conversation(channel, person_id="someone").identity
        Conversation.objects.bulk_create(
            Conversation(
                channel=channel,
                identity=someone,
                status=Conversation.Status.CLOSED,
                last_message_at=(at := now() - timedelta(hours=hours)),
                last_inbound_at=at,
            )
            for hours in range(3000)
        )
    with CaptureQueriesContext(connection) as captured:
        silence_of(well)
    (asked,) = captured
    with connection.cursor() as cursor:
        cursor.execute("analyze inbox_conversation")
        cursor.execute("explain " + asked["sql"])
        plan = "\n".join(row for (row,) in cursor.fetchall())

    assert "conv_channel" in plan
    assert "Seq Scan" not in plan


# --- what the page does --------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["test", "subscribe", "compare", "disconnect"])
def test_who_may_not_connect_may_not_do_anything(
    agent_client: Client, well: Channel, act: str
) -> None:
    assert agent_client.post(f"{path_of(well)}{act}/").status_code == 403


@pytest.mark.parametrize("act", ["", "test/", "disconnect/", "watch/"])
def test_an_account_that_is_not_there_is_not_found(
    admin_client: Client, act: str
) -> None:
    assert admin_client.get(f"/meta/connect/channels/4711/{act}").status_code == 404


def test_the_line_under_the_account_waits_for_the_first_event(
    admin_client: Client, well: Channel
) -> None:
    since = now()
    watch = f"{path_of(well)}watch/"

    waiting = admin_client.get(watch, {"since": since.isoformat()})
    Channel.objects.update(last_event_at=now())
    arrived = admin_client.get(watch, {"since": since.isoformat()})

    assertContains(waiting, "hx-get")
    assertContains(arrived, "It has arrived.")
    assertNotContains(arrived, "hx-get")


@pytest.mark.parametrize("since", ["", "yesterday", "2026-11-22T10:00:00"])
def test_a_moment_that_the_page_did_not_make_is_not_found(
    admin_client: Client, well: Channel, since: str
) -> None:
    assert (
        admin_client.get(f"{path_of(well)}watch/", {"since": since}).status_code == 404
    )
