"""Which app speaks or holds a thread: ours, one of Meta's own, or somebody else's."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from channels_meta.payloads.values import read_id
from channels_meta.sandbox.webhooks import PRETEND_APP_ID

BUSINESS_SUITE = "Meta Business Suite"
# Meta's own apps, by the names that people see (conversation routing, 2025-09-24; echo events).
KNOWN_APPS = {
    "263902037430900": BUSINESS_SUITE,
    "26390203743090": BUSINESS_SUITE,  # as the echo page prints it, one digit short
    "1217981644879628": "Instagram",
    "413038776280800": "Meta lead ads",
}


def our_apps() -> set[str]:
    """The ids by which Meta knows this installation."""
    ids = {settings.META_APP_ID, settings.META_INSTAGRAM_APP_ID}
    if settings.SANDBOX:
        ids.add(PRETEND_APP_ID)
    return ids - {""}


def holder_of(app_id: Any, *, unknown: str = "") -> str:
    """An app's name for people: "" for ours, its id where we know no name.

    unknown: what to say where there is no id at all.
    """
    known = read_id(app_id)
    if not known:
        return unknown
    if known in our_apps():
        return ""
    return KNOWN_APPS.get(known, known)[:100]
