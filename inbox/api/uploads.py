"""POST /v1/uploads: a file ahead of the message that takes it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.authentication import holder_of
from inbox.api.idempotency import idempotent
from inbox.api.ids import conversation_of
from inbox.api.schema import enveloped, problems
from inbox.api.views import ApiView
from inbox.models import Scope
from inbox.staging import stage_file


class UploadFormSerializer(serializers.Serializer[Any]):
    conversation_id = serializers.RegexField(r"^\d{1,18}$")
    file = serializers.FileField()


class UploadSerializer(serializers.Serializer[Any]):
    """type: as what it will be sent."""

    id = serializers.CharField(source="public_id")
    type = serializers.CharField(source="kind")
    name = serializers.CharField()
    mime_type = serializers.CharField()
    size = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class UploadList(ApiView):
    scopes = {"POST": Scope.MESSAGES_WRITE}
    parser_classes = [MultiPartParser]

    @extend_schema(
        request={"multipart/form-data": UploadFormSerializer},
        responses={201: enveloped(UploadSerializer), **problems(404, 409, 422)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Hand over a file for a message to one conversation, within a day: `upload_id` names it."""
        given = UploadFormSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        conversation = conversation_of(request, int(values["conversation_id"]))
        staged = stage_file(
            conversation=conversation,
            by=holder_of(request).key,
            file=values["file"],
        )
        staged.refresh_from_db()
        return Response(
            {"data": UploadSerializer(staged).data}, status=status.HTTP_201_CREATED
        )
