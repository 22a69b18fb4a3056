"""What can be done to comments, and what they tell of themselves (contract 3 and 6.7)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.utils.timezone import now

from channels_meta.assumptions import assume
from channels_meta.sandbox import clock, errors, webhooks, windows
from channels_meta.sandbox.errors import GraphError
from channels_meta.sandbox.graph.door import Call, graph_view, note
from channels_meta.sandbox.graph.parameters import (
    Field,
    as_flag,
    as_text,
    parse_fields,
    pick,
)
from channels_meta.sandbox.models import (
    PUBLIC_KINDS,
    SandboxAccount,
    SandboxCall,
    SandboxMessage,
)

MAX_INSTAGRAM_TEXT, MAX_PAGE_TEXT = 2200, 8000

Told = SandboxCall.Kind
Kind = SandboxMessage.Kind


def iso(moment: datetime) -> str:
    """As the Graph API writes moments: 2026-11-22T09:00:00+0000."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def find(call: Call, node: str) -> SandboxMessage | None:
    """A comment or visitor post below what these accounts own; None if there is none by this id."""
    return (
        SandboxMessage.objects.select_related("person__account__page")
        .filter(mid=node, kind__in=PUBLIC_KINDS, person__account__in=call.accounts())
        .first()
    )


def get(call: Call, node: str) -> SandboxMessage:
    """Raises GraphError for one that there is not, or not any more."""
    found = find(call, node)
    if found is None or found.unsent_at or found.kind == Kind.MENTION:
        raise errors.no_such_object(node)
    return found


# --- answering in public -----------------------------------------------------------------------------


@graph_view("POST", "GET")
def replies(call: Call, node: str) -> HttpResponse:
    """Instagram: POST /{comment}/replies; GET lists them."""
    comment = get(call, node)
    account = comment.person.account
    if not account.is_instagram:
        raise errors.unsupported_method(str(call.request.method))
    _needs_comments(call)
    if call.request.method == "GET":
        return JsonResponse({"data": _below(comment.parent_id or comment.mid)})
    if comment.is_hidden:
        raise errors.bad_parameter("Hidden comments cannot be replied to.")
    # An answer to an answer is filed under the comment that began it.
    return _answer(call, comment, parent_id=comment.parent_id or comment.mid)


@graph_view("POST", "GET")
def comments(call: Call, node: str) -> HttpResponse:
    """Pages: POST /{comment or post}/comments; Instagram: the same of a medium. GET lists them."""
    comment = find(call, node)
    if comment is None or comment.unsent_at:
        return _comments_of_post(call, node)
    account = comment.person.account
    if account.is_instagram:
        raise errors.unsupported_method(str(call.request.method))
    _needs_comments(call)
    if call.request.method == "GET":
        return JsonResponse({"data": _below(comment.mid)})
    parent_id = "" if comment.kind == Kind.POST else comment.mid
    return _answer(call, comment, parent_id=parent_id)


def _comments_of_post(call: Call, node: str) -> HttpResponse:
    rows = SandboxMessage.objects.select_related("person__account__page").filter(
        post_id=node,
        kind=Kind.COMMENT,
        person__account__in=call.accounts(),
        unsent_at=None,
    )
    newest = rows.last()
    if newest is None:
        raise errors.no_such_object(node)
    _needs_comments(call)
    if call.request.method == "GET":
        return JsonResponse({"data": [_summary(row) for row in rows[:50]]})
    return _answer(call, newest, parent_id="")


@graph_view("POST")
def answer_mention(call: Call, node: str) -> HttpResponse:
    """POST /{IG_ID}/mentions: below somebody else's medium that names the account."""
    account = call.own(node)
    named = as_text(call.data.get("comment_id")) or as_text(call.data.get("media_id"))
    mention = (
        find(call, named)
        or SandboxMessage.objects.filter(
            kind=Kind.MENTION, post_id=named, person__account=account
        ).first()
    )
    if mention is None or not account.is_instagram:
        raise errors.no_such_object(named)
    return _answer(call, mention, parent_id=mention.mid, is_told=False)


