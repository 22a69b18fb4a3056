"""Writes docs/meta-coverage.md, and the tables of docs/go-live.md, from the code's own tables.

Run by `make coverage`. What there is, the code says; what is done with it, the words below
say; where it is tested, the tests say. A test compares the pages with what this would write.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "meta-coverage.md"
GO_LIVE = ROOT / "docs" / "go-live.md"
# Tests that a row names; the acceptance tests come first.
MOST_TESTS = 3

sys.path.insert(0, str(ROOT))
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dexra.settings")
    os.environ.setdefault("MAKE_UP_SECRETS", "1")
    import django

    django.setup()

from django.urls import get_resolver  # noqa: E402

from channels_meta import adapters, content, pacing, scopes, subscriptions  # noqa: E402
from channels_meta.assumptions import ASSUMPTIONS, PREFIX  # noqa: E402
from channels_meta.errors import ERRORS, RANGES, ErrorRow  # noqa: E402
from channels_meta.payloads import KIND_OF_OBJECT, acts, changes, messaging, parts  # noqa: E402
from channels_meta.payloads.templates import TEMPLATE_FIELDS  # noqa: E402
from inbox.channels import ActionKind, Signal, WindowKind  # noqa: E402

# --- what is done with it ------------------------------------------------------------------------

OBJECTS = {
    "page": "Messenger: messages, comments and mentions of a Page.",
    "instagram": "Instagram: messages, comments and mentions of an account, either login.",
}
EVENTS = {
    "message": "A message in the thread, or an echo of ours; `is_deleted` takes it back.",
    "message_edit": "The text as it is now, earlier ones a click away; `num_edit` 0 is no edit.",
    "postback": "A message: its title is the text. Opens the window.",
    "reaction": "The latest of each person under the message; taken back without a trace of it.",
    "read": "Ours are read: up to a moment (Messenger), up to a message (Instagram).",
    "delivery": "Ours are delivered, up to a moment (Messenger alone tells).",
    "referral": "Where the person came from: a line in the thread, kept on the conversation.",
    "optin": "A line in the thread; tokens for notifications are not kept.",
    "order": "A message that shows what was put into the cart.",
    "policy_enforcement": "An alert of the account: banner, mail to admins, health page.",
    "policy-enforcement": "The same under its old name.",
    "pass_thread_control": "Who holds the thread is shown; a line says who passed it.",
    "take_thread_control": "The same: another app, or Meta's inbox, took it.",
    "request_thread_control": "A line says who asks for the thread.",
    "account_linking": "A line in the thread; no flow is built on it.",
    "response_feedback": "A line in the thread.",
    "messaging_feedback": "A line in the thread.",
    "app_roles": "A line in the thread (old protocol).",
    "game_play": "A line in the thread.",
    "message_request": "A line in the thread (old).",
    "standby": "As `messaging`, and another app holds the thread: the composer says who, and "
    "offers to take over.",
    "anything else": "A line with the event's name; kept raw in the journal.",
}
TEMPLATE_EVENT = "The template's state here follows Meta's."
MESSAGE_PARTS = {
    "mid": ("The key of a message in its account.", "mid"),
    "text": ("Its text, folded for search.", "text"),
    "quick_reply": ("Which answer was tapped; told to webhooks.", "quick_reply"),
    "reply_to.mid": ("The quoted message above it.", "reply_to"),
    "reply_to.story": ("The story's card above it, a link while it lives.", "story"),
    "attachments": ("Below, type by type.", "attachments"),
    "referral": ("As the event of that name.", "referral"),
    "is_echo": ("Our own message: settles the send it belongs to, else written elsewhere.", "is_echo"),
    "app_id": ("Which app wrote it, where Meta says.", "app_id"),
    "metadata": ("Our mark on a send, by which its echo finds it (Messenger).", "metadata"),
    "is_deleted": ("Unsent: erased everywhere, a tombstone stays.", "is_deleted"),
    "is_unsupported": ("A placeholder with a link into the app.", "is_unsupported"),
    "is_self": ("The account wrote to itself: an ordinary message.", "is_self"),
    "hop_context": ("Kept with the message (lead ads).", "hop_context"),
    "prior_message": ("Kept with the message.", "prior_message"),
}  # fmt: skip
ATTACHMENTS = {
    "image": "Photo, copied at once, with a small copy.",
    "video": "Player, copied at once.",
    "audio": "Player, copied at once.",
    "file": "Name, type and size; copied at once.",
    "sticker": "Sticker; an `image` beside it is the same one.",
    "like_heart": "A heart.",
    "location": "A link to a map.",
    "fallback": "A preview of the link in the text.",
    "share": "A card with the link (old; beside `ig_post` it is the same one).",
    "post": "A card with picture and link.",
    "ig_post": "A card with picture and link, by either name of its id.",
    "reel": "A card with the link.",
    "ig_reel": "A card with the link, also where that is relative.",
    "template": "A card with its elements and buttons, or its products.",
    "appointment_booking": "A card with the time and the state.",
    "story_mention": "The story while it lives; its picture is never stored.",
    "story": "A card with the link while it lives; a placeholder without one.",
    "ig_story": "The same.",
    "media": "A card with the link; a placeholder without one.",
    "ephemeral": "A placeholder: seen once, in the app.",
    "unsupported_type": "A placeholder with a link into the app.",
    "anything else": "A placeholder; kept raw.",
}
CHANGES = {
    (
        "instagram",
        "comments",
    ): "A comment in the person's timeline; our own is never a customer's.",
    ("instagram", "live_comments"): "The same, marked as live.",
    ("instagram", "mentions"): "A comment card; who and what is asked for by a task.",
    (
        "messenger",
        "feed",
    ): "Comments and visitors' posts: below. Reactions, likes and our own posts "
    "are no messages.",
    ("messenger", "mention"): "A comment card, mostly without its author.",
}
FEED = {
    "comment: add": ("A comment card.", ("add", "comment")),
    "comment: edited": ("The text as it is now.", ("edited", "edit")),
    "comment: remove": ("As an unsend: erased here too.", ("remove",)),
    "comment: hide, unhide": ("Shown as hidden from the public.", ("hide",)),
    "post, status, photo, video, share, link": (
        "A visitor's post is a comment card; our own is none.",
        ("post",),
    ),
}
SENDS = {
    "text": ("Words, counted as the channel counts.", ("text",)),
    "image": ("By upload or by address, whichever the account takes.", ("image",)),
    "video": ("The same, at the pace of media.", ("video",)),
    "audio": ("The same.", ("audio",)),
    "file": ("The same; several files are several sends in order.", ("file",)),
    "quick replies": ("Text; on Messenger also phone number and e-mail.", ("quick_replies",)),
    "generic template": ("Cards with up to three buttons each.", ("generic",)),
    "button template": ("One card of words and buttons.", ("button",)),
    "reply_to": ("The quoted message.", ("reply_to",)),
    "private reply": ("To a comment or a visitor's post, once, within 7 days.", ("comment_id",)),
    "public reply": ("Posted at most once; an unknown fate waits for its own notice.", ("replies", "reply_publicly")),
    "utility template": ("Approved by Meta, with its values.", ("UTILITY",)),
    "attachment upload": ("`message_attachments`, its id used for 89 days.", ("message_attachments",)),
}  # fmt: skip
RIGHTS = {
    WindowKind.OPEN: ("`RESPONSE`: within 24 hours of the person's last act.", "RESPONSE"),
    WindowKind.PROBABLE: ("`RESPONSE`: it may be open (an ad); learned from Meta's answer.", "PROBABLE"),
    WindowKind.HUMAN_AGENT: ("`MESSAGE_TAG` with `HUMAN_AGENT`: a person's words, up to 7 days.", "HUMAN_AGENT"),
    WindowKind.PRIVATE_REPLY: ("Addressed by the comment; needs no other right.", "PRIVATE_REPLY"),
    WindowKind.TEMPLATE: ("`UTILITY`: at any time.", "TEMPLATE"),
    WindowKind.CLOSED: ("Nothing is sent; the composer says what can be done.", "CLOSED"),
}  # fmt: skip
ACTIONS = {
    ActionKind.HIDE: "Hide a comment from the public.",
    ActionKind.UNHIDE: "Show it again.",
    ActionKind.DELETE: "Delete a comment, here and there.",
    ActionKind.LIKE: "Like a comment (Pages).",
    ActionKind.UNLIKE: "Take that back.",
    ActionKind.REACT: "React to a message.",
    ActionKind.UNREACT: "Take that back.",
    ActionKind.TAKE_OVER: "`take_thread_control`: answer where another app held the thread.",
    ActionKind.HAND_BACK: "`release_thread_control`: let the others have it again.",
}
SIGNALS = {
    Signal.SEEN: "`mark_seen`, when an agent opens the thread.",
    Signal.TYPING: "`typing_on`, while an agent types.",
    Signal.TYPING_STOPPED: "`typing_off`, when they stop.",
}
QUESTIONS = {
    "Messenger profile": ("Name and picture; the conversation's participants where Meta refuses.", ("profile_pic",)),
    "Instagram profile": ("Name, handle, picture; a commenter's refusal is quiet.", ("follower_count", "is_verified_user")),
    "comment details": ("Time, link, picture, author; gone is gone here too.", ("fetch_details",)),
    "Conversations API": ("Imported on connecting, compared after silence, asked for a stranger; 2 a second, newest 20 messages of each.", ("fetch_history",)),
    "message_templates": ("Daily and when asked: names, languages, approval.", ("fetch_templates",)),
    "media of messages": ("Copied at once: hosts of Meta alone, capped, sniffed, no redirect off the list.", ("fetch_attachment",)),
    "profile pictures": ("Copied small; the address is asked for again when it dies.", ("fetch_avatar",)),
    "stories": ("A link while they live; never copied.", ("story_mention",)),
    "subscribed_apps": ("Performed on connecting, verified field by field, daily.", ("subscribed_apps",)),
    "debug_token": ("Daily: validity, scopes, data access.", ("debug_token",)),
    "refresh_access_token": ("Instagram's token, long before its 60 days are over.", ("refresh_access_token",)),
}  # fmt: skip
CALLBACKS = {
    "webhook": ("GET: the handshake. POST: events, stored before the 200.", ("hub.challenge", "X-Hub-Signature-256")),
    "returned": ("Where a login returns to: its state counts once.", ("state", "returned")),
    "data_deletion": ("A signed request: tokens and logins of that person are deleted, a code is answered.", ("DELETION", "/meta/data-deletion")),
    "deletion": ("The status page of a deletion.", ("DELETION", "/meta/data-deletion")),
    "deauthorize": ("A signed request: the person's accounts are disconnected, their tokens deleted.", ("DEAUTHORIZE", "/meta/deauthorize")),
}  # fmt: skip
DUTIES = {
    "unsend": ("Erased in messages, files, previews, search, journal, events, answers.", ("is_deleted",)),
    "erase a contact": ("The same for all that a person wrote or that names them; admin and API.", ("erase_contact",)),
    "export a contact": ("JSON, with the files in a zip; admin and API.", ("export_contact", "export")),
    "retention": ("Journal, events, attempts, records and proofs, each for its days.", ("purge",)),
    "disconnect cases": ("190, 200/2534041, 10/2534077, a policy block, a lost subscription: banner, mail, the way back.", ("2534041", "disconnected", "UNSUBSCRIBED")),
}  # fmt: skip
LANES = {
    "messenger": "Messages of a Page.",
    "instagram": "Messages of an Instagram account.",
    "media": "Photos, video, audio, files.",
    "private_replies": "Private replies to comments.",
    "conversations": "The Conversations API, walked through (half of its limit).",
    "one_conversation": "The Conversations API, about one person (the other half).",
    "messenger_profile": "The Messenger Profile API.",
    "other": "Everything else.",
}
# Words by which tests try what Meta has not invented yet.
UNFORESEEN = {"anything else": ("foo", "hologram")}
# What Meta has and a support inbox does not do, and why.
OUT_OF_REACH = {
    "story_insights": "Figures about stories, not messages: kept in the journal, ignored.",
    "ratings": "Reviews of a Page cannot be answered by message: not subscribed.",
    "leadgen": "Lead forms belong to a CRM: not subscribed. Leads that come by Messenger are lines.",
    "messaging_in_thread_lead_form_submit": "Lead forms belong to a CRM: not subscribed.",
    "nlp": "Meta's guesses at a message's meaning: left out.",
    "commands": "Left out: the text holds them.",
    "seq": "Old and always zero: threads sort by time.",
    "group threads": "Meta does not give them to apps.",
    "sticker_id (sending)": "A support inbox has no catalogue of stickers to choose from.",
    "like_heart (sending)": "A heart can be sent as a reaction or as text.",
    "MEDIA_SHARE": "Sharing one's own posts: a link says the same.",
    "media template": "A photo and a card, as two messages, say the same on both channels.",
    "image grid": "Several photos are several sends; the grid is of Messenger alone.",
    "several images in one message": "Each file is a tracked send of its own, so that each can fail alone.",
    "persistent menu, icebreakers": "Set up once at Meta; their taps arrive as postbacks.",
    "persona_id": "Replies come from the account; who wrote is told in the inbox.",
    "notification_type": "Meta's default.",
    "UPDATE": "The same window as `RESPONSE`.",
    "CONFIRMED_EVENT_UPDATE, ACCOUNT_UPDATE, POST_PURCHASE_UPDATE": "Dead since 2026-04-27: in no code.",
    "marketing messages, recurring notifications": "A billed API for marketing, not for support.",
    "one-time notification, news": "Legacy, or for registered publishers.",
    "sponsored messages": "Advertising.",
    "user_ref, notification_messages_token (recipients)": "Belong to plugins and marketing messages.",
    "account_link, game_play buttons": "For apps with a login of their own, and for games.",
    "comment on own media or post": "Publishing, not answering.",
    "comment_enabled": "Switching comments off is a publisher's decision, made in the app.",
    "listing comments": "They come as events; only those that Meta tells us of are shown.",
    "pass_thread_control (calling)": "A thread is released to everybody, never pushed to one app.",
    "request_thread_control, extend_thread_control (calling)": "Taking over needs neither.",
    "thread_owner, messaging_feature_status": "Who holds a thread is learned from events and refusals.",
    "thread_control in a send": "Never sent: control is asked for and released explicitly.",
    "mTLS": "The signature proves the sender; a proxy may ask for the certificate besides.",
}  # fmt: skip

# --- where it is tested --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """A test that uses a word. steps: 0 in itself, more by the tables and helpers it uses."""

    test: str
    steps: int


# Where the tests of each part of the page are; elsewhere the same word may mean something else.
EVENT_TESTS = ("traps/", "cases/test_events", "channels_meta/test_")
SEND_TESTS = ("traps/test_sending", "cases/test_sending", "channels_meta/test_adapters",
              "channels_meta/test_uploads", "inbox/test_outbound", "inbox/test_windows")  # fmt: skip
ACT_TESTS = ("channels_meta/test_adapters", "inbox/test_actions", "inbox/test_comments")
ASK_TESTS = (
    "traps/",
    "cases/",
    "channels_meta/test_",
    "channels_meta/connect",
    "inbox/test_",
)
CALLBACK_TESTS = ("channels_meta/test_", "channels_meta/connect")
DUTY_TESTS = (
    "cases/",
    "channels_meta/test_duties",
    "channels_meta/test_upkeep",
    "inbox/test_",
)


@dataclass
class Tests:
    """Words to the tests that use them: in strings, keywords, names, parameters, sample files."""

    by_word: dict[str, set[Use]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def scan(cls) -> Tests:
        tests = cls()
        for path in sorted((ROOT / "tests").rglob("test_*.py")):
            tests._read(path)
        for path in sorted(
            (ROOT / "tests" / "channels_meta" / "samples").glob("*.json")
        ):
            for word in set(_words_of_json(json.loads(path.read_text()))):
                name = f"channels_meta/test_samples.py::sample {path.stem}"
                tests.by_word[word].add(Use(name, 1))
        return tests

    def _read(self, path: Path) -> None:
        tree = ast.parse(path.read_text())
        place = path.relative_to(ROOT / "tests").as_posix()
        parts = {
            name: set(_words(node)) for node in tree.body for name in _defined(node)
        }
        for name, own in parts.items():
            if not name.startswith("test_"):
                continue
            seen, words = set[str](), own
            for steps in range(3):
                for word in words - seen:
                    self.by_word[word].add(Use(f"{place}::{name}", steps))
                seen |= words
                words = set[str]().union(*(parts[k] for k in words & parts.keys()))

    def of(self, *words: str, within: tuple[str, ...] = ("",)) -> str:
        """The tests that use any of these words, as the page shows them."""
        return _shown(self._uses(words, within))

    def of_both(self, one: str, other: str, within: tuple[str, ...] = ("",)) -> str:
        first, second = self._uses([one], within), self._uses([other], within)
        names = {use.test for use in second}
        return _shown({use for use in first if use.test in names})

    def _uses(self, words: Iterable[str], within: tuple[str, ...]) -> set[Use]:
        found = {use for word in words for use in self.by_word.get(word, ())}
        return {use for use in found if use.test.startswith(within)}


def _shown(uses: set[Use]) -> str:
    """The nearest: those that use it themselves, acceptance tests first."""
    nearest: dict[str, int] = {}
    for use in uses:
        nearest[use.test] = min(use.steps, nearest.get(use.test, use.steps))
    ranked = sorted(nearest, key=lambda name: (nearest[name], *_weight(name)))
    best = [name for name in ranked if nearest[name] == nearest[ranked[0]]]
    return "<br>".join(f"`{_short(name)}`" for name in best[:MOST_TESTS])


def _words_of_json(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _words_of_json(part)
    elif isinstance(value, list):
        for part in value:
            yield from _words_of_json(part)
    elif isinstance(value, str):
        yield value


def _weight(name: str) -> tuple[int, str]:
    place = name.partition("/")[0]
    order = {"traps": 0, "cases": 1, "channels_meta": 2, "inbox": 3}
    return order.get(place, 4), name


def _short(name: str) -> str:
    path, _, test = name.partition("::")
    return f"{path}: {test.removeprefix('test_')}"


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)):
                yield text
                yield from re.findall(r"[a-z]+_[a-z_]+", text)
            case ast.Constant(value=int(number)):
                yield str(number)
            case ast.keyword(arg=str(name)) | ast.Name(id=name):
                yield name
            case ast.Attribute(attr=name):
                yield name
            case ast.arg(arg=name):
                yield name


# --- the page ------------------------------------------------------------------------------------


ERROR_TEST = (
    "channels_meta/test_errors.py: every_row_of_the_contract_means_what_it_says"
)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(
        "| " + " | ".join(_cell(one) for one in line) + " |" for line in lines
    )


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


HANDLED = ("", "handled", "tested")
Worded = Mapping[str, tuple[str, tuple[str, ...]]]


def _simple(words: Mapping[Any, str], keys: Iterable[Any], tests: Tests) -> str:
    """A table of the code's keys. Raises KeyError for one that has no words here."""
    return _table(
        HANDLED,
        (
            (
                f"`{key}`",
                words[key],
                tests.of(*UNFORESEEN.get(key, (str(key),)), within=EVENT_TESTS),
            )
            for key in keys
        ),
    )


