"""What templates need: icons, avatars, the rail; texts of customers made safe to click."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from django import template
from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from inbox import errors
from inbox.mentions import names_in
from inbox.models import ChannelIdentity, Conversation
from inbox.pages import security
from inbox.pages.downloads import avatar_url
from inbox.pages.marking import mark
from inbox.pages.queues import Queue, SavedQueue, capped
from inbox.pages.rows import Row, draw_row
from inbox.pages.thread import Bubble

register = template.Library()

AVATAR_COLOURS = 8
LINKS_KEPT = 4000
_LINK = re.compile(r"https?://[^\s<>\"]+")
_NOT_OF_A_LINK = ".,;:!?)]}'»”…"


@register.simple_tag
@cache
def icon(name: str, css: str = "") -> SafeString:
    """A symbol of the sprite: `{% icon "reply" "dx-i-s dx-flip" %}`. Decoration, never content."""
    return format_html(
        '<svg class="dx-i{}" aria-hidden="true"><use href="{}#i-{}"/></svg>',
        f" {css}" if css else "",
        static("img/icons.svg"),
        name,
    )


@register.filter
def initials(name: str) -> str:
    """Two letters of a name: "Salma El Idrissi" is SE, "@lina" is L.

    One where letters have no case: two Arabic ones would join into what is no word.
    """
    letters = [word[0] for word in name.replace("@", " ").split() if word[0].isalnum()]
    if letters and letters[0].upper() == letters[0].lower():
        return letters[0]
    return "".join(letters[:2]).upper() or "?"


@register.filter
def avatar(identity: ChannelIdentity) -> str:
    """The address of a person's picture; "" while there is none."""
    return avatar_url(identity)


@register.simple_tag
def portrait(address: str) -> SafeString:
    """A picture over the initials, which show again where it does not come."""
    if not address:
        return mark_safe("")
    return format_html(
        '<img class="dx-av-img" src="{}" alt="" loading="lazy" decoding="async" data-falls-back>',
        address,
    )


@register.filter
def colour(key: int) -> int:
    """One of the eight avatar colours, always the same for the same person."""
    return key % AVATAR_COLOURS + 1


@register.filter
def linkify(text: str) -> SafeString:
    """Escaped text with its web addresses as links that tell the other side nothing about us."""
    made, done = [], 0
    for found in _LINK.finditer(text):
        address = found[0].rstrip(_NOT_OF_A_LINK)
        made += [escape(text[done : found.start()]), _link(address)]
        done = found.start() + len(address)
    made.append(escape(text[done:]))
    return mark_safe("".join(made))  # noqa: S308 - every part is escaped


@register.simple_tag
def note_words(text: str, called: Sequence[str], reader: str) -> SafeString:
    """A note with those it calls marked, whoever reads it stronger: they are the ones meant.

    called, reader: usernames. Only who was really called is marked, so that a name which nobody
    bears is seen to have called nobody.
    """
    known, own = {name.casefold() for name in called}, reader.casefold()
    made: list[str] = []
    for words, name in names_in(text):
        made.append(linkify(words))
        if name.casefold() in known:
            css = " dx-mention-me" if name.casefold() == own else ""
            made.append(
                format_html(
                    '<mark class="dx-mention{}"><bdi>@{}</bdi></mark>', css, name
                )
            )
        elif name:
            made.append(escape(f"@{name}"))
    return mark_safe("".join(made))  # noqa: S308 - every part is escaped


def _link(address: str) -> SafeString:
    return format_html(
        '<a href="{}" dir="ltr" target="_blank" rel="noopener noreferrer nofollow">{}</a>',
        address,
        address,
    )


@register.filter
def retell(stored: str) -> str:
    """Why something failed, in the reader's language."""
    return errors.retell(stored)


@register.filter
def safe_link(address: Any) -> str:
    return security.safe_link(address) if isinstance(address, str) else ""


register.filter(capped)


@register.filter
def head_version(conversation: Conversation) -> str:
    """Another when the head of its thread, or the panel beside it, would say something else."""
    facts = (
        conversation.status,
        conversation.assignee_id,
        conversation.team_id,
        conversation.priority,
        conversation.tags,
        conversation.identity.blocked_at,
        conversation.identity.is_spam,
        conversation.identity.display_name,
        conversation.identity.contact_id,
        conversation.identity.contact.revision,
    )
    return f"{zlib.crc32(repr(facts).encode()):x}"


@register.filter
def of(counts: Mapping[str, int], name: str) -> int:
    return counts.get(name, 0)


