"""A thread with every kind of message in a real browser: nothing breaks the policy, axe is content."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils.timezone import now

from channels_meta.processing import drain
from inbox.models import Agent, Channel, Conversation
from tests.browser.conftest import OpenPage, one_of
from tests.channels_meta.test_events import feed, item
from tests.channels_meta.test_looks import CDN, SHOP, message
from tests.conftest import Meta, echoed, said

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TOMORROW = int(now().timestamp()) + 86400


@pytest.fixture
def thread(meta: Meta, messenger: Channel) -> Conversation:
    parts: list[dict[str, Any]] = [
        message("image", {"url": CDN}),
        message("sticker", {"sticker_id": 369239263222822}),
        message("location", {"coordinates": {"lat": 33.58, "long": -7.62}}),
        message("appointment_booking", {"status": "requested", "start_time": TOMORROW}),
        message("fallback", {"url": SHOP, "title": "Babouches"}),
        message("post", {"url": CDN, "title": "New colours"}),
        message("ephemeral"),
        message("template", {"elements": [{"title": "Pouf", "buttons": [{"title": "Buy"}]}]}),
    ]  # fmt: skip
    items = [said("", f"m_{n}", **part) for n, part in enumerate(parts)]
    form = {"data": [{"question": "Your size?", "answer": "38"}]}
    items += [
        said("From the ad", "m_90", referral={"source": "ADS", "ad_id": "61"}),
        said("Hallo", "m_91"),
        item(message_edit={"mid": "m_91", "text": "Hello", "num_edit": 1}),
        item(referral={"source": "ADS", "type": "LEAD_COMPLETE"}, lead=form),
        item(order={"products": [{"name": "Pouf", "quantity": 2}]}),
        item(pass_thread_control={"new_owner_app_id": "263902037430900"}),
        echoed("From the app", "m_92", app_id=263902037430900),
    ]
    assert meta.messaging(*items).status_code == 200
    answer = {"comment_id": "90_92", "parent_id": "90_91", "message": "Until 8"}
    for body in (feed(), feed(**answer, **{"from": {"id": "1055501"}}), feed(verb="hide")):  # fmt: skip
        assert meta.post(body).status_code == 200
    drain()
    return Conversation.objects.get()


@pytest.mark.parametrize("scheme", one_of("dark", "light"))
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_in_a_thread_of_every_kind(
    open_page: OpenPage, agent: Agent, thread: Conversation, scheme: str, width: int
) -> None:
    page = open_page(
        agent,
        f"/inbox/all/c/{thread.pk}/",
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
    )

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    box = page.locator("#msgs")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")


def test_what_was_said_before_opens_by_a_click(
    open_page: OpenPage, agent: Agent, thread: Conversation
) -> None:
    page = open_page(agent, f"/inbox/all/c/{thread.pk}/")

    page.get_by_text("edited", exact=True).first.click()

    assert page.get_by_text("Hallo", exact=True).is_visible()
