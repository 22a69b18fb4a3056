"""Bodies stay small: what is too long is cut, and said to be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.urls import reverse

from inbox.jsonb import dump

Json = dict[str, Any]

# Of a whole body.
MAX_BYTES = 20_000
# What is left of a text, of every other value, and of lists, where the whole is too long.
TEXT_BYTES = 6_000
VALUE_BYTES = 400
MAX_ITEMS = 8
# How long the whole text may be fetched.
TEXT_SPAN = timedelta(days=7)
_SALT = "webhooks.fitting.text"
# Nothing of these can be cut: by them receivers know what they are told of.
_WHOLE = frozenset({"conversation_id", "sequence", "reaction"})


def fit(event: Json) -> str:
    """The body. Over MAX_BYTES it is cut step by step, and `data.shortened` names what was."""
    body = dump(event)
    shortened: list[str] = []
    for step in _STEPS:
        if len(body.encode()) <= MAX_BYTES:
            break
        shortened += step(event["data"])
        event["data"]["shortened"] = shortened
        body = dump(event)
    return body


def text_url(message_id: str) -> str:
    """Where the whole text of a message may be read, for TEXT_SPAN."""
    token = _signer().sign(message_id.removeprefix("MSG_"))
    return f"{settings.PUBLIC_URL}{reverse('webhooks:text', args=[token])}"


def read_token(token: str) -> int | None:
    """The message of a text's address, while that is good."""
    try:
        return int(_signer().unsign(token, max_age=TEXT_SPAN))
    except (signing.BadSignature, ValueError):
        return None


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=_SALT, sep=".")


# --- steps: each returns the paths of what it cut -------------------------------------------------


def _cut_text(data: Json) -> list[str]:
    message = data.get("message") or {}
    content = message.get("content") or ""
    if _size(content) <= TEXT_BYTES:
        return []
    message["content"] = _cut(content, TEXT_BYTES)
    message["content_url"] = text_url(message["id"])
    return ["message.content"]


def _cut_lists(data: Json) -> list[str]:
    found = []
    for part, key in (("message", "attachments"), ("conversation", "tags")):
        items = (data.get(part) or {}).get(key) or []
        if len(items) > MAX_ITEMS:
            data[part][key] = items[:MAX_ITEMS]
            found.append(f"{part}.{key}")
    return found


def _cut_values(data: Json) -> list[str]:
    found: list[str] = []
    for key, value in data.items():
        if key not in _WHOLE:
            data[key] = _shorten(value, key, found)
    return found


def _shorten(value: Any, path: str, found: list[str]) -> Any:
    """A long address is no address any more when it is cut: it goes. Ours are short."""
    if isinstance(value, dict):
        return {k: _shorten(v, f"{path}.{k}", found) for k, v in value.items()}
    if isinstance(value, list):
        return [_shorten(v, f"{path}.{i}", found) for i, v in enumerate(value)]
    if not isinstance(value, str) or path == "message.content":
        return value
    if _size(value) <= VALUE_BYTES:
        return value
    found.append(path)
    is_address = value.startswith(("https://", "http://"))
    return None if is_address else _cut(value, VALUE_BYTES)


def _drop_extras(data: Json) -> list[str]:
    """What a platform sent with it and nobody bounded: still too much after all of the above."""
    found = []
    message = data.get("message") or {}
    for key in ("referral", "postback", "quick_reply"):
        if key in message:
            del message[key]
            found.append(f"message.{key}")
    if "changes" in data:
        data["changes"] = {}
        found.append("changes")
    return found


_STEPS: tuple[Callable[[Json], list[str]], ...] = (
    _cut_text,
    _cut_lists,
    _cut_values,
    _drop_extras,
)


def _size(text: str) -> int:
    """As JSON holds it."""
    return len(dump(text).encode())


def _cut(text: str, most: int) -> str:
    """The longest start of a text that JSON holds in so many bytes."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if _size(text[:middle]) <= most else (low, middle - 1)
        )
    return text[:low]
