"""What the pretend Send API takes and refuses, kind by kind (contract 6 and 8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests
from django.utils.timezone import now

from channels_meta.processing import drain
from channels_meta.sandbox import accounts as sandbox_accounts
from channels_meta.sandbox import clock, customers
from channels_meta.sandbox.graph import messages
from channels_meta.sandbox.models import SandboxPerson, SandboxUpload
from inbox.models import Channel
from tests.channels_meta.sandbox.conftest import Graph, first_person, label, wrote

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64


def newest(person: SandboxPerson) -> Any:
    return person.messages.filter(direction="out").last()


def echo_of(person: SandboxPerson) -> Any:
    body = person.calls.filter(kind="echo").first().payload  # type: ignore[union-attr]
    return body["entry"][0]["messaging"][0]["message"]


# --- files -------------------------------------------------------------------------------------------


def test_an_uploaded_picture_is_sent_by_its_id(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)
    account = person.account.external_id

    uploaded = graph.upload(
        f"{account}/message_attachments", "image", "a.png", PNG, "image/png"
    )
    attachment_id = uploaded.json()["attachment_id"]
    payload = {"attachment_id": attachment_id}
    sent = graph.say(person, attachment={"type": "image", "payload": payload})

    assert sent.json()["message_id"]
    shown = requests.get(newest(person).media_url, timeout=10)
    assert (shown.content, shown.headers["Content-Type"]) == (PNG, "image/png")
    assert echo_of(person)["attachments"][0]["type"] == "image"


def test_an_attachment_id_is_good_for_ninety_days(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)
    path = f"{person.account.external_id}/message_attachments"
    attachment_id = graph.upload(path, "image", "a.png", PNG, "image/png").json()[
        "attachment_id"
    ]
    content = {"type": "image", "payload": {"attachment_id": attachment_id}}

    SandboxUpload.objects.update(uploaded_at=now() - timedelta(days=89))
    in_time = graph.say(person, attachment=content)
    SandboxUpload.objects.update(uploaded_at=now() - timedelta(days=90))
    too_late = graph.say(person, attachment=content)

    assert in_time.status_code == 200
    assert label(too_late) == "100/2018074"


def test_an_attachment_id_belongs_to_one_account_and_one_kind(
    accounts: dict[str, Channel],
) -> None:
    here, there = (first_person(accounts[kind]) for kind in ("messenger", "instagram"))
    wrote(here)
    graphs = {kind: Graph(channel) for kind, channel in accounts.items()}
    uploaded = graphs["messenger"].upload("me/message_attachments", "image", "a.png", PNG, "image/png")  # fmt: skip
    payload = {"attachment_id": uploaded.json()["attachment_id"]}
    stranger = sandbox_accounts.get_account("messenger", "1055502")
    SandboxUpload.objects.create(
        account=stranger, attachment_id="77", kind="image", uploaded_at=now()
    )
    own = graphs["messenger"]

    as_video = own.say(here, attachment={"type": "video", "payload": payload})
    of_others = own.say(here, attachment={"type": "image", "payload": {"attachment_id": "77"}})  # fmt: skip
    as_number = own.say(here, attachment={"type": "image", "payload": {"attachment_id": int(payload["attachment_id"])}})  # fmt: skip

    assert label(as_video) == "100/2018047"
    assert label(of_others) == "100/2018074"
    assert label(as_number) == "100/2018074"
    assert not there.messages.exists()


def test_instagram_takes_ids_of_pictures_alone(
    instagram_person: SandboxPerson,
) -> None:
    graph = Graph(instagram_person.channel)

    refused = graph.upload("me/message_attachments", "video", "a.mp4", PNG, "video/mp4")

    assert label(refused) == "100/2018047"


def test_a_file_of_ours_is_fetched_and_one_that_is_not_there_is_refused(
    person: SandboxPerson, graph: Graph, asgi_server: str
) -> None:
    wrote(person)

    def send(url: str) -> requests.Response:
        return graph.say(person, attachment={"type": "image", "payload": {"url": url}})

    assert send(f"{asgi_server}/static/img/demo/bag.png").status_code == 200
    assert label(send(f"{asgi_server}/static/img/demo/none.png")) == "100/2018008"


def test_several_pictures_go_in_one_message(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)
    picture = {"type": "image", "payload": {"url": "https://shop.example/a.png"}}
    most = 10 if person.account.is_instagram else 30

    fits = graph.say(person, attachments=[picture] * most)
    too_many = graph.say(person, attachments=[picture] * (most + 1))

    assert fits.status_code == 200
    assert len(newest(person).extra["parts"]) == most
    assert too_many.status_code == 400


# --- words, quick replies, cards ---------------------------------------------------------------------


REPLY = {"content_type": "text", "title": "Blue", "payload": "BLUE"}
BUTTON = {"type": "postback", "title": "Order", "payload": "ORDER"}
CARD = {"title": "Bag", "subtitle": "480 DH", "buttons": [BUTTON]}


def generic(*cards: Any) -> dict[str, Any]:
    payload = {"template_type": "generic", "elements": list(cards)}
    return {"attachment": {"type": "template", "payload": payload}}


@pytest.mark.parametrize(
    ("message", "fits"),
    [
        ({"text": "Which?", "quick_replies": [REPLY] * 13}, True),
        ({"text": "Which?", "quick_replies": [REPLY] * 14}, False),
        ({"text": "Which?", "quick_replies": [REPLY | {"title": "x" * 21}]}, False),
        ({"text": "Which?", "quick_replies": [REPLY | {"payload": "x" * 1001}]}, False),
        (generic(*[CARD] * 10), True),
        (generic(*[CARD] * 11), False),
        (generic(), False),
        (generic({"title": "Bag"}), False),
        (generic(CARD | {"title": "x" * 81}), False),
        (generic(CARD | {"subtitle": "x" * 81}), False),
        (generic(CARD | {"buttons": [BUTTON] * 4}), False),
        (generic(CARD | {"buttons": [BUTTON | {"title": "x" * 21}]}), False),
        ({"text": "a", "attachment": {"type": "image", "payload": {"url": "u"}}}, False),
        ({}, False),
        ({"text": ""}, False),
    ],
)  # fmt: skip
def test_the_limits_of_a_message_are_held(
    person: SandboxPerson, graph: Graph, message: Any, fits: bool
) -> None:
    wrote(person)

    answer = graph.say(person, **message)

    assert (answer.status_code == 200) is fits, answer.json()
    if not fits:
        is_instagram = person.account.is_instagram
        assert label(answer) == ("100/2534015" if is_instagram else "100")


@pytest.mark.parametrize("kind", ["user_phone_number", "user_email"])
def test_asking_for_number_and_address_ended_on_instagram(
    person: SandboxPerson, graph: Graph, kind: str
) -> None:
    wrote(person)

    answer = graph.say(person, text="How?", quick_replies=[{"content_type": kind}])

    assert answer.status_code == (400 if person.account.is_instagram else 200)


def test_a_button_card_is_for_messenger(person: SandboxPerson, graph: Graph) -> None:
    wrote(person)
    payload = {"template_type": "button", "text": "Well?", "buttons": [BUTTON]}

    answer = graph.say(person, attachment={"type": "template", "payload": payload})

    assert answer.status_code == (400 if person.account.is_instagram else 200)


def test_the_phone_taps_what_was_offered(person: SandboxPerson, graph: Graph) -> None:
    wrote(person)

    graph.say(person, **generic(CARD))
    tapped = customers.tap_card_button(person).data["entry"][0]["messaging"][0]
    graph.say(person, text="Which?", quick_replies=[REPLY])
    chosen = customers.tap_quick_reply(person).data["entry"][0]["messaging"][0]

    assert tapped["postback"]["payload"] == "ORDER"
    assert chosen["message"]["quick_reply"] == {"payload": "BLUE"}
    assert chosen["message"]["text"] == "Blue"


def test_a_reply_quotes_only_what_was_said_in_its_thread(
    person: SandboxPerson, graph: Graph
) -> None:
    said = wrote(person)
    payload = {"recipient": {"id": person.external_id}, "message": {"text": "Yes"}}

    quoting = graph.post("me/messages", payload | {"reply_to": {"mid": said.mid}})
    strange = graph.post("me/messages", payload | {"reply_to": {"mid": "m_none"}})

    assert quoting.status_code == 200
    assert echo_of(person)["reply_to"]["mid"] == said.mid
    assert label(strange) == "100"


# --- by what right -----------------------------------------------------------------------------------


def test_without_the_feature_there_is_no_human_agent(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person, ago=timedelta(hours=30))
    person.account.has_human_agent = False
    person.account.save()

    payload = {
        "recipient": {"id": person.external_id},
        "messaging_type": "MESSAGE_TAG",
        "tag": "HUMAN_AGENT",
        "message": {"text": "Sorry for the wait"},
    }

    assert label(graph.post("me/messages", payload)) == "10"


def test_whoever_came_by_an_ad_may_be_answered_for_a_week(
    person: SandboxPerson, graph: Graph
) -> None:
    customers.come_by_ad(person).tell()
    drain()

    clock.shift_conversation(person=person, by=timedelta(days=6))
    on_the_sixth = graph.say(person, text="Yes")
    clock.shift_conversation(person=person, by=timedelta(days=1))
    on_the_seventh = graph.say(person, text="Still")

    assert on_the_sixth.status_code == 200
    closed = "10/2534022" if person.account.is_instagram else "10/2018278"
    assert label(on_the_seventh) == closed


TEMPLATE = {
    "name": "order_shipped",
    "language": {"code": "en"},
    "components": [
        {
            "type": "body",
            "parameters": [
                {"type": "text", "text": "Salma"},
                {"type": "text", "text": "1042"},
            ],
        }
    ],
}


def use(graph: Graph, person: SandboxPerson, **template: Any) -> requests.Response:
    payload = {
        "recipient": {"id": person.external_id},
        "messaging_type": "UTILITY",
        "message": {"template": TEMPLATE | template},
    }
    return graph.post("me/messages", payload)


def test_an_approved_template_goes_out_at_any_time(
    messenger_person: SandboxPerson,
) -> None:
    graph = Graph(messenger_person.channel)
    wrote(messenger_person, ago=timedelta(days=40))

    sent = use(graph, messenger_person)

    assert sent.status_code == 200
    words = "Hello Salma, your order 1042 is on its way."
    assert newest(messenger_person).text == words


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "none"},
        {"name": "win_back", "components": []},
        {"name": "appointment_reminder"},
        {"language": {"code": "de"}},
        {"components": []},
    ],
)
def test_only_approved_templates_with_all_their_words_go_out(
    messenger_person: SandboxPerson, wrong: Any
) -> None:
    graph = Graph(messenger_person.channel)

    assert label(use(graph, messenger_person, **wrong)) == "100"


def test_instagram_has_no_templates(instagram_person: SandboxPerson) -> None:
    graph = Graph(instagram_person.channel)

    assert use(graph, instagram_person).status_code == 400
    assert graph.get("me/message_templates").status_code == 400


def test_a_page_lists_its_templates_with_their_state(
    messenger_person: SandboxPerson,
) -> None:
    listed = Graph(messenger_person.channel).get("me/message_templates").json()["data"]

    states = {(one["name"], one["language"]): one["status"] for one in listed}
    assert states["order_shipped", "ar"] == "APPROVED"
    assert states["win_back", "en"] == "REJECTED"
    assert states["appointment_reminder", "en"] == "PENDING"


# --- private replies ---------------------------------------------------------------------------------


def answer_privately(graph: Graph, comment_id: str) -> requests.Response:
    payload = {"recipient": {"comment_id": comment_id}, "message": {"text": "Hello"}}
    return graph.post("me/messages", payload)


def test_a_comment_is_answered_in_private_once(
    person: SandboxPerson, graph: Graph
) -> None:
    comment = customers.comment(person).mid

    first, second = answer_privately(graph, comment), answer_privately(graph, comment)

    # In comments on a Page they may be known by another number than in Messenger.
    assert first.json()["recipient_id"] == person.external_id
    assert newest(person).extra["about"] == comment
    used = "100/2534025" if person.account.is_instagram else "10900"
    assert label(second) == used


def test_a_comment_is_answered_in_private_within_seven_days(
    person: SandboxPerson, graph: Graph
) -> None:
    comment = customers.comment(person).mid

    clock.shift_conversation(person=person, by=timedelta(days=7))

    late = "100/2534025" if person.account.is_instagram else "10903"
    assert label(answer_privately(graph, comment)) == late


def test_a_private_reply_opens_no_window(person: SandboxPerson, graph: Graph) -> None:
    comment = customers.comment(person).mid
    answer_privately(graph, comment)

    assert graph.say(person, text="And another thing").status_code in {400, 403}


def test_a_deleted_comment_cannot_be_answered(
    person: SandboxPerson, graph: Graph
) -> None:
    comment = customers.comment(person).mid
    customers.delete_comment(person)

    gone = "100/2534025" if person.account.is_instagram else "10903"
    assert label(answer_privately(graph, comment)) == gone
    assert label(answer_privately(graph, "999")) == "100/33"


def test_a_visitor_post_is_answered_in_private(
    messenger_person: SandboxPerson,
) -> None:
    graph = Graph(messenger_person.channel)
    post_id = customers.post_on_page(messenger_person).mid

    payload = {"recipient": {"post_id": post_id}, "message": {"text": "Thank you"}}

    answer = graph.post("me/messages", payload).json()
    assert answer["recipient_id"] == messenger_person.external_id


# --- sender actions ----------------------------------------------------------------------------------


def signal(
    graph: Graph, person: SandboxPerson, action: str, **payload: str
) -> requests.Response:
    body = {"recipient": {"id": person.external_id}, "sender_action": action}
    return graph.post("me/messages", body | ({"payload": payload} if payload else {}))


def test_seen_and_typing_show_on_the_phone_of_messenger(
    messenger_person: SandboxPerson,
) -> None:
    graph = Graph(messenger_person.channel)
    said = wrote(messenger_person)

    answers = [signal(graph, messenger_person, "mark_seen")]
    answers.append(signal(graph, messenger_person, "typing_on"))

    assert [a.json() for a in answers] == [
        {"recipient_id": messenger_person.external_id}
    ] * 2
    said.refresh_from_db()
    messenger_person.refresh_from_db()
    assert said.seen_at is not None
    assert messenger_person.typing_since is not None


def test_instagram_login_takes_reactions_but_no_other_signal(
    instagram_person: SandboxPerson,
) -> None:
    graph = Graph(instagram_person.channel)
    said = wrote(instagram_person)

    assert label(signal(graph, instagram_person, "typing_on")) == "100"
    signal(graph, instagram_person, "react", message_id=said.mid, reaction="🎉")
    said.refresh_from_db()
    assert said.reaction == "🎉"
    signal(graph, instagram_person, "unreact", message_id=said.mid)
    said.refresh_from_db()
    assert said.reaction == ""


def test_an_action_comes_alone(messenger_person: SandboxPerson) -> None:
    body = {
        "recipient": {"id": messenger_person.external_id},
        "sender_action": "typing_on",
        "message": {"text": "Hi"},
    }

    answer = Graph(messenger_person.channel).post("me/messages", body)

    assert label(answer) == "100/2018014"


# --- routing -----------------------------------------------------------------------------------------


def test_another_app_has_to_let_go_of_a_thread_first(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)
    customers.hand_to_other_app(person).tell()
    recipient = {"recipient": {"id": person.external_id}}

    refused = graph.say(person, text="Hello?")
    owner = graph.get("me/thread_owner", recipient=person.external_id).json()
    taken = graph.post("me/take_thread_control", recipient)
    allowed = graph.say(person, text="Hello!")

    theirs = "100/2534037" if person.account.is_instagram else "2018300"
    assert label(refused) == theirs
    inbox = "1217981644879628" if person.account.is_instagram else "263902037430900"
    assert owner["data"][0]["thread_owner"]["app_id"] == inbox
    assert taken.json() == {"success": True}
    assert allowed.status_code == 200
    assert graph.get("me/thread_owner", recipient=person.external_id).json() == {
        "data": []
    }


def test_nothing_can_be_taken_where_nothing_is_routed(
    person: SandboxPerson, graph: Graph
) -> None:
    answer = graph.post(
        "me/take_thread_control", {"recipient": {"id": person.external_id}}
    )

    assert label(answer) == "10"


def test_parameters_may_come_as_a_form_with_json_inside(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)
    form = {
        "recipient": f'{{"id":"{person.external_id}"}}',
        "message": '{"text":"Hi"}',
    }

    answer = graph._call("POST", "me/messages", {}, data=form)

    assert answer.json()["recipient_id"] == person.external_id


# --- limits ------------------------------------------------------------------------------------------


def test_more_sends_than_a_second_allows_are_refused(
    instagram_person: SandboxPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote(instagram_person)
    monkeypatch.setitem(messages.SENDS_PER_SECOND, "instagram", 0)

    answer = Graph(instagram_person.channel).say(instagram_person, text="Hi")

    assert label(answer) == "80002"
    assert "17841400001" in answer.headers["X-Business-Use-Case-Usage"]
