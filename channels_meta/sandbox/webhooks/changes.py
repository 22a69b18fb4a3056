"""What Meta tells of comments, posts and mentions, in Meta's own shapes (contract of `changes`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from channels_meta.sandbox.models import SandboxAccount, SandboxPerson
from channels_meta.sandbox.webhooks.bodies import Data, body_of


def build_comment(
    person: SandboxPerson,
    *,
    comment_id: str,
    post_id: str,
    at: datetime,
    text: str,
    parent_id: str = "",
    verb: str = "add",
    ad: Data | None = None,
    is_live: bool = False,
) -> Data:
    """The person commented. verb: Pages also tell of `edited`, `remove`, `hide` and `unhide`.

    parent_id: the comment that it answers. ad: {ad_id, ad_title} where it stands below an ad.
    """
    author = {"id": person.comments_as}
    if person.account.is_instagram:
        author["username"] = person.username
        value = _instagram_comment(author, comment_id, post_id, text, parent_id, ad)
        field = "live_comments" if is_live else "comments"
        return build_change(person.account, field, value, at=at)
    author["name"] = person.name
    value = _page_comment(author, comment_id, post_id, text, parent_id, verb, at)
    return build_change(person.account, "feed", value, at=at)


def build_own_comment(
    account: SandboxAccount,
    *,
    comment_id: str,
    post_id: str,
    at: datetime,
    text: str,
    parent_id: str = "",
    verb: str = "add",
) -> Data:
    """The account commented: it comes back as anybody's comment does, but for who wrote it."""
    if account.is_instagram:
        author = {
            "id": account.external_id,
            "username": account.username,
            "self_ig_scoped_id": account.scoped_id or account.external_id,
        }
        value = _instagram_comment(author, comment_id, post_id, text, parent_id, None)
        return build_change(account, "comments", value, at=at)
    author = {"id": account.external_id, "name": account.name}
    value = _page_comment(author, comment_id, post_id, text, parent_id, verb, at)
    return build_change(account, "feed", value, at=at)


def build_visitor_post(
    person: SandboxPerson, *, post_id: str, at: datetime, text: str
) -> Data:
    value = {
        "item": "status",
        "verb": "add",
        "post_id": post_id,
        "from": {"id": person.comments_as, "name": person.name},
        "created_time": int(at.timestamp()),
        "published": 1,
        "message": text,
    }
    return build_change(person.account, "feed", value, at=at)


def build_mention(
    person: SandboxPerson, *, media_id: str, comment_id: str, at: datetime, text: str
) -> Data:
    """Somebody named the account below a post of theirs, or in it (then comment_id is "").

    A Page is not told who it was; an Instagram account is told no more than the ids.
    """
    if person.account.is_instagram:
        named: Data = {"media_id": media_id}
        if comment_id:
            named["comment_id"] = comment_id
        return build_change(person.account, "mentions", named, at=at)
    value: Data = {
        "item": "comment" if comment_id else "post",
        "verb": "add",
        "post_id": media_id,
        "created_time": int(at.timestamp()),
        "message": text,
    }
    if comment_id:
        value["comment_id"] = comment_id
    return build_change(person.account, "mention", value, at=at)


def build_change(
    account: SandboxAccount, field: str, value: Any, *, at: datetime
) -> Data:
    """Changes count in seconds, messages in milliseconds."""
    changes = [{"field": field, "value": value}]
    return body_of(account, time=int(at.timestamp()), changes=changes)


def _instagram_comment(
    author: Data,
    comment_id: str,
    post_id: str,
    text: str,
    parent_id: str,
    ad: Data | None,
) -> Data:
    """Without the time at which it was written: `entry.time` is when we were told."""
    media: Data = {"id": post_id, "media_product_type": "AD" if ad else "FEED"}
    if ad:
        media |= ad
    value: Data = {"id": comment_id, "text": text, "from": author, "media": media}
    if parent_id:
        value["parent_id"] = parent_id
    return value


def _page_comment(
    author: Data,
    comment_id: str,
    post_id: str,
    text: str,
    parent_id: str,
    verb: str,
    at: datetime,
) -> Data:
    value: Data = {
        "item": "comment",
        "verb": verb,
        "post_id": post_id,
        "comment_id": comment_id,
        "parent_id": parent_id or post_id,
        "from": author,
        "created_time": int(at.timestamp()),
        "message": text,
        "post": {
            "id": post_id,
            "permalink_url": f"https://www.facebook.com/{post_id}",
            "status_type": "added_photos",
            "is_published": True,
            "promotion_status": "inactive",
        },
    }
    if verb == "remove":
        del value["message"]
    return value
