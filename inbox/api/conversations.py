"""/v1/conversations: list, get, begin, change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.acting import ActingSerializer, actor_of
from inbox.api.authentication import holder_of
from inbox.api.idempotency import idempotent
from inbox.api.ids import (
    conversation_of,
    identities_named,
    identity_named,
    now_of,
    number_in,
    row_named,
)
from inbox.api.messages import (
    MessageSerializer,
    ReplySerializer,
    read_messages,
    send,
)
from inbox.api.pagination import ListQuery, name_of, paginate, read_filters
from inbox.api.schema import enveloped, page_of, problems
from inbox.api.views import ApiView
from inbox.conversations import open_conversation
from inbox.jsonb import format_moment
from inbox.models import (
    Actor,
    Agent,
    Conversation,
    ConversationQuerySet,
    Priority,
    Scope,
    Source,
    Tag,
    Team,
)
from inbox.triage import (
    assign_conversation,
    assign_team,
    change_tags,
    close_conversation,
    mark_read,
    mark_unread,
    reopen_conversation,
    set_priority,
    set_subject,
    snooze_conversation,
)

PRIORITIES = [priority.name.lower() for priority in Priority]
NOBODY = "none"


class AccountSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    external_id = serializers.CharField()
    name = serializers.CharField()


class UserSerializer(serializers.Serializer[Any]):
    """The customer, as known on this channel."""

    id = serializers.CharField()
    username = serializers.CharField(allow_null=True)
    contact_id = serializers.CharField()
    name = serializers.CharField(allow_null=True)
    email = serializers.CharField(allow_null=True)
    phone = serializers.CharField(allow_null=True)


class WindowSerializer(serializers.Serializer[Any]):
    """Whether this key may write now."""

    state = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)


class ConversationSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    channel = serializers.CharField()
    account = AccountSerializer()
    user = UserSerializer()
    status = serializers.ChoiceField(choices=Conversation.Status.choices)
    snoozed_until = serializers.DateTimeField(allow_null=True)
    subject = serializers.CharField()
    assignee = serializers.CharField(allow_null=True)
    assignee_id = serializers.CharField(allow_null=True)
    team = serializers.CharField(allow_null=True)
    team_id = serializers.CharField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    priority = serializers.ChoiceField(choices=PRIORITIES)
    unread = serializers.IntegerField()
    reply_window = WindowSerializer()
    waiting_since = serializers.DateTimeField(allow_null=True)
    last_message_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


# What of a row and its parties is told.
COLUMNS = (
    *("status", "snoozed_until", "subject", "tags", "priority", "unread"),
    *("waiting_since", "last_message_at", "created_at", "updated_at", "closed_at"),
    *("channel__kind", "channel__external_id", "channel__name", "channel__features"),
    *("identity__external_id", "identity__username", "identity__name"),
    *("identity__last_inbound_at", "identity__window_expires_at"),
    *("identity__probable_until", "identity__channel"),
    *("identity__contact__name", "identity__contact__email"),
    "identity__contact__phone",
    *("assignee__username", "assignee__first_name", "assignee__last_name"),
    "team__name",
)


def with_columns(rows: ConversationQuerySet) -> ConversationQuerySet:
    """With all that as_json tells, and no more."""
    parties = ("channel", "identity__contact", "assignee", "team")
    return rows.select_related(*parties).only(*COLUMNS)


def as_json(conversations: Iterable[Conversation]) -> list[dict[str, Any]]:
    """As ConversationSerializer describes them: written out, because filling in a serializer takes
    most of the time of a list. The names of their tags are one statement for all."""
    rows = list(conversations)
    ids = {pk for row in rows for pk in row.tags}
    names = dict(Tag.objects.filter(pk__in=ids).values_list("pk", "name"))
    moment = now()
    return [_told(row, names, moment) for row in rows]


def _told(row: Conversation, tags: Mapping[int, str], at: datetime) -> dict[str, Any]:
    channel, identity = row.channel, row.identity
    identity.channel = channel  # the same row, asked for once
    contact, assignee, team = identity.contact, row.assignee, row.team
    window = row.reply_window_at(at, source=Source.API)
    return {
        "id": row.public_id,
        "channel": channel.kind,
        "account": {
            "id": channel.public_id,
            "external_id": channel.external_id,
            "name": channel.name,
        },
        "user": {
            "id": identity.public_id,
            "username": identity.username or None,
            "contact_id": contact.public_id,
            "name": identity.name or contact.name or None,
            "email": contact.email or None,
            "phone": contact.phone or None,
        },
        "status": row.status,
        "snoozed_until": row.snoozed_until and format_moment(row.snoozed_until),
        "subject": row.subject,
        "assignee": assignee and assignee.name,
        "assignee_id": assignee and assignee.public_id,
        "team": team and team.name,
        "team_id": team and team.public_id,
        "tags": sorted(tags[pk] for pk in row.tags if pk in tags),
        "priority": Priority(row.priority).name.lower(),
        "unread": row.unread,
        "reply_window": {
            "state": window.kind,
            "expires_at": window.expires_at and format_moment(window.expires_at),
        },
        "waiting_since": row.waiting_since and format_moment(row.waiting_since),
        "last_message_at": format_moment(row.last_message_at),
        "created_at": format_moment(row.created_at),
        "updated_at": format_moment(row.updated_at),
        "closed_at": row.closed_at and format_moment(row.closed_at),
    }


# --- list ----------------------------------------------------------------------------------------


# The indexes of lists begin with the status, or with something after which it comes.
BY_STATUS = {"status": Conversation.Status.values}


def _is_led(filters: Mapping[str, Any]) -> bool:
    """Whether one stretch of an index holds the list in its order, or the list is short."""
    is_short = {"contact_id", "user_id"} & filters.keys()
    return "status" in filters or bool(is_short) or filters.get("unread") is True


class ConversationQuery(ListQuery):
    status = serializers.ChoiceField(
        choices=Conversation.Status.choices, required=False
    )
    channel = serializers.CharField(
        required=False, help_text="The kind: instagram, messenger."
    )
    account_id = serializers.RegexField(r"^CH_\d{1,18}$", required=False)
    assignee_id = serializers.RegexField(
        r"^(AGENT_\d{1,18}|none)$", required=False, help_text="AGENT_1, or none."
    )
    team_id = serializers.RegexField(
        r"^(TEAM_\d{1,18}|none)$", required=False, help_text="TEAM_1, or none."
    )
    tag = serializers.CharField(required=False, help_text="A tag's name.")
    contact_id = serializers.RegexField(r"^USER_\d{1,18}$", required=False)
    user_id = serializers.CharField(
        required=False, help_text="A person's id on a channel: IG_998877."
    )
    updated_since = serializers.DateTimeField(
        required=False,
        help_text="What changed at this moment or later, the oldest change first.",
    )
    unread = serializers.BooleanField(required=False)


def filtered(
    rows: ConversationQuerySet, filters: Mapping[str, Any]
) -> ConversationQuerySet:
    """filters: as ConversationQuery has validated them."""
    for name, value in filters.items():
        rows = _narrowed(rows, name, value)
    return rows


def _narrowed(
    rows: ConversationQuerySet, name: str, value: Any
) -> ConversationQuerySet:
    match name:
        case "status":
            return rows.filter(status=value)
        case "channel":
            return rows.filter(channel__kind=value)
        case "account_id":
            return rows.filter(channel=number_in(value, "CH_"))
        case "assignee_id":
            return rows.filter(assignee=number_in(value, "AGENT_"))
        case "team_id":
            return rows.filter(team=number_in(value, "TEAM_"))
        case "tag":
            ids = list(Tag.objects.filter(name=value).values_list("pk", flat=True))
            return (
                rows.filter(tags__contains=ids).exclude(tags=[]) if ids else rows.none()
            )
        case "contact_id":
            contact = now_of(number_in(value, "USER_") or 0)
            return rows.filter(identity__contact=contact)
        case "user_id":
            return rows.filter(identity__in=identities_named(value).values("pk"))
        case "updated_since":
            return rows.filter(updated_at__gte=value)
        case _:
            return rows.filter(unread__gt=0) if value else rows.filter(unread=0)


# --- begin ---------------------------------------------------------------------------------------


class BeginSerializer(ReplySerializer):
    """A message, and to whom. account_id: where the same id is on several accounts."""

    user_id = serializers.CharField(max_length=300)
    account_id = serializers.RegexField(r"^CH_\d{1,18}$", required=False)


class BegunSerializer(serializers.Serializer[Any]):
    conversation = ConversationSerializer()
    messages = MessageSerializer(many=True)


class ConversationList(ApiView):
    scopes = {"GET": Scope.CONVERSATIONS_READ, "POST": Scope.MESSAGES_WRITE}

    @extend_schema(
        parameters=[ConversationQuery],
        responses={200: page_of(ConversationSerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """Newest activity first; with `updated_since` the oldest change first."""
        filters = read_filters(request, ConversationQuery)
        visible = Conversation.objects.visible_to(holder_of(request))
        is_sync = "updated_since" in filters
        page = paginate(
            request,
            with_columns(filtered(visible, filters)),
            moment="updated_at" if is_sync else "last_message_at",
            is_ascending=is_sync,
            name=name_of("conversations", filters),
            split={} if is_sync or _is_led(filters) else BY_STATUS,
        )
        return Response(page.as_json(as_json(page.rows)))

    @extend_schema(
        request=BeginSerializer,
        responses={201: enveloped(BegunSerializer), **problems(409, 422)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Write to a person by their id, where the reply window allows it."""
        begin = BeginSerializer(data=request.data)
        begin.is_valid(raise_exception=True)
        values = begin.validated_data
        identity = identity_named(values["user_id"], values.get("account_id"))
        with transaction.atomic():  # no conversation without its message
            by = actor_of(request, values)
            conversation = open_conversation(identity, by)
            messages = send(request, conversation, values)
        (shown,) = as_json([conversation_of(request, conversation.pk)])
        data = {"conversation": shown, "messages": read_messages(messages)}
        return Response({"data": data}, status=status.HTTP_201_CREATED)


