"""GET /v1/conversations."""

from __future__ import annotations

from typing import Any

from django.utils.timezone import now
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox.api.authentication import holder_of
from inbox.api.pagination import paginate
from inbox.api.schema import page_of, problems
from inbox.models import Conversation, Source


class AccountSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    external_id = serializers.CharField()
    name = serializers.CharField()


class UserSerializer(serializers.Serializer[Any]):
    """The customer, as known on this channel."""

    id = serializers.CharField(source="public_id")
    username = serializers.SerializerMethodField()
    contact_id = serializers.CharField(source="contact.public_id")
    name = serializers.SerializerMethodField()
    email = serializers.SerializerMethodField()
    phone = serializers.SerializerMethodField()

    def get_username(self, identity: Any) -> str | None:
        return identity.username or None

    def get_name(self, identity: Any) -> str | None:
        return identity.name or identity.contact.name or None

    def get_email(self, identity: Any) -> str | None:
        return identity.contact.email or None

    def get_phone(self, identity: Any) -> str | None:
        return identity.contact.phone or None


class WindowSerializer(serializers.Serializer[Any]):
    """Whether this key may write now."""

    state = serializers.CharField(source="kind")
    expires_at = serializers.DateTimeField()


class ConversationSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    channel = serializers.CharField(source="channel.kind")
    account = AccountSerializer(source="channel")
    user = UserSerializer(source="identity")
    status = serializers.ChoiceField(choices=Conversation.Status.choices)
    subject = serializers.CharField()
    assignee = serializers.CharField(source="assignee.name", default=None)
    unread = serializers.IntegerField()
    reply_window = serializers.SerializerMethodField()
    waiting_since = serializers.DateTimeField()
    last_message_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(WindowSerializer)
    def get_reply_window(self, conversation: Conversation) -> Any:
        state = conversation.reply_window_at(now(), source=Source.API)
        return WindowSerializer(state).data


class ConversationList(APIView):
    """Conversations, newest activity first."""

    @extend_schema(
        parameters=[
            OpenApiParameter("status", enum=Conversation.Status.values),
            OpenApiParameter("limit", int),
            OpenApiParameter("cursor", str),
            OpenApiParameter("include_total", bool),
        ],
        responses={200: page_of(ConversationSerializer), **problems(401, 422)},
    )
    def get(self, request: Request) -> Response:
        rows = Conversation.objects.visible_to(holder_of(request))
        status = request.query_params.get("status", "")
        if status:
            if status not in Conversation.Status.values:
                raise ValidationError(
                    {"status": f"One of {', '.join(Conversation.Status.values)}."}
                )
            rows = rows.filter(status=status)
        page = paginate(
            request,
            rows.with_parties(),
            moment="last_message_at",
            name=f"conversations:{status}",
        )
        wants_total = request.query_params.get("include_total") == "true"
        data = ConversationSerializer(page.rows, many=True).data
        return Response(page.as_json(data, rows.count() if wants_total else None))
