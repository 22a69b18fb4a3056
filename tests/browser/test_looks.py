"""Every page and what opens on it, in every look: axe finds nothing, nothing is cut off, no console speaks up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Permission
from django.template.loader import render_to_string
from django.utils.timezone import now
from playwright.sync_api import Page, expect

from inbox.models import (
    Agent,
    CannedReply,
    Channel,
    Conversation,
    Message,
    SavedView,
    Tag,
)
from tests.browser.conftest import OpenPage
from tests.browser.test_kinds import thread
from tests.conftest import make_agent, make_commenter, make_conversation
from tests.inbox.pages.conftest import Say, failed
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Event

__all__ = ["thread"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced-colours": {"forced_colors": "active"},
    "phone": {"color_scheme": "light", **PHONE},
    "french": {"color_scheme": "light", "locale": "fr"},
    "arabic": {"color_scheme": "light", "locale": "ar"},
    "arabic-phone-dark": {"color_scheme": "dark", "locale": "ar", **PHONE},
}
# What stands for the rest in `make test`: the look that goes wrong most often, on every fourth page.
HARDEST = LOOKS["arabic-phone-dark"]
SAMPLE = slice(0, -2, 4)

Act = Callable[[Page], None]


@dataclass(frozen=True)
class Stop:
    """One page of the walk. act: what is opened on it. desktop: not there on a phone."""

    path: str
    act: Act | None = None
    desktop: bool = False


@dataclass(frozen=True)
class Desk:
    boss: Agent
    kinds: Conversation
    open: Conversation
    human: Conversation
    closed: Conversation
    comment: Message
    lost: Conversation
    owed: Delivery


@pytest.fixture
def desk(thread: Conversation, channel: Channel, say: Say) -> Desk:
    """Somebody who may see everything, and a conversation for each state of the composer."""
    boss = make_agent("nadia", first_name="Nadia", last_name="Berrada")
    boss.user_permissions.set(Permission.objects.all())
    tag = Tag.objects.create(name="delivery", colour=2)
    made = [
        make_conversation(channel, name=name, person_id=name, wrote=wrote)
        for name, wrote in [
            ("Salma El Idrissi", timedelta(hours=22)),
            ("Hajar", timedelta(days=3)),
            ("Claire", timedelta(days=9)),
        ]
    ]
    ours = {"direction": "out", "author": boss, "author_name": "Nadia Berrada"}
    for conversation in made:
        say(conversation, "Is this available?")
        say(conversation, "Yes, in blue", **ours, source="agent", status="read")
        say(conversation, "Not sent", **failed(author=boss, author_name="Nadia"))
    Conversation.objects.filter(pk=made[0].pk).update(
        tags=[tag.pk], assignee=boss, unread=1, priority=4
    )
    CannedReply.objects.create(shortcut="hi", title="Salam", content="Salam {name}")
    SavedView.objects.create(owner=boss, name="Mine alone", parameters={"unread": "1"})
    comment = make_commenter(channel)
    lost = make_conversation(_lost_channel(channel), person_id="lost")
    return Desk(boss, thread, *made, comment, lost, _failed_delivery())


def _failed_delivery() -> Delivery:
    endpoint = Endpoint.objects.create(
        url="https://hooks.example/dexra",
        description="CRM",
        status="disabled",
        status_reason="gone",
    )
    event = Event.objects.create(
        name="message_in", occurred_at=now(), body=b'{"event": "message_in"}'
    )
    owed = Delivery.objects.create(
        event=event, endpoint=endpoint, state="failed", attempts=1, last_error="gone"
    )
    DeliveryAttempt.objects.create(
        delivery=owed,
        number=1,
        started_at=now(),
        duration_ms=12,
        status=410,
        error="gone",
        response="Gone",
        request_headers={"webhook-id": event.pk},
    )
    return owed


def _lost_channel(channel: Channel) -> Channel:
    return Channel.objects.create(
        kind=channel.kind,
        external_id="lost",
        name="Outlet",
        status=Channel.Status.NEEDS_REAUTH,
    )


def click(selector: str) -> Act:
    return lambda page: page.locator(selector).first.click()


def menu(selector: str) -> Act:
    def show(page: Page) -> None:
        page.locator(selector).first.click()
        expect(page.locator("#menu")).to_be_visible()

    return show


def press(key: str, shown: str) -> Act:
    def show(page: Page) -> None:
        page.locator("h1:visible").first.click()
        page.keyboard.press(key)
        expect(page.locator(shown)).to_be_visible()

    return show


def type_slash(page: Page) -> None:
    page.locator("#composer textarea").fill("/")
    expect(page.locator(".dx-slash")).to_be_visible()


def break_form(page: Page) -> None:
    """What somebody sees whose form is older than their session."""
    page.context.clear_cookies()
    page.locator("main form [type=submit], #login-form [type=submit]").first.click()
    page.wait_for_load_state()


def break_down(page: Page) -> None:
    body = render_to_string("500.html")
    page.route("**/broken", lambda route: route.fulfill(status=500, body=body, content_type="text/html"))  # fmt: skip
    page.goto("/broken")


def stops(desk: Desk) -> list[Stop]:
    at = f"/inbox/all/c/{desk.open.pk}/"
    comment = f"/inbox/all/c/{desk.comment.conversation_id}/?about={desk.comment.pk}"
    channel = desk.open.channel_id
    return [
        Stop("/inbox/all/"),
        Stop("/inbox/all/", click("#filter-button")),
        Stop("/inbox/all/", click("#sort-button")),
        Stop("/inbox/all/", click("#pick-switch")),
        Stop("/inbox/all/?q=available"),
        Stop("/inbox/all/?q=zzzz"),
        Stop("/inbox/snoozed/"),
        Stop("/inbox/all/?unread=1&assignee=none&tag=1"),
        Stop(f"/inbox/all/c/{desk.kinds.pk}/"),
        Stop(at),
        Stop(f"{at}?mode=note"),
        Stop(at, type_slash),
        Stop(at, press("a", "#menu"), desktop=True),
        Stop(at, press("h", "#menu"), desktop=True),
        Stop(at, press("t", "#menu"), desktop=True),
        Stop(at, menu("#more")),
        Stop(at, press("Control+k", "#commands"), desktop=True),
        Stop(at, press("?", "#keys"), desktop=True),
        Stop(at, click("[data-emoji-url]"), desktop=True),
        Stop(f"/inbox/all/c/{desk.human.pk}/"),
        Stop(f"/inbox/all/c/{desk.closed.pk}/"),
        Stop(f"{comment}&mode=private"),
        Stop(f"{comment}&mode=public"),
        Stop(f"/inbox/all/c/{desk.lost.pk}/"),
        Stop(f"/inbox/c/{desk.open.pk}/assign/"),
        Stop(f"/inbox/c/{desk.open.pk}/more/"),
        Stop(f"/inbox/c/{desk.open.pk}/contact/"),
        Stop("/inbox/canned/"),
        Stop("/inbox/canned/new/"),
        Stop("/inbox/account/"),
        Stop("/meta/connect/"),
        Stop("/meta/connect/by-hand/"),
        Stop(f"/meta/connect/channels/{desk.kinds.channel_id}/"),
        Stop(f"/meta/connect/channels/{desk.kinds.channel_id}/disconnect/"),
        Stop("/webhooks/"),
        Stop("/webhooks/new/"),
        Stop(f"/webhooks/{desk.owed.endpoint_id}/"),
        Stop(
            f"/webhooks/{desk.owed.endpoint_id}/",
            click("form[action$='/secret/'] button"),
        ),
        Stop(f"/webhooks/{desk.owed.endpoint_id}/edit/"),
        Stop(f"/webhooks/{desk.owed.endpoint_id}/delete/"),
        Stop("/webhooks/log/?state=failed"),
        Stop("/webhooks/log/?state=lost"),
        Stop(f"/webhooks/log/{desk.owed.pk}/"),
        Stop("/admin/"),
        Stop("/admin/password_change/"),
        Stop("/admin/inbox/conversation/"),
        Stop(f"/admin/inbox/conversation/{desk.open.pk}/change/"),
        Stop("/admin/inbox/contact/"),
        Stop(f"/admin/inbox/contact/{desk.open.identity.contact_id}/change/"),
        Stop("/admin/inbox/channel/"),
        Stop(f"/admin/inbox/channel/{channel}/change/"),
        Stop("/admin/inbox/agent/"),
        Stop("/admin/inbox/agent/add/"),
        Stop(f"/admin/inbox/agent/{desk.boss.pk}/change/"),
        Stop("/admin/webhooks/endpoint/add/"),
        Stop("/admin/webhooks/delivery/"),
        Stop("/inbox/nothing/"),
        Stop("/inbox/all/", break_down),
        # Signs out, so it comes last.
        Stop("/admin/password_change/", break_form),
        Stop("/admin/login/"),
    ]


# What Django's own script and inlines leave behind, and no template of ours can mend.
DJANGOS = {
    "exclude": [
        [".help-tooltip"],
        [".select2-search__field"],
        [".inline-group thead th"],
    ]
}
# Left on, axe copies sheets that import others into <style>, which the policy forbids it.
OPTIONS = {"preload": False}


def troubles_of(page: Page) -> list[str]:
    results = Axe().run(page, context=DJANGOS, options=OPTIONS)
    found = [
        f"{one['id']}: {one['nodes'][0]['html'][:160]} ({one['nodes'][0]['failureSummary'][:200]})"
        for one in results.response["violations"]
    ]
    over = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return found + ([f"{over} px wider than the window"] if over > 0 else [])


def walk(page: Page, places: list[Stop]) -> list[str]:
    """What is wrong anywhere, each with its place."""
    wrong: list[str] = []
    here = [""]
    page.on(
        "console",
        lambda line: (
            line.type == "error"
            and "Failed to load resource" not in line.text
            and wrong.append(f"{here[0]}: console: {line.text}")
        ),
    )
    for place in places:
        here[0] = place.path
        page.goto(place.path)
        if place.act:
            place.act(page)
        wrong += [f"{here[0]}: {trouble}" for trouble in troubles_of(page)]
    return wrong


def test_a_sample_of_pages_is_sound_on_a_phone_in_the_dark_in_arabic(
    open_page: OpenPage, desk: Desk
) -> None:
    page = open_page(desk.boss, "/inbox/all/", **HARDEST)

    wrong = walk(page, [one for one in stops(desk) if not one.desktop][SAMPLE])

    assert wrong == [], "\n".join(wrong)


@pytest.mark.proof
@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_sound_in_every_look(
    open_page: OpenPage, desk: Desk, look: str
) -> None:
    page = open_page(desk.boss, "/inbox/all/", **LOOKS[look])
    is_phone = "has_touch" in LOOKS[look]

    places = [one for one in stops(desk) if not (one.desktop and is_phone)]
    wrong = walk(page, places)

    assert wrong == [], "\n".join(wrong)


def test_a_page_that_one_may_not_open_is_sound(
    open_page: OpenPage, agent: Agent, conversation: Conversation
) -> None:
    page = open_page(agent, "/admin/inbox/agent/")

    assert troubles_of(page) == []
