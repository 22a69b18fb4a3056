"""Endpoints, events and deliveries by API."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models, transaction
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox.api.schema import enveloped, page_of, problems
from inbox.events import EventName
from inbox.models import Channel
from webhooks import endpoints, feed
from webhooks.addresses import validate_url
from webhooks.models import Delivery, DeliveryAttempt, Endpoint, Event

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
# What bigint columns hold.
MAX_ID = 2**63 - 1
M = TypeVar("M", bound=models.Model)

_LIMIT = OpenApiParameter("limit", int)
_CURSOR = OpenApiParameter("cursor", str)
_EVENTS = [name.value for name in EventName]
_CHOSEN = [name for name in _EVENTS if name != EventName.PING]


# --- shapes --------------------------------------------------------------------------------------


class ChannelIdField(serializers.Field):  # type: ignore[type-arg]  # DRF's stubs want four
    """A channel by its public id."""

    def to_representation(self, value: Channel) -> str:
        return value.public_id

    def to_internal_value(self, data: Any) -> Channel:
        number = str(data).removeprefix("CH_")
        if number.isascii() and number.isdigit() and len(number) < 19:
            channel = Channel.objects.filter(pk=int(number)).first()
            if channel and channel.public_id == data:
                return channel
        raise ValidationError("There is no such channel.")


class EndpointSerializer(serializers.Serializer[Endpoint]):
    """events, channels: empty for all. The secret is told on creation and rotation alone."""

    id = serializers.CharField(read_only=True)
    url = serializers.CharField(max_length=2000)
    description = serializers.CharField(
        max_length=200, required=False, allow_blank=True
    )
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=_CHOSEN), required=False
    )
    channels = serializers.ListField(child=ChannelIdField(), required=False)
    status = serializers.ChoiceField(choices=Endpoint.Status.choices, read_only=True)
    status_reason = serializers.CharField(read_only=True)
    failing_since = serializers.DateTimeField(read_only=True, allow_null=True)
    previous_secret_until = serializers.DateTimeField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)

    def validate_url(self, url: str) -> str:
        try:
            validate_url(url)
        except DjangoValidationError as error:
            raise ValidationError(error.messages) from None
        return url

    def to_representation(self, instance: Endpoint) -> dict[str, Any]:
        shown = {
            name: field.to_representation(value)
            if (value := getattr(instance, name)) is not None
            else None
            for name, field in self.fields.items()
            if name != "channels"
        }
        return {
            **shown,
            "channels": sorted(
                channel.public_id for channel in instance.channels.all()
            ),
        }


class NewEndpointSerializer(EndpointSerializer):
    secret = serializers.CharField(read_only=True)


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField()
    previous_secret_until = serializers.DateTimeField(allow_null=True)


class RotationSerializer(serializers.Serializer[Any]):
    overlap_hours = serializers.IntegerField(min_value=0, max_value=168, default=24)


class SampleSerializer(serializers.Serializer[Any]):
    event = serializers.ChoiceField(choices=_EVENTS, default=EventName.PING.value)


class ResumeSerializer(serializers.Serializer[Any]):
    skip_waiting = serializers.BooleanField(default=False)


class RecoverSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(required=False)


class CountSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()


class DeliverySerializer(serializers.Serializer[Delivery]):
    id = serializers.CharField()
    endpoint_id = serializers.CharField()
    event_id = serializers.CharField()
    event = serializers.CharField(source="event.name")
    conversation_id = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=Delivery.State.choices)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField()
    last_status = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField()
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


class AttemptSerializer(serializers.Serializer[DeliveryAttempt]):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    request_headers = serializers.DictField(child=serializers.CharField())
    response = serializers.CharField()


class WholeDeliverySerializer(DeliverySerializer):
    attempt_log = AttemptSerializer(many=True)


# --- lists ---------------------------------------------------------------------------------------


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise ValidationError({"limit": f"A whole number from 1 to {MAX_LIMIT}."})
    return int(text)


def _read_cursor(request: Request, name: str) -> Any:
    """Where the last page ended; None without one. name: the list with its filters."""
    given = request.query_params.get("cursor")
    if not given:
        return None
    try:
        return signing.loads(given, salt=f"cursor:{name}")
    except signing.BadSignature:
        sentence = "This cursor is not of this list. Start without one."
        raise ValidationError({"cursor": sentence}) from None


def _write_cursor(pk: Any, name: str) -> str:
    return signing.dumps(pk, salt=f"cursor:{name}", compress=True)


def _number(request: Request, param: str) -> int | None:
    text = request.query_params.get(param, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text[:20]) > MAX_ID:
        raise ValidationError({param: "An id is a whole number."})
    return int(text)


def _choice(request: Request, param: str, choices: list[str]) -> str:
    text = request.query_params.get(param, "")
    if text and text not in choices:
        raise ValidationError({param: f"One of {', '.join(choices)}."})
    return text


def _newest_first(
    request: Request, rows: models.QuerySet[M], name: str
) -> tuple[list[M], dict[str, Any]]:
    limit, before = _limit(request), _read_cursor(request, name)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: limit + 1])
    has_more = len(found) > limit
    cursor = _write_cursor(found[limit - 1].pk, name) if has_more else None
    return found[:limit], {"next_cursor": cursor, "has_more": has_more}


def _given(
    serializer: type[serializers.Serializer[Any]], request: Request
) -> dict[str, Any]:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    values: dict[str, Any] = given.validated_data
    return values


# --- endpoints -----------------------------------------------------------------------------------


def _endpoint(pk: int) -> Endpoint:
    if pk > MAX_ID:
        raise Http404
    return get_object_or_404(Endpoint, pk=pk)


def _save(endpoint: Endpoint, values: dict[str, Any]) -> None:
    channels = values.pop("channels", None)
    for name, value in values.items():
        setattr(endpoint, name, value)
    endpoint.save(update_fields=list(values) if endpoint.pk and values else None)
    if channels is not None:
        endpoint.channels.set(channels)


class EndpointList(APIView):
    """Where events are sent, newest first."""

    @extend_schema(
        operation_id="endpoints_list",
        parameters=[_LIMIT, _CURSOR],
        responses={200: page_of(EndpointSerializer), **problems(401, 422)},
    )
    def get(self, request: Request) -> Response:
        rows = Endpoint.objects.prefetch_related("channels")
        found, meta = _newest_first(request, rows, "endpoints")
        data = [EndpointSerializer(row).data for row in found]
        return Response({"data": data, "meta": meta})

    @extend_schema(
        operation_id="endpoints_create",
        request=EndpointSerializer,
        responses={
            201: enveloped(NewEndpointSerializer),
            **problems(400, 401, 415, 422),
        },
    )
    @transaction.atomic
    def post(self, request: Request) -> Response:
        endpoint = Endpoint()
        _save(endpoint, _given(EndpointSerializer, request))
        return Response({"data": NewEndpointSerializer(endpoint).data}, status=201)


class EndpointDetail(APIView):
    @extend_schema(
        operation_id="endpoints_get",
        responses={200: enveloped(EndpointSerializer), **problems(401, 404)},
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response({"data": EndpointSerializer(_endpoint(pk)).data})

    @extend_schema(
        operation_id="endpoints_update",
        request=EndpointSerializer(partial=True),
        responses={
            200: enveloped(EndpointSerializer),
            **problems(400, 401, 404, 415, 422),
        },
    )
    @transaction.atomic
    def patch(self, request: Request, pk: int) -> Response:
        endpoint = _endpoint(pk)
        given = EndpointSerializer(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        _save(endpoint, given.validated_data)
        return Response({"data": EndpointSerializer(endpoint).data})

    @extend_schema(
        operation_id="endpoints_delete", responses={204: None, **problems(401, 404)}
    )
    def delete(self, request: Request, pk: int) -> Response:
        """With its deliveries; events stay."""
        endpoints.delete(_endpoint(pk))
        return Response(status=204)


class EndpointRotation(APIView):
    """A new secret. The one before signs beside it for `overlap_hours`."""

    @extend_schema(
        operation_id="endpoints_rotate_secret",
        request=RotationSerializer,
        responses={
            200: enveloped(SecretSerializer),
            **problems(400, 401, 404, 415, 422),
        },
    )
    def post(self, request: Request, pk: int) -> Response:
        endpoint = _endpoint(pk)
        hours = _given(RotationSerializer, request)["overlap_hours"]
        endpoints.rotate_secret(endpoint, overlap=timedelta(hours=hours))
        endpoint.refresh_from_db()
        return Response({"data": SecretSerializer(endpoint).data})


class EndpointSample(APIView):
    """An event about nobody (`data.sample`), to this endpoint alone; a ping unless said."""

    @extend_schema(
        operation_id="endpoints_send_sample",
        request=SampleSerializer,
        responses={
            201: enveloped(DeliverySerializer),
            **problems(400, 401, 404, 415, 422),
        },
    )
    def post(self, request: Request, pk: int) -> Response:
        endpoint = _endpoint(pk)
        name = EventName(_given(SampleSerializer, request)["event"])
        delivery = endpoints.send_sample(endpoint, name)
        delivery.refresh_from_db()
        return Response({"data": DeliverySerializer(delivery).data}, status=201)


class EndpointPause(APIView):
    """Its events wait."""

    @extend_schema(
        operation_id="endpoints_pause",
        request=None,
        responses={200: enveloped(EndpointSerializer), **problems(401, 404)},
    )
    def post(self, request: Request, pk: int) -> Response:
        endpoints.pause(_endpoint(pk))
        return Response({"data": EndpointSerializer(_endpoint(pk)).data})


class EndpointResume(APIView):
    """Send again, with a clean record: first what has waited, unless that is skipped."""

    @extend_schema(
        operation_id="endpoints_resume",
        request=ResumeSerializer,
        responses={
            200: enveloped(EndpointSerializer),
            **problems(400, 401, 404, 415, 422),
        },
    )
    def post(self, request: Request, pk: int) -> Response:
        endpoints.resume(_endpoint(pk), **_given(ResumeSerializer, request))
        return Response({"data": EndpointSerializer(_endpoint(pk)).data})


class EndpointRecovery(APIView):
    """Send again what failed or was skipped `since` then, at most 14 days back."""

    @extend_schema(
        operation_id="endpoints_recover",
        request=RecoverSerializer,
        responses={
            200: enveloped(CountSerializer),
            **problems(400, 401, 404, 415, 422),
        },
    )
    def post(self, request: Request, pk: int) -> Response:
        since = _given(RecoverSerializer, request).get("since")
        count = endpoints.recover(_endpoint(pk), since=since)
        return Response({"data": {"count": count}})


# --- deliveries ----------------------------------------------------------------------------------


def _deliveries() -> models.QuerySet[Delivery]:
    return Delivery.objects.select_related("event").defer("event__body")


def _delivery(pk: int) -> Delivery:
    if pk > MAX_ID:
        raise Http404
    return get_object_or_404(_deliveries(), pk=pk)


class DeliveryList(APIView):
    """What is owed to whom and how that went, newest first."""

    @extend_schema(
        operation_id="deliveries_list",
        parameters=[
            OpenApiParameter("endpoint", int),
            OpenApiParameter("conversation", int),
            OpenApiParameter("event", enum=_EVENTS),
            OpenApiParameter("state", enum=Delivery.State.values),
            _LIMIT,
            _CURSOR,
        ],
        responses={200: page_of(DeliverySerializer), **problems(401, 422)},
    )
    def get(self, request: Request) -> Response:
        filters: dict[str, Any] = {
            "endpoint_id": _number(request, "endpoint"),
            "event__conversation_id": _number(request, "conversation"),
            "event__name": _choice(request, "event", _EVENTS),
            "state": _choice(request, "state", Delivery.State.values),
        }
        filters = {k: v for k, v in filters.items() if v not in (None, "")}
        rows = _deliveries().filter(**filters)
        name = f"deliveries:{json.dumps(filters, sort_keys=True)}"
        found, meta = _newest_first(request, rows, name)
        data = [DeliverySerializer(row).data for row in found]
        return Response({"data": data, "meta": meta})


class DeliveryDetail(APIView):
    """One delivery with each attempt."""

    @extend_schema(
        operation_id="deliveries_get",
        responses={200: enveloped(WholeDeliverySerializer), **problems(401, 404)},
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response({"data": WholeDeliverySerializer(_delivery(pk)).data})


class DeliveryResend(APIView):
    """Owe it anew, under the same event id."""

    @extend_schema(
        operation_id="deliveries_resend",
        request=None,
        responses={200: enveloped(DeliverySerializer), **problems(401, 404)},
    )
    def post(self, request: Request, pk: int) -> Response:
        endpoints.resend(Delivery.objects.filter(pk=_delivery(pk).pk))
        return Response({"data": DeliverySerializer(_delivery(pk)).data})


# --- events --------------------------------------------------------------------------------------


class EventMetaSerializer(serializers.Serializer[Any]):
    """next_cursor: where to go on, now or later: there is always one."""

    next_cursor = serializers.CharField()
    has_more = serializers.BooleanField()


class EventPageSerializer(serializers.Serializer[Any]):
    data = serializers.ListField(child=serializers.DictField())  # type: ignore[assignment]  # the envelope's word
    meta = EventMetaSerializer()


class EventItemSerializer(serializers.Serializer[Any]):
    data = serializers.DictField()  # type: ignore[assignment]  # the envelope's word


class EventList(APIView):
    """All events, oldest first, as endpoints get them. Whoever goes on from `next_cursor` misses none."""

    @extend_schema(
        operation_id="events_list",
        parameters=[
            OpenApiParameter("event", enum=_EVENTS),
            OpenApiParameter("conversation", int),
            _LIMIT,
            _CURSOR,
        ],
        responses={200: EventPageSerializer, **problems(401, 422)},
    )
    def get(self, request: Request) -> Response:
        filters: dict[str, Any] = {
            "name": _choice(request, "event", _EVENTS),
            "conversation_id": _number(request, "conversation"),
        }
        filters = {k: v for k, v in filters.items() if v not in (None, "")}
        name = f"events:{json.dumps(filters, sort_keys=True)}"
        limit, after = _limit(request), _read_cursor(request, name) or ""
        until = feed.horizon()
        rows = Event.objects.filter(**filters, pk__gt=after, pk__lt=until)
        found = list(rows.order_by("pk")[: limit + 1])
        has_more = len(found) > limit
        found = found[:limit]
        last = found[-1].pk if found else after
        meta = {"next_cursor": _write_cursor(last, name), "has_more": has_more}
        data = [json.loads(bytes(event.body)) for event in found]
        return Response({"data": data, "meta": meta})


class EventDetail(APIView):
    @extend_schema(
        operation_id="events_get",
        responses={200: EventItemSerializer, **problems(401, 404)},
    )
    def get(self, request: Request, pk: str) -> Response:
        event = get_object_or_404(Event, pk=pk)
        return Response({"data": json.loads(bytes(event.body))})
