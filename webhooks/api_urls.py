"""Our part of /v1/."""

from django.urls import path

from webhooks import api

app_name = "webhooks_api"
urlpatterns = [
    path("endpoints", api.EndpointList.as_view(), name="endpoints"),
    path("endpoints/<int:pk>", api.EndpointDetail.as_view(), name="endpoint"),
    path("endpoints/<int:pk>/rotate-secret", api.EndpointRotation.as_view()),
    path("endpoints/<int:pk>/samples", api.EndpointSample.as_view()),
    path("endpoints/<int:pk>/pause", api.EndpointPause.as_view()),
    path("endpoints/<int:pk>/resume", api.EndpointResume.as_view()),
    path("endpoints/<int:pk>/recover", api.EndpointRecovery.as_view()),
    path("deliveries", api.DeliveryList.as_view(), name="deliveries"),
    path("deliveries/<int:pk>", api.DeliveryDetail.as_view(), name="delivery"),
    path("deliveries/<int:pk>/resend", api.DeliveryResend.as_view()),
    path("events", api.EventList.as_view(), name="events"),
    path("events/<slug:pk>", api.EventDetail.as_view(), name="event"),
]
