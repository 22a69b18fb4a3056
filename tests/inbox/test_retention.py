"""What is over goes after its time, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from inbox import retention
from inbox.models import ChannelAction, Conversation, Erasure, Import
from inbox.retention import purge, rules

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _kept(settings: Any) -> None:
    settings.KEEP_RECORDS_DAYS, settings.KEEP_PROOFS_DAYS = 90, 1000


def aged(row: Any, moment: str, days: int) -> None:
    type(row).objects.filter(pk=row.pk).update(**{moment: now() - timedelta(days=days)})


def action(conversation: Conversation, status: str, days: int) -> ChannelAction:
    row = ChannelAction.objects.create(
        channel=conversation.channel,
        conversation=conversation,
        kind="react",
        status=status,
    )
    aged(row, "created_at", days)
    return row


def test_old_acts_go_but_not_those_that_still_wait(conversation: Conversation) -> None:
    action(conversation, "done", 91)
    action(conversation, "failed", 91)
    kept = [action(conversation, "done", 89), action(conversation, "queued", 91)]

    purge()

    assert list(ChannelAction.objects.order_by("pk")) == kept


def test_old_imports_go_but_not_one_under_way(conversation: Conversation) -> None:
    states = [("done", 91), ("failed", 91), ("running", 91), ("done", 1)]
    for state, days in states:
        row = Import.objects.create(
            channel=conversation.channel, reason="schedule", state=state
        )
        aged(row, "started_at", days)

    purge()

    assert set(Import.objects.values_list("state", flat=True)) == {"running", "done"}
    assert Import.objects.count() == 2


def test_the_proof_of_an_erasure_stays_longer(conversation: Conversation) -> None:
    for days in (999, 1001):
        Erasure.objects.create(
            contact=conversation.identity.contact,
            requested_at=now() - timedelta(days=days),
            finished_at=now(),
        )

    purge()

    assert Erasure.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_run_takes_a_bounded_number_and_rings_for_the_rest(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch, eager: None
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        action(conversation, "done", 91)

    purge()

    assert not ChannelAction.objects.exists()


def test_every_rule_is_of_a_model_that_has_its_moment() -> None:
    for rule in rules:
        assert rule.model._meta.get_field(rule.moment)
        assert rule.kept() > timedelta()
