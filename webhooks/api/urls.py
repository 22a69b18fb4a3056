"""Our part of /v1/."""

from django.urls import path

from webhooks.api import deliveries, endpoints, events

app_name = "webhooks_api"
ONE = "endpoints/<slug:endpoint_id>"
urlpatterns = [
    path("endpoints", endpoints.EndpointList.as_view(), name="endpoints"),
    path(ONE, endpoints.EndpointDetail.as_view(), name="endpoint"),
    path(f"{ONE}/rotate-secret", endpoints.SecretRotation.as_view()),
    path(f"{ONE}/reveal-secret", endpoints.SecretReveal.as_view()),
    path(f"{ONE}/samples", endpoints.SampleList.as_view()),
    path(f"{ONE}/pause", endpoints.Pause.as_view()),
    path(f"{ONE}/resume", endpoints.Resume.as_view()),
    path(f"{ONE}/recover", endpoints.Recovery.as_view()),
    path("deliveries", deliveries.DeliveryList.as_view(), name="deliveries"),
    path(
        "deliveries/<slug:delivery_id>",
        deliveries.DeliveryDetail.as_view(),
        name="delivery",
    ),
    path("deliveries/<slug:delivery_id>/resend", deliveries.Resend.as_view()),
    path("events", events.EventList.as_view(), name="events"),
    path("events/<slug:event_id>", events.EventDetail.as_view(), name="event"),
]
