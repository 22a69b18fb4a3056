from django.urls import URLPattern, path, re_path

from channels_meta.sandbox import cdn, pages
from channels_meta.sandbox.graph import (
    accounts,
    apps,
    comments,
    conversations,
    messages,
    nodes,
    threads,
    uploads,
)
from channels_meta.sandbox.login import dialogs, endpoints

# Unversioned calls are served too, by the oldest version that lives.
HOST = r"^graph/(?P<host>facebook|instagram)(?:/(?P<version>v\d+\.\d+))?"
FACEBOOK = r"^graph/(?P<host>facebook)(?:/(?P<version>v\d+\.\d+))?"
INSTAGRAM = r"^graph/(?P<host>instagram)(?:/(?P<version>v\d+\.\d+))?"
NODE = rf"{HOST}/(?P<node>[\w.:=-]+)"

EDGES = {
    "messages": messages.send_message,
    "message_attachments": uploads.upload,
    "conversations": conversations.conversations,
    "subscribed_apps": apps.subscribed_apps,
    "message_templates": apps.message_templates,
    "accounts": accounts.list_pages,
    "permissions": accounts.list_permissions,
    "replies": comments.replies,
    "comments": comments.comments,
    "likes": comments.likes,
    "mentions": comments.answer_mention,
    "take_thread_control": threads.take,
    "pass_thread_control": threads.hand_over,
    "release_thread_control": threads.release,
    "request_thread_control": threads.request_control,
    "extend_thread_control": threads.extend,
    "thread_owner": threads.owner,
}

app_name = "sandbox"
urlpatterns: list[URLPattern] = [
    path("", pages.show_phone, name="phone"),
    path("accounts/", pages.set_up, name="set_up"),
    path("people/", pages.create_person, name="people"),
    path("people/<int:pk>/", pages.refresh_phone, name="refresh"),
    path("people/<int:pk>/skip/", pages.skip, name="skip"),
    path("people/<int:pk>/fail/", pages.fail, name="fail"),
    path("people/<int:pk>/connect/", pages.connect, name="connect"),
    path("people/<int:pk>/<slug:name>/", pages.act, name="act"),
    path("cdn/<path:name>", cdn.serve, name="cdn"),
    re_path(
        r"^login/facebook/(?P<version>v\d+\.\d+)/dialog/oauth$",
        dialogs.facebook,
        name="facebook_dialog",
    ),
    path("login/instagram/oauth/authorize", dialogs.instagram, name="instagram_dialog"),
    path(
        "login/instagram/oauth/access_token",
        endpoints.instagram_code,
        {"host": "instagram"},
        name="instagram_code",
    ),
    re_path(rf"{FACEBOOK}/oauth/access_token$", endpoints.facebook_token),
    re_path(rf"{FACEBOOK}/debug_token$", endpoints.debug_token),
    re_path(rf"{FACEBOOK}/(?P<app>\d+)/subscriptions$", endpoints.app_subscriptions),
    re_path(rf"{INSTAGRAM}/access_token$", endpoints.exchange_instagram),
    re_path(rf"{INSTAGRAM}/refresh_access_token$", endpoints.refresh_instagram),
    *(
        re_path(rf"{NODE}/{edge}$", view, name=f"graph_{edge}")
        for edge, view in EDGES.items()
    ),
    re_path(rf"{NODE}$", nodes.node_view, name="graph_node"),
]
