"""The phone page: play the customer, and see what Dexra saw."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Max
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from channels_meta.sandbox import accounts, customers
from channels_meta.sandbox.clock import shift_conversation
from channels_meta.sandbox.customers import Happening, NothingThere
from channels_meta.sandbox.log import entries_of
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxFault,
    SandboxMessage,
    SandboxPerson,
)
from inbox.models import Channel, ChannelIdentity, Conversation
from inbox.pages.clock import clock_time, row_time, span_words
from inbox.pages.http import AgentRequest, agent_page, is_fragment
from inbox.pages.security import shown_here

# What the phone keeps on its screen, and how many people the page lists.
SHOWN_MESSAGES = 60
SHOWN_PEOPLE = 30
# A pause after which the phone names the time again.
PAUSE = timedelta(hours=1)
MAX_TEXT_CHARACTERS = 2000
MAX_NAME_CHARACTERS = 60

SKIPS = {"24": timedelta(hours=24), "168": timedelta(days=7)}

ACTS: dict[str, Callable[[SandboxPerson, str], Happening]] = {
    "write": lambda person, text: customers.write(person, text),
    "photo": lambda person, _text: customers.send_photo(person),
    "voice": lambda person, _text: customers.send_voice(person),
    "story-mention": lambda person, _text: customers.mention_in_story(person),
    "story-reply": lambda person, text: customers.reply_to_story(person, text),
    "comment": lambda person, text: customers.comment(person, text),
    "react": lambda person, _text: customers.react(person),
    "unsend": lambda person, _text: customers.unsend_last(person),
    "read": lambda person, _text: customers.read_messages(person),
    "button": lambda person, _text: customers.tap_button(person),
}

# (act, icon, label) of the buttons, in their order.
BUTTONS = (
    ("photo", "image", gettext_lazy("Send a photo")),
    ("voice", "mic", gettext_lazy("Voice message")),
    ("story-mention", "story", gettext_lazy("Story mention")),
    ("story-reply", "reply", gettext_lazy("Reply to story")),
    ("comment", "comment", gettext_lazy("Comment on post")),
    ("react", "heart", gettext_lazy("React")),
    ("unsend", "undo", gettext_lazy("Unsend last")),
    ("read", "eye", gettext_lazy("Read messages")),
    ("button", "check", gettext_lazy("Tap a button")),
)
# Messenger has no stories.
STORIES = {"story-mention", "story-reply"}
# These take what is typed on the phone, if there is something.
WITH_TEXT = {"story-reply", "comment"}

FRAGMENTS = (
    "channels_meta/sandbox/_messages.html",
    "channels_meta/sandbox/_trouble.html",
    "channels_meta/sandbox/_log.html",
)
POLL = "channels_meta/sandbox/_poll.html"
PROBLEM = "channels_meta/sandbox/_problem.html"


@dataclass(frozen=True, slots=True)
class Bubble:
    """One entry on the phone.

    time: told above it, after a pause. url: of its medium, where a page may show it.
    seen: when we saw it, under the newest one.
    """

    message: SandboxMessage
    time: str
    url: str
    seen: str


# --- pages ---------------------------------------------------------------------------------------


@agent_page
@require_GET
def show_phone(request: AgentRequest) -> HttpResponse:
    """`?person=` the phone of one customer; `?app=` of whoever was last on that channel."""
    channels = _channels()
    person = _chosen_person(request, channels)
    if person is None:
        return render(request, "channels_meta/sandbox/empty.html")
    people = person.channel.sandbox_people.annotate(wrote_at=Max("messages__sent_at"))
    context = {
        **_context(person),
        "channels": channels,
        "people": _with(person, people.order_by("-wrote_at", "id")),
        "acts": _buttons(person),
        "acts_with_text": WITH_TEXT,
        "clock": clock_time(now()),
        "max_text": MAX_TEXT_CHARACTERS,
        "max_name": MAX_NAME_CHARACTERS,
        "problem": next((str(told) for told in messages.get_messages(request)), ""),
    }
    fragments = _render_fragments(request, context)
    return render(
        request,
        "channels_meta/sandbox/phone.html",
        context | {"version": _version(fragments)},
    )


@agent_page
@require_GET
def refresh_phone(request: AgentRequest, pk: int) -> HttpResponse:
    """What has changed since `?seen=`; 204 if nothing has."""
    person = _person(pk)
    customers.introduce(person)
    fragments = _render_fragments(request, _context(person))
    if request.GET.get("seen") == _version(fragments):
        return HttpResponse(status=204)
    return _answer(request, person, fragments)


# --- acts ----------------------------------------------------------------------------------------


@agent_page
@require_POST
def set_up(request: AgentRequest) -> HttpResponse:
    accounts.create_accounts()
    return redirect("sandbox:phone")


@agent_page
@require_POST
def create_person(request: AgentRequest) -> HttpResponse:
    channel = get_object_or_404(_channels(), pk=_number(request.POST.get("channel")))
    name = " ".join(request.POST.get("name", "").split())[:MAX_NAME_CHARACTERS]
    if not name:
        messages.error(request, _("Give the customer a name."))
        return HttpResponseRedirect(f"{reverse('sandbox:phone')}?app={channel.kind}")
    return HttpResponseRedirect(
        _phone_url(accounts.create_person(channel=channel, name=name))
    )


@agent_page
@require_POST
def act(request: AgentRequest, pk: int, name: str) -> HttpResponse:
    """One thing that the customer does."""
    person = _person(pk)
    if name not in ACTS or (name in STORIES and not _has_stories(person)):
        raise Http404
    text = request.POST.get("text", "").strip()[:MAX_TEXT_CHARACTERS]
    if name == "write" and not text:
        return _after(request, person, problem=_("Write something first."))
    try:
        happening = ACTS[name](person, text)
    except NothingThere as reason:
        return _after(request, person, problem=reason.detail)
    status = happening.tell()
    return _after(request, person, problem=_words_of_refusal(status))


@agent_page
@require_POST
def skip(request: AgentRequest, pk: int) -> HttpResponse:
    """Let time pass in this person's conversation only."""
    person = _person(pk)
    by = SKIPS.get(request.POST.get("hours", ""))
    if by is None:
        return _after(request, person, problem=_("Skip 24 hours or 7 days."))
    shift_conversation(person=person, by=by)
    return _after(request, person)


