"""The JSON of what a backend writes, and how it becomes the inbox's own words."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from inbox.api.authentication import holder_of
from inbox.channels import Button, Card, OutgoingMedia, QuickReply, TemplateUse
from inbox.content import Medium
from inbox.models import Conversation
from inbox.staging import chosen_files

MAX_TEXT = 20_000
MAX_ADDRESS = 2000


class ButtonSerializer(serializers.Serializer[Any]):
    """value: the address, the payload or the phone number."""

    type = serializers.ChoiceField(choices=["url", "postback", "phone"])
    title = serializers.CharField(max_length=200)
    value = serializers.CharField(max_length=MAX_ADDRESS)


class CardSerializer(serializers.Serializer[Any]):
    """With `text` and buttons alone, or with a title and a subtitle, a picture or buttons."""

    title = serializers.CharField(required=False, default="", max_length=500)
    subtitle = serializers.CharField(required=False, default="", max_length=500)
    text = serializers.CharField(required=False, default="", max_length=2000)
    image_url = serializers.URLField(required=False, default="", max_length=MAX_ADDRESS)
    url = serializers.URLField(required=False, default="", max_length=MAX_ADDRESS)
    buttons = ButtonSerializer(many=True, required=False, default=list)


class QuickReplySerializer(serializers.Serializer[Any]):
    """phone and email have no title: the channel offers what it knows of the person."""

    type = serializers.ChoiceField(
        choices=["text", "phone", "email"], required=False, default="text"
    )
    title = serializers.CharField(required=False, default="", max_length=200)
    payload = serializers.CharField(required=False, default="", max_length=2000)


class TemplateUseSerializer(serializers.Serializer[Any]):
    """parameters: by part of the template (`body`, `header`) its values in order."""

    name = serializers.CharField(max_length=200)
    language = serializers.CharField(max_length=20)
    parameters = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=2000)),
        required=False,
        default=dict,
    )


class OutgoingAttachmentSerializer(serializers.Serializer[Any]):
    """By an address, with its type; or a file that was uploaded before."""

    type = serializers.ChoiceField(
        choices=["image", "video", "audio", "file"], required=False
    )
    url = serializers.URLField(max_length=MAX_ADDRESS, required=False)
    upload_id = serializers.RegexField(r"^FILE_\d{1,18}$", required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("url" in attrs) == ("upload_id" in attrs):
            raise ValidationError("Give a `url` or an `upload_id`.")
        if "url" in attrs and "type" not in attrs:
            raise ValidationError({"type": "This field is required."})
        return attrs


class ContentSerializer(serializers.Serializer[Any]):
    """What every reply may hold."""

    content = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=MAX_TEXT
    )
    attachments = OutgoingAttachmentSerializer(many=True, required=False, default=list)
    quick_replies = QuickReplySerializer(many=True, required=False, default=list)
    cards = CardSerializer(many=True, required=False, default=list)


def read_parts(
    request: Request, values: dict[str, Any], *, conversation: Conversation
) -> dict[str, Any]:
    """Validated content as the keyword arguments of queue_reply and its like.

    Raises ContentInvalid for an upload that is not there.
    """
    return {
        "content": values["content"],
        "media": _media(request, values["attachments"], conversation),
        "quick_replies": [
            QuickReply(one["title"], one["payload"], one["type"])
            for one in values["quick_replies"]
        ],
        "cards": [_card(one) for one in values["cards"]],
    }


def _media(
    request: Request, told: list[dict[str, Any]], conversation: Conversation
) -> list[Medium]:
    ids = [_number(one) for one in told if "upload_id" in one]
    if not ids:
        return [OutgoingMedia(one["type"], one["url"]) for one in told]
    files = chosen_files(conversation, holder_of(request).key, ids)
    uploads = {file.pk: file for file in files}
    return [
        uploads[_number(one)]
        if "upload_id" in one
        else OutgoingMedia(one["type"], one["url"])
        for one in told
    ]


def _number(told: dict[str, Any]) -> int:
    return int(told["upload_id"].removeprefix("FILE_"))


def _card(told: dict[str, Any]) -> Card:
    buttons = tuple(
        Button(one["title"], one["type"], one["value"]) for one in told["buttons"]
    )
    return Card(**{**told, "buttons": buttons})


def read_template(told: dict[str, Any] | None) -> TemplateUse | None:
    if told is None:
        return None
    parameters = {part: tuple(values) for part, values in told["parameters"].items()}
    return TemplateUse(told["name"], told["language"], parameters)
