"""What we say to Meta for everything an agent can send or do, account by account."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import responses
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.timezone import now
from requests import PreparedRequest

from channels_meta.models import Credential
from inbox.channels import (
    Ability,
    ActionKind,
    Button,
    Card,
    ErrorClass,
    OutgoingMedia,
    OutgoingMessage,
    QuickReply,
    SendError,
    Signal,
    TemplateUse,
    WindowKind,
)
from inbox.models import Channel
from tests.conftest import INSTAGRAM_ID, PAGE_ID

pytestmark = pytest.mark.django_db
FACEBOOK = "https://graph.facebook.com/v26.0"
INSTAGRAM = "https://graph.instagram.com/v26.0"
ACCEPTED = {"recipient_id": "7701", "message_id": "m_C3"}
HEART = "❤️"


@pytest.fixture
def linked(instagram: Channel) -> Channel:
    """The Instagram account, connected through its Page."""
    Credential.objects.filter(channel=instagram).update(
        flavour=Credential.Flavour.FACEBOOK_LOGIN, node_id=PAGE_ID
    )
    instagram.refresh_from_db()
    return instagram


@pytest.fixture(params=["messenger", "instagram", "linked"])
def account(request: pytest.FixtureRequest) -> Channel:
    """Each way in which an account can be connected."""
    channel: Channel = request.getfixturevalue(request.param)
    return channel


def messages_url(channel: Channel) -> str:
    host = INSTAGRAM if is_instagram_login(channel) else FACEBOOK
    return f"{host}/{channel.meta.node_id}/messages"


def is_instagram_login(channel: Channel) -> bool:
    return channel.meta.flavour == Credential.Flavour.INSTAGRAM_LOGIN


def hello(**more: Any) -> OutgoingMessage:
    values = {
        "recipient_id": "7701",
        "window": WindowKind.OPEN,
        "reference": "dx:1",
        "text": "Hi",
    }
    return OutgoingMessage(**(values | more))


def body_of(call: responses.BaseResponse, number: int = 0) -> Any:
    return json.loads(call.calls[number].request.body or "null")


def params_of(call: responses.BaseResponse) -> Any:
    request: Any = call.calls[0].request
    return {k: v for k, v in request.params.items() if k != "appsecret_proof"}


def sent(channel: Channel, **message: Any) -> Any:
    """The JSON that a message becomes."""
    call = responses.post(messages_url(channel), json=ACCEPTED)
    accepted = channel.adapter.send(channel, hello(**message))
    assert accepted.external_id == "m_C3"
    body = body_of(call)
    body["message"].pop("metadata", None)
    return body


def refusal(channel: Channel, code: int, subcode: int, **message: Any) -> SendError:
    error = {"message": "Refusé", "code": code, "error_subcode": subcode}
    responses.post(messages_url(channel), json={"error": error}, status=400)
    with pytest.raises(SendError) as caught:
        channel.adapter.send(channel, hello(**message))
    return caught.value


# --- messages ------------------------------------------------------------------------------------


@responses.activate
def test_every_account_sends_from_its_own_node_on_its_own_host(
    account: Channel,
) -> None:
    assert sent(account) == {
        "recipient": {"id": "7701"},
        "messaging_type": "RESPONSE",
        "message": {"text": "Hi"},
    }


@responses.activate
def test_only_messenger_is_given_our_mark(account: Channel) -> None:
    call = responses.post(messages_url(account), json=ACCEPTED)

    account.adapter.send(account, hello())

    has_mark = "metadata" in body_of(call)["message"]
    assert has_mark == (account.kind == "messenger")


@responses.activate
def test_a_window_that_may_be_open_is_tried_as_if_it_were(account: Channel) -> None:
    assert sent(account, window=WindowKind.PROBABLE)["messaging_type"] == "RESPONSE"


@responses.activate
def test_the_human_agent_tag_goes_out_by_its_own_right_alone(account: Channel) -> None:
    body = sent(account, window=WindowKind.HUMAN_AGENT)

    assert (body["messaging_type"], body["tag"]) == ("MESSAGE_TAG", "HUMAN_AGENT")


@responses.activate
def test_a_quote_names_the_message_it_answers(account: Channel) -> None:
    assert sent(account, reply_to="m_A9")["reply_to"] == {"mid": "m_A9"}


@responses.activate
def test_quick_replies_hang_on_the_message(account: Channel) -> None:
    replies = (QuickReply("Blue", "COLOR_BLUE"), QuickReply("Red"))

    assert sent(account, quick_replies=replies)["message"] == {
        "text": "Hi",
        "quick_replies": [
            {"content_type": "text", "title": "Blue", "payload": "COLOR_BLUE"},
            {"content_type": "text", "title": "Red", "payload": "Red"},
        ],
    }


@responses.activate
def test_messenger_fills_in_phone_and_e_mail(messenger: Channel) -> None:
    replies = (QuickReply(kind="phone"), QuickReply(kind="email"))

    assert sent(messenger, quick_replies=replies)["message"]["quick_replies"] == [
        {"content_type": "user_phone_number"},
        {"content_type": "user_email"},
    ]


@responses.activate
def test_cards_become_a_generic_template(account: Channel) -> None:
    card = Card(
        title="Linen shirt",
        subtitle="Blue",
        image_url="https://shop.example.com/1.png",
        url="https://shop.example.com/1",
        buttons=(
            Button("Buy", "url", "https://shop.example.com/buy"),
            Button("More", "postback", "MORE"),
        ),
    )

    body = sent(account, text="", cards=(card, Card(title="Scarf")))

    assert body["message"]["attachment"] == {
        "type": "template",
        "payload": {
            "template_type": "generic",
            "elements": [
                {
                    "title": "Linen shirt",
                    "subtitle": "Blue",
                    "image_url": "https://shop.example.com/1.png",
                    "default_action": {
                        "type": "web_url",
                        "url": "https://shop.example.com/1",
                    },
                    "buttons": [
                        {
                            "type": "web_url",
                            "title": "Buy",
                            "url": "https://shop.example.com/buy",
                        },
                        {"type": "postback", "title": "More", "payload": "MORE"},
                    ],
                },
                {"title": "Scarf"},
            ],
        },
    }


@responses.activate
def test_a_card_of_words_becomes_a_button_template(messenger: Channel) -> None:
    card = Card(text="Call us?", buttons=(Button("Call", "phone", "+212600000000"),))

    body = sent(messenger, text="", cards=(card,))

    assert body["message"]["attachment"]["payload"] == {
        "template_type": "button",
        "text": "Call us?",
        "buttons": [
            {"type": "phone_number", "title": "Call", "payload": "+212600000000"}
        ],
    }


@responses.activate
def test_an_approved_template_goes_as_utility_with_its_values(
    messenger: Channel,
) -> None:
    use = TemplateUse("shipped", "fr_FR", {"body": ("Salma", "A12"), "button:0": ("A12",)})  # fmt: skip

    body = sent(messenger, text="", window=WindowKind.TEMPLATE, template=use)

    assert body["messaging_type"] == "UTILITY"
    assert body["message"]["template"] == {
        "name": "shipped",
        "language": {"code": "fr_FR"},
        "components": [
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "Salma"},
                    {"type": "text", "text": "A12"},
                ],
            },
            {
                "type": "button",
                "sub_type": "url",
                "index": 0,
                "parameters": [{"type": "text", "text": "A12"}],
            },
        ],
    }


# --- private answers -----------------------------------------------------------------------------


@responses.activate
def test_a_private_answer_names_the_comment_and_tells_who_got_it(
    account: Channel,
) -> None:
    call = responses.post(
        messages_url(account), json={"recipient_id": "9903", "message_id": "m_P1"}
    )

    private = hello(window=WindowKind.PRIVATE_REPLY, comment_id="90_91")
    accepted = account.adapter.send(account, private)

    body = body_of(call)
    assert body["recipient"] == {"comment_id": "90_91"}
    assert "messaging_type" not in body
    assert (accepted.external_id, accepted.recipient_id) == ("m_P1", "9903")


@responses.activate
def test_a_private_answer_to_a_visitors_post_names_the_post(messenger: Channel) -> None:
    body = sent(
        messenger, window=WindowKind.PRIVATE_REPLY, comment_id="1_2", is_post=True
    )

    assert body["recipient"] == {"post_id": "1_2"}


@responses.activate
def test_an_unlinked_page_on_a_private_answer_is_about_the_comment_alone(
    account: Channel,
) -> None:
    private = {"window": WindowKind.PRIVATE_REPLY, "comment_id": "90_91"}

    assert refusal(account, 100, 2534013, **private).error_class is ErrorClass.GONE


@responses.activate
def test_an_unlinked_page_on_a_message_ends_the_connection(linked: Channel) -> None:
    assert refusal(linked, 100, 2534013).error_class is ErrorClass.RECONNECT


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def picture() -> OutgoingMedia:
    path = default_storage.save("tests/Été 1.png", ContentFile(b"\x89PNG picture"))
    return OutgoingMedia(
        "image",
        url="https://dexra.example/files/token",
        path=path,
        name="Été 1.png",
        mime_type="image/png",
        size=12,
    )


@responses.activate
def test_our_own_file_is_uploaded_with_its_kind_and_type(
    messenger: Channel, picture: OutgoingMedia
) -> None:
    call = responses.post(
        f"{FACEBOOK}/{PAGE_ID}/message_attachments", json={"attachment_id": 17}
    )

    upload = messenger.adapter.upload(messenger, picture)

    assert upload is not None
    assert upload.id == "17"
    assert upload.expires_at > now() + timedelta(days=88)
    assert upload.expires_at < now() + timedelta(days=90)
    form = read_form(call.calls[0].request)
    assert '{"attachment": {"type": "image", "payload": {"is_reusable": true}}}' in form
    assert 'name="filedata"; filename="t 1.png"' in form
    assert "image/png" in form
    assert "PNG picture" in form


def read_form(request: PreparedRequest) -> str:
    body: Any = request.body
    return bytes(body).decode("latin-1")


@responses.activate
def test_a_page_says_that_it_uploads_for_instagram(
    linked: Channel, picture: OutgoingMedia
) -> None:
    call = responses.post(
        f"{FACEBOOK}/{PAGE_ID}/message_attachments", json={"attachment_id": "17"}
    )

    linked.adapter.upload(linked, picture)

    assert 'name="platform"\r\n\r\ninstagram' in read_form(call.calls[0].request)


@pytest.mark.parametrize("kind", ["video", "audio", "file"])
def test_instagram_fetches_other_files_by_their_address(
    linked: Channel, kind: str
) -> None:
    media = OutgoingMedia(kind, url="https://dexra.example/f", path="tests/1")

    assert linked.adapter.upload(linked, media) is None


def test_instagram_takes_moving_pictures_by_address_alone(linked: Channel) -> None:
    media = OutgoingMedia("image", path="tests/1.gif", mime_type="image/gif")

    assert linked.adapter.upload(linked, media) is None


def test_instagram_login_fetches_every_file_by_its_address(
    instagram: Channel, picture: OutgoingMedia
) -> None:
    assert instagram.adapter.upload(instagram, picture) is None


def test_somebody_elses_file_is_never_uploaded(messenger: Channel) -> None:
    media = OutgoingMedia("image", url="https://shop.example.com/1.png")

    assert messenger.adapter.upload(messenger, media) is None


def test_a_file_that_we_lost_is_refused_in_words(messenger: Channel) -> None:
    media = OutgoingMedia("image", path="tests/nowhere.png", name="nowhere.png")

    with pytest.raises(SendError) as caught:
        messenger.adapter.upload(messenger, media)

    assert caught.value.error_class is ErrorClass.BAD_REQUEST


@responses.activate
def test_an_uploaded_file_is_sent_by_its_id_as_text(account: Channel) -> None:
    media = OutgoingMedia("image", url="https://dexra.example/f", upload_id="17")

    assert sent(account, text="", media=media)["message"]["attachment"] == {
        "type": "image",
        "payload": {"attachment_id": "17"},
    }


@pytest.mark.parametrize("kind", ["image", "video", "audio", "file"])
@responses.activate
def test_a_file_with_an_address_is_sent_by_it(account: Channel, kind: str) -> None:
    media = OutgoingMedia(kind, url="https://shop.example.com/1")

    assert sent(account, text="", media=media)["message"]["attachment"] == {
        "type": kind,
        "payload": {"url": "https://shop.example.com/1"},
    }


# --- comments ------------------------------------------------------------------------------------


@responses.activate
def test_a_public_answer_on_a_page_is_a_comment_below_it(messenger: Channel) -> None:
    call = responses.post(f"{FACEBOOK}/90_91/comments", json={"id": "90_92"})

    accepted = messenger.adapter.reply_publicly(messenger, "90_91", "Yes!", {})

    assert accepted.external_id == "90_92"
    assert body_of(call) == {"message": "Yes!"}


@pytest.mark.parametrize("fixture", ["instagram", "linked"])
@responses.activate
def test_a_public_answer_on_instagram_is_a_reply(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    channel = request.getfixturevalue(fixture)
    host = INSTAGRAM if fixture == "instagram" else FACEBOOK
    call = responses.post(f"{host}/1799/replies", json={"id": "1800"})

    accepted = channel.adapter.reply_publicly(channel, "1799", "Yes & no", {})

    assert accepted.external_id == "1800"
    assert params_of(call) == {"message": "Yes & no"}


@pytest.mark.parametrize(
    ("comment_id", "expected"),
    [
        ("1799", {"media_id": "1797", "comment_id": "1799", "message": "Thanks"}),
        ("mention:1797", {"media_id": "1797", "message": "Thanks"}),
    ],
)
@responses.activate
def test_a_mention_is_answered_where_it_was_made(
    linked: Channel, comment_id: str, expected: dict[str, str]
) -> None:
    call = responses.post(f"{FACEBOOK}/{INSTAGRAM_ID}/mentions", json={"id": "1801"})
    extra = {"mention": True, "comment": {"media": {"id": "1797"}}}

    linked.adapter.reply_publicly(linked, comment_id, "Thanks", extra)

    assert params_of(call) == expected


@responses.activate
def test_a_public_answer_without_an_id_is_uncertain(messenger: Channel) -> None:
    responses.post(f"{FACEBOOK}/90_91/comments", json={})

    with pytest.raises(SendError) as caught:
        messenger.adapter.reply_publicly(messenger, "90_91", "Yes!")

    assert caught.value.error_class is ErrorClass.UNCERTAIN


@pytest.mark.parametrize(("kind", "hidden"), [("hide", True), ("unhide", False)])
@responses.activate
def test_a_page_hides_and_shows_a_comment(
    messenger: Channel, kind: str, hidden: bool
) -> None:
    call = responses.post(f"{FACEBOOK}/90_91", json={"success": True})

    messenger.adapter.perform(messenger, ActionKind(kind), target="90_91")

    assert body_of(call) == {"is_hidden": hidden}


@pytest.mark.parametrize(("kind", "hide"), [("hide", "true"), ("unhide", "false")])
@responses.activate
def test_instagram_hides_and_shows_a_comment(
    linked: Channel, kind: str, hide: str
) -> None:
    call = responses.post(f"{FACEBOOK}/1799", json={"success": "true"})

    linked.adapter.perform(linked, ActionKind(kind), target="1799")

    assert params_of(call) == {"hide": hide}


@responses.activate
def test_a_comment_is_deleted(account: Channel) -> None:
    host = INSTAGRAM if is_instagram_login(account) else FACEBOOK
    call = responses.delete(f"{host}/1799", json={"success": True})

    account.adapter.perform(account, ActionKind.DELETE, target="1799")

    assert call.call_count == 1


@responses.activate
def test_a_page_likes_and_unlikes_a_comment(messenger: Channel) -> None:
    liked = responses.post(f"{FACEBOOK}/90_91/likes", json={"success": True})
    unliked = responses.delete(f"{FACEBOOK}/90_91/likes", json={"success": True})

    messenger.adapter.perform(messenger, ActionKind.LIKE, target="90_91")
    messenger.adapter.perform(messenger, ActionKind.UNLIKE, target="90_91")

    assert (liked.call_count, unliked.call_count) == (1, 1)


@pytest.mark.parametrize("fixture", ["instagram", "linked"])
def test_what_an_account_cannot_do_is_refused_without_asking_meta(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    channel = request.getfixturevalue(fixture)

    with pytest.raises(SendError) as caught:
        channel.adapter.perform(channel, ActionKind.LIKE, target="1799")

    assert caught.value.code == "not_able"


# --- reactions, signals, threads -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "emoji", "reaction"),
    [
        ("messenger", "🔥", "🔥"),
        ("instagram", "🔥", "🔥"),
        ("linked", HEART, "love"),
        ("linked", "❤", "love"),
    ],
)
@responses.activate
def test_a_reaction_names_the_message_and_its_author(
    request: pytest.FixtureRequest, fixture: str, emoji: str, reaction: str
) -> None:
    channel = request.getfixturevalue(fixture)
    call = responses.post(messages_url(channel), json={"recipient_id": "7701"})

    channel.adapter.perform(
        channel, ActionKind.REACT, target="m_1", value=emoji, person_id="7701"
    )

    assert body_of(call) == {
        "recipient": {"id": "7701"},
        "sender_action": "react",
        "payload": {"message_id": "m_1", "reaction": reaction},
    }


def test_instagram_through_a_page_takes_a_heart_and_nothing_else(
    linked: Channel,
) -> None:
    with pytest.raises(SendError) as caught:
        linked.adapter.perform(
            linked, ActionKind.REACT, target="m_1", value="🔥", person_id="7701"
        )

    assert caught.value.code == "love_only"


@responses.activate
def test_a_reaction_is_taken_back(account: Channel) -> None:
    call = responses.post(messages_url(account), json={"recipient_id": "7701"})

    account.adapter.perform(account, ActionKind.UNREACT, target="m_1", person_id="7701")

    assert body_of(call)["payload"] == {"message_id": "m_1"}


@pytest.mark.parametrize(
    ("signal", "action"),
    [
        (Signal.SEEN, "mark_seen"),
        (Signal.TYPING, "typing_on"),
        (Signal.TYPING_STOPPED, "typing_off"),
    ],
)
@pytest.mark.parametrize("fixture", ["messenger", "linked"])
@responses.activate
def test_what_we_do_is_shown_in_the_persons_app(
    request: pytest.FixtureRequest, fixture: str, signal: Signal, action: str
) -> None:
    channel = request.getfixturevalue(fixture)
    call = responses.post(messages_url(channel), json={"recipient_id": "7701"})

    channel.adapter.signal(channel, "7701", signal)

    assert body_of(call) == {"recipient": {"id": "7701"}, "sender_action": action}


@responses.activate
def test_an_account_that_cannot_show_signals_is_left_alone(instagram: Channel) -> None:
    instagram.adapter.signal(instagram, "7701", Signal.TYPING)

    assert not responses.calls


@pytest.mark.parametrize(
    ("kind", "edge"),
    [
        (ActionKind.TAKE_OVER, "take_thread_control"),
        (ActionKind.HAND_BACK, "release_thread_control"),
    ],
)
@responses.activate
def test_a_thread_is_taken_over_and_handed_back(
    messenger: Channel, kind: ActionKind, edge: str
) -> None:
    call = responses.post(f"{FACEBOOK}/{PAGE_ID}/{edge}", json={"success": True})

    messenger.adapter.perform(messenger, kind, target="7701")

    assert body_of(call) == {"recipient": {"id": "7701"}}


# --- abilities -----------------------------------------------------------------------------------


def test_what_each_account_can_do(
    messenger: Channel, instagram: Channel, request: pytest.FixtureRequest
) -> None:
    everything = frozenset(Ability)
    by_instagram = instagram.adapter.abilities(instagram)
    by_page = instagram.adapter.abilities(request.getfixturevalue("linked"))

    assert messenger.adapter.abilities(messenger) == everything
    assert everything - by_page == {
        Ability.LIKE,
        Ability.BUTTON_CARD,
        Ability.TEMPLATES,
    }
    assert by_page - by_instagram == {Ability.TYPING, Ability.SEEN, Ability.TAKE_OVER}


def test_a_first_live_account_can_correct_what_we_assume(
    instagram: Channel, settings: Any
) -> None:
    settings.META_ASSUMPTIONS = {
        "META_ASSUME_INSTAGRAM_LOGIN_SIGNALS": "1",
        "META_ASSUME_INSTAGRAM_BUTTON_CARDS": "1",
    }

    able = instagram.adapter.abilities(instagram)

    assert {Ability.TYPING, Ability.SEEN, Ability.BUTTON_CARD} <= able


# --- templates -----------------------------------------------------------------------------------

SHIPPED = {
    "id": 501,
    "name": "shipped",
    "language": "fr_FR",
    "status": "APPROVED",
    "category": "UTILITY",
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "Bonjour {{1}}"},
        {"type": "BODY", "text": "Commande {{1}} : {{2}}. {{1}} !"},
        {"type": "BUTTONS", "buttons": [{"type": "URL", "url": "https://x/{{1}}"}]},
    ],
}


@responses.activate
def test_templates_are_listed_page_after_page(messenger: Channel) -> None:
    url = f"{FACEBOOK}/{PAGE_ID}/message_templates"
    paging = {"next": "https://elsewhere.example/?x", "cursors": {"after": "C1"}}
    responses.get(url, json={"data": [SHIPPED], "paging": paging})
    second = responses.get(
        url,
        json={"data": [SHIPPED | {"id": "502", "status": "REJECTED", "rejected_reason": "ABUSIVE"}]},
    )  # fmt: skip

    first, other = messenger.adapter.fetch_templates(messenger)

    assert second.calls[0].request.params["after"] == "C1"  # type: ignore[attr-defined]
    assert (first.external_id, first.name, first.language) == ("501", "shipped", "fr_FR")  # fmt: skip
    assert first.status == "approved"
    assert first.body == "Commande {{1}} : {{2}}. {{1}} !"
    assert first.variables == {"header": 1, "body": 2, "button:0": 1}
    assert (other.status, other.reason) == ("rejected", "ABUSIVE")


@pytest.mark.parametrize(
    ("status", "expected"),
    [("PENDING", "pending"), ("PAUSED", "rejected"), ("SOMETHING", "rejected")],
)
@responses.activate
def test_only_an_approved_template_counts_as_one(
    messenger: Channel, status: str, expected: str
) -> None:
    entry = SHIPPED | {"status": status}
    url = f"{FACEBOOK}/{PAGE_ID}/message_templates"
    responses.get(url, json={"data": [entry, SHIPPED | {"category": "MARKETING"}, 7]})

    (info,) = messenger.adapter.fetch_templates(messenger)

    assert info.status == expected


def test_instagram_has_no_templates(linked: Channel) -> None:
    assert list(linked.adapter.fetch_templates(linked)) == []


# --- limits --------------------------------------------------------------------------------------

MB = 1024 * 1024


def test_the_limits_of_messenger(messenger: Channel) -> None:
    limits = messenger.adapter.limits

    assert (limits.text.maximum, limits.text.unit) == (2000, "characters")
    assert limits.media["image"].types == {"image/png", "image/jpeg", "image/gif"}
    assert limits.media["image"].max_bytes == 25 * MB
    assert limits.media["image"].max_url_bytes == 8 * MB
    assert {limits.media[k].max_bytes for k in ("video", "audio", "file")} == {25 * MB}
    assert limits.quick_reply_kinds == {"text", "phone", "email"}
    assert limits.button_kinds == {"url", "postback", "phone"}


def test_the_limits_of_instagram(instagram: Channel) -> None:
    limits = instagram.adapter.limits

    assert (limits.text.maximum, limits.text.unit) == (1000, "bytes")
    assert limits.media["image"].max_bytes == 8 * MB
    assert limits.media["image"].types == {"image/png", "image/jpeg", "image/gif"}
    assert limits.media["file"].types == {"application/pdf"}
    assert "audio/mpeg" not in limits.media["audio"].types
    assert {limits.media[k].max_bytes for k in ("video", "audio", "file")} == {25 * MB}
    assert limits.quick_reply_kinds == {"text"}
    assert limits.button_kinds == {"url", "postback"}


def test_what_both_have_in_common(account: Channel) -> None:
    limits = account.adapter.limits

    assert (limits.quick_replies, limits.quick_reply_title, limits.payload) == (13, 20, 1000)  # fmt: skip
    assert (limits.cards, limits.buttons, limits.button_title) == (10, 3, 20)