def _worded(words: Worded, tests: Tests, within: tuple[str, ...]) -> str:
    return _table(
        HANDLED,
        (
            (f"`{key}`", says, tests.of(*found, within=within))
            for key, (says, found) in words.items()
        ),
    )


def build_page() -> str:
    tests = Tests.scan()
    parts_of_page = [
        INTRODUCTION,
        *_events_part(tests),
        *_changes_part(tests),
        *_sending_part(tests),
        "## Asking Meta",
        _worded(QUESTIONS, tests, ASK_TESTS),
        "## Callbacks and duties",
        _worded(
            {f"{_path_of(name)}": told for name, told in CALLBACKS.items()},
            tests,
            CALLBACK_TESTS,
        ),
        _worded(DUTIES, tests, DUTY_TESTS),
        *_limits_part(tests),
        "## Out of reach, and why",
        _table(("", "why"), ((f"`{key}`", why) for key, why in OUT_OF_REACH.items())),
    ]
    return "\n\n".join(parts_of_page) + "\n"


def _events_part(tests: Tests) -> Iterator[str]:
    yield "## Events\n\nObjects that Meta posts, and what is in `messaging[]` and `standby[]`."
    yield _simple(OBJECTS, KIND_OF_OBJECT, tests)
    keys = [*messaging._MESSAGING, *acts.QUIET, *TEMPLATE_FIELDS]
    yield _simple(
        EVENTS | dict.fromkeys(TEMPLATE_FIELDS, TEMPLATE_EVENT),
        [*keys, "standby", "anything else"],
        tests,
    )
    yield "## Parts of a message"
    yield _worded(
        {key: (says, (word,)) for key, (says, word) in MESSAGE_PARTS.items()},
        tests,
        EVENT_TESTS,
    )
    yield "## Attachments"
    yield _simple(ATTACHMENTS, [*_attachments(), "anything else"], tests)


