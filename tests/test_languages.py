"""French and Arabic are whole: every string is translated, and no page says a word of English."""

from __future__ import annotations

import re
from gettext import GNUTranslations
from html import unescape
from io import BytesIO
from typing import IO

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils.translation import ngettext, override

from channels_meta.sandbox.accounts import create_accounts
from dexra import catalogues
from inbox.models import Agent, CannedReply, Channel, Conversation, SavedView, Tag
from tests.conftest import make_agent, make_comment, make_conversation
from tests.inbox.pages.conftest import Say, failed, say

__all__ = ["say"]

LANGUAGES = ["ar", "fr"]
PLACEHOLDER = re.compile(r"%\(\w+\)\w|%%|\{\w+\}|<[^>]+>|https?://|[A-Z]+_[A-Z_]+")
WORD = re.compile(r"[A-Za-z][A-Za-z'’]+")
SCRIPT = re.compile(r"<(script|style|svg|code|pre)\b.*?</\1>", re.DOTALL)
# Attributes that people read or hear; `data-command` is a line of the command bar.
SPOKEN = re.compile(
    r"\b(?:title|aria-label|placeholder|alt|data-command|data-word\S*)=\"([^\"]*)\""
)

# What is written for programs, wherever it shows: addresses, names of fields and events, numbers of people.
CODE = re.compile(r"https?://\S+|\w+@\S+|\S*\w[_.]\w\S*|\w+-\d+|\{[^}]*\}")
# The names of rights are rows of Django's, made in English when its tables were.
RIGHTS = re.compile(r"<select name=\"(?:user_)?permissions\".*?</select>", re.DOTALL)

# Names and marks, which no language translates; what Django's own catalogue leaves as it is.
PROPER = {
    "Dexra",
    "Instagram",
    "Messenger",
    "Facebook",
    "Meta",
    "Page",
    "Graph",
    "API",
    "Webhooks",
    "Human",
    "Agent",
    "Login",
    "JSON",
    "HTTP",
    "HTTPS",
    "OAuth",
    "Esc",
    "True",
    "False",
    "Search",
    "reaction",
    "permissions",
    "Enter",
    "Ctrl",
    "Maison",
    "Tilila",
    "Nadia",
    "Berrada",
    "Salma",
    "Lina",
    "Maghrib",
    "Shift",
    "UTC",
    "docs",
    "ping",
}


def read(language: str) -> Catalog:
    return catalogues.read(catalogues.ROOT / f"locale/{language}/LC_MESSAGES/django.po")


def key(message: Message) -> tuple[str | None, str]:
    return message.context, ids_of(message)[0]