@register.simple_tag
def marked(text: str, words: str) -> SafeString:
    """A text with what a search found in it: `{% marked row.name row.words %}`."""
    if not words:
        return escape(text)
    pieces = (
        format_html("<mark>{}</mark>", piece) if is_match else escape(piece)
        for piece, is_match in mark(text, words)
    )
    return mark_safe("".join(pieces))  # noqa: S308 - every part is escaped


@register.simple_tag(takes_context=True)
def view_link(context: template.Context, queue: Queue | SavedQueue) -> SafeString:
    """A view with what it holds, marked if it is the one that the page shows."""
    count = context["counts"].get(queue.slug, 0)
    is_current = queue.slug == context["listing"].current
    place = (queue.slug, str(queue.label), queue.url, queue.icon)
    looks = (getattr(queue, "css", ""), getattr(queue, "dot", 0))
    key = getattr(queue, "key", "")
    return _draw_link(*place, *looks, key, count, is_current, get_language() or "")


# Every page draws them all, twice: among the views, and in the menu of a narrow screen.
@lru_cache(maxsize=LINKS_KEPT)
def _draw_link(
    slug: str,
    label: str,
    url: str,
    icon: str,
    css: str,
    dot: int,
    key: str,
    count: int,
    is_current: bool,
    _language: str,
) -> SafeString:
    return render_to_string("inbox/_view_link.html", locals())


@register.simple_tag(takes_context=True, name="row")
def row_tag(context: template.Context, row: Row, *, oob: bool = False) -> SafeString:
    """A row of the list that the page shows, marked if its conversation is the open one."""
    listing, conversation = context["listing"], context.get("conversation")
    markup = draw_row(
        row,
        url=listing.url_of(row.pk, row.hit),
        is_current=conversation is not None
        and conversation.pk == row.pk
        and not row.hit,
        is_oob=oob,
    )
    return mark_safe(markup)  # noqa: S308 - a template drew it


# What was drawn of plain messages: a thread is drawn again with everything that happens in it.
BUBBLES_KEPT = 3000
drawn_bubbles: dict[tuple[object, ...], SafeString] = {}


@register.simple_tag(takes_context=True, name="bubble")
def bubble_tag(context: template.Context, bubble: Bubble) -> SafeString:
    """A message of the thread; a plain one that says the same is drawn once, for all readers."""
    thread, message = context["thread"], bubble.message
    if not bubble.is_plain or message.pk == thread.target:
        return _draw_bubble(context, bubble)
    identity, listing = thread.conversation.identity, context.get("listing")
    key = (
        message.pk,
        bubble.version,
        bubble.day,
        bubble.full_time,
        str(bubble.speaker),
        identity.display_name,
        identity.contact_id,
        listing and (listing.slug, listing.action_parameters),
        "perms" in context and context["perms"]["inbox"]["add_message"],
        bool(context.get("is_read_only")),
        get_language(),
    )
    if key not in drawn_bubbles:
        if len(drawn_bubbles) >= BUBBLES_KEPT:
            drawn_bubbles.clear()
        drawn_bubbles[key] = _draw_bubble(context, bubble)
    return drawn_bubbles[key]


def _draw_bubble(context: template.Context, bubble: Bubble) -> SafeString:
    fragment = context.template.engine.get_template("inbox/_message.html")  # type: ignore[union-attr]  # while it is drawn
    with context.push(bubble=bubble):
        return fragment.render(context)


@register.simple_tag(takes_context=True)
def places(context: template.Context) -> Any:
    """Where other apps lead this person on: `{% places as ways %}`."""
    return admin.site.places_of(context["request"])  # type: ignore[attr-defined]  # ours


@register.inclusion_tag("dexra/_rail.html", takes_context=True)
def rail(context: template.Context) -> dict[str, Any]:
    return _places(context)


@register.inclusion_tag("dexra/_tabbar.html", takes_context=True)
def tabbar(context: template.Context) -> dict[str, Any]:
    return _places(context)


@register.inclusion_tag("dexra/_account.html", takes_context=True)
def account_menu(context: template.Context) -> dict[str, Any]:
    user = context["request"].user
    return {"user": user, "reads": user.has_perm("inbox.view_conversation")}


def _places(context: template.Context) -> dict[str, Any]:
    """Pages that know these already (the admin's, the inbox's) say so; others ask the site."""
    request: HttpRequest = context["request"]
    known = {
        name: context[name] for name in ("rail_items", "unread") if name in context
    }
    if len(known) < 2:
        known = admin.site.rail_context(request) | known  # type: ignore[attr-defined]  # ours
    return {
        **known,
        "request": request,
        "user": request.user,
        "has_keys": "listing" in context,
    }