def _attachments() -> list[str]:
    known = [*parts.KINDS, *sorted(parts._SHAPELESS), *parts._WHAT, "unsupported_type"]
    return list(dict.fromkeys(known))


def _changes_part(tests: Tests) -> Iterator[str]:
    yield "## Changes\n\nWhat comes in `changes[]`; the documented flat form is read too."
    yield _table(
        HANDLED,
        (
            (
                f"`{name}` ({kind})",
                CHANGES[kind, name],
                tests.of(name, within=EVENT_TESTS),
            )
            for kind, name in changes._CHANGES
        ),
    )
    yield _table(
        ("`feed`", "handled", "tested"),
        (
            (f"`{key}`", says, tests.of_both("feed", words[0], within=EVENT_TESTS))
            for key, (says, words) in FEED.items()
        ),
    )
    yield "## What accounts are subscribed to"
    lists = {
        "a Page": subscriptions.PAGE_FIELDS,
        "Instagram, by Instagram Login": subscriptions.INSTAGRAM_FIELDS,
        "the Page behind an Instagram account": subscriptions.INSTAGRAM_PAGE_FIELDS,
    }
    yield _table(
        ("account", "fields"),
        (
            (name, ", ".join(f"`{one}`" for one in fields))
            for name, fields in lists.items()
        ),
    )