def ids_of(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def strings_of(message: Message) -> tuple[str, ...]:
    said = message.string
    return (said,) if isinstance(said, str) else tuple(said)


@pytest.fixture(scope="module")
def wanted() -> dict[tuple[str | None, str], Message]:
    return {key(message): message for message in catalogues.gather() if message.id}


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def known(language: str) -> dict[tuple[str | None, str], Message]:
    return {key(message): message for message in read(language) if message.id}


def test_every_string_of_the_code_is_in_the_catalogue_and_no_other(
    wanted: dict[tuple[str | None, str], Message],
    known: dict[tuple[str | None, str], Message],
) -> None:
    assert set(known) == set(wanted), "make words, then translate what is new"


def test_every_string_is_translated_and_nobody_doubts_it(
    known: dict[tuple[str | None, str], Message],
) -> None:
    open_ones = [
        message.id
        for message in known.values()
        if message.fuzzy or not all(strings_of(message))
    ]

    assert open_ones == []


def test_a_translation_keeps_its_placeholders_and_markup(
    known: dict[tuple[str | None, str], Message],
) -> None:
    """A form for one number alone (one, two) may write the number as a word."""
    broken = []
    for message in known.values():
        wants = sorted(set(PLACEHOLDER.findall(ids_of(message)[-1])))
        for place, said in enumerate(strings_of(message)):
            has = sorted(set(PLACEHOLDER.findall(said)))
            may_leave_out = message.pluralizable and place < 3
            fits = set(has) <= set(wants) if may_leave_out else has == wants
            if not fits:
                broken.append((message.id, said))

    assert broken == []


def test_a_translation_begins_and_ends_with_the_white_space_of_its_string(
    known: dict[tuple[str | None, str], Message],
) -> None:
    """Django refuses a line feed that one side has and the other has not."""
    assert not [
        message.id
        for message in known.values()
        for said in strings_of(message)
        if said.strip("\n") != said
        or ids_of(message)[0].strip("\n") != ids_of(message)[0]
    ]


def test_what_django_reads_is_what_the_catalogue_says(language: str) -> None:
    source = catalogues.ROOT / f"locale/{language}/LC_MESSAGES/django.po"
    fresh = BytesIO()
    write_mo(fresh, catalogues.read(source))
    fresh.seek(0)

    with source.with_suffix(".mo").open("rb") as compiled:
        assert said_by(compiled) == said_by(fresh)


def said_by(compiled: IO[bytes]) -> dict[object, str]:
    """All but the header, which holds the hour of the compilation."""
    catalog: dict[object, str] = vars(GNUTranslations(compiled))["_catalog"]
    return {said: translated for said, translated in catalog.items() if said}


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "لا محادثات"),
        (1, "محادثة واحدة"),
        (2, "محادثتان"),
        (3, "3 محادثات"),
        (11, "11 محادثة"),
        (100, "100 محادثة"),
    ],
)
def test_arabic_counts_in_six_ways(count: int, said: str) -> None:
    with override("ar"):
        words = ngettext("%(count)d conversation", "%(count)d conversations", count)
        assert words % {"count": count} == said


def test_french_keeps_its_signs_with_their_words() -> None:
    """No line begins with a sign: the space before it does not break. Apostrophes are round."""
    wrong = [
        said
        for message in read("fr")
        if message.id
        for said in strings_of(message)
        if re.search(r" [;:!?»](?:\s|$)|« |\w'\w", said)
    ]

    assert wrong == []


# --- pages -----------------------------------------------------------------------------------------


@pytest.fixture
def words() -> dict[str, set[str]]:
    """By language, the words that only the English strings have."""
    return {language: _words_of_english_alone(read(language)) for language in LANGUAGES}


def _words_of_english_alone(catalog: Catalog) -> set[str]:
    english: set[str] = set()
    other: set[str] = set()
    for message in catalog:
        if not message.id:
            continue
        for texts, found in ((ids_of(message), english), (strings_of(message), other)):
            for text in texts:
                found |= words_in(PLACEHOLDER.sub(" ", text))
    return english - other - {word.lower() for word in PROPER}


def words_in(text: str) -> set[str]:
    return {word.lower().replace("’", "'") for word in WORD.findall(text)}


def said_on(page: str) -> str:
    """What a page shows and what is read out, without markup."""
    page = RIGHTS.sub(" ", SCRIPT.sub(" ", page))
    spoken = " ".join(SPOKEN.findall(page))
    return CODE.sub(" ", unescape(re.sub(r"<[^>]*>", " ", page) + " " + spoken))


@pytest.fixture
def boss(db: None) -> Agent:
    """Somebody who may see everything."""
    agent = make_agent("nadia", first_name="Nadia", last_name="Berrada")
    agent.user_permissions.set(Permission.objects.all())
    return agent


