"""/v1/conversations/{id}/messages and notes, /v1/messages/{id}: read, write, retry, react."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.actions import react
from inbox.api.acting import ActingSerializer, actor_of, writer_of
from inbox.api.composing import (
    ContentSerializer,
    TemplateUseSerializer,
    read_parts,
    read_template,
)
from inbox.api.idempotency import client_key, idempotent
from inbox.api.ids import conversation_of, message_of, only_conversation_of
from inbox.api.pagination import ListQuery, paginate
from inbox.api.schema import enveloped, page_of, problems
from inbox.api.views import ApiView
from inbox.conversations import MAX_NOTE_CHARACTERS, add_note
from inbox.jsonb import format_moment
from inbox.media import public_url
from inbox.models import (
    Attachment,
    ChannelAction,
    Conversation,
    Direction,
    Message,
    MessageType,
    Scope,
)
from inbox.outbound import queue_reply, retry_message


class AttachmentSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    url = serializers.CharField(
        help_text="A copy of ours is given out for some hours by an address that needs no key."
    )
    title = serializers.CharField()
    mime_type = serializers.CharField()
    size = serializers.IntegerField(allow_null=True)


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
    id = serializers.CharField()
    conversation_id = serializers.CharField()
    direction = serializers.ChoiceField(
        choices=[("in", "in"), ("out", "out"), ("note", "note")]
    )
    source = serializers.CharField()  # type: ignore[assignment]  # a public word, and DRF's own
    type = serializers.ChoiceField(choices=MessageType.choices)
    content = serializers.CharField()
    status = serializers.CharField()
    sent_at = serializers.DateTimeField()
    author = serializers.CharField()
    reply_to = serializers.CharField(allow_null=True)
    private_reply = serializers.BooleanField()
    attachments = AttachmentSerializer(many=True)
    quick_replies = serializers.ListField(child=serializers.DictField())
    cards = serializers.ListField(child=serializers.DictField())
    template = TemplateUseSerializer(allow_null=True)
    reactions = ReactionSerializer(many=True)
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)
    error = ErrorSerializer(allow_null=True)


# What as_json tells of a message beside its own row.
PARTS = ("attachments", "reactions")


def as_json(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """As MessageSerializer describes them: written out, because filling in a serializer takes most
    of the time of a list. messages: with their PARTS."""
    return [_told(message) for message in messages]


def _told(message: Message) -> dict[str, Any]:
    extra, quoted = message.extra, message.reply_to_id
    return {
        "id": message.public_id,
        "conversation_id": str(message.conversation_id),
        "direction": message.direction,
        "source": message.source,
        "type": message.type,
        "content": message.content,
        "status": message.status,
        "sent_at": format_moment(message.sent_at),
        "author": message.author_name,
        "reply_to": quoted and f"MSG_{quoted}",
        "private_reply": message.is_private_reply,
        "attachments": [_told_file(one) for one in message.attachments.all()],
        "quick_replies": [_as_public(one) for one in extra.get("quick_replies", [])],
        "cards": [
            {**card, "buttons": [_as_public(one) for one in card.get("buttons", [])]}
            for card in extra.get("cards", [])
        ],
        "template": extra.get("template"),
        "reactions": [
            {"actor": reaction.actor, "emoji": reaction.emoji}
            for reaction in message.reactions.all()
            if reaction.emoji
        ],
        "edited_at": message.edited_at and format_moment(message.edited_at),
        "deleted_at": message.deleted_at and format_moment(message.deleted_at),
        "error": _told_error(message),
    }


def _told_file(attachment: Attachment) -> dict[str, Any]:
    """A copy of ours is given out for some hours by an address that needs no key."""
    is_ours = bool(attachment.file)
    return {
        "type": attachment.kind,
        "url": public_url(attachment) if is_ours else attachment.remote_url,
        "title": attachment.title,
        "mime_type": attachment.mime_type,
        "size": attachment.size,
    }


def _told_error(message: Message) -> dict[str, str] | None:
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


class ReplySerializer(ContentSerializer, ActingSerializer):
    """A template goes alone, and also while the reply window is closed."""

    template = TemplateUseSerializer(required=False, allow_null=True, default=None)
    reply_to = serializers.RegexField(r"^MSG_\d{1,18}$", required=False)


class NoteSerializer(ActingSerializer):
    content = serializers.CharField(max_length=MAX_NOTE_CHARACTERS)


class ActionSerializer(serializers.Serializer[Any]):
    """What the channel was asked to do. It is done a moment later; events tell."""

    id = serializers.SerializerMethodField()
    type = serializers.CharField(source="kind")
    status = serializers.ChoiceField(choices=ChannelAction.Status.choices)

    def get_id(self, action: ChannelAction) -> str:
        return f"ACT_{action.pk}"


class EmojiSerializer(ActingSerializer):
    emoji = serializers.CharField(max_length=40)


def read_messages(messages: list[Message]) -> Any:
    found = (
        Message.objects.prefetch_related(*PARTS)
        .filter(pk__in=[message.pk for message in messages])
        .order_by("pk")
    )
    return as_json(found)


def answer_created(messages: list[Message]) -> Response:
    return Response({"data": read_messages(messages)}, status=status.HTTP_201_CREATED)


def send(
    request: Request, conversation: Conversation, values: Mapping[str, Any]
) -> list[Message]:
    """Queue what a ReplySerializer has validated. Raises as queue_reply does."""
    writer = writer_of(request, dict(values))
    return queue_reply(
        conversation=conversation,
        source=writer.source,
        author=writer.agent,
        author_name=writer.display_name,
        template=read_template(values["template"]),
        client_key=client_key(request),
        reply_to=_quoted(conversation, values.get("reply_to")),
        **read_parts(request, dict(values), conversation=conversation),
    )


def _quoted(conversation: Conversation, public_id: str | None) -> Message | None:
    if public_id is None:
        return None
    message = conversation.messages.filter(pk=public_id.removeprefix("MSG_")).first()
    if message is None:
        raise ValidationError(
            {"reply_to": "No message of this conversation that can be quoted."}
        )
    return message


class MessageList(ApiView):
    """The messages of one conversation, and the way a backend writes."""

    scopes = {"GET": Scope.MESSAGES_READ, "POST": Scope.MESSAGES_WRITE}

    @extend_schema(
        parameters=[ListQuery],
        responses={200: page_of(MessageSerializer), **problems(404, 422)},
    )
    def get(self, request: Request, conversation_id: int) -> Response:
        """Newest first."""
        conversation = only_conversation_of(request, conversation_id)
        said = conversation.messages.exclude(direction=Direction.EVENT)
        rows = said.prefetch_related(*PARTS)
        page = paginate(
            request, rows, moment="sent_at", name=f"messages:{conversation.pk}"
        )
        return Response(page.as_json(as_json(page.rows)))

    @extend_schema(
        request=ReplySerializer,
        responses={
            201: enveloped(MessageSerializer, many=True),
            **problems(404, 409, 422),
        },
    )
    @idempotent
    def post(self, request: Request, conversation_id: int) -> Response:
        """Queue a reply. 201 with its messages: files, text and cards are one each."""
        conversation = conversation_of(request, conversation_id)
        reply = ReplySerializer(data=request.data)
        reply.is_valid(raise_exception=True)
        return answer_created(send(request, conversation, reply.validated_data))


class NoteList(ApiView):
    scopes = {"POST": Scope.MESSAGES_WRITE}

    @extend_schema(
        request=NoteSerializer,
        responses={
            201: enveloped(MessageSerializer, many=True),
            **problems(404, 409, 422),
        },
    )
    @idempotent
    def post(self, request: Request, conversation_id: int) -> Response:
        """Leave a note for colleagues; `@name` calls one. The customer never sees it."""
        conversation = conversation_of(request, conversation_id)
        note = NoteSerializer(data=request.data)
        note.is_valid(raise_exception=True)
        message = add_note(
            conversation=conversation,
            author=actor_of(request, note.validated_data),
            content=note.validated_data["content"],
            client_key=client_key(request),
        )
        return answer_created([message])


class MessageDetail(ApiView):
    scopes = {"GET": Scope.MESSAGES_READ}

    @extend_schema(responses={200: enveloped(MessageSerializer), **problems(404)})
    def get(self, request: Request, message_id: str) -> Response:
        """One message."""
        message = message_of(request, message_id)
        (shown,) = read_messages([message])
        return Response({"data": shown})


class Retry(ApiView):
    scopes = {"POST": Scope.MESSAGES_WRITE}

    @extend_schema(
        request=ActingSerializer,
        responses={200: enveloped(MessageSerializer), **problems(404, 409, 422)},
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Send a message again that has failed."""
        message = message_of(request, message_id)
        acting = ActingSerializer(data=request.data)
        acting.is_valid(raise_exception=True)
        by = actor_of(request, acting.validated_data)
        (shown,) = read_messages([retry_message(message=message, by=by)])
        return Response({"data": shown})


class Reactions(ApiView):
    """The account's own reaction to a customer's message: one at a time."""

    scopes = {"POST": Scope.MESSAGES_WRITE, "DELETE": Scope.MESSAGES_WRITE}

    @extend_schema(
        request=EmojiSerializer,
        responses={202: enveloped(ActionSerializer), **problems(404, 409, 422)},
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """React with an emoji, in place of the one before."""
        given = EmojiSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._react(request, message_id, given.validated_data)

    @extend_schema(
        request=None,
        responses={202: enveloped(ActionSerializer), **problems(404, 409)},
    )
    def delete(self, request: Request, message_id: str) -> Response:
        """Take it back."""
        return self._react(request, message_id, {})

    def _react(
        self, request: Request, message_id: str, values: dict[str, Any]
    ) -> Response:
        message = message_of(request, message_id)
        writer = writer_of(request, values)
        action = react(
            message=message,
            emoji=values.get("emoji", ""),
            author=writer.agent,
            author_name=writer.display_name,
        )
        data = {"data": ActionSerializer(action).data}
        return Response(data, status=status.HTTP_202_ACCEPTED)