def _sending_part(tests: Tests) -> Iterator[str]:
    yield "## Sending"
    yield _worded(SENDS, tests, SEND_TESTS)
    yield _limits()
    yield "By what right a message goes out:"
    yield _worded(
        {
            kind.value: (says, (word, kind.value))
            for kind, (says, word) in RIGHTS.items()
        },
        tests,
        SEND_TESTS,
    )
    yield "## Acts and signals"
    yield _worded(
        {
            kind.value: (ACTIONS[kind], (kind.name, kind.value))
            for kind in adapters.NEEDED
        },
        tests,
        ACT_TESTS,
    )
    yield _worded(
        {
            action: (SIGNALS[signal], (action, signal.name))
            for signal, (action, _ability) in adapters.SENDER_ACTIONS.items()
        },
        tests,
        ACT_TESTS,
    )


def _limits_part(tests: Tests) -> Iterator[str]:
    yield "## Pace\n\nEach account keeps below the published limits by itself."
    within = ("channels_meta/test_pacing", "channels_meta/test_graph", "traps/")
    yield _table(
        ("lane", "calls", "pace", "tested"),
        (
            (
                f"`{lane.value}`",
                LANES[lane.value],
                _pace(lane),
                tests.of(lane.name, within=within),
            )
            for lane in pacing.Lane
        ),
    )
    headers = tests.of(
        "estimated_time_to_regain_access", "x-app-usage", within=within
    ).replace("<br>", ", ")
    yield (
        "Usage headers of both hosts (`X-App-Usage`, `X-Business-Use-Case-Usage`) slow an account "
        f"from {pacing.SLOW_PERCENT} % and stop it at {pacing.STOP_PERCENT} %, for as long as "
        f"`estimated_time_to_regain_access` says. Tested: {headers}."
    )
    yield (
        "## Errors\n\nBy code and subcode, never by text. Every row is tested by "
        f"`{ERROR_TEST}`, and that test fails for a row it does not know."
    )
    yield _errors()


