from django.urls import URLPattern, path, re_path
from drf_spectacular.views import SpectacularAPIView

from inbox.api import comments, desk, docs
from inbox.api.contacts import (
    ContactDetail,
    ContactExport,
    ContactList,
    ContactMerge,
    ContactMerges,
    ContactUnmerge,
)
from inbox.api.conversations import ConversationDetail, ConversationList
from inbox.api.errors import not_found
from inbox.api.messages import MessageDetail, MessageList, NoteList, Reactions, Retry
from inbox.api.schema import KeyScheme
from inbox.api.searching import Search
from inbox.api.templates import TemplateList
from inbox.api.uploads import UploadList

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
        "conversations/<int:conversation_id>",
        ConversationDetail.as_view(),
        name="conversation",
    ),
    path(
        "conversations/<int:conversation_id>/notes",
        NoteList.as_view(),
        name="notes",
    ),
    path("messages/<slug:message_id>", MessageDetail.as_view(), name="message"),
    path("messages/<slug:message_id>/retry", Retry.as_view(), name="retry"),
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
    path("channels", desk.ChannelList.as_view(), name="channels"),
    path("channels/<slug:channel_id>", desk.ChannelDetail.as_view(), name="channel"),
    path(
        "channels/<slug:channel_id>/templates",
        TemplateList.as_view(),
        name="templates",
    ),
    path("contacts", ContactList.as_view(), name="contacts"),
    path("contacts/<slug:contact_id>", ContactDetail.as_view(), name="contact"),
    path(
        "contacts/<slug:contact_id>/export",
        ContactExport.as_view(),
        name="contact_export",
    ),
    path(
        "contacts/<slug:contact_id>/merge", ContactMerge.as_view(), name="contact_merge"
    ),
    path(
        "contacts/<slug:contact_id>/unmerge",
        ContactUnmerge.as_view(),
        name="contact_unmerge",
    ),
    path(
        "contacts/<slug:contact_id>/merges",
        ContactMerges.as_view(),
        name="contact_merges",
    ),
    path("tags", desk.TagList.as_view(), name="tags"),
    path("agents", desk.AgentList.as_view(), name="agents"),
    path("agents/<slug:agent_id>", desk.AgentDetail.as_view(), name="agent"),
    path("teams", desk.TeamList.as_view(), name="teams"),
    path("canned-replies", desk.CannedReplyList.as_view(), name="canned_replies"),
    path("uploads", UploadList.as_view(), name="uploads"),
    path("search", Search.as_view(), name="search"),
    path("docs", docs.show, name="docs"),
    path(
        "schema",
        SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="schema",
    ),
    re_path(r"^(?P<path>[\s\S]*)$", not_found),
]
