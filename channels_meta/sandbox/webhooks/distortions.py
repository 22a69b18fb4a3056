"""What Meta's events may look like on a bad day: each fault makes of one body another, or more."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from channels_meta.sandbox import faults
from channels_meta.sandbox.faults import Fault
from channels_meta.sandbox.models import SandboxAccount, SandboxPerson
from channels_meta.sandbox.webhooks.bodies import Data, items_of


def distort(
    account: SandboxAccount,
    person: SandboxPerson | None,
    data: Data,
    *,
    is_calm: bool = False,
) -> list[Data]:
    """The bodies that are posted instead of this one, by the faults that strike.

    is_calm: there are none.
    """
    data = copy.deepcopy(data)
    if _is_held(account, person, data):
        _move_to_standby(data)
    if is_calm:
        return [data]
    if _is_about_messages(data) and faults.strikes(account, Fault.STANDBY):
        _move_to_standby(data)
    if _is_about_messages(data):
        if faults.strikes(account, Fault.SECONDS):
            _count_in_seconds(data)
        if _is_edit(data) and faults.strikes(account, Fault.NO_SENDER):
            _leave_out_sender(data)
    if faults.strikes(account, Fault.NUMBER_IDS):
        _number_ids(data)
    if faults.strikes(account, Fault.UNKNOWN):
        _add_unknown(data)
    return [data, *_more(account, data)]


def _more(account: SandboxAccount, data: Data) -> Iterator[Data]:
    """What comes on top of it."""
    if _is_new_message(data) and faults.strikes(account, Fault.EDIT_ZERO):
        yield _false_edit_of(data)
    if _is_instagram_comment(data) and faults.strikes(account, Fault.BOOSTED):
        yield _boosted(data)
    if faults.strikes(account, Fault.DUPLICATE):
        yield copy.deepcopy(data)


def _is_about_messages(data: Data) -> bool:
    return any("messaging" in entry for entry in data["entry"])


def _is_new_message(data: Data) -> bool:
    return any(
        "mid" in item.get("message", {}) and not item["message"].get("is_deleted")
        for item in items_of(data)
    )


def _is_edit(data: Data) -> bool:
    return any("message_edit" in item for item in items_of(data))


def _is_instagram_comment(data: Data) -> bool:
    return data["object"] == "instagram" and any(
        change.get("field") == "comments"
        for entry in data["entry"]
        for change in entry.get("changes", ())
    )


# --- each distortion ---------------------------------------------------------------------------------


def _is_held(account: SandboxAccount, person: SandboxPerson | None, data: Data) -> bool:
    """Another app owns the thread."""
    is_routed = account.has_routing and person is not None and bool(person.held_by)
    return is_routed and _is_about_messages(data)


def _move_to_standby(data: Data) -> None:
    """The same shape in another list; a tapped button keeps its payload to itself there."""
    for entry in data["entry"]:
        entry["standby"] = entry.pop("messaging", [])
        for item in entry["standby"]:
            item.get("postback", {}).pop("payload", None)


def _count_in_seconds(data: Data) -> None:
    """Even as a string, as referrals and the dashboard's tests do."""
    for item in items_of(data):
        if "timestamp" in item:
            item["timestamp"] = str(item["timestamp"] // 1000)


def _leave_out_sender(data: Data) -> None:
    """An edit names its message, and that is known to be somebody's."""
    for item in items_of(data):
        if "message_edit" in item:
            item.pop("sender", None)
            item.pop("recipient", None)


def _number_ids(data: Data) -> None:
    for entry in data["entry"]:
        entry["id"] = int(entry["id"])
    for item in items_of(data):
        for party in ("sender", "recipient"):
            if item.get(party, {}).get("id", "").isdigit():
                item[party]["id"] = int(item[party]["id"])


def _add_unknown(data: Data) -> None:
    """Keys nobody announced, at every level; and an item of a kind that there is not yet."""
    data["meta_experiment"] = {"cohort": 7}
    for entry in data["entry"]:
        entry["hop_context"] = [{"app_id": 1, "metadata": "x"}]
        if "messaging" in entry:
            entry["messaging"].append(
                {"timestamp": entry["time"], "hologram": {"shape": "cube"}}
            )
    for item in items_of(data):
        item["prior_message"] = {"source": "checkbox_plugin"}


def _false_edit_of(data: Data) -> Data:
    """`num_edit: 0`, no words, nobody who sent it: not an edit."""
    entry = data["entry"][0]
    item = items_of(data)[0]
    edit = {
        "timestamp": item["timestamp"],
        "message_edit": {"mid": item["message"]["mid"], "num_edit": 0},
    }
    return {
        "object": data["object"],
        "entry": [{"id": entry["id"], "time": entry["time"], "messaging": [edit]}],
    }


def _boosted(data: Data) -> Data:
    """The same comment once more, this time below the ad that the post has become."""
    again = copy.deepcopy(data)
    for entry in again["entry"]:
        for change in entry["changes"]:
            media = change["value"]["media"]
            change["value"]["media"] = {
                "id": f"{media['id']}9",
                "media_product_type": "AD",
                "ad_id": "6120000000001",
                "ad_title": "Summer sale",
                "original_media_id": media["id"],
            }
    return again