INTRODUCTION = """# What of Meta's platforms Dexra handles

Written by `make coverage` from the tables of the code; do not edit it by hand. *Tested* names up to
three tests that use it, acceptance tests (`traps`, `cases`) first. What Meta leaves open, and how to correct
Dexra's guess, stands in [go-live.md](go-live.md)."""


def _limits() -> str:
    """One row per limit, one column per channel."""
    both = (adapters.MessengerAdapter(), adapters.InstagramAdapter())
    rows = [
        ("text", *(f"{a.limits.text.maximum} {a.limits.text.unit}" for a in both)),
        (
            "public reply",
            *(
                f"{a.limits.comment_text.maximum} {a.limits.comment_text.unit}"
                for a in both
            ),
        ),
        *(
            (kind, *(_media_limit(a.limits.media.get(kind)) for a in both))
            for kind in ("image", "video", "audio", "file")
        ),
        (
            "quick replies",
            *(
                f"{a.limits.quick_replies}, titles of {a.limits.quick_reply_title}: "
                + ", ".join(sorted(a.limits.quick_reply_kinds))
                for a in both
            ),
        ),
        (
            "cards",
            *(f"{a.limits.cards}, {a.limits.buttons} buttons each" for a in both),
        ),
        (
            "buttons",
            *(
                ", ".join(sorted(a.limits.button_kinds & content._BUTTONS.keys()))
                for a in both
            ),
        ),
    ]
    return _table(("limit", "Messenger", "Instagram"), rows)


