"""The phone page: what the customer does arrives in the inbox, and replies on the phone."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries

from channels_meta.models import RawEvent
from channels_meta.processing import drain
from channels_meta.sandbox import customers
from channels_meta.sandbox.accounts import disconnect, graph_base_url, reconnect
from channels_meta.sandbox.models import SandboxCall, SandboxFault, SandboxPerson
from channels_meta.sandbox.pages.acts import ACTS
from inbox.delivery import deliver_next
from inbox.events import emitted
from inbox.fetching import fetch_due
from inbox.models import (
    Agent,
    Channel,
    Conversation,
    Message,
    Reaction,
    Source,
    Status,
)
from inbox.outbound import queue_reply
from tests.channels_meta.sandbox.conftest import Graph, first_person, label, wrote

pytestmark = pytest.mark.django_db(transaction=True)

HTMX = {"HX-Request": "true"}


def url_of(person: SandboxPerson, act: str) -> str:
    return reverse("sandbox:act", args=[person.pk, act])


def do(client: Client, person: SandboxPerson, act: str, **data: str) -> str:
    """One act on the page; what the page then shows. Dexra has drained it."""
    answer = client.post(url_of(person, act), data, headers=HTMX)
    assert answer.status_code == 200, answer.content.decode()
    drain()
    return answer.content.decode()


def reply(person: SandboxPerson, content: str = "Yes, two are left") -> Message:
    conversation = Conversation.objects.get(channel=person.channel)
    author = Agent.objects.get(username="nadia")
    message = queue_reply(
        conversation=conversation, source=Source.AGENT, author=author, content=content
    )[0]
    deliver_next(conversation.pk)
    drain()
    message.refresh_from_db()
    return message


def look(client: Client, person: SandboxPerson, seen: str = "") -> Any:
    url = reverse("sandbox:refresh", args=[person.pk])
    return client.get(f"{url}?seen={seen}", headers=HTMX)


# --- the page --------------------------------------------------------------------------------------


def test_the_page_shows_both_apps_and_the_people_of_one(
    agent_client: Client, accounts: dict[str, Channel]
) -> None:
    page = agent_client.get("/sandbox/?app=messenger").content.decode()

    assert "Instagram" in page
    assert "Messenger" in page
    assert 'class="dx-phone dx-phone-fb"' in page
    theirs = SandboxPerson.objects.of(accounts["messenger"])
    assert all(f"?person={person.pk}" in page for person in theirs)


def test_without_accounts_the_page_offers_to_connect_them(agent_client: Client) -> None:
    assert b"No pretend accounts yet" in agent_client.get("/sandbox/").content

    agent_client.post(reverse("sandbox:set_up"))

    assert Channel.objects.filter(is_sandbox=True).count() == 2
    assert b"dx-phone" in agent_client.get("/sandbox/").content


def test_everything_is_behind_the_sign_in(
    client: Client, person: SandboxPerson
) -> None:
    for url in ("/sandbox/", reverse("sandbox:refresh", args=[person.pk])):
        assert client.get(url).status_code == 302
    for name in ("skip", "fail", "connect"):
        url = reverse(f"sandbox:{name}", args=[person.pk])
        assert client.post(url, {"hours": "24"}).status_code == 302
    assert client.post(url_of(person, "write"), {"text": "Salam"}).status_code == 302
    assert not SandboxCall.objects.exists()


def test_who_may_not_read_the_inbox_may_not_play(
    client: Client, person: SandboxPerson
) -> None:
    client.force_login(Agent.objects.create_user("trainee", is_staff=True))

    assert client.get("/sandbox/").status_code == 403
    assert client.post(url_of(person, "photo")).status_code == 403


@pytest.mark.parametrize("query", ["person=0", "person=999999", "person=x"])
def test_a_person_who_is_not_there_is_not_found(
    agent_client: Client, accounts: dict[str, Channel], query: str
) -> None:
    assert agent_client.get(f"/sandbox/?{query}").status_code == 404


def test_acts_are_posted(agent_client: Client, person: SandboxPerson) -> None:
    assert agent_client.get(url_of(person, "write")).status_code == 405
    assert agent_client.post("/sandbox/").status_code == 405


def test_an_act_that_there_is_not_is_not_found(
    agent_client: Client, person: SandboxPerson
) -> None:
    assert agent_client.post(url_of(person, "dance")).status_code == 404


def test_messenger_has_no_stories(
    agent_client: Client, accounts: dict[str, Channel]
) -> None:
    person = first_person(accounts["messenger"])

    assert agent_client.post(url_of(person, "story-mention")).status_code == 404
    page = agent_client.get(f"/sandbox/?person={person.pk}").content.decode()
    assert "Story mention" not in page


def test_statements_do_not_grow_with_what_was_said(
    agent_client: Client,
    person: SandboxPerson,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(5):
        do(agent_client, person, "write", text=f"Salam {number}")

    with django_assert_max_num_queries(23):
        agent_client.get(f"/sandbox/?person={person.pk}")
    with django_assert_max_num_queries(15):
        look(agent_client, person)


# --- the customer ------------------------------------------------------------------------------------


def test_what_the_customer_writes_is_in_the_inbox_under_their_name(
    agent_client: Client, person: SandboxPerson
) -> None:
    phone = do(agent_client, person, "write", text="Salam <b>you</b> 👋")
    fetch_due()

    assert "Salam &lt;b&gt;you&lt;/b&gt; 👋" in phone
    message = Message.objects.get()
    assert (message.direction, message.type, message.content) == (
        "in",
        "text",
        "Salam <b>you</b> 👋",
    )
    assert message.conversation.identity.display_name == person.name
    assert message.conversation.identity.contact.name == person.name
    log = look(agent_client, person).content.decode()
    assert "The reply window is open until" in log
    assert message.conversation.get_absolute_url() in log


@pytest.mark.parametrize(
    ("act", "kind", "parts"),
    [
        ("photo", "image", ["image"]),
        ("voice", "audio", ["audio"]),
        ("comment", "comment", []),
        ("button", "postback", []),
    ],
)
def test_every_act_becomes_its_kind_of_message(
    agent_client: Client, person: SandboxPerson, act: str, kind: str, parts: list[str]
) -> None:
    do(agent_client, person, act)

    message = Message.objects.get()
    assert (message.direction, message.type) == ("in", kind)
    assert [part.kind for part in message.attachments.all()] == parts
    opens = kind != "comment"
    assert (message.conversation.identity.window_expires_at is not None) is opens


@pytest.mark.parametrize("act", ["story-mention", "story-reply"])
def test_stories_show_their_picture_while_they_live(
    agent_client: Client, accounts: dict[str, Channel], act: str
) -> None:
    person = first_person(accounts["instagram"])

    do(agent_client, person, act)

    message = Message.objects.get()
    assert message.type == act.replace("-", "_")
    page = agent_client.get(message.conversation.get_absolute_url()).content.decode()
    assert 'src="/sandbox/cdn/img/demo/story.png?asset_id=' in page


@pytest.mark.parametrize("act", ["comment", "story-reply"])
def test_what_is_typed_goes_with_a_comment_and_a_reply_to_a_story(
    agent_client: Client, accounts: dict[str, Channel], act: str
) -> None:
    do(agent_client, first_person(accounts["instagram"]), act, text="Chhal taman?")

    assert Message.objects.get().content == "Chhal taman?"


def test_pictures_of_the_demo_are_ours_to_serve(
    asgi_server: str, agent_client: Client, person: SandboxPerson
) -> None:
    do(agent_client, person, "photo")
    do(agent_client, person, "voice")

    for message in person.messages.all():
        assert message.media_url.startswith(f"{asgi_server}/sandbox/cdn/")
        answer = requests.get(message.media_url, timeout=5)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] in {"image/png", "audio/wav"}


def test_a_reply_appears_on_the_phone_and_is_read_there(
    agent_client: Client, person: SandboxPerson
) -> None:
    wrote(person)

    message = reply(person)

    phone = look(agent_client, person).content.decode()
    assert "Yes, two are left" in phone
    assert "Reply sent by Nadia Berrada" in phone
    do(agent_client, person, "read")
    message.refresh_from_db()
    assert message.status == Status.READ


def test_a_heart_is_given_and_taken_back(
    agent_client: Client, person: SandboxPerson
) -> None:
    wrote(person)
    reply(person)

    phone = do(agent_client, person, "react")
    given = [reaction.emoji for reaction in Reaction.objects.all()]
    do(agent_client, person, "react")

    assert "Your reaction: ❤️" in phone
    assert given == ["❤️"]
    assert not Reaction.objects.shown().exists()


def test_what_is_unsent_is_gone_everywhere(
    agent_client: Client, person: SandboxPerson
) -> None:
    do(agent_client, person, "write", text="My card number is 4111")

    phone = do(agent_client, person, "unsend")

    assert "4111" not in phone
    assert "You unsent a message" in phone
    message = Message.objects.get()
    assert message.content == ""
    assert message.deleted_at is not None
    assert not any("4111" in str(call.payload) for call in person.calls.all())


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("react", "There is no reply yet to react to."),
        ("read", "There is no reply yet to read."),
        ("unsend", "There is nothing of yours to unsend."),
        ("write", "Write something first."),
    ],
)
def test_what_cannot_be_done_is_explained(
    agent_client: Client, person: SandboxPerson, act: str, reason: str
) -> None:
    answer = agent_client.post(url_of(person, act), {"text": "  "}, headers=HTMX)

    assert answer.status_code == 422
    assert reason in answer.content.decode()
    assert not SandboxCall.objects.exists()


def test_a_door_that_does_not_answer_is_told(
    agent_client: Client, person: SandboxPerson, settings: Any
) -> None:
    settings.PORT = 1

    answer = agent_client.post(url_of(person, "write"), {"text": "Salam"}, headers=HTMX)

    assert answer.status_code == 422
    assert "Dexra did not answer" in answer.content.decode()


def test_a_secret_that_differs_is_told(
    agent_client: Client, person: SandboxPerson, settings: Any
) -> None:
    settings.META_APP_SECRET, settings.META_INSTAGRAM_APP_SECRET = [], []

    answer = agent_client.post(url_of(person, "write"), {"text": "Salam"}, headers=HTMX)

    assert answer.status_code == 422
    assert "META_APP_SECRET" in answer.content.decode()
    assert not Message.objects.exists()


def test_without_script_the_page_comes_back_with_what_happened(
    agent_client: Client, person: SandboxPerson
) -> None:
    page = f"/sandbox/?person={person.pk}"

    done = agent_client.post(url_of(person, "write"), {"text": "Salam"}, follow=True)
    refused = agent_client.post(url_of(person, "react"), follow=True)

    assert done.redirect_chain == [(page, 302)]
    assert b"Salam" in done.content
    assert b"There is no reply yet to react to." in refused.content
    assert b"There is no reply" not in agent_client.get(page).content


def test_a_look_that_finds_nothing_new_is_empty(
    agent_client: Client, person: SandboxPerson
) -> None:
    do(agent_client, person, "write", text="Salam")
    version = look(agent_client, person).content.decode().split("seen=")[1][:16]

    assert look(agent_client, person, version).status_code == 204
    reply(person)
    assert look(agent_client, person, version).status_code == 200


def test_a_new_customer_can_write_at_once(
    agent_client: Client, accounts: dict[str, Channel]
) -> None:
    account = first_person(accounts["instagram"]).account

    made = agent_client.post(
        reverse("sandbox:people"), {"account": account.pk, "name": "  Aya   Idrissi "}
    )

    person = SandboxPerson.objects.get(name="Aya Idrissi")
    assert made["Location"] == f"/sandbox/?person={person.pk}"
    do(agent_client, person, "write", text="Salam")
    assert Message.objects.get().conversation.identity.external_id == person.external_id


def test_a_customer_needs_a_name(
    agent_client: Client, accounts: dict[str, Channel]
) -> None:
    data = {"account": first_person(accounts["messenger"]).account.pk, "name": "  "}

    page = agent_client.post(reverse("sandbox:people"), data, follow=True)

    assert b"Give the customer a name." in page.content


# --- time, and what goes wrong -------------------------------------------------------------------------


def test_skipping_a_day_closes_the_window(
    agent_client: Client, person: SandboxPerson
) -> None:
    wrote(person)
    url = reverse("sandbox:skip", args=[person.pk])

    phone = agent_client.post(url, {"hours": "24"}, headers=HTMX).content.decode()

    assert "1 d later" in phone
    identity = Conversation.objects.get().identity
    assert identity.window_expires_at is not None
    assert identity.window_expires_at < now()


def test_only_the_two_spans_can_be_skipped(
    agent_client: Client, person: SandboxPerson
) -> None:
    url = reverse("sandbox:skip", args=[person.pk])

    assert agent_client.post(url, {"hours": "-5"}, headers=HTMX).status_code == 422


def test_the_next_reply_fails_as_chosen_and_only_that_one(
    agent_client: Client, person: SandboxPerson
) -> None:
    wrote(person)
    url = reverse("sandbox:fail", args=[person.pk])

    page = agent_client.post(url, {"fault": "unavailable"}, headers=HTMX).content
    failed, sent = reply(person), reply(person, "Hello again")

    assert b"The next reply fails." in page
    assert (failed.status, failed.error_class) == (Status.FAILED, "unavailable")
    assert sent.status in {Status.SENT, Status.DELIVERED}
    assert b"Reply not accepted" in look(agent_client, person).content


def test_a_chosen_fault_can_be_taken_back(
    agent_client: Client, person: SandboxPerson
) -> None:
    wrote(person)
    url = reverse("sandbox:fail", args=[person.pk])
    agent_client.post(url, {"fault": "unavailable"})

    agent_client.post(url, {"fault": ""})

    assert not SandboxFault.objects.exists()
    assert reply(person).status in {Status.SENT, Status.DELIVERED}


def test_a_fault_that_there_is_not_is_refused(
    agent_client: Client, person: SandboxPerson
) -> None:
    url = reverse("sandbox:fail", args=[person.pk])

    assert agent_client.post(url, {"fault": "fire"}, headers=HTMX).status_code == 422


def test_a_dead_token_stops_the_queue_until_it_is_connected_again(
    agent_client: Client, person: SandboxPerson
) -> None:
    wrote(person)
    url = reverse("sandbox:connect", args=[person.pk])

    page = agent_client.post(url, {"connected": ""}, headers=HTMX).content
    waiting = reply(person)
    noticed = look(agent_client, person).content
    agent_client.post(url, {"connected": "1"})
    deliver_next(waiting.conversation.pk)

    assert b"Dexra notices with its next reply" in page
    assert waiting.status == Status.QUEUED
    assert b"replies wait until you reconnect" in noticed
    waiting.refresh_from_db()
    assert waiting.status in {Status.SENT, Status.DELIVERED}


# --- what the pretend Meta can do beyond ---------------------------------------------------------------


@pytest.mark.parametrize("act", sorted(ACTS))
def test_every_button_does_what_it_says_and_dexra_takes_it(
    agent_client: Client, person: SandboxPerson, act: str
) -> None:
    """Whatever has to be there first, is."""
    if person.account.kind not in ACTS[act].kinds:
        assert agent_client.post(url_of(person, act)).status_code == 404
        return
    wrote(person)
    customers.comment(person).tell()
    graph = Graph(person.channel)
    button = {"type": "postback", "title": "Order", "payload": "ORDER"}
    card = {"title": "Bag", "buttons": [button]}
    payload = {"template_type": "generic", "elements": [card]}
    graph.say(person, attachment={"type": "template", "payload": payload})
    reply = {"content_type": "text", "title": "Blue", "payload": "BLUE"}
    graph.say(person, text="Which?", quick_replies=[reply])

    phone = do(agent_client, person, act, text="" if act != "write" else "Salam")

    assert 'role="alert"></div>' in phone or "dx-banner-bad" not in phone
    assert set(RawEvent.objects.values_list("state", flat=True)) == {"processed"}


def test_what_lasts_is_switched_on_and_off(
    agent_client: Client, person: SandboxPerson
) -> None:
    url = reverse("sandbox:fail", args=[person.pk])

    on = agent_client.post(url, {"lasting": "duplicate"}, headers=HTMX).content.decode()
    lasting = SandboxFault.objects.get()
    agent_client.post(url, {"lasting": "duplicate"}, headers=HTMX)

    assert 'aria-checked="true" name="lasting" value="duplicate"' in on
    assert lasting.remaining is None
    assert not SandboxFault.objects.exists()
    wrong = agent_client.post(url, {"lasting": "fire"}, headers=HTMX)
    assert wrong.status_code == 422


def test_everything_may_go_wrong_at_random(
    agent_client: Client, person: SandboxPerson
) -> None:
    url = reverse("sandbox:fail", args=[person.pk])

    agent_client.post(url, {"lasting": "random"}, headers=HTMX)
    chances = set(SandboxFault.objects.values_list("probability", flat=True))
    agent_client.post(url, {"lasting": "random"}, headers=HTMX)

    assert chances == {0.05}
    assert not SandboxFault.objects.exists()


def test_a_token_dies_for_the_reason_that_was_chosen(
    agent_client: Client, person: SandboxPerson
) -> None:
    url = reverse("sandbox:connect", args=[person.pk])

    agent_client.post(url, {"subcode": "492"}, headers=HTMX)

    assert label(Graph(person.channel).get("me")) == "190/492"
    assert agent_client.post(url, {"subcode": "1"}, headers=HTMX).status_code == 422


def test_connecting_again_is_told_to_whoever_listens(
    agent_client: Client, person: SandboxPerson
) -> None:
    heard: list[Any] = []

    def listen(events: Any, **_: Any) -> None:
        heard.extend(events)

    emitted.connect(listen)
    try:
        url = reverse("sandbox:connect", args=[person.pk])
        agent_client.post(url, {"connected": "1"}, headers=HTMX)
    finally:
        emitted.disconnect(listen)

    (event,) = heard
    assert (event.name, event.details["status"]) == ("channel_status", "active")
    assert event.channel_id == person.channel.pk


def test_the_phone_shows_cards_and_quick_replies_and_typing(
    agent_client: Client, messenger_person: SandboxPerson
) -> None:
    person = messenger_person
    wrote(person)
    graph = Graph(person.channel)
    button = {"type": "postback", "title": "Order it", "payload": "ORDER"}
    payload = {
        "template_type": "generic",
        "elements": [{"title": "Green bag", "subtitle": "480 DH", "buttons": [button]}],
    }
    reply = {"content_type": "text", "title": "In blue", "payload": "BLUE"}

    graph.say(person, attachment={"type": "template", "payload": payload})
    graph.say(person, text="Which?", quick_replies=[reply])
    graph.post(
        "me/messages",
        {"recipient": {"id": person.external_id}, "sender_action": "typing_on"},
    )
    phone = look(agent_client, person).content.decode()

    assert all(word in phone for word in ("Green bag", "480 DH", "Order it", "In blue"))
    assert "Maison Tilila is typing" in phone


def test_the_phone_shows_what_became_of_a_comment(
    agent_client: Client, messenger_person: SandboxPerson
) -> None:
    person = messenger_person
    comment = customers.comment(person, "How much?").mid
    graph = Graph(person.channel)

    graph.post(f"{comment}/comments", {"message": "480 DH"})
    graph.post(comment, {"is_hidden": True})
    graph.post(f"{comment}/likes")
    graph.post(
        "me/messages",
        {"recipient": {"comment_id": comment}, "message": {"text": "In your inbox"}},
    )
    phone = look(agent_client, person).content.decode()

    assert "They answered in public" in phone
    assert "hidden by the business" in phone
    assert "liked by the business" in phone
    assert "They answered your comment here, in private" in phone


def test_an_account_that_meta_gave_up_on_says_so(
    agent_client: Client, person: SandboxPerson
) -> None:
    graph = Graph(person.channel)
    graph.delete(f"{person.account.external_id}/subscribed_apps")

    answer = agent_client.post(url_of(person, "write"), {"text": "Salam"}, headers=HTMX)

    assert answer.status_code == 422
    assert "it is not subscribed" in answer.content.decode()
    assert "Meta tells Dexra nothing of this account any more" in look(agent_client, person).content.decode()  # fmt: skip


def test_people_of_accounts_that_are_not_connected_have_no_phone(
    agent_client: Client, accounts: dict[str, Channel]
) -> None:
    stranger = SandboxPerson.objects.filter(account__external_id="1055502")[0]

    assert agent_client.get(f"/sandbox/?person={stranger.pk}").status_code == 404
    assert agent_client.post(url_of(stranger, "photo")).status_code == 404
    made = agent_client.post(
        reverse("sandbox:people"), {"account": stranger.account.pk, "name": "Aya"}
    )
    assert made.status_code == 404


def test_an_account_connected_through_its_page_is_cut_off_and_connected_with_it(
    accounts: dict[str, Channel],
) -> None:
    channel = accounts["instagram"]
    page = first_person(accounts["messenger"]).account
    account = first_person(channel).account
    account.tokens.all().delete()
    account.subscribed_fields, account.subscribed_by = [], ""
    account.save()
    channel.meta.flavour, channel.meta.node_id = "facebook", page.external_id
    channel.meta.graph_base_url = graph_base_url("facebook")
    channel.meta.access_token = "gone"
    channel.meta.save()
    reconnect(channel)
    person = first_person(channel)
    wrote(person)

    answer = Graph(channel).say(person, text="Hello")
    disconnect(channel, 467)

    assert answer.json()["recipient_id"] == person.external_id
    echo = person.calls.filter(kind="echo").first()
    assert echo is not None
    assert echo.payload["object"] == "instagram"
    assert label(Graph(channel).say(person, text="Hello?")) == "190/467"
    assert label(Graph(accounts["messenger"]).get("me")) == "190/467"