@agent_page
@require_POST
def fail(request: AgentRequest, pk: int) -> HttpResponse:
    """Choose what goes wrong with the account's next send; nothing, with an empty choice."""
    person = _person(pk)
    kind = request.POST.get("fault", "")
    if kind and kind not in SandboxFault.Kind.values:
        return _after(request, person, problem=_("Choose what is to go wrong."))
    person.channel.sandbox_faults.all().delete()
    if kind:
        person.channel.sandbox_faults.create(kind=kind)
    return _after(request, person)


@agent_page
@require_POST
def connect(request: AgentRequest, pk: int) -> HttpResponse:
    """Let the account's token die, or connect it again."""
    person = _person(pk)
    if request.POST.get("connected"):
        accounts.reconnect(person.channel)
    else:
        accounts.disconnect(person.channel)
    return _after(request, _person(pk))


# --- what a page shows -----------------------------------------------------------------------------


def _channels() -> Any:
    return Channel.objects.filter(sandbox_account__isnull=False).order_by("kind")


def _buttons(person: SandboxPerson) -> list[tuple[str, str, str | Promise]]:
    has_stories = _has_stories(person)
    return [act for act in BUTTONS if has_stories or act[0] not in STORIES]


def _has_stories(person: SandboxPerson) -> bool:
    return person.channel.kind == "instagram"


def _person(pk: int) -> SandboxPerson:
    people = SandboxPerson.objects.select_related("channel")
    return get_object_or_404(people, pk=pk)


def _chosen_person(
    request: AgentRequest, channels: Sequence[Channel]
) -> SandboxPerson | None:
    """Raises Http404 for a person that is not there."""
    if "person" in request.GET:
        return _person(_number(request.GET.get("person")))
    people = SandboxPerson.objects.select_related("channel").filter(
        channel__in=channels
    )
    if (app := request.GET.get("app")) in {channel.kind for channel in channels}:
        people = people.filter(channel__kind=app)
    return people.order_by("channel__kind", "id").first()


def _number(text: str | None) -> int:
    """A row's number out of a form or an address; one that no row has, if it is none."""
    text = text or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def _with(chosen: SandboxPerson, people: Any) -> list[SandboxPerson]:
    """The people of an account, those who wrote last first; the chosen one always among them."""
    listed = sorted(people, key=lambda person: person.wrote_at is None)[:SHOWN_PEOPLE]
    return listed if chosen in listed else [chosen, *listed]


