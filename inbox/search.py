"""Folding: what makes `café` equal `cafe` and `أ` equal `ا`. PostgreSQL sees folded text only."""

import re
import unicodedata

from django.contrib.postgres.search import SearchVectorField
from django.db.models import Func

# Arabic letters that people write in several ways, and the long stroke that means nothing.
_ARABIC = str.maketrans(
    {
        "أ": "ا",
        "إ": "ا",
        "آ": "ا",
        "ٱ": "ا",
        "ى": "ي",
        "ة": "ه",
        "ؤ": "و",
        "ئ": "ي",
        "ـ": None,
    }
)
_NOT_WORD = re.compile(r"[\W_]+")
# Longer texts are cut: a search finds them by their start, and a tsvector has a limit of 1 MB.
MAX_CHARACTERS = 20_000


def fold(text: str) -> str:
    """Lower case, no accents, one form per Arabic letter, punctuation as spaces."""
    text = text[:MAX_CHARACTERS]
    if text.isascii():
        return _NOT_WORD.sub(" ", text.lower()).strip()
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_ARABIC))
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _NOT_WORD.sub(" ", bare).strip()


def prefix_query(words: str) -> str:
    """A `to_tsquery('simple', ...)` text: every word, each as the start of a word; "" for none."""
    return " & ".join(f"{word}:*" for word in fold(words).split()[:12])


class FoldedVector(Func):
    """The words of several short columns, folded by PostgreSQL as `fold` does it: for names,
    which many hands write, an index over the columns themselves is never behind."""

    function = "to_tsvector"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()
    template = (
        "to_tsvector('simple'::regconfig, regexp_replace(regexp_replace(normalize(replace("
        "translate(lower(%(expressions)s), 'أإآٱىةؤئςـ', 'اااايهويσ'), 'ß', 'ss'), NFKD), "
        "'[\u0300-\u036f\u064b-\u065f\u0670]+', '', 'g'), '[[:space:][:punct:]]+', ' ', 'g'))"
    )
