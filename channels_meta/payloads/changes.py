"""`changes[]`: comments, mentions, what happens on the Page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_meta.payloads.messaging import parse_messaging
from channels_meta.payloads.reading import Context, Parsed
from channels_meta.payloads.templates import TEMPLATE_FIELDS, parse_template_change
from channels_meta.payloads.values import (
    as_dict,
    is_true,
    read_id,
    read_mid,
    read_text,
    shorten,
)
from inbox.inbound import Echo, Edit, Hide, InboundMessage, Item, Part, Unsend

Read = tuple[str, Item | None]

EDITED = {"edit", "edited"}
REMOVED = {"remove", "delete"}
HIDDEN = {"hide", "unhide"}
POSTS = {"post", "status", "photo", "video", "share", "link"}


def parse_change(context: Context, change: Mapping[str, Any]) -> Parsed:
    name = shorten(change.get("field"))
    value = change.get("value")
    accounts = (context.account,) if context.account else ()
    if not isinstance(value, Mapping):
        return Parsed(context.kind, (), None, f"ignored: {name} without value")
    if isinstance(value.get("sender"), Mapping) or isinstance(
        value.get("recipient"), Mapping
    ):
        # the dashboard sends messages as changes
        return parse_messaging(context, value)
    if name in TEMPLATE_FIELDS:
        label, item = parse_template_change(value)
        return Parsed(context.kind, accounts if item else (), item, label)
    read = _CHANGES.get((context.kind, name)) or _CHANGES.get(("", name))
    if read is None:
        return Parsed(context.kind, (), None, f"ignored: {name}")
    label, item = read(context, value)
    return Parsed(context.kind, accounts if item else (), item, label)


# --- Instagram -----------------------------------------------------------------------------------


def _read_comment(context: Context, value: Mapping[str, Any]) -> Read:
    return _instagram_comment(context, value, is_live=False)


def _read_live_comment(context: Context, value: Mapping[str, Any]) -> Read:
    return _instagram_comment(context, value, is_live=True)


def _instagram_comment(
    context: Context, value: Mapping[str, Any], *, is_live: bool
) -> Read:
    """The id's key differs between the documentation's pages and live traffic (trap 3)."""
    author = as_dict(value.get("from"))
    author_id = read_id(author.get("id"))
    comment_id = read_mid(value.get("id") or value.get("comment_id"))
    parent_id = read_id(value.get("parent_id"))
    text = read_text(value.get("text"))
    # Meta tells no time of a comment; the notification's is the nearest (trap 2).
    moment = context.moment()
    is_ours = bool(author_id) and author_id == context.account
    if is_ours or author.get("self_ig_scoped_id"):
        return "own comment", _own_comment(comment_id, parent_id, text, moment)
    return "comment", InboundMessage(
        person_id=author_id or f"comment:{comment_id}",
        username=read_text(author.get("username"))[:100],
        external_id=comment_id,
        sent_at=moment,
        type="comment",
        content=text,
        reply_to=parent_id,
        extra={"comment": _instagram_facts(value, parent_id, is_live=is_live)},
    )


def _instagram_facts(
    value: Mapping[str, Any], parent_id: str, *, is_live: bool
) -> dict[str, Any]:
    media = as_dict(value.get("media"))
    product = read_text(media.get("media_product_type"))
    facts: dict[str, Any] = {
        "post_id": read_id(media.get("id")),
        "permalink": None,
        "parent_id": parent_id or None,
        "media": {"id": read_id(media.get("id")), "product_type": product},
        "is_live": is_live or product.upper() == "LIVE",
    }
    if original_id := read_id(media.get("original_media_id")):
        facts["media"]["original_id"] = original_id
    if media.get("ad_id") or media.get("ad_title"):
        facts["ad"] = {
            "id": read_id(media.get("ad_id")),
            "title": read_text(media.get("ad_title"))[:300],
        }
    return facts


def _read_instagram_mention(context: Context, value: Mapping[str, Any]) -> Read:
    """Only ids: who wrote what is fetched later."""
    media_id = read_id(value.get("media_id"))
    comment_id = read_id(value.get("comment_id"))
    external_id = comment_id or f"mention:{media_id}"
    return "mention", InboundMessage(
        person_id=f"comment:{external_id}",
        external_id=read_mid(external_id),
        sent_at=context.moment(),
        type="comment",
        content="",
        extra={
            "comment": {
                "post_id": media_id,
                "permalink": None,
                "parent_id": None,
                "media": {"id": media_id},
                "is_post": not comment_id,
            },
            "mention": True,
        },
    )


# --- Page ----------------------------------------------------------------------------------------


def _read_feed(context: Context, value: Mapping[str, Any]) -> Read:
    item = read_text(value.get("item"))
    if item == "comment":
        return _read_feed_comment(context, value)
    if item in POSTS:
        return _read_feed_post(context, value)
    return f"ignored: feed {shorten(item)}", None


def _feed_author(value: Mapping[str, Any]) -> tuple[str, str]:
    """(id, name); before 2018 as sender_id and sender_name, without the permission not at all."""
    author = as_dict(value.get("from"))
    author_id = read_id(author.get("id")) or read_id(value.get("sender_id"))
    return author_id, read_text(author.get("name") or value.get("sender_name"))[:200]


def _read_feed_comment(context: Context, value: Mapping[str, Any]) -> Read:
    comment_id = read_mid(value.get("comment_id"))
    author_id, _name = _feed_author(value)
    if author_id and author_id == context.account:
        return _read_own_feed_comment(context, value, comment_id)
    comment = _feed_comment(context, value, comment_id)
    return _changed(context, value, "comment", comment)


def _changed(
    context: Context, value: Mapping[str, Any], name: str, comment: InboundMessage
) -> Read:
    """What the notice says became of a comment; it may be the first we hear of it."""
    verb, external_id = read_text(value.get("verb")), comment.external_id
    if verb in REMOVED:
        return f"{name} removed", Unsend(external_id=external_id, at=context.moment())
    if verb in EDITED:
        told = comment if comment.content else None
        return f"{name} edited", _edit(context, value, external_id, told)
    if verb in HIDDEN:
        hide = Hide(external_id, hidden=verb == "hide", comment=comment)
        return f"{name} {verb}", hide
    if verb not in {"add", ""}:
        return f"ignored: {name} {shorten(verb)}", None
    return name, comment


def _edit(
    context: Context,
    value: Mapping[str, Any],
    external_id: str,
    comment: InboundMessage | None,
) -> Edit | None:
    text = read_text(value.get("message"))
    if not text:
        return None
    return Edit(external_id, text, number=1, at=context.moment(), comment=comment)


def _read_own_feed_comment(
    context: Context, value: Mapping[str, Any], comment_id: str
) -> Read:
    verb = read_text(value.get("verb"))
    if verb in REMOVED:
        return "comment removed", Unsend(external_id=comment_id, at=context.moment())
    if verb in EDITED:
        return "comment edited", _edit(context, value, comment_id, None)
    if verb in HIDDEN:
        return f"comment {verb}", Hide(comment_id, hidden=verb == "hide")
    if verb not in {"add", ""}:
        return f"ignored: comment {shorten(verb)}", None
    # Under our own post there is nobody to show it under; under a visitor's there is.
    answered = read_id(value.get("parent_id")) or read_id(value.get("post_id"))
    text = read_text(value.get("message"))
    moment = context.moment(value.get("created_time"))
    own = _own_comment(comment_id, answered, text, moment, _comment_parts(value))
    return "own comment", own


def _own_comment(
    comment_id: str,
    answered: str,
    text: str,
    moment: datetime,
    parts: tuple[Part, ...] = (),
) -> Echo | None:
    """Ours, from here or from Meta's own app: never a customer's (trap 16)."""
    if not answered:
        return None
    return Echo(
        person_id="",
        external_id=comment_id,
        sent_at=moment,
        type="comment",
        content=text,
        parts=parts,
        reply_to=read_mid(answered),
        extra={"comment": {"post_id": "", "permalink": None, "parent_id": answered}},
    )


def _feed_comment(
    context: Context, value: Mapping[str, Any], external_id: str
) -> InboundMessage:
    """A comment, a mention or a visitor's post: all three are comments in the inbox."""
    author_id, name = _feed_author(value)
    post = as_dict(value.get("post"))
    post_id = read_id(value.get("post_id"))
    parent_id = read_id(value.get("parent_id"))
    if parent_id in {post_id, external_id}:
        parent_id = ""
    extra: dict[str, Any] = {
        "comment": {
            "post_id": post_id,
            "permalink": read_text(post.get("permalink_url")) or None,
            "parent_id": parent_id or None,
        }
    }
    if is_true(value.get("is_hidden")):
        extra["hidden"] = True
    return InboundMessage(
        person_id=author_id or f"comment:{external_id}",
        name=name,
        external_id=external_id,
        sent_at=context.moment(value.get("created_time")),
        type="comment",
        content=read_text(value.get("message")),
        parts=_comment_parts(value),
        reply_to=parent_id,
        extra=extra,
    )


