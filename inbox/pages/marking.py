"""Where the words of a search stand in a text: what a result marks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inbox.search import fold

# A word as people write it: letters and digits with the marks above and below them.
_WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f\u0640\u064b-\u065f\u0670])*")
EXCERPT_CHARACTERS = 120
# What stands before the first match, so that it can be read in its sentence.
LEAD_CHARACTERS = 24

Pieces = list[tuple[str, bool]]


def mark(text: str, search: str) -> Pieces:
    """The text in pieces, each with whether it matches: words that begin as those searched for."""
    words = fold(search).split()
    pieces: Pieces = []
    done = 0
    for start, end in _matches(text, words):
        pieces += [(text[done:start], False)] if start > done else []
        pieces.append((text[start:end], True))
        done = end
    return pieces + ([(text[done:], False)] if done < len(text) else [])


def matches(text: str, search: str) -> bool:
    """Whether a text holds every word that was searched for, each as a word's start."""
    there = fold(text).split()
    words = fold(search).split()
    return bool(words) and all(
        any(one.startswith(word) for one in there) for word in words
    )


def excerpt(text: str, search: str) -> str:
    """About as much of a text as a row has room for, with the first match in it."""
    text = " ".join(text.split())
    first = next(_matches(text, fold(search).split()), (0, 0))[0]
    start = max(0, first - LEAD_CHARACTERS)
    if start:
        start = text.find(" ", start, first) + 1 or first
    cut = text[start : start + EXCERPT_CHARACTERS]
    return ("…" if start else "") + cut


def _matches(text: str, words: list[str]) -> Iterator[tuple[int, int]]:
    for found in _WORD.finditer(text):
        folded = fold(found[0])
        length = max(
            (len(word) for word in words if folded.startswith(word)), default=0
        )
        if length:
            # Folding may change how long a word is (ß, ligatures): then all of it is marked.
            whole = len(folded) != len(found[0])
            yield found.start(), found.end() if whole else found.start() + length