def _media_limit(limit: Any) -> str:
    if limit is None:
        return "not taken"
    size = f"{limit.max_bytes // 1024**2} MB"
    types = (
        ", ".join(sorted(one.rpartition("/")[2] for one in limit.types)) or "any type"
    )
    return f"{size}, {types}"


def _pace(lane: pacing.Lane) -> str:
    pace = pacing.pace_of(lane)
    rate = timedelta(seconds=1) / pace.interval
    per = (
        f"{rate:g} a second"
        if rate >= 1
        else f"one every {pace.interval.total_seconds():g} s"
    )
    return f"{pace.burst} at once, then {per}"


def _path_of(name: str) -> str:
    """The address of a named callback. Raises KeyError if there is none of that name."""
    found = [
        pattern.pattern
        for resolver in get_resolver().url_patterns
        for pattern in getattr(resolver, "url_patterns", ())
        if getattr(pattern, "name", None) == name
    ]
    if not found:
        raise KeyError(name)
    return f"/{found[0]}"


def _errors() -> str:
    """What means the same stands in one row."""
    by_meaning: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for (code, subcode), row in ERRORS.items():
        word = "any" if code is None else str(code)
        label = word if subcode is None else f"{word}/{subcode}"
        by_meaning[_meaning(row)].append(label)
    for codes, row in RANGES:
        by_meaning[_meaning(row)].append(f"{codes.start} to {codes.stop - 1}")
    return _table(
        ("code/subcode", "means", "people read", "and can"),
        (
            (", ".join(_runs(labels)), *meaning)
            for meaning, labels in by_meaning.items()
        ),
    )