def _comment_parts(value: Mapping[str, Any]) -> tuple[Part, ...]:
    """`photo` and `video` of a comment; what a visitor's post shows: `link` or `photos`."""
    item, link = read_text(value.get("item")), read_text(value.get("link"))
    photos = value.get("photos")
    found = [("image", value.get("photo")), ("video", value.get("video"))]
    if item in {"photo", "video"}:
        found.append(("image" if item == "photo" else "video", link))
    elif item in POSTS and link:
        found.append(("share", link))
    if isinstance(photos, list):
        found += [("image", photo) for photo in photos]
    urls = dict.fromkeys((kind, read_text(url)) for kind, url in found if url)
    return tuple(Part(kind=kind, url=url) for kind, url in urls if url)


def _read_feed_post(context: Context, value: Mapping[str, Any]) -> Read:
    """A visitor's post opens a thread like a comment; our own posts are not messages."""
    verb = read_text(value.get("verb"))
    if verb in REMOVED:
        post_id = read_mid(value.get("post_id"))
        return "post removed", Unsend(external_id=post_id, at=context.moment())
    author_id, _name = _feed_author(value)
    if not author_id or author_id == context.account:
        return "ignored: own post", None
    post = _feed_comment(context, value, read_mid(value.get("post_id")))
    post.extra["comment"]["is_post"] = True
    label, item = _changed(context, value, "post", post)
    return ("visitor post" if label == "post" else label), item


def _read_page_mention(context: Context, value: Mapping[str, Any]) -> Read:
    external_id = read_mid(value.get("comment_id") or value.get("post_id"))
    author_id, _name = _feed_author(value)
    if author_id and author_id == context.account:
        return "ignored: own mention", None
    comment = _feed_comment(context, value, external_id)
    comment.extra["mention"] = True
    comment.extra["comment"]["is_post"] = not value.get("comment_id")
    return _changed(context, value, "mention", comment)


_CHANGES: dict[tuple[str, str], Callable[[Context, Mapping[str, Any]], Read]] = {
    ("instagram", "comments"): _read_comment,
    ("instagram", "live_comments"): _read_live_comment,
    ("instagram", "mentions"): _read_instagram_mention,
    ("messenger", "feed"): _read_feed,
    ("messenger", "mention"): _read_page_mention,
}
