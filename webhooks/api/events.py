"""/v1/events: all that endpoints are told, for whoever would rather ask."""

from __future__ import annotations

import json
from typing import Any

from django.core import signing
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.pagination import PageQuery, limit_of, name_of, read_filters
from inbox.api.schema import problems
from inbox.api.views import ApiView
from inbox.events import EventName
from inbox.models import Scope
from webhooks import feed
from webhooks.models import Event


class EventQuery(PageQuery):
    conversation_id = serializers.RegexField(r"^\d{1,18}$", required=False)
    event = serializers.ChoiceField(
        choices=[name.value for name in EventName], required=False
    )


class EventMetaSerializer(serializers.Serializer[Any]):
    """next_cursor: where to go on, now or later: there is always one."""

    next_cursor = serializers.CharField()
    has_more = serializers.BooleanField()


class EventPageSerializer(serializers.Serializer[Any]):
    data = serializers.ListField(child=serializers.DictField())  # type: ignore[assignment]  # the envelope's word
    meta = EventMetaSerializer()


class EventItemSerializer(serializers.Serializer[Any]):
    data = serializers.DictField()  # type: ignore[assignment]  # the envelope's word


class EventList(ApiView):
    scopes = {"GET": Scope.EVENTS_READ}

    @extend_schema(
        parameters=[EventQuery], responses={200: EventPageSerializer, **problems(422)}
    )
    def get(self, request: Request) -> Response:
        """All events, oldest first, as endpoints get them. Whoever goes on from `next_cursor`,
        now or in an hour, misses none."""
        filters = read_filters(request, EventQuery)
        name = name_of("events", filters)
        limit, after = limit_of(request), _read(request, name)
        columns = {"event": "name", "conversation_id": "conversation_id"}
        wanted = {columns[param]: value for param, value in filters.items()}
        until = feed.horizon()
        rows = Event.objects.filter(**wanted, pk__gt=after, pk__lt=until)
        found = list(rows.order_by("pk")[: limit + 1])
        has_more = len(found) > limit
        last = found[:limit][-1].pk if found else after
        cursor = signing.dumps(last, salt=_salt(name), compress=True)
        return Response(
            {
                "data": [json.loads(bytes(event.body)) for event in found[:limit]],
                "meta": {"next_cursor": cursor, "has_more": has_more},
            }
        )


def _salt(name: str) -> str:
    return f"cursor:{name}"


def _read(request: Request, name: str) -> str:
    """The last event that the reader has; "" for the beginning. Raises ValidationError."""
    cursor = request.query_params.get("cursor")
    if not cursor:
        return ""
    try:
        return str(signing.loads(cursor, salt=_salt(name)))
    except signing.BadSignature:
        sentence = "This cursor is not of this list. Start without one."
        raise ValidationError({"cursor": sentence}) from None


class EventDetail(ApiView):
    scopes = {"GET": Scope.EVENTS_READ}

    @extend_schema(responses={200: EventItemSerializer, **problems(404)})
    def get(self, request: Request, event_id: str) -> Response:
        """One event, as endpoints got it."""
        event = get_object_or_404(Event, pk=event_id)
        return Response({"data": json.loads(bytes(event.body))})