def _context(person: SandboxPerson) -> dict[str, Any]:
    """All that the moving parts of the page show."""
    identity = ChannelIdentity.objects.filter(
        channel_id=person.channel_id, external_id=person.external_id
    ).first()
    account = SandboxAccount.objects.get(channel_id=person.channel_id)
    return {
        "person": person,
        "adapter": person.channel.adapter,
        "bubbles": (bubbles := _bubbles(person)),
        "passed": _time_passed(bubbles),
        "entries": entries_of(person, identity),
        "conversation": _conversation_of(identity),
        "is_token_dead": not account.access_token,
        "needs_reauth": person.channel.status == Channel.Status.NEEDS_REAUTH,
        "fault": person.channel.sandbox_faults.first(),
        "fault_kinds": SandboxFault.Kind.choices,
    }


def _conversation_of(identity: ChannelIdentity | None) -> Conversation | None:
    if identity is None:
        return None
    return identity.conversations.order_by("-last_message_at", "-id").first()


def _bubbles(person: SandboxPerson) -> list[Bubble]:
    newest = person.messages.order_by("-sent_at", "-id")[:SHOWN_MESSAGES]
    shown = list(reversed(newest))
    return [
        Bubble(
            message=message,
            time=_time(message) if _is_after_pause(before, message) else "",
            url=shown_here(message.media_url) if message.media_url else "",
            seen=_seen(message) if message is shown[-1] else "",
        )
        for before, message in zip([None, *shown], shown, strict=False)
    ]


def _time_passed(bubbles: Sequence[Bubble]) -> str:
    """How long ago the newest message is, once that is a while; "" before."""
    span = now() - bubbles[-1].message.sent_at if bubbles else PAUSE
    return span_words(span, is_short=True) if span > PAUSE else ""


def _is_after_pause(before: SandboxMessage | None, message: SandboxMessage) -> bool:
    return before is None or message.sent_at - before.sent_at > PAUSE


def _time(message: SandboxMessage) -> str:
    day, clock = row_time(message.sent_at, at=now()), clock_time(message.sent_at)
    return clock if day == clock else f"{day} {clock}"


def _seen(message: SandboxMessage) -> str:
    """When we saw what the customer wrote, as the customer's phone tells it."""
    is_mine = message.direction == SandboxMessage.Direction.IN
    return clock_time(message.seen_at) if is_mine and message.seen_at else ""


def _words_of_refusal(status: int) -> str:
    if status == 200:
        return ""
    if status == 0:
        return _("Dexra did not answer: nothing arrived in the inbox.")
    if status == 403:
        return _(
            "Dexra refused the signature (403). META_APP_SECRET has to be set, and the same everywhere."
        )
    return _("Dexra answered %(status)d: nothing arrived in the inbox.") % {
        "status": status
    }


# --- answers -------------------------------------------------------------------------------------


def _after(
    request: AgentRequest, person: SandboxPerson, *, problem: str | Promise = ""
) -> HttpResponse:
    """Once something was done: the changed parts of the page, or the page itself without htmx."""
    if not is_fragment(request):
        if problem:
            messages.error(request, str(problem))
        return HttpResponseRedirect(_phone_url(person))
    customers.introduce(person)
    fragments = _render_fragments(request, _context(person))
    return _answer(request, person, fragments, problem=problem)


def _render_fragments(request: AgentRequest, context: dict[str, Any]) -> str:
    return "\n".join(
        render_to_string(name, {**context, "oob": True}, request) for name in FRAGMENTS
    )


def _version(fragments: str) -> str:
    return hashlib.sha256(fragments.encode()).hexdigest()[:16]


def _answer(
    request: AgentRequest,
    person: SandboxPerson,
    fragments: str,
    *,
    problem: str | Promise = "",
) -> HttpResponse:
    context = {
        "person": person,
        "version": _version(fragments),
        "problem": problem,
        "oob": True,
    }
    parts = [fragments, render_to_string(POLL, context, request)]
    if request.method == "POST":
        parts.append(render_to_string(PROBLEM, context, request))
    return HttpResponse("\n".join(parts), status=422 if problem else 200)


def _phone_url(person: SandboxPerson) -> str:
    return f"{reverse('sandbox:phone')}?person={person.pk}"
