"""The Conversations API: what Meta remembers of an account's conversations.

Source: Meta's conversations pages of 2026-02-11 and captures. One call brings a page of
conversations with the newest 20 messages of each: Meta tells details of no more than those, and
answers for older ones as if they had been deleted, which they were not. Threads of Instagram's
Requests folder that are idle for 30 days are not listed. Times come as ISO 8601.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from channels_meta.assumptions import assume
from channels_meta.graph import GraphClient, next_cursor
from channels_meta.pacing import Lane
from channels_meta.payloads.values import (
    ItemError,
    as_dict,
    as_list,
    read_id,
    read_mid,
    read_moment,
    read_text,
)
from inbox.channels import HistoryPage
from inbox.inbound import Echo, InboundMessage, Item, Part, ReactionChange
from inbox.models import Channel

CONVERSATIONS_PER_PAGE = 10
# Meta tells no details of older ones.
MESSAGES_PER_CONVERSATION = 20
STORY_LIFE = timedelta(hours=24)

MESSAGE_FIELDS = "id,created_time,from,to,message,attachments,shares,story,reactions,reply_to,is_unsupported"
FIELDS = (
    "id,updated_time,participants,is_owner,"
    f"messages.limit({MESSAGES_PER_CONVERSATION}){{{MESSAGE_FIELDS}}}"
)

_EMOJI = {
    "love": "❤️",
    "like": "👍",
    "dislike": "👎",
    "smile": "😆",
    "haha": "😆",
    "wow": "😮",
    "sad": "😢",
    "angry": "😠",
}


def fetch_history(
    client: GraphClient, channel: Channel, *, cursor: str = "", person_id: str = ""
) -> HistoryPage:
    """One page of conversations, newest first; the messages of each in the order of their time.

    Raises SendError.
    """
    lane = Lane.ONE_CONVERSATION if person_id else Lane.CONVERSATIONS
    params = {
        "platform": channel.kind,
        "fields": FIELDS,
        "limit": str(CONVERSATIONS_PER_PAGE),
    }
    if person_id:
        params["user_id"] = person_id
    if cursor:
        params["after"] = cursor
    client.pace(lane)
    answer = client.get(f"{channel.meta.node_id}/conversations", **params)
    conversations = [as_dict(one) for one in as_list(answer.get("data"))]
    ours = frozenset(
        filter(None, (channel.external_id, channel.meta.node_id, channel.meta.user_id))
    )
    items = [
        item
        for conversation in conversations
        if _is_wanted(conversation)
        for item in _read_conversation(
            conversation, _Account(ours, channel.username), person_id
        )
    ]
    times = [read_moment(one.get("updated_time")) for one in conversations]
    return HistoryPage(
        items=items,
        cursor=next_cursor(answer),
        conversations=len(conversations),
        oldest=min(filter(None, times), default=None),
    )


def _is_wanted(conversation: Mapping[str, Any]) -> bool:
    is_others = conversation.get("is_owner") is False
    return not is_others or bool(assume("HISTORY_OF_OTHERS_THREADS"))


@dataclass(frozen=True, slots=True)
class _Account:
    """Ours, under whichever of its ids Meta names it here (they differ, trap 29)."""

    ids: frozenset[str]
    username: str

    def is_(self, party: Mapping[str, Any]) -> bool:
        username = read_text(party.get("username"))
        return _id(party) in self.ids or bool(username and username == self.username)


@dataclass(frozen=True, slots=True)
class _Person:
    id: str
    username: str
    name: str


def _id(party: Mapping[str, Any]) -> str:
    return read_id(party.get("id"))


def _read_conversation(
    conversation: Mapping[str, Any], account: _Account, person_id: str
) -> Iterator[Item]:
    messages = [
        as_dict(one)
        for one in as_list(as_dict(conversation.get("messages")).get("data"))
    ]
    person = _person_of(conversation, messages, account, person_id)
    if person is None:
        return
    for message in reversed(messages[:MESSAGES_PER_CONVERSATION]):
        try:
            yield from _read_message(message, account, person)
        except ItemError:
            continue  # an id that nothing could be stored under


def _person_of(
    conversation: Mapping[str, Any],
    messages: list[Mapping[str, Any]],
    account: _Account,
    person_id: str,
) -> _Person | None:
    """The one who is not us. None where that cannot be told: a group, or nobody at all."""
    parties = as_list(as_dict(conversation.get("participants")).get("data"))
    if not parties:
        parties = [
            party
            for message in messages
            for party in (
                message.get("from"),
                *as_list(as_dict(message.get("to")).get("data")),
            )
        ]
    people = {
        _id(party): party for party in map(as_dict, parties) if not account.is_(party)
    }
    people.pop("", None)
    if person_id and person_id in people:
        people = {person_id: people[person_id]}
    if len(people) != 1:
        return None
    ((identifier, party),) = people.items()
    return _Person(
        identifier,
        read_text(party.get("username"))[:100],
        read_text(party.get("name"))[:200],
    )


def _read_message(
    message: Mapping[str, Any], account: _Account, person: _Person
) -> Iterator[Item]:
    """A message and its reactions; nothing of one that Meta tells no details of."""
    moment = read_moment(message.get("created_time"))
    sender = as_dict(message.get("from"))
    if moment is None or not sender:
        return
    mid = read_mid(message.get("id"))
    content = _content(message, moment)
    reply_to = as_dict(message.get("reply_to"))
    quoted = reply_to.get("mid") or reply_to.get("id")
    common: dict[str, Any] = {
        "person_id": person.id,
        "external_id": mid,
        "sent_at": moment,
        "type": content.type,
        "content": content.text,
        "parts": content.parts,
        "reply_to": read_mid(quoted) if quoted else "",
        "extra": content.extra,
    }
    if account.is_(sender) or _id(sender) != person.id:
        yield Echo(**common)
    else:
        yield InboundMessage(
            **common,
            opens_window="message",
            username=person.username,
            name=person.name,
        )
    yield from _read_reactions(message, mid, moment, account, person)


def _read_reactions(
    message: Mapping[str, Any],
    mid: str,
    moment: datetime,
    account: _Account,
    person: _Person,
) -> Iterator[ReactionChange]:
    """Meta tells no time of them: the message's own, so that any event that came is newer."""
    for reaction in map(
        as_dict, as_list(as_dict(message.get("reactions")).get("data"))
    ):
        told = read_text(reaction.get("emoji") or reaction.get("reaction"))
        for user in map(as_dict, as_list(reaction.get("users"))):
            actor = person.id if _id(user) == person.id else _id(user)
            if told and actor and (actor == person.id or account.is_(user)):
                yield ReactionChange(
                    person_id=person.id,
                    external_id=mid,
                    actor=actor,
                    emoji=_EMOJI.get(told, told)[:40],
                    at=moment,
                )


