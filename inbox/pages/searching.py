"""Search over everybody and all that was ever said: people first, then messages.

Both are found by words and by the beginnings of words, folded (inbox/search.py), and read on to
the end by keyset.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db.models import F, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from inbox.models import (
    CONTACT_WORDS,
    IDENTITY_WORDS,
    PHONE_DIGITS,
    ChannelIdentity,
    Contact,
    Conversation,
    ConversationQuerySet,
    Message,
)
from inbox.pages.cursors import Keyset
from inbox.pages.filters import Desk
from inbox.pages.marking import matches
from inbox.search import prefix_query

MAX_CHARACTERS = 100
# How many of the newest messages are looked at one by one, before the index of words is asked.
MESSAGES_WALKED = 10_000
_PHONE = re.compile(r"[+(]?\d[\d\s().-]{4,}")

SAID = {
    "newest": Keyset("said", ("sent_at",)),
    "oldest": Keyset("said-oldest", ("sent_at",), is_descending=False),
}
SECTION_PEOPLE: Promise = _("People")
SECTION_MESSAGES: Promise = _("Messages")


def read_search(text: str) -> str:
    return text.replace("\x00", "").strip()[:MAX_CHARACTERS]


# --- people --------------------------------------------------------------------------------------


def with_people(
    conversations: ConversationQuerySet, search: str, desk: Desk
) -> ConversationQuerySet:
    """Those of the people whose name, handle, e-mail or number it is, and those with a tag of
    that name. One set of ids and no "or": only so is an index taken for each."""
    query = _query_of(search)
    if query is None:
        return conversations.none()
    contacts = Contact.objects.annotate(words=CONTACT_WORDS).filter(words=query)
    identities = ChannelIdentity.objects.alias(words=IDENTITY_WORDS).filter(words=query)
    rows = Conversation.objects.order_by()
    found = rows.filter(identity__in=identities.values("pk")).values("pk")
    others = [rows.filter(identity__contact__in=contacts.values("pk")).values("pk")]
    if tags := [tag.pk for tag in desk.tags if matches(tag.name, search)]:
        others.append(rows.filter(tags__overlap=tags).exclude(tags=[]).values("pk"))
    return conversations.filter(pk__in=found.union(*others))


def people_named(search: str) -> QuerySet[Any, Any]:
    """Ids of the contacts whose name, handle, e-mail or number it is."""
    query = _query_of(search)
    if query is None:
        return Contact.objects.none().values("pk")
    named = Contact.objects.alias(words=CONTACT_WORDS).filter(words=query)
    called = ChannelIdentity.objects.alias(words=IDENTITY_WORDS).filter(words=query)
    return named.order_by().values("pk").union(called.order_by().values("contact"))


def _query_of(search: str) -> SearchQuery | None:
    words = _as_phone(search) or prefix_query(search)
    if not words:
        return None
    return SearchQuery(words, config="simple", search_type="raw")


def _as_phone(search: str) -> str:
    """A number, however its beginning is written: 0612 34 56 78 is +212612345678."""
    if not is_phone(search):
        return ""
    return f"{local_digits(search)}:*"


def is_phone(search: str) -> bool:
    return bool(_PHONE.fullmatch(search.strip()))


def local_digits(number: str) -> str:
    digits = re.sub(r"\D", "", number)
    return digits.lstrip("0") if len(digits) <= PHONE_DIGITS + 1 else digits


# --- messages ------------------------------------------------------------------------------------


def find_messages(
    within: ConversationQuerySet, search: str, keyset: Keyset, cursor: str, limit: int
) -> list[Message]:
    """The next messages with all these words, of conversations `within`.

    A common word is found by walking along the dates, a rare one by the index of words; the
    planner cannot tell how rare two words are together. So the first thousands are walked, a
    bounded time, and what they do not fill comes from the index: few, since they were rare.
    """
    words = prefix_query(search)
    if not words:
        return []
    every = Message.objects.order_by(*keyset.ordering)
    if cursor:
        every = every.filter(keyset.after(cursor))
    hits = every.filter(
        search_vector=SearchQuery(words, config="simple", search_type="raw"),
        conversation__in=within.order_by().values("pk"),
    )
    end = every.values_list("sent_at", flat=True)[
        MESSAGES_WALKED : MESSAGES_WALKED + 1
    ].first()
    if end is None:
        return list(_with_parties(hits)[:limit])
    near, far = ("gte", "lt") if keyset.is_descending else ("lte", "gt")
    found = list(_with_parties(hits.filter((f"sent_at__{near}", end)))[:limit])
    if len(found) < limit:
        rest = hits.filter((f"sent_at__{far}", end))
        # By an expression, so that no index of dates is walked for it.
        moment = F("sent_at") + timedelta(0)
        by_date = (
            (moment.desc(), F("pk").desc())
            if keyset.is_descending
            else (moment.asc(), F("pk").asc())
        )
        found += _with_parties(rest.order_by(*by_date))[: limit - len(found)]
    return found


def messages_by_ids(
    within: ConversationQuerySet, search: str, ids: list[int]
) -> list[Message]:
    """Those of these messages that still have the words."""
    words = prefix_query(search)
    if not words:
        return []
    query = SearchQuery(words, config="simple", search_type="raw")
    hits = Message.objects.filter(
        pk__in=ids, search_vector=query, conversation__in=within.order_by().values("pk")
    )
    return list(_with_parties(hits))


def _with_parties(messages: QuerySet[Message]) -> QuerySet[Message]:
    return messages.select_related(
        "conversation__channel",
        "conversation__identity__contact",
        "conversation__identity__channel",
        "conversation__assignee",
    ).defer("search_vector", "search_text")
