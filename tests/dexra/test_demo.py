"""The demo: what a newcomer finds, and that nothing of it stays."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from channels_meta.models import RawEvent, SandboxMessage, SandboxPerson
from channels_meta.processing import drain
from channels_meta.sandbox.accounts import create_accounts
from inbox.channels import WindowKind
from inbox.models import (
    Agent,
    ApiKey,
    CannedReply,
    Channel,
    ChannelIdentity,
    Contact,
    Conversation,
    Message,
    Reaction,
    Tag,
)
from tests.conftest import PAGE_ID, make_conversation, make_meta_channel
from tests.fakes import FakeAdapter
from webhooks.models import Delivery, Endpoint, Event

# What clearing has no business with: Django's own tables and the account that stays.
KEPT_MODELS = {"contenttype", "permission", "agent", "session", "logentry"}


@pytest.fixture
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    return settings.DATA_DIR


def run(command: str, **options: Any) -> str:
    output = StringIO()
    call_command(command, stdout=output, **options)
    return output.getvalue()


@pytest.fixture
def seeded(db: None, data_dir: Path) -> str:
    return run("seed_demo")


def rows() -> dict[str, int]:
    """How many rows every table of ours has."""
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.model_name not in KEPT_MODELS
    }


def conversation_of(name: str, kind: str = "instagram") -> Conversation:
    return Conversation.objects.select_related("channel", "identity").get(
        identity__name=name, channel__kind=kind
    )


def window_of(name: str, kind: str = "instagram") -> tuple[str, timedelta]:
    window = conversation_of(name, kind).reply_window_at(now(), source="agent")
    left = window.expires_at - now() if window.expires_at else timedelta()
    return window.kind, left


# --- what is there -----------------------------------------------------------------------------------


def test_the_login_that_is_written_signs_in(seeded: str, data_dir: Path) -> None:
    file = data_dir / "demo.json"
    login = json.loads(file.read_text())

    assert file.stat().st_mode & 0o777 == 0o600
    assert login["username"] == "nadia"
    assert login["password"] in seeded
    client = Client()
    assert client.login(**login)
    assert client.get("/inbox/", follow=True).status_code == 200


def test_every_kind_of_message_is_there(seeded: str) -> None:
    kinds = set(Message.objects.values_list("type", flat=True))
    sources = set(Message.objects.values_list("source", flat=True))
    statuses = set(Message.objects.values_list("status", flat=True))

    assert kinds >= {
        "text",
        "image",
        "comment",
        "story_mention",
        "story_reply",
        "unsupported",
        "event",
    }
    assert sources == {"customer", "agent", "automation", "api", "native_app"}
    assert statuses == {"received", "sent", "delivered", "read", "failed"}
    assert set(Message.objects.values_list("direction", flat=True)) == {
        "in",
        "out",
        "note",
        "event",
    }
    assert Message.objects.filter(deleted_at__isnull=False, content="").count() == 1
    assert Reaction.objects.count() == 2
    assert not Message.objects.filter(status="failed", error_detail="").exists()


def test_reply_windows_of_every_kind_are_there(seeded: str) -> None:
    minute = timedelta(minutes=1)

    kind, left = window_of("نورة العتيبي")
    assert (kind, round(left / minute)) == (WindowKind.OPEN, 38)
    kind, left = window_of("Youssef Benjelloun", "messenger")
    assert (kind, round(left / minute)) == (WindowKind.OPEN, 190)
    kind, left = window_of("Mehdi Tazi", "messenger")
    assert (kind, left.days) == (WindowKind.HUMAN_AGENT, 4)
    assert window_of("Karim Ouazzani", "messenger")[0] == WindowKind.CLOSED
    assert window_of("Claire Dubois", "messenger")[0] == WindowKind.CLOSED


def test_conversations_are_as_work_has_left_them(seeded: str) -> None:
    assert Conversation.objects.count() == 14
    assert Counter(Conversation.objects.values_list("status", flat=True)) == {
        "open": 12,
        "closed": 2,
    }
    assert set(Conversation.objects.values_list("assignee__username", flat=True)) == {
        None,
        "nadia",
        "yassine",
    }
    assert conversation_of("Hajar Amrani").unread == 1
    salma = conversation_of("Salma El Idrissi")
    assert salma.unread == 0
    assert salma.waiting_since is not None
    assert conversation_of("Mehdi Tazi", "messenger").waiting_since is None
    assert {tag.name for tag in Tag.objects.filter(pk__in=salma.tags)} == {
        "delivery",
        "VIP",
    }
    assert Contact.objects.get(name="Salma El Idrissi").identities.count() == 2


def test_nothing_is_dated_after_now_or_out_of_order(seeded: str) -> None:
    assert not Message.objects.filter(sent_at__gt=now()).exists()
    for conversation in Conversation.objects.all():
        first = conversation.messages.in_thread_order().first()
        assert first is not None
        assert conversation.created_at <= first.sent_at


def test_the_journal_holds_it_and_can_replay_it(seeded: str) -> None:
    before = rows()
    assert set(RawEvent.objects.values_list("state", flat=True)) == {"processed"}

    RawEvent.objects.update(state="pending")
    drain()

    assert set(RawEvent.objects.values_list("state", flat=True)) == {"processed"}
    assert rows() == before


def test_the_phone_shows_what_the_inbox_shows(seeded: str) -> None:
    told = Message.objects.filter(direction__in=["in", "out"]).exclude(status="failed")

    assert set(SandboxMessage.objects.values_list("mid", flat=True)) == set(
        told.values_list("external_id", flat=True)
    )
    assert SandboxMessage.objects.filter(seen_at=None, direction="out").count() == 3
    assert SandboxPerson.objects.filter(name="Salma El Idrissi").count() == 2


def test_the_endpoint_is_owed_every_event(seeded: str) -> None:
    endpoint = Endpoint.objects.get()

    assert endpoint.url.endswith("/sandbox/echo/hook")
    assert Delivery.objects.filter(endpoint=endpoint).count() == Event.objects.count()
    assert Event.objects.filter(name="message_out").count() == 13


def test_every_page_of_it_opens(seeded: str) -> None:
    client = Client()
    client.force_login(Agent.objects.get(username="yassine"))

    for conversation in Conversation.objects.all():
        assert client.get(conversation.get_absolute_url()).status_code == 200


def test_the_second_agent_works_in_the_inbox_but_not_on_settings(seeded: str) -> None:
    yassine = Agent.objects.get(username="yassine")
    client = Client()
    client.force_login(yassine)

    assert not yassine.has_usable_password()
    assert yassine.has_perm("inbox.change_conversation")
    assert yassine.has_perm("inbox.add_message")
    assert client.get("/inbox/all/").status_code == 200
    assert client.get(reverse("admin:inbox_message_changelist")).status_code == 200
    credentials = reverse("admin:channels_meta_credential_changelist")
    assert client.get(credentials).status_code == 403


# --- only where there is room ----------------------------------------------------------------------------


def test_seeding_twice_changes_nothing(seeded: str, data_dir: Path) -> None:
    before, login = rows(), (data_dir / "demo.json").read_text()

    said = run("seed_demo")

    assert said == "No demo was made: there are channels already.\n"
    assert rows() == before
    assert (data_dir / "demo.json").read_text() == login


def test_a_workspace_with_an_agent_is_left_alone(agent: Agent, data_dir: Path) -> None:
    assert run("seed_demo") == "No demo was made: there are agents already.\n"
    assert not Channel.objects.exists()
    assert not (data_dir / "demo.json").exists()


def test_a_seed_that_fails_leaves_nothing(db: None, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "demo.json").mkdir()  # the login cannot be written there

    with pytest.raises(OSError, match=r"demo\.json"):
        run("seed_demo")

    assert not Agent.objects.exists()
    assert not Channel.objects.exists()


# --- clearing ------------------------------------------------------------------------------------------


def test_clearing_leaves_a_clean_workspace_and_its_admin(
    seeded: str, data_dir: Path
) -> None:
    said = run("clear_demo", yes=True)

    assert "The account nadia stays" in said
    assert {label: count for label, count in rows().items() if count} == {}
    assert [agent.username for agent in Agent.objects.all()] == ["nadia"]
    assert Client().login(**json.loads((data_dir / "demo.json").read_text()))


def test_canned_replies_are_there_to_try_and_go_unless_somebody_changed_them(
    seeded: str,
) -> None:
    assert CannedReply.objects.filter(owner=None).count() == 4
    CannedReply.objects.filter(shortcut="hours").update(content="Nine to five.")

    call_command("clear_demo", "--yes", stdout=StringIO())

    assert [one.shortcut for one in CannedReply.objects.all()] == ["hours"]


def test_clearing_asks_first(seeded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows()
    monkeypatch.setattr("sys.stdin", StringIO(""))

    with pytest.raises(CommandError, match="clear_demo --yes"):
        run("clear_demo")

    assert rows() == before


def test_clearing_spares_what_is_real(
    seeded: str, fake_adapter: FakeAdapter, data_dir: Path
) -> None:
    real = Channel.objects.create(kind=fake_adapter.kind, external_id="1", name="Atlas")
    kept = make_conversation(real, name="Omar")
    shared = Contact.objects.get(name="Léa Martin")
    ChannelIdentity.objects.create(channel=real, external_id="2", contact=shared)
    kept.tags = [Tag.objects.get(name="VIP").pk]
    kept.assignee = Agent.objects.get(username="yassine")
    kept.save()
    elsewhere = RawEvent.objects.create(
        body=b'{"object":"page","entry":[{"id":"77","text":"\\"1055501\\""}]}',
        sha256=b"1" * 32,
        day=now().date(),
        state="unrouted",
    )
    own = Endpoint.objects.create(url="https://crm.example.com/hook")
    ApiKey.issue("crm")
    Agent.objects.create_user("omar").groups.add(Group.objects.get(name="Agents"))

    said = run("clear_demo", yes=True)

    assert "Atlas is a real account: all of it stays." in said
    assert list(Channel.objects.all()) == [real]
    assert list(Conversation.objects.all()) == [kept]
    assert set(Contact.objects.values_list("name", flat=True)) == {"Omar", "Léa Martin"}
    assert list(Tag.objects.values_list("name", flat=True)) == ["VIP"]
    assert list(RawEvent.objects.all()) == [elsewhere]
    assert list(Endpoint.objects.all()) == [own]
    assert ApiKey.objects.count() == 1
    assert Group.objects.filter(name="Agents").exists()
    assert {agent.username for agent in Agent.objects.all()} == {"nadia", "omar"}


def test_clearing_takes_what_was_played_since(seeded: str) -> None:
    instagram, _messenger = create_accounts()
    person = SandboxPerson.objects.of(instagram).last()
    assert person is not None
    RawEvent.objects.create(
        body=b'{"object":"instagram","entry":[{"id":"17841400001","messaging":[{"sender":'
        b'{"id":"5"},"message":{"mid":"late","is_deleted":true}}]}]}',
        sha256=b"2" * 32,
        day=now().date(),
    )
    drain()  # leaves a message of no conversation
    assert Message.objects.filter(conversation=None).exists()

    run("clear_demo", yes=True)

    assert not Message.objects.exists()
    assert not RawEvent.objects.exists()


def test_where_there_is_no_demo_nothing_is_cleared(agent: Agent) -> None:
    Agent.objects.create_user("yassine", email="yassine@elsewhere.example")
    make_meta_channel("messenger", PAGE_ID)
    Group.objects.create(name="Agents")
    before = rows()

    assert "There is no demo here" in run("clear_demo", yes=True)

    assert rows() == before
    assert Agent.objects.filter(username="yassine").exists()