# --- change --------------------------------------------------------------------------------------


class ChangeSerializer(ActingSerializer):
    """What is given changes. snoozed_until: null to wait until the person writes."""

    status = serializers.ChoiceField(
        choices=Conversation.Status.choices, required=False
    )
    snoozed_until = serializers.DateTimeField(required=False, allow_null=True)
    assignee_id = serializers.RegexField(
        r"^AGENT_\d{1,18}$", required=False, allow_null=True
    )
    team_id = serializers.RegexField(
        r"^TEAM_\d{1,18}$", required=False, allow_null=True
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=100
    )
    subject = serializers.CharField(required=False, allow_blank=True, max_length=200)
    priority = serializers.ChoiceField(choices=PRIORITIES, required=False)
    unread = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "snoozed_until" in attrs and attrs.get("status", "snoozed") != "snoozed":
            raise ValidationError({"snoozed_until": "Only with the status snoozed."})
        return super().validate(attrs)


class ConversationDetail(ApiView):
    scopes = {
        "GET": Scope.CONVERSATIONS_READ,
        "PATCH": Scope.CONVERSATIONS_WRITE,
    }

    @extend_schema(responses={200: enveloped(ConversationSerializer), **problems(404)})
    def get(self, request: Request, conversation_id: int) -> Response:
        """One conversation."""
        return self._show(request, conversation_id)

    @extend_schema(
        request=ChangeSerializer,
        responses={200: enveloped(ConversationSerializer), **problems(404, 409, 422)},
    )
    def patch(self, request: Request, conversation_id: int) -> Response:
        """Change all that is given, or nothing."""
        conversation = conversation_of(request, conversation_id)
        change = ChangeSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        values = change.validated_data
        by = actor_of(request, values)
        with transaction.atomic():
            for name, value in values.items():
                _change(conversation, name, value, by)
            _change_status(conversation, values, by)
        return self._show(request, conversation_id)

    def _show(self, request: Request, conversation_id: int) -> Response:
        (shown,) = as_json([conversation_of(request, conversation_id)])
        return Response({"data": shown})


