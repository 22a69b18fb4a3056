from django.conf import settings
from django.urls import URLPattern, path

from webhooks import echo, texts

app_name = "webhooks"
urlpatterns: list[URLPattern] = [
    path("texts/<str:token>", texts.show_text, name="text"),
]

if settings.SANDBOX:
    urlpatterns += [
        path("sandbox/echo/", echo.show_requests, name="echo"),
        path("sandbox/echo/hook", echo.receive_request, name="echo_hook"),
    ]
