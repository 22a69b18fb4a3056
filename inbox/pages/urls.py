from django.urls import URLPattern, path

from inbox.pages import (
    actions,
    bulk,
    comments,
    conversations,
    downloads,
    history,
    messages,
    saved_views,
)

app_name = "inbox"
urlpatterns: list[URLPattern] = [
    path("", conversations.home, name="home"),
    path("counts/", conversations.refresh_counts, name="counts"),
    path("banner/", conversations.refresh_banner, name="banner"),
    path("c/<int:pk>/messages/", messages.messages, name="messages"),
    path("c/<int:pk>/notes/", messages.note, name="note"),
    path("c/<int:pk>/composer/", conversations.show_composer, name="composer"),
    path("c/<int:pk>/assign/", conversations.assign, name="assign"),
    path("c/<int:pk>/close/", conversations.close, name="close"),
    path("c/<int:pk>/reopen/", conversations.reopen, name="reopen"),
    path("c/<int:pk>/read/", conversations.read, name="read"),
    path("c/<int:pk>/typing/", actions.typing, name="typing"),
    path("c/<int:pk>/take-over/", actions.take, name="take_over"),
    path("c/<int:pk>/hand-back/", actions.give_back, name="hand_back"),
    path("comments/<int:pk>/reply/<slug:mode>/", comments.reply, name="comment_reply"),
    path("comments/<int:pk>/<slug:act>/", comments.manage, name="comment_manage"),
    path("messages/<int:pk>/react/", messages.react, name="react"),
    path("messages/<int:pk>/retry/", messages.retry, name="retry"),
    path("messages/<int:pk>/discard/", messages.discard, name="discard"),
    path("files/<int:pk>/<str:name>", downloads.show_file, name="file"),
    path("thumbnails/<int:pk>", downloads.show_thumbnail, name="thumbnail"),
    path("avatars/<int:pk>", downloads.show_avatar, name="avatar"),
    path("channels/<int:pk>/import/", history.import_progress, name="import_progress"),
    path("bulk/", bulk.change_many, name="bulk"),
    path("bulk/undo/", bulk.undo, name="bulk_undo"),
    path("views/", saved_views.create, name="save_view"),
    path("views/<int:pk>/", saved_views.change, name="change_view"),
    path("views/<int:pk>/delete/", saved_views.delete, name="delete_view"),
    path("<slug:view>/", conversations.list_conversations, name="list"),
    path("<slug:view>/rows/", conversations.refresh_rows, name="rows"),
    path(
        "<slug:view>/c/<int:pk>/", conversations.show_conversation, name="conversation"
    ),
]
