from django.conf import settings
from django.urls import URLPattern, path

from webhooks import echo, texts
from webhooks.pages import deliveries, endpoints

app_name = "webhooks"
ONE = "webhooks/<int:pk>"
urlpatterns: list[URLPattern] = [
    path("texts/<str:token>", texts.show_text, name="text"),
    path("webhooks/", endpoints.list_endpoints, name="endpoints"),
    path("webhooks/new/", endpoints.add_endpoint, name="add"),
    path("webhooks/log/", deliveries.list_deliveries, name="deliveries"),
    path("webhooks/log/resend/", deliveries.resend_all, name="resend_all"),
    path("webhooks/log/progress/", deliveries.show_progress, name="progress"),
    path("webhooks/log/<int:pk>/", deliveries.show_delivery, name="delivery"),
    path("webhooks/log/<int:pk>/attempts/", deliveries.show_attempts, name="attempts"),
    path("webhooks/log/<int:pk>/resend/", deliveries.resend_one, name="resend"),
    path(f"{ONE}/", endpoints.show_endpoint, name="endpoint"),
    path(f"{ONE}/edit/", endpoints.edit_endpoint, name="edit"),
    path(f"{ONE}/waiting/", endpoints.show_waiting, name="waiting"),
    path(f"{ONE}/secret/", endpoints.reveal_secret, name="reveal"),
    path(f"{ONE}/rotate/", endpoints.rotate_secret, name="rotate"),
    path(f"{ONE}/sample/", endpoints.send_sample, name="sample"),
    path(f"{ONE}/pause/", endpoints.pause, name="pause"),
    path(f"{ONE}/resume/", endpoints.resume, name="resume"),
    path(f"{ONE}/recover/", endpoints.recover, name="recover"),
    path(f"{ONE}/delete/", endpoints.delete_endpoint, name="delete"),
]

if settings.SANDBOX:
    urlpatterns += [
        path("sandbox/echo/", echo.show_requests, name="echo"),
        path("sandbox/echo/hook", echo.receive_request, name="echo_hook"),
    ]
