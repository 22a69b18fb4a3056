"""Who a person is, as far as Meta tells.

Source: Meta's user profile pages of 2026-03-18 (Messenger) and 2026-04-01 (Instagram). A refusal
is normal: who only commented has not consented, who writes with a phone number has no profile,
and Messenger gives none without the Business Asset User Profile Access feature (trap 30).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from channels_meta.graph import GraphClient
from channels_meta.pacing import Lane
from channels_meta.payloads.values import as_dict, as_list, read_id, read_text
from inbox.channels import ErrorClass, Profile, SendError
from inbox.models import Channel

# Only fields that need no permission of their own: one that is not granted fails the whole call.
MESSENGER_FIELDS = "first_name,last_name,name,profile_pic,id"
INSTAGRAM_FIELDS = (
    "name,username,profile_pic,follower_count,is_verified_user,"
    "is_user_follow_business,is_business_follow_user"
)
_TOLD = (
    "follower_count",
    "is_verified_user",
    "is_user_follow_business",
    "is_business_follow_user",
)
# No consent, no profile, no permission for it, nobody with this id.
_REFUSALS = {"230", "2018218", "2018247", "9010", "100/33"}


def fetch_profile(client: GraphClient, channel: Channel, external_id: str) -> Profile:
    """What Meta tells of this person; an empty profile where it tells nothing.

    Raises SendError for what may be answered another time.
    """
    is_messenger = channel.kind == "messenger"
    fields = MESSENGER_FIELDS if is_messenger else INSTAGRAM_FIELDS
    try:
        profile = read_profile(client.get(external_id, fields=fields))
    except SendError as error:
        if not is_refusal(error):
            raise
        profile = Profile()
    if is_messenger and not profile.name:
        name = _name_of_participant(client, channel, external_id)
        return replace(profile, name=name)
    return profile


def is_refusal(error: SendError) -> bool:
    """Whether Meta has said that it will not tell, now or later."""
    code, _slash, subcode = error.code.partition("/")
    if _REFUSALS & {error.code, code, subcode}:
        return True
    return error.error_class in {
        ErrorClass.GONE,
        ErrorClass.PERMISSION,
        ErrorClass.UNAVAILABLE,
        ErrorClass.BAD_REQUEST,
    }


def read_profile(answer: Mapping[str, Any]) -> Profile:
    """Any part may be missing or null."""
    name = read_text(answer.get("name")).strip()
    if not name:
        parts = (read_text(answer.get(key)) for key in ("first_name", "last_name"))
        name = " ".join(part.strip() for part in parts if part.strip())
    return Profile(
        name=name[:200],
        username=read_text(answer.get("username"))[:100],
        avatar_url=_address(answer.get("profile_pic")),
        attributes={
            key: answer[key] for key in _TOLD if isinstance(answer.get(key), bool | int)
        },
    )


def _address(value: Any) -> str:
    """A link that is too long to be kept is worth nothing cut."""
    url = read_text(value)
    return url if url.startswith(("https:", "http:")) and len(url) <= 2000 else ""


def _name_of_participant(
    client: GraphClient, channel: Channel, external_id: str
) -> str:
    """The name in the list of who takes part: the right to message is enough to read it."""
    client.pace(Lane.ONE_CONVERSATION)
    try:
        answer = client.get(
            f"{channel.meta.node_id}/conversations",
            platform="messenger",
            user_id=external_id,
            fields="participants",
        )
    except SendError as error:
        if not is_refusal(error):
            raise
        return ""
    for conversation in as_list(answer.get("data")):
        participants = as_dict(as_dict(conversation).get("participants"))
        for person in as_list(participants.get("data")):
            if read_id(as_dict(person).get("id")) == external_id:
                return read_text(as_dict(person).get("name"))[:200]
    return ""
