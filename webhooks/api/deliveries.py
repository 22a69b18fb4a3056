"""/v1/deliveries: what is owed to whom, and how that went."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.idempotency import idempotent
from inbox.api.ids import number_in, row_or_404
from inbox.api.pagination import ListQuery, name_of, paginate, read_filters
from inbox.api.schema import enveloped, page_of, problems
from inbox.api.views import ApiView
from inbox.events import EventName
from inbox.models import Scope
from webhooks import endpoints
from webhooks.models import Delivery, Endpoint


class DeliverySerializer(serializers.Serializer[Any]):
    """last_status: of the answer, null without one. settled_at: when it was delivered or given up."""

    id = serializers.CharField(source="public_id")
    endpoint_id = serializers.SerializerMethodField()
    event_id = serializers.CharField()
    event = serializers.CharField(source="event.name")
    conversation_id = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=Delivery.State.choices)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField()
    last_status = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField()
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)

    def get_endpoint_id(self, delivery: Delivery) -> str:
        return f"{Endpoint.ID_PREFIX}{delivery.endpoint_id}"

    def get_conversation_id(self, delivery: Delivery) -> str | None:
        return str(delivery.conversation_id) if delivery.conversation_id else None


class AttemptSerializer(serializers.Serializer[Any]):
    """error: "" for one that was accepted. response: its first 4,096 bytes."""

    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    request_headers = serializers.DictField(child=serializers.CharField())
    response = serializers.CharField()


class WholeDeliverySerializer(DeliverySerializer):
    attempt_log = AttemptSerializer(many=True)


class DeliveryQuery(ListQuery):
    endpoint_id = serializers.CharField(required=False)
    conversation_id = serializers.CharField(required=False)
    event = serializers.ChoiceField(
        choices=[name.value for name in EventName], required=False
    )
    state = serializers.ChoiceField(choices=Delivery.State.choices, required=False)


def _rows() -> QuerySet[Delivery]:
    return Delivery.objects.select_related("event").defer("event__body")


def _filtered(filters: dict[str, Any]) -> QuerySet[Delivery]:
    rows = _rows()
    if given := filters.get("endpoint_id"):
        rows = rows.filter(
            endpoint_id=_number(given, Endpoint.ID_PREFIX, "endpoint_id")
        )
    if given := filters.get("conversation_id"):
        rows = rows.filter(conversation_id=_number(given, "", "conversation_id"))
    if given := filters.get("event"):
        rows = rows.filter(event__name=given)
    if given := filters.get("state"):
        rows = rows.filter(state=given)
    return rows


def _number(public_id: str, prefix: str, param: str) -> int:
    """Raises ValidationError for what is no such id; one of nothing finds nothing."""
    if prefix:
        number = number_in(public_id, prefix)
    else:
        is_number = public_id.isascii() and public_id.isdigit() and len(public_id) < 19
        number = int(public_id) if is_number else None
    if number is None:
        raise ValidationError({param: f"{public_id!r} is no such id."})
    return number


class DeliveryList(ApiView):
    scopes = {"GET": Scope.DELIVERIES_READ}

    @extend_schema(
        parameters=[DeliveryQuery],
        responses={200: page_of(DeliverySerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """What is owed to whom and how that went, newest first."""
        filters = read_filters(request, DeliveryQuery)
        name = name_of("deliveries", filters)
        page = paginate(request, _filtered(filters), name=name)
        return Response(page.as_json(DeliverySerializer(page.rows, many=True).data))


class DeliveryDetail(ApiView):
    scopes = {"GET": Scope.DELIVERIES_READ}

    @extend_schema(responses={200: enveloped(WholeDeliverySerializer), **problems(404)})
    def get(self, request: Request, delivery_id: str) -> Response:
        """One delivery with each attempt: what was sent, what came back."""
        delivery = row_or_404(_rows(), delivery_id, Delivery.ID_PREFIX)
        return Response({"data": WholeDeliverySerializer(delivery).data})


class Resend(ApiView):
    scopes = {"POST": Scope.DELIVERIES_WRITE}

    @extend_schema(
        request=None, responses={200: enveloped(DeliverySerializer), **problems(404)}
    )
    @idempotent
    def post(self, request: Request, delivery_id: str) -> Response:
        """Owe it anew, under the same event id and with the same bytes."""
        delivery = row_or_404(_rows(), delivery_id, Delivery.ID_PREFIX)
        endpoints.resend(Delivery.objects.filter(pk=delivery.pk))
        return Response({"data": DeliverySerializer(_rows().get(pk=delivery.pk)).data})
