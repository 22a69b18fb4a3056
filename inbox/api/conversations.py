"""/v1/conversations: list, get, begin, change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils.timezone import now
from drf_spectacular.utils import extend_schema, extend_schema_field
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
from inbox.api.showing import show, show_all
from inbox.api.views import ApiView
from inbox.conversations import open_conversation
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
    expires_at = serializers.DateTimeField(allow_null=True)


# Of rows that know their `tag_names`: as_json gives them.
class ConversationSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    channel = serializers.CharField(source="channel.kind")
    account = AccountSerializer(source="channel")
    user = UserSerializer(source="identity")
    status = serializers.ChoiceField(choices=Conversation.Status.choices)
    snoozed_until = serializers.DateTimeField(allow_null=True)
    subject = serializers.CharField()
    assignee = serializers.CharField(
        source="assignee.name", default=None, allow_null=True
    )
    assignee_id = serializers.CharField(
        source="assignee.public_id", default=None, allow_null=True
    )
    team = serializers.CharField(source="team.name", default=None, allow_null=True)
    team_id = serializers.CharField(
        source="team.public_id", default=None, allow_null=True
    )
    tags = serializers.SerializerMethodField()
    priority = serializers.SerializerMethodField()
    unread = serializers.IntegerField()
    reply_window = serializers.SerializerMethodField()
    waiting_since = serializers.DateTimeField(allow_null=True)
    last_message_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)

    def get_tags(self, conversation: Any) -> list[str]:
        names: list[str] = conversation.tag_names
        return names

    @extend_schema_field(serializers.ChoiceField(choices=PRIORITIES))
    def get_priority(self, conversation: Conversation) -> str:
        return Priority(conversation.priority).name.lower()

    @extend_schema_field(WindowSerializer)
    def get_reply_window(self, conversation: Conversation) -> Any:
        state = conversation.reply_window_at(now(), source=Source.API)
        return show(WindowSerializer, state)


def as_json(conversations: Iterable[Conversation]) -> list[Any]:
    """With the names of their tags, in one statement for all."""
    rows = list(conversations)
    ids = {pk for row in rows for pk in row.tags}
    names = dict(Tag.objects.filter(pk__in=ids).values_list("pk", "name"))
    for row in rows:
        known = sorted(names[pk] for pk in row.tags if pk in names)
        row.tag_names = known  # type: ignore[attr-defined]  # for the serializer alone
    return show_all(ConversationSerializer, rows)


# --- list ----------------------------------------------------------------------------------------


# The indexes of lists begin with the status, or with something after which it comes.
BY_STATUS = {"status": Conversation.Status.values}


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
            filtered(visible, filters).with_parties(),
            moment="updated_at" if is_sync else "last_message_at",
            is_ascending=is_sync,
            name=name_of("conversations", filters),
            split={} if "status" in filters or is_sync else BY_STATUS,
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
