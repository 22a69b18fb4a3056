"""What a call says: query, form or JSON, and the fields it asks for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from channels_meta.payloads import load
from channels_meta.sandbox.errors import GraphError, bad_parameter, no_such_field

_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
# Whoever calls is known by now; what they proved it with goes nowhere else.
_SECRETS = ("access_token", "appsecret_proof", "client_secret")


def read(request: HttpRequest) -> dict[str, Any]:
    """Every parameter of a call, whichever way it came; values that are JSON in a form, read.

    Raises GraphError for a body that is none of them.
    """
    given: dict[str, Any] = dict(request.GET.items())
    if request.method == "POST" and request.content_type in _FORMS:
        given |= {key: _value(text) for key, text in request.POST.items()}
    elif request.method != "GET" and request.body:
        given |= read_json(request)
    for secret in _SECRETS:
        given.pop(secret, None)
    return given


def read_json(request: HttpRequest) -> dict[str, Any]:
    try:
        payload = load(request.body)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise bad_parameter("The request body is not a JSON object")
    return payload


def _value(text: Any) -> Any:
    """A form's field may hold JSON: `message={"text":"Hi"}`."""
    if isinstance(text, str) and text[:1] in {"{", "["}:
        try:
            return load(text.encode())
        except ValueError:
            return text
    return text


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """Words, or a number that stands for an id; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    return "" if "\x00" in text else text


def as_flag(value: Any) -> bool:
    return value is True or str(value).lower() in {"true", "1"}


def as_number(value: Any, default: int) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else default


def as_names(value: Any) -> list[str]:
    """A list of words as csv, as JSON, or as a list."""
    if isinstance(value, str) and value[:1] == "[":
        try:
            value = json.loads(value)
        except ValueError:
            return []
    if isinstance(value, str):
        value = value.split(",")
    return [str(name).strip() for name in as_list(value) if str(name).strip()]


# --- fields ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Field:
    """`messages.limit(20){id,from}`: its name, what is said to it, and what is asked of it."""

    name: str
    arguments: dict[str, str] = field(default_factory=dict)
    inner: list[Field] = field(default_factory=list)


Value = Callable[[Field], Any]


def parse_fields(text: str) -> list[Field]:
    """Meta's field expansion. Raises GraphError for what is none."""
    fields, rest = _fields(text.replace(" ", ""))
    if rest:
        raise GraphError(2500, "Syntax error in the fields parameter")
    return fields


def _fields(text: str) -> tuple[list[Field], str]:
    found: list[Field] = []
    while text and text[0] != "}":
        one, text = _field(text)
        if one.name:
            found.append(one)
        if text[:1] == ",":
            text = text[1:]
        elif text and text[0] != "}":
            raise GraphError(2500, "Syntax error in the fields parameter")
    return found, text


def _field(text: str) -> tuple[Field, str]:
    end = next((at for at, letter in enumerate(text) if letter in ".{},("), len(text))
    one, text = Field(text[:end]), text[end:]
    while text[:1] == ".":
        name, found, after = text[1:].partition("(")
        value, closed, text = after.partition(")")
        if not (found and closed):
            raise GraphError(2500, "Syntax error in the fields parameter")
        one.arguments[name] = value
    if text[:1] == "{":
        one.inner, text = _fields(text[1:])
        if text[:1] != "}":
            raise GraphError(2500, "Syntax error in the fields parameter")
        text = text[1:]
    return one, text


def pick(
    known: Mapping[str, Any],
    fields: list[Field],
    *,
    kind: str = "",
    default: tuple[str, ...] = ("id",),
) -> dict[str, Any]:
    """What was asked for of what is known, and always the id. A callable gets its Field.

    A value that is None is left out, as Meta leaves out what it does not tell.
    Raises GraphError for a field that there is not.
    """
    asked = fields or [Field(name) for name in default]
    if unknown := [one.name for one in asked if one.name not in known]:
        raise no_such_field(unknown[0], kind)
    if not any(one.name == "id" for one in asked) and "id" in known:
        asked = [*asked, Field("id")]
    answer = {}
    for one in asked:
        value = known[one.name]
        value = value(one) if callable(value) else value
        if isinstance(value, dict) and one.inner and "data" not in value:
            value = {
                inner.name: value[inner.name]
                for inner in one.inner
                if inner.name in value
            }
        if value is not None:
            answer[one.name] = value
    return answer
