"""The catalogues of translations under locale/: gathered from the code, compiled for Django.

    python dexra/catalogues.py gather    what `make words` does
    python dexra/catalogues.py compile   what every `make` does where a translation has changed

Django's own makemessages and compilemessages need the programs of GNU gettext, which few machines have.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
APPS = ("dexra", "inbox", "channels_meta", "webhooks")
# How many forms a plural has, and which number takes which: the rules that Django's own catalogues have.
PLURALS = {
    "ar": (
        6,
        "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 && n%100<=99 ? 4 : 5",
    ),
    "fr": (2, "(n > 1)"),
}
CALLS = (
    "_",
    *("gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"),
    *("pgettext", "pgettext_lazy", "npgettext", "npgettext_lazy"),
)
HEADER = """\
msgid ""
msgstr ""
"Project-Id-Version: Dexra\\n"
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals={forms}; plural={rule};\\n"

"""


def main(task: str) -> None:
    if task == "compile":
        compile_all()
    else:
        gather_all()


# --- compiling -------------------------------------------------------------------------------------


def sources() -> list[Path]:
    return sorted(ROOT.glob("locale/*/LC_MESSAGES/django.po"))


def compile_all() -> None:
    """Write a .mo beside every .po. A reader never meets half a file."""
    for source in sources():
        beside = source.with_suffix(".mo.new")
        with beside.open("wb") as file:
            write_mo(file, read(source))
        beside.replace(source.with_suffix(".mo"))


def read(source: Path) -> Catalog:
    with source.open("rb") as file:
        return read_po(file, locale=source.parent.parent.name, abort_invalid=True)


# --- gathering -------------------------------------------------------------------------------------


def gather_all() -> None:
    """Add what the code says by now to every catalogue, untranslated, and drop what it says no more."""
    wanted = gather()
    for source in sources():
        source.write_bytes(written(merged(wanted, read(source))))


def gather() -> Catalog:
    """Every string that the code and the templates mark as translatable, with the files it stands in."""
    catalog = Catalog()
    for path in files():
        for context, strings in strings_of(path):
            catalog.add(
                strings if len(strings) > 1 else strings[0],
                context=context,
                locations=[(path.relative_to(ROOT).as_posix(), 1)],
            )
    return catalog


def files() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path
    yield from sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix)


def strings_of(path: Path) -> Iterator[tuple[str | None, tuple[str, ...]]]:
    """(context, (singular,) or (singular, plural)) of each call that translates."""
    text = path.read_text()
    if path.suffix != ".py":
        # Django turns a template into calls; what indents them is nobody's Python.
        text = templatize(text).replace("\n", " ").strip()
    found = extract_python(
        BytesIO(text.encode()), dict.fromkeys(CALLS), [], {"encoding": "utf-8"}
    )
    for _line, function, given, _comments in found:
        if given is None:  # a variable: what it may hold is marked where it is written
            continue
        called = str(function)
        strings = [given] if isinstance(given, str) else list(given)
        context = strings.pop(0) if "pgettext" in called else None
        kept = tuple(strings[: 2 if called.startswith("n") else 1])
        if kept and all(kept):
            yield context, kept


def merged(wanted: Catalog, known: Catalog) -> Catalog:
    catalog = Catalog(locale=known.locale)
    for message in wanted:
        if not message.id:
            continue
        old = known.get(message.id, message.context)
        catalog.add(
            message.id,
            old.string if old and old.pluralizable == message.pluralizable else None,
            locations=sorted(set(message.locations)),
            context=message.context,
        )
    return catalog


def written(catalog: Catalog) -> bytes:
    """The catalogue as a file: sorted, without line numbers, dates or names, so that two people's changes merge."""
    language = str(catalog.locale)
    forms, rule = PLURALS[language]
    file = BytesIO()
    write_po(
        file,
        catalog,
        width=0,
        omit_header=True,
        sort_output=True,
        include_lineno=False,
    )
    header = HEADER.format(language=language, forms=forms, rule=rule)
    return header.encode() + file.getvalue().lstrip()


if __name__ == "__main__":
    main(sys.argv[1])
