"""GET and POST /v1/conversations/{id}/messages."""

from __future__ import annotations

import hashlib
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox.api.authentication import holder_of
from inbox.api.pagination import paginate
from inbox.channels import OutgoingMedia
from inbox.models import ApiKey, Conversation, Direction, Message, MessageType, Source
from inbox.outbound import queue_reply

MAX_KEY_CHARACTERS = 255


class AttachmentSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(source="kind")
    url = serializers.CharField(source="remote_url")
    title = serializers.CharField()


class ReactionSerializer(serializers.Serializer[Any]):
    actor = serializers.CharField()
    emoji = serializers.CharField()


class MessageSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    conversation_id = serializers.CharField()
    direction = serializers.ChoiceField(
        choices=[("in", "in"), ("out", "out"), ("note", "note")]
    )
    source = serializers.CharField()  # type: ignore[assignment]  # a public word, and DRF's own
    type = serializers.ChoiceField(choices=MessageType.choices)
    content = serializers.CharField()
    status = serializers.CharField()
    sent_at = serializers.DateTimeField()
    author = serializers.CharField(source="author_name")
    reply_to = serializers.CharField(source="reply_to.public_id", default=None)
    attachments = AttachmentSerializer(many=True)
    reactions = serializers.SerializerMethodField()
    edited_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField()
    error = serializers.SerializerMethodField()

    def get_reactions(self, message: Message) -> list[dict[str, str]]:
        return [
            {"actor": reaction.actor, "emoji": reaction.emoji}
            for reaction in message.reactions.all()
            if reaction.emoji
        ]

    def get_error(self, message: Message) -> dict[str, str] | None:
        if not message.error_class:
            return None
        return {
            "class": message.error_class,
            "code": message.error_code,
            "detail": message.error_detail,
        }


class OutgoingAttachmentSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=["image", "video", "audio", "file"])
    url = serializers.URLField(max_length=2000)


class ReplySerializer(serializers.Serializer[Any]):
    content = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=20_000
    )
    attachments = OutgoingAttachmentSerializer(many=True, required=False, default=list)
    reply_to = serializers.RegexField(r"^MSG_\d{1,18}$", required=False)


def conversation_of(request: Request, conversation_id: int) -> Conversation:
    visible = Conversation.objects.visible_to(holder_of(request)).select_related(
        "channel", "identity"
    )
    return get_object_or_404(visible, pk=conversation_id)


class MessageList(APIView):
    """The messages of one conversation, newest first; and the way a backend writes."""

    @extend_schema(
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("cursor", str)],
        responses=MessageSerializer(many=True),
    )
    def get(self, request: Request, conversation_id: int) -> Response:
        conversation = conversation_of(request, conversation_id)
        rows = conversation.messages.exclude(direction=Direction.EVENT).with_parts()
        page = paginate(
            request, rows, moment="sent_at", name=f"messages:{conversation.pk}"
        )
        return Response(page.as_json(MessageSerializer(page.rows, many=True).data))

    @extend_schema(
        request=ReplySerializer, responses={201: MessageSerializer(many=True)}
    )
    def post(self, request: Request, conversation_id: int) -> Response:
        """Queue a reply. 201 with its messages: text and every attachment are one each."""
        conversation = conversation_of(request, conversation_id)
        reply = ReplySerializer(data=request.data)
        reply.is_valid(raise_exception=True)
        key = holder_of(request).key
        values = reply.validated_data
        messages = queue_reply(
            conversation=conversation,
            source=Source.API,
            author_name=key.name,
            content=values["content"],
            media=[
                OutgoingMedia(part["type"], part["url"])
                for part in values["attachments"]
            ],
            client_key=_client_key(request, key),
            reply_to=_quoted(conversation, values.get("reply_to")),
        )
        found = (
            Message.objects.with_parts()
            .filter(pk__in=[m.pk for m in messages])
            .order_by("pk")
        )
        data = MessageSerializer(found, many=True).data
        return Response({"data": data}, status=status.HTTP_201_CREATED)


def _client_key(request: Request, key: ApiKey) -> str:
    """The Idempotency-Key header, of this key alone."""
    given = request.headers.get("Idempotency-Key", "")
    if len(given) > MAX_KEY_CHARACTERS:
        raise ValidationError(
            {"Idempotency-Key": f"At most {MAX_KEY_CHARACTERS} characters."}
        )
    if not given:
        return ""
    return f"api-{key.pk}-{hashlib.sha256(given.encode()).hexdigest()}"


def _quoted(conversation: Conversation, public_id: str | None) -> Message | None:
    if public_id is None:
        return None
    message = conversation.messages.filter(pk=public_id.removeprefix("MSG_")).first()
    if message is None or not message.external_id:
        raise ValidationError(
            {"reply_to": "No message of this conversation that can be quoted."}
        )
    return message
