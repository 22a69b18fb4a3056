"""GET /v1/channels/{id}/templates."""

from __future__ import annotations

import re
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.pagination import ListQuery, name_of, paginate, read_filters
from inbox.api.schema import page_of, problems
from inbox.api.views import ApiView
from inbox.models import Channel, MessageTemplate, Scope

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


class TemplateQuery(ListQuery):
    status = serializers.ChoiceField(
        choices=MessageTemplate.Status.choices, required=False
    )


class TemplateList(ApiView):
    """The message templates of one account, last seen first. Only approved ones can be sent."""

    scopes = {"GET": Scope.CHANNELS_READ}

    @extend_schema(
        parameters=[TemplateQuery],
        responses={200: page_of(TemplateSerializer), **problems(404, 422)},
    )
    def get(self, request: Request, channel_id: str) -> Response:
        found = _CHANNEL_ID.fullmatch(channel_id)
        if found is None:
            raise Http404
        channel = get_object_or_404(Channel, pk=found[1])
        filters = read_filters(request, TemplateQuery)
        page = paginate(
            request,
            MessageTemplate.objects.filter(channel=channel, **filters),
            moment="synced_at",
            name=name_of(f"templates {channel.pk}", filters),
        )
        return Response(page.as_json(TemplateSerializer(page.rows, many=True).data))
