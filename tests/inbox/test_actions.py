"""Acts at the channel: done once, in order, tried again, given up; reactions, control, signals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from inbox.actions import (
    can_react,
    claim,
    hand_back,
    held_before,
    perform,
    queue_action,
    react,
    ring_due,
    show_seen,
    show_typing,
    take_over,
)
from inbox.channels import Ability, ActionKind, ErrorClass, Scope, SendError, Signal
from inbox.errors import NotPossible
from inbox.events import EventName, emitted
from inbox.models import (
    Agent,
    Channel,
    ChannelAction,
    ChannelIdentity,
    Conversation,
    Message,
    Reaction,
)
from tests.conftest import make_comment, make_commenter
from tests.fakes import FakeAdapter
from tests.inbox.pages.conftest import Say, say

__all__ = ["say"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def hide(conversation: Conversation, agent: Agent) -> ChannelAction:
    """Nadia asked to hide Salma's comment."""
    comment = make_comment(conversation)
    return queue_action(
        conversation=conversation, message=comment, kind=ActionKind.HIDE, author=agent
    )


def make_due() -> None:
    ChannelAction.objects.update(next_attempt_at=now())


def without(fake: FakeAdapter, ability: Ability) -> None:
    fake.abilities = lambda channel: frozenset(Ability) - {ability}  # type: ignore[method-assign]


# --- the queue -----------------------------------------------------------------------------------


def test_ringing_twice_does_it_once(
    hide: ChannelAction, fake_adapter: FakeAdapter
) -> None:
    perform(hide.pk)
    perform(hide.pk)

    assert len(fake_adapter.performed) == 1


def test_asking_twice_queues_once(hide: ChannelAction) -> None:
    assert hide.message is not None

    again = queue_action(
        conversation=hide.conversation, message=hide.message, kind=ActionKind.HIDE
    )

    assert again == hide


def test_what_was_asked_first_is_done_first(
    hide: ChannelAction, fake_adapter: FakeAdapter
) -> None:
    unhide = queue_action(
        conversation=hide.conversation, message=hide.message, kind=ActionKind.UNHIDE
    )

    perform(unhide.pk)
    assert not fake_adapter.performed
    perform(hide.pk)
    perform(unhide.pk)

    assert [kind for kind, *_ in fake_adapter.performed] == ["hide", "unhide"]


def test_an_act_whose_worker_died_is_tried_again(
    hide: ChannelAction, fake_adapter: FakeAdapter
) -> None:
    assert claim(hide.pk, at=now())
    perform(hide.pk)
    assert not fake_adapter.performed

    ChannelAction.objects.update(next_attempt_at=now())
    perform(hide.pk)

    assert len(fake_adapter.performed) == 1


@pytest.mark.parametrize(
    "error_class",
    [ErrorClass.NOT_TAKEN, ErrorClass.TRANSIENT, ErrorClass.UNCERTAIN],
)
def test_what_did_not_get_through_is_tried_again_and_given_up(
    hide: ChannelAction, fake_adapter: FakeAdapter, error_class: ErrorClass
) -> None:
    fake_adapter.refusal = SendError(error_class, "not now", code="2")

    for _ in range(4):
        perform(hide.pk)
        hide.refresh_from_db()
        assert hide.status == "queued"
        assert hide.next_attempt_at > now()
        make_due()
    perform(hide.pk)

    hide.refresh_from_db()
    assert (hide.status, hide.attempts) == ("failed", 5)
    assert "in several attempts" in hide.error_detail


