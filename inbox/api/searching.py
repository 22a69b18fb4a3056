"""GET /v1/search: messages by their words."""

from __future__ import annotations

from django.contrib.postgres.search import SearchQuery
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.authentication import holder_of
from inbox.api.messages import PARTS, MessageSerializer, as_json
from inbox.api.pagination import ListQuery, name_of, paginate, read_filters
from inbox.api.schema import page_of, problems
from inbox.api.views import ApiView
from inbox.models import Conversation, Direction, Message, Scope
from inbox.search import prefix_query


class SearchFilters(ListQuery):
    q = serializers.CharField(
        max_length=100, help_text="Words, or beginnings of words; all must be there."
    )
    conversation_id = serializers.RegexField(r"^\d{1,18}$", required=False)


class Search(ApiView):
    scopes = {"GET": Scope.MESSAGES_READ}

    @extend_schema(
        parameters=[SearchFilters],
        responses={200: page_of(MessageSerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """Messages and notes with all these words, the newest first."""
        filters = read_filters(request, SearchFilters)
        words = prefix_query(filters["q"])
        visible = Conversation.objects.visible_to(holder_of(request))
        rows = Message.objects.filter(conversation__in=visible).exclude(
            direction=Direction.EVENT
        )
        if "conversation_id" in filters:
            rows = rows.filter(conversation=filters["conversation_id"])
        query = SearchQuery(words, config="simple", search_type="raw")
        found = rows.filter(search_vector=query) if words else rows.none()
        page = paginate(
            request,
            found.prefetch_related(*PARTS),
            moment="sent_at",
            name=name_of("search", filters),
        )
        return Response(page.as_json(as_json(page.rows)))
