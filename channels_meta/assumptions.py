"""What Meta's documentation leaves open: our default for each point, one named setting to correct it.

A first live account may prove any of them wrong; then the environment says so
(`META_ASSUME_<NAME>`), and no code has to change. `docs/go-live.md` lists them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import environ
from django.conf import settings


@dataclass(frozen=True, slots=True)
class Assumption:
    """default: also gives the type (bool, int, a list of words). source: where the doubt is."""

    default: bool | int | str | list[str]
    question: str
    source: str


ASSUMPTIONS: dict[str, Assumption] = {
    "INSTAGRAM_SENDS_PER_SECOND": Assumption(
        100,
        "How many messages an Instagram account may send in a second.",
        "100 on the Instagram pages, 300 on Messenger's rate page of 2026-03-23",
    ),
    "REACTION_OPENS_INSTAGRAM_WINDOW": Assumption(
        True,
        "Whether a reaction opens the reply window on Instagram as it does on Messenger.",
        "one list for both channels, thin evidence for Instagram",
    ),
    "STORY_MENTION_OPENS_WINDOW": Assumption(
        True,
        "Whether a story mention opens the reply window, as it arrives as a message.",
        "not said in so many words",
    ),
    "AD_WINDOW_DAYS": Assumption(
        7,
        "For how many days after a click on an ad a reply is tried as if the window were open.",
        "policy of 2026-09-28: up to 7 days, conditions not published",
    ),
    "HUMAN_AGENT_ON_INSTAGRAM_LOGIN": Assumption(
        True,
        "Whether graph.instagram.com takes the Human Agent tag in the form of graph.facebook.com.",
        "its pages only say 'human agent tag'",
    ),
    "INSTAGRAM_LOGIN_SIGNALS": Assumption(
        False,
        "Whether typing and seen can be shown on accounts connected with Instagram Login.",
        "not documented there",
    ),
    "INSTAGRAM_BUTTON_CARDS": Assumption(
        False,
        "Whether Instagram takes the button template.",
        "not confirmed",
    ),
    "FACEBOOK_COMMENT_LIKES": Assumption(
        True,
        "Whether comments on a Page can be liked by the API.",
        "known from client libraries, the reference could not be read",
    ),
    "FEED_AUTHOR_IS_PSID": Assumption(
        False,
        "Whether the author of a Page comment has the id that Messenger knows the person by.",
        "page-scoped or app-scoped, no page says which",
    ),
    "MISSING_COMMENT_IS_DELETED": Assumption(
        True,
        "Whether a comment that Meta does not find any more (100/33), below a post that it finds, "
        "was deleted: then it is erased here too.",
        "the same code also stands for a missing permission",
    ),
    "HISTORY_OF_OTHERS_THREADS": Assumption(
        False,
        "Whether conversations that another app holds (is_owner false) are imported and compared.",
        "the Conversations API marks them, and does not say what reading them means",
    ),
    "MESSENGER_SENDS_PER_SECOND": Assumption(
        300,
        "How many messages a Page may send in a second.",
        "300 on the rate page of 2026-03-23; more than 40 a second, in and out, make it a busy "
        "Page whose inbox Meta may suspend",
    ),
    "INSTAGRAM_UPLOADS": Assumption(
        ["image"],
        "Which kinds of files accounts connected with Facebook Login take by upload; others go by "
        "their address.",
        "attachment ids of images since 2026-03-13, nothing is said of other kinds",
    ),
    "INSTAGRAM_LOGIN_UPLOADS": Assumption(
        [],
        "The same for accounts connected with Instagram Login.",
        "the edge is documented for Pages only",
    ),
    "INSTAGRAM_LOVE_ONLY": Assumption(
        True,
        "Whether Instagram accounts connected with Facebook Login can react with a heart only.",
        "its page names `love`; Messenger and Instagram Login take any emoji",
    ),
    "INSTAGRAM_LOGIN_TAKE_OVER": Assumption(
        False,
        "Whether accounts connected with Instagram Login can take over a conversation from "
        "another app.",
        "the calls are documented for Pages only",
    ),
    "TYPING_ON_INSTAGRAM_BY_PAGE": Assumption(
        True,
        "Whether typing and seen can be shown on Instagram accounts connected with Facebook Login.",
        "seen at work with a Page's token, not documented",
    ),
    "INSTAGRAM_REFRESH_DAYS": Assumption(
        7,
        "How old a token of Instagram Login is when it is renewed.",
        "Meta says no more than: at least 24 hours old, and not expired",
    ),
    "LOGIN_CONFIG_PARAMETER": Assumption(
        "config_id",
        "By which parameter Facebook's dialog takes a configuration of Login for Business.",
        "known from applications, the page could not be read",
    ),
    "INSTAGRAM_PERSON_ID": Assumption(
        "id",
        "Which number of /me Meta names when somebody takes Instagram Login back: id or user_id.",
        "not documented; id is the app's own number for the person",
    ),
}

PREFIX = "META_ASSUME_"


def assume(name: str) -> Any:
    """The answer that this installation works with. Raises KeyError for no such question."""
    default = ASSUMPTIONS[name].default
    given = settings.META_ASSUMPTIONS.get(PREFIX + name)
    if given in {None, ""}:
        return default
    if isinstance(default, bool):
        return str(given).lower() in environ.Env.BOOLEAN_TRUE_STRINGS
    if isinstance(default, int):
        return int(given)
    if isinstance(default, list):
        return [part.strip() for part in str(given).split(",") if part.strip()]
    return str(given)
