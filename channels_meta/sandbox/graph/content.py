"""What a message may hold, channel by channel (contract 6.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings

from channels_meta.sandbox import cdn, clock, errors
from channels_meta.sandbox.errors import GraphError, bad_parameter
from channels_meta.sandbox.graph.parameters import as_dict, as_list, as_text
from channels_meta.sandbox.models import (
    SandboxAccount,
    SandboxMessage,
    SandboxTemplate,
    SandboxUpload,
)

MEDIA_KINDS = frozenset({"image", "video", "audio", "file"})
# By the address alone. A kind that is not named here takes anything.
MEDIA_ENDINGS = {
    "messenger": {"image": {".png", ".jpg", ".jpeg", ".gif"}},
    "instagram": {
        "image": {".png", ".jpg", ".jpeg", ".gif"},
        "video": {".mp4", ".ogg", ".avi", ".mov", ".webm"},
        "audio": {".aac", ".m4a", ".wav", ".mp4"},
        "file": {".pdf"},
    },
}
LONGEST_ENDING = len(".jpeg")
MAX_IMAGES = {"messenger": 30, "instagram": 10}
INSTAGRAM_TEXT_BYTES = 1000
MESSENGER_TEXT_CHARACTERS = 2000
MAX_QUICK_REPLIES, MAX_CARDS, MAX_BUTTONS = 13, 10, 3
MAX_TITLE, MAX_CARD_TITLE, MAX_BUTTON_TEXT, MAX_PAYLOAD = 20, 80, 640, 1000
QUICK_REPLY_KINDS = {
    "messenger": {"text", "user_phone_number", "user_email"},
    # Phone and e-mail ended on 2026-10-05.
    "instagram": {"text"},
}
BUTTON_KINDS = {
    "messenger": {"web_url", "postback", "phone_number", "account_link", "account_unlink"},
    "instagram": {"web_url", "postback"},
}  # fmt: skip
# An attachment id is good for so long.
UPLOAD_LASTS = timedelta(days=90)
# How long Meta waits (seconds) for an address of ours.
FETCH_TIMEOUT = 10

BAD_INSTAGRAM_MESSAGE = 2534015

Kind = SandboxMessage.Kind


@dataclass(slots=True)
class Content:
    """One message, checked. parts: [{type, url}]; extra: as SandboxMessage.extra.

    attachments: what its echo carries.
    """

    kind: str = Kind.TEXT
    text: str = ""
    parts: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    metadata: str = ""

    @property
    def media_url(self) -> str:
        return str(self.parts[0]["url"]) if self.parts else ""


def check(account: SandboxAccount, message: dict[str, Any]) -> Content:
    """Raises GraphError for what the platform would not send.

    Instagram has a subcode for whatever is wrong with a message.
    """
    try:
        return _check(account, message)
    except GraphError as error:
        if account.is_instagram and error.subcode is None:
            error.subcode = BAD_INSTAGRAM_MESSAGE
        raise


def _check(account: SandboxAccount, message: dict[str, Any]) -> Content:
    text = message.get("text") or ""
    attachments = _attachments(message)
    template = as_dict(message.get("template"))
    sticker = message.get("sticker_id")
    ways = [bool(text), bool(attachments), bool(template), bool(sticker)]
    if not isinstance(text, str) or sum(ways) != 1:
        raise bad_parameter("Message must have either text or an attachment")
    if _is_too_long(account, text):
        raise errors.too_long(is_instagram=account.is_instagram)
    if template:
        content = _use_template(account, template)
    elif sticker:
        content = _sticker(account)
    elif attachments:
        content = _attached(account, attachments)
    else:
        content = Content(text=text)
    replies = _quick_replies(account, message)
    if replies:
        content.extra["quick_replies"] = replies
    content.metadata = as_text(message.get("metadata"))
    if len(content.metadata) > MAX_PAYLOAD:
        raise bad_parameter("Length of param message[metadata] must be at most 1000")
    return content


def _attachments(message: dict[str, Any]) -> list[dict[str, Any]]:
    """One under either key; Messenger and Instagram take several pictures under the second."""
    one = as_dict(message.get("attachment")) or as_dict(message.get("attachments"))
    several = as_list(message.get("attachments"))
    return [one] if one else [as_dict(each) for each in several]


def _is_too_long(account: SandboxAccount, text: str) -> bool:
    """Messenger counts characters, Instagram bytes."""
    if account.is_instagram:
        return len(text.encode("utf-8", "surrogatepass")) > INSTAGRAM_TEXT_BYTES
    return len(text) > MESSENGER_TEXT_CHARACTERS


# --- files -------------------------------------------------------------------------------------------


def _attached(account: SandboxAccount, attachments: list[dict[str, Any]]) -> Content:
    first = as_text(attachments[0].get("type")).lower()
    if len(attachments) > 1:
        if any(one.get("type") != "image" for one in attachments):
            raise bad_parameter("Only images can be sent together")
        if len(attachments) > MAX_IMAGES[account.kind]:
            raise bad_parameter("Too many attachments")
    if first == "template":
        return _cards(account, as_dict(attachments[0].get("payload")))
    if first == "like_heart" and account.is_instagram:
        return Content(
            kind=Kind.STICKER, text="❤️", attachments=[{"type": "like_heart"}]
        )
    if first == "media_share" and account.is_instagram:
        return Content(kind=Kind.SHARE, attachments=[{"type": "ig_post"}])
    parts = [_file(account, one) for one in attachments]
    told = [{"type": part["type"], "payload": {"url": part["url"]}} for part in parts]
    return Content(kind=first, parts=parts, attachments=told)


def _file(account: SandboxAccount, attachment: dict[str, Any]) -> dict[str, Any]:
    kind = as_text(attachment.get("type"))
    payload = as_dict(attachment.get("payload"))
    url, attachment_id = as_text(payload.get("url")), payload.get("attachment_id")
    if kind not in MEDIA_KINDS or not (url or attachment_id):
        raise bad_parameter("Unsupported attachment type")
    if attachment_id:
        return _uploaded(account, kind, attachment_id)
    if not is_fit(account, kind, url):
        raise bad_parameter("Upload attachment failure.", 2018047)
    check_reachable(url)
    return {"type": kind, "url": url}


def _uploaded(account: SandboxAccount, kind: str, given: Any) -> dict[str, Any]:
    """Ids are the account's own, or its Page's; and strings."""
    owners = [account, account.page] if account.page else [account]
    found = SandboxUpload.objects.filter(
        account__in=owners, attachment_id=as_text(given)
    ).first()
    if (
        not isinstance(given, str)
        or found is None
        or clock.is_over(found.uploaded_at, UPLOAD_LASTS)
    ):
        raise bad_parameter("Attachment id is not valid or has expired.", 2018074)
    if found.kind != kind:
        raise bad_parameter("Upload attachment failure.", 2018047)
    return {
        "type": kind,
        "url": cdn.address_of_upload(found),
        "attachment_id": found.attachment_id,
    }


def is_fit(account: SandboxAccount, kind: str, url: str) -> bool:
    """Whether the platform takes such a file; one without an ending has yet to be looked at."""
    ending = PurePosixPath(urlsplit(url).path).suffix.lower()
    taken = MEDIA_ENDINGS[account.kind].get(kind)
    # Addresses may end with a signature, which says nothing of the file.
    is_told = 0 < len(ending) <= LONGEST_ENDING
    return not is_told or taken is None or ending in taken


def check_reachable(url: str) -> None:
    """Meta fetches what it is given an address of; here only what is ours can be fetched."""
    if not url.startswith(f"{settings.PUBLIC_URL}/"):
        return
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(
                url, timeout=FETCH_TIMEOUT, stream=True, allow_redirects=False
            )
            answer.close()
    except requests.RequestException:
        raise bad_parameter("Failed to fetch the file from the url", 2018008) from None
    if answer.status_code != 200:
        raise bad_parameter("Failed to fetch the file from the url", 2018008)


def _sticker(account: SandboxAccount) -> Content:
    if account.is_instagram:
        raise bad_parameter("Param message[sticker_id] is not supported")
    return Content(kind=Kind.STICKER, text="👍", attachments=[{"type": "sticker"}])


# --- buttons, cards, templates -----------------------------------------------------------------------


def _quick_replies(
    account: SandboxAccount, message: dict[str, Any]
) -> list[dict[str, Any]]:
    replies = [as_dict(one) for one in as_list(message.get("quick_replies"))]
    if len(replies) > MAX_QUICK_REPLIES:
        raise bad_parameter("Param message[quick_replies] must have at most 13 items")
    for reply in replies:
        kind = reply.get("content_type")
        if kind not in QUICK_REPLY_KINDS[account.kind]:
            raise bad_parameter("Param quick_replies[content_type] is not supported")
        if kind == "text" and not reply.get("title"):
            raise bad_parameter("Param quick_replies[title] is required")
        _check_length(reply.get("title"), MAX_TITLE, "quick_replies[title]")
        _check_length(reply.get("payload"), MAX_PAYLOAD, "quick_replies[payload]")
    return replies


def _cards(account: SandboxAccount, payload: dict[str, Any]) -> Content:
    kind = payload.get("template_type")
    if kind == "generic":
        cards = [as_dict(one) for one in as_list(payload.get("elements"))]
        if not 1 <= len(cards) <= MAX_CARDS:
            raise bad_parameter("Param elements must have 1 to 10 items")
        for card in cards:
            _check_card(account, card)
    elif kind == "button" and not account.is_instagram:
        cards = [{"text": payload.get("text"), "buttons": payload.get("buttons")}]
        _check_length(payload.get("text"), MAX_BUTTON_TEXT, "text", needed=True)
        if not _check_buttons(account, payload.get("buttons")):
            raise bad_parameter("Param buttons must have 1 to 3 items")
    else:
        raise bad_parameter("Template type is not supported")
    told = [{"type": "template", "payload": payload}]
    return Content(kind=Kind.CARDS, attachments=told, extra={"cards": cards})


def _check_card(account: SandboxAccount, card: dict[str, Any]) -> None:
    _check_length(card.get("title"), MAX_CARD_TITLE, "elements[title]", needed=True)
    _check_length(card.get("subtitle"), MAX_CARD_TITLE, "elements[subtitle]")
    if not any(card.get(key) for key in ("subtitle", "image_url", "buttons")):
        raise bad_parameter("An element needs more than a title")
    _check_buttons(account, card.get("buttons"))


def _check_buttons(account: SandboxAccount, given: Any) -> int:
    buttons = [as_dict(one) for one in as_list(given)]
    if len(buttons) > MAX_BUTTONS:
        raise bad_parameter("Param buttons must have at most 3 items")
    for button in buttons:
        if button.get("type") not in BUTTON_KINDS[account.kind]:
            raise bad_parameter("Param buttons[type] is not supported")
        _check_length(button.get("title"), MAX_TITLE, "buttons[title]", needed=True)
        _check_length(button.get("payload"), MAX_PAYLOAD, "buttons[payload]")
        needed = "url" if button["type"] == "web_url" else "payload"
        if button["type"] in {"web_url", "postback", "phone_number"} and not button.get(
            needed
        ):
            raise bad_parameter(f"Param buttons[{needed}] is required")
    return len(buttons)


def _check_length(value: Any, maximum: int, name: str, *, needed: bool = False) -> None:
    if needed and not value:
        raise bad_parameter(f"Param {name} is required")
    if value is not None and (not isinstance(value, str) or len(value) > maximum):
        raise bad_parameter(f"Length of param {name} must be at most {maximum}")


def _use_template(account: SandboxAccount, given: dict[str, Any]) -> Content:
    """An approved one of this Page, every variable of it filled."""
    language = as_text(as_dict(given.get("language")).get("code"))
    template = SandboxTemplate.objects.filter(
        account=account, name=as_text(given.get("name")), language=language
    ).first()
    if template is None:
        raise bad_parameter("Template does not exist in this language")
    if template.status != "APPROVED":
        raise bad_parameter("Template is not approved")
    body = next(
        (str(part.get("text", "")) for part in template.components if part.get("type") == "BODY"),
        "",
    )  # fmt: skip
    values = _values(given)
    if body.count("{{") != len(values):
        raise bad_parameter("Number of parameters does not match the template")
    for number, value in enumerate(values, start=1):
        body = body.replace(f"{{{{{number}}}}}", value)
    used = {"name": template.name, "language": language}
    return Content(kind=Kind.TEMPLATE, text=body, extra={"template": used})


def _values(given: dict[str, Any]) -> list[str]:
    return [
        as_text(as_dict(parameter).get("text"))
        for component in as_list(given.get("components"))
        if as_text(as_dict(component).get("type")).lower() == "body"
        for parameter in as_list(as_dict(component).get("parameters"))
    ]
