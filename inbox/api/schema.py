"""What the OpenAPI document says of our keys, our envelopes and our refusals."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

PROBLEM = "application/problem+json"


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "inbox.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer"}


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