def _answer(
    call: Call, above: SandboxMessage, *, parent_id: str, is_told: bool = True
) -> HttpResponse:
    """The account's own comment. Nothing keeps a second one from being posted."""
    person = above.person
    account = person.account
    text = as_text(call.data.get("message"))
    maximum = MAX_INSTAGRAM_TEXT if account.is_instagram else MAX_PAGE_TEXT
    if not text.strip() or len(text) > maximum:
        raise errors.bad_parameter("Param message must be a non-empty string")
    at = now().replace(microsecond=0)
    own = SandboxMessage.objects.create(
        person=person,
        mid=webhooks.make_comment_id(account, above.post_id),
        direction=SandboxMessage.Direction.OUT,
        kind=Kind.COMMENT,
        text=text,
        post_id=above.post_id,
        parent_id=parent_id,
        sent_at=at,
    )
    if is_told:
        data = webhooks.build_own_comment(
            account,
            comment_id=own.mid,
            post_id=own.post_id,
            at=at,
            text=text,
            parent_id=parent_id,
        )
        webhooks.tell(person, Told.OWN_COMMENT, data, summary=own.mid)
    response = JsonResponse({"id": own.mid})
    note(call, account, Told.PUBLIC_REPLY, response, person=person, summary=own.mid)
    return response


# --- hiding, deleting, liking ------------------------------------------------------------------------


def update(call: Call, comment: SandboxMessage) -> HttpResponse:
    """POST /{comment}: `hide` on Instagram, `is_hidden` on a Page."""
    account = comment.person.account
    name = "hide" if account.is_instagram else "is_hidden"
    if name not in call.data:
        raise errors.bad_parameter(f"The parameter {name} is required")
    _needs_comments(call)
    if comment.direction == SandboxMessage.Direction.OUT:
        raise errors.bad_parameter("The account's own comments cannot be hidden")
    comment.is_hidden = as_flag(call.data[name])
    comment.save(update_fields=["is_hidden"])
    _tell(comment, "hide" if comment.is_hidden else "unhide")
    return _done(call, comment, name)


@transaction.atomic
def delete(call: Call, comment: SandboxMessage) -> HttpResponse:
    """DELETE /{comment}: gone for everybody."""
    _needs_comments(call)
    comment.unsent_at = now()
    comment.text = ""
    comment.save(update_fields=["unsent_at", "text"])
    _tell(comment, "remove")
    return _done(call, comment, "delete")


@graph_view("POST", "DELETE")
def likes(call: Call, node: str) -> HttpResponse:
    """Pages only: the platform that Instagram is has no such call."""
    comment = get(call, node)
    is_possible = assume("FACEBOOK_COMMENT_LIKES")
    if comment.person.account.is_instagram or not is_possible:
        raise errors.unsupported_method(str(call.request.method))
    _needs_comments(call)
    comment.is_liked = call.request.method == "POST"
    comment.save(update_fields=["is_liked"])
    return _done(call, comment, "like" if comment.is_liked else "unlike")


def _tell(comment: SandboxMessage, verb: str) -> None:
    """A Page is told what was done in its name; Instagram tells nothing of it."""
    person = comment.person
    if person.account.is_instagram:
        return
    build = webhooks.build_comment
    data = build(
        person,
        comment_id=comment.mid,
        post_id=comment.post_id,
        at=now(),
        text=comment.text,
        parent_id=comment.parent_id,
        verb=verb,
    )
    webhooks.tell(person, Told.COMMENT_CHANGE, data, summary=comment.mid)


def _done(call: Call, comment: SandboxMessage, what: str) -> HttpResponse:
    response = JsonResponse({"success": True})
    person = comment.person
    note(
        call,
        person.account,
        Told.COMMENT_ACT,
        response,
        person=person,
        summary=comment.mid,
        asked={"comment": comment.mid, "do": what},
    )
    return response


def _needs_comments(call: Call) -> None:
    if call.host.name == "instagram":
        call.needs("", "instagram_business_manage_comments")
        return
    name = "instagram_manage_comments" if _speaks_instagram(call) else "pages_manage_engagement"  # fmt: skip
    call.needs(name)


def _speaks_instagram(call: Call) -> bool:
    return call.account is not None and call.account.is_instagram


# --- reading -----------------------------------------------------------------------------------------


def read(call: Call, comment: SandboxMessage) -> HttpResponse:
    """GET /{comment}: what its notice left out, above all when it was written."""
    account = comment.person.account
    fields = parse_fields(as_text(call.data.get("fields")))
    describe = _instagram_comment if account.is_instagram else _page_comment
    kind = "IGComment" if account.is_instagram else "Comment"
    default = ("timestamp", "text", "id") if account.is_instagram else ("created_time", "from", "message", "id")  # fmt: skip
    return JsonResponse(pick(describe(comment), fields, kind=kind, default=default))


def _author(comment: SandboxMessage) -> dict[str, Any]:
    person, account = comment.person, comment.person.account
    is_own = comment.direction == SandboxMessage.Direction.OUT
    if account.is_instagram:
        if is_own:
            return {"id": account.external_id, "username": account.username}
        return {"id": person.external_id, "username": person.username}
    if is_own:
        return {"id": account.external_id, "name": account.name}
    return {"id": person.comments_as, "name": person.name}


