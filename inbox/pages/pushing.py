"""What the event stream sends to open pages: rows of their lists, and what the views hold.

The `Painter` of `inbox.stream`, which calls these in threads of its own, without a request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.http import Http404
from django.urls import resolve
from django.utils import timezone, translation
from django.utils.timezone import now

from inbox.agents import AgentBackend
from inbox.models import Agent, Conversation, Mention
from inbox.pages.filters import Desk
from inbox.pages.language import zone_of
from inbox.pages.listing import (
    Listing,
    bare_rows,
    claims_on,
    draw,
    read_listing,
    rows_by_ids,
)
from inbox.pages.queues import Queues, capped, count_own, count_shared, join_counts
from inbox.pages.rows import marks_by_agent, seen_row
from inbox.stream.boards import Counts, Drawn, Shown


def draw_rows(shown: Shown, agent_ids: Collection[int], ids: Sequence[int]) -> Drawn:
    """Rows of these conversations, for these agents: looked up and drawn once for all of them.

    A list that means another one for each agent is drawn only for those whom a change concerns.
    """
    with _words_of(shown):
        found = _listings(shown, agent_ids)
        agent, listing = next(found, (None, None))
        if agent is None or listing is None:
            return Drawn("")
        if listing.is_personal:
            return Drawn("", _draw_personal(shown, listing, agent_ids, ids))
        return _draw_shared(listing, agent, agent_ids, ids)


def count(agent_ids: Collection[int]) -> tuple[Counts, Mapping[int, Counts]]:
    """What the views hold now: for everybody, and by agent what is theirs alone."""
    own: dict[int, Counts] = {}
    shared: Counts = {}
    for agent in _agents(agent_ids):
        queues = Queues(Desk(agent, now()))
        shared = shared or count_shared(queues)
        own[agent.pk] = count_own(queues)
    return shared, own


def write_counts(shared: Counts, own: Counts) -> dict[str, str]:
    """As people read them."""
    return {name: capped(number) for name, number in join_counts(shared, own).items()}


def _draw_shared(
    listing: Listing, viewer: Agent, agent_ids: Collection[int], ids: Sequence[int]
) -> Drawn:
    rows = bare_rows(listing, viewer, ids)
    marks = marks_by_agent(agent_ids, [row.pk for row in rows])
    claims = claims_on(rows)
    others = marks.keys() | {claim.agent_id for claim in claims.values()}
    own = {
        agent_id: draw(
            listing,
            [seen_row(row, agent_id, marks.get(agent_id, {}), claims) for row in rows],
        )
        for agent_id in others.intersection(agent_ids)
    }
    return Drawn(draw(listing, [seen_row(row, 0, {}, claims) for row in rows]), own)


def _draw_personal(
    shown: Shown, listing: Listing, agent_ids: Collection[int], ids: Sequence[int]
) -> dict[int, str]:
    concerned = _concerned(listing, agent_ids, ids)
    return {
        agent.pk: draw(own, rows_by_ids(own, agent, concerned[agent.pk]))
        for agent, own in _listings(shown, concerned)
    }


def _concerned(
    listing: Listing, agent_ids: Collection[int], ids: Sequence[int]
) -> dict[int, list[int]]:
    """Which of these conversations may be in whose list: found for all agents in one statement."""
    pairs: Iterable[tuple[int | None, int]]
    if listing.slug == "mine" or listing.filters.assignee == "me":
        theirs = Conversation.objects.filter(pk__in=ids, assignee__in=agent_ids)
        pairs = theirs.values_list("assignee_id", "pk")
    elif listing.slug == "mentions":
        of_them = Mention.objects.filter(conversation__in=ids, agent__in=agent_ids)
        pairs = of_them.values_list("agent_id", "conversation_id").distinct()
    else:
        pairs = product(agent_ids, ids)
    concerned: dict[int, list[int]] = {}
    for agent_id, pk in pairs:
        if agent_id is not None:
            concerned.setdefault(agent_id, []).append(pk)
    return concerned


def _listings(
    shown: Shown, agent_ids: Collection[int]
) -> Iterator[tuple[Agent, Listing]]:
    """The list at this address, as each of these agents has it; nothing where there is none."""
    address = urlsplit(shown.address)
    try:
        match = resolve(address.path)
        if match.view_name != "inbox:list":
            return
        parameters = dict(parse_qsl(address.query))
        for agent in _agents(agent_ids):
            yield agent, read_listing(agent, match.kwargs["view"], parameters)
    except Http404:
        return


def _agents(agent_ids: Collection[int]) -> Iterator[Agent]:
    found = (AgentBackend().get_user(pk) for pk in agent_ids)
    return (agent for agent in found if agent is not None)


@contextmanager
def _words_of(shown: Shown) -> Iterator[None]:
    known = {code for code, _name in settings.LANGUAGES}
    language = shown.language if shown.language in known else settings.LANGUAGE_CODE
    with translation.override(language), timezone.override(zone_of(shown.zone)):
        yield
