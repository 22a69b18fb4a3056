"""GET and POST /v1/conversations/{id}/messages; reactions to one message."""

from __future__ import annotations

import re
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox.actions import react
from inbox.api.authentication import holder_of
from inbox.api.composing import (
    ContentSerializer,
    TemplateUseSerializer,
    client_key,
    read_parts,
    read_template,
)
from inbox.api.pagination import paginate
from inbox.api.schema import enveloped, page_of, problems
from inbox.media import public_url
from inbox.models import (
    Attachment,
    ChannelAction,
    Conversation,
    Direction,
    Message,
    MessageType,
    Source,
)
from inbox.outbound import queue_reply

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same key gives the first answer again, however often it is asked.",
)
_MESSAGE_ID = re.compile(r"MSG_(\d{1,18})")


class AttachmentSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(source="kind")
    url = serializers.SerializerMethodField()
    title = serializers.CharField()
    mime_type = serializers.CharField()
    size = serializers.IntegerField(allow_null=True)

    def get_url(self, attachment: Attachment) -> str:
        """A copy of ours is given out for some hours by an address that needs no key."""
        return public_url(attachment) if attachment.file else attachment.remote_url


class ReactionSerializer(serializers.Serializer[Any]):
    actor = serializers.CharField()
    emoji = serializers.CharField()


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`class` is no name that Python lets a field have."""
        return {"class": serializers.CharField(), **super().get_fields()}


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
    reply_to = serializers.CharField(
        source="reply_to.public_id", default=None, allow_null=True
    )
    private_reply = serializers.BooleanField(source="is_private_reply")
    attachments = AttachmentSerializer(many=True)
    quick_replies = serializers.SerializerMethodField()
    cards = serializers.SerializerMethodField()
    template = serializers.SerializerMethodField()
    reactions = serializers.SerializerMethodField()
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)
    error = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_quick_replies(self, message: Message) -> list[dict[str, Any]]:
        return [_as_public(one) for one in message.extra.get("quick_replies", [])]

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_cards(self, message: Message) -> list[dict[str, Any]]:
        return [
            {**card, "buttons": [_as_public(one) for one in card.get("buttons", [])]}
            for card in message.extra.get("cards", [])
        ]

    @extend_schema_field(TemplateUseSerializer(allow_null=True))
    def get_template(self, message: Message) -> dict[str, Any] | None:
        template: dict[str, Any] | None = message.extra.get("template")
        return template

    @extend_schema_field(ReactionSerializer(many=True))
    def get_reactions(self, message: Message) -> list[dict[str, str]]:
        return [
            {"actor": reaction.actor, "emoji": reaction.emoji}
            for reaction in message.reactions.all()
            if reaction.emoji
        ]

    @extend_schema_field(ErrorSerializer(allow_null=True))
    def get_error(self, message: Message) -> dict[str, str] | None:
        if not message.error_class:
            return None
        return {
            "class": message.error_class,
            "code": message.error_code,
            "detail": message.error_detail,
        }


def _as_public(told: dict[str, Any]) -> dict[str, Any]:
    """Inside, what a thing is goes by `kind`; outside by `type`."""
    rest = {name: value for name, value in told.items() if name != "kind"}
    return {"type": told.get("kind", "text"), **rest}


class ReplySerializer(ContentSerializer):
    """A template goes alone, and also while the reply window is closed."""

    template = TemplateUseSerializer(required=False, allow_null=True, default=None)
    reply_to = serializers.RegexField(r"^MSG_\d{1,18}$", required=False)


class ActionSerializer(serializers.Serializer[Any]):
    """What the channel was asked to do. It is done a moment later; events tell."""

    id = serializers.SerializerMethodField()
    type = serializers.CharField(source="kind")
    status = serializers.ChoiceField(choices=ChannelAction.Status.choices)

    def get_id(self, action: ChannelAction) -> str:
        return f"ACT_{action.pk}"


class EmojiSerializer(serializers.Serializer[Any]):
    emoji = serializers.CharField(max_length=40)


def conversation_of(request: Request, conversation_id: int) -> Conversation:
    visible = Conversation.objects.visible_to(holder_of(request)).select_related(
        "channel", "identity"
    )
    return get_object_or_404(visible, pk=conversation_id)


def message_of(request: Request, public_id: str) -> Message:
    """Raises Http404 for an id that is none, or of a conversation that the key may not see."""
    found = _MESSAGE_ID.fullmatch(public_id)
    if found is None:
        raise Http404
    visible = Conversation.objects.visible_to(holder_of(request))
    messages = Message.objects.select_related("conversation", "channel")
    return get_object_or_404(messages, pk=found[1], conversation__in=visible)


def answer_created(messages: list[Message]) -> Response:
    found = (
        Message.objects.with_parts()
        .filter(pk__in=[message.pk for message in messages])
        .order_by("pk")
    )
    data = MessageSerializer(found, many=True).data
    return Response({"data": data}, status=status.HTTP_201_CREATED)


class MessageList(APIView):
    """The messages of one conversation, newest first; and the way a backend writes."""

    @extend_schema(
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("cursor", str)],
        responses={200: page_of(MessageSerializer), **problems(401, 404, 422)},
    )
    def get(self, request: Request, conversation_id: int) -> Response:
        conversation = conversation_of(request, conversation_id)
        rows = conversation.messages.exclude(direction=Direction.EVENT).with_parts()
        page = paginate(
            request, rows, moment="sent_at", name=f"messages:{conversation.pk}"
        )
        return Response(page.as_json(MessageSerializer(page.rows, many=True).data))

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=ReplySerializer,
        responses={
            201: enveloped(MessageSerializer, many=True),
            **problems(401, 404, 409, 422),
        },
    )
    def post(self, request: Request, conversation_id: int) -> Response:
        """Queue a reply. 201 with its messages: files, text and cards are one each."""
        conversation = conversation_of(request, conversation_id)
        reply = ReplySerializer(data=request.data)
        reply.is_valid(raise_exception=True)
        values = reply.validated_data
        messages = queue_reply(
            conversation=conversation,
            source=Source.API,
            author_name=holder_of(request).key.name,
            template=read_template(values["template"]),
            client_key=client_key(request),
            reply_to=_quoted(conversation, values.get("reply_to")),
            **read_parts(values),
        )
        return answer_created(messages)


def _quoted(conversation: Conversation, public_id: str | None) -> Message | None:
    if public_id is None:
        return None
    message = conversation.messages.filter(pk=public_id.removeprefix("MSG_")).first()
    if message is None:
        raise ValidationError(
            {"reply_to": "No message of this conversation that can be quoted."}
        )
    return message


class Reactions(APIView):
    """The account's own reaction to a customer's message: one at a time."""

    @extend_schema(
        request=EmojiSerializer,
        responses={202: enveloped(ActionSerializer), **problems(401, 404, 409, 422)},
    )
    def post(self, request: Request, message_id: str) -> Response:
        given = EmojiSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._react(request, message_id, given.validated_data["emoji"])

    @extend_schema(
        request=None,
        responses={202: enveloped(ActionSerializer), **problems(401, 404, 409)},
    )
    def delete(self, request: Request, message_id: str) -> Response:
        """Take it back."""
        return self._react(request, message_id, "")

    def _react(self, request: Request, message_id: str, emoji: str) -> Response:
        message = message_of(request, message_id)
        name = holder_of(request).key.name
        action = react(message=message, emoji=emoji, author_name=name)
        data = {"data": ActionSerializer(action).data}
        return Response(data, status=status.HTTP_202_ACCEPTED)
