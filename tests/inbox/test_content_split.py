"""Long texts as several messages: where they are cut."""

from __future__ import annotations

import pytest

from inbox.channels import TextLimit
from inbox.content import split_text

BYTES = TextLimit(40, "bytes")
CHARACTERS = TextLimit(40, "characters")


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("Short.", CHARACTERS, ["Short."]),
        (
            "We have it in blue. We send it tomorrow morning, I promise.",
            CHARACTERS,
            ["We have it in blue.", "We send it tomorrow morning, I promise."],
        ),
        (
            "no sentence ends here and so it is cut between words",
            CHARACTERS,
            ["no sentence ends here and so it is cut", "between words"],
        ),
        ("a" * 90, CHARACTERS, ["a" * 40, "a" * 40, "a" * 10]),
        (
            "First line\nSecond " + "x" * 30,
            CHARACTERS,
            ["First line\nSecond", "x" * 30],
        ),
        # Most Arabic letters count as two bytes.
        (
            "متوفر باللون الأزرق؟ نعم متوفر",
            BYTES,
            ["متوفر باللون الأزرق؟", "نعم متوفر"],
        ),
        ("", CHARACTERS, []),
    ],
)
def test_a_text_is_cut_where_people_pause(
    text: str, limit: TextLimit, parts: list[str]
) -> None:
    assert split_text(text, limit) == parts


@pytest.mark.parametrize("one", ["👩‍👩‍👧", "👍🏽", "e\u0301"])
def test_what_is_seen_as_one_character_stays_whole(one: str) -> None:
    limit = TextLimit(30, "characters")

    parts = split_text(one * 30, limit)

    assert "".join(parts) == one * 30
    assert all(part.startswith(one[0]) for part in parts)
    assert all(limit.measure(part) <= limit.maximum for part in parts)
