"""GET /v1/docs: the OpenAPI document for people. Drawn here: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """shape: the component that it is or holds, "" for plain values."""

    name: str
    words: str
    shape: str
    is_required: bool
    about: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    about: str
    fields: list[Field]


@dataclass(frozen=True, slots=True)
class Operation:
    anchor: str
    method: str
    path: str
    about: str
    scope: str
    parameters: list[Field]
    body: str
    answers: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Document:
    """groups: by the first word of the path."""

    groups: dict[str, list[Operation]]
    shapes: list[Shape]


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return render(request, "inbox/api/docs.html", {"document": read_document()})


@cache
def read_document() -> Document:
    """The code does not change while it runs."""
    told: Json = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]  # spectacular has no types
    groups: dict[str, list[Operation]] = {}
    for operation in _operations(told):
        groups.setdefault(operation.path.split("/")[2], []).append(operation)
    components: Json = told["components"]["schemas"]
    return Document(groups, [_shape(name, one) for name, one in components.items()])


def _operations(told: Json) -> Iterator[Operation]:
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            about, _, scope = one.get("description", "").partition("Scope: `")
            yield Operation(
                anchor=one["operationId"],
                method=method.upper(),
                path=path,
                about=about.strip(),
                scope=scope.rstrip("`."),
                parameters=[_parameter(given) for given in one.get("parameters", ())],
                body=_shape_of(one.get("requestBody", {})),
                answers=[
                    (status, _shape_of(answer))
                    for status, answer in one["responses"].items()
                ],
            )


def _parameter(given: Json) -> Field:
    schema = given["schema"]
    return Field(
        given["name"],
        _words(schema),
        "",
        bool(given.get("required")),
        given.get("description", ""),
    )


def _shape(name: str, schema: Json) -> Shape:
    required = schema.get("required", ())
    fields = [
        Field(
            key, _words(one), _name_in(one), key in required, one.get("description", "")
        )
        for key, one in schema.get("properties", {}).items()
    ]
    return Shape(name, schema.get("description", ""), fields)


def _shape_of(body: Json) -> str:
    """The component that a request or an answer is; "" for none."""
    for content in body.get("content", {}).values():
        return _name_in(content.get("schema", {}))
    return ""


def _name_in(schema: Json) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "items" in schema:
        return _name_in(schema["items"])
    several = [*schema.get("allOf", ()), *schema.get("oneOf", ())]
    return next(filter(None, map(_name_in, several)), "")


def _words(schema: Json) -> str:
    """What a value is, in a few words: `string (date-time) or null`."""
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    kinds = schema.get("type", "")
    words = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    return f"{words} ({schema['format']})" if "format" in schema else words
