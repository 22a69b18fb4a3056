"""`changes[]`: comments, mentions, what happens on the Page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from channels_meta.payloads.messaging import parse_messaging
from channels_meta.payloads.reading import Context, Parsed
from channels_meta.payloads.values import (
    as_dict,
    read_id,
    read_mid,
    read_text,
    shorten,
)
from inbox.inbound import Edit, Hide, InboundMessage, Item, Part, Unsend


def parse_change(context: Context, change: Mapping[str, Any]) -> Parsed:
    name = shorten(change.get("field"))
    value = change.get("value")
    accounts = (context.account,) if context.account else ()
    if not isinstance(value, Mapping):
        return Parsed(context.kind, (), None, f"ignored: {name} without value")
    if isinstance(value.get("sender"), Mapping) or isinstance(
        value.get("recipient"), Mapping
    ):
        return parse_messaging(
            context, value
        )  # the dashboard sends messages as changes
    read = _CHANGES.get((context.kind, name)) or _CHANGES.get(("", name))
    if read is None:
        return Parsed(context.kind, (), None, f"ignored: {name}")
    label, item = read(context, value)
    return Parsed(context.kind, accounts if item else (), item, label)


def _read_instagram_comment(
    context: Context, value: Mapping[str, Any]
) -> tuple[str, Item | None]:
    author = as_dict(value.get("from"))
    author_id = read_id(author.get("id"))
    if author.get("self_ig_scoped_id") or (author_id and author_id == context.account):
        return "ignored: own comment", None
    comment_id = read_mid(value.get("id") or value.get("comment_id"))
    media = as_dict(value.get("media"))
    return "comment", InboundMessage(
        person_id=author_id or f"comment:{comment_id}",
        username=read_text(author.get("username"))[:100],
        external_id=comment_id,
        # Meta tells no time of a comment; the notification's is the nearest (trap 2).
        sent_at=context.moment(),
        type="comment",
        content=read_text(value.get("text")),
        extra={
            "comment": {
                "post_id": read_id(media.get("id")),
                "permalink": None,
                "parent_id": read_id(value.get("parent_id")) or None,
                "media": dict(media),
            }
        },
    )


def _read_instagram_mention(
    context: Context, value: Mapping[str, Any]
) -> tuple[str, Item | None]:
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
            "comment": {"post_id": media_id, "permalink": None, "parent_id": None},
            "mention": True,
        },
    )


def _read_feed(context: Context, value: Mapping[str, Any]) -> tuple[str, Item | None]:
    item, verb = read_text(value.get("item")), read_text(value.get("verb"))
    if item == "comment":
        return _read_feed_comment(context, value, verb)
    if item in {"post", "status", "photo", "video"}:
        return _read_feed_post(context, value, verb)
    return f"ignored: feed {shorten(item)}", None


def _feed_author(value: Mapping[str, Any]) -> tuple[str, str]:
    """(id, name); before 2018 as sender_id and sender_name, without the permission not at all."""
    author = as_dict(value.get("from"))
    author_id = read_id(author.get("id")) or read_id(value.get("sender_id"))
    return author_id, read_text(author.get("name") or value.get("sender_name"))[:200]


def _read_feed_comment(
    context: Context, value: Mapping[str, Any], verb: str
) -> tuple[str, Item | None]:
    comment_id = read_mid(value.get("comment_id"))
    if verb in {"remove", "delete"}:
        return "comment removed", Unsend(external_id=comment_id, at=context.moment())
    if verb in {"edit", "edited"}:
        text = value.get("message")
        edit = (
            Edit(comment_id, read_text(text), number=1, at=context.moment())
            if text
            else None
        )
        return "comment edited", edit
    author_id, name = _feed_author(value)
    is_ours = bool(author_id) and author_id == context.account
    comment = None if is_ours else _comment(context, value, author_id, name, comment_id)
    if verb in {"hide", "unhide"}:
        return f"comment {verb}", Hide(
            comment_id, hidden=verb == "hide", comment=comment
        )
    return ("comment", comment) if comment else ("ignored: own comment", None)


def _comment(
    context: Context,
    value: Mapping[str, Any],
    author_id: str,
    name: str,
    external_id: str,
) -> InboundMessage:
    """A comment, a mention or a visitor's post: all three are comments in the inbox."""
    post = as_dict(value.get("post"))
    post_id = read_id(value.get("post_id"))
    parent_id = read_id(value.get("parent_id"))
    return InboundMessage(
        person_id=author_id or f"comment:{external_id}",
        name=name,
        external_id=external_id,
        sent_at=context.moment(value.get("created_time")),
        type="comment",
        content=read_text(value.get("message")),
        parts=_comment_parts(value),
        extra={
            "comment": {
                "post_id": post_id,
                "permalink": read_text(post.get("permalink_url")) or None,
                "parent_id": parent_id if parent_id and parent_id != post_id else None,
            }
        },
    )


def _comment_parts(value: Mapping[str, Any]) -> tuple[Part, ...]:
    """`photo` and `video` of a comment; the `link` of a photo or video that a visitor posted."""
    item, link = read_text(value.get("item")), read_text(value.get("link"))
    urls = {
        "image": read_text(value.get("photo")),
        "video": read_text(value.get("video")),
    }
    if item in {"photo", "video"} and link:
        urls["image" if item == "photo" else "video"] = link
    return tuple(Part(kind=kind, url=url) for kind, url in urls.items() if url)


def _read_feed_post(
    context: Context, value: Mapping[str, Any], verb: str
) -> tuple[str, Item | None]:
    """A visitor's post opens a thread like a comment; our own posts are not messages."""
    author_id, name = _feed_author(value)
    if not author_id or author_id == context.account:
        return "ignored: own post", None
    post_id = read_mid(value.get("post_id"))
    if verb in {"edit", "edited"}:
        text = value.get("message")
        edit = (
            Edit(post_id, read_text(text), number=1, at=context.moment())
            if text
            else None
        )
        return "post edited", edit
    if verb in {"remove", "delete"}:
        return "post removed", Unsend(external_id=post_id, at=context.moment())
    if verb != "add":
        return f"ignored: post {shorten(verb)}", None
    post = _comment(context, value, author_id, name, post_id)
    post.extra["comment"]["is_post"] = True
    return "visitor post", post


def _read_page_mention(
    context: Context, value: Mapping[str, Any]
) -> tuple[str, Item | None]:
    if read_text(value.get("verb")) not in {"add", ""}:
        return "ignored: mention change", None
    external_id = read_mid(value.get("comment_id") or value.get("post_id"))
    author_id, name = _feed_author(value)
    if author_id and author_id == context.account:
        return "ignored: own comment", None
    comment = _comment(context, value, author_id, name, external_id)
    comment.extra["mention"] = True
    return "mention", comment


_CHANGES: dict[
    tuple[str, str], Callable[[Context, Mapping[str, Any]], tuple[str, Item | None]]
] = {
    ("instagram", "comments"): _read_instagram_comment,
    ("instagram", "live_comments"): _read_instagram_comment,
    ("instagram", "mentions"): _read_instagram_mention,
    ("messenger", "feed"): _read_feed,
    ("messenger", "mention"): _read_page_mention,
}
