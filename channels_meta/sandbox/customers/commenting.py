"""What a pretend customer does in public: comments, posts, mentions."""

from __future__ import annotations

import secrets

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_meta.sandbox import webhooks
from channels_meta.sandbox.customers.phone import (
    Happening,
    Kind,
    NothingThere,
    Told,
    moment,
    remember,
)
from channels_meta.sandbox.models import SandboxMessage, SandboxPerson

# The post that everybody comments on, as each kind numbers its posts.
INSTAGRAM_POST = "17970000000000001"
PAGE_POST = "9000000000000001"
AD = {"ad_id": "6120000000061", "ad_title": "Winter bags, made by hand"}


def comment(person: SandboxPerson, text: str = "") -> Happening:
    """Below the account's newest post. Opens no window: it is not written to the account."""
    return _comment(person, text or _("How much is it?"))


def comment_on_ad(person: SandboxPerson, text: str = "") -> Happening:
    """Below a post that is an ad: Instagram says which."""
    return _comment(person, text or _("Do you ship abroad?"), is_ad=True)


def reply_to_comment(person: SandboxPerson, text: str = "") -> Happening:
    """Below our newest answer in public, or their own comment. Raises NothingThere without one."""
    above = (
        _own_comments(person).filter(direction="out").last()
        or _own_comments(person).last()
    )
    if above is None:
        raise NothingThere(gettext_lazy("There is no comment yet to answer."))
    # Instagram files every answer under the comment that began it.
    parent = (
        (above.parent_id or above.mid) if person.account.is_instagram else above.mid
    )
    return _comment(
        person, text or _("Thank you!"), parent_id=parent, post_id=above.post_id
    )


def edit_comment(person: SandboxPerson, text: str = "") -> Happening:
    """Pages tell of it; Instagram does not. Raises NothingThere without a comment."""
    message = _newest_comment(person)
    message.text = text or _("%(text)s (edited)") % {"text": message.text}
    message.edited_at = moment()
    message.edits += 1
    message.save(update_fields=["text", "edited_at", "edits"])
    return _told_of(message, "edited")


def delete_comment(person: SandboxPerson) -> Happening:
    """Pages tell of it; Instagram does not. Raises NothingThere without a comment."""
    message = _newest_comment(person)
    message.unsent_at = moment()
    message.text = ""
    message.save(update_fields=["unsent_at", "text"])
    person.calls.filter(summary=message.mid).update(payload={})
    return _told_of(message, "remove")


def post_on_page(person: SandboxPerson, text: str = "") -> Happening:
    """A visitor's own post on the Page."""
    text = text or _("My order came today. Lovely work!")
    post_id = f"{person.account.external_id}_{_number()}"
    message = remember(person, Kind.POST, text=text, mid=post_id, post_id=post_id)
    data = webhooks.build_visitor_post(
        person, post_id=post_id, at=message.sent_at, text=text
    )
    return Happening(person, Told.POST, post_id, data)


def mention(person: SandboxPerson, text: str = "") -> Happening:
    """The account's name in a comment elsewhere: below a post that is not the account's."""
    handle = person.account.username or person.account.name
    text = text or _("Look at @%(name)s!") % {"name": handle}
    if person.account.is_instagram:
        media_id, comment_id = f"17{_number()}", f"18{_number()}"
    else:
        media_id = f"{_number()}_{_number()}"
        comment_id = f"{media_id.split('_')[1]}_{_number()}"
    remember(person, Kind.MENTION, text=text, mid=comment_id, post_id=media_id)
    data = webhooks.build_mention(
        person, media_id=media_id, comment_id=comment_id, at=moment(), text=text
    )
    return Happening(person, Told.MENTION, comment_id, data)


def _comment(
    person: SandboxPerson,
    text: str,
    *,
    parent_id: str = "",
    post_id: str = "",
    is_ad: bool = False,
) -> Happening:
    post_id = post_id or post_of(person)
    message = remember(
        person,
        Kind.COMMENT,
        text=text,
        mid=webhooks.make_comment_id(person.account, post_id),
        post_id=post_id,
        parent_id=parent_id,
    )
    data = webhooks.build_comment(
        person,
        comment_id=message.mid,
        post_id=post_id,
        at=message.sent_at,
        text=text,
        parent_id=parent_id,
        ad=dict(AD) if is_ad else None,
    )
    return Happening(person, Told.COMMENT, message.mid, data)


def _told_of(message: SandboxMessage, verb: str) -> Happening:
    person = message.person
    data: webhooks.Data = {}
    if not person.account.is_instagram:
        data = webhooks.build_comment(
            person,
            comment_id=message.mid,
            post_id=message.post_id,
            at=moment(),
            text=message.text,
            parent_id=message.parent_id,
            verb=verb,
        )
    return Happening(person, Told.COMMENT_CHANGE, message.mid, data)


def _own_comments(person: SandboxPerson) -> QuerySet[SandboxMessage]:
    return person.messages.filter(kind=Kind.COMMENT, unsent_at=None)


def _newest_comment(person: SandboxPerson) -> SandboxMessage:
    found = _own_comments(person).filter(direction="in").last()
    if found is None:
        raise NothingThere(gettext_lazy("You have not commented yet."))
    return found


def post_of(person: SandboxPerson) -> str:
    if person.account.is_instagram:
        return INSTAGRAM_POST
    return f"{person.account.external_id}_{PAGE_POST}"


def _number() -> str:
    return str(secrets.randbelow(9 * 10**14) + 10**14)
