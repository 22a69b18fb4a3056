from django.urls import URLPattern, path, re_path
from drf_spectacular.views import SpectacularAPIView

from inbox.api.conversations import ConversationList
from inbox.api.errors import not_found
from inbox.api.messages import MessageList
from inbox.api.schema import KeyScheme

app_name = "api"
__all__ = ["KeyScheme", "urlpatterns"]  # importing the scheme is what registers it
urlpatterns: list[URLPattern] = [
    path("conversations", ConversationList.as_view(), name="conversations"),
    path(
        "conversations/<int:conversation_id>/messages",
        MessageList.as_view(),
        name="messages",
    ),
    path(
        "schema",
        SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="schema",
    ),
    re_path(r"^(?P<path>.*)$", not_found),
]
