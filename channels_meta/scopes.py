"""The permissions we ask a person for at Meta, what each is for, and what their absence costs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_meta.models import Credential

FACEBOOK, INSTAGRAM = (
    Credential.Flavour.FACEBOOK_LOGIN,
    Credential.Flavour.INSTAGRAM_LOGIN,
)
# The tasks on a Page that its messages need (Messenger Platform, "Get started").
NEEDED_TASKS = ("MESSAGING", "MODERATE")


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission. gives: what it lets us do, as the rest of "Lets Dexra ...".

    needed_by: kinds of channel that do not work without it; others lose only what it gives.
    """

    name: str
    gives: str | Promise
    serves: frozenset[str]
    needed_by: frozenset[str] = frozenset()


_PAGE, _IG = frozenset({"messenger"}), frozenset({"instagram"})
_BOTH = _PAGE | _IG

# Of Meta's permission reference, 2026, what a support inbox needs.
FACEBOOK_SCOPES = (
    Permission("pages_show_list", _("see the list of your Pages"), _BOTH),
    Permission("pages_messaging", _("read and answer messages to your Page"), _PAGE, _PAGE),
    Permission("pages_manage_metadata", _("be told when something is written to you"), _BOTH, _BOTH),
    Permission("pages_read_engagement", _("read the posts and comments of your Page"), _BOTH),
    Permission("pages_read_user_content", _("read what visitors write on your Page"), _PAGE),
    Permission("pages_manage_engagement", _("answer, hide and delete comments on your Page"), _PAGE),
    Permission("business_management", _("reach Pages that belong to a business portfolio"), _BOTH),
    Permission("instagram_basic", _("see your Instagram account"), _IG, _IG),
    Permission("instagram_manage_messages", _("read and answer your Instagram messages"), _IG, _IG),
    Permission("instagram_manage_comments", _("read and answer comments on Instagram"), _IG),
)  # fmt: skip
INSTAGRAM_SCOPES = (
    Permission("instagram_business_basic", _("see your Instagram account"), _IG, _IG),
    Permission("instagram_business_manage_messages", _("read and answer your Instagram messages"), _IG, _IG),
    Permission("instagram_business_manage_comments", _("read and answer comments on Instagram"), _IG),
)  # fmt: skip


def scopes_of(flavour: str) -> Sequence[Permission]:
    return INSTAGRAM_SCOPES if flavour == INSTAGRAM else FACEBOOK_SCOPES


def missing_scopes(
    *, flavour: str, kind: str, granted: Collection[str]
) -> tuple[list[Permission], list[Permission]]:
    """Those without which the channel does not work, and those that only cost something.

    Nothing granted means that nobody told us, not that nothing was.
    """
    if not granted:
        return [], []
    lacking = [
        scope
        for scope in scopes_of(flavour)
        if kind in scope.serves and scope.name not in granted
    ]
    needed = [scope for scope in lacking if kind in scope.needed_by]
    return needed, [scope for scope in lacking if scope not in needed]


def missing_tasks(tasks: Collection[str]) -> list[str]:
    """Tasks on the Page that the person lacks; none if Meta named none at all."""
    return [task for task in NEEDED_TASKS if tasks and task not in tasks]
