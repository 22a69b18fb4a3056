from django.urls import URLPattern, path

from channels_meta.handshake import verify

app_name = "channels_meta"
urlpatterns: list[URLPattern] = [
    # POST never comes here: the dispatcher (dexra/asgi.py) gives it to ingest.
    path("meta/webhook", verify, name="webhook"),
]