def _instagram_comment(comment: SandboxMessage) -> dict[str, Any]:
    author = _author(comment)
    return {
        "id": comment.mid,
        "text": comment.text,
        "timestamp": iso(comment.sent_at),
        "username": author["username"],
        "from": author,
        "user": None,
        "parent_id": comment.parent_id or None,
        "media": lambda asked: pick(media(comment.post_id), asked.inner),
        "hidden": comment.is_hidden,
        "like_count": 0,
        "replies": lambda _asked: {"data": _below(comment.mid)},
    }


def media(post_id: str) -> dict[str, Any]:
    """A medium of the account, as anybody sees it."""
    return {
        "id": post_id,
        "permalink": f"https://www.instagram.com/p/{post_id}/",
        "media_type": "IMAGE",
        "media_product_type": "FEED",
        "media_url": "https://scontent.cdninstagram.com/v/pretend.jpg",
        "thumbnail_url": None,
        "caption": "The green bag is back.",
        "timestamp": "2026-11-01T09:00:00+0000",
        "username": "maison.tilila",
        "owner": None,
    }


def _page_comment(comment: SandboxMessage) -> dict[str, Any]:
    is_own = comment.direction == SandboxMessage.Direction.OUT
    may_answer = (
        comment.answered_privately_at is None
        and not is_own
        and not clock.is_over(comment.sent_at, windows.PRIVATE_REPLY_LASTS)
    )
    post = comment.mid if comment.kind == Kind.POST else comment.post_id
    link = f"https://www.facebook.com/{post}"
    if comment.kind == Kind.COMMENT:
        link += f"?comment_id={comment.mid.split('_')[-1]}"
    parent = {"id": comment.parent_id} if comment.parent_id else None
    return {
        "id": comment.mid,
        "message": comment.text,
        "from": _author(comment),
        "created_time": iso(comment.sent_at),
        "parent": parent,
        "attachment": None,
        "permalink_url": link,
        "can_comment": True,
        "can_hide": not is_own,
        "can_remove": True,
        "can_like": True,
        "can_reply_privately": may_answer,
        "private_reply_conversation": None,
        "is_hidden": comment.is_hidden,
        "comment_count": 0,
        "like_count": 1 if comment.is_liked else 0,
        "user_likes": comment.is_liked,
    }


def post(post_id: str) -> dict[str, Any]:
    """A post of a Page."""
    return {
        "id": post_id,
        "message": "The green bag is back.",
        "permalink_url": f"https://www.facebook.com/{post_id}",
        "full_picture": None,
        "created_time": "2026-11-01T09:00:00+0000",
        "from": None,
    }


def _below(parent_id: str) -> list[dict[str, Any]]:
    rows = SandboxMessage.objects.select_related("person__account").filter(
        parent_id=parent_id, kind=Kind.COMMENT, unsent_at=None
    )
    return [_summary(row) for row in rows[:50]]


def _summary(comment: SandboxMessage) -> dict[str, Any]:
    if comment.person.account.is_instagram:
        return {
            "id": comment.mid,
            "text": comment.text,
            "timestamp": iso(comment.sent_at),
        }
    return {
        "id": comment.mid,
        "message": comment.text,
        "from": _author(comment),
        "created_time": iso(comment.sent_at),
    }


# --- mentions ----------------------------------------------------------------------------------------


def mentioned_comment(account: SandboxAccount, asked: Field) -> dict[str, Any]:
    """`mentioned_comment.comment_id(ID){...}`: a stranger's comment that names the account."""
    found = _mention(account, mid=asked.arguments.get("comment_id", ""))
    known = {
        "id": found.mid,
        "text": found.text,
        "timestamp": iso(found.sent_at),
        "username": found.person.username,
        "like_count": 0,
        "media": {"id": found.post_id},
    }
    return pick(known, asked.inner)


def mentioned_media(account: SandboxAccount, asked: Field) -> dict[str, Any]:
    """`mentioned_media.media_id(ID){...}`: the medium itself, its caption perhaps with the name."""
    found = _mention(account, post_id=asked.arguments.get("media_id", ""))
    known = media(found.post_id) | {
        "caption": found.text.replace("@", ""),
        "timestamp": iso(found.sent_at),
        "username": found.person.username,
    }
    return pick(known, asked.inner)


def _mention(account: SandboxAccount, **named: str) -> SandboxMessage:
    found = (
        SandboxMessage.objects.select_related("person")
        .filter(kind=Kind.MENTION, person__account=account, unsent_at=None, **named)
        .first()
    )
    if found is None:
        raise GraphError(24, "The comment or media is not available.", 2207044)
    return found
