"""/v1/endpoints: where events are sent, and with which secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.authentication import holder_of
from inbox.api.idempotency import idempotent
from inbox.api.ids import number_in, row_or_404
from inbox.api.pagination import ListQuery, paginate
from inbox.api.schema import enveloped, page_of, problems
from inbox.api.views import ApiView
from inbox.audit import note_act
from inbox.events import EventName
from inbox.models import Channel, Scope
from webhooks import endpoints
from webhooks.addresses import validate_url
from webhooks.api.deliveries import DeliverySerializer
from webhooks.models import Endpoint

EVENTS = [name.value for name in EventName]
# A ping is sent when it is asked for, whatever was chosen.
CHOSEN = [name for name in EVENTS if name != EventName.PING]
LONGEST_OVERLAP_HOURS = endpoints.LONGEST_OVERLAP // timedelta(hours=1)


class ChannelIdField(serializers.CharField):
    """A channel by its public id."""

    def to_representation(self, value: Any) -> str:
        return str(value.public_id)

    def to_internal_value(self, data: Any) -> Any:
        public_id = super().to_internal_value(data)
        pk = number_in(public_id, "CH_")
        channel = Channel.objects.filter(pk=pk).first() if pk is not None else None
        if channel is None:
            raise ValidationError(f"There is none with the id {public_id!r}.")
        return channel


class EndpointSerializer(serializers.Serializer[Any]):
    """events, channels: empty for all of them. Secrets are told by operations of their own."""

    id = serializers.CharField(source="public_id", read_only=True)
    url = serializers.CharField(max_length=2000)
    description = serializers.CharField(
        max_length=200, required=False, allow_blank=True
    )
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=CHOSEN), required=False
    )
    channels = serializers.ListField(
        child=ChannelIdField(), required=False, source="chosen_channels"
    )
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


class NewEndpointSerializer(EndpointSerializer):
    """Told once, when it is made."""

    secret = serializers.CharField(read_only=True)


class SecretSerializer(serializers.Serializer[Any]):
    """previous_secret_until: how long the one before signs beside it; null if it does not."""

    secret = serializers.CharField()
    previous_secret_until = serializers.DateTimeField(allow_null=True)


class RotationSerializer(serializers.Serializer[Any]):
    overlap_hours = serializers.IntegerField(
        min_value=0, max_value=LONGEST_OVERLAP_HOURS, default=24
    )


class SampleSerializer(serializers.Serializer[Any]):
    event = serializers.ChoiceField(choices=EVENTS, default=EventName.PING.value)


class ResumeSerializer(serializers.Serializer[Any]):
    skip_waiting = serializers.BooleanField(default=False)


class RecoverSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(
        required=False, help_text="As far back as is kept (14 days) if not given."
    )


class CountSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()


def _endpoint(public_id: str) -> Endpoint:
    rows = Endpoint.objects.prefetch_related("channels")
    return row_or_404(rows, public_id, Endpoint.ID_PREFIX)


def _given(
    serializer: type[serializers.Serializer[Any]],
    request: Request,
    *,
    is_partial: bool = False,
) -> dict[str, Any]:
    given = serializer(data=request.data, partial=is_partial)
    given.is_valid(raise_exception=True)
    values: dict[str, Any] = given.validated_data
    return values


def _write(endpoint: Endpoint, values: dict[str, Any]) -> Endpoint:
    channels = values.pop("chosen_channels", None)
    for name, value in values.items():
        setattr(endpoint, name, value)
    endpoint.save(update_fields=[*values] if endpoint.pk else None)
    if channels is not None:
        endpoint.channels.set(channels)
    return _endpoint(endpoint.public_id)


def _told(endpoint: Endpoint) -> Response:
    return Response({"data": EndpointSerializer(endpoint).data})


class EndpointList(ApiView):
    scopes = {"GET": Scope.ENDPOINTS_READ, "POST": Scope.ENDPOINTS_WRITE}

    @extend_schema(
        parameters=[ListQuery],
        responses={200: page_of(EndpointSerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """Where events are sent, newest first."""
        rows = Endpoint.objects.prefetch_related("channels")
        page = paginate(request, rows, name="endpoints")
        return Response(page.as_json(EndpointSerializer(page.rows, many=True).data))

    @extend_schema(
        request=EndpointSerializer,
        responses={201: enveloped(NewEndpointSerializer), **problems(422)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Have events sent to an address. Its secret is in this answer."""
        with transaction.atomic():
            endpoint = _write(Endpoint(), _given(EndpointSerializer, request))
            note_act(holder_of(request).key, "endpoint_created", endpoint)
        return Response(
            {"data": NewEndpointSerializer(endpoint).data},
            status=status.HTTP_201_CREATED,
        )


