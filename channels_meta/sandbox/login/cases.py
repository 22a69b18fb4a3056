"""Who may sign in at the pretend dialogs, and how each of them turns out."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ALL_TASKS = ("ADVERTISE", "ANALYZE", "CREATE_CONTENT", "MESSAGING", "MODERATE", "MANAGE")  # fmt: skip
NO_MODERATE = ("ADVERTISE", "ANALYZE", "MESSAGING")

FACEBOOK_SCOPES = (
    "pages_show_list",
    "pages_messaging",
    "pages_manage_metadata",
    "pages_read_engagement",
    "pages_read_user_content",
    "pages_manage_engagement",
    "page_utility_messaging",
    "business_management",
    "instagram_basic",
    "instagram_manage_messages",
    "instagram_manage_comments",
)
INSTAGRAM_SCOPES = (
    "instagram_business_basic",
    "instagram_business_manage_messages",
    "instagram_business_manage_comments",
)

MAIN_PAGE, OUTLET_PAGE, LONE_PAGE = "1055501", "1055502", "1055503"
MAIN_INSTAGRAM, OUTLET_INSTAGRAM, PERSONAL = "17841400001", "17841400002", "17841400003"


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to "Continue as ...".

    pages: what they see in Facebook Login, with their tasks there; listed: whether /me/accounts
    tells them all. instagram: whom Instagram Login signs in. declined: what they do not grant.
    """

    name: str
    person: str
    label: str | Promise
    user_id: str
    pages: tuple[tuple[str, tuple[str, ...]], ...]
    instagram: str
    declined: frozenset[str] = frozenset()
    listed: bool = True


_OWN = ((MAIN_PAGE, ALL_TASKS), (OUTLET_PAGE, ALL_TASKS))

CASES = (
    Case(
        "owner",
        "Salma Idrissi",
        _("the owner: everything is in order"),
        "10150000000000001",
        _OWN,
        MAIN_INSTAGRAM,
    ),
    Case(
        "outlet",
        "Hicham Outlet",
        _("runs the outlet only"),
        "10150000000000007",
        ((OUTLET_PAGE, ALL_TASKS),),
        OUTLET_INSTAGRAM,
    ),
    Case(
        "granular",
        "Rania Tazi",
        _("owner; Meta's list of Pages comes back short"),
        "10150000000000008",
        _OWN,
        MAIN_INSTAGRAM,
        listed=False,
    ),
    Case(
        "no_moderate",
        "Karim Alami",
        _("may answer on the Page, but not moderate it"),
        "10150000000000002",
        ((MAIN_PAGE, NO_MODERATE),),
        MAIN_INSTAGRAM,
    ),
    Case(
        "no_role",
        "Omar Fassi",
        _("has no role on any Page"),
        "10150000000000003",
        (),
        PERSONAL,
    ),
    Case(
        "not_professional",
        "Zineb Amrani",
        _("a personal Instagram account; a Page without Instagram"),
        "10150000000000004",
        ((LONE_PAGE, ALL_TASKS),),
        PERSONAL,
    ),
    Case(
        "messages_off",
        "Mehdi Chraibi",
        _("has switched off access to messages on Instagram"),
        "10150000000000005",
        _OWN,
        MAIN_INSTAGRAM,
    ),
    Case(
        "declined",
        "Imane Saidi",
        _("declines the permission for messages"),
        "10150000000000006",
        _OWN,
        MAIN_INSTAGRAM,
        declined=frozenset({"pages_messaging", "instagram_business_manage_messages"}),
    ),
)
BY_NAME = {case.name: case for case in CASES}
