"""Writing: drafts, long texts, canned replies, files ahead of the reply, acts with it, undo."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from inbox.canned import read_actions
from inbox.channels import Limits, MediaLimit, TextLimit
from inbox.delivery import deliver_next
from inbox.errors import ContentInvalid
from inbox.media import sweep_files
from inbox.models import (
    Agent,
    CannedReply,
    Channel,
    Conversation,
    Draft,
    Message,
    Preferences,
    StagedFile,
    Tag,
    Team,
)
from inbox.retention import purge
from inbox.triage import close_conversation
from tests.conftest import make_agent, make_comment, make_conversation
from tests.fakes import FakeAdapter
from tests.files import picture
from tests.inbox.pages.conftest import Say, failed


def send(client: Client, conversation: Conversation, **fields: Any) -> Any:
    return client.post(
        reverse("inbox:messages", args=[conversation.pk]), {"key": "k-1", **fields}
    )


def save(client: Client, conversation: Conversation, content: str, **more: Any) -> Any:
    fields = {"mode": "reply", "key": "k-1", "content": content, **more}
    return client.post(reverse("inbox:draft", args=[conversation.pk]), fields)


def composer(client: Client, conversation: Conversation, **query: str) -> str:
    url = reverse("inbox:composer", args=[conversation.pk])
    return str(client.get(url, query).content.decode())


@pytest.fixture
def roomy(fake_adapter: FakeAdapter) -> FakeAdapter:
    fake_adapter.limits = Limits(
        text=TextLimit(100, "characters"),
        comment_text=TextLimit(100, "characters"),
        media={"image": MediaLimit(100_000, frozenset({"image/png"}))},
    )
    return fake_adapter


# --- drafts --------------------------------------------------------------------------------------


def test_a_draft_is_kept_per_agent_conversation_and_mode(
    htmx: Client, conversation: Conversation, agent: Agent
) -> None:
    assert save(htmx, conversation, "Hello Sal").status_code == 204
    save(htmx, conversation, "Call her", mode="note")
    colleague = Client(headers={"HX-Request": "true"})
    colleague.force_login(make_agent("yassine"))

    assert "Hello Sal" in composer(htmx, conversation)
    assert "Call her" in composer(htmx, conversation, mode="note")
    assert "Hello Sal" not in composer(colleague, conversation)


def test_an_empty_draft_is_none(htmx: Client, conversation: Conversation) -> None:
    save(htmx, conversation, "Hello", version=1)

    save(htmx, conversation, "  ", version=2)

    assert not Draft.objects.exists()


def test_a_sent_draft_is_gone_and_a_late_save_does_not_bring_it_back(
    htmx: Client, conversation: Conversation
) -> None:
    save(htmx, conversation, "Hello")
    send(htmx, conversation, content="Hello")

    save(htmx, conversation, "Hello")

    assert not Draft.objects.exists()


def test_a_save_that_was_overtaken_changes_nothing(
    htmx: Client, conversation: Conversation
) -> None:
    save(htmx, conversation, "Hello Salma", version=7)

    save(htmx, conversation, "Hello", version=6)

    assert Draft.objects.get().content == "Hello Salma"


def test_what_was_begun_elsewhere_meanwhile_stays(
    htmx: Client, conversation: Conversation
) -> None:
    save(htmx, conversation, "Another thing", key="of-the-phone")

    send(htmx, conversation, content="Hello", key="of-the-desk")

    assert Draft.objects.get().content == "Another thing"


def test_a_refused_reply_keeps_its_draft(
    htmx: Client, conversation: Conversation
) -> None:
    save(htmx, conversation, "x" * 1001)

    assert send(htmx, conversation, content="x" * 1001).status_code == 422

    assert Draft.objects.exists()


def test_a_draft_in_a_conversation_that_is_not_there(htmx: Client, db: None) -> None:
    url = reverse("inbox:draft", args=[4711])

    assert htmx.post(url, {"mode": "reply", "content": "x"}).status_code == 404


def test_a_draft_of_no_mode_is_refused(
    htmx: Client, conversation: Conversation
) -> None:
    assert save(htmx, conversation, "x", mode="shout").status_code == 400


# --- long texts ----------------------------------------------------------------------------------

LONG = (
    "This is the first sentence of it. " + "And a second one follows here at once. " * 3
)


def test_a_long_reply_goes_as_several_in_order_once(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter
) -> None:
    for _ in range(2):
        assert send(htmx, conversation, content=LONG, parts="2").status_code == 200

    deliver_next(conversation.pk)
    texts = [message.text for message in roomy.sent]
    assert len(texts) == 2
    assert " ".join(texts) == LONG.strip()
    assert len(set(conversation.messages.values_list("group", flat=True))) == 1


def test_without_a_word_about_it_a_long_reply_is_offered_as_several(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter
) -> None:
    answer = send(htmx, conversation, content=LONG)

    assert answer.status_code == 422
    html = answer.content.decode()
    assert "Send as 2 messages" in html
    assert '<input type="hidden" name="parts" value="2">' in html


def test_the_page_shows_what_the_parts_will_be(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter
) -> None:
    url = reverse("inbox:parts", args=[conversation.pk])

    html = htmx.post(url, {"content": LONG}).content.decode()

    assert html.count("<li") == 2
    assert "it goes as 2" in html


# --- canned replies ------------------------------------------------------------------------------


def suggested(client: Client, conversation: Conversation, words: str) -> str:
    url = reverse("inbox:suggest_canned", args=[conversation.pk])
    return str(client.get(url, {"q": words}).content.decode())


def test_canned_replies_are_found_by_shortcut_title_and_text(
    htmx: Client, conversation: Conversation, agent: Agent
) -> None:
    CannedReply.objects.create(shortcut="hours", title="Opening", content="From nine")
    CannedReply.objects.create(shortcut="cafe", title="Café", content="Come in")
    other = make_agent("yassine")
    CannedReply.objects.create(shortcut="mine", title="x", content="nine", owner=other)
    team = Team.objects.create(name="Sales")
    CannedReply.objects.create(shortcut="deal", title="x", content="nine", team=team)

    assert "/hours" in suggested(htmx, conversation, "NINE")
    assert "/cafe" in suggested(htmx, conversation, "café")
    assert "/mine" not in suggested(htmx, conversation, "nine")
    assert "/deal" not in suggested(htmx, conversation, "nine")
    agent.teams.add(team)
    assert "/deal" in suggested(htmx, conversation, "nine")


def test_variables_are_filled_and_what_is_missing_blocks_the_send(
    htmx: Client, conversation: Conversation
) -> None:
    contact = conversation.identity.contact
    contact.attributes = {"size": 38}
    contact.save()
    content = "Hi {first_name}, size {size}, parcel {tracking}. {agent}, {account}"
    CannedReply.objects.create(shortcut="ship", title="Shipped", content=content)

    html = suggested(htmx, conversation, "ship")
    text = "Hi Salma, size 38, parcel {tracking}. Nadia, Maison Tilila"
    assert text in html

    refused = send(htmx, conversation, content=text)
    assert refused.status_code == 422
    assert "Fill in or remove {tracking} first" in refused.content.decode()
    filled = text.replace("{tracking}", "LX 1")
    assert send(htmx, conversation, content=filled).status_code == 200


def test_braces_that_are_no_variable_are_the_agents_own(
    htmx: Client, conversation: Conversation
) -> None:
    assert send(htmx, conversation, content="Type {code} here").status_code == 200


def test_a_reply_and_what_is_done_with_it_are_one(
    htmx: Client, conversation: Conversation, agent: Agent
) -> None:
    tag = Tag.objects.create(name="Sizes", colour=1)

    steps = [f"tag:{tag.pk}", "assign:me", "close"]
    answer = send(htmx, conversation, content="Here you are", act=steps)

    assert answer.status_code == 200
    assert 'id="thread-head"' in answer.content.decode()
    conversation.refresh_from_db()
    assert conversation.status == "closed"
    assert conversation.assignee == agent
    assert conversation.tags == [tag.pk]
    lines = conversation.messages.filter(direction="event").order_by("pk")
    events = [line.extra["event"] for line in lines]
    assert events == ["tagged", "assigned", "closed"]


def test_what_cannot_be_done_sends_nothing(
    htmx: Client, conversation: Conversation
) -> None:
    answer = send(htmx, conversation, content="Here", act=["tag:4711"])

    assert answer.status_code == 422
    assert not conversation.messages.exists()


def test_who_may_not_change_conversations_sends_no_acts(
    htmx: Client, conversation: Conversation, agent: Agent
) -> None:
    agent.user_permissions.remove(
        Permission.objects.get(codename="change_conversation")
    )

    assert send(htmx, conversation, content="x", then="close").status_code == 403
    assert not conversation.messages.exists()


def test_the_same_reply_again_does_nothing_again(
    htmx: Client, conversation: Conversation, agent: Agent
) -> None:
    send(htmx, conversation, content="Bye", then="close")
    Conversation.objects.update(status="open")

    assert send(htmx, conversation, content="Bye", then="close").status_code == 200

    conversation.refresh_from_db()
    assert conversation.status == "open"


def test_send_and_snooze(htmx: Client, conversation: Conversation) -> None:
    send(htmx, conversation, content="I ask the workshop", then="snooze:in 3 hours")

    conversation.refresh_from_db()
    assert conversation.status == "snoozed"
    assert conversation.snoozed_until is not None
    left = conversation.snoozed_until - now()
    assert timedelta(hours=2, minutes=59) < left <= timedelta(hours=3)


def test_a_macro_without_text_is_done_at_once(
    htmx: Client, conversation: Conversation
) -> None:
    macro = CannedReply.objects.create(
        shortcut="bye", title="Close it", actions={"close": True}
    )

    url = reverse("inbox:run_canned", args=[conversation.pk, macro.pk])
    answer = htmx.post(url)

    assert "Done: Close it." in answer.content.decode()
    conversation.refresh_from_db()
    assert conversation.status == "closed"


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"explode": True},
        {"close": "yes"},
        {"close": True, "snooze": "tomorrow 9"},
        {"snooze": "some day"},
        {"assign": "boss"},
        {"team": 4711},
        {"tags": ["x"]},
        {"tags": [4711]},
        {"priority": 9},
        {"priority": True},
    ],
)
def test_actions_that_make_no_sense_are_refused(db: None, told: Any) -> None:
    with pytest.raises(ContentInvalid):
        read_actions(told)


# --- the agents' own canned replies --------------------------------------------------------------


def test_an_agent_writes_changes_and_deletes_their_own(
    agent_client: Client, agent: Agent
) -> None:
    fields = {"shortcut": "thanks", "title": "Thanks", "content": "Thank you!"}
    agent_client.post(reverse("inbox:new_canned"), fields | {"then": "close"})
    canned = CannedReply.objects.get()
    assert canned.owner == agent
    assert canned.actions == {"close": True}

    url = reverse("inbox:edit_canned", args=[canned.pk])
    assert "Thank you!" in agent_client.get(url).content.decode()
    agent_client.post(url, fields | {"content": "Merci", "then": "tomorrow 9"})
    canned.refresh_from_db()
    assert (canned.content, canned.actions) == ("Merci", {"snooze": "tomorrow 9"})

    assert "Merci" in agent_client.get(reverse("inbox:canned")).content.decode()
    agent_client.post(reverse("inbox:delete_canned", args=[canned.pk]))
    assert not CannedReply.objects.exists()


def test_shared_ones_are_read_by_all_and_changed_by_whoever_may(
    agent_client: Client, agent: Agent
) -> None:
    shared = CannedReply.objects.create(shortcut="all", title="All", content="Hello")
    url = reverse("inbox:edit_canned", args=[shared.pk])

    assert "/all" in agent_client.get(reverse("inbox:canned")).content.decode()
    assert agent_client.get(url).status_code == 404

    agent.user_permissions.add(Permission.objects.get(codename="change_cannedreply"))
    assert agent_client.get(url).status_code == 200


def test_a_shortcut_is_used_once(agent_client: Client, agent: Agent) -> None:
    CannedReply.objects.create(shortcut="hi", title="Hi", content="Hi", owner=agent)

    fields = {"shortcut": "hi", "title": "Again", "content": "Hi"}
    answer = agent_client.post(reverse("inbox:new_canned"), fields)

    assert answer.status_code == 422
    assert "There is one with this shortcut already." in answer.content.decode()


# --- files ---------------------------------------------------------------------------------------


def upload(client: Client, conversation: Conversation, name: str = "red.png") -> Any:
    file = SimpleUploadedFile(name, picture(), "image/png")
    url = reverse("inbox:uploads", args=[conversation.pk])
    return client.post(url, {"file": file})


def test_a_file_is_handed_over_ahead_and_goes_with_the_reply(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter
) -> None:
    assert upload(htmx, conversation).status_code == 201
    staged = StagedFile.objects.get()
    assert "red.png" in composer(htmx, conversation)

    for _ in range(2):
        answer = send(htmx, conversation, content="Look", upload=staged.pk)
        assert answer.status_code == 200

    assert conversation.messages.count() == 2
    assert "red.png" not in composer(htmx, conversation)
    deliver_next(conversation.pk)
    assert roomy.sent[0].media is not None
    assert roomy.sent[0].media.name == "red.png"


def test_a_refused_send_keeps_its_files(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter
) -> None:
    upload(htmx, conversation)
    staged = StagedFile.objects.get()

    answer = send(htmx, conversation, content="x" * 101, upload=staged.pk)

    assert answer.status_code == 422
    assert "red.png" in answer.content.decode()


def test_a_file_that_the_channel_refuses_is_not_kept(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter
) -> None:
    url = reverse("inbox:uploads", args=[conversation.pk])

    answer = htmx.post(url, {"file": SimpleUploadedFile("a.txt", b"words")})

    assert answer.status_code == 422
    assert "Fake does not take this kind of file" in answer.content.decode()
    assert not StagedFile.objects.exists()


def test_nobody_else_sees_or_sends_a_file_that_waits(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter
) -> None:
    upload(htmx, conversation)
    staged = StagedFile.objects.get()
    colleague = Client(headers={"HX-Request": "true"})
    colleague.force_login(make_agent("yassine"))

    assert htmx.get(reverse("inbox:upload", args=[staged.pk])).status_code == 200
    for name in ("upload", "remove_upload"):
        url = reverse(f"inbox:{name}", args=[staged.pk])
        method = colleague.get if name == "upload" else colleague.post
        assert method(url).status_code == 404
    answer = send(colleague, conversation, content="x", upload=staged.pk)
    assert answer.status_code == 422


def test_a_file_goes_with_the_conversation_it_was_meant_for(
    htmx: Client, conversation: Conversation, channel: Channel, roomy: FakeAdapter
) -> None:
    upload(htmx, conversation)
    other = make_conversation(channel, name="Karim", person_id="person-2")

    answer = send(htmx, other, content="x", upload=StagedFile.objects.get().pk)

    assert answer.status_code == 422
    assert not other.messages.exists()


def test_a_file_that_nobody_sends_is_forgotten(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter
) -> None:
    upload(htmx, conversation)
    StagedFile.objects.update(created_at=now() - timedelta(days=2))

    sweep_files()
    purge()

    assert not StagedFile.objects.exists()


def test_a_private_answer_carries_a_file(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter
) -> None:
    comment = make_comment(conversation)
    upload(htmx, conversation)

    url = reverse("inbox:comment_reply", args=[comment.pk, "private"])
    answer = htmx.post(url, {"key": "k", "upload": StagedFile.objects.get().pk})

    assert answer.status_code == 200
    assert conversation.messages.get(is_private_reply=True).attachments.exists()


# --- undo, edit ----------------------------------------------------------------------------------


@pytest.fixture
def thinks_again(agent: Agent) -> None:
    Preferences.objects.create(agent=agent, undo_seconds=10)


@pytest.mark.usefixtures("thinks_again")
def test_a_reply_waits_and_is_taken_back_with_files_and_quote(
    htmx: Client, conversation: Conversation, roomy: FakeAdapter, say: Say
) -> None:
    quoted = say(conversation, "Is this available?", external_id="mid-1")
    upload(htmx, conversation)
    staged = StagedFile.objects.get()
    send(htmx, conversation, content="Yes", upload=staged.pk, reply_to=quoted.pk)
    deliver_next(conversation.pk)
    assert roomy.sent == []

    message = conversation.messages.outbound().last()
    assert message is not None
    html = htmx.post(reverse("inbox:bring_back", args=[message.pk])).content.decode()

    assert not conversation.messages.outbound().exists()
    assert ">Yes</textarea>" in html
    assert "red.png" in html
    assert f'name="reply_to" value="{quoted.pk}"' in html
    again = StagedFile.objects.get(message=None)
    answer = send(htmx, conversation, key="k-2", content="Yes!", upload=again.pk)
    assert answer.status_code == 200


@pytest.mark.usefixtures("thinks_again")
def test_what_is_written_after_it_waits_behind_it(
    htmx: Client, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    send(htmx, conversation, content="First")
    Preferences.objects.update(undo_seconds=0)
    send(htmx, conversation, key="k-2", content="Second")
    deliver_next(conversation.pk)
    assert fake_adapter.sent == []

    Message.objects.filter(content="First").update(next_attempt_at=now())
    deliver_next(conversation.pk)

    assert [message.text for message in fake_adapter.sent] == ["First", "Second"]


@pytest.mark.usefixtures("thinks_again")
def test_what_has_left_or_is_a_colleagues_is_not_taken_back(
    htmx: Client, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    send(htmx, conversation, content="Yes")
    message = conversation.messages.outbound().get()
    url = reverse("inbox:bring_back", args=[message.pk])
    colleague = Client(headers={"HX-Request": "true"})
    colleague.force_login(make_agent("yassine"))
    assert colleague.post(url).status_code == 409

    Message.objects.update(next_attempt_at=now())
    deliver_next(conversation.pk)

    assert htmx.post(url).status_code == 409
    assert conversation.messages.outbound().get().status == "sent"


def test_a_failed_reply_comes_back_to_be_changed_before_what_was_written_since(
    htmx: Client, conversation: Conversation, say: Say
) -> None:
    message = say(conversation, "Yes, we do", **failed())
    save(htmx, conversation, "And another thing")

    html = htmx.post(reverse("inbox:bring_back", args=[message.pk])).content.decode()

    assert "Yes, we do\nAnd another thing" in html
    assert not conversation.messages.outbound().exists()


# --- newer ---------------------------------------------------------------------------------------


def test_a_plain_form_is_warned_too_and_sends_the_second_time(
    agent_client: Client, conversation: Conversation, say: Say
) -> None:
    seen = say(conversation, "Is this available?")
    say(conversation, "Never mind")

    answer = send(agent_client, conversation, content="Yes", seen=seen.pk)

    assert answer.status_code == 409
    html = answer.content.decode()
    assert "Something newer came meanwhile" in html
    assert ">Yes</textarea>" in html
    newest = conversation.messages.latest("pk").pk
    assert f'name="seen" value="{newest}"' in html
    answer = send(agent_client, conversation, content="Yes", seen=newest)
    assert answer.status_code == 302


def test_ones_own_words_and_lines_of_the_thread_are_no_news(
    htmx: Client, conversation: Conversation, agent: Agent
) -> None:
    send(htmx, conversation, content="One", seen=0)
    close_conversation(conversation=conversation, by=None)

    assert send(htmx, conversation, key="k-2", content="Two", seen=0).status_code == 200


# --- colleagues, emoji ---------------------------------------------------------------------------


def test_colleagues_are_named_in_a_note_and_a_reply_offers_to_be_one(
    htmx: Client, conversation: Conversation
) -> None:
    make_agent("yassine", first_name="Yassine")
    url = reverse("inbox:colleagues", args=[conversation.pk])

    note = htmx.get(url, {"q": "ya", "mode": "note"}).content.decode()
    reply = htmx.get(url, {"q": "ya", "mode": "reply"}).content.decode()

    assert 'data-username="yassine"' in note
    assert "yassine" not in reply
    assert "Make this a note" in reply


def test_emoji_have_names_to_be_found_by(htmx: Client) -> None:
    html = htmx.get(reverse("inbox:emoji")).content.decode()

    assert 'aria-label="dromedary camel"' in html
    assert 'aria-label="face with tears of joy"' in html


def test_quick_replies_hang_on_the_reply(
    htmx: Client, conversation: Conversation, fake_adapter: FakeAdapter
) -> None:
    send(htmx, conversation, content="Which size?", choice=["38", "40"])

    deliver_next(conversation.pk)

    assert [one.title for one in fake_adapter.sent[0].quick_replies] == ["38", "40"]
