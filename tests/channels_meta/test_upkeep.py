"""Looking after accounts: tokens, subscriptions, silence, and telling admins."""

from __future__ import annotations

import hashlib
import smtplib
from datetime import timedelta
from typing import Any

import pytest
import responses
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.utils.timezone import now

from channels_meta import upkeep
from channels_meta.models import Credential, Incident, LoginAttempt, RawEvent
from channels_meta.processing import drain
from channels_meta.subscriptions import INSTAGRAM_FIELDS, PAGE_FIELDS
from inbox.delivery import deliver_next
from inbox.mails import readers_with
from inbox.models import Agent, Channel
from inbox.outbound import queue_reply
from tests.channels_meta.connect.conftest import make_admin, token_facts
from tests.conftest import (
    INSTAGRAM_ID,
    PAGE_ID,
    envelope,
    make_agent,
    make_conversation,
    meta_json,
    milliseconds,
)

pytestmark = pytest.mark.django_db
FACEBOOK = "https://graph.facebook.com/v26.0"
INSTAGRAM = "https://graph.instagram.com"
REFRESH = f"{INSTAGRAM}/refresh_access_token"
PAGE_APPS = f"{FACEBOOK}/{PAGE_ID}/subscribed_apps"
INSTAGRAM_APPS = f"{INSTAGRAM}/v26.0/{INSTAGRAM_ID}/subscribed_apps"


@pytest.fixture(autouse=True)
def meta_itself(settings: Any) -> Any:
    settings.SANDBOX = False
    settings.META_APP_ID = "990001"
    with responses.RequestsMock(assert_all_requests_are_fired=False) as meta:
        yield meta


@pytest.fixture
def admin(db: None) -> Agent:
    return make_admin("omar", email="omar@example.com")


def subscribed(meta: Any, url: str, fields: Any, app: str = "990001") -> None:
    entry = {"id": app, "name": "Dexra", "subscribed_fields": list(fields)}
    meta.get(url, json={"data": [entry] if fields else []})


def all_well(meta: Any) -> None:
    subscribed(meta, PAGE_APPS, PAGE_FIELDS)
    subscribed(meta, INSTAGRAM_APPS, INSTAGRAM_FIELDS)
    meta.get(
        f"{FACEBOOK}/debug_token", json=token_facts(type="PAGE", profile_id=PAGE_ID)
    )


def look_after(channel: Channel) -> Credential:
    Credential.objects.filter(channel=channel).update(due_at=now())
    upkeep.look_after(channel.meta.pk)
    channel.refresh_from_db()
    return Credential.objects.get(channel=channel)


# --- the token -----------------------------------------------------------------------------------


def test_an_instagram_token_of_a_week_is_renewed(
    instagram: Channel, meta_itself: Any
) -> None:
    all_well(meta_itself)
    answer = {"access_token": "IGAA-new", "token_type": "bearer", "expires_in": 5183944}
    asked = meta_itself.get(REFRESH, json=answer)
    Credential.objects.update(
        token_issued_at=now() - timedelta(days=8),
        token_expires_at=now() + timedelta(days=52),
    )

    credential = look_after(instagram)

    assert asked.calls[0].request.params == {
        "grant_type": "ig_refresh_token",
        "access_token": "token-of-tests",
    }
    assert credential.access_token == "IGAA-new"
    assert credential.token_expires_at is not None
    assert (credential.token_expires_at - now()).days == 59


@pytest.mark.parametrize(
    ("age", "left"),
    [
        (timedelta(hours=23), timedelta(days=5)),  # Meta refreshes none that is younger
        (timedelta(days=6), timedelta(days=54)),
        (timedelta(days=61), timedelta(days=-1)),  # nor one that has ended
    ],
)
def test_a_token_that_cannot_or_need_not_be_renewed_is_left(
    instagram: Channel, meta_itself: Any, age: timedelta, left: timedelta
) -> None:
    all_well(meta_itself)
    asked = meta_itself.get(REFRESH, json={})
    Credential.objects.update(
        token_issued_at=now() - age, token_expires_at=now() + left
    )

    look_after(instagram)

    assert asked.call_count == 0


def test_a_renewal_never_overwrites_what_an_admin_has_just_connected(
    instagram: Channel, meta_itself: Any
) -> None:
    all_well(meta_itself)

    def answer_late(request: Any) -> tuple[int, dict[str, str], str]:
        newer = Credential.objects.get()
        newer.access_token = "IGAA-reconnected"
        newer.save()
        return 200, {}, '{"access_token": "IGAA-late", "expires_in": 5183944}'

    meta_itself.add_callback(responses.GET, REFRESH, callback=answer_late)
    Credential.objects.update(
        token_issued_at=now() - timedelta(days=8),
        token_expires_at=now() + timedelta(days=52),
    )

    assert look_after(instagram).access_token == "IGAA-reconnected"


