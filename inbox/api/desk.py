"""What a conversation is given: tags, agents, teams, canned replies. And the channels it comes by."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.authentication import holder_of
from inbox.api.idempotency import idempotent
from inbox.api.ids import row_or_404
from inbox.api.pagination import ListQuery, paginate
from inbox.api.schema import enveloped, page_of, problems
from inbox.api.views import ApiView
from inbox.audit import note_act
from inbox.errors import InboxError
from inbox.models import Agent, CannedReply, Channel, Scope, Tag, Team


class AlreadyThere(InboxError):
    code = "already_exists"
    status = 409


class TagSerializer(serializers.Serializer[Any]):
    """colour: one of the six dots."""

    id = serializers.CharField(source="public_id", read_only=True)
    name = serializers.CharField(max_length=40)
    colour = serializers.IntegerField(
        min_value=1, max_value=6, required=False, default=1
    )


class AgentSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    email = serializers.CharField()
    presence = serializers.ChoiceField(choices=Agent.Presence.choices)
    is_active = serializers.BooleanField()
    team_ids = serializers.SerializerMethodField()

    def get_team_ids(self, agent: Agent) -> list[str]:
        return [team.public_id for team in agent.teams.all()]


class TeamSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()


class CannedReplySerializer(serializers.Serializer[Any]):
    """content: with its placeholders, as it was written. team_id: null for every team."""

    id = serializers.SerializerMethodField()
    shortcut = serializers.CharField()
    title = serializers.CharField()
    content = serializers.CharField()
    team_id = serializers.CharField(
        source="team.public_id", default=None, allow_null=True
    )
    updated_at = serializers.DateTimeField()

    def get_id(self, reply: CannedReply) -> str:
        return f"CANNED_{reply.pk}"


class TroubleSerializer(serializers.Serializer[Any]):
    """What the platform refused last."""

    code = serializers.CharField(source="last_error_code")
    detail = serializers.CharField(source="last_error")
    at = serializers.DateTimeField(source="last_error_at", allow_null=True)


class ChannelSerializer(serializers.Serializer[Any]):
    """A connected account and how it is. error: null while nothing is wrong."""

    id = serializers.CharField(source="public_id")
    channel = serializers.CharField(source="kind")
    external_id = serializers.CharField()
    name = serializers.CharField()
    username = serializers.SerializerMethodField()
    status = serializers.ChoiceField(choices=Channel.Status.choices)
    status_reason = serializers.CharField()
    last_event_at = serializers.DateTimeField(allow_null=True)
    blocked_until = serializers.DateTimeField(allow_null=True)
    automation_blocked_until = serializers.DateTimeField(allow_null=True)
    error = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_username(self, channel: Channel) -> str | None:
        return channel.username or None

    @extend_schema_field(TroubleSerializer(allow_null=True))
    def get_error(self, channel: Channel) -> Any:
        return TroubleSerializer(channel).data if channel.last_error else None


class DeskList(ApiView):
    """A list of what there is little of, by id."""

    noun: str
    serializer: type[serializers.Serializer[Any]]

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    def get(self, request: Request) -> Response:
        page = paginate(request, self.rows(), name=self.noun, is_ascending=True)
        return Response(page.as_json(self.serializer(page.rows, many=True).data))


class TagList(DeskList):
    noun, serializer = "tags", TagSerializer
    scopes = {"GET": Scope.TAGS_READ, "POST": Scope.TAGS_WRITE}

    def rows(self) -> QuerySet[Tag]:
        return Tag.objects.all()

    @extend_schema(
        parameters=[ListQuery],
        responses={200: page_of(TagSerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """Every tag, by id."""
        return super().get(request)

    @extend_schema(
        request=TagSerializer,
        responses={201: enveloped(TagSerializer), **problems(409, 422)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Make a tag. 409 if there is one of this name."""
        given = TagSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        tag, is_new = Tag.objects.get_or_create(name=values["name"], defaults=values)
        if not is_new:
            raise AlreadyThere("There is a tag of this name already.", param="name")
        note_act(holder_of(request).key, "tag_created", tag)
        return Response(
            {"data": TagSerializer(tag).data}, status=status.HTTP_201_CREATED
        )


class AgentList(DeskList):
    noun, serializer = "agents", AgentSerializer
    scopes = {"GET": Scope.AGENTS_READ}

    def rows(self) -> QuerySet[Agent]:
        return Agent.objects.prefetch_related("teams")

    @extend_schema(
        parameters=[ListQuery],
        responses={200: page_of(AgentSerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """Everybody who signs in, by id; who has left is not active."""
        return super().get(request)


class AgentDetail(ApiView):
    scopes = {"GET": Scope.AGENTS_READ}

    @extend_schema(responses={200: enveloped(AgentSerializer), **problems(404)})
    def get(self, request: Request, agent_id: str) -> Response:
        """One agent."""
        agents = Agent.objects.prefetch_related("teams")
        agent = row_or_404(agents, agent_id, "AGENT_")
        return Response({"data": AgentSerializer(agent).data})


class TeamList(DeskList):
    noun, serializer = "teams", TeamSerializer
    scopes = {"GET": Scope.AGENTS_READ}

    def rows(self) -> QuerySet[Team]:
        return Team.objects.all()

    @extend_schema(
        parameters=[ListQuery],
        responses={200: page_of(TeamSerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """Every team, by id."""
        return super().get(request)


class CannedReplyList(DeskList):
    noun, serializer = "canned_replies", CannedReplySerializer
    scopes = {"GET": Scope.CANNED_READ}

    def rows(self) -> QuerySet[CannedReply]:
        return CannedReply.objects.filter(owner=None).select_related("team")

    @extend_schema(
        parameters=[ListQuery],
        responses={200: page_of(CannedReplySerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """What everybody shares, by id; an agent's own are nobody else's."""
        return super().get(request)


class ChannelList(DeskList):
    noun, serializer = "channels", ChannelSerializer
    scopes = {"GET": Scope.CHANNELS_READ}

    def rows(self) -> QuerySet[Channel]:
        return Channel.objects.all()

    @extend_schema(
        parameters=[ListQuery],
        responses={200: page_of(ChannelSerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """Every connected account and how it is, by id."""
        return super().get(request)


class ChannelDetail(ApiView):
    scopes = {"GET": Scope.CHANNELS_READ}

    @extend_schema(responses={200: enveloped(ChannelSerializer), **problems(404)})
    def get(self, request: Request, channel_id: str) -> Response:
        """One account and how it is."""
        channel = row_or_404(Channel.objects.all(), channel_id, "CH_")
        return Response({"data": ChannelSerializer(channel).data})