def _runs(labels: list[str]) -> Iterator[str]:
    """Numbers that follow each other as "200 to 299"."""
    numbers = sorted(int(one) for one in labels if one.lstrip("-").isdigit())
    run: list[int] = []
    for number in [*numbers, None]:
        if run and number != run[-1] + 1:
            yield f"`{run[0]}`" if len(run) == 1 else f"`{run[0]}` to `{run[-1]}`"
            run = []
        if number is not None:
            run.append(number)
    yield from (f"`{one}`" for one in labels if not one.lstrip("-").isdigit())


def _meaning(row: ErrorRow) -> tuple[str, str, str]:
    notes = []
    if row.attempts:
        notes.append(f"{row.attempts} attempts")
    if row.at_last:
        notes.append(f"then {row.at_last.error_class.value}")
    if row.rest:
        notes.append(f"rests {row.rest}")
    meaning = "; ".join([row.error_class.value, *notes])
    return meaning, str(row.sentence), str(row.advice) or "-"


# --- the tables of go-live.md --------------------------------------------------------------------


def assumptions_table() -> str:
    rows = (
        (f"`{PREFIX}{name}`", one.question, _setting(one.default), one.source)
        for name, one in ASSUMPTIONS.items()
    )
    return _table(("setting", "question", "default", "where the doubt is"), rows)