def test_a_page_token_is_asked_about_once_a_day(
    messenger: Channel, meta_itself: Any
) -> None:
    subscribed(meta_itself, PAGE_APPS, PAGE_FIELDS)
    facts = token_facts(type="PAGE", scopes=["pages_messaging"])
    asked = meta_itself.get(f"{FACEBOOK}/debug_token", json=facts)

    credential = look_after(messenger)
    look_after(messenger)

    assert asked.call_count == 1
    assert asked.calls[0].request.headers["Authorization"] == "Bearer 990001|app-secret"
    assert (credential.scopes, credential.token_expires_at) == (
        ["pages_messaging"],
        None,
    )
    assert credential.data_access_expires_at is not None


def test_a_dead_token_stops_the_account_and_tells_why(
    messenger: Channel, meta_itself: Any
) -> None:
    error = {"code": 190, "subcode": 460, "message": "…"}
    facts = token_facts(type="PAGE", is_valid=False, error=error)
    meta_itself.get(f"{FACEBOOK}/debug_token", json=facts)

    look_after(messenger)

    assert messenger.status == "needs_reauth"
    assert messenger.status_reason
    assert Incident.objects.get().kind == "needs_reauth"


def test_a_stopped_account_is_left_alone(messenger: Channel, meta_itself: Any) -> None:
    """Asking again and again with a dead token looks like abuse."""
    Channel.objects.update(status="needs_reauth")

    look_after(messenger)

    assert len(meta_itself.calls) == 0


def test_a_meta_that_is_away_changes_nothing(
    messenger: Channel, meta_itself: Any
) -> None:
    for path in ("debug_token", f"{PAGE_ID}/subscribed_apps"):
        meta_itself.get(f"{FACEBOOK}/{path}", status=503, body="upstream")

    look_after(messenger)

    assert messenger.status == "active"
    assert not Incident.objects.exists()


def test_a_token_that_is_about_to_end_is_an_incident(
    instagram: Channel, meta_itself: Any
) -> None:
    all_well(meta_itself)
    meta_itself.get(REFRESH, json={"error": {"message": "…", "code": 2}}, status=500)
    Credential.objects.update(
        token_issued_at=now() - timedelta(days=55),
        token_expires_at=now() + timedelta(days=5),
    )

    look_after(instagram)

    assert Incident.objects.get().kind == "expiring"
    assert "ends on" in instagram.status_reason


def test_a_token_that_cannot_be_decrypted_asks_for_a_reconnection(
    messenger: Channel, meta_itself: Any
) -> None:
    Credential.objects.update(due_at=now())
    pk = messenger.meta.pk
    with connection.cursor() as cursor:
        cursor.execute("update channels_meta_credential set access_token = 'rubbish'")

    upkeep.look_after(pk)

    messenger.refresh_from_db()
    assert messenger.status == "needs_reauth"


# --- the subscription ----------------------------------------------------------------------------


def test_a_subscription_that_vanished_is_made_anew(
    messenger: Channel, meta_itself: Any
) -> None:
    Credential.objects.update(
        subscribed_fields=list(PAGE_FIELDS), token_checked_at=now()
    )
    meta_itself.get(PAGE_APPS, json={"data": []})
    again = meta_itself.post(PAGE_APPS, json={"success": True})
    subscribed(meta_itself, PAGE_APPS, PAGE_FIELDS)

    credential = look_after(messenger)

    assert again.call_count == 1
    assert credential.subscribed_fields == list(PAGE_FIELDS)
    assert not Incident.objects.exists()


def test_a_single_field_that_vanished_is_restored(
    messenger: Channel, meta_itself: Any
) -> None:
    Credential.objects.update(
        subscribed_fields=list(PAGE_FIELDS), token_checked_at=now()
    )
    subscribed(meta_itself, PAGE_APPS, [f for f in PAGE_FIELDS if f != "message_edits"])
    again = meta_itself.post(PAGE_APPS, json={"success": True})

    look_after(messenger)

    assert again.call_count == 1


