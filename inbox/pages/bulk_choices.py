"""What may be done with many conversations at once, as the bar above the list offers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inbox.models import Agent, Priority, Tag
from inbox.moments import Preset, presets_for
from inbox.pages.clock import moment_label
from inbox.pages.filters import Choice
from inbox.pages.listing import Listing


@dataclass(frozen=True, slots=True)
class BulkChoices:
    """The values are what the form posts as `act`."""

    agents: list[Agent]
    tags: list[Tag]
    snoozes: list[Choice]
    priorities: list[Choice]


def bulk_choices(listing: Listing) -> BulkChoices:
    return BulkChoices(
        agents=[one for one in listing.desk.agents if one != listing.desk.agent],
        tags=listing.desk.tags,
        snoozes=[
            Choice(f"snooze:{one.slug}", _snooze_label(one, listing.desk.at))
            for one in presets_for(listing.desk.at, closes=None)
        ],
        priorities=[
            Choice(f"priority:{value}", str(label))
            for value, label in reversed(Priority.choices)
        ],
    )


def snooze_moment(slug: str, at: datetime) -> datetime | None:
    """When it comes back, None for when the customer writes. Raises KeyError for another word."""
    return {one.slug: one.until for one in presets_for(at, closes=None)}[slug]


def _snooze_label(preset: Preset, at: datetime) -> str:
    if preset.until is None:
        return str(preset.label)
    return f"{preset.label} · {moment_label(preset.until, at=at)}"
