"""What the OpenAPI document says of our keys, our envelopes and our refusals."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from inbox.api.scopes import scope_of

PROBLEM = "application/problem+json"


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "inbox.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer"}


class ApiSchema(AutoSchema):
    """What is true of every operation is told of each: its scope, who is refused, how often."""

    def get_description(self) -> str:  # type: ignore[override]  # as in spectacular's own, which has no types
        told = super().get_description() or ""
        scope = scope_of(self.view, self.method)
        return f"{told}\n\nScope: `{scope.value}`." if scope else told

    def get_operation_id(self) -> str:
        """What is no single thing and no file is a list."""
        name: str = super().get_operation_id()
        is_list = self.method == "GET" and not self.path.endswith(("}", "/export"))
        return name.removesuffix("_retrieve") + "_list" if is_list else name

    def get_override_parameters(self) -> list[Any]:
        given = list(super().get_override_parameters())
        handler = getattr(self.view, self.method.lower(), None)
        return [*given, IDEMPOTENCY_KEY] if _is_idempotent(handler) else given


def _is_idempotent(handler: Any) -> bool:
    return bool(getattr(handler, "is_idempotent", False))


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same key and body do it once, and are answered the same, for a day.",
)


class InputErrorSerializer(serializers.Serializer[Any]):
    param = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A refusal (RFC 9457). code: stable, for programs. errors: the inputs at fault."""

    type = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    errors = InputErrorSerializer(many=True, required=False)  # type: ignore[assignment]  # a public word, and DRF's own


class MetaSerializer(serializers.Serializer[Any]):
    next_cursor = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()
    total = serializers.IntegerField(required=False)


@cache  # one component of the document, however many operations answer with it
def enveloped(
    serializer: type[serializers.Serializer[Any]], *, many: bool = False
) -> serializers.Serializer[Any]:
    """{"data": one or many}."""
    name = serializer.__name__.removesuffix("Serializer") + (
        "Items" if many else "Item"
    )
    return inline_serializer(name, {"data": serializer(many=many)})


@cache
def page_of(
    serializer: type[serializers.Serializer[Any]],
) -> serializers.Serializer[Any]:
    """{"data": [...], "meta": {...}}."""
    name = serializer.__name__.removesuffix("Serializer") + "Page"
    return inline_serializer(
        name, {"data": serializer(many=True), "meta": MetaSerializer()}
    )


def problems(*statuses: int) -> dict[Any, Any]:
    """The refusals of one operation, for its `responses`."""
    return {(status, PROBLEM): ProblemSerializer for status in statuses}


def add_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What every operation may be refused with, beside what it says itself: spectacular's hook."""
    for methods in result["paths"].values():
        for operation in methods.values():
            statuses = {401, 403, 406, 429}
            if "requestBody" in operation:
                statuses |= {400, 415, 422}
            if any(
                one["name"] == IDEMPOTENCY_KEY.name
                for one in operation.get("parameters", [])
            ):
                statuses |= {409, 410, 422}
            answers = operation["responses"]
            for status in map(str, sorted(statuses)):
                answers.setdefault(status, _REFUSAL)
            operation["responses"] = dict(sorted(answers.items()))
    return result


_REFUSAL = {
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    "description": "",
}
