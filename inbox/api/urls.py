from django.urls import URLPattern, path, re_path
from drf_spectacular.views import SpectacularAPIView

from inbox.api import comments
from inbox.api.contacts import ContactDetail, ContactExport
from inbox.api.conversations import ConversationList
from inbox.api.errors import not_found
from inbox.api.messages import MessageList, Reactions
from inbox.api.schema import KeyScheme
from inbox.api.templates import TemplateList

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
        "messages/<slug:message_id>/reply",
        comments.CommentReply.as_view(),
        name="comment_reply",
    ),
    path("messages/<slug:message_id>/hide", comments.Hide.as_view(), name="hide"),
    path("messages/<slug:message_id>/unhide", comments.Unhide.as_view(), name="unhide"),
    path("messages/<slug:message_id>/like", comments.Like.as_view(), name="like"),
    path("messages/<slug:message_id>/unlike", comments.Unlike.as_view(), name="unlike"),
    path("messages/<slug:message_id>/delete", comments.Delete.as_view(), name="delete"),
    path("messages/<slug:message_id>/reactions", Reactions.as_view(), name="reactions"),
    path(
        "channels/<slug:channel_id>/templates",
        TemplateList.as_view(),
        name="templates",
    ),
    path("contacts/<slug:contact_id>", ContactDetail.as_view(), name="contact"),
    path(
        "contacts/<slug:contact_id>/export",
        ContactExport.as_view(),
        name="contact_export",
    ),
    path(
        "schema",
        SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="schema",
    ),
    re_path(r"^(?P<path>.*)$", not_found),
]
