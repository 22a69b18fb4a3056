"""Tokens, the journal and the sandbox's memory in the admin."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from channels_meta.models import Credential, RawEvent, SandboxAccount
from channels_meta.processing import drain
from channels_meta.sandbox.accounts import create_accounts
from inbox.models import Agent, Channel, Message
from tests.conftest import PAGE_ID, envelope, make_meta_channel, meta_json, said

TOKEN = "EAAG-very-secret-token"


@pytest.fixture
def admin_page(db: None) -> Client:
    client = Client()
    client.force_login(
        Agent.objects.create_superuser("root", password="secret-of-tests")
    )
    return client


def client_with(*codenames: str) -> Client:
    person = Agent.objects.create_user(
        "omar", password="secret-of-tests", is_staff=True
    )
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def credential(messenger: Channel) -> Credential:
    messenger.meta.access_token = TOKEN
    messenger.meta.save()
    return messenger.meta


def change_url(row: Any) -> str:
    return reverse(f"admin:channels_meta_{row._meta.model_name}_change", args=[row.pk])


def list_url(model: str, query: str = "") -> str:
    return reverse(f"admin:channels_meta_{model}_changelist") + query


def filled(**changed: str) -> dict[str, str]:
    return {
        "flavour": "facebook",
        "node_id": PAGE_ID,
        "scopes": "[]",
        "graph_base_url": "",
        "token": "",
        "token_expires_at_0": "",
        "token_expires_at_1": "",
        **changed,
    }


def journalled(body: bytes, **fields: Any) -> RawEvent:
    return RawEvent.objects.create(
        body=body, sha256=hashlib.sha256(body).digest(), day=now().date(), **fields
    )


# --- credentials -----------------------------------------------------------------------------------


def test_a_token_is_in_no_page(admin_page: Client, credential: Credential) -> None:
    pages = [
        admin_page.get(list_url("credential")),
        admin_page.get(change_url(credential)),
        admin_page.post(change_url(credential), filled(node_id="", token="typed-now")),
        admin_page.get(
            reverse("admin:channels_meta_credential_history", args=[credential.pk])
        ),
        admin_page.get(
            reverse("admin:channels_meta_credential_delete", args=[credential.pk])
        ),
    ]

    assert [page.status_code for page in pages] == [200] * 5
    for page in pages:
        assert TOKEN not in page.content.decode()
        assert "typed-now" not in page.content.decode()


def test_an_empty_token_field_keeps_the_token(
    admin_page: Client, credential: Credential
) -> None:
    answer = admin_page.post(change_url(credential), filled(node_id="other-node"))

    credential.refresh_from_db()
    assert answer.status_code == 302
    assert (credential.node_id, credential.access_token) == ("other-node", TOKEN)


def test_a_filled_token_field_replaces_the_token(
    admin_page: Client, credential: Credential
) -> None:
    admin_page.post(change_url(credential), filled(token=" new-token "))

    credential.refresh_from_db()
    assert credential.access_token == "new-token"


def test_a_token_that_cannot_be_decrypted_can_be_replaced(
    admin_page: Client, credential: Credential
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update channels_meta_credential set access_token = 'rubbish'")

    shown = admin_page.get(change_url(credential))
    admin_page.post(change_url(credential), filled(token="readable-again"))

    assert shown.status_code == 200
    assert Credential.objects.get().access_token == "readable-again"


def test_a_new_credential_needs_a_token(admin_page: Client, channel: Channel) -> None:
    url = reverse("admin:channels_meta_credential_add")

    refused = admin_page.post(url, filled(channel=str(channel.pk)))
    taken = admin_page.post(url, filled(channel=str(channel.pk), token="first"))

    assert "A new credential needs its token." in refused.content.decode()
    assert taken.status_code == 302
    assert Credential.objects.get().access_token == "first"


def test_who_may_only_look_is_offered_no_token_field(credential: Credential) -> None:
    page = client_with("view_credential").get(change_url(credential))

    assert page.status_code == 200
    assert TOKEN not in page.content.decode()
    assert 'name="token"' not in page.content.decode()


def test_only_superusers_delete_a_credential(credential: Credential) -> None:
    able = client_with("view_credential", "change_credential", "delete_credential")
    url = reverse("admin:channels_meta_credential_delete", args=[credential.pk])

    assert able.post(url, {"post": "yes"}).status_code == 403
    assert Credential.objects.exists()


# --- the journal -----------------------------------------------------------------------------------


def test_a_body_is_shown_indented_with_its_letters(admin_page: Client) -> None:
    row = journalled(meta_json({"object": "page", "entry": ["سلام <b>"]}))

    page = admin_page.get(change_url(row)).content.decode()

    assert "&quot;object&quot;: &quot;page&quot;,\n" in page
    assert "سلام &lt;b&gt;" in page


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"not json \x00\xff\n", "not json \\x00\\xff\n"),
        (b'"\\ud800\\u0007"', "\\ud800\\u0007"),
        (b"[" * 100_000, "[[[["),
        (b"", "<pre"),
    ],
)
def test_a_body_that_is_no_json_is_shown_escaped(
    admin_page: Client, body: bytes, shown: str
) -> None:
    row = journalled(body, error="not a JSON object")

    page = admin_page.get(change_url(row))

    assert page.status_code == 200
    assert shown in page.content.decode()


def test_the_journal_is_found_by_number_state_object_and_day(
    admin_page: Client,
) -> None:
    wanted = journalled(b"1", state="failed", object="messenger")
    other = journalled(b"2", received_at=now() - timedelta(days=3), outcomes=["read"])

    def found(query: str) -> set[int]:
        page = admin_page.get(list_url("rawevent", query))
        return {row.pk for row in page.context["cl"].result_list}

    assert found("") == {wanted.pk, other.pk}
    assert found(f"?q={wanted.pk}") == {wanted.pk}
    assert found("?q=nonsense") == set()
    assert found(f"?q={'9' * 30}") == set()
    assert found("?state__exact=failed") == {wanted.pk}
    assert found("?object=messenger") == {wanted.pk}
    assert found("?object=none") == {other.pk}
    yesterday = (now() - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert found(f"?received_at__gte={yesterday}") == {wanted.pk}


def test_what_meta_sent_cannot_be_changed(admin_page: Client) -> None:
    row = journalled(b"{}")

    assert admin_page.post(change_url(row), {"state": "pending"}).status_code == 403
    assert (
        admin_page.get(reverse("admin:channels_meta_rawevent_add")).status_code == 403
    )


def test_a_replay_stores_what_was_not_routed_before(
    admin_page: Client, django_capture_on_commit_callbacks: Any
) -> None:
    row = journalled(meta_json(envelope(said("Salam!", "mid-1"))))
    drain()
    row.refresh_from_db()
    assert row.state == "unrouted"
    make_meta_channel("messenger", PAGE_ID)

    chosen = {"action": "replay", "_selected_action": [row.pk]}
    answer = admin_page.post(list_url("rawevent"), chosen, follow=True)
    drain()

    row.refresh_from_db()
    assert "1 raw event is processed again." in answer.content.decode()
    assert (row.state, row.attempts) == ("processed", 2)
    assert Message.objects.get().content == "Salam!"


def test_replaying_twice_stores_once(admin_page: Client, messenger: Channel) -> None:
    rows = [journalled(meta_json(envelope(said("Salam!", f"m{n}")))) for n in range(3)]
    drain()

    chosen = {"action": "replay", "_selected_action": [row.pk for row in rows]}
    admin_page.post(list_url("rawevent"), chosen)
    drain()

    assert Message.objects.count() == 3


def test_who_may_only_look_can_neither_replay_nor_delete(messenger: Channel) -> None:
    row = journalled(b"{}", state="failed")
    looking = client_with("view_rawevent", "delete_rawevent")

    page = looking.get(list_url("rawevent"))
    looking.post(
        list_url("rawevent"), {"action": "replay", "_selected_action": [row.pk]}
    )
    deleting = looking.post(
        reverse("admin:channels_meta_rawevent_delete", args=[row.pk])
    )

    row.refresh_from_db()
    assert page.status_code == 200
    assert 'value="replay"' not in page.content.decode()
    assert 'value="delete_selected"' not in page.content.decode()
    assert (row.state, deleting.status_code) == ("failed", 403)


def test_a_superuser_deletes_from_the_journal(admin_page: Client) -> None:
    row = journalled(b"{}")
    url = reverse("admin:channels_meta_rawevent_delete", args=[row.pk])

    assert admin_page.post(url, {"post": "yes"}).status_code == 302
    assert not RawEvent.objects.exists()


def test_agents_have_no_way_to_tokens_and_journal(
    agent_client: Client, credential: Credential
) -> None:
    row = journalled(b"{}")

    for url in (
        list_url("credential"),
        change_url(credential),
        list_url("rawevent"),
        change_url(row),
    ):
        assert agent_client.get(url).status_code == 403
        assert Client().get(url).status_code == 302


# --- the sandbox -----------------------------------------------------------------------------------

SANDBOX_MODELS = [
    "sandboxaccount",
    "sandboxperson",
    "sandboxmessage",
    "sandboxfault",
    "sandboxcall",
]


@pytest.mark.parametrize("model", SANDBOX_MODELS)
def test_the_sandbox_is_looked_at_only(admin_page: Client, model: str) -> None:
    create_accounts()

    assert admin_page.get(list_url(model)).status_code == 200
    assert (
        admin_page.get(reverse(f"admin:channels_meta_{model}_add")).status_code == 403
    )


def test_the_sandbox_shows_no_token(admin_page: Client) -> None:
    instagram, _messenger = create_accounts()
    account = SandboxAccount.objects.get(external_id=instagram.external_id)

    page = admin_page.get(change_url(account)).content.decode()

    assert instagram.meta.access_token not in page


# --- cost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["credential", "rawevent", "sandboxperson"])
def test_a_list_costs_the_same_however_long_it_is(
    admin_page: Client, model: str
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert admin_page.get(list_url(model)).status_code == 200
        return len(queries)

    create_accounts()
    journalled(b"0")
    cost()
    first = cost()
    for number in range(1, 6):
        make_meta_channel("messenger", f"page-{number}")
        journalled(str(number).encode(), outcomes=["message", "read"])

    assert cost() == first
