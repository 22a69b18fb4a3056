"""What a comment stands under: the post with its picture and link, and what kind of place it is."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from inbox.models import Message, MessageType
from inbox.pages.media import mapping
from inbox.pages.security import safe_link, shown_here


@dataclass(frozen=True, slots=True)
class Post:
    """heading: what the person did. title: the post's own words, "" if unknown. about: what it
    is. link, picture: only if safe to follow and to show."""

    heading: str
    title: str
    about: str
    link: str
    picture: str


def post_of(message: Message) -> Post | None:
    """None for what is no comment."""
    if message.type != MessageType.COMMENT:
        return None
    facts = mapping(message.extra.get("comment"))
    media = mapping(facts.get("media"))
    picture = media.get("thumbnail") or media.get("url")
    return Post(
        heading=_heading(message),
        title=" ".join(str(media.get("caption") or "").split())[:120],
        about=_about(message),
        link=safe_link(str(facts.get("permalink") or "")),
        picture=shown_here(str(picture or "")),
    )


def _heading(message: Message) -> str:
    facts = mapping(message.extra.get("comment"))
    if message.extra.get("mention"):
        if facts.get("is_post"):
            return _("Mention in a post")
        return _("Mention in a comment")
    if facts.get("is_post"):
        return _("Post on your page")
    if facts.get("is_live"):
        return _("Comment on your live video")
    if facts.get("parent_id"):
        return _("Reply to a comment")
    return _("Comment")


def _about(message: Message) -> str:
    facts = mapping(message.extra.get("comment"))
    ad = mapping(facts.get("ad"))
    if ad:
        title = str(ad.get("title") or "")
        return _("Your ad “%(title)s”") % {"title": title} if title else _("Your ad")
    if message.extra.get("mention"):
        return _("Somebody else's post")
    if facts.get("is_post"):
        return _("A visitor's post")
    product = str(mapping(facts.get("media")).get("product_type") or "").upper()
    if facts.get("is_live"):
        return _("Your live video")
    if product == "REELS":
        return _("Your reel")
    if product == "STORY":
        return _("Your story")
    return _("Your post")