def test_a_throttled_channel_makes_acts_wait_without_spending_attempts(
    hide: ChannelAction, channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.refusal = SendError(
        ErrorClass.THROTTLED, "slow down", retry_after=timedelta(minutes=7)
    )

    perform(hide.pk)

    channel.refresh_from_db()
    hide.refresh_from_db()
    assert channel.blocked_until is not None
    assert channel.blocked_until > now() + timedelta(minutes=6)
    assert (hide.status, hide.attempts) == ("queued", 0)
    make_due()
    perform(hide.pk)
    assert len(fake_adapter.performed) == 1


def test_our_own_pace_makes_no_channel_wait(
    hide: ChannelAction, channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.refusal = SendError(
        ErrorClass.THROTTLED, "a moment", scope=Scope.MESSAGE
    )

    perform(hide.pk)

    channel.refresh_from_db()
    hide.refresh_from_db()
    assert channel.blocked_until is None
    assert (hide.status, hide.attempts) == ("queued", 0)


def test_a_dead_token_keeps_acts_until_the_account_is_back(
    hide: ChannelAction, channel: Channel, fake_adapter: FakeAdapter
) -> None:
    fake_adapter.refusal = SendError(ErrorClass.RECONNECT, "reconnect", code="190")
    perform(hide.pk)
    channel.refresh_from_db()
    assert channel.status == Channel.Status.NEEDS_REAUTH
    perform(hide.pk)
    assert len(fake_adapter.performed) == 1

    fake_adapter.refusal = None
    Channel.objects.update(status=Channel.Status.ACTIVE)
    perform(hide.pk)

    hide.refresh_from_db()
    assert hide.status == "done"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("eager")
def test_the_sweeper_finds_what_is_due(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    action = ChannelAction.objects.create(
        channel=conversation.channel,
        conversation=conversation,
        message=make_comment(conversation),
        kind=ActionKind.HIDE,
        next_attempt_at=now(),
    )
    Channel.objects.update(blocked_until=now() + timedelta(hours=1))
    ring_due()
    assert not fake_adapter.performed

    Channel.objects.update(blocked_until=None)
    ring_due()

    action.refresh_from_db()
    assert action.status == "done"


# --- reactions -----------------------------------------------------------------------------------


def test_a_reaction_is_ours_once_the_channel_has_it(
    conversation: Conversation, say: Say, agent: Agent, fake_adapter: FakeAdapter
) -> None:
    message = say(conversation, "Thank you!", external_id="mid-1")
    told = []

    def listen(sender: object, events: list[object], **_: object) -> None:
        told.extend(events)

    emitted.connect(listen)
    action = react(message=message, emoji="❤️", author=agent)
    assert not message.reactions.exists()
    perform(action.pk)
    perform(react(message=message, emoji="👍", author=agent).pk)
    emitted.disconnect(listen)

    assert fake_adapter.performed[0] == (ActionKind.REACT, "mid-1", "❤️")
    (reaction,) = Reaction.objects.all()
    assert (reaction.actor, reaction.emoji) == ("acc-1", "👍")
    assert [event.name for event in told] == [EventName.REACTION] * 2
    assert told[0].details == {"emoji": "❤️", "action": "react"}
    assert not conversation.messages.filter(direction="event").exists()


def test_a_reaction_is_taken_back(
    conversation: Conversation, say: Say, agent: Agent, fake_adapter: FakeAdapter
) -> None:
    message = say(conversation, "Thank you!", external_id="mid-1")
    perform(react(message=message, emoji="❤️", author=agent).pk)

    perform(react(message=message, emoji="", author=agent).pk)

    assert fake_adapter.performed[-1] == (ActionKind.UNREACT, "mid-1", "")
    assert not Reaction.objects.shown().exists()


def test_nobody_reacts_to_comments_notes_and_what_was_unsent(
    conversation: Conversation, say: Say, agent: Agent
) -> None:
    messages = [
        make_comment(conversation),
        say(conversation, "A note", direction="note"),
        say(conversation, "", external_id="mid-2", deleted_at=now()),
        say(conversation, "Ours", external_id="mid-3", direction="out"),
    ]

    for message in messages:
        with pytest.raises(NotPossible):
            react(message=message, emoji="❤️", author=agent)


def test_an_account_that_cannot_react_offers_nothing(
    conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Thank you!", external_id="mid-1")

    assert can_react(message, frozenset({Ability.REACT}))
    assert not can_react(message, frozenset())


# --- whose conversation it is --------------------------------------------------------------------


def test_taking_over_makes_the_conversation_ours_and_giving_back_ends_that(
    conversation: Conversation, agent: Agent, fake_adapter: FakeAdapter
) -> None:
    Conversation.objects.update(held_by="Business Suite")
    conversation.refresh_from_db()

    perform(take_over(conversation=conversation, author=agent).pk)

    conversation.refresh_from_db()
    assert conversation.held_by == ""
    assert held_before(conversation) == "Business Suite"
    perform(hand_back(conversation=conversation, author=agent).pk)
    assert held_before(conversation) == ""
    assert [one[:2] for one in fake_adapter.performed] == [
        (ActionKind.TAKE_OVER, "person-1"),
        (ActionKind.HAND_BACK, "person-1"),
    ]
    kinds = conversation.messages.filter(direction="event").order_by("pk")
    assert [line.extra["kind"] for line in kinds] == ["take_over", "hand_back"]


def test_only_what_somebody_else_holds_is_taken_and_only_what_was_taken_given_back(
    conversation: Conversation, agent: Agent, fake_adapter: FakeAdapter
) -> None:
    with pytest.raises(NotPossible):
        take_over(conversation=conversation, author=agent)
    with pytest.raises(NotPossible):
        hand_back(conversation=conversation, author=agent)
    Conversation.objects.update(held_by="Business Suite")
    conversation.refresh_from_db()
    without(fake_adapter, Ability.TAKE_OVER)

    with pytest.raises(NotPossible):
        take_over(conversation=conversation, author=agent)


# --- signals -------------------------------------------------------------------------------------


def test_seen_and_typing_are_shown(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    show_seen(conversation.pk)
    show_typing(conversation.pk)

    assert fake_adapter.signals == [
        ("person-1", Signal.SEEN),
        ("person-1", Signal.TYPING),
    ]


def test_each_signal_has_its_switch(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    Channel.objects.update(shows_seen=False)
    show_seen(conversation.pk)
    show_typing(conversation.pk)
    Channel.objects.update(shows_typing=False)
    show_typing(conversation.pk)

    assert fake_adapter.signals == [("person-1", Signal.TYPING)]


@pytest.mark.parametrize(
    "fields", [{"status": "needs_reauth"}, {"blocked_until": now() + timedelta(days=9)}]
)
def test_a_channel_that_cannot_send_shows_nothing(
    conversation: Conversation, fake_adapter: FakeAdapter, fields: dict[str, object]
) -> None:
    Channel.objects.update(**fields)

    show_seen(conversation.pk)

    assert not fake_adapter.signals


def test_no_window_and_a_held_conversation_show_nothing(
    channel: Channel, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    Conversation.objects.update(held_by="Business Suite")
    show_seen(conversation.pk)
    show_seen(make_commenter(channel).conversation.pk)
    Conversation.objects.update(held_by="")
    past = now() - timedelta(days=9)
    ChannelIdentity.objects.update(last_inbound_at=past, window_expires_at=past)
    show_seen(conversation.pk)

    assert not fake_adapter.signals


def test_a_signal_that_is_refused_troubles_nobody(
    conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    def refuse(*_: object) -> None:
        raise SendError(ErrorClass.RECONNECT, "dead", code="190")

    fake_adapter.signal = refuse  # type: ignore[method-assign]

    show_seen(conversation.pk)
    show_seen(0)

    assert Channel.objects.get().status == Channel.Status.ACTIVE
    assert not Message.objects.exists()
