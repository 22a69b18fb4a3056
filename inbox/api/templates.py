"""GET /v1/channels/{id}/templates."""

from __future__ import annotations

import re
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox.api.pagination import paginate
from inbox.api.schema import page_of, problems
from inbox.models import Channel, MessageTemplate

_CHANNEL_ID = re.compile(r"CH_(\d{1,18})")


class TemplateSerializer(serializers.Serializer[Any]):
    """variables: by part of the template, how many values it wants."""

    id = serializers.CharField(source="external_id")
    name = serializers.CharField()
    language = serializers.CharField()
    status = serializers.ChoiceField(choices=MessageTemplate.Status.choices)
    reason = serializers.CharField()
    body = serializers.CharField()
    variables = serializers.DictField(child=serializers.IntegerField())
    synced_at = serializers.DateTimeField()


class TemplateList(APIView):
    """The message templates of one account, last seen first. Only approved ones can be sent."""

    @extend_schema(
        parameters=[
            OpenApiParameter("status", enum=MessageTemplate.Status.values),
            OpenApiParameter("limit", int),
            OpenApiParameter("cursor", str),
        ],
        responses={200: page_of(TemplateSerializer), **problems(401, 404, 422)},
    )
    def get(self, request: Request, channel_id: str) -> Response:
        found = _CHANNEL_ID.fullmatch(channel_id)
        if found is None:
            raise Http404
        channel = get_object_or_404(Channel, pk=found[1])
        rows = MessageTemplate.objects.filter(channel=channel)
        status = request.query_params.get("status", "")
        if status:
            if status not in MessageTemplate.Status.values:
                raise ValidationError(
                    {"status": f"One of {', '.join(MessageTemplate.Status.values)}."}
                )
            rows = rows.filter(status=status)
        page = paginate(
            request, rows, moment="synced_at", name=f"templates:{channel.pk}:{status}"
        )
        return Response(page.as_json(TemplateSerializer(page.rows, many=True).data))