# --- content -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Content:
    type: str
    text: str
    parts: tuple[Part, ...]
    extra: dict[str, Any]


def _content(message: Mapping[str, Any], moment: datetime) -> _Content:
    """Text, parts and the one word for what the message is, as the events have them."""
    text = read_text(message.get("message"))
    extra: dict[str, Any] = {}
    attachments = [
        as_dict(one) for one in as_list(as_dict(message.get("attachments")).get("data"))
    ]
    parts = [part for one in attachments if (part := _part(one))]
    parts += _shares(message)
    story = as_dict(message.get("story"))
    expires_at = moment + STORY_LIFE
    if mention := as_dict(story.get("mention")):
        url = read_text(mention.get("link"))
        parts.append(Part("story_mention", url=url, expires_at=expires_at))
        kind = "story_mention"
    elif reply := as_dict(story.get("reply_to")):
        extra["story"] = {
            "id": read_id(reply.get("id")),
            "url": read_text(reply.get("link")),
            "expires_at": expires_at.isoformat(),
        }
        kind = "story_reply"
    else:
        kind = _kind_of(text, parts)
    if cards := [card for one in attachments if (card := _card(one))]:
        extra["cards"] = cards
    if kind == "unsupported":
        extra["raw"] = {key: message[key] for key in message if key != "from"}
    return _Content(kind, text, tuple(parts), extra)


def _kind_of(text: str, parts: list[Part]) -> str:
    """A link preview belongs to its text; any other part says what the message is."""
    telling = [part.kind for part in parts if not (text and part.kind == "share")]
    if telling:
        return telling[0]
    return "text" if text else "unsupported"


def _part(attachment: Mapping[str, Any]) -> Part | None:
    """image_data, video_data, file_url with a MIME type, or a template's card."""
    title = read_text(attachment.get("name"))[:300]
    image = as_dict(attachment.get("image_data"))
    if image:
        kind = "sticker" if image.get("render_as_sticker") is True else "image"
        return Part(kind, url=read_text(image.get("url")), title=title)
    video = as_dict(attachment.get("video_data"))
    if video:
        return Part("video", url=read_text(video.get("url")), title=title)
    url = read_text(attachment.get("file_url"))
    if url:
        family = read_text(attachment.get("mime_type")).partition("/")[0]
        kind = family if family in {"image", "video", "audio"} else "file"
        return Part(kind, url=url, title=title)
    template = as_dict(attachment.get("generic_template"))
    if template:
        raw = {"meta_type": "template", "raw": dict(template)}
        return Part("template", title=read_text(template.get("title"))[:300], extra=raw)
    return Part("unsupported", title=title, extra={"raw": dict(attachment)})


def _card(attachment: Mapping[str, Any]) -> dict[str, Any] | None:
    template = as_dict(attachment.get("generic_template"))
    if not template:
        return None
    button = as_dict(template.get("cta"))
    url = read_text(button.get("url"))
    return {
        "title": read_text(template.get("title")),
        "subtitle": read_text(template.get("subtitle")),
        "text": "",
        "image_url": read_text(template.get("media_url")),
        "url": "",
        "buttons": [
            {"title": read_text(button.get("title")), "kind": "url", "value": url}
        ]
        if url
        else [],
    }


def _shares(message: Mapping[str, Any]) -> list[Part]:
    return [
        Part(
            "share",
            url=read_text(share.get("link")),
            title=read_text(share.get("name"))[:300],
            extra={"meta_type": "share", "raw": dict(share)},
        )
        for share in map(as_dict, as_list(as_dict(message.get("shares")).get("data")))
        if share.get("link") or share.get("template")
    ]
