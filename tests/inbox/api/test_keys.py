"""Keys: what each may do, whom it may write for, until when."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import get_resolver
from django.utils.timezone import now

from inbox.api.urls import urlpatterns
from inbox.models import (
    Agent,
    ApiKey,
    AuditEntry,
    ChannelIdentity,
    Conversation,
    Message,
    Scope,
)
from inbox.models.api_keys import usual_scopes
from tests.conftest import make_agent
from tests.inbox.api.conftest import KeyFor

pytestmark = pytest.mark.django_db

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def operations() -> list[tuple[str, str, Any]]:
    """Every method of every address: (method, address, view class)."""
    found = []
    for pattern in urlpatterns:
        view = getattr(pattern.callback, "cls", None)
        if view is None or pattern.name == "schema":
            continue
        address = re.sub(r"<int:\w+>", "1", str(pattern.pattern))
        address = re.sub(r"<slug:\w+>", "X_1", address)
        found += [
            (method, f"/v1/{address}", view)
            for method in sorted(METHODS)
            if hasattr(view, method.lower())
        ]
    return found


OPERATIONS = operations()
IDS = [f"{method} {address}" for method, address, _ in OPERATIONS]


@pytest.mark.parametrize(("method", "address", "view"), OPERATIONS, ids=IDS)
def test_every_operation_demands_its_scope(
    key_for: KeyFor, method: str, address: str, view: Any
) -> None:
    wanted = view.scopes[method]
    others = key_for(*[scope for scope in Scope.values if scope != wanted])

    answer = others.generic(method, address, "{}", "application/json")

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert wanted in answer.json()["detail"]


@pytest.mark.parametrize(("method", "address", "view"), OPERATIONS, ids=IDS)
def test_every_operation_demands_a_key(
    client: Client, method: str, address: str, view: Any
) -> None:
    answer = client.generic(method, address, "{}", "application/json")

    assert (answer.status_code, answer["Content-Type"]) == (
        401,
        "application/problem+json",
    )


def test_every_post_takes_an_idempotency_key() -> None:
    posts = [view.post for method, _, view in OPERATIONS if method == "POST"]

    assert len(posts) > 10
    assert all(getattr(post, "is_idempotent", False) for post in posts)


def test_the_addresses_are_those_of_the_product() -> None:
    assert get_resolver().resolve("/v1/tags").func.cls is not None


def test_a_key_ends_when_it_expires(api: Client) -> None:
    ApiKey.objects.update(expires_at=now() - timedelta(seconds=1))

    assert api.get("/v1/tags").status_code == 401


def test_the_last_use_of_a_key_is_noted(api: Client) -> None:
    api.get("/v1/tags")

    assert ApiKey.objects.get().last_used_at is not None


def test_the_command_gives_scopes_and_an_end() -> None:
    call_command(
        "create_api_key",
        "CRM",
        "--scope",
        "tags:read",
        "--days",
        "7",
        stdout=StringIO(),
    )

    key = ApiKey.objects.get()
    assert key.scopes == ["tags:read"]
    assert key.expires_at is not None
    assert key.expires_at - now() < timedelta(days=7)


def test_a_key_without_scopes_given_may_not_write_for_others() -> None:
    call_command("create_api_key", "CRM", stdout=StringIO())

    key = ApiKey.objects.get()
    assert set(key.scopes) == set(usual_scopes())
    assert not {"act_as_agent", "act_as_ai"} & set(key.scopes)


@pytest.mark.parametrize("days", ["0", "99999"])
def test_the_command_refuses_an_odd_end(days: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_api_key", "CRM", "--days", days)


# --- for whom it writes --------------------------------------------------------------------------


def write(api: Client, conversation: Conversation, **body: Any) -> Any:
    url = f"/v1/conversations/{conversation.pk}/messages"
    return api.post(url, {"content": "Hello", **body}, "application/json")


def test_a_key_writes_for_an_agent_with_an_agents_window(
    api: Client, conversation: Conversation, agent: Agent
) -> None:
    at = now() - timedelta(hours=30)
    ChannelIdentity.objects.update(
        last_inbound_at=at, window_expires_at=at + timedelta(hours=24)
    )

    itself = write(api, conversation)
    answer = write(api, conversation, agent_id=f"AGENT_{agent.pk}")

    assert itself.status_code == 409
    (message,) = answer.json()["data"]
    assert (message["source"], message["author"]) == ("agent", "Nadia Berrada")
    assert Message.objects.get().author == agent


def test_what_a_machine_wrote_is_marked(
    api: Client, conversation: Conversation
) -> None:
    (message,) = write(api, conversation, is_ai=True).json()["data"]

    assert (message["source"], message["author"]) == ("ai", "Shop website")


@pytest.mark.parametrize("mark", [{"agent_id": "AGENT_1"}, {"is_ai": True}])
def test_writing_for_others_needs_its_scope(
    key_for: KeyFor, conversation: Conversation, mark: dict[str, Any]
) -> None:
    answer = write(key_for("messages:write"), conversation, **mark)

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not Message.objects.exists()


def test_nobody_writes_for_who_has_left(
    api: Client, conversation: Conversation
) -> None:
    gone = make_agent("gone", is_active=False)

    answer = write(api, conversation, agent_id=f"AGENT_{gone.pk}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["param"] == "agent_id"


# --- in the admin --------------------------------------------------------------------------------


@pytest.fixture
def boss(db: None) -> Client:
    client = Client()
    client.force_login(make_agent("boss", is_superuser=True))
    return client


def test_making_a_key_in_the_admin_leaves_a_trail(boss: Client) -> None:
    boss.post(
        "/admin/inbox/apikey/add/",
        {"name": "CRM", "scopes": ["tags:read", "messages:read"]},
    )

    key = ApiKey.objects.get()
    entry = AuditEntry.objects.get()
    assert key.scopes == ["messages:read", "tags:read"]
    assert (entry.action, entry.agent_name, entry.subject_id) == (
        "api_key_made",
        "boss",
        str(key.pk),
    )


def test_a_key_without_scopes_is_not_made_in_the_admin(boss: Client) -> None:
    answer = boss.post("/admin/inbox/apikey/add/", {"name": "CRM"})

    assert answer.status_code == 200
    assert not ApiKey.objects.exists()


def test_revoking_a_key_leaves_a_trail(boss: Client) -> None:
    row, _key = ApiKey.issue("CRM")

    boss.post(
        "/admin/inbox/apikey/", {"action": "revoke", "_selected_action": [row.pk]}
    )

    assert ApiKey.objects.get().revoked_at is not None
    assert AuditEntry.objects.get().action == "api_key_revoked"


def test_changing_what_a_key_may_do_leaves_a_trail(boss: Client) -> None:
    row, _key = ApiKey.issue("CRM")

    boss.post(
        f"/admin/inbox/apikey/{row.pk}/change/",
        {"name": "CRM", "scopes": ["tags:read"]},
    )

    assert ApiKey.objects.get().scopes == ["tags:read"]
    assert AuditEntry.objects.get().action == "api_key_changed"
