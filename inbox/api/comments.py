"""POST /v1/messages/{id}/reply and the acts on a comment."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.acting import ActingSerializer, writer_of
from inbox.api.composing import ContentSerializer, read_parts
from inbox.api.idempotency import client_key, idempotent
from inbox.api.ids import message_of
from inbox.api.messages import (
    ActionSerializer,
    MessageSerializer,
    answer_created,
)
from inbox.api.schema import enveloped, problems
from inbox.api.views import ApiView
from inbox.comment_rules import CommentAct
from inbox.comments import manage_comment, reply_privately, reply_publicly
from inbox.models import Message, MessageType, Scope


class CommentReplySerializer(ContentSerializer, ActingSerializer):
    """public: under the comment, words only. private: one message into the person's inbox."""

    visibility = serializers.ChoiceField(choices=["public", "private"])


def comment_of(request: Request, message_id: str) -> Message:
    message = message_of(request, message_id)
    if message.type != MessageType.COMMENT:
        raise NotFound("This message is no comment.")
    return message


class CommentReply(ApiView):
    scopes = {"POST": Scope.COMMENTS_WRITE}

    @extend_schema(
        request=CommentReplySerializer,
        responses={
            201: enveloped(MessageSerializer, many=True),
            **problems(404, 409, 422),
        },
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Queue an answer to a comment. In private once per comment, within its days."""
        comment = comment_of(request, message_id)
        reply = CommentReplySerializer(data=request.data)
        reply.is_valid(raise_exception=True)
        parts = read_parts(
            request, reply.validated_data, conversation=comment.conversation
        )
        by, key = writer_of(request, reply.validated_data), client_key(request)
        if reply.validated_data["visibility"] == "private":
            message = reply_privately(comment=comment, by=by, client_key=key, **parts)
        else:
            message = reply_publicly(
                comment=comment, by=by, client_key=key, content=_words_of(parts)
            )
        return answer_created([message])


def _words_of(parts: dict[str, Any]) -> str:
    for name, param in (
        ("media", "attachments"),
        ("cards", "cards"),
        ("quick_replies", "quick_replies"),
    ):
        if parts[name]:
            raise ValidationError({param: "A public answer is words only."})
    content: str = parts["content"]
    return content


class CommentActs(ApiView):
    """hide, unhide, like, unlike or delete."""

    act: CommentAct
    scopes = {"POST": Scope.COMMENTS_WRITE}

    @extend_schema(
        request=ActingSerializer,
        responses={202: enveloped(ActionSerializer), **problems(404, 409, 422)},
    )
    @idempotent
    def post(self, request: Request, message_id: str) -> Response:
        """Have the channel do it. 202 at once; the thread and the events tell when it is done."""
        comment = comment_of(request, message_id)
        acting = ActingSerializer(data=request.data)
        acting.is_valid(raise_exception=True)
        by = writer_of(request, acting.validated_data)
        action = manage_comment(comment=comment, act=self.act, by=by)
        data = {"data": ActionSerializer(action).data}
        return Response(data, status=status.HTTP_202_ACCEPTED)


class Hide(CommentActs):
    act = CommentAct.HIDE


class Unhide(CommentActs):
    act = CommentAct.UNHIDE


class Like(CommentActs):
    act = CommentAct.LIKE


class Unlike(CommentActs):
    act = CommentAct.UNLIKE


class Delete(CommentActs):
    act = CommentAct.DELETE
