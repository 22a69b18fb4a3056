"""docs/meta-coverage.md is as the code is, and lacks nothing of Meta's platforms.

The lists below are written by hand from Meta's contract, section by section: what is not handled
has to be said to be out of reach, with a reason.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from channels_meta.errors import ERRORS, RANGES
from channels_meta.payloads import parts

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "meta_coverage", ROOT / "docs" / "meta_coverage.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "meta-coverage.md").read_text()


def test_the_page_is_as_the_code_is(generator: ModuleType, page: str) -> None:
    assert page == generator.build_page(), "run `make coverage`"


def test_the_tables_of_going_live_are_as_the_code_is(generator: ModuleType) -> None:
    document = generator.GO_LIVE.read_text()

    assert document == generator.fill_in(document), "run `make coverage`"


def test_every_row_says_where_it_is_tested(page: str) -> None:
    tables = re.findall(r"^\|.*\| tested \|\n((?:\|.*\n)+)", page, re.MULTILINE)
    rows = [row for table in tables for row in table.splitlines()[1:]]

    assert len(rows) > 80
    assert not [row for row in rows if row.endswith("|  |")]


# --- what there is -------------------------------------------------------------------------------

MESSAGE = """mid text quick_reply reply_to.mid reply_to.story attachments referral is_echo app_id
metadata is_deleted is_unsupported is_self commands nlp seq hop_context prior_message"""
ATTACHMENTS = """image video audio file sticker like_heart fallback template post ig_post reel ig_reel
share story_mention story ig_story media ephemeral location appointment_booking unsupported_type"""
MESSAGING = """message message_edit reaction read delivery postback referral optin account_linking
policy_enforcement policy-enforcement pass_thread_control take_thread_control request_thread_control
app_roles response_feedback messaging_feedback order game_play message_request standby
messenger_template_status_update message_template_status_update"""
ROUTING = """take_over hand_back thread_owner messaging_feature_status"""
CHANGES = """comments live_comments mentions story_insights feed mention ratings leadgen
messaging_in_thread_lead_form_submit"""
SENDING = """text image video audio file UPDATE UTILITY HUMAN_AGENT RESPONSE CONFIRMED_EVENT_UPDATE
ACCOUNT_UPDATE POST_PURCHASE_UPDATE MEDIA_SHARE persona_id notification_type reply_to user_ref
notification_messages_token typing_on typing_off mark_seen react unreact account_link game_play"""
COMMENTS = "hide unhide delete like unlike comment_enabled"
ASKING = "subscribed_apps debug_token refresh_access_token stories message_templates message_attachments"
PHRASES = """quick replies | generic template | button template | media template | image grid |
private reply | public reply | utility template | persistent menu, icebreakers |
one-time notification | marketing messages | sponsored messages | sticker_id (sending) |
like_heart (sending) | several images in one message | comment on own media or post |
listing comments | Messenger profile | Instagram profile | Conversations API | media of messages |
profile pictures | comment details | unsend | erase a contact | export a contact | retention |
disconnect cases | comment: add | comment: edited | comment: remove | comment: hide, unhide |
group threads | /meta/data-deletion | /meta/deauthorize | /meta/webhook |
thread_control in a send | request_thread_control, extend_thread_control (calling) |
X-App-Usage | X-Business-Use-Case-Usage | estimated_time_to_regain_access"""


@pytest.mark.parametrize(
    "name",
    [
        name
        for names in (
            MESSAGE,
            ATTACHMENTS,
            MESSAGING,
            ROUTING,
            CHANGES,
            SENDING,
            COMMENTS,
            ASKING,
        )
        for name in names.split()
    ],
)
def test_nothing_with_a_name_is_missing(name: str, page: str) -> None:
    assert re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", _stated(page)), name


@pytest.mark.parametrize("phrase", [one.strip() for one in PHRASES.split("|")])
def test_nothing_that_is_told_in_words_is_missing(phrase: str, page: str) -> None:
    assert " ".join(phrase.split()) in _stated(page)


def _stated(page: str) -> str:
    """What the page says of itself: not the names of its tests."""
    return re.sub(r"`[\w/]+\.py: [^`]*`", "", page)


LANES = "messenger instagram media private_replies conversations messenger_profile"


@pytest.mark.parametrize("lane", LANES.split())
def test_every_published_rate_has_a_lane(lane: str, page: str) -> None:
    pace = page.partition("## Pace")[2]

    assert f"| `{lane}` |" in pace


CODES = """-1 1 1/99 1/1357046 1/2018382 2 2/1545133 2/2018344 3 4 17 341 4/2018022 4/2018354 9/2018352
10 10/2018278 10/2018065 10/2534022 10/2018108 10/1893063 10/1893015 10/2534077 10/1404170 10/2018336 32
100/33 100 100/2018001 100/2534014 100/2018008 100/2018047 100/2018109 100/2018294 100/2018074
100/2018014 100/2018164 100/2018320 100/2018328 100/2534013 100/2534015 100/2534025 100/2534029
100/2534037 100/2534001 102 190 190/458 190/459 190/460 190/463 190/464 190/467 190/492 200 299
200/1545041 551 551/1545041 200/2018021 200/2018027 200/2018028 200/2534041 230 368 506 1609005 613
613/1996 613/2534040 613/2018338 613/1893016 803 2500 1200 1200/2018024 2022 10303 10900 10903 36103
80000 80001 80002 80003 80004 80005 80006 80008 80009 80014 1893047 2300001 2018218 2018247 2018300
2018321 2108006 9000001"""


@pytest.mark.parametrize("label", CODES.split())
def test_every_code_of_metas_table_has_a_row(label: str) -> None:
    code, _, subcode = label.partition("/")
    key = (int(code), int(subcode) if subcode else None)

    assert key in ERRORS or any(key[0] in codes for codes, _row in RANGES)


def test_the_contracts_list_of_attachments_is_the_codes() -> None:
    known = parts.KINDS.keys() | parts._SHAPELESS | parts._WHAT.keys()

    assert known <= set(ATTACHMENTS.split())


def test_whatever_is_out_of_reach_has_a_reason(page: str) -> None:
    rows = page.partition("## Out of reach")[2].splitlines()[4:]

    assert len(rows) > 20
    assert not [row for row in rows if not re.fullmatch(r"\| `.+` \| .{10,} \|", row)]