def _setting(value: object) -> str:
    """As it is written in the environment."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(value) or "none"
    return str(value)


def permissions_table(flavour: str) -> str:
    rows = (
        (
            f"`{one.name}`",
            f"{str(one.gives)[0].upper()}{str(one.gives)[1:]}",
            SCREENCASTS[one.name],
        )
        for one in scopes.scopes_of(flavour)
    )
    return _table(("permission", "lets Dexra", "the screencast shows"), rows)


# What Meta's reviewers want to see of each permission, done in Dexra.
SCREENCASTS = {
    "pages_show_list": "*Channels, Connect with Facebook*, and the list of Pages to choose from.",
    "pages_messaging": "A message to the Page from a phone, its arrival in the inbox, the answer, and the answer on the phone.",
    "pages_manage_metadata": "The account's page after connecting: what Meta reports, field by field.",
    "pages_read_engagement": "A comment below a post, and its card in the inbox with the post's link.",
    "pages_read_user_content": "A visitor's post on the Page, and its card in the inbox with who wrote it.",
    "pages_manage_engagement": "A public answer to that comment; hiding, showing and deleting it; each seen on the Page.",
    "business_management": "Connecting a Page that belongs to a business portfolio.",
    "instagram_basic": "The Instagram account beside its Page in the list, with its name.",
    "instagram_manage_messages": "A direct message, its answer, a story mention and a story reply: the story is shown while it lives, and then that it is gone.",
    "instagram_manage_comments": "A comment, a public and a private answer, hiding and deleting it.",
    "instagram_business_basic": "*Channels, Connect with Instagram*, and the connected account with its name.",
    "instagram_business_manage_messages": "The same as `instagram_manage_messages`.",
    "instagram_business_manage_comments": "The same as `instagram_manage_comments`.",
}  # fmt: skip


def fill_in(document: str) -> str:
    """The document with its generated tables as they are now."""
    tables = {
        "assumptions": assumptions_table(),
        "permissions-facebook": permissions_table(scopes.FACEBOOK),
        "permissions-instagram": permissions_table(scopes.INSTAGRAM),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        document = re.sub(
            f"{re.escape(begin)}.*?{re.escape(end)}",
            lambda _found, b=begin, t=table, e=end: f"{b}\n{t}\n{e}",
            document,
            flags=re.DOTALL,
        )
    return document


def main() -> None:
    PAGE.write_text(build_page())
    GO_LIVE.write_text(fill_in(GO_LIVE.read_text()))


if __name__ == "__main__":
    main()
