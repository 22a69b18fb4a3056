"""Comments, posts and mentions at the pretend Meta: what is told of them, and what can be done."""

from __future__ import annotations

from typing import Any

import pytest

from channels_meta.sandbox import customers, faults, webhooks
from channels_meta.sandbox.models import SandboxCall, SandboxMessage, SandboxPerson
from tests.channels_meta.sandbox.conftest import Graph, label

pytestmark = pytest.mark.django_db(transaction=True)


def edge_of(person: SandboxPerson) -> str:
    return "replies" if person.account.is_instagram else "comments"


def answer(graph: Graph, person: SandboxPerson, comment_id: str, text: str) -> Any:
    return graph.post(f"{comment_id}/{edge_of(person)}", {"message": text})


def change_of(person: SandboxPerson, kind: SandboxCall.Kind) -> Any:
    body = person.calls.filter(kind=kind).first().payload  # type: ignore[union-attr]
    return body["entry"][0]["changes"][0]["value"]


def test_our_own_answer_comes_back_as_a_comment_of_ours(
    person: SandboxPerson, graph: Graph
) -> None:
    comment = customers.comment(person)
    comment.tell()

    made = answer(graph, person, comment.mid, "In blue too").json()

    told = change_of(person, SandboxCall.Kind.OWN_COMMENT)
    author = told["from"]
    assert author["id"] == person.account.external_id
    if person.account.is_instagram:
        assert author["self_ig_scoped_id"] == "26010000000000001"
        assert (told["id"], told["parent_id"]) == (made["id"], comment.mid)
    else:
        assert (told["comment_id"], told["parent_id"]) == (made["id"], comment.mid)


def test_instagram_tells_no_time_of_a_comment_until_it_is_asked(
    instagram_person: SandboxPerson,
) -> None:
    comment = customers.comment(instagram_person, "How much?")
    comment.tell()

    told = change_of(instagram_person, SandboxCall.Kind.COMMENT)
    details = Graph(instagram_person.channel).get(
        comment.mid,
        fields="id,text,timestamp,username,from,parent_id,hidden,like_count,"
        "media{id,permalink,media_type,media_product_type,media_url,thumbnail_url,caption}",
    )

    assert not {"timestamp", "created_time"} & set(told)
    row = SandboxMessage.objects.get(mid=comment.mid)
    answer = details.json()
    assert answer["timestamp"] == row.sent_at.strftime("%Y-%m-%dT%H:%M:%S+0000")
    assert answer["media"]["permalink"].startswith("https://www.instagram.com/p/")
    assert answer["from"] == {"id": instagram_person.external_id, "username": instagram_person.username}  # fmt: skip


def test_an_answer_to_an_answer_is_filed_under_the_first_on_instagram(
    person: SandboxPerson, graph: Graph
) -> None:
    comment = customers.comment(person).mid
    first = answer(graph, person, comment, "Yes").json()["id"]

    second = answer(graph, person, first, "And more").json()["id"]

    is_instagram = person.account.is_instagram
    parent = SandboxMessage.objects.get(mid=second).parent_id
    assert parent == (comment if is_instagram else first)


def test_hiding_is_done_and_undone_in_each_platforms_words(
    person: SandboxPerson, graph: Graph
) -> None:
    comment = customers.comment(person).mid
    is_instagram = person.account.is_instagram
    name = "hide" if is_instagram else "is_hidden"

    assert graph.post(comment, {name: True}).json() == {"success": True}
    assert SandboxMessage.objects.get(mid=comment).is_hidden
    if is_instagram:  # hidden comments cannot be answered there
        assert answer(graph, person, comment, "Psst").status_code == 400
    else:
        told = change_of(person, SandboxCall.Kind.COMMENT_CHANGE)
        assert told["verb"] == "hide"
    assert graph.post(comment, {name: "false"}).json() == {"success": True}
    assert not SandboxMessage.objects.get(mid=comment).is_hidden
    wrong = "is_hidden" if is_instagram else "hide"
    assert label(graph.post(comment, {wrong: True})) == "100"


def test_our_own_comments_cannot_be_hidden(person: SandboxPerson, graph: Graph) -> None:
    own = answer(graph, person, customers.comment(person).mid, "Ours").json()["id"]
    name = "hide" if person.account.is_instagram else "is_hidden"

    assert label(graph.post(own, {name: True})) == "100"


def test_a_deleted_comment_is_there_no_more(
    person: SandboxPerson, graph: Graph
) -> None:
    comment = customers.comment(person).mid

    assert graph.delete(comment).json() == {"success": True}

    assert label(graph.get(comment)) == "100/33"
    assert label(graph.delete(comment)) == "100/33"
    assert label(answer(graph, person, comment, "Hello?")) == "100/33"