class EndpointDetail(ApiView):
    scopes = {
        "GET": Scope.ENDPOINTS_READ,
        "PATCH": Scope.ENDPOINTS_WRITE,
        "DELETE": Scope.ENDPOINTS_WRITE,
    }

    @extend_schema(responses={200: enveloped(EndpointSerializer), **problems(404)})
    def get(self, request: Request, endpoint_id: str) -> Response:
        """One endpoint and how it is."""
        return _told(_endpoint(endpoint_id))

    @extend_schema(
        request=EndpointSerializer(partial=True),
        responses={200: enveloped(EndpointSerializer), **problems(404, 422)},
    )
    def patch(self, request: Request, endpoint_id: str) -> Response:
        """Change what is given; the rest stays."""
        endpoint = _endpoint(endpoint_id)
        values = _given(EndpointSerializer, request, is_partial=True)
        names = sorted(values)
        with transaction.atomic():
            endpoint = _write(endpoint, values)
            note_act(holder_of(request).key, "endpoint_changed", endpoint, fields=names)
        return _told(endpoint)

    @extend_schema(responses={204: None, **problems(404)})
    def delete(self, request: Request, endpoint_id: str) -> Response:
        """Send nothing there any more, and forget its deliveries; events stay."""
        endpoint = _endpoint(endpoint_id)
        endpoints.delete(endpoint, by=holder_of(request).key)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SecretRotation(ApiView):
    scopes = {"POST": Scope.ENDPOINTS_WRITE}

    @extend_schema(
        request=RotationSerializer,
        responses={200: enveloped(SecretSerializer), **problems(404, 422)},
    )
    @idempotent
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Make a new secret. The one before signs beside it for `overlap_hours`."""
        endpoint = _endpoint(endpoint_id)
        hours = _given(RotationSerializer, request)["overlap_hours"]
        endpoints.rotate_secret(
            endpoint, by=holder_of(request).key, overlap=timedelta(hours=hours)
        )
        return Response({"data": SecretSerializer(_endpoint(endpoint_id)).data})


class SecretReveal(ApiView):
    scopes = {"POST": Scope.ENDPOINTS_WRITE}

    @extend_schema(
        request=None, responses={200: enveloped(SecretSerializer), **problems(404)}
    )
    @idempotent
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Tell the secret once more. That it was asked for is written down."""
        endpoint = _endpoint(endpoint_id)
        endpoints.reveal_secret(endpoint, by=holder_of(request).key)
        return Response({"data": SecretSerializer(endpoint).data})


class SampleList(ApiView):
    scopes = {"POST": Scope.ENDPOINTS_WRITE}

    @extend_schema(
        request=SampleSerializer,
        responses={201: enveloped(DeliverySerializer), **problems(404, 422)},
    )
    @idempotent
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Send an event about nobody (`data.sample`) to this endpoint alone: a ping unless said."""
        endpoint = _endpoint(endpoint_id)
        name = EventName(_given(SampleSerializer, request)["event"])
        delivery = endpoints.send_sample(endpoint, name)
        delivery.refresh_from_db()
        return Response(
            {"data": DeliverySerializer(delivery).data}, status=status.HTTP_201_CREATED
        )


class Pause(ApiView):
    scopes = {"POST": Scope.ENDPOINTS_WRITE}

    @extend_schema(
        request=None, responses={200: enveloped(EndpointSerializer), **problems(404)}
    )
    @idempotent
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Let its events wait."""
        endpoints.pause(_endpoint(endpoint_id), by=holder_of(request).key)
        return _told(_endpoint(endpoint_id))


class Resume(ApiView):
    scopes = {"POST": Scope.ENDPOINTS_WRITE}

    @extend_schema(
        request=ResumeSerializer,
        responses={200: enveloped(EndpointSerializer), **problems(404, 422)},
    )
    @idempotent
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Send again, with a clean record: first what has waited, unless that is skipped."""
        endpoints.resume(
            _endpoint(endpoint_id),
            by=holder_of(request).key,
            **_given(ResumeSerializer, request),
        )
        return _told(_endpoint(endpoint_id))


class Recovery(ApiView):
    scopes = {"POST": Scope.DELIVERIES_WRITE}

    @extend_schema(
        request=RecoverSerializer,
        responses={200: enveloped(CountSerializer), **problems(404, 422)},
    )
    @idempotent
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Send again what it missed `since` then: what failed or was skipped."""
        since = _given(RecoverSerializer, request).get("since")
        resent = endpoints.recover(_endpoint(endpoint_id), since=since)
        return Response({"data": {"count": resent.count}})
