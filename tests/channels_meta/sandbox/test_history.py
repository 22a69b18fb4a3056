"""The pretend Conversations API and single messages (contract 9)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from channels_meta.sandbox import clock, customers, faults, webhooks
from channels_meta.sandbox.graph import conversations
from channels_meta.sandbox.models import SandboxPerson
from tests.channels_meta.sandbox.conftest import Graph, label, wrote

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = "messages.limit(50){id,created_time,from,to,message,attachments,shares,story,reactions,reply_to,is_unsupported}"


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are not about the two calls a second."""
    monkeypatch.setattr(conversations, "CALLS_PER_SECOND", 1000)


def say(person: SandboxPerson, count: int, *, ago: timedelta = timedelta()) -> None:
    """Messages, a second apart, the newest of them so long ago."""
    for number in range(count):
        person.messages.create(
            mid=webhooks.make_mid(person.account),
            direction="in",
            text=f"Line {number}",
            sent_at=now() - ago - timedelta(seconds=count - number),
        )


def conversation(graph: Graph, person: SandboxPerson, fields: str) -> Any:
    answer = graph.get(
        "me/conversations",
        platform=person.account.kind,
        user_id=person.external_id,
        fields=fields,
    )
    return answer.json()["data"][0]


def test_only_the_newest_twenty_tell_what_they_said(
    person: SandboxPerson, graph: Graph
) -> None:
    say(person, 25)

    read = conversation(graph, person, f"id,{MESSAGES}")

    messages = read["messages"]["data"]
    assert len(messages) == 25
    assert [one["message"] for one in messages[:20]] == [
        f"Line {number}" for number in range(24, 4, -1)
    ]
    assert all(set(one) == {"id", "created_time"} for one in messages[20:])
    assert graph.get(messages[19]["id"], fields="message").json()["message"] == "Line 5"
    assert label(graph.get(messages[20]["id"], fields="message")) == "9000001"


def test_ids_and_times_have_their_shapes(person: SandboxPerson, graph: Graph) -> None:
    wrote(person)

    read = conversation(graph, person, "id,updated_time,participants,is_owner")

    begins = "aWdfZAG06" if person.account.is_instagram else "t_"
    assert read["id"].startswith(begins)
    assert read["updated_time"].endswith("+0000")
    ids = {party["id"] for party in read["participants"]["data"]}
    assert ids == {person.external_id, person.account.external_id}
    assert graph.get(read["id"], fields="id").json()["id"] == read["id"]


def test_conversations_come_in_pages_newest_first(
    person: SandboxPerson, graph: Graph
) -> None:
    people = list(person.account.people.all())
    for days, one in enumerate(people):
        say(one, 1, ago=timedelta(days=days))
    path = "me/conversations"

    ids, after = [], ""
    while True:
        params = {"limit": "1", "fields": "participants"}
        page = graph.get(path, **params, **({"after": after} if after else {})).json()
        ids += [one["participants"]["data"][0]["id"] for one in page["data"]]
        if "next" not in page["paging"]:
            break
        after = page["paging"]["cursors"]["after"]

    assert ids == [one.external_id for one in people]
    assert label(graph.get(path, after="made-up")) == "100"


def test_comments_and_what_was_unsent_are_no_part_of_a_conversation(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person, "Stays")
    customers.comment(person)
    wrote(person, "Goes")
    gone = customers.unsend_last(person).mid

    read = conversation(graph, person, MESSAGES)

    assert [one["message"] for one in read["messages"]["data"]] == ["Stays"]
    assert label(graph.get(gone)) == "9000001"


def test_a_request_that_is_a_month_old_is_not_listed(
    instagram_person: SandboxPerson,
) -> None:
    graph = Graph(instagram_person.channel)
    instagram_person.is_follower = False
    instagram_person.save()
    wrote(instagram_person)

    def listed() -> int:
        return len(graph.get("me/conversations").json()["data"])

    before = listed()
    clock.shift_conversation(person=instagram_person, by=timedelta(days=30))
    after = listed()
    instagram_person.messages.create(
        mid="m_answer", direction="out", text="Hi", sent_at=now() - timedelta(days=29)
    )

    assert (before, after, listed()) == (1, 0, 1)


def test_two_calls_a_second_are_allowed(
    person: SandboxPerson, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "CALLS_PER_SECOND", 2)

    # However the seconds fall, some of so many in a row are too many.
    labels = [label(graph.get("me/conversations")) for _ in range(12)]

    code = "80002" if person.account.is_instagram else "80006"
    assert labels[:2] == ["", ""]
    assert code in labels
    assert set(labels) == {"", code}


def test_what_was_sent_is_read_again_part_by_part(
    person: SandboxPerson, graph: Graph
) -> None:
    wrote(person)
    customers.send_photo(person)
    customers.send_file(person)
    customers.send_unsupported(person)
    shared = customers.share_post(person).mid
    graph.say(person, text="Thank you")

    read = conversation(graph, person, MESSAGES)["messages"]["data"]

    answer, share, unsupported, file, photo, _text = read
    assert answer["from"]["id"] == person.account.external_id
    assert share["id"] == shared
    assert share["shares"]["data"][0]["link"].startswith("http")
    is_instagram = person.account.is_instagram
    assert unsupported["is_unsupported"] == ("true" if is_instagram else True)
    assert "file_url" in file["attachments"]["data"][0]
    assert photo["attachments"]["data"][0]["image_data"]["url"].startswith("http")


def test_a_platform_that_is_none_is_refused(
    person: SandboxPerson, graph: Graph
) -> None:
    assert label(graph.get("me/conversations", platform="whatsapp")) == "100"


def test_profiles_can_be_refused(person: SandboxPerson, graph: Graph) -> None:
    wrote(person)
    faults.cause(person.account, "profile")

    refused = graph.get(person.external_id, fields="name")

    expected = "230" if person.account.is_instagram else "100/33"
    assert label(refused) == expected
    assert graph.get(person.external_id, fields="name").json()["name"] == person.name


def test_one_person_has_a_number_for_each_account(person: SandboxPerson) -> None:
    others = SandboxPerson.objects.filter(name="Lina Bennani")

    numbers = {one.external_id for one in others}

    assert len(numbers) == len(others) == 2