def test_a_field_that_meta_never_gave_is_not_asked_for_every_hour(
    messenger: Channel, meta_itself: Any
) -> None:
    given = [field for field in PAGE_FIELDS if field != "mention"]
    Credential.objects.update(subscribed_fields=given, token_checked_at=now())
    subscribed(meta_itself, PAGE_APPS, given)
    again = meta_itself.post(PAGE_APPS, json={"success": True})

    look_after(messenger)

    assert again.call_count == 0


def test_a_subscription_that_cannot_be_restored_is_an_incident(
    messenger: Channel, meta_itself: Any
) -> None:
    Credential.objects.update(token_checked_at=now())
    meta_itself.get(PAGE_APPS, json={"data": []})
    meta_itself.post(PAGE_APPS, json={"success": True})

    look_after(messenger)

    assert Incident.objects.get().kind == "unsubscribed"
    assert "does not report" in messenger.status_reason


# --- turns ---------------------------------------------------------------------------------------


def test_every_account_has_its_turn_once_an_hour(
    messenger: Channel, meta_itself: Any
) -> None:
    all_well(meta_itself)

    credential = look_after(messenger)
    calls = len(meta_itself.calls)
    upkeep.look_after(credential.pk)

    assert len(meta_itself.calls) == calls
    assert timedelta(minutes=59) < credential.due_at - now() < timedelta(minutes=61)


def test_a_broken_account_keeps_nobody_waiting(
    messenger: Channel, instagram: Channel, meta_itself: Any
) -> None:
    subscribed(meta_itself, INSTAGRAM_APPS, INSTAGRAM_FIELDS)
    meta_itself.get(f"{FACEBOOK}/debug_token", status=500, body="…")
    meta_itself.get(PAGE_APPS, status=500, body="…")

    look_after(messenger)
    credential = look_after(instagram)

    assert credential.subscribed_fields == list(INSTAGRAM_FIELDS)


# --- telling admins ------------------------------------------------------------------------------


def test_admins_are_written_to_once(admin: Agent, messenger: Channel) -> None:
    make_agent("yassine", email="yassine@example.com")
    upkeep.open_incident(messenger.pk, Incident.Kind.NEEDS_REAUTH, "The token is dead.")
    upkeep.open_incident(messenger.pk, Incident.Kind.NEEDS_REAUTH, "The token is dead.")

    upkeep.mail_incidents()
    upkeep.mail_incidents()

    assert len(mail.outbox) == 1
    letter = mail.outbox[0]
    assert letter.to == ["omar@example.com"]
    assert letter.subject == "Maison Tilila (Messenger) needs to be reconnected"
    assert "The token is dead." in letter.body
    assert f"/meta/connect/channels/{messenger.pk}/" in letter.body
    assert "token-of-tests" not in letter.body


def test_admins_by_a_group_are_admins_too(db: None, messenger: Channel) -> None:
    group = Group.objects.create(name="Admins")
    group.permissions.set(Permission.objects.filter(codename="change_channel"))
    hanae = make_agent("hanae", email="hanae@example.com")
    hanae.groups.add(group)
    make_agent("gone", email="gone@example.com", is_superuser=True, is_active=False)

    assert readers_with("inbox.change_channel") == [hanae]


def test_the_next_incident_is_told_again(admin: Agent, messenger: Channel) -> None:
    for _time in range(2):
        upkeep.open_incident(messenger.pk, Incident.Kind.SILENT, "Nothing arrives.")
        upkeep.mail_incidents()
        upkeep.close_incidents(messenger.pk)

    assert len(mail.outbox) == 2


def test_what_is_over_before_the_mail_is_not_told(
    admin: Agent, messenger: Channel
) -> None:
    upkeep.open_incident(messenger.pk, Incident.Kind.SILENT, "Nothing arrives.")
    upkeep.close_incidents(messenger.pk)

    upkeep.mail_incidents()

    assert mail.outbox == []


