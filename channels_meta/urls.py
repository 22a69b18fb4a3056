from django.urls import URLPattern, path

from channels_meta import duties
from channels_meta.connect import channels, pages
from channels_meta.handshake import verify

app_name = "channels_meta"
urlpatterns: list[URLPattern] = [
    # POST never comes here: the dispatcher (dexra/asgi.py) gives it to ingest.
    path("meta/webhook", verify, name="webhook"),
    path("meta/data-deletion", duties.delete_data, name="data_deletion"),
    path("meta/data-deletion/<str:code>", duties.show_deletion, name="deletion"),
    path("meta/deauthorize", duties.deauthorize, name="deauthorize"),
    path("meta/connect/", pages.list_accounts, name="accounts"),
    path("meta/connect/by-hand/", pages.by_hand, name="by_hand"),
    path("meta/connect/logins/<int:pk>/", pages.show_login, name="login"),
    path("meta/connect/channels/<int:pk>/", channels.show_channel, name="channel"),
    path("meta/connect/channels/<int:pk>/test/", channels.test_channel, name="test"),
    path(
        "meta/connect/channels/<int:pk>/subscribe/",
        channels.subscribe,
        name="subscribe",
    ),
    path("meta/connect/channels/<int:pk>/compare/", channels.compare, name="compare"),
    path(
        "meta/connect/channels/<int:pk>/disconnect/",
        channels.disconnect,
        name="disconnect",
    ),
    path("meta/connect/channels/<int:pk>/watch/", pages.watch, name="watch"),
    path("meta/connect/<slug:flavour>/start/", pages.start, name="start"),
    # Entered in the App Dashboard as it is: never change these.
    path("meta/connect/<slug:flavour>/return/", pages.take_return, name="returned"),
]
