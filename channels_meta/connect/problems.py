"""Every way in which connecting an account fails, in words for people who know nothing of Meta."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from inbox.channels import ErrorClass, SendError


@dataclass(frozen=True, slots=True)
class Problem:
    """title: what happened. text: what it means. advice: the one thing to do about it."""

    title: str | Promise
    text: str | Promise
    advice: str | Promise


PROBLEMS: dict[str, Problem] = {
    # --- of the whole login ----------------------------------------------------------------------
    "cancelled": Problem(
        _("You cancelled the login"),
        _("Nothing was connected, and nothing has changed."),
        _("Start again whenever you like."),
    ),
    "state_unknown": Problem(
        _("This login was not begun here"),
        _(
            "It was begun in another browser, by somebody else, or before you signed in again. "
            "For your safety Dexra does not take it over."
        ),
        _("Start again in this browser."),
    ),
    "state_used": Problem(
        _("This login was already used"),
        _("Its answer counts once. It looks as if the page was opened a second time."),
        _("Look whether the account is in the list. If it is not, start again."),
    ),
    "state_expired": Problem(
        _("This login took too long"),
        _("It has to be finished within 15 minutes."),
        _("Start again."),
    ),
    "code_used": Problem(
        _("Meta did not accept its own answer"),
        _("What Meta hands over after a login counts once, and only for a short time."),
        _("Start again, and do not go back or reload on the way."),
    ),
    "app_credentials": Problem(
        _("Meta does not know this app"),
        _("The app id and the app secret that Dexra was given do not fit together."),
        _(
            "Whoever runs Dexra should compare its settings META_APP_ID and META_APP_SECRET "
            "(for Instagram Login META_INSTAGRAM_APP_ID and META_INSTAGRAM_APP_SECRET) with "
            "Meta's App Dashboard."
        ),
    ),
    "no_pages": Problem(
        _("This login offers no Facebook Page"),
        _(
            "Either the person who signed in has no role on a Page, or no Page was ticked in "
            "Facebook's window."
        ),
        _(
            "Ask the Page's owner for access (on Facebook: Page settings, Page access), or "
            "start again and tick your Pages."
        ),
    ),
    "token_refused": Problem(
        _("Meta does not accept this token"),
        _("It has expired, was taken back, or was not copied whole."),
        _("Make a new one and enter it again."),
    ),
    "token_unfit": Problem(
        _("This token belongs to no Page and no Instagram account"),
        _(
            "Dexra needs the token of a Page, of a person who manages one, or of an Instagram "
            "account."
        ),
        _("Choose what the token is for, and enter it again."),
    ),
    "account_missing": Problem(
        _("This login does not offer the account you wanted to reconnect"),
        _(
            "Another person signed in than the one who manages it, or it was not ticked in the "
            "window."
        ),
        _(
            "Start again, and sign in as somebody who manages it. What this login offers "
            "instead is listed below."
        ),
    ),
    "meta_down": Problem(
        _("Meta did not answer"),
        _("It may have a problem at the moment. Nothing was connected or changed."),
        _("Try again in a few minutes."),
    ),
    "throttled": Problem(
        _("Meta asks us to slow down"),
        _("Too many questions were put to it in a short time."),
        _("Try again in an hour."),
    ),
    "other": Problem(
        _("Meta refused"),
        _("It gave no reason that is known to Dexra, only the code below."),
        _("Try again. If it stays so, look the code up in Meta's documentation."),
    ),
    # --- of one account --------------------------------------------------------------------------
    "task_missing": Problem(
        _("You may not handle the messages of this Page"),
        _(
            "Meta calls what you lack a task: MESSAGING is answering messages, MODERATE is "
            "answering and hiding comments."
        ),
        _(
            "Ask the Page's owner to give you access with messages and community activity (on "
            "Facebook: Page settings, Page access). Then connect again."
        ),
    ),
    "declined": Problem(
        _("A permission was declined"),
        _("Without it this account cannot work: Dexra may not"),
        _("Connect again, and leave every switch on in Meta's window."),
    ),
    "not_professional": Problem(
        _("This is a personal Instagram account"),
        _("Meta lets apps work with business and creator accounts only."),
        _(
            "In the Instagram app: Settings, Account type and tools, Switch to professional "
            "account. It costs nothing. Then connect again."
        ),
    ),
    "no_instagram": Problem(
        _("No Instagram account is linked to this Page"),
        _(
            "A personal Instagram account cannot be linked: it has to be a business or creator "
            "account."
        ),
        _(
            "On Facebook: Page settings, Linked accounts, Instagram. Then connect again. The "
            "Page's own messages work without it."
        ),
    ),
    "messages_off": Problem(
        _("Access to messages is switched off in Instagram"),
        _("The owner of the account decides whether other tools may read messages."),
        _(
            "In the Instagram app of this account: Settings, Messages and story replies, "
            "Message controls, Connected tools, switch on “Allow access to messages”. Then try "
            "again."
        ),
    ),
    "link_broken": Problem(
        _("Instagram and the Facebook Page have come apart"),
        _(
            "The link between the two is gone, or one of them waits for a security check "
            "(two-factor authentication)."
        ),
        _(
            "On Facebook: Page settings, Linked accounts, Instagram: link them again. Then "
            "connect again."
        ),
    ),
    "not_eligible": Problem(
        _("Meta does not allow this Instagram account to be connected"),
        _("Some accounts are excluded, by age, country or earlier violations."),
        _("Look into the account's status in the Instagram app."),
    ),
    "app_access": Problem(
        _("Meta does not let your app do this for this account yet"),
        _(
            "As long as the app is not published, or has only Standard Access, it works for "
            "accounts of people who have a role on the app, and for nobody else."
        ),
        _(
            "Publish the app and ask Meta for Advanced Access (App Review); docs/go-live.md "
            "leads through it. To try things out, give the person a role: App Dashboard, App "
            "roles."
        ),
    ),
    "no_token": Problem(
        _("Facebook gives no key to this Page"),
        _("The person who signed in may see this Page, but not act for it."),
        _(
            "Ask the Page's owner for access (on Facebook: Page settings, Page access). Then "
            "connect again."
        ),
    ),
    "token_dead": Problem(
        _("The login has already ended"),
        _("Meta took it back: a changed password does that, and so does a lost role."),
        _("Start again."),
    ),
    "not_subscribed": Problem(
        _("Meta reports nothing of this account to Dexra yet"),
        _("The account is connected, but asking Meta to report its messages failed."),
        _("Look at the account's health, and press “Subscribe again” there."),
    ),
}

_BY_CODE = {
    "200/2534041": "messages_off",
    "10/2534077": "link_broken",
    "100/2534013": "link_broken",
    "36103": "not_eligible",
}
_BY_CLASS = {
    ErrorClass.PERMISSION: "app_access",
    ErrorClass.THROTTLED: "throttled",
    ErrorClass.RECONNECT: "token_dead",
    ErrorClass.TRANSIENT: "meta_down",
    ErrorClass.NOT_TAKEN: "meta_down",
    ErrorClass.UNCERTAIN: "meta_down",
}


def problem_of(error: SendError) -> str:
    """The key of PROBLEMS for a refusal of the Graph API: by its code, else by its class."""
    return _BY_CODE.get(error.code) or _BY_CLASS.get(error.error_class, "other")