class NoMailToday(EmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise smtplib.SMTPServerDisconnected


def test_a_mail_server_that_is_away_costs_only_time(
    admin: Agent, messenger: Channel, settings: Any
) -> None:
    upkeep.open_incident(messenger.pk, Incident.Kind.NEEDS_REAUTH, "The token is dead.")
    settings.EMAIL_BACKEND = f"{__name__}.NoMailToday"
    upkeep.mail_incidents()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    upkeep.mail_incidents()
    assert mail.outbox == []

    Incident.objects.update(mail_due_at=now())
    upkeep.mail_incidents()

    assert len(mail.outbox) == 1


def policy_said(action: str, at: Any = None) -> None:
    item = {
        "recipient": {"id": PAGE_ID},
        "timestamp": milliseconds(at or now()),
        "policy_enforcement": {"action": action, "reason": "Spam."},
    }
    body = meta_json(envelope(item))
    digest = hashlib.sha256(body).digest()
    RawEvent.objects.create(body=body, sha256=digest, day=now().date())
    drain()


def test_a_warning_of_metas_is_told_and_ends_with_its_lifting(
    admin: Agent, messenger: Channel
) -> None:
    policy_said("block")
    upkeep.mail_incidents()
    policy_said("unblock", now() + timedelta(seconds=2))

    assert [letter.subject for letter in mail.outbox] == [
        "Maison Tilila (Messenger) was warned or restricted by Meta"
    ]
    assert "Spam." in mail.outbox[0].body
    assert Incident.objects.get().closed_at is not None


def test_what_meta_refuses_the_whole_account_is_told(
    admin: Agent, messenger: Channel, meta_itself: Any
) -> None:
    """A permission was lost: the next send is refused, and every other would be."""
    url = f"{FACEBOOK}/{PAGE_ID}/messages"
    refusal = {"error": {"message": "…", "code": 200}}
    refused = meta_itself.post(url, json=refusal, status=403)
    conversation = make_conversation(messenger)
    queue_reply(conversation=conversation, content="Salam", source="agent")
    deliver_next(conversation.pk)
    upkeep.mail_incidents()
    assert [letter.subject for letter in mail.outbox] == [
        "Meta refuses what Maison Tilila (Messenger) sends"
    ]

    meta_itself.remove(refused)
    meta_itself.post(url, json={"recipient_id": "7701", "message_id": "m_1"})
    queue_reply(conversation=conversation, content="Salam", source="agent")
    deliver_next(conversation.pk)
    all_well(meta_itself)
    look_after(messenger)

    assert Incident.objects.get().closed_at is not None


# --- tidying -------------------------------------------------------------------------------------


def test_tokens_of_unfinished_logins_do_not_lie_about(admin: Agent) -> None:
    for number, age in enumerate((timedelta(0), timedelta(hours=2), timedelta(days=2))):
        attempt = LoginAttempt.objects.create(
            state=f"state-{number}",
            flavour="facebook",
            agent=admin,
            access_token="secret",
        )
        LoginAttempt.objects.filter(pk=attempt.pk).update(created_at=now() - age)

    upkeep.purge_logins()

    kept = LoginAttempt.objects.order_by("pk").values_list("state", "access_token")
    assert [(state, bool(token)) for state, token in kept] == [
        ("state-0", True),
        ("state-1", False),
    ]


# --- silence -------------------------------------------------------------------------------------


def had_arrivals(
    channel: Channel, *, every: timedelta, days: int, last: timedelta
) -> None:
    """Somebody else wrote `every` so often, for so many days, up to `last` ago."""
    ago = last
    number = 0
    while ago < timedelta(days=days):
        make_conversation(channel, person_id=f"person-{number}", wrote=ago)
        ago += every
        number += 1


def test_silence_beyond_the_usual_pause_is_noticed(
    messenger: Channel, meta_itself: Any
) -> None:
    all_well(meta_itself)
    had_arrivals(messenger, every=timedelta(hours=6), days=10, last=timedelta(hours=13))

    look_after(messenger)

    assert Incident.objects.get().kind == "silent"
    assert "Nothing has arrived for 13" in messenger.status_reason


@pytest.mark.parametrize(
    ("every", "days", "last"),
    [
        (timedelta(hours=6), 10, timedelta(hours=11)),  # twice the usual is not over
        (timedelta(hours=6), 3, timedelta(hours=13)),  # no whole week was seen
        (timedelta(days=2), 13, timedelta(days=3)),  # too few to know
    ],
)
def test_a_pause_that_may_be_nothing_is_not_told(
    messenger: Channel, meta_itself: Any, every: timedelta, days: int, last: timedelta
) -> None:
    all_well(meta_itself)
    had_arrivals(messenger, every=every, days=days, last=last)

    look_after(messenger)

    assert not Incident.objects.exists()


def test_the_first_event_ends_the_silence(messenger: Channel, meta_itself: Any) -> None:
    all_well(meta_itself)
    had_arrivals(messenger, every=timedelta(hours=6), days=10, last=timedelta(hours=13))
    look_after(messenger)
    Channel.objects.update(last_event_at=now())

    look_after(messenger)

    assert Incident.objects.get().closed_at is not None
    assert messenger.status_reason == ""