def _change(conversation: Conversation, name: str, value: Any, by: Actor) -> None:
    """One thing of a conversation but its status. Raises as the functions of triage do."""
    match name:
        case "assignee_id":
            assignee = (
                row_named(Agent.objects.all(), value, "AGENT_", name) if value else None
            )
            assign_conversation(conversation=conversation, assignee=assignee, by=by)
        case "team_id":
            team = (
                row_named(Team.objects.all(), value, "TEAM_", name) if value else None
            )
            assign_team(conversation=conversation, team=team, by=by)
        case "tags":
            _set_tags(conversation, value, by)
        case "subject":
            set_subject(conversation=conversation, subject=value, by=by)
        case "priority":
            set_priority(
                conversation=conversation, priority=Priority[value.upper()], by=by
            )
        case "unread" if value:
            mark_unread(conversation=conversation)
        case "unread":
            mark_read(conversation=conversation)


def _change_status(
    conversation: Conversation, values: Mapping[str, Any], by: Actor
) -> None:
    """Last, so that what else is said of it stands in the thread before it is put away."""
    wanted = values.get("status", "snoozed" if "snoozed_until" in values else None)
    if wanted == Conversation.Status.SNOOZED:
        until = values.get("snoozed_until")
        snooze_conversation(conversation=conversation, until=until, by=by)
    elif wanted == Conversation.Status.CLOSED:
        close_conversation(conversation=conversation, by=by)
    elif wanted == Conversation.Status.OPEN:
        reopen_conversation(conversation=conversation, by=by)


def _set_tags(conversation: Conversation, names: list[str], by: Actor) -> None:
    """Exactly these. Raises ValidationError for a name that is none."""
    wanted = list(Tag.objects.filter(name__in=names))
    unknown = sorted(set(names) - {tag.name for tag in wanted})
    if unknown:
        raise ValidationError({"tags": f"There is no tag {unknown[0]!r}."})
    kept = {tag.pk for tag in wanted}
    current = Conversation.objects.select_for_update().get(pk=conversation.pk)
    gone = Tag.objects.filter(pk__in=set(current.tags) - kept)
    change_tags(conversation=conversation, add=wanted, remove=list(gone), by=by)
