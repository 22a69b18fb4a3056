"""What the notice of a comment or mention left out: when, where, by whom.

Source: contract of `GET /{ig-comment-id}`, of Page comments and posts, and of `mentioned_comment`
and `mentioned_media`, Graph API v26.0. An Instagram comment's notice tells no time (trap 2), and
the time decides until when it may be answered in private.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from channels_meta.assumptions import assume
from channels_meta.graph import GraphClient
from channels_meta.payloads.values import (
    as_dict,
    read_id,
    read_moment,
    read_text,
)
from inbox.channels import Details, ErrorClass, SendError
from inbox.models import Channel

INSTAGRAM_MEDIA = "media{id,permalink,media_type,media_product_type}"
# The second of each is asked for when Meta does not know a field of the first.
INSTAGRAM_COMMENT = (
    (
        "id,text,timestamp,username,from,parent_id,hidden,like_count,"
        "media{id,permalink,media_type,media_product_type,media_url,thumbnail_url,caption}"
    ),
    f"id,text,timestamp,username,from,parent_id,hidden,like_count,{INSTAGRAM_MEDIA}",
)
PAGE_COMMENT = (
    (
        "id,message,from,created_time,parent,permalink_url,can_comment,can_hide,can_remove,"
        "can_reply_privately,is_hidden,comment_count,like_count"
    ),
    "id,message,from,created_time,permalink_url",
)
PAGE_POST = (
    "id,message,from,created_time,permalink_url,can_reply_privately,is_hidden",
    "id,message,from,created_time,permalink_url",
)
POST_OF_COMMENT = ("id,message,permalink_url,full_picture", "id,permalink_url")
Reader = Callable[[GraphClient, str, Mapping[str, Any]], Details]

MENTIONED_COMMENT = "id,text,timestamp,username,like_count,media{id}"
MENTIONED_MEDIA = "id,caption,media_type,media_url,permalink,timestamp,username"


def fetch_details(
    client: GraphClient, channel: Channel, external_id: str, extra: Mapping[str, Any]
) -> Details:
    """Ask for one comment, visitor post or mention; `gone` if it was deleted.

    extra: Message.extra of it. Raises SendError for every other refusal.
    """
    comment = as_dict(extra.get("comment"))
    if channel.kind == "instagram":
        if extra.get("mention"):
            return _read_mention(client, channel, external_id, comment)
        return _unless_gone(client, comment, external_id, _read_instagram_comment)
    if extra.get("mention"):  # below a stranger's post: absence proves nothing
        return _read_page_comment(client, external_id, comment)
    return _unless_gone(client, comment, external_id, _read_page_comment)


# --- Instagram -----------------------------------------------------------------------------------


def _read_instagram_comment(
    client: GraphClient, external_id: str, known: Mapping[str, Any]
) -> Details:
    answer = _get(client, external_id, *INSTAGRAM_COMMENT)
    author = as_dict(answer.get("from"))
    username = read_text(author.get("username") or answer.get("username"))[:100]
    media = as_dict(answer.get("media"))
    return Details(
        comment=_told(
            permalink=read_text(media.get("permalink")),
            post_id=read_id(media.get("id")),
            parent_id=read_id(answer.get("parent_id")),
            media=_media(media) | _advertised(known),
            like_count=answer.get("like_count"),
            hidden=answer.get("hidden"),
        ),
        sent_at=read_moment(answer.get("timestamp")),
        content=_text(answer, "text"),
        author=_author(read_id(author.get("id")), username, ""),
    )


def _media(media: Mapping[str, Any]) -> dict[str, Any]:
    """A video has a thumbnail of its own, a picture is one."""
    is_picture = read_text(media.get("media_type")) in {"IMAGE", "CAROUSEL_ALBUM"}
    picture = read_text(media.get("media_url")) if is_picture else ""
    return _told(
        id=read_id(media.get("id")),
        url=read_text(media.get("permalink")),
        thumbnail=read_text(media.get("thumbnail_url")) or picture,
        type=read_text(media.get("media_type")),
        product_type=read_text(media.get("media_product_type")),
        caption=read_text(media.get("caption"))[:500],
    )


def _advertised(known: Mapping[str, Any]) -> dict[str, Any]:
    """What only the notice told of the medium (an ad's ids) stays."""
    return {
        key: value
        for key, value in as_dict(known.get("media")).items()
        if key in {"ad_id", "ad_title", "original_media_id"}
    }


def _read_mention(
    client: GraphClient, channel: Channel, external_id: str, known: Mapping[str, Any]
) -> Details:
    """Strangers' media are readable only through our own account, and name no author's id."""
    account = channel.external_id
    if external_id.startswith("mention:"):
        media_id = external_id.removeprefix("mention:")
        fields = f"mentioned_media.media_id({media_id}){{{MENTIONED_MEDIA}}}"
        found = as_dict(client.get(account, fields=fields).get("mentioned_media"))
        text = _text(found, "caption")
        comment = _told(
            permalink=read_text(found.get("permalink")), media=_media(found)
        )
    else:
        fields = f"mentioned_comment.comment_id({external_id}){{{MENTIONED_COMMENT}}}"
        found = as_dict(client.get(account, fields=fields).get("mentioned_comment"))
        text = _text(found, "text")
        comment = _told(like_count=found.get("like_count"))
        media_id = read_id(as_dict(found.get("media")).get("id"))
        if media_id:
            comment["post_id"] = media_id
    return Details(
        comment=comment,
        sent_at=read_moment(found.get("timestamp")),
        content=text,
        author=_author("", read_text(found.get("username"))[:100], ""),
    )


# --- Pages ---------------------------------------------------------------------------------------


def _read_page_comment(
    client: GraphClient, external_id: str, known: Mapping[str, Any]
) -> Details:
    is_post = bool(known.get("is_post"))
    answer = _get(client, external_id, *(PAGE_POST if is_post else PAGE_COMMENT))
    author = as_dict(answer.get("from"))
    post_id = read_id(known.get("post_id"))
    post = {} if is_post or not post_id else _post_of(client, post_id)
    return Details(
        comment=_told(
            permalink=read_text(answer.get("permalink_url")),
            parent_id=read_id(as_dict(answer.get("parent")).get("id")),
            media=_told(
                id=read_id(post.get("id")),
                url=read_text(post.get("permalink_url")),
                thumbnail=read_text(post.get("full_picture")),
                caption=read_text(post.get("message"))[:500],
            ),
            like_count=answer.get("like_count"),
            hidden=answer.get("is_hidden"),
            can_hide=answer.get("can_hide"),
            can_delete=answer.get("can_remove"),
            can_reply=answer.get("can_comment"),
            can_reply_privately=answer.get("can_reply_privately"),
        ),
        sent_at=read_moment(answer.get("created_time")),
        content=_text(answer, "message"),
        author=_author(read_id(author.get("id")), "", read_text(author.get("name"))),
    )


def _post_of(client: GraphClient, post_id: str) -> Mapping[str, Any]:
    """The post below which it stands, for its picture and words: worth having, not waiting for."""
    try:
        return _get(client, post_id, *POST_OF_COMMENT)
    except SendError as error:
        if error.error_class in {ErrorClass.THROTTLED, ErrorClass.RECONNECT}:
            raise
        return {}


# --- what both share -----------------------------------------------------------------------------


def _get(client: GraphClient, node: str, *choices: str) -> Mapping[str, Any]:
    """The node with the first choice of fields that Meta knows all of."""
    for fields in choices[:-1]:
        try:
            return client.get(node, fields=fields)
        except SendError as error:
            if error.error_class is not ErrorClass.BAD_REQUEST:
                raise
    return client.get(node, fields=choices[-1])


def _unless_gone(
    client: GraphClient,
    comment: Mapping[str, Any],
    external_id: str,
    read: Reader,
) -> Details:
    """100/33 says "deleted" and "not permitted" alike: it counts as deleted if we may read the
    post below which it stood."""
    try:
        return read(client, external_id, comment)
    except SendError as error:
        if error.code != "100/33" or not assume("MISSING_COMMENT_IS_DELETED"):
            raise
        post_id = read_id(comment.get("post_id"))
        if not post_id or post_id == external_id:
            raise
        client.get(post_id, fields="id")
        return Details(gone=True)


def _told(**values: Any) -> dict[str, Any]:
    """What Meta did tell: what is already known must not be overwritten with nothing."""
    return {
        key: value
        for key, value in values.items()
        if value is not None and value not in ("", {})
    }


def _text(answer: Mapping[str, Any], key: str) -> str | None:
    return read_text(answer[key]) if isinstance(answer.get(key), str) else None


def _author(external_id: str, username: str, name: str) -> tuple[str, str, str] | None:
    if not (external_id or username or name):
        return None
    return external_id, username, name[:200]
