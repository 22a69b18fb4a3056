"""What a browser shows outside the page: the words for what the stream has told of by id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from django.core.exceptions import BadRequest
from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.text import Truncator, get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from inbox.live import AWAITED
from inbox.models import (
    Agent,
    Conversation,
    Mention,
    MessageType,
    NotificationKind,
    Preferences,
)
from inbox.pages.conversations import find_conversation
from inbox.pages.http import AgentRequest, agent_page
from inbox.pages.queues import MOST_COUNTED, count_queues
from inbox.pages.rows import snippet_of
from inbox.pages.writing import settle
from inbox.preferences import preferences_of
from inbox.triage import stop_waiting_for, wait_for_person

# More than these at once become one that says how many.
MOST_SHOWN = 3
MOST_ASKED = 100
PREVIEW_CHARACTERS = 120
# Kinds that somebody's message is behind: read elsewhere meanwhile, they are no news.
_OF_MESSAGES = frozenset({NotificationKind.MINE, NotificationKind.UNASSIGNED})
_BODIES = {
    NotificationKind.MINE: gettext_lazy("New message"),
    NotificationKind.UNASSIGNED: gettext_lazy("New message"),
    NotificationKind.ASSIGNED: gettext_lazy("Given to you"),
    NotificationKind.MENTION: gettext_lazy("You are mentioned in a note"),
    NotificationKind.FAILED: gettext_lazy("A reply was not sent"),
    NotificationKind.WOKE: gettext_lazy("Back from being snoozed"),
    AWAITED: gettext_lazy("Has written again"),
}


@dataclass(frozen=True, slots=True)
class Notification:
    """As the browser takes it. tag: a later one with the same replaces it. id: of the
    conversation, None for one that stands for several."""

    title: str
    body: str
    tag: str
    url: str
    is_silent: bool
    id: int | None = None


@agent_page
@require_GET
def show_notifications(request: AgentRequest) -> HttpResponse:
    """about: `<conversation>:<kind>`, with commas between them. missed: how many unread
    conversations of their own the page last knew of, where it cannot tell what it missed."""
    about = _read(request.GET.get("about", ""))
    found = _tell(request.user, about)
    if not found and "missed" in request.GET:
        found = _missed(request.user, request.GET["missed"])
    return JsonResponse({"notifications": [asdict(one) for one in found]})


def _read(text: str) -> dict[int, str]:
    """Conversation to kind; of a conversation that is named twice, the later."""
    about = {}
    for part in text.split(",")[:MOST_ASKED]:
        pk, _colon, kind = part.partition(":")
        if part and (not pk.isdecimal() or len(pk) > 18 or kind not in _BODIES):
            raise BadRequest("bad about")
        if part:
            about[int(pk)] = kind
    return about


def _tell(agent: Agent, about: dict[int, str]) -> list[Notification]:
    visible = Conversation.objects.visible_to(agent).with_parties()
    conversations = [
        one
        for one in visible.filter(pk__in=about).order_by("-last_message_at")
        if one.unread or about[one.pk] not in _OF_MESSAGES
    ]
    wishes = preferences_of(agent)
    if len(conversations) > MOST_SHOWN:
        return [_summary(conversations, wishes)]
    words = _previews(agent, conversations, about) if wishes.shows_preview else {}
    return [
        Notification(
            id=one.pk,
            title=one.identity.display_name,
            body=words.get(one.pk) or _body(one, about[one.pk]),
            tag=f"conversation-{one.pk}",
            url=_url(one, agent),
            is_silent=not wishes.plays_sound,
        )
        for one in conversations
    ]


def _body(conversation: Conversation, kind: str) -> str:
    is_comment = conversation.last_message.get("type") == MessageType.COMMENT
    if kind in _OF_MESSAGES and is_comment:
        return _("New comment")
    return str(_BODIES[kind])


def _previews(
    agent: Agent, conversations: Iterable[Conversation], about: dict[int, str]
) -> dict[int, str]:
    """The words that each is about, where it is about words."""
    said = {
        one.pk: snippet_of(one).text
        for one in conversations
        if about[one.pk] in {*_OF_MESSAGES, AWAITED}
    }
    called = [pk for pk, kind in about.items() if kind == NotificationKind.MENTION]
    if called:
        mentions = Mention.objects.filter(agent=agent, conversation__in=called)
        newest = mentions.order_by("created_at").values_list(
            "conversation_id", "note__content"
        )
        said |= dict(newest[:MOST_ASKED])
    return {
        pk: Truncator(" ".join(text.split())).chars(PREVIEW_CHARACTERS)
        for pk, text in said.items()
    }


def _url(conversation: Conversation, agent: Agent) -> str:
    views = {agent.pk: "mine", None: "unassigned"}
    view = views.get(conversation.assignee_id, "all")
    return reverse("inbox:conversation", args=[view, conversation.pk])


def _summary(
    conversations: Sequence[Conversation], wishes: Preferences
) -> Notification:
    names = [one.identity.display_name for one in conversations[:MOST_SHOWN]]
    others = len(conversations) - len(names)
    if others:
        more = ngettext("%(count)d other", "%(count)d others", others)
        names.append(more % {"count": others})
    return _of_several(len(conversations), get_text_list(names, _("and")), wishes)


def _missed(agent: Agent, known: str) -> list[Notification]:
    """One for all that came while the browser slept, if something did."""
    unread = count_queues(agent)["mine:unread"]
    if not known.isdecimal() or unread <= int(known[:9]):
        return []
    return [
        _of_several(unread, _("Unread in your conversations"), preferences_of(agent))
    ]


def _of_several(count: int, body: str, wishes: Preferences) -> Notification:
    shown = f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count)
    title = ngettext("%(shown)s conversation", "%(shown)s conversations", count)
    return Notification(
        title=title % {"shown": shown},
        body=body,
        tag="summary",
        url=reverse("inbox:list", args=["mine"]),
        is_silent=not wishes.plays_sound,
    )


@agent_page
@require_POST
def await_person(request: AgentRequest, pk: int) -> HttpResponse:
    """The agent will be told when the person writes."""
    return _settle(request, pk, wait_for_person)


@agent_page
@require_POST
def await_no_more(request: AgentRequest, pk: int) -> HttpResponse:
    return _settle(request, pk, stop_waiting_for)


def _settle(request: AgentRequest, pk: int, act: Callable[..., None]) -> HttpResponse:
    conversation = find_conversation(request, pk)
    return settle(
        request,
        conversation,
        lambda: act(conversation=conversation, agent=request.user),
    )
