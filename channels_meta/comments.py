"""What can be done with public comments: the edges of both platforms (contract 6.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels_meta.errors import REFUSED, UNCERTAIN
from channels_meta.graph import GraphClient, is_success
from inbox.channels import ErrorClass, SendError


def reply_on_page(client: GraphClient, comment_id: str, text: str) -> str:
    """Answer a comment, or a visitor's post, of a Page. Returns the new comment's id."""
    return _new_id(client.post(f"{comment_id}/comments", {"message": text}))


def reply_on_instagram(client: GraphClient, comment_id: str, text: str) -> str:
    """Answer a comment below our own media; Meta files an answer to an answer under the first."""
    return _new_id(client.post(f"{comment_id}/replies", params={"message": text}))


def reply_to_mention(
    client: GraphClient, account_id: str, media_id: str, comment_id: str, text: str
) -> str:
    """Answer below somebody else's media that mentions us, in its caption or in a comment."""
    params = {"media_id": media_id, "message": text}
    if comment_id:
        params["comment_id"] = comment_id
    return _new_id(client.post(f"{account_id}/mentions", params=params))


def _new_id(answer: Mapping[str, Any]) -> str:
    """Nothing keeps a public answer from being posted twice: without an id, nobody knows."""
    new_id = answer.get("id")
    if not new_id:
        raise SendError(ErrorClass.UNCERTAIN, UNCERTAIN, code="no_comment_id")
    return str(new_id)


def hide_on_page(client: GraphClient, comment_id: str, *, hidden: bool) -> None:
    _require(client.post(comment_id, {"is_hidden": hidden}, is_repeatable=True))


def hide_on_instagram(client: GraphClient, comment_id: str, *, hidden: bool) -> None:
    word = "true" if hidden else "false"
    _require(client.post(comment_id, params={"hide": word}, is_repeatable=True))


def delete(client: GraphClient, comment_id: str) -> None:
    _require(client.delete(comment_id))


def like_on_page(client: GraphClient, comment_id: str, *, liked: bool) -> None:
    edge = f"{comment_id}/likes"
    if liked:
        _require(client.post(edge, is_repeatable=True))
    else:
        _require(client.delete(edge))


def _require(answer: Mapping[str, Any]) -> None:
    if not is_success(answer):
        raise SendError(ErrorClass.BAD_REQUEST, REFUSED, code="no_success")