@pytest.fixture
def full(boss: Agent, channel: Channel, say: Say) -> Conversation:
    """A conversation with something of most kinds, whose texts are no English."""
    Channel.objects.update(name="Maison Tilila")
    conversation = make_conversation(channel, name="Salma")
    ours = {"direction": "out", "author": boss, "author_name": "Nadia Berrada"}
    say(conversation, "Salam")
    say(conversation, "Wakha", **ours, source="agent", status="read")
    say(conversation, "Safi", **failed(author=boss, author_name="Nadia Berrada"))
    say(conversation, "", type="unsupported")
    say(conversation, "", deleted_at=conversation.created_at)
    for event, extra in [
        ("closed", {}),
        ("reopened", {}),
        ("assigned", {"to": "Lina"}),
        ("tagged", {"added": ["a", "b"]}),
        ("snoozed", {"until": None}),
    ]:
        told = {"direction": "event", "type": "event", "source": "agent"}
        say(conversation, "", **(ours | told), extra={"event": event} | extra)
    make_comment(conversation, "Bezzaf")
    tag = Tag.objects.create(name="VIP", colour=2)
    Conversation.objects.update(tags=[tag.pk], assignee=boss, unread=1, priority=4)
    CannedReply.objects.create(
        shortcut="hi", title="Salam", content="Salam {first_name}"
    )
    SavedView.objects.create(owner=boss, name="Lina", parameters={"unread": "1"})
    return conversation


PAGES = [
    "/inbox/all/",
    "/inbox/all/?q=zzz",
    "/inbox/snoozed/",
    "/inbox/all/?unread=1&failed=1&assignee=none&sort=oldest",
    "/inbox/all/c/{pk}/",
    "/inbox/all/c/{pk}/?mode=note",
    "/inbox/c/{pk}/assign/",
    "/inbox/c/{pk}/snooze/",
    "/inbox/c/{pk}/tags/",
    "/inbox/c/{pk}/priority/",
    "/inbox/c/{pk}/more/",
    "/inbox/c/{pk}/contact/",
    "/inbox/canned/",
    "/inbox/canned/new/",
    "/inbox/c/{pk}/canned/",
    "/inbox/c/{pk}/colleagues/",
    "/inbox/nothing/",
    "/meta/connect/",
    "/meta/connect/by-hand/",
    "/meta/connect/channels/{channel}/",
    "/sandbox/",
    "/admin/",
    "/admin/password_change/",
    "/admin/inbox/channel/",
    "/admin/inbox/channel/{channel}/change/",
    "/admin/inbox/conversation/",
    "/admin/inbox/conversation/{pk}/change/",
    "/admin/inbox/contact/",
    "/admin/inbox/contact/{contact}/change/",
    "/admin/inbox/agent/",
    "/admin/inbox/agent/{agent}/change/",
    "/admin/inbox/message/",
    "/admin/inbox/apikey/add/",
    "/admin/inbox/tag/add/",
    "/admin/webhooks/endpoint/add/",
    "/admin/webhooks/delivery/",
]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_says_a_word_of_english(
    boss: Agent,
    full: Conversation,
    words: dict[str, set[str]],
    path: str,
) -> None:
    client = Client()
    client.force_login(boss)
    create_accounts()
    path = path.format(
        pk=full.pk,
        channel=full.channel_id,
        contact=full.identity.contact_id,
        agent=boss.pk,
    )
    for language in LANGUAGES:
        Agent.objects.update(language=language)

        response = client.get(path)

        said = said_on(response.content.decode())
        left = words_in(said) & words[language]
        assert left == set(), (
            language,
            path,
            [
                said[max(0, m.start() - 60) : m.end() + 60]
                for m in re.finditer(
                    "|".join(r"\b" + w + r"\b" for w in left), said, re.I
                )
            ][:6],
        )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/admin/login/", "/inbox/", "/admin/nowhere/"])
def test_a_stranger_is_met_in_their_browsers_language(
    client: Client, db: None, words: dict[str, set[str]], path: str, language: str
) -> None:
    response = client.get(path, headers={"Accept-Language": language}, follow=True)

    assert words_in(said_on(response.content.decode())) & words[language] == set()
    assert f'lang="{language}"' in response.content.decode()
