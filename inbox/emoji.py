"""Emoji to choose from, by Unicode's own names; those that people of our trade use come first."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Emoji:
    character: str
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    label: str | Promise
    emoji: tuple[Emoji, ...]


_OFTEN = (
    "😊😀😂😍🥰😘😉😎😅😢😮😡🤔🙏👍👎👌👏💪🙌🤝👋❤💕💯🔥✨🎉🎁🌹✅❌⭐📦🚚📞📍⏰💳🛍"
)
_RANGES: tuple[tuple[str | Promise, tuple[tuple[int, int], ...]], ...] = (
    (
        _("Faces"),
        (
            (0x1F600, 0x1F637),
            (0x1F641, 0x1F644),
            (0x1F910, 0x1F917),
            (0x1F920, 0x1F92F),
            (0x1F970, 0x1F976),
        ),
    ),
    (
        _("People and hands"),
        (
            (0x1F440, 0x1F450),
            (0x1F645, 0x1F64F),
            (0x1F918, 0x1F91F),
            (0x1F48B, 0x1F4AA),
        ),
    ),
    (_("Hearts and signs"), ((0x1F493, 0x1F49F), (0x2705, 0x2705), (0x2728, 0x2728))),
    (_("Animals and plants"), ((0x1F400, 0x1F43E), (0x1F331, 0x1F343))),
    (_("Food and drink"), ((0x1F345, 0x1F37C), (0x1F950, 0x1F96F))),
    (_("Travel and weather"), ((0x1F680, 0x1F6A4), (0x1F300, 0x1F320))),
    (_("Things"), ((0x1F380, 0x1F393), (0x1F451, 0x1F462), (0x1F4B0, 0x1F4FC))),
)
# Drawn as text unless this follows.
_AS_PICTURE = "\ufe0f"
_TEXT_BY_DEFAULT = frozenset("❤")


@lru_cache(maxsize=1)
def groups() -> tuple[Group, ...]:
    often = Group(_("Often used"), tuple(_named(map(ord, _OFTEN))))
    return (
        often,
        *(
            Group(
                label,
                tuple(
                    _named(
                        code for low, high in ranges for code in range(low, high + 1)
                    )
                ),
            )
            for label, ranges in _RANGES
        ),
    )


def _named(codes: Iterable[int]) -> Iterable[Emoji]:
    for code in codes:
        character = chr(code)
        name = unicodedata.name(character, "")
        if name:
            picture = _AS_PICTURE if character in _TEXT_BY_DEFAULT else ""
            yield Emoji(character + picture, name.lower())