def test_only_pages_like_comments(person: SandboxPerson, graph: Graph) -> None:
    comment = customers.comment(person).mid

    liked = graph.post(f"{comment}/likes")

    if person.account.is_instagram:
        assert label(liked) == "100"
        return
    assert liked.json() == {"success": True}
    assert graph.get(comment, fields="like_count").json()["like_count"] == 1
    assert graph.delete(f"{comment}/likes").json() == {"success": True}
    assert graph.get(comment, fields="like_count").json()["like_count"] == 0


def test_a_page_tells_of_edits_and_deletions_and_instagram_does_not(
    person: SandboxPerson,
) -> None:
    customers.comment(person)

    edited = customers.edit_comment(person, "How much is the blue one?")
    deleted = customers.delete_comment(person)

    if person.account.is_instagram:
        assert (edited.data, deleted.data) == ({}, {})
        return
    values = [one.data["entry"][0]["changes"][0]["value"] for one in (edited, deleted)]
    assert [value["verb"] for value in values] == ["edited", "remove"]
    assert "message" not in values[1]


def test_a_page_comment_says_what_can_be_done_with_it(
    messenger_person: SandboxPerson,
) -> None:
    graph = Graph(messenger_person.channel)
    comment = customers.comment(messenger_person, "Still open?").mid
    fields = (
        "id,message,from,created_time,parent,permalink_url,can_comment,can_hide,can_remove,"
        "can_reply_privately,is_hidden,comment_count,like_count"
    )

    details = graph.get(comment, fields=fields).json()

    assert details["message"] == "Still open?"
    assert details["can_reply_privately"] is True
    assert details["from"]["id"] == messenger_person.comments_as
    graph.post(
        "me/messages",
        {"recipient": {"comment_id": comment}, "message": {"text": "Yes"}},
    )
    assert graph.get(comment, fields=fields).json()["can_reply_privately"] is False


def test_an_unknown_field_is_refused(person: SandboxPerson, graph: Graph) -> None:
    comment = customers.comment(person).mid

    assert label(graph.get(comment, fields="id,mood")) == "100"


def test_a_mention_is_read_through_our_own_account_alone(
    instagram_person: SandboxPerson,
) -> None:
    graph = Graph(instagram_person.channel)
    mention = customers.mention(instagram_person, "See @maison.tilila")

    value = mention.data["entry"][0]["changes"][0]
    fields = f"mentioned_comment.comment_id({mention.mid}){{id,text,username,timestamp,like_count,media{{id}}}}"
    read = graph.get("17841400001", fields=fields).json()["mentioned_comment"]
    media_id = value["value"]["media_id"]
    fields = f"mentioned_media.media_id({media_id}){{id,caption,permalink,username}}"
    medium = graph.get("17841400001", fields=fields).json()["mentioned_media"]

    assert value["field"] == "mentions"
    assert set(value["value"]) == {"media_id", "comment_id"}
    assert read["text"] == "See @maison.tilila"
    assert read["media"] == {"id": media_id}
    assert medium["caption"] == "See maison.tilila"
    assert label(graph.get(mention.mid)) == "100/33"
    answered = graph.post(
        "17841400001/mentions",
        {"media_id": media_id, "comment_id": mention.mid, "message": "Merci!"},
    )
    assert answered.json()["id"]


def test_a_boosted_post_tells_twice_of_one_comment(
    instagram_person: SandboxPerson,
) -> None:
    faults.cause(instagram_person.account, "boosted")

    customers.comment(instagram_person).tell()

    bodies = instagram_person.calls.filter(kind="comment").order_by("id")
    values = [b.payload["entry"][0]["changes"][0]["value"] for b in bodies]
    assert len(values) == 2
    assert values[0]["id"] == values[1]["id"]
    assert values[1]["media"]["original_media_id"] == values[0]["media"]["id"]
    assert values[1]["media"]["ad_id"]


def test_in_comments_on_a_page_a_person_may_have_another_number(
    messenger_person: SandboxPerson,
) -> None:
    messenger_person.feed_id = "9901"
    messenger_person.save()

    comment = customers.comment(messenger_person)

    assert comment.data["entry"][0]["changes"][0]["value"]["from"]["id"] == "9901"


def test_a_stranger_below_our_post_is_nobody_to_other_accounts(
    person: SandboxPerson, graph: Graph
) -> None:
    comment = customers.comment(person).mid
    other = "17841400002" if person.account.is_instagram else "1055502"
    SandboxMessage.objects.filter(mid=comment).update(
        person=SandboxPerson.objects.filter(account__external_id=other)[0]
    )

    assert label(graph.get(comment)) == "100/33"
    assert label(graph.delete(comment)) == "100/33"


def test_the_bodies_carry_seconds_in_changes(person: SandboxPerson) -> None:
    entry = customers.comment(person).data["entry"][0]

    assert entry["time"] < 10**11
    assert webhooks.encode(entry).isascii()
