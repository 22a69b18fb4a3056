"""Views that agents save, for themselves and for everybody."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from inbox.models import Agent, Channel, Conversation, SavedView, Tag
from tests.conftest import make_agent
from tests.inbox.pages.test_conversations import make_many, rows_of
from tests.inbox.pages.test_listing import counts_of


def save(client: Client, query: str, **fields: Any) -> Any:
    return client.post(f"/inbox/views/?{query}", {"name": "VIPs", **fields})


@pytest.fixture
def other() -> Client:
    client = Client()
    client.force_login(make_agent("omar"))
    return client


def test_the_list_is_saved_as_it_stands_and_comes_back_so(
    agent_client: Client, agent: Agent, channel: Channel
) -> None:
    tag = Tag.objects.create(name="VIP")
    tagged, _other = make_many(channel, 2)
    Conversation.objects.filter(pk=tagged.pk).update(tags=[tag.pk])
    query = f"sort=oldest&assignee=nobody&tag={tag.pk}"

    response = save(agent_client, f"view=unassigned&{query}")

    view = SavedView.objects.get()
    url = f"/inbox/unassigned/?{query}"
    assertRedirects(response, url)
    assert view.parameters == {
        "view": "unassigned",
        "sort": "oldest",
        "assignee": "nobody",
        "tag": str(tag.pk),
    }
    page = agent_client.get(url)
    assert rows_of(page.content) == [tagged.pk]
    assertContains(page, '<h1 class="dx-clip"><bdi>VIPs</bdi></h1>')
    assertContains(page, f'aria-current="page" data-view="saved-{view.pk}"')
    assert counts_of(agent_client)[f"saved-{view.pk}"] == "1"


def test_a_private_view_is_ones_own_and_a_shared_one_is_everybodys(
    agent_client: Client, other: Client, channel: Channel
) -> None:
    save(agent_client, "view=all&unread=1", name="Mine alone")
    save(agent_client, "view=all&failed=1", name="For all", is_shared="on")

    page = other.get("/inbox/all/")
    assertNotContains(page, "Mine alone")
    assertContains(page, "For all")
    assertContains(other.get("/inbox/all/?failed=1"), "Saved by Nadia Berrada")


def test_a_view_is_renamed_shared_and_deleted_by_its_owner(
    agent_client: Client, agent: Agent, channel: Channel
) -> None:
    save(agent_client, "view=all&unread=1")
    view = SavedView.objects.get()

    agent_client.post(
        f"/inbox/views/{view.pk}/", {"name": "Unread ones", "is_shared": "on"}
    )
    view.refresh_from_db()
    assert (view.name, view.is_shared) == ("Unread ones", True)
    response = agent_client.post(f"/inbox/views/{view.pk}/delete/", follow=True)

    assertContains(response, "The view is deleted.")
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("path", ["/inbox/views/{pk}/", "/inbox/views/{pk}/delete/"])
def test_nobody_changes_a_view_of_somebody_else(
    agent_client: Client, other: Client, channel: Channel, path: str
) -> None:
    save(agent_client, "view=all&unread=1", is_shared="on")
    view = SavedView.objects.get()

    response = other.post(path.format(pk=view.pk), {"name": "Stolen"})

    assert response.status_code == 404
    assert SavedView.objects.get().name == "VIPs"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "This field is required."),
        ("VIPs", "You have a view of this name already."),
    ],
)
def test_a_name_is_needed_and_is_used_once(
    htmx: Client, channel: Channel, name: str, words: str
) -> None:
    save(htmx, "view=all&unread=1")

    response = save(htmx, "view=all&failed=1", name=name)

    assertContains(response, words, status_code=422)
    assert SavedView.objects.count() == 1


def test_a_view_of_a_tag_that_is_gone_is_left_out(
    agent_client: Client, channel: Channel
) -> None:
    tag = Tag.objects.create(name="VIP")
    save(agent_client, f"view=tag-{tag.pk}&unread=1", name="Of a tag")
    save(agent_client, f"view=all&tag={tag.pk}", name="With a tag")
    tag.delete()

    page = agent_client.get("/inbox/all/")

    assertNotContains(page, "Of a tag")
    assertContains(page, "With a tag")
    assertContains(
        agent_client.get(f"/inbox/all/?tag={tag.pk or 1}"), "Nothing matches"
    )


@pytest.mark.parametrize(
    "path", ["/inbox/views/", "/inbox/views/1/", "/inbox/views/1/delete/"]
)
def test_views_are_saved_by_posts_of_agents_alone(
    agent_client: Client, client: Client, path: str
) -> None:
    assert agent_client.get(path).status_code == 405
    assert client.post(path).status_code == 302
